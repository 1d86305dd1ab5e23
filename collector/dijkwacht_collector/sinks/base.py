"""The contract of a sink, and all of them as one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from dijkwacht_collector.incidents import Event
from dijkwacht_collector.journal import partition_of

Fence = Callable[[Collection[int], int], None]
"""(partitions, epoch): raises `FencedOff` if one has a later owner; else this is its latest."""


class Sink(Protocol):
    """Takes the events of incidents and stories. Constructors are inert; `open` touches the world.

    After a restart the engine repeats the events since its last checkpoint, and when one sink raises,
    all are handed the same events again: so a sink knows an event by (uid, revision) and takes it
    once. `LiveSink`, which keeps nothing, stands last for that. One thread calls at a time, never the
    event loop's; but `flush`, which waits for a disk, may be called beside `handle`, and must not hold it up.
    """

    def open(self) -> None:
        """Get ready; learn from what was kept which events have been taken. Raises ``OSError``."""

    def handle(self, events: Sequence[Event]) -> None:
        """Take ``events`` in their order; those taken before are skipped. Raises ``OSError``."""

    def flush(self) -> None:
        """Return when everything handled before the call would survive a power cut. Raises ``OSError``."""

    def close(self) -> None:
        """Flush, and release what was opened."""


class Sinks:
    """All sinks as one, for as many engine threads as there are.

    ``fence`` is asked before any is handed events of an owner with an epoch.
    """

    def __init__(self, sinks: Sequence[Sink], fence: Fence | None = None) -> None:
        self._sinks, self._fence = tuple(sinks), fence
        self._turn, self._flushing = threading.Lock(), threading.Lock()

    def open(self) -> None:
        """Open every sink, in the order given."""
        for sink in self._sinks:
            sink.open()

    def handle(self, events: Sequence[Event], epoch: int = 0) -> None:
        """Hand ``events`` to every sink; returns when all have taken them.

        Raises `FencedOff` if their partitions have a later owner than that of ``epoch``, ``OSError``.
        """
        with self._turn:
            if self._fence is not None and epoch:
                self._fence({partition_of(event.site) for event in events}, epoch)
            for sink in self._sinks:
                sink.handle(events)

    def flush(self) -> None:
        """Flush every sink; what is handed over meanwhile is not waited for."""
        with self._flushing:
            for sink in self._sinks:
                sink.flush()

    def close(self) -> None:
        """Close every sink, in reverse order."""
        with self._flushing, self._turn:
            for sink in reversed(self._sinks):
                sink.close()

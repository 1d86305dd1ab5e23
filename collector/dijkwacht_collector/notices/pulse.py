"""Whether the collector really does what it is for: takes in, keeps, judges, hands on."""

from __future__ import annotations

from typing import Protocol


class _Journal(Protocol):
    @property
    def last(self) -> int: ...

    @property
    def trouble(self) -> str: ...


class _Workers(Protocol):
    @property
    def position(self) -> int: ...

    @property
    def troubles(self) -> list[str]: ...


class Pulse:
    """Asked by the watchdog. A collector to which no agent speaks has none: it watches nothing."""

    def __init__(self, journal: _Journal, workers: _Workers) -> None:
        self._journal, self._workers = journal, workers
        self._kept = self._judged = 0

    def moves(self) -> bool:
        """Whether something was kept since this was asked last, and what there is is being judged."""
        kept, judged = self._journal.last, self._workers.position
        came, went = kept > self._kept, judged > self._judged or judged >= kept
        self._kept, self._judged = kept, judged
        return came and went and not self._journal.trouble and not self._workers.troubles

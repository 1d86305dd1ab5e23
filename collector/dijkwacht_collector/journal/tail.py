"""What the newest entries were found to hold, until somebody has read them: nobody who keeps up unpacks again.

Entries come from the file all the same; here is only what somebody in this process has unpacked of
them. Whoever reads an entry takes it; the oldest are dropped first.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

from dijkwacht_collector.journal.entry import Draft, Entry
from dijkwacht_records.wire import Batch

TAIL_BYTES: Final = 16 * 1024 * 1024
_OBJECTS: Final = 768
"""Bytes that a batch takes however little is in it: it is some fifteen objects."""


class Tail:
    """Batches by position, ``most`` bytes unpacked. Any thread may add and take."""

    def __init__(self, most: int = TAIL_BYTES) -> None:
        self.most: Final = most
        self._kept: dict[int, Batch] = {}
        self._size = 0
        self._turn = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, batches: Iterable[tuple[int, Batch]]) -> None:
        """Those of positions behind all before, durable by now."""
        with self._turn:
            for position, batch in batches:
                self._kept[position] = batch
                self._size += size_of(batch)
            while self._size > self.most:
                self._size -= size_of(self._kept.pop(next(iter(self._kept))))

    def take(self, entries: list[Entry]) -> list[Entry]:
        """The same, those that are here with their batch, which is given up."""
        if not self._kept:
            return entries
        with self._turn:
            return [self._with_batch(entry) for entry in entries]

    def _with_batch(self, entry: Entry) -> Entry:
        batch = self._kept.pop(entry.position, None)
        if batch is None:
            return entry
        self._size -= size_of(batch)
        return Entry(*entry[:-1], batch)


def size_of(batch: Batch) -> int:
    """Bytes that it takes here; one without any rows takes some, too."""
    return _OBJECTS + batch.planes.size


def size_unpacked(draft: Draft) -> int:
    """Bytes of what was unpacked of it; 0 if nothing was."""
    return size_of(draft.batch) if draft.batch is not None else 0

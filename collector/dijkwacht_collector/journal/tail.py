"""The newest batches as they were unpacked, so that whoever keeps up reads no file and unpacks nothing again.

They are what the file holds, and are durable in it before they are here. The oldest are dropped
first; whoever wants those reads the file, as of every entry that nobody has unpacked.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from dijkwacht_collector.journal.entry import Draft, Entry
from dijkwacht_collector.journal.segment import Segment

TAIL_BYTES: Final = 16 * 1024 * 1024


class Kept(NamedTuple):
    """An entry, the segment that holds it, the offset behind it there."""

    entry: Entry
    segment: Segment
    end: int


class Tail:
    """Batches of ``most`` bytes, with what was unpacked of them. One thread adds, any may read."""

    def __init__(self, most: int = TAIL_BYTES) -> None:
        self.most: Final = most
        self._kept: dict[int, Kept] = {}
        self._size = 0

    def add(self, kept: Kept) -> None:
        """An entry behind those before, durable by now; it is kept if its batch was unpacked."""
        if kept.entry.batch is None:
            return
        self._kept[kept.entry.position] = kept
        self._size += _size_of(kept.entry)
        while self._size > self.most:
            oldest = self._kept.pop(next(iter(self._kept)))
            self._size -= _size_of(oldest.entry)

    def read(self, position: int, last: int, max_entries: int, max_bytes: int) -> list[Kept]:
        """From ``position`` on as many as are kept without a gap, of about ``max_bytes`` payload."""
        found: list[Kept] = []
        for number in range(position, min(last + 1, position + max_entries)):
            kept = self._kept.get(number)
            if kept is None or max_bytes <= 0:
                break
            found.append(kept)
            max_bytes -= len(kept.entry.payload)
        return found


def _size_of(entry: Entry) -> int:
    return len(entry.payload) + size_unpacked(entry)


def size_unpacked(entry: Entry | Draft) -> int:
    """Bytes of what was unpacked of it."""
    return entry.batch.planes.size if entry.batch is not None else 0

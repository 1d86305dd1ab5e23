"""Batches as they were unpacked, until somebody has read them: whoever keeps up unpacks nothing again.

They are what the file holds, and are durable in it before they are here. Whoever reads them takes
them; the oldest are dropped first, and whoever wants those reads the file, as of every entry that
nobody has unpacked.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final, NamedTuple

from dijkwacht_collector.journal.entry import Draft, Entry
from dijkwacht_collector.journal.segment import Segment

TAIL_BYTES: Final = 16 * 1024 * 1024


class Kept(NamedTuple):
    """An entry, the segment that holds it, the offset behind it there; ``size``: its bytes, packed and not."""

    entry: Entry
    segment: Segment
    end: int
    size: int


class Tail:
    """Batches of ``most`` bytes, with what was unpacked of them. Any thread may add and take."""

    def __init__(self, most: int = TAIL_BYTES) -> None:
        self.most: Final = most
        self._kept: dict[int, Kept] = {}
        self._size = 0
        self._turn = threading.Lock()

    def add(self, kept: Iterable[Kept]) -> None:
        """Entries behind those before, durable by now."""
        with self._turn:
            for one in kept:
                self._kept[one.entry.position] = one
                self._size += one.size
            while self._size > self.most:
                self._size -= self._kept.pop(next(iter(self._kept))).size

    def take(self, position: int, last: int, max_entries: int, max_bytes: int) -> list[Kept]:
        """From ``position`` on as many as are kept without a gap, of about ``max_bytes`` payload."""
        found: list[Kept] = []
        with self._turn:
            for number in range(position, min(last + 1, position + max_entries)):
                if max_bytes <= 0 or number not in self._kept:
                    break
                found.append(self._kept.pop(number))
                self._size -= found[-1].size
                max_bytes -= len(found[-1].entry.payload)
        return found


def size_unpacked(draft: Draft) -> int:
    """Bytes of what was unpacked of it; 0 if nothing was."""
    return draft.batch.planes.size if draft.batch is not None else 0

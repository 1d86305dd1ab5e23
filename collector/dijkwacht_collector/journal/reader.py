"""A journal that another process writes, read while it does."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from dijkwacht_collector.journal.durable import read_note
from dijkwacht_collector.journal.entry import PARTITIONS
from dijkwacht_collector.journal.log import Reading
from dijkwacht_collector.journal.segment import SUFFIX, Segment
from dijkwacht_collector.journal.segments import Segments
from dijkwacht_collector.journal.selection import select
from dijkwacht_records.errors import JournalError

_POLL_S: Final = 0.005


class JournalReader:
    """Reads the folder of a `Journal`; nothing is locked and nothing written. One thread a reader.

    How far the writer is durable stands in its note. Where a partition ends is not known without
    reading: `head` says where the whole journal ends.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._segments = Segments()
        self._last = 0

    def open(self) -> None:
        """Find the segments. Raises `JournalError` where there is no journal, ``OSError``."""
        if not any(self.folder.glob(f"*{SUFFIX}")):
            raise JournalError(f"{self.folder}: no journal")
        self._look()

    def read(
        self,
        partitions: Collection[int],
        after: Mapping[int, int],
        max_entries: int = 4096,
        max_bytes: int = 1 << 20,
    ) -> Reading:
        """As `Readable.read`."""
        self._look()
        heads = [self._last] * PARTITIONS
        return select(
            self._segments, partitions, after, heads, self._last, (max_entries, max_bytes)
        )

    def head(self, _partition: int) -> int:
        """As `Readable.head`, but of all partitions together: none ends later."""
        self._look()
        return self._last

    def wait(self, partitions: Collection[int], after: Mapping[int, int], timeout: float) -> bool:
        """As `Readable.wait`; looks every few milliseconds."""
        end = time.monotonic() + timeout
        behind = min((after.get(partition, 0) for partition in partitions), default=0)
        while self.head(0) <= behind:
            if time.monotonic() >= end:
                return False
            time.sleep(_POLL_S)
        return True

    def _look(self) -> None:
        last = read_note(self.folder / "durable")
        if last is None or last == self._last:
            return
        known = {segment.path: segment for segment in self._segments.list}
        found = []
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            try:
                found.append(known.get(path) or Segment.load(path, write=False))
            except FileNotFoundError:  # trimmed between the two looks
                continue
        self._segments.list = tuple(found)
        self._last = last

"""All segments of a folder as one sequence of entries, for any number of readers."""

from __future__ import annotations

import threading
from typing import Final

from dijkwacht_collector.journal.entry import Entry
from dijkwacht_collector.journal.segment import Segment

_CURSORS: Final = 1024
"""Places remembered where a reader stopped: many for each thread, as they step unevenly."""
_PIECE_BYTES: Final = 256 * 1024


class Segments:
    """Segments by position; `list` is replaced, never changed, so that a reader may go on in it."""

    def __init__(self) -> None:
        self.list: tuple[Segment, ...] = ()
        self._cursors: dict[int, tuple[Segment, int]] = {}
        self._turn = threading.Lock()

    @property
    def first(self) -> int:
        """Position of the oldest entry still kept (of the next one in an empty journal)."""
        return self.list[0].first

    @property
    def newest(self) -> Segment:
        """The one that is written."""
        return self.list[-1]

    def add(self, segment: Segment) -> None:
        """It goes on where the newest ended."""
        self.list = (*self.list, segment)

    def drop_first(self) -> Segment:
        """Give up the oldest; whoever reads in it may finish."""
        old, *rest = self.list
        self.list = tuple(rest)
        with self._turn:
            self._cursors = {p: c for p, c in self._cursors.items() if c[0] is not old}
        return old

    def read(self, position: int, last: int, max_entries: int, max_bytes: int) -> list[Entry]:
        """Entries from ``position`` on, none behind ``last``; from `first` if that was dropped.

        Raises `JournalError` for damage, naming file and offset.
        """
        segments = self.list
        position = max(position, segments[0].first)
        if position > last:
            return []
        with self._turn:
            cursor = self._cursors.get(position)
            near = None
            if cursor is None:
                reached = max((p for p in self._cursors if p < position), default=0)
                near = (reached, *self._cursors[reached]) if reached else None
        segment, at = cursor or _find(segments, position, near)
        following = _following(segments, segment)
        if following is not None and following.first == position:
            segment, at = following, following.start
            following = _following(segments, segment)
        until = last if following is None else min(last, following.first - 1)
        entries, at = segment.read(at, position, min(max_entries, until - position + 1), max_bytes)
        with self._turn:
            while len(self._cursors) >= _CURSORS:
                del self._cursors[next(iter(self._cursors))]
            self._cursors[position + len(entries)] = (segment, at)
        return entries


def _find(
    segments: tuple[Segment, ...], position: int, near: tuple[int, Segment, int] | None
) -> tuple[Segment, int]:
    """Where ``position`` lies: its segment is read from ``near`` on, a place before it, or its start."""
    segment = max((s for s in segments if s.first <= position), key=lambda s: s.first)
    reached, at = segment.first, segment.start
    if near is not None and near[1] is segment:
        reached, _, at = near
    while reached < position:
        passed, at = segment.read(at, reached, position - reached, _PIECE_BYTES)
        reached += len(passed)
    return segment, at


def _following(segments: tuple[Segment, ...], segment: Segment) -> Segment | None:
    later = (s for s in segments if s.first > segment.first)
    return min(later, key=lambda s: s.first, default=None)

"""How the two sides of a flow take turns: their sizes, and the pace of whoever spoke first.

A turn is payload of one side, until payload of the other or half a second's silence of the flow; of
pings also an empty request or reply. It counts once it is over. Most flows take a turn or two, which
their `Flow` itself remembers: `Turns` are made for the third, or for pings that overlap.
"""

from __future__ import annotations

from math import isqrt
from typing import Final

from dijkwacht_records.vocabulary import FirstSpeaker

LEAST_TURNS: Final = 8
"""So many are told in a row; fewer wait for the next part, and are forgotten with their flow."""
MAX_SIZES: Final = 8
"""Distinct sizes of a side's turns that are told apart."""
MAX_SPREAD: Final = 1000


class Turns:
    """The turns of one flow since its last row of ``talks``. Bounded: 16 sizes, 8 requests."""

    __slots__ = (
        "first", "gap_squares", "gap_sum", "last_begun", "orig_sizes", "orig_turns", "outstanding",
        "resp_sizes", "resp_turns", "sizes", "unlike",
    )  # fmt: skip

    def __init__(self, *, orig_first: bool) -> None:
        self.first = orig_first
        self.outstanding: dict[int, int] = {}  # id and sequence → the request's checksum
        self._forget()

    def _forget(self) -> None:
        self.orig_turns = self.resp_turns = 0
        self.orig_sizes = self.resp_sizes = 0  # distinct
        self.sizes: dict[int, int] = {}  # 2 · size + (1 if the originator's) → turns
        self.last_begun = 0  # the latest turn of whoever spoke first, in µs
        self.gap_sum = self.gap_squares = 0  # µs between beginnings of its turns, and µs²
        self.unlike = 0

    def add(self, *, from_orig: bool, size: int, begun: int) -> None:
        """A turn is over that was ``begun`` (µs) and had ``size`` bytes."""
        if from_orig == self.first:
            if self.orig_turns if from_orig else self.resp_turns:
                gap = begun - self.last_begun
                self.gap_sum += gap
                self.gap_squares += gap * gap
            self.last_begun = begun
        key = size << 1 | from_orig
        known = self.sizes.get(key, 0)
        if from_orig:
            self.orig_turns += 1
            if not known:
                if self.orig_sizes == MAX_SIZES:
                    return
                self.orig_sizes += 1
        else:
            self.resp_turns += 1
            if not known:
                if self.resp_sizes == MAX_SIZES:
                    return
                self.resp_sizes += 1
        self.sizes[key] = known + 1

    def facts(self) -> tuple[int, ...] | None:
        """The columns of ``talks`` from ``first`` on, and begin anew; ``None`` if there are too few turns."""
        count = self.orig_turns + self.resp_turns
        if count < LEAST_TURNS:
            return None
        facts = (
            int(FirstSpeaker.ORIG if self.first else FirstSpeaker.RESP),
            count,
            self.orig_turns,
            *self._commonest(1, self.orig_turns),
            self.orig_sizes,
            *self._commonest(0, self.resp_turns),
            self.resp_sizes,
            *self._pace(),
            self.unlike,
        )
        self._forget()
        return facts

    def _commonest(self, side: int, turns: int) -> tuple[int, int]:
        """Commonest size and its share in percent; of equally common ones that which came first."""
        size, most = 0, 0
        for key, count in self.sizes.items():
            if key & 1 == side and count > most:
                size, most = key >> 1, count
        return size, most * 100 // turns if turns else 0

    def _pace(self) -> tuple[int, int]:
        """Mean gap in ms, and its standard deviation in percent of it."""
        gaps = (self.orig_turns if self.first else self.resp_turns) - 1
        if gaps < 1 or not self.gap_sum:
            return 0, 0
        variance = gaps * self.gap_squares - self.gap_sum * self.gap_sum  # times gaps²
        spread = isqrt(10_000 * variance) // self.gap_sum
        return self.gap_sum // (gaps * 1000), min(spread, MAX_SPREAD)

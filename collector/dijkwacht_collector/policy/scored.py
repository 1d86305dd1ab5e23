"""HOT  What a detector makes of a step's rows, and the few of them that policy must look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Scores

HOUR_US: Final = 3_600_000_000
_NONE: Final = np.zeros(0, np.int64)


class Scored(NamedTuple):
    """What one detector makes of some rows: opinions, and the columns that name who and whom.

    All are of one length n. ``order`` is each row's place among all rows of the step; where
    ``windowed``, that of the row whose time ended its window. ``slot`` and ``fresh`` as in `Rows`;
    ``facts`` is float64[n, k]; ``named`` holds the columns of the detector's `Who`. ``said``, int64, are
    the rows that have a score, of `said_of`: nearly none.
    """

    detector: int
    windowed: bool
    order: NDArray[np.int64]
    agent: NDArray[np.int32]
    time: NDArray[np.int64]
    site: NDArray[np.int32]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    scores: Scores
    facts: Scores
    named: Mapping[str, Any]
    said: NDArray[np.int64]


class Marks(NamedTuple):
    """The rows in which, alone, an hour of a site may begin, and those ``fresh``; all ``slot`` are below ``slots``."""

    turns: NDArray[np.int64]
    fresh: NDArray[np.int64]
    slots: int


def said_of(scores: Scores) -> NDArray[np.int64]:
    """The rows that have a score, in order."""
    count = _count(scores)
    if not count:  # to hand over an array takes longer than to look
        return _NONE
    said: NDArray[np.int64] = _said(scores, count)
    return said


class MarkedRows:
    """The `Marks` of a step, which do not depend on scores: looked for once for all detectors that share columns.

    What is asked about must be at hand as long as this is.
    """

    def __init__(self) -> None:
        self._turns: dict[tuple[int, int], NDArray[np.int64]] = {}
        self._fresh: dict[tuple[int, int], tuple[NDArray[np.int64], int]] = {}

    def of(self, scored: Scored) -> Marks:
        """Those of its rows."""
        rows, entities = (id(scored.time), id(scored.site)), (id(scored.slot), id(scored.fresh))
        if rows not in self._turns:
            self._turns[rows] = _turns(scored.time, scored.site)
        if entities not in self._fresh:
            self._fresh[entities] = _fresh(scored.slot, scored.fresh)
        return Marks(self._turns[rows], *self._fresh[entities])


@njit(cache=True, nogil=True)
def _count(scores):  # type: ignore[no-untyped-def]
    count = 0
    for i in range(len(scores)):  # without a branch: several at once
        count += scores[i] == scores[i]
    return count


@njit(cache=True, nogil=True)
def _said(scores, count):  # type: ignore[no-untyped-def]
    said = np.empty(count, np.int64)
    n = 0
    for i in range(len(scores)):
        if scores[i] == scores[i]:
            said[n] = i
            n += 1
    return said


@njit(cache=True, nogil=True)
def _turns(time, site):  # type: ignore[no-untyped-def]
    """A site's hour begins in no row that another of it stands before, back to back, of that hour or a later one."""
    rows = np.empty(len(time), np.int64)
    n, last, ends = 0, np.int32(-1), np.int64(0)
    for i in range(len(time)):
        if site[i] != last or time[i] >= ends:
            last, ends = site[i], (time[i] // HOUR_US + 1) * HOUR_US
            rows[n] = i
            n += 1
    return rows[:n].copy()


@njit(cache=True, nogil=True)
def _fresh(slot, fresh):  # type: ignore[no-untyped-def]
    count, top = 0, np.int32(-1)
    for i in range(len(fresh)):  # each by itself: several at once
        count += fresh[i]
    for i in range(len(slot)):
        top = max(top, slot[i])
    rows = np.empty(count, np.int64)
    n = 0
    if count:
        for i in range(len(fresh)):
            if fresh[i]:
                rows[n] = i
                n += 1
    return rows, np.int64(top) + 1

"""Is somebody on a timer? Gaps between calls, how alike they are, and for how long it has gone on.

The last `KEPT` gaps of an entity are kept in their order, and their places by length, so that quartiles are
three look-ups. What is compared is the middle half: a call too many, one too few or a night without any
moves it little. State fields: `TIMER`, all 0 when an entity is fresh.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.state.crowd import count
from dijkwacht_detectors.state.naming import njit_lean
from dijkwacht_detectors.state.pool import give_back, place_of

KEPT: Final = 24
FEWEST: Final = 5
"""Gaps before there is an opinion."""
_MEMORY: Final = (
    2.0 * KEPT
)  # calls after which one more proves nothing: that it is a timer is sure by then
_SURE: Final = 12.0
_HOUR_US: Final = 3_600_000_000
_AT_ONCE_US: Final = 250_000
_DAY_US: Final = 86_400e6
_LONGEST_S: Final = 1e7
_HOURS: Final = (1 << 24) - 1

TIMER: Final[Mapping[str, tuple[str, tuple[int, ...]]]] = {
    "begun": ("i8", ()),
    "calls": ("i4", ()),
    "pooled_gaps": ("f4", (KEPT,)),
    "pooled_ranks": ("u1", (KEPT,)),
    "regular": ("f4", ()),
    "hour": ("i4", ()),
    "hours": ("u4", ()),
}
"""When the last call began, how many there were, gaps in seconds in their order and their places by length, calls
at the timer's time as they fade, and the hour of the last call with a bit for each of the 24 up to it.

Four entities of five never call again, and have no gaps."""


class Timer(NamedTuple):
    """The arrays of `TIMER`, as kernels name them."""

    begun: NDArray[np.int64]
    calls: NDArray[np.int32]
    pooled_gaps: NDArray[np.float32]
    pooled_ranks: NDArray[np.uint8]
    regular: NDArray[np.float32]
    hour: NDArray[np.int32]
    hours: NDArray[np.uint32]
    pooled_place: NDArray[np.int32]
    pooled_used: NDArray[np.int32]


@njit_lean
def reset(timer, e):  # type: ignore[no-untyped-def]
    """Forget an entity; without calls it has no gaps."""
    give_back(timer.pooled_place, timer.pooled_used, e)
    timer.begun[e] = 0
    timer.calls[e] = 0
    timer.regular[e] = 0.0
    timer.hour[e] = 0
    timer.hours[e] = 0


@njit_lean
def call(timer, e, begun):  # type: ignore[no-untyped-def]
    """Take a call that began at ``begun``, µs; whether it is one, and no part of the one before.

    Connections that are opened at once are one call. A time that falls back by more than an hour
    begins anew; by less, it is a row out of order.
    """
    gap = float(begun) - float(timer.begun[e])
    if timer.calls[e] > 0 and gap <= -float(_HOUR_US):
        reset(timer, e)
    first = timer.calls[e] == 0
    if not first and gap < _AT_ONCE_US:
        return False
    timer.begun[e] = begun
    # of a hostile time only the low bits are kept, which is as good an hour as any
    hour = np.int32((begun // _HOUR_US) & 0x3FFFFFFF)
    timer.hours[e] = _hours(timer.hours[e], hour - timer.hour[e], first)
    timer.hour[e] = hour
    calls = timer.calls[e]
    if not first:
        place = place_of(timer.pooled_place, timer.pooled_used, e)
        gap_s = np.float32(min(gap / 1e6, _LONGEST_S))
        _rank(timer.pooled_gaps[place], timer.pooled_ranks[place], calls, gap_s)
    timer.calls[e] = min(calls + 1, 1 << 30)
    return True


@njit_lean
def _hours(hours, later, anew):  # type: ignore[no-untyped-def]
    """The bits of the last 24 hours up to one that is so many ``later`` than the last call's."""
    if anew or later < 0 or later >= 24:
        return np.uint32(1)
    return np.uint32(((np.int64(hours) << later) | 1) & _HOURS)


@njit_lean
def _rank(gaps, ranks, calls, gap):  # type: ignore[no-untyped-def]
    """Put ``gap`` in the place of the oldest, and keep the places of all by length in order."""
    have = min(calls - 1, KEPT)
    place = (calls - 1) % KEPT
    at = have
    if have == KEPT:
        at = 0
        while at < KEPT - 1 and ranks[at] != place:
            at += 1
        while at < KEPT - 1 and gaps[ranks[at + 1]] < gap:
            ranks[at] = ranks[at + 1]
            at += 1
    gaps[place] = gap
    while at > 0 and gaps[ranks[at - 1]] > gap:
        ranks[at] = ranks[at - 1]
        at -= 1
    ranks[at] = place


@njit_lean
def pace(timer, e):  # type: ignore[no-untyped-def]
    """(median gap in seconds, spread 0–1) of the last gaps; (0, 1) before there are `FEWEST`.

    The spread is the distance of the quartiles over their sum: 0 for a clock, 0.25 for a timer that
    varies by half, 0.65 for calls at random, more for people, who come in bursts.
    """
    n = min(timer.calls[e] - 1, KEPT)
    if n < FEWEST:
        return 0.0, 1.0
    place = timer.pooled_place[e]
    gaps, ranks = timer.pooled_gaps[place], timer.pooled_ranks[place]
    low, high = float(gaps[ranks[n // 4]]), float(gaps[ranks[n - 1 - n // 4]])
    return float(gaps[ranks[n // 2]]), (high - low) / max(high + low, 1e-9)


@njit_lean
def credit(timer, e, spread):  # type: ignore[no-untyped-def]
    """Count the call that was just taken by how regular they are now; calls on the timer, at most 48.

    A timer that varies by half counts in full: programs that poll are the better clocks, so being
    exact is no sign of malice. A dozen gaps and less may be alike by chance. Beyond those kept each
    call is credited when it comes, so that a stretch that looks regular is worth its own length only.
    """
    share = min(1.0, max(0.0, (0.5 - spread) / 0.25))
    calls = float(timer.calls[e])
    if calls <= KEPT + 1:
        timer.regular[e] = calls * share * min(1.0, calls / _SURE)
    else:
        timer.regular[e] += share - timer.regular[e] / _MEMORY
    return float(timer.regular[e])


@njit(cache=True, nogil=True, inline="always")
def hours_of(timer, e):  # type: ignore[no-untyped-def]
    """In how many of the last 24 hours it called, 1–24."""
    return count(np.uint64(timer.hours[e]))


@njit(cache=True, nogil=True, inline="always")
def long_and_fast(hours, gap):  # type: ignore[no-untyped-def]
    """Weight of a timer by its ``hours_of`` and its gap in seconds, 1-4.

    Twice as much round the clock, when people are away. And twice as much a second apart as minutes
    apart: few programs cannot wait, but whoever steers a machine by hand cannot.
    """
    return (1.0 + (hours - 1.0) / 23.0) * (1.0 + 1.0 / (1.0 + gap / 3.0))


@njit(cache=True, nogil=True, inline="always")
def strangeness(machines, known, acquainted, news):  # type: ignore[no-untyped-def]
    """Weight of whom is called, by how many ``machines`` call it and since when it is ``known``, µs.

    ``acquainted``: since when the caller is, and ``news``: how many it called lately that are new.
    What many use, or the site has called for days, is its own. On a first day all is new, so that
    says nothing then; later a stranger who is called by the clock is odd, the more so if a device calls
    whose world was complete.
    """
    days = min(max(known / _DAY_US, 0.0), 9.0)
    root = math.sqrt(max(machines, 1.0))
    weight = 1.0 / (root * math.sqrt(root) * (1.0 + days / 3.0))
    if acquainted > 3.0 * _DAY_US and days < 1.0:
        weight *= 4.0 if news < 2.0 else 2.0
    return weight


def say_interval(seconds: float) -> tuple[str, str]:
    """A gap as people say it, after "every" and "elke"."""
    if seconds < 0.75:
        return "half second", "halve seconde"
    if seconds < 1.5:
        return "second", "seconde"
    if seconds < 90:
        return f"{seconds:.0f} seconds", f"{seconds:.0f} seconden"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes", f"{seconds / 60:.0f} minuten"
    return f"{seconds / 3600:.0f} hours", f"{seconds / 3600:.0f} uur"

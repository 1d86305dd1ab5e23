"""What was said this week: of each pair of a machine and a thing, once in seven days of event time.

A site has `PLACES` pairs. A pair gives its place to another only when its week is over; where all that could be taken
are within theirs, nothing more is said, so that no pair is ever said twice. Fields of a detector whose entity is the site.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean

PLACES: Final = 512
FORGET_AFTER_S: Final = 60 * 86_400
"""For the detector's ``forget_after_s``: who is on holiday is not told the same when he comes back."""
WEEK_US: Final = 7 * 86_400_000_000
_DAY_US: Final = 86_400e6
_PROBES: Final = 16
_MOST_USES: Final = 1 << 30

FACTS: Final = ("rule", "uses", "since_days", "rules")
"""Number of the thing, how often it was noted since it was last said, for how many days it is known, and how many
things were said of the machine within the week, this one among them. The first columns of a detector's facts."""
REMEMBERED: Final[Mapping[str, tuple[str, tuple[int, ...]]]] = {
    "machine": ("u8", (PLACES,)),
    "thing": ("i4", (PLACES,)),
    "uses": ("i4", (PLACES,)),
    "since": ("i8", (PLACES,)),
    "said": ("i8", (PLACES,)),
    "is_said": ("u1", (PLACES,)),
}
"""Fields for a detector's ``state``."""


class Weekly(NamedTuple):
    """Of each place: a machine's name (0 is nobody's), a thing's number, and when it was met and last said, µs."""

    machine: NDArray[np.uint64]
    thing: NDArray[np.int32]
    uses: NDArray[np.int32]
    since: NDArray[np.int64]
    said: NDArray[np.int64]
    is_said: NDArray[np.uint8]


@njit(cache=True, nogil=True, inline="always")
def _is_over(week, e, p, t):  # type: ignore[no-untyped-def]
    return not week.is_said[e, p] or float(t) - float(week.said[e, p]) >= WEEK_US


@njit_lean
def forget(week, e):  # type: ignore[no-untyped-def]
    """Know nothing of site ``e``. A place that nobody had is not written to."""
    for p in range(PLACES):
        if week.machine[e, p] != 0:
            week.machine[e, p] = 0


@njit_lean
def _place_of(week, e, machine, thing, t):  # type: ignore[no-untyped-def]
    """The pair's place, which it is given if need be; -1 if there is none."""
    start = np.int64(mix(machine, np.uint64(thing)) % np.uint64(PLACES))
    free = np.int64(-1)
    for probe in range(_PROBES):
        p = (start + probe) % PLACES
        if week.machine[e, p] == machine and week.thing[e, p] == thing:
            return p
        if free < 0 and (week.machine[e, p] == 0 or _is_over(week, e, p, t)):
            free = p
    if free >= 0:
        week.machine[e, free], week.thing[e, free] = machine, thing
        week.uses[e, free] = week.is_said[e, free] = 0
        week.since[e, free] = week.said[e, free] = t
    return free


@njit_lean
def say(week, e, machine, thing, t, facts):  # type: ignore[no-untyped-def]
    """Note that ``machine`` (a name, not 0) did ``thing``; its score if it is said now, and NaN if not.

    ``facts`` float64[4 or more] then gets `FACTS`. The score is log₂ of one more than what was said of the machine
    within the week, this included.
    """
    p = _place_of(week, e, machine, thing, t)
    if p < 0:
        return np.nan
    week.uses[e, p] = min(week.uses[e, p] + 1, _MOST_USES)
    if not _is_over(week, e, p, t):
        return np.nan
    week.said[e, p], week.is_said[e, p] = t, 1
    told = 0
    for other in range(PLACES):
        if week.machine[e, other] == machine and not _is_over(week, e, other, t):
            told += 1
    facts[0], facts[1], facts[3] = thing, week.uses[e, p], told
    facts[2] = max(float(t) - float(week.since[e, p]), 0.0) / _DAY_US
    week.uses[e, p] = 0
    return math.log2(1.0 + told)

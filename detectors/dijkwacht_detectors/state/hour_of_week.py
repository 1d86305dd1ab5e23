"""What is usual at this hour of the week: a byte an hour, in steps of a third.

Kept is how far something rose in an hour, in spreads above its level, when that hour of the week was
last there. What rises as far at the same hour a day or a week later, or in an hour beside it (a job that
begins a little earlier, a clock that is put forward), is usual then. What does not come back fades.
"""

from __future__ import annotations

import numpy as np

from dijkwacht_detectors.state.naming import njit_lean

HOURS = 168
HOUR_US = 3_600_000_000
_STEPS = 3.0
_MOST = 127.0 / _STEPS


@njit_lean
def usual_rise(habit, e, first, time):  # type: ignore[no-untyped-def]
    """How far above its level it is usual at ``time``, in spreads, 0 to 42.

    ``habit`` is int8[entities, many × 168], of which 168 from ``first`` on are looked at.
    """
    hour = time // HOUR_US
    most = 0
    # the hour before this one, a week ago, is gone: today's stands there
    for before in (25, 24, 23, 0, -1):
        most = max(most, habit[e, first + (hour - before) % HOURS])
    return most / _STEPS


@njit_lean
def learn_rise(habit, e, first, time, rise):  # type: ignore[no-untyped-def]
    """The hour in which ``time`` lies is over; ``rise`` was its strongest, in spreads."""
    place = first + (time // HOUR_US) % HOURS
    known = habit[e, place] / _STEPS
    rise = min(max(rise, 0.0), _MOST)
    learned = rise if rise > known else known - (known - rise) / 3.0
    habit[e, place] = np.int8(learned * _STEPS)

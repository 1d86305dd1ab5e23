"""What is usual at an hour: yesterday's, last week's, and what lies an hour beside."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from dijkwacht_detectors.state.hour_of_week import HOUR_US, HOURS, learn_rise, usual_rise

START = 1_773_619_200_000_000


def learned(*rises):
    """A habit of two entities, of which the second rose by so much in such hours."""
    habit = np.zeros((2, 2 * HOURS), np.int8)
    for hour, rise in rises:
        learn_rise(habit, 1, HOURS, START + hour * HOUR_US, rise)
    return habit


def usual(habit, hour, e=1, first=HOURS):
    return usual_rise(habit, e, first, START + hour * HOUR_US)


@pytest.mark.parametrize("hour", [10 + 23, 10 + 24, 10 + 25, 10 + 167, 10 + 168])
def test_a_day_or_a_week_later_it_is_usual(hour):
    assert usual(learned((10, 5.0)), hour) == pytest.approx(5.0)


@pytest.mark.parametrize("hour", [11, 12, 10 + 22, 10 + 26, 10 + 48, 10 + 166])
def test_at_other_hours_it_is_not(hour):
    assert usual(learned((10, 5.0)), hour) == 0.0


def test_the_hour_that_has_just_been_is_not_asked():
    """It stands where a week ago's stood."""
    assert usual(learned((10, 9.0)), 11) == 0.0


def test_others_are_not_touched():
    habit = learned((10, 5.0))
    assert usual(habit, 10 + 24, e=0) == usual(habit, 10 + 24, first=0) == 0.0


def test_what_does_not_come_back_fades_over_weeks():
    weeks = [usual(learned((10, 9.0), *((10 + 168 * n, 0.0) for n in range(1, k))), 10 + 168 * k)
             for k in range(1, 12)]  # fmt: skip
    assert weeks[0] == pytest.approx(9.0)
    assert weeks[1] == pytest.approx(6.0)
    assert all(b < a or b == 0.0 for a, b in pairwise(weeks))
    assert weeks[-1] < 0.5


@pytest.mark.parametrize("rise", [1e9, -5.0])
def test_extremes_stay_within_a_byte(rise):
    assert 0.0 <= usual(learned((10, rise)), 34) <= 127 / 3

"""What is said once a week: against a plain model, and where there is no room."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_detectors.state.weekly import PLACES, REMEMBERED, WEEK_US, Weekly, forget, say

DAY = 86_400_000_000
START = 20_000 * DAY


def empty(sites=2):
    return Weekly(*(np.zeros((sites, *shape), kind) for kind, shape in REMEMBERED.values()))


def tell(week, machine, thing, at, site=0):
    facts = np.zeros(4)
    score = say(week, site, np.uint64(machine), thing, START + round(at * DAY), facts)
    return score, facts.tolist()


NOTED = st.tuples(st.integers(1, 4), st.integers(1, 3), st.floats(0.0, 3.0))


@given(st.lists(NOTED, max_size=60))
def test_each_pair_is_said_at_once_and_then_once_a_week(noted):
    week, at = empty(), 0.0
    said, first, uses = {}, {}, {}
    for machine, thing, later in noted:
        at += later
        now = START + round(at * DAY)
        pair = machine, thing
        uses[pair] = uses.get(pair, 0) + 1
        first.setdefault(pair, now)
        score, facts = tell(week, machine, thing, at)
        if pair in said and now - said[pair] < WEEK_US:
            assert math.isnan(score)
            continue
        said[pair] = now
        rules = sum(1 for (m, _), t in said.items() if m == machine and now - t < WEEK_US)
        assert score == pytest.approx(math.log2(1 + rules))
        assert facts == pytest.approx([thing, uses.pop(pair), (now - first[pair]) / DAY, rules])


def test_a_site_without_room_says_nothing_twice_and_takes_up_again_a_week_later():
    week = empty()
    scores = [tell(week, machine, 1, 0.0)[0] for machine in range(1, 2 * PLACES)]
    said = sum(not math.isnan(score) for score in scores)
    assert PLACES * 3 // 4 < said <= PLACES
    again = [tell(week, machine, 1, 1.0)[0] for machine in range(1, 2 * PLACES)]
    both = [
        a for a, b in zip(scores, again, strict=True) if not math.isnan(a) and not math.isnan(b)
    ]
    assert both == []
    assert sum(not math.isnan(a) for a in again) <= PLACES - said
    assert not math.isnan(tell(week, 5 * PLACES, 1, 8.1)[0])


def test_another_site_is_another_and_what_is_forgotten_is_said_anew():
    week = empty()
    assert tell(week, 1, 1, 0.0, site=0)[0] == tell(week, 1, 1, 0.0, site=1)[0] == 1.0
    forget(week, 0)
    assert tell(week, 1, 1, 0.1, site=0)[0] == 1.0
    assert math.isnan(tell(week, 1, 1, 0.1, site=1)[0])


def test_a_clock_that_lags_says_nothing_twice():
    week = empty()
    assert tell(week, 1, 1, 5.0)[0] == 1.0
    assert math.isnan(tell(week, 1, 1, 1.0)[0])

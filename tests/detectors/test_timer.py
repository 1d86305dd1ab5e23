"""The kept gaps, hours and credit of a timer, against a model in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_detectors.state.timer import (
    FEWEST,
    KEPT,
    TIMER,
    Timer,
    call,
    credit,
    hours_of,
    long_and_fast,
    pace,
    reset,
    say_interval,
    strangeness,
)

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
START = 1_700_000_000 * SECOND


def timers(count=1):
    """Timers of so many entities, and of as many that have gaps."""
    fields = {n: np.zeros((count + 1, *shape), dtype) for n, (dtype, shape) in TIMER.items()}
    return Timer(
        **fields,
        pooled_place=np.zeros(count + 1, np.int32),
        pooled_used=np.array([1] + [0] * (count + 2), np.int32),
    )


GAPS = st.lists(
    st.one_of(
        st.integers(0, 10 * SECOND),
        st.sampled_from([-2 * HOUR, -SECOND, 0, 249_999, 250_000, SECOND, HOUR, 23 * HOUR, DAY]),
    ),
    max_size=80,
)


@given(gaps=GAPS)
def test_it_keeps_the_last_gaps_and_hours(gaps):
    timer = timers(2)
    begun, now = None, START
    kept, hours, calls = [], {START // HOUR}, 0
    for gap in [0, *gaps]:
        now += gap
        if begun is not None and -HOUR < now - begun < 250_000:
            assert not call(timer, 1, now)
            continue
        assert call(timer, 1, now)
        if begun is not None and now < begun:
            kept, hours, calls = [], set(), 0
        elif begun is not None:
            kept.append(np.float32((now - begun) / SECOND))
        hours |= {now // HOUR}
        begun, calls = now, calls + 1
        hours = {hour for hour in hours if now // HOUR - hour < 24}
        assert hours_of(timer, 1) == len(hours)
        n = min(calls - 1, KEPT)
        assert timer.calls[1] == calls
        last = sorted(kept[-n:]) if n else []
        place = timer.pooled_place[1]
        assert timer.pooled_gaps[place][timer.pooled_ranks[place, :n]].tolist() == last
        middle, spread = pace(timer, 1)
        if n < FEWEST:
            assert (middle, spread) == (0.0, 1.0)
            continue
        assert middle == last[n // 2]
        low, high = float(last[n // 4]), float(last[-1 - n // 4])
        assert spread == pytest.approx((high - low) / max(high + low, 1e-9))
    assert not timer.calls[0]


@given(times=st.lists(st.integers(-(2**62), 2**62), max_size=60))
def test_no_time_is_too_strange(times):
    timer = timers()
    for time in times:
        call(timer, 0, time)
        middle, spread = pace(timer, 0)
        worth = credit(timer, 0, spread)
        assert 0 <= middle <= 1e7
        assert 0 <= spread <= 1
        assert 0 <= worth <= 2 * KEPT
        assert 0 <= hours_of(timer, 0) <= 24
    reset(timer, 0)
    assert not any(np.any(getattr(timer, n)) for n in TIMER if not n.startswith("pooled_"))
    assert pace(timer, 0) == (0.0, 1.0)


def credited(gaps):
    timer, now, worth = timers(), float(START), []
    call(timer, 0, START)
    for gap in gaps:
        now += gap * SECOND
        call(timer, 0, int(now))
        worth.append(credit(timer, 0, pace(timer, 0)[1]))
    return worth


@pytest.mark.parametrize("seed", range(8))
def test_a_timer_that_varies_by_half_counts_almost_as_a_clock_and_chance_hardly(seed):
    draw = np.random.default_rng(seed)
    clock = credited([60.0] * 200)
    assert clock[-1] > 46
    assert credited(60 * draw.uniform(0.5, 1.5, 200))[-1] > 0.7 * clock[-1]
    assert max(credited(draw.exponential(60, 200))) < 0.35 * clock[-1]
    assert max(credited(draw.lognormal(3, 1.5, 200))) < 0.25 * clock[-1]


def test_a_night_without_calls_changes_little():
    gaps = [60.0] * 40 + [8 * 3600.0] + [60.0] * 5
    assert credited(gaps)[-1] > credited([60.0] * 40)[-1]


def test_weights_go_the_way_they_are_meant():
    assert long_and_fast(24, 60.0) == pytest.approx(2 * long_and_fast(1, 60.0))
    assert long_and_fast(1, 1.0) > 1.5 * long_and_fast(1, 300.0)
    stranger = strangeness(1.0, 0.0, 0.0, 9.0)
    assert stranger == 1.0, "on a first day novelty says nothing"
    assert strangeness(10.0, 0.0, 0.0, 9.0) < 0.2
    assert strangeness(1.0, 9.0 * DAY, 9.0 * DAY, 9.0) == pytest.approx(0.25)
    assert strangeness(1.0, 0.0, 4.0 * DAY, 9.0) == 2.0
    assert strangeness(1.0, 0.0, 4.0 * DAY, 0.5) == 4.0


@pytest.mark.parametrize(
    ("seconds", "english", "dutch"),
    [
        (0.4, "half second", "halve seconde"),
        (1.2, "second", "seconde"),
        (60.4, "60 seconds", "60 seconden"),
        (600.0, "10 minutes", "10 minuten"),
        (7100.0, "2 hours", "2 uur"),
    ],
)
def test_a_gap_is_said_as_people_say_it(seconds, english, dutch):
    assert say_interval(seconds) == (english, dutch)

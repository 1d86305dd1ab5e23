"""Realised ÷ promised: what is counted, over which time, and what is said of many sites."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_lab.promise import (
    BenignSite,
    Period,
    broken,
    interruptions_in,
    promise_of_sites,
    promise_table,
    reached_by,
)
from dijkwacht_lab.scoreboard import WEEK_S, Watched

HOUR = 3_600_000_000
DAY = 24 * HOUR
START = 1_773_651_600_000_000
NAMES = st.sampled_from(["scan", "beacon", "fusion"])
SITES = st.builds(
    BenignSite,
    st.floats(1, 5 * WEEK_S),
    st.lists(NAMES, max_size=6),
    st.sampled_from([0.5, 1.0, 2.0]),
)
STEPS = st.lists(st.integers(0, 3 * HOUR), min_size=1, max_size=60)


def times_of(steps):
    now = START
    for step in steps:
        now += step
        yield now


@given(STEPS)
def test_a_period_without_bounds_watches_as_a_recording_is_watched(steps):
    period, watched = Period(0, 1 << 60), Watched()
    for time in times_of(steps):
        period.see(time)
        watched.see(time)
    assert period.watched_s == watched.seconds


@given(STEPS, st.integers(0, DAY), st.integers(1, DAY))
def test_periods_in_a_row_watch_no_moment_twice(steps, after, lasts):
    parts = Period(0, after), Period(after, lasts)
    whole = Period(0, after + lasts)
    for time in times_of(steps):
        for period in (*parts, whole):
            period.see(time)
    missed = HOUR / 1e6  # what lies across the border belongs to neither
    both = sum(part.watched_s for part in parts)
    assert both <= whole.watched_s + 1e-6
    assert whole.watched_s <= both + missed
    assert parts[1].watched_s <= lasts / 1e6


def test_an_interruption_counts_in_the_periods_that_it_lies_in():
    first, second = Period(0, DAY), Period(DAY, DAY)
    calls = [(START, "a"), (START + DAY - 1, "b"), (START + DAY, "c"), (START + 2 * DAY, "d")]
    assert interruptions_in(first, calls) == [], "nothing is known of when it begins"
    for period in (first, second):
        period.see(START)
    assert interruptions_in(first, calls) == ["a", "b"]
    assert interruptions_in(second, calls) == ["c"]


@given(st.lists(SITES, min_size=1, max_size=12))
def test_what_is_promised_and_realised_adds_up(sites):
    shares = {"scan": 0.25, "beacon": 0.5, "fusion": 0.25}
    found = promise_of_sites(sites, shares)
    rows = found["detectors"].values()
    assert sum(row["realised"] for row in rows) == found["realised"]
    assert math.isclose(sum(row["promised"] for row in rows), found["promised"])
    assert math.isclose(found["promised"], sum(site.promised for site in sites))
    low, high = found["interval_95"]
    assert low <= found["realised_over_promised"] <= high
    assert found["median"] <= found["percentile_95"] <= found["most"]


@given(st.lists(SITES, min_size=1, max_size=12), st.floats(0.1, 10))
def test_ratios_are_of_the_budget_that_was_chosen(sites, times):
    richer = [BenignSite(s.watched_s, s.interruptions, s.budget * times) for s in sites]
    for site, other in zip(sites, richer, strict=True):
        assert math.isclose(site.ratio, other.ratio * times)


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_a_value_that_so_many_do_not_exceed(values, part):
    found = reached_by(values, part)
    assert found in values
    assert sum(value <= found for value in values) >= part * len(values) - 1e-9
    assert sum(value < found for value in values) < part * len(values) + 1e-9


def test_in_all_the_whole_budget_is_promised_whoever_has_it():
    sites = [BenignSite(2 * WEEK_S, ["fusion", "scan"])]
    found = promise_of_sites(sites, {"scan": 0.25})
    assert (found["promised"], found["realised_over_promised"]) == (2.0, 1.0)
    assert found["detectors"]["scan"]["promised"] == 0.5
    assert found["detectors"]["fusion"]["realised_over_promised"] is None


def test_of_no_sites_nothing_is_said():
    with pytest.raises(ValueError, match="no quantile"):
        promise_of_sites([], {"scan": 1.0})


def test_time_that_nobody_watched_promises_nothing():
    assert BenignSite(0.0).ratio == 0
    assert BenignSite(0.0, ["scan"]).ratio == math.inf
    assert BenignSite(WEEK_S, ["scan"], budget=0.0).ratio == math.inf


def sites_with(*told):
    return [BenignSite(WEEK_S, ["scan"] * each) for each in told]


def test_forty_sites_break_the_bar_when_three_of_them_are_interrupted_four_times():
    shares = {"scan": 1.0}
    assert broken(promise_of_sites(sites_with(*[0] * 20, *[3] * 18, 9, 9), shares)) == []
    (line,) = broken(promise_of_sites(sites_with(*[0] * 37, 4, 4, 4), shares))
    assert line == "percentile 95 over sites is 4.00 times the promise, more than 3"
    (line,) = broken(promise_of_sites(sites_with(*[1] * 19, *[2] * 21), shares))
    assert line.startswith("median over sites is 2.00")


def test_a_week_that_lacks_its_last_minute_is_a_week():
    sites = [BenignSite(WEEK_S - 60, ["scan"]), BenignSite(WEEK_S - 60, ["scan"] * 3)]
    found = promise_of_sites(sites, {"scan": 1.0})
    assert found["median"] > 1
    assert found["percentile_95"] > 3
    assert broken(found) == []


def test_the_table_names_who_interrupted_and_counts_who_did_not():
    shares = {"scan": 0.5, "beacon": 0.25, "flood": 0.25, "context": 0.0}
    results = {
        "cold start": promise_of_sites(sites_with(1, 2), shares),
        "after a day": promise_of_sites([BenignSite(WEEK_S, ["stray"])], shares),
    }
    text = promise_table(results)
    assert "| cold start | 2.0 | 2.0 | 3 | 1.50 (0.31 – 4.38) | 1.00 | 2.00 |" in text
    assert "| `scan` | 0.500 | 3 | 3.00 (0.62 – 8.77) | 0 | 0.00 (0.00 – 7.38) |" in text
    assert "| `stray` | 0.000 | 0 | – | 1 | – |" in text
    assert "`beacon`" not in text
    assert text.endswith("2 more have a share of the budget and interrupted nobody.")

"""Who tries, little by little, addresses that nobody has, against all who look for somebody they know."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_detectors.checks import Harness, score_rows
from dijkwacht_detectors.dark_addresses import DarkAddresses
from dijkwacht_detectors.dark_neighbours import DarkNeighbours
from dijkwacht_records.addresses import pack_address

SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
START = 20_000 * DAY
LINE = 3.8 + 0.5 * math.log(0.1 / DarkNeighbours.share)
"""Where what is expected is as rare as an interruption may be."""
NOBODY = pack_address("0.0.0.0")


def inside(number):
    return pack_address(f"10.0.{number // 250}.{number % 250 + 1}")


def asks(at, target, sender=1, **values):
    """ARP: ``sender`` asks for ``target``, ``at`` µs from the beginning."""
    return {"time": START + round(at), "op": 1, "sender_mac": 100 + sender, "sender_h": inside(sender),
            "target_h": inside(target)} | values  # fmt: skip


def calls(at, target, sender=1, **values):
    """A SYN that nobody answers."""
    return {"time": START + round(at), "orig_h": inside(sender), "resp_h": inside(target), "resp_p": 445,
            "conn_state": 1, "local_resp": 1} | values  # fmt: skip


ALIKE = [
    pytest.param(DarkNeighbours, asks, id="arp"),
    pytest.param(DarkAddresses, calls, id="flows"),
]


def begin(row):
    """Somebody was seen a day before."""
    return row(-DAY, 2, sender=3)


def counted(detector, rows):
    """What counts of all machines but the one that `begin` shows, half for what is of the week before."""
    harness = Harness(detector())
    harness.feed([begin(asks if detector is DarkNeighbours else calls), *rows])
    state = harness.memory.state
    silent = ~np.bitwise_or.reduce(state["samples_heard"][0], axis=0)
    this, before = state["pooled_counted"][:, 0] & silent, state["pooled_counted"][:, 1] & silent
    return np.bitwise_count(this).sum() + 0.5 * np.bitwise_count(before & ~this).sum() - 1


def top(detector, rows):
    return float(np.nan_to_num(score_rows(detector(), rows)).max(initial=0.0))


@pytest.mark.parametrize(("detector", "row"), ALIKE)
def test_one_probe_an_hour_is_told_within_two_days(detector, row):
    probes = [begin(row), *(row(n * HOUR, 20 + n) for n in range(48))]
    assert top(detector, probes[:26]) < LINE < top(detector, probes)


@pytest.mark.parametrize(("detector", "row"), ALIKE)
def test_a_number_is_news_when_it_has_grown_by_a_fifth(detector, row):
    probes = [begin(row), *(row(n * HOUR, 20 + n) for n in range(60))]
    scores = score_rows(detector(), probes)[1:]
    news = scores[~np.isnan(scores)]
    assert 10 < len(news) < 20
    assert (2 ** news[9:] - 1 >= 1.18 * (2 ** news[8:-1] - 1)).all()


@pytest.mark.parametrize(("detector", "row"), ALIKE)
def test_the_same_few_count_once_however_often(detector, row):
    week = [begin(row), *(row(n * 600 * SECOND, 20 + n % 5) for n in range(6 * 24 * 6))]
    assert top(detector, week) <= math.log2(1 + 5)


@pytest.mark.parametrize(("detector", "row"), ALIKE)
def test_of_many_at_once_twelve_count_and_none_of_the_rest_later(detector, row):
    burst = [begin(row), *(row(n * 1000, 20 + n) for n in range(200))]
    assert top(detector, burst) == pytest.approx(math.log2(13), abs=0.25)
    again = [*burst, *(row(HOUR + n * 60 * SECOND, 20 + n) for n in range(200))]
    assert np.isnan(score_rows(detector(), again)[len(burst) :]).all()


@pytest.mark.parametrize(("detector", "row"), ALIKE)
def test_a_whole_network_is_told_if_it_takes_minutes_and_not_if_it_takes_one(detector, row):
    for gap, is_told in ((0.2, False), (2, True), (6, True), (30, True)):
        search = [begin(row), *(row(n * gap * SECOND, 20 + n) for n in range(240))]
        assert (top(detector, search) > LINE) == is_told, gap


@pytest.mark.parametrize(("detector", "row"), ALIKE)
def test_who_is_heard_later_was_not_dark(detector, row):
    tries = [row(n * HOUR, 20 + n) for n in range(30)]
    woke = [row(31 * HOUR + n, 1, sender=20 + n) for n in range(30)]
    assert counted(detector, [*tries, row(32 * HOUR, 90)]) > 27
    assert counted(detector, [*tries, *woke, row(32 * HOUR, 90)]) == 1
    more = [row((33 + n) * HOUR, 90 + n) for n in range(5)]
    scores = score_rows(detector(), [begin(row), *tries, *woke, *more])
    assert scores[-5] == pytest.approx(1.0), (
        "what was told of it before is no longer held against it"
    )


def awake(row, days, *rows):
    """``rows``, and between them twice a day one of a machine that is on and tries nothing new."""
    stays = [row((12 * n + 0.5) * HOUR, 1) for n in range(2 * days)]
    return sorted((*rows, *stays), key=lambda each: each["time"])


@pytest.mark.parametrize(("detector", "row"), ALIKE)
def test_a_week_halves_and_two_forget(detector, row):
    tries = [row(n * HOUR, 20 + n) for n in range(30)]
    at_once, week, two = (
        counted(detector, awake(row, d, *tries, row(d * DAY, 90))) for d in (2, 8, 17)
    )
    assert at_once > 27
    assert week == 1 + (at_once - 1) / 2
    assert two == 1


@pytest.mark.parametrize(("detector", "row"), ALIKE)
def test_what_was_tried_last_week_and_is_tried_again_counts_in_full(detector, row):
    tries = [row(n * HOUR, 20 + n) for n in range(30)]
    more = [row(8 * DAY + n * HOUR, 20 + n) for n in range(30)]
    scores = score_rows(detector(), [begin(row), *awake(row, 8, *tries), *more])
    assert np.isnan(scores[-30:]).all(), "no news"
    assert counted(detector, [*awake(row, 8, *tries), *more]) == counted(detector, tries)


@pytest.mark.parametrize(("detector", "row"), ALIKE)
def test_weeks_of_a_habit_do_not_hide_a_search_ten_times_as_wide(detector, row):
    habit = [begin(row), *(row(n * 2 * HOUR, 20 + n % 12) for n in range(12 * 21))]
    assert top(detector, habit) < LINE - 1
    search = [row(21 * DAY + n * 600 * SECOND, 60 + n) for n in range(120)]
    harness = Harness(detector())
    harness.feed(habit)
    assert np.nanmax(harness.feed(search)[0]) > LINE + 1


def test_what_a_machine_called_is_forgotten_when_it_is_off_for_a_day():
    tries = [calls(n * HOUR, 20 + n) for n in range(30)]
    assert counted(DarkAddresses, [*tries, calls(55 * HOUR, 90)]) == 1
    asked = [asks(n * HOUR, 20 + n) for n in range(30)]
    assert counted(DarkNeighbours, [*asked, asks(55 * HOUR, 90)]) > 27


@pytest.mark.parametrize(("detector", "row"), ALIKE)
def test_silence_means_little_where_the_watch_has_just_begun(detector, row):
    first, tries = row(0, 2, sender=3), [row(HOUR + n, 20 + n) for n in range(6)]
    assert 2 ** top(detector, [first, *tries]) - 1 == pytest.approx(3.0, abs=0.1)
    late = [each | {"time": each["time"] + DAY} for each in tries]
    assert 2 ** top(detector, [first, *late]) - 1 == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize(("detector", "row"), ALIKE)
def test_who_was_forgotten_begins_anew(detector, row):
    tries = [begin(row), *(row(n * HOUR, 20 + n) for n in range(30))]
    own = detector()
    own.forget_after_s = 2 * 3_600
    [score], [facts] = (each[-1:] for each in Harness(own).feed([*tries, row(40 * HOUR, 90)]))
    assert score == pytest.approx(1.0)
    assert facts.tolist() == [1.0, 0.0]
    assert np.isnan(score_rows(detector(), [*tries, row(40 * HOUR, 90)])[-1])


@pytest.mark.parametrize(("detector", "row"), ALIKE)
@given(tries=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 7_200)), max_size=60))
def test_no_more_is_counted_than_was_tried_and_than_time_allows(detector, row, tries):
    times = sorted(at for _, at in tries)
    rows = [
        row(at * SECOND, 20 + target)
        for (target, _), at in zip(tries, times, strict=True)
    ]  # fmt: skip
    _, facts = Harness(detector()).feed([begin(row), *rows])
    most = facts[1:, 0].max(initial=0.0)
    assert most <= len({target for target, _ in tries})
    if times:
        assert most <= 12 + (times[-1] - times[0]) / 15


def test_the_router_asks_for_others():
    rows = [begin(asks), *(asks(n * HOUR, 20 + n, from_gateway=1) for n in range(60))]
    assert np.isnan(score_rows(DarkNeighbours(), rows)[1:]).all()


def test_who_looks_whether_an_address_is_free_asks_for_nobody():
    probes = [begin(asks), *(asks(n * HOUR, 20 + n, sender_h=NOBODY) for n in range(60))]
    assert np.isnan(score_rows(DarkNeighbours(), probes)[1:]).all()
    # and says nothing of the address: only who announces it is heard
    assert counted(DarkNeighbours, [*probes[1:], asks(61 * HOUR, 25)]) == 1
    announced = asks(61 * HOUR, 25, sender=25)
    assert counted(DarkNeighbours, [*probes[1:], announced, asks(62 * HOUR, 25)]) == 0


def test_an_answer_is_heard():
    answer = asks(0, 1, sender=25, op=2)
    assert counted(DarkNeighbours, [answer, asks(HOUR, 25)]) == 0


@pytest.mark.parametrize(
    "values",
    [
        {"resp_pkts": 1, "conn_state": 4},
        {"part": 1},
        {"local_orig": 0},
        {"local_resp": 0, "resp_h": pack_address("198.51.100.7")},
        {"resp_h": pack_address("10.0.0.255")},
        {"resp_h": pack_address("224.0.0.251"), "proto": 17},
        {"proto": 17, "orig_p": 53, "resp_p": 47_808},
        {"proto": 17, "orig_p": 50_000, "resp_p": 41_641},
        {"proto": 1, "orig_p": 3},
        {"conn_state": 0},
    ],
    ids=[
        "refused", "later part", "from outside", "outside", "to all", "group", "answer", "mesh", "error", "middle",
    ],
)  # fmt: skip
def test_what_is_no_call_of_nobody_inside_is_nothing(values):
    assert counted(DarkAddresses, [calls(0, 20, **values)]) == 0


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"proto": 17, "orig_p": 50_000},
        {"proto": 1, "orig_p": 8},
        {"local_resp": 0, "resp_h": pack_address("10.99.0.7")},
    ],
    ids=["tcp", "udp", "ping", "private"],
)
def test_a_call_of_nobody_counts_one(values):
    assert counted(DarkAddresses, [calls(0, 20, **values)]) == 1


def test_who_answers_late_was_not_dark():
    slow = [calls(0, 20), calls(3 * SECOND, 20, part=1, resp_pkts=1, conn_state=2)]
    assert counted(DarkAddresses, slow[:1]) == 1
    assert counted(DarkAddresses, slow) == 0


@pytest.mark.parametrize("detector", [DarkAddresses, DarkNeighbours])
def test_both_languages_say_how_many_and_how_long(detector):
    words = detector().explain({"dark_addresses": 34.5, "dark_hours": 31.2, "score": 5.1})
    for title in (words.title_en, words.title_nl):
        assert "34" in title
        assert "31" in title
        assert "{src}" in title

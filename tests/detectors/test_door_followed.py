"""A machine that answers the Internet and never calls anywhere new does, right after somebody came."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.checks import score_rows
from dijkwacht_detectors.door_followed import DoorFollowed
from dijkwacht_detectors.harness import Harness, Sample
from dijkwacht_records.hints import NAMED, Named
from dijkwacht_records.tables import ConnState

SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
SERVER = 5
STRANGER = 0xC6336400
ELSEWHERE = 0xC6120000
UNNAMED, LOOKED_UP = NAMED.put(Named.NOBODY), NAMED.put(Named.BY_ORIG)


def visits(days: float, every: int = HOUR // 8, machine: int = SERVER) -> list[Sample]:
    """Somebody from outside is answered, again and again."""
    row = {
        "resp_h": machine,
        "resp_p": 443,
        "local_orig": 0,
        "local_resp": 1,
        "conn_state": int(ConnState.SF),
    }
    return [
        row | {"time": at, "orig_h": STRANGER + n % 50, "orig_bytes": 900, "resp_bytes": 900}
        for n, at in enumerate(range(0, int(days * DAY), every))
    ]  # fmt: skip


def call(at: float, where: int = ELSEWHERE, **values: object) -> Sample:
    """The server calls outside."""
    row = {"time": int(at), "orig_h": SERVER, "resp_h": where, "resp_p": 443, "local_orig": 1,
           "conn_state": int(ConnState.SF), "resp_pkts": 3, "orig_bytes": 90, "resp_bytes": 90}  # fmt: skip
    return row | values


def last(rows: list[Sample]) -> float:
    score = float(score_rows(DoorFollowed(), sorted(rows, key=lambda row: row["time"]))[-1])
    return 0.0 if math.isnan(score) else score


def test_it_is_the_rarer_the_longer_the_machine_was_seen_to_call_nobody():
    found = [last([*visits(days), call(days * DAY)]) for days in (2, 4, 8, 14)]
    assert found == sorted(found)
    assert found[0] > 1.0
    assert found[-1] > found[0] + 1.5


def test_nothing_is_said_of_a_machine_in_its_first_day():
    assert last([*visits(0.9), call(0.9 * DAY)]) == 0.0
    assert last([*visits(1.1), call(1.1 * DAY)]) > 0.0


def test_who_calls_back_those_who_come_in_does_so_for_a_living():
    """Partners that exchange orders: each comes in, and is called in return, at a port of their own."""

    def returned(day: float, partner: int) -> list[Sample]:
        at = int(day * DAY)
        came = {"time": at - 30 * SECOND, "orig_h": ELSEWHERE + 0x10000 * partner, "resp_h": SERVER, "resp_p": 443,
                "local_orig": 0, "local_resp": 1, "conn_state": int(ConnState.SF),
                "orig_bytes": 900, "resp_bytes": 900}  # fmt: skip
        return [came, call(at, ELSEWHERE + 0x10000 * partner, resp_p=5080, hints=UNNAMED)]

    days = [0.4, 0.7, 2.1, 5.3]
    found = [
        last(
            [*visits(day), *(row for n, at in enumerate(days[: k + 1]) for row in returned(at, n))]
        )
        for k, day in enumerate(days)
    ]
    strange = last([*visits(5.3), *returned(5.3, 9)])
    assert found[:2] == [0.0, 0.0], "its first day"
    assert found[3] < found[2] < strange - 2.0


def test_nobody_came_so_nothing_follows():
    quiet = visits(7)
    assert last([*quiet, call(7 * DAY + HOUR)]) == 0.0
    assert last([call(at) for at in range(0, 7 * DAY, DAY)]) == 0.0


def test_a_network_that_it_calls_anyway_is_nothing_new():
    rows = [*visits(7), call(DAY, ELSEWHERE + 3), call(7 * DAY, ELSEWHERE + 200)]
    assert last(rows) == 0.0


@pytest.mark.parametrize("every", [HOUR, 6 * HOUR, DAY])
def test_who_calls_somewhere_new_daily_is_let_be(every):
    rows = visits(7)
    rows += [call(at, ELSEWHERE + n * 256) for n, at in enumerate(range(0, 7 * DAY, every))]
    assert last([*rows, call(7 * DAY, 0xC6130000, hints=UNNAMED)]) < 2.5
    assert last([*visits(7), call(7 * DAY, 0xC6130000, hints=UNNAMED)]) > 4.5


def test_one_busy_hour_is_one_occasion():
    many = [call(DAY + n * SECOND, ELSEWHERE + n * 256) for n in range(200)]
    one = [call(DAY, ELSEWHERE)]
    end = call(7 * DAY, 0xC6130000)
    assert last([*visits(7), *many, end]) == pytest.approx(last([*visits(7), *one, end]), abs=0.01)


def test_what_it_shows_in_its_first_two_hours_of_calls_is_no_habit():
    end, before = (
        call(7 * DAY, 0xC6130000),
        [call(n * 5 * HOUR, ELSEWHERE + n * 256) for n in (1, 2, 3)],
    )
    assert last([*visits(7), *before[:2], end]) == last([*visits(7), end])
    assert last([*visits(7), *before, end]) < last([*visits(7), end])


def test_what_no_name_led_to_weighs_more_and_what_came_in_most():
    plain, unnamed, named = (
        last([*visits(7), call(7 * DAY, hints=h)]) for h in (0, UNNAMED, LOOKED_UP)
    )
    assert named < plain < unnamed
    back = last([*visits(7), call(7 * DAY, visits(7)[-1]["orig_h"])])
    assert back > plain + 2.0
    assert last([*visits(7), call(7 * DAY, resp_p=4444)]) > plain


@pytest.mark.parametrize(
    "values",
    [
        {"resp_p": 53},
        {"resp_p": 123, "proto": 17},
        {"resp_p": 51820, "proto": 17},
        {"part": 1},
        {"orig_p": 20},
        {"conn_state": int(ConnState.OTH)},
        {"resp_h": 9, "local_resp": 1},
        {"resp_h": 9},
    ],
)
def test_what_is_no_new_destination(values):
    assert last([*visits(7), call(7 * DAY, **values)]) == 0.0
    assert last([*visits(7), call(7 * DAY)]) > 0.0


def test_more_servers_than_it_has_places_for_leave_the_watched_ones_be():
    rows = visits(7)
    for machine in range(20, 220):
        rows += visits(7, DAY, machine)
    assert last([*rows, call(7 * DAY)]) == last([*visits(7), call(7 * DAY)])


def test_it_says_after_what_and_where_to():
    _, facts = Harness(DoorFollowed()).feed([*visits(3), call(3 * DAY, hints=UNNAMED)])
    told = dict(zip(DoorFollowed.facts, facts[-1], strict=True))
    assert told["days_watched"] == pytest.approx(3.0)
    assert told["unnamed"] == 1.0
    assert "{dst}" in DoorFollowed().explain(told).title_en
    assert "came in" not in DoorFollowed().explain(told).title_en
    assert "had come in" in DoorFollowed().explain(told | {"came_in": 1.0}).title_en


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9 * DAY), st.integers(0, 3), st.booleans()), max_size=60))
def test_a_score_is_finite_and_bounded(seen):
    rows = [
        call(at, ELSEWHERE + 256 * n)
        if out
        else visits(1)[0] | {"time": at, "orig_h": STRANGER + n}
        for at, n, out in sorted(seen)
    ]
    scores = score_rows(DoorFollowed(), rows)
    told = scores[~np.isnan(scores)]
    assert ((told > 0.0) & (told < 12.0)).all()

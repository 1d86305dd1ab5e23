"""The Internet at an open door: repeatable, the same with and without somebody who gets in, and with its pauses."""

from __future__ import annotations

import pytest

from dijkwacht_lab.traffic import WORKING_MORNING
from dijkwacht_lab.traffic.open_door import BreakIn, open_door
from dijkwacht_records import wire
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.tables import TABLE, TABLES

SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
FLOWS, AUTH = (TABLES.index(TABLE[name]) for name in ("flows", "auth"))
COLUMNS = {number: [c.name for c in TABLES[number].columns] for number in (FLOWS, AUTH)}
GETS_IN = BreakIn(WORKING_MORNING + 6 * HOUR, 90 * SECOND)


def dicts(rows, number):
    return [dict(zip(COLUMNS[number], row, strict=True)) for n, row in rows if n == number]


def made(seed, hours=8, how=None):
    week = open_door(seed, 5, WORKING_MORNING, hours * HOUR, rate=0.05, how=how)
    return week, list(week.rows)


def test_the_same_seed_gives_the_same_rows_that_fit_the_wire():
    _, rows = made(3, 2)
    assert rows == made(3, 2)[1]
    assert rows != made(4, 2)[1]
    cut = rows[:2_000]
    assert (
        list(
            wire.unpack_rows(wire.decode(wire.encode("s", "a", bytes(16), 1, WORKING_MORNING, cut)))
        )
        == cut
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_strangers_by_the_hundred_try_the_server_and_are_refused(seed):
    week, rows = made(seed, 24)
    inbound = [
        f for f in dicts(rows, FLOWS) if f["resp_h"] == week.server.address and not f["local_orig"]
    ]
    assert len({f["orig_h"] for f in inbound}) > 100
    assert len({f["resp_p"] for f in inbound}) > 10
    refused = [a for a in dicts(rows, AUTH) if a["resp_h"] == week.server.address and a["failed"]]
    assert len(refused) > 200
    assert not any(a["succeeded"] for a in dicts(rows, AUTH) if a["orig_h"][12] == 198)


def test_who_comes_by_is_the_same_with_somebody_who_gets_in():
    _, without = made(5)
    week, rows = made(5, how=GETS_IN)
    theirs = (week.intruder.source, week.intruder.fetched)

    def others(all_rows):
        flows = [
            (f["time"], f["orig_h"], f["resp_p"], f["orig_bytes"]) for f in dicts(all_rows, FLOWS)
            if f["orig_h"] not in theirs and f["resp_h"] not in theirs
        ]  # fmt: skip
        return sorted(flows)

    assert others(rows) == others(without)


def test_one_guess_in_a_dozen_or_more_within_a_day_is_right_and_the_server_calls_somewhere_new():
    week, rows = made(5, how=GETS_IN)
    mine = [a for a in dicts(rows, AUTH) if a["orig_h"] == week.intruder.source]
    (good,) = [a for a in mine if a["succeeded"]]
    assert abs(good["time"] - GETS_IN.at) <= SECOND
    assert sum(a["failed"] for a in mine if a["time"] < good["time"]) >= 10
    calls = [f for f in dicts(rows, FLOWS) if f["resp_h"] == week.intruder.fetched]
    assert {f["orig_h"] for f in calls} == {week.server.address}
    assert calls[0]["start"] == GETS_IN.at + GETS_IN.fetches_after


def test_a_week_has_quiet_hours_and_a_pause_of_more_than_a_day():
    door = open_door(6, 5, WORKING_MORNING, 7 * DAY).door
    begin, end = door.pause
    assert end - begin > 24 * HOUR
    assert WORKING_MORNING <= begin < end <= WORKING_MORNING + 7 * DAY
    assert door.comes(begin) == door.comes(end - 1) == 0.0
    assert {door.comes(WORKING_MORNING + n * HOUR) for n in range(24 * 7)} == {0.0, 0.1, 1.0}
    assert door.comes(WORKING_MORNING + 7 * DAY) == 0.0


def test_strangers_are_of_the_addresses_set_aside():
    week, rows = made(7, 2)
    inbound = [
        f["orig_h"]
        for f in dicts(rows, FLOWS)
        if f["resp_h"] == week.server.address and not f["local_orig"]
    ]
    assert all(
        source.startswith(V4_PREFIX + bytes((198,))) and source[13] in (18, 19)
        for source in inbound
    )

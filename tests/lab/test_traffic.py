"""The generated office: repeatable, in the order an agent works, within the contract."""

import random
from itertools import islice

import pytest

from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records import wire
from dijkwacht_records.tables import TABLE, TABLES, FlowState

MINUTE = 60_000_000
FLOWS = TABLE["flows"]
START, FLOW_ID, PART, STATE = (FLOWS.index(name) for name in ("start", "flow_id", "part", "state"))


def rows(seed=3, hosts=12, minutes=30, **rest):
    return list(office_rows(seed, hosts, WORKING_MORNING, minutes * MINUTE, **rest))


def test_same_seed_same_rows_and_other_seed_other_rows():
    assert rows() == rows()
    assert rows() != rows(seed=4)


def test_a_shorter_time_is_a_prefix():
    short = rows(minutes=7)
    assert rows()[: len(short)] == short


def test_generating_leaves_the_shared_dice_alone():
    random.seed(1)
    before = random.getstate()
    rows(minutes=1)
    assert random.getstate() == before


def test_rows_fit_the_wire():
    made = rows(minutes=5)
    batch = wire.encode("site", "agent", bytes(16), 1, WORKING_MORNING, made)
    assert list(wire.unpack_rows(wire.decode(batch))) == made


def test_every_table_is_there():
    told = {TABLES[number].name for number, _ in rows(minutes=120)}
    assert told == {table.name for table in TABLES} - {"floods"}


def test_parts_of_a_flow_come_in_order_and_end_once():
    parts: dict[int, list[tuple[int, int]]] = {}
    for number, row in rows(minutes=60):
        if number == 0:
            assert row[START] <= row[0]
            parts.setdefault(row[FLOW_ID], []).append((row[PART], row[STATE]))
    for flow in parts.values():
        assert [part for part, _ in flow] == list(range(len(flow)))
        assert all(state != FlowState.END for _, state in flow[:-1])


def test_rows_are_late_by_a_quiet_minute_at_most():
    newest = 0
    for _, row in rows(minutes=60):
        assert newest - row[0] <= MINUTE
        newest = max(newest, row[0])


def test_a_night_is_quieter_than_a_morning():
    night = WORKING_MORNING - 8 * 60 * MINUTE
    assert len(list(office_rows(3, 12, night, 30 * MINUTE))) * 2 < len(rows())


@pytest.mark.parametrize("hosts", [1, 2, 4, 8, 40, 200])
def test_any_size_of_office(hosts):
    assert len(list(islice(office_rows(1, hosts, WORKING_MORNING, 60 * MINUTE), 50))) == 50

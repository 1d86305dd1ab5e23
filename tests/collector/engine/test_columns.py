"""Columns hold what the plain reading of a batch holds, in its order, with honest event time."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.engine.columns import FUTURE_US, LATE_US, TICK_US, Arrival, join_columns
from dijkwacht_detectors.api import Text
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.tables import TABLES
from dijkwacht_records.wire import decode, encode, unpack_rows

EVERYTHING = {n: frozenset(c.name for c in t.columns) for n, t in enumerate(TABLES)}
ROWS = list(office_rows(3, 6, WORKING_MORNING, 600_000_000))


def arrive(rows, site=0, agent=0, time=1 << 60):
    return Arrival.of(decode(encode("s", "a", bytes(16), 1, 0, rows)), site, agent, time)


def value(column, i):
    if isinstance(column, Text):
        return column[i]
    if column.ndim == 2:
        return int(column[i, 0]).to_bytes(8, "big") + int(column[i, 1]).to_bytes(8, "big")
    return column[i].item()


@settings(max_examples=25)
@given(st.lists(st.integers(1, len(ROWS) - 1), max_size=6))
def test_columns_hold_the_rows(cuts):
    bounds = [0, *sorted(set(cuts)), len(ROWS)]
    arrivals = [arrive(ROWS[a:b]) for a, b in itertools.pairwise(bounds)]
    step = join_columns(arrivals, EVERYTHING, np.full(1, -(1 << 62)))
    plain = [item for a in arrivals for item in unpack_rows(a.batch)]
    assert step.rows == len(plain) == len(ROWS)
    found = {}
    for number, table in step.tables.items():
        for i, order in enumerate(table.order):
            found[int(order)] = (
                number,
                tuple(value(table.columns[c.name], i) for c in TABLES[number].columns),
            )
    assert [found[i] for i in range(len(plain))] == plain


def system(time):
    return 5, (time, "cpu_ratio", 0.5)


def times_of(step):
    return [int(t) for t in step.tables[5].time]


def test_event_time_never_falls_within_an_agent():
    clocks = np.full(2, -(1 << 62))
    one, two = arrive([system(5), system(3), system(9)]), arrive([system(1), system(2)], agent=1)
    step = join_columns([one, two, arrive([system(4)])], EVERYTHING, clocks)
    assert times_of(step) == [5, 5, 9, 1, 2, 9]
    assert list(clocks) == [9, 2]


def test_a_late_row_is_counted_and_a_future_one_not_believed():
    clocks = np.full(1, -(1 << 62))
    now = 10 * LATE_US
    rows = [system(now), system(now - LATE_US - 1), system(now + FUTURE_US + 1), system(now + 1)]
    step = join_columns([arrive(rows, time=now)], EVERYTHING, clocks)
    assert times_of(step) == [now, now, now, now + 1]
    assert (list(step.late), list(step.future)) == ([1], [1])


def test_ticks_name_the_row_that_passed_them():
    clocks = np.full(1, 0)
    rows = [system(1), system(TICK_US), system(TICK_US + 1), system(5 * TICK_US)]
    step = join_columns([arrive(rows)], EVERYTHING, clocks)
    assert step.ticks[:, (0, 2)].tolist() == [[1, TICK_US], [3, 5 * TICK_US]]

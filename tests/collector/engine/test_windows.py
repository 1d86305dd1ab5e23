"""The window pool against a plain list."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dijkwacht_collector.engine.columns import TableRows
from dijkwacht_collector.engine.windows import (
    MOST_ROWS,
    OWN_ROWS,
    SHARED_ROWS,
    WindowPool,
)
from dijkwacht_detectors.api import Text

SECOND = 1_000_000
MINUTE = 60 * SECOND


def table(agents, times, values, sites=None, order=None):
    texts = [f"row {v}".encode() for v in values]
    offsets = np.concatenate(([0], np.cumsum([len(t) for t in texts]))).astype(np.int64)
    return TableRows(
        {
            "value": np.array(values, np.int64),
            "text": Text(offsets, np.frombuffer(b"".join(texts), np.uint8)),
        },
        np.array(times, np.int64),
        np.array([0] * len(agents) if sites is None else sites, np.int32),
        np.array(agents, np.int32),
        np.arange(len(agents)) if order is None else np.array(order),
    )


def ticks(*lines):
    return np.array(lines, np.int64).reshape(-1, 3)


def ended(pool, *lines):
    """(agent, places) of each window that these ticks end."""
    told, at = [], 0
    windows, places = pool.end(ticks(*lines))
    for _, agent, _, rows in windows.tolist():
        told.append((agent, places[at : at + rows]))
        at += rows
    assert at == len(places)
    return told


@settings(max_examples=150)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 25)), min_size=1, max_size=30),
        min_size=1,
        max_size=12,
    )
)
def test_windows_hold_their_agents_rows_in_order(steps):
    pool = WindowPool(60)
    clocks = [0, 0, 0]
    waiting: list[list[tuple[int, int]]] = [[], [], []]
    value = 0
    for step in steps:
        agents, times, values, lines = [], [], [], []
        for agent, gap in step:
            clocks[agent] += gap * SECOND
            value += 1
            lines.append((len(agents), agent, clocks[agent]))
            agents.append(agent)
            times.append(clocks[agent])
            values.append(value)
            waiting[agent].append((clocks[agent] // MINUTE, value))
        pool.append(table(agents, times, values), ("value", "text"), 3, ticks(*lines))
        for agent, places in ended(pool, *lines):
            first = waiting[agent][0][0]
            expected = [v for w, v in waiting[agent] if w == first]
            waiting[agent] = [(w, v) for w, v in waiting[agent] if w != first]
            read = pool.read(places)
            assert list(read["value"]) == expected
            assert [read["text"][i] for i in range(len(expected))] == [f"row {v}" for v in expected]
        for agent in range(3):
            assert all(w == clocks[agent] // MINUTE for w, _ in waiting[agent])


def test_a_window_that_no_tick_ends_is_refused():
    with pytest.raises(ValueError, match="multiple of 10 s"):
        WindowPool(15)


def test_the_pool_does_not_grow_with_what_has_passed():
    pool = WindowPool(60)
    for minute in range(500):
        tick = (0, 0, minute * MINUTE)
        rows = table([0] * 20, [minute * MINUTE] * 20, list(range(20)))
        pool.append(rows, ("value", "text"), 1, ticks(tick))
        ended(pool, tick)
    assert pool.room < 500


def test_an_agent_whose_clock_stands_still_fills_its_window_once():
    pool = WindowPool(60)
    rows = MOST_ROWS // 4
    for step in range(20):
        filling = table([0] * rows + [1], [0] * rows + [0], [step] * (rows + 1))
        pool.append(filling, ("value",), 2, ticks())
    assert pool.room < 4 * MOST_ROWS
    assert pool.take_dropped() == {0: 16 * rows}
    assert pool.take_dropped() == {}
    turn = [(0, 0, MINUTE), (1, 1, MINUTE)]
    pool.append(table([0, 1], [MINUTE] * 2, [99, 99]), ("value",), 2, ticks(*turn))
    (_, first), (_, second) = ended(pool, *turn)
    assert list(pool.read(first)["value"]) == [0] * rows + [1] * rows + [2] * rows + [3] * rows
    assert list(pool.read(second)["value"]) == list(range(20))
    ((_, last),) = ended(pool, (0, 0, 2 * MINUTE))
    assert list(pool.read(last)["value"]) == [99]


def bulk(agent, rows, value=0, site=0, time=0):
    return table([agent] * rows, [time] * rows, [value] * rows, [site] * rows)


def test_invented_agents_fill_no_more_than_their_site_may_hold():
    pool = WindowPool(60)
    sent = 256 * MOST_ROWS
    for agent in range(256):
        pool.append(bulk(agent, MOST_ROWS), ("value",), 258, ticks())
    pool.append(bulk(256, OWN_ROWS), ("value",), 258, ticks())
    pool.append(bulk(257, MOST_ROWS, site=1), ("value",), 258, ticks())
    most = 257 * OWN_ROWS + SHARED_ROWS
    dropped = pool.take_dropped()
    assert sent + OWN_ROWS - most <= dropped.pop(0) < sent
    assert dropped == {}
    assert pool.room < 4 * (most + MOST_ROWS)
    sizes = [len(places) for _, places in ended(pool, *((0, a, MINUTE) for a in range(258)))]
    assert sizes[0] == sizes[257] == MOST_ROWS
    assert min(sizes) == sizes[256] == OWN_ROWS


def test_arrays_shrink_when_a_burst_has_passed():
    pool = WindowPool(60)
    for agent in range(4):
        pool.append(bulk(agent, MOST_ROWS), ("value",), 4, ticks())
    burst = pool.room
    turn = [(0, agent, MINUTE) for agent in range(4)]
    assert ended(pool, *turn)
    pool.append(bulk(0, 5, value=7, time=MINUTE), ("value",), 4, ticks())
    assert pool.room <= burst / 4
    ((_, places),) = ended(pool, (0, 0, 2 * MINUTE))
    assert list(pool.read(places)["value"]) == [7] * 5


Burst = tuple[int, int, int, bool]
"""Agent, seconds that its clock moves on first, rows, and whether only another table has them."""


def windows_of(bursts, cuts, *, site_of):
    """What every window held when it ended, and what was dropped, if the rows are cut so."""
    agents = np.repeat([b[0] for b in bursts], [b[2] for b in bursts])
    clocks = dict.fromkeys(range(4), 0)
    times, lines, at = [], [], 0
    for agent, seconds, rows, _ in bursts:
        clocks[agent] += seconds * SECOND
        lines.append((at, agent, clocks[agent]))
        times += [clocks[agent]] * rows
        at += rows
    elsewhere = np.repeat([b[3] for b in bursts], [b[2] for b in bursts])
    times, total = np.array(times), len(agents)
    values = np.arange(total)
    pool, told = WindowPool(60), []
    for begin, stop in itertools.pairwise([0, *sorted({c for c in cuts if 0 < c < total}), total]):
        here = np.arange(begin, stop)[~elsewhere[begin:stop]]
        step = [(o - begin, a, t) for o, a, t in lines if begin <= o < stop]
        if len(here):
            rows = TableRows(
                {"value": values[here]},
                times[here],
                np.array([site_of[a] for a in agents[here]], np.int32),
                agents[here].astype(np.int32),
                here - begin,
            )
            pool.append(rows, ("value",), 4, ticks(*step))
        told += [(a, list(pool.read(places)["value"])) for a, places in ended(pool, *step)]
        if begin % 2:
            pool = pickle.loads(pickle.dumps(pool))
            pool.shrink()
    told += [
        (a, list(pool.read(places)["value"]))
        for a, places in ended(pool, *((0, a, 1 << 50) for a in range(4)))
    ]
    return {a: [w for b, w in told if a == b] for a in range(4)}, pool.take_dropped()


@settings(max_examples=25, deadline=None)
@example(
    bursts=[
        *((agent, 0, 24_000, False) for agent in range(3)),
        *((0, 60, 1, True), (2, 0, 24_000, False), (1, 60, 300, False), (2, 60, 24_000, True)),
    ],
    cuts=[24_000, 72_001, 80_000],
)
@given(
    bursts=st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from((0, 0, 20, 60, 130)),
            st.sampled_from((1, 50, 300, 9_000, 24_000)),
            st.sampled_from((False, False, False, True)),
        ),
        min_size=1,
        max_size=14,
    ),
    cuts=st.lists(st.integers(1, 200_000), max_size=12),
)
def test_what_is_dropped_is_the_sites_own_doing_however_its_rows_are_cut(bursts, cuts):
    whole = windows_of(bursts, [], site_of=(0, 0, 0, 1))
    assert windows_of(bursts, cuts, site_of=(0, 0, 0, 1)) == whole
    alone, dropped = windows_of(
        [b for b in bursts if b[0] == 3] or bursts, cuts, site_of=(0, 0, 0, 1)
    )
    sizes = [list(map(len, windows)) for windows in (alone[3], whole[0][3])]
    assert sizes[0] == sizes[1]
    assert dropped.get(1) == whole[1].get(1)

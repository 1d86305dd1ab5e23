"""The window pool against a plain list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.engine.columns import TableRows
from dijkwacht_collector.engine.windows import MOST_ROWS, WindowPool
from dijkwacht_detectors.api import Text

SECOND = 1_000_000


def table(agents, times, values):
    texts = [f"row {v}".encode() for v in values]
    offsets = np.concatenate(([0], np.cumsum([len(t) for t in texts]))).astype(np.int64)
    return TableRows(
        {
            "value": np.array(values, np.int64),
            "text": Text(offsets, np.frombuffer(b"".join(texts), np.uint8)),
        },
        np.array(times, np.int64),
        np.zeros(len(agents), np.int32),
        np.array(agents, np.int32),
        np.arange(len(agents)),
    )


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
        agents, times, values = [], [], []
        for agent, gap in step:
            clocks[agent] += gap * SECOND
            value += 1
            agents.append(agent)
            times.append(clocks[agent])
            values.append(value)
            waiting[agent].append((clocks[agent] // (60 * SECOND), value))
        pool.append(table(agents, times, values), ("value", "text"), 3)
        for agent in range(3):
            now = clocks[agent] // (60 * SECOND)
            while pool.ends(agent, clocks[agent]):
                first = waiting[agent][0][0]
                expected = [v for w, v in waiting[agent] if w == first]
                waiting[agent] = [(w, v) for w, v in waiting[agent] if w != first]
                read = pool.read(pool.pop(agent))
                assert list(read["value"]) == expected
                assert [read["text"][i] for i in range(len(expected))] == [
                    f"row {v}" for v in expected
                ]
            assert all(w == now for w, _ in waiting[agent])


def test_a_window_that_no_tick_ends_is_refused():
    with pytest.raises(ValueError, match="multiple of 10 s"):
        WindowPool(15)


def test_the_pool_does_not_grow_with_what_has_passed():
    pool = WindowPool(60)
    for minute in range(500):
        pool.append(
            table([0] * 20, [minute * 60 * SECOND] * 20, list(range(20))), ("value", "text"), 1
        )
        while pool.ends(0, minute * 60 * SECOND):
            pool.pop(0)
    assert len(pool._next) < 500


def test_an_agent_whose_clock_stands_still_fills_its_window_once():
    pool = WindowPool(60)
    rows = MOST_ROWS // 4
    for step in range(20):
        pool.append(table([0] * rows + [1], [0] * rows + [0], [step] * (rows + 1)), ("value",), 2)
    assert len(pool._next) < 4 * MOST_ROWS
    pool.append(table([0, 1], [60 * SECOND] * 2, [99, 99]), ("value",), 2)
    first = pool.read(pool.pop(0))["value"]
    assert list(first) == [0] * rows + [1] * rows + [2] * rows + [3] * rows
    assert list(pool.read(pool.pop(1))["value"]) == list(range(20))
    assert list(pool.read(pool.pop(0))["value"]) == [99]

"""Policy looks at few rows of a step, and misses nothing by that: one row at a time says the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.policy import HOUR_US, Calibration, DetectorPolicy, Scored, said_of

TABLE = Calibration("scan", 1, "by hand", [0.0, 1.0, 2.0, 4.0], [100.0, 8.0, 0.5, 0.01])
SLOTS = np.arange(4, dtype=np.int32)

a_row = st.tuples(
    st.integers(0, 5).map(lambda half: half * HOUR_US // 2),
    st.integers(0, 1),
    st.integers(0, 1),
    st.booleans(),
    st.one_of(st.just(np.nan), st.sampled_from([-1.0, 0.5, 1.5, 2.5, 3.9, 5.0, 9.0])),
)
"""Time, site, which of its two entities, whether that is fresh, and the score."""


def scored(rows):
    time, site, entity, fresh, scores = map(np.array, zip(*rows, strict=True))
    n, sites = len(rows), site.astype(np.int32)
    return Scored(
        0, False, np.arange(n), np.zeros(n, np.int32), time, sites,
        (2 * sites + entity).astype(np.int32), fresh, scores, np.zeros((n, 0)), {}, said_of(scores),
    )  # fmt: skip


def policy():
    made = DetectorPolicy(TABLE, 1.0)
    made.make_room(2, len(SLOTS))
    return made


@given(st.lists(a_row, min_size=1, max_size=60))
def test_a_step_says_what_its_rows_say_one_by_one(rows):
    at_once, one_by_one = policy(), policy()
    found = [(r.row, r.rarity, r.alerts) for r in at_once.evidence(scored(rows))]
    expected = [
        (at, r.rarity, r.alerts)
        for at, row in enumerate(rows)
        for r in one_by_one.evidence(scored([row]))
    ]
    assert found == expected
    for site in (0, 1):
        slots = SLOTS[2 * site : 2 * site + 2]
        assert at_once.take(site, slots) == one_by_one.take(site, slots)


@given(st.lists(st.sampled_from([np.nan, -np.inf, 0.0, 1.0])))
def test_what_is_not_nan_is_said(scores):
    expected = [at for at, score in enumerate(scores) if not np.isnan(score)]
    assert said_of(np.array(scores, np.float64)).tolist() == expected

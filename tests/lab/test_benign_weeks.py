"""Weeks in offices that nothing was learned from: how often would an owner be called?

`benchmarks/office_weeks.py` does this at length, and says on what each call fell.
"""

import pytest

from dijkwacht.offline import replay_rows
from dijkwacht_lab.calibrate import FIRST_JUDGED
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_lab.traffic.habits import KEPT_OUT

WEEK = 7 * 24 * 3_600_000_000
OFFICES = {FIRST_JUDGED: 6, FIRST_JUDGED + 1: 12, FIRST_JUDGED + 2: 20, FIRST_JUDGED + 3: 30}
"""Seed → machines; none of these seeds is known to the calibration, and none of their habits."""


def called(habits):
    told = []
    for seed, hosts in OFFICES.items():
        rows = office_rows(seed, hosts, WORKING_MORNING, WEEK, rate=0.4, habits=habits)
        told += [i for i in replay_rows(rows, batch_rows=2_000) if i.severity_id >= 3]
    return [(i.kind, i.title_en) for i in told]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_kind_weeks_stay_within_one_call_a_site_week():
    told = called(())
    assert len(told) <= len(OFFICES), told


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_weeks_of_habits_never_seen_stay_within_one_call_a_site_week():
    told = called(KEPT_OUT)
    assert len(told) <= len(OFFICES), told


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_day_after_a_restart_is_as_quiet():
    rows = office_rows(FIRST_JUDGED + 4, 15, WORKING_MORNING, 2 * WEEK // 7, rate=1.0)
    told = replay_rows(rows, batch_rows=500, restart_after=frozenset(range(20, 2_000, 100)))
    assert [i.title_en for i in told if i.severity_id >= 3] == []

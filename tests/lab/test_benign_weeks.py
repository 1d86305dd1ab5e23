"""Four weeks in four offices that nothing was learned from: how often would an owner be called?"""

import pytest

from dijkwacht.offline import replay_rows
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows

WEEK = 7 * 24 * 3_600_000_000
OFFICES = {9_001: 6, 9_002: 12, 9_003: 20, 9_004: 30}
"""Seed → machines; none of these seeds is known to the calibration."""


@pytest.mark.long
@pytest.mark.timeout(900)
def test_ordinary_weeks_stay_within_one_call_a_site_week():
    called = []
    for seed, hosts in OFFICES.items():
        rows = office_rows(seed, hosts, WORKING_MORNING, WEEK, rate=0.5)
        called += [i for i in replay_rows(rows, batch_rows=2_000) if i.severity_id >= 3]
    assert len(called) <= len(OFFICES), [(i.kind, i.title_en) for i in called]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_day_after_a_restart_is_as_quiet():
    rows = office_rows(9_005, 15, WORKING_MORNING, 2 * WEEK // 7, rate=1.0)
    told = replay_rows(rows, batch_rows=500, restart_after=frozenset(range(20, 2_000, 100)))
    assert [i.title_en for i in told if i.severity_id >= 3] == []

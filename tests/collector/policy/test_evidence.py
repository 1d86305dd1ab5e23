"""What is rare, and no alert, is evidence: each time that an entity does something rarer in its hour."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.policy import WEAK, Calibration, DetectorPolicy, Policy, Scored
from dijkwacht_collector.policy.detector_policy import MOST_WEAK

HOUR = 3_600_000_000
TABLE = Calibration(
    "t", 1, "a test", [float(s) for s in range(20)], [100 / 4**s for s in range(20)]
)
FAINT, WEAKER, STRANGE = 3.0, 4.0, 8.0
"""100 hours a week, halved twice a score: 1.6, 0.4 and 0.0015 hours a week."""
SLOTS = np.arange(MOST_WEAK + 9, dtype=np.int32)


def policy(share: float = 0.1, *, longest_gap_h: int = 1) -> DetectorPolicy:
    made = DetectorPolicy(TABLE, share, longest_gap_h=longest_gap_h)
    made.make_room(2, len(SLOTS))
    return made


def scored(rows: list[tuple[int, int, float]]) -> Scored:
    """Rows are (time, slot, score), all of site 0."""
    n = len(rows)
    return Scored(
        detector=0,
        windowed=False,
        order=np.arange(n),
        agent=np.zeros(n, np.int32),
        time=np.array([r[0] for r in rows], np.int64),
        site=np.zeros(n, np.int32),
        slot=np.array([r[1] for r in rows], np.int32),
        fresh=np.zeros(n, np.bool_),
        scores=np.array([r[2] for r in rows], np.float64),
        facts=np.zeros((n, 0)),
        named={},
        said=np.flatnonzero([not np.isnan(r[2]) for r in rows]),
    )


def told(made: DetectorPolicy, rows: list[tuple[int, int, float]]) -> list[tuple[int, bool]]:
    """The place of each row that is rare, and whether it may alert."""
    return [(rare.row, rare.alerts) for rare in made.evidence(scored(rows))]


def test_what_chance_does_less_than_once_a_week_is_evidence_and_alerts_only_at_the_line():
    made = policy()
    assert made.rarity(0, FAINT) > WEAK > made.rarity(0, WEAKER) > 0.1 > made.rarity(0, STRANGE)
    rows = [(0, 0, FAINT), (1, 1, WEAKER), (2, 2, STRANGE), (3, 3, float("nan"))]
    assert told(made, rows) == [(1, False), (2, True)]
    assert [row.row for row in policy().judge(scored(rows))] == [2]


def test_an_entity_is_heard_again_when_it_does_something_rarer_or_in_another_hour():
    rows = [
        (0, 0, WEAKER), (1, 0, WEAKER), (2, 0, WEAKER + 1), (3, 0, WEAKER), (HOUR, 0, WEAKER),
        (HOUR + 1, 0, WEAKER), (HOUR + 2, 1, WEAKER),
    ]  # fmt: skip
    assert [row for row, _ in told(policy(), rows)] == [0, 2, 4, 6]


def test_in_shadow_nothing_is_evidence():
    assert told(policy(share=0.0), [(0, 0, WEAKER), (1, 0, STRANGE)]) == []


def test_a_habit_is_no_evidence():
    made = policy()
    rows = [(hour * HOUR, 0, STRANGE) for hour in (0, 5, 9, 14)]
    assert told(made, rows) == [(0, True), (1, True)]


def test_a_crowd_of_entities_cannot_bury_an_engine_and_hides_no_alert():
    made = policy(share=0.05)
    crowd = [(slot, slot, WEAKER) for slot in range(MOST_WEAK + 5)]
    found = told(made, [*crowd, (len(crowd), MOST_WEAK + 6, STRANGE)])
    assert len(found) == MOST_WEAK + 1
    assert found[-1] == (len(crowd), True)
    assert told(made, [(HOUR, 0, WEAKER + 1)]) == [(0, False)], "the next hour begins anew"


def test_where_several_agree_on_nothing_for_days_these_are_watched_all_the_same():
    rows = [(day * 24 * HOUR, 0, WEAKER) for day in range(15)]
    often, seldom = policy(), policy(longest_gap_h=24)
    told(often, rows)
    told(seldom, rows)
    # two weeks of which the site knows that they had a hour such as this each day, or only some of them
    assert seldom.rarity(0, WEAKER) < often.rarity(0, WEAKER)
    assert seldom.rarity(0, WEAKER) == pytest.approx((0.390625 + 14) / 3)


rows_of_a_site = st.lists(
    st.tuples(
        st.integers(0, 40 * HOUR), st.integers(0, 3), st.sampled_from([FAINT, WEAKER, 4.7, STRANGE])
    ),
    max_size=30,
).map(sorted)


@given(rows_of_a_site, st.integers(0, 30))
def test_neither_a_cut_nor_a_move_changes_what_is_evidence(rows, at):
    whole, first, second = policy(), policy(), policy()
    expected = [(r.row, r.rarity, r.alerts) for r in whole.evidence(scored(rows))]
    found = [(r.row, r.rarity, r.alerts) for r in first.evidence(scored(rows[:at]))]
    second.put(1, SLOTS, first.take(0, SLOTS))
    rest = scored(rows[at:])
    moved = rest._replace(site=np.ones(len(rest.site), np.int32))
    found += [(r.row + len(rows[:at]), r.rarity, r.alerts) for r in second.evidence(moved)]
    assert found == expected


@given(rows_of_a_site)
def test_evidence_changes_nothing_about_alerts(rows):
    """An alert is one whether what is no alert is asked for or not."""
    both = Policy([TABLE], [0.1])
    both.make_room(2)
    found = both.evidence([scored(rows)])
    assert [r.row for r in found if r.alerts] == [r.row for r in policy().judge(scored(rows))]
    assert all(r.rarity < WEAK for r in found)


def test_sites_that_come_later_start_as_the_first_did():
    grown, whole = (DetectorPolicy(TABLE, 0.1) for _ in range(2))
    whole.make_room(400)
    for sites in (1, 2, 90, 400):
        grown.make_room(sites)
    slots = np.zeros(0, np.int32)
    for site in range(400):
        assert grown.take(site, slots) == whole.take(site, slots)
    assert grown.threshold[:400].tolist() == whole.threshold[:400].tolist()

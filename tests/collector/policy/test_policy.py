"""Scores become rare or common by a shipped table, by the site's own hours, and by answers."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.policy import (
    Calibration,
    Calibrations,
    Policy,
    Scored,
    load_calibration,
    severity,
)
from dijkwacht_collector.policy.detector_policy import DetectorPolicy
from dijkwacht_collector.policy.policy import SAID_AN_HOUR, ContextPolicy
from dijkwacht_detectors.discover import shipped_detectors

HOUR = 3_600_000_000
TABLE = Calibration(
    "t", 1, "a test", [float(s) for s in range(20)], [100 / 4**s for s in range(20)]
)


def policy(share: float = 1.0) -> DetectorPolicy:
    made = DetectorPolicy(TABLE, share)
    made.make_room(2, 8)
    return made


def scored(rows: list[tuple[int, int, float]], detector: int = 0) -> Scored:
    """Rows are (time, slot, score), all of site 0."""
    n = len(rows)
    return Scored(
        detector=detector,
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


def judge(made: DetectorPolicy, rows: list[tuple[int, int, float]]) -> list[int]:
    """The places of the rows that may alert."""
    return [rare.row for rare in made.judge(scored(rows))]


def test_only_what_the_budget_allows_is_said():
    made = policy()
    line = made.threshold[0]
    assert made.rarity(0, line) <= 1.0 < made.rarity(0, line - 1.0)
    assert judge(made, [(0, 0, line - 0.5), (1, 1, line), (2, 2, float("nan"))]) == [1]


def test_the_same_entity_is_said_again_when_stranger_or_later():
    made = policy()
    line = made.threshold[0]
    rows = [(0, 0, line), (1, 0, line), (2, 0, line + 2), (3, 0, line + 2), (70_000_000, 0, line)]
    assert judge(made, rows) == [0, 2, 4]


def test_a_noisy_site_outweighs_the_shipped_table():
    made = policy()
    noisy = made.threshold[0]
    before = made.rarity(0, noisy)
    said = 0
    for hour in range(24 * 7):
        said += len(judge(made, [(hour * HOUR, hour % 8, noisy)]))
    assert made.rarity(0, noisy) > 50 * before
    assert made.threshold[0] > noisy
    assert said < 10, "after the first days the site's habit is normal"


def test_one_attack_does_not_make_a_site_deaf_to_the_next():
    made = policy()
    line = made.threshold[0]
    attack = line + 1.0
    assert made.rarity(0, attack) * 100 > 1.0, "not so extreme that it is never learned"
    for day in range(2):
        assert judge(made, [(day * 24 * HOUR, 0, attack)]) == [0]
    judge(made, [(72 * HOUR, 0, 0.0)])
    assert made.threshold[0] <= line


def test_an_extreme_score_is_not_learned_as_normal():
    made = policy()
    attack = 19.0
    for hour in range(100):
        judge(made, [(hour * HOUR, 0, attack)])
    assert made.history[0].sum() == 0
    assert judge(made, [(101 * HOUR, 1, attack)]) == [0], "and the next one is told"


def test_how_rare_a_score_was_does_not_depend_on_what_came_after_it():
    scores = [(0, 0, 6.0), (HOUR, 1, 6.0), (2 * HOUR, 2, 6.0)]
    at_once, one_by_one = policy(), policy()
    together = [rare.rarity for rare in at_once.judge(scored(scores))]
    single = [rare.rarity for row in scores for rare in one_by_one.judge(scored([row]))]
    assert together == single
    assert together[0] < 1.0


def test_a_quiet_site_may_be_told_more():
    made = policy()
    before = made.threshold[0]
    for hour in range(24 * 28):
        judge(made, [(hour * HOUR, 0, 0.0)])
    assert made.threshold[0] < before


def test_the_shares_of_those_that_interrupt_are_the_whole_budget():
    calibrations = Calibrations()
    shares = [*map(calibrations.share, shipped_detectors()), calibrations.fusion[1]]
    assert sum(shares) == pytest.approx(1.0)


def test_ones_own_have_their_share_on_top_and_none_without_a_table():
    with_table, without, *others = shipped_detectors()
    own = Calibrations({with_table.name: TABLE, without.name: None})
    assert own.table(with_table) is TABLE
    assert own.share(with_table) == pytest.approx(1 / 30), "whatever it declares"
    assert not own.table(without).known, "whatever is shipped under its name"
    assert own.in_shadow([with_table, without]) == [without.name]
    assert [own.share(d) for d in others] == [Calibrations().share(d) for d in others]


def test_without_a_table_or_a_share_nothing_is_ever_rare_enough():
    unknown = load_calibration("nobody")
    assert not unknown.known
    for calibration, share in ((unknown, 0.0), (TABLE, 0.0)):
        made = DetectorPolicy(calibration, share)
        made.make_room(1, 8)
        for hour in range(200):
            assert judge(made, [(hour * HOUR, slot, 1e6) for slot in range(3)]) == []
        made.set_budget(0, 100.0)
        assert made.threshold[0] == np.inf


def test_policy_judges_each_detector_by_its_own_line():
    both = Policy([TABLE, TABLE], [1.0, 0.001])
    both.make_room(1)
    loose, strict = (made.threshold[0] for made in both.detectors)
    assert loose < strict
    found = both.evidence([scored([(0, 0, loose)], 0), scored([(0, 0, loose)], 1)])
    rare = [row for row in found if row.alerts]
    assert [(row.scored.detector, row.row, row.budget) for row in rare] == [(0, 0, 1.0)]
    assert rare[0].rarity <= 1.0


@given(
    st.lists(st.tuples(st.integers(0, 50 * HOUR), st.floats(-5, 25)), max_size=80),
    st.integers(1, 20),
)
def test_cutting_changes_nothing(rows, size):
    ordered = [(t, 0, s) for t, s in sorted(rows)]
    whole, parts = policy(), policy()
    said = judge(whole, ordered)
    again = []
    for at in range(0, len(ordered), size):
        again += [at + i for i in judge(parts, ordered[at : at + size])]
    assert said == again
    assert whole.threshold[0] == parts.threshold[0]


def test_two_agents_an_hour_apart_are_one_site_with_one_history():
    made = policy()
    for hour in range(1, 40):
        judge(made, [(hour * HOUR, 0, 1.0), ((hour - 1) * HOUR, 1, 2.0)] * 50)
    assert made.history[0].sum() == 38


def test_what_an_entity_does_a_third_time_is_its_habit_and_nobody_elses():
    made = policy(share=0.1)
    line = made.threshold[0]
    strange = line + 2.0
    hours = [(hour * HOUR, 0, strange) for hour in (0, 5, 9, 14)]
    assert judge(made, hours) == [0, 1]
    assert judge(made, [(15 * HOUR, 0, strange + 0.9)]) == []
    assert judge(made, [(16 * HOUR, 1, strange)]) == [0], "another entity is as strange as ever"
    assert judge(made, [(17 * HOUR, 0, strange + 2.0)]) == [0], "far stranger than its habit"


@pytest.mark.parametrize(("days", "told"), [(30, []), (31, [0])])
def test_a_habit_fades_when_nothing_of_it_is_seen(days, told):
    made = policy(share=0.1)
    strange = made.threshold[0] + 2.0
    assert judge(made, [(hour * HOUR, 0, strange) for hour in (0, 5, 9)]) == [0, 1]
    assert judge(made, [((9 + days * 24) * HOUR, 0, strange)]) == told


def test_an_entity_that_is_new_again_has_no_habit():
    made = policy(share=0.1)
    strange = made.threshold[0] + 2.0
    judge(made, [(hour * HOUR, 0, strange) for hour in (0, 2, 4, 6)])
    again = scored([(9 * HOUR, 0, strange)])._replace(fresh=np.ones(1, np.bool_))
    assert [rare.row for rare in made.judge(again)] == [0]


def test_a_habit_moves_with_its_site_and_is_none_in_what_an_earlier_release_saved():
    made, slots = policy(share=0.1), np.arange(2, dtype=np.int32)
    strange = made.threshold[0] + 2.0
    judge(made, [(hour * HOUR, 0, strange) for hour in (0, 2, 4)])
    saved = made.take(0, slots)
    for lines, told in ((saved, []), (msgspec.structs.replace(saved, habits=None), [0])):
        other = policy(share=0.1)
        other.put(1, slots, lines)
        moved = scored([(8 * HOUR, 0, strange)])._replace(site=np.ones(1, np.int32))
        assert [rare.row for rare in other.judge(moved)] == told


def test_an_entity_that_is_new_again_where_its_site_moved_to_has_no_habit():
    made, slots = policy(share=0.1), np.arange(2, dtype=np.int32)
    strange = made.threshold[0] + 2.0
    judge(made, [(hour * HOUR, 0, strange) for hour in (0, 2, 4)])
    other = policy(share=0.1)
    other.put(0, slots, made.take(0, slots))
    again = scored([(8 * HOUR, 0, strange)])._replace(fresh=np.ones(1, np.bool_))
    assert [rare.row for rare in other.judge(again)] == [0]


def test_what_lasts_is_told_as_long_as_it_lasts_and_makes_nobody_deaf():
    made = policy(share=0.1)
    line = made.threshold[0]
    assert judge(made, [(hour * HOUR, 0, line + 2.0) for hour in range(9)]) == [*range(9)]
    assert made.threshold[0] == line
    assert judge(made, [(9 * HOUR, 1, line)]) == [0]


def test_who_wants_to_hear_of_a_habit_is_told_again():
    made = policy(share=0.1)
    strange = made.threshold[0] + 2.0
    assert judge(made, [(hour * HOUR, 0, strange) for hour in (0, 5, 9)]) == [0, 1]
    made.forget_habits(np.zeros(1, np.int32))
    assert judge(made, [(14 * HOUR, 0, strange)]) == [0]


def test_where_an_entity_is_the_site_one_machine_makes_no_habit_of_all():
    made = DetectorPolicy(TABLE, 0.1, habits=False)
    made.make_room(2, 8)
    line, extreme = made.threshold[0], 19.0
    assert judge(made, [(hour * HOUR, 0, extreme) for hour in (0, 5, 9, 14)]) == [0, 1, 2, 3]
    assert made.threshold[0] == line
    for hour in range(20, 40, 4):
        judge(made, [(hour * HOUR, 0, line + 0.5)])
    assert made.threshold[0] > line + 0.5, "the site learns as ever"


def test_what_never_interrupts_is_context_however_strange_and_however_often():
    made = ContextPolicy("weak_services")
    made.make_room(2, 1)
    rows = [(hour * HOUR, 0, score) for hour in range(400) for score in (0.0, -3.0, 1e9)]
    assert judge(made, rows) == list(range(len(rows))), "no habit, no line that moves"
    assert judge(made, [(400 * HOUR, 0, float("nan"))]) == []
    made.set_budget(0, 1e6)
    found = made.judge(scored([(401 * HOUR, 0, 1e9)]))
    assert [severity(row.rarity, row.budget) for row in found] == [2]
    assert made.speaks
    assert not made.share


def test_what_never_interrupts_cannot_bury_a_site_and_a_move_does_not_help_it():
    rows = [(5 * HOUR + n, 0, 1.0) for n in range(2 * SAID_AN_HOUR)]
    made, cut = ContextPolicy("weak_services"), ContextPolicy("weak_services")
    assert len(judge(made, rows)) == SAID_AN_HOUR
    assert len(judge(made, [(6 * HOUR, 0, 1.0)])) == 1
    told = len(judge(cut, rows[:100]))
    moved = ContextPolicy("weak_services")
    none = np.zeros(0, np.int32)
    moved.put(0, none, cut.take(0, none))
    assert told + len(judge(moved, rows[100:])) == SAID_AN_HOUR

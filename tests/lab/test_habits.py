"""Habits of real networks: drawn anew for each office, repeatable, within the contract, and divided."""

import random

import pytest

from dijkwacht_lab.traffic import WORKING_MORNING, habits, office_rows
from dijkwacht_lab.traffic.authors import ORDINARY, Authors
from dijkwacht_lab.traffic.cast import Cast
from dijkwacht_lab.traffic.devices import furnish
from dijkwacht_lab.traffic.dice import Dice
from dijkwacht_lab.traffic.habits import (
    A_MACHINE,
    CALIBRATED,
    FAMILIES,
    HABITS,
    KEPT_OUT,
    MOST_SHARE,
    unseen,
)
from dijkwacht_lab.traffic.habits.premises import Pace, Premises
from dijkwacht_lab.traffic.ledger import Ledger
from dijkwacht_records import wire
from dijkwacht_records.tables import DEFAULTS, TABLE

HOUR = 3_600_000_000
MINUTE = 60_000_000


def premises(name, seed, hosts=12):
    ledger = Ledger(random.Random(seed), WORKING_MORNING)
    furnish(ledger, hosts, 0.3, MINUTE)
    ledger.written.clear()
    here = Premises(ledger, Cast(ledger), Dice(f"{name} {seed}"), name, 0.3)
    HABITS[name](here)
    return here


def acted(name, seed, hosts=12, at=WORKING_MORNING + HOUR):
    """Rows that each act of the habit writes at one moment, with when they are due."""
    here = premises(name, seed, hosts)
    for habit in here.habits:
        habit.act(at)
    return here.ledger.written


@pytest.mark.parametrize("name", sorted(HABITS))
def test_a_habit_writes_rows_that_fit_the_wire_and_none_of_the_past(name):
    # Some do nothing at a given moment: nobody comes to the office of one PC.
    written = [entry for seed in (1, 2, 3) for entry in acted(name, seed)]
    assert written
    made = [(number, row + DEFAULTS[number][len(row) :]) for _, number, row in written[:3_000]]
    batch = wire.encode("site", "agent", bytes(16), 1, WORKING_MORNING, made)
    assert list(wire.unpack_rows(wire.decode(batch))) == made
    begun = WORKING_MORNING + HOUR
    assert all(begun <= row[0] <= due <= row[0] + MINUTE for due, _, row in written)


@pytest.mark.parametrize("name", sorted(HABITS))
def test_a_habit_finds_its_way_in_an_office_of_one(name):
    assert premises(name, 5, hosts=1).habits or name.startswith("upheavals")


def test_the_same_dice_give_the_same_rows_and_others_others():
    for name in sorted(HABITS)[::12]:
        assert acted(name, 4) == acted(name, 4)
        assert acted(name, 4) != acted(name, 6)


def test_what_is_not_known_is_drawn_over_wide_ranges():
    periods = [premises("monitoring.sweep", seed).habits[0].period_us for seed in range(40)]
    assert max(periods) > 5 * min(periods)


def test_dice_spread_over_the_logarithm_and_stay_within():
    dice = Dice("a test")
    drawn = [dice.count(1, 10_000) for _ in range(2_000)]
    assert min(drawn) >= 1
    assert max(drawn) <= 10_000
    assert 800 < sum(count < 100 for count in drawn) < 1_200
    assert dice.some([]) == []
    assert len(dice.some(["one"], 0, 0)) == 1


def test_an_office_takes_up_some_of_what_it_is_given_by_chance():
    taken = []
    for seed in range(40):
        ledger = Ledger(random.Random(seed), WORKING_MORNING)
        furnish(ledger, 6, 0.3, MINUTE)
        begun = habits.take_up(ledger, Cast(ledger), seed, CALIBRATED, 12, 0.3)
        taken.append({habit.of for habit in begun})
    assert all(names <= CALIBRATED for names in taken)
    many = [len(names) for names in taken]
    few, most = (round(12 * each) for each in A_MACHINE)
    assert few <= min(many) < max(many) <= most
    assert len(set.union(*taken)) > 0.7 * len(CALIBRATED)


def test_no_office_has_nearly_all_it_is_offered():
    ledger = Ledger(random.Random(1), WORKING_MORNING)
    furnish(ledger, 6, 0.3, MINUTE)
    offered = sorted(CALIBRATED)[:10]
    begun = habits.take_up(ledger, Cast(ledger), 1, offered, 60, 0.3)
    assert len({habit.of for habit in begun}) <= MOST_SHARE * len(offered)


def test_a_large_office_takes_up_what_its_addresses_allow():
    ledger = Ledger(random.Random(1), WORKING_MORNING)
    furnish(ledger, 200, 0.3, MINUTE)
    assert habits.take_up(ledger, Cast(ledger), 1, HABITS, 12, 0.3) == []


def test_what_was_written_unseen_is_kept_out_whole_and_all_else_calibrates():
    assert len(HABITS) >= 180
    assert set(HABITS) == CALIBRATED | KEPT_OUT
    assert not CALIBRATED & KEPT_OUT
    later = {family.__name__.rpartition(".")[2] for family in unseen.FAMILIES}
    assert len(later) == len(unseen.FAMILIES) >= 7
    for name, family in FAMILIES.items():
        assert set(family) <= (KEPT_OUT if name in later else CALIBRATED)
    assert len(FAMILIES) > len(later)


def test_sound_to_many_is_answered_by_nobody():
    here = premises("sound.radio", 1)
    here.ledger.written.clear()
    here.pours(WORKING_MORNING, here.pc(), here.bare(), 5004, Pace(MINUTE // 600, MINUTE), 200)
    flows = TABLE["flows"]
    up, down, packets = (flows.index(name) for name in ("orig_bytes", "resp_bytes", "resp_pkts"))
    parts = [row for _, number, row in here.ledger.written if number == 0]
    assert len(parts) == 5
    assert 600 * 200 <= sum(row[up] for row in parts) < 620 * 200
    assert not any(row[down] or row[packets] for row in parts)


def test_an_office_without_habits_is_the_office_it_was():
    def rows(**rest):
        return list(office_rows(3, 8, WORKING_MORNING, 10 * MINUTE, **rest))

    assert rows(habits=()) == rows()
    assert rows(habits=CALIBRATED) != rows()
    assert rows(habits=CALIBRATED) == rows(habits=set(CALIBRATED))


def test_rows_of_an_office_with_habits_come_in_the_order_of_its_agent():
    newest, made = 0, list(office_rows(2, 9, WORKING_MORNING, HOUR, 0.3, habits=HABITS))
    for _, row in made:
        assert newest - row[0] <= MINUTE
        newest = max(newest, row[0])
    shorter = list(office_rows(2, 9, WORKING_MORNING, HOUR // 3, 0.3, habits=HABITS))
    assert made[: len(shorter)] == shorter


def test_a_habit_nobody_knows_is_an_error():
    with pytest.raises(KeyError):
        list(office_rows(2, 9, WORKING_MORNING, HOUR, habits=["no.such"]))


def test_rows_are_traced_to_the_habit_that_wrote_them():
    authors = Authors()
    hosts = 24
    seed = next(s for s in range(99) if Dice(f"habits {s}").uniform(*A_MACHINE) > 1.1)
    flows = TABLE["flows"]
    orig, resp = flows.index("orig_h"), flows.index("resp_h")
    told = set()
    for number, row in office_rows(
        seed, hosts, WORKING_MORNING, HOUR, 0.3, habits=HABITS, authors=authors
    ):
        if number == 0:
            told.update(authors.of(row[orig], row[resp]))
    assert told <= {*HABITS, ORDINARY}
    assert ORDINARY in told
    assert len(told) > 10
    assert authors.of(b"nobody", b"nobody") == ()

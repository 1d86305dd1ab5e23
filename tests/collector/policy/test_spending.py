"""Each machine that made a detector interrupt halves what it has left for others, for a week."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.policy import Interruption, Spending, severity
from dijkwacht_collector.policy.spending import MOST_KEPT, WEEK_US

DAY = WEEK_US // 7
SITE = "bakery"


def test_every_other_one_halves_what_may_be_said():
    assert [severity(0.2, 1.0, spent) for spent in range(4)] == [3, 3, 3, 2]
    assert severity(1e-6, 1.0, 10) == 4


def spent(
    made: Spending, machine: str, time: int, outsider: str = "", detector: str = "scan"
) -> int:
    return made.others(SITE, detector, Interruption(machine, outsider, time))


def test_an_open_door_is_one_to_the_site_and_one_a_knock_to_itself():
    made = Spending()
    for n in range(4):
        made.note(SITE, "scan", Interruption("till", f"198.51.100.{n}", n))
    assert spent(made, "till", 9, "198.51.100.3") == 3, "those before it, and not itself"
    assert spent(made, "till", 9, "198.51.100.77") == 4
    assert spent(made, "desk", 9) == 1, "what happens elsewhere is not hushed by knocks"
    assert spent(made, "till", 9) == 0, "nor what the machine does itself"


def test_a_noisy_site_is_bounded_and_stays_hushed():
    made = Spending()
    for n in range(200):
        made.note(SITE, "scan", Interruption(f"10.0.0.{n}", "", n))
    assert spent(made, "desk", 300) == MOST_KEPT
    assert [one.last for one in made.of(SITE)["scan"]] == [*range(200 - MOST_KEPT, 200)]


MACHINES = st.sampled_from(["till", "desk", "camera"])
OUTSIDERS = st.sampled_from(["", "", "198.51.100.1", "198.51.100.2"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["asks", "interrupts", "attack", "normal", "moves"]),
        st.sampled_from(["scan", "beacon"]), MACHINES, OUTSIDERS, st.integers(0, 20 * DAY),
    ),
    max_size=40,
)  # fmt: skip


@given(STEPS)
def test_it_counts_what_a_plain_list_of_all_that_happened_counts(steps):
    made, happened = Spending(), []  # [detector, machine, outsider, time, attack]
    for what, detector, machine, outsider, time in steps:
        if what == "interrupts":
            made.note(SITE, detector, Interruption(machine, outsider, time))
            same = [one for one in happened if one[:3] == [detector, machine, outsider]]
            for one in same:  # one story, and nobody has said anything of the latest call
                one[4] = False
            latest = max([time, *(one[3] for one in same)])
            happened.append([detector, machine, outsider, latest, False])
        elif what in {"attack", "normal"}:
            made.answer(SITE, machine, time, attack=what == "attack")
            ends = {(d, o): max(t for e, m, p, t, _ in happened if (e, m, p) == (d, machine, o))
                      for d, m, o, _, _ in happened if m == machine}  # fmt: skip
            for one in happened:
                if one[1] == machine and ends[one[0], one[2]] <= time:
                    one[4] = what == "attack"
        elif what == "moves":
            kept, made = made.of(SITE), Spending()
            made.put(SITE, kept)
        else:
            week = [one for one in happened if one[0] == detector and one[3] >= time - WEEK_US]
            machines = {m for _, m, _, _, attack in week if not attack and m != machine}
            knocks = {o for _, m, o, _, attack in week if not attack and m == machine and o}
            expected = len(machines) + len(knocks - {outsider}) * bool(outsider)
            assert spent(made, machine, time, outsider, detector) == expected


def test_a_call_counts_for_seven_days_from_the_latest_on():
    made = Spending()
    for time in (2 * WEEK_US, 0):
        made.note(SITE, "scan", Interruption("till", "", time))
    assert spent(made, "desk", 3 * WEEK_US) == 1
    assert spent(made, "desk", 3 * WEEK_US + 1) == 0

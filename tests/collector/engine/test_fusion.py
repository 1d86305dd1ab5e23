"""What several families say of one machine adds up: the sum, whose it is, and what of it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.engine import fusion
from dijkwacht_collector.engine.fusion import MOST_MACHINES, MOST_PIECES, Fusion, FusionPart
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.incidents import Evidence, Finding, StepOrder
from dijkwacht_collector.policy import Calibration, DetectorPolicy, Policy
from dijkwacht_records.addresses import UNSPECIFIED, pack_address

HOUR = 3_600_000_000
TABLE = Calibration(
    "fusion", 1, "a test", [float(s) for s in range(40)], [4.0**-s for s in range(40)]
)
KINDS = ("c2", "dns", "exfil", "lateral")


def evidence(time: int, src: str, score: float = 1.0) -> Evidence:
    packed = pack_address(src) if src else UNSPECIFIED
    return Evidence(time, score, packed, 0, UNSPECIFIED, 0, {}, "", "d")


def finding(
    time: int = 0,
    kind: str = "c2",
    bits: float = 3.0,
    machine: str = "10.0.0.9",
    *,
    site: str = "bakery",
    budget: float = 0.05,
    door: str = "",
    row: int = 0,
) -> Finding:
    return Finding(
        StepOrder(row, 2, KINDS.index(kind), row), row, site, "till", kind, f"{kind}_detector", "T1071", machine,
        machine, 2.0**-bits, budget, evidence(time, machine), door=door,
    )  # fmt: skip


class Site:
    """Fusion, and the numbers of its sites."""

    def __init__(self, share: float = 0.05) -> None:
        self.numbering = Numbering()
        for name in ("bakery", "clinic"):
            self.numbering.site(name)
        self.fusion = Fusion(DetectorPolicy(TABLE, share, longest_gap_h=24))
        self.fusion.lines.make_room(2, 4)

    def sums(self, *findings: Finding) -> list[float]:
        scored, _ = self.fusion.sums(findings, self.numbering)
        return [round(float(score), 9) for score in scored.scores]

    def weigh(self, *findings: Finding) -> list[Finding]:
        return self.fusion.weigh(findings, self.numbering)

    def moved(self) -> Site:
        """Another engine with what this one knows of the bakery, by way of a checkpoint."""
        kept = msgspec.msgpack.encode(self.fusion.take("bakery", 0))
        other = Site()
        other.fusion.put("bakery", 0, msgspec.msgpack.decode(kept, type=FusionPart))
        return other


def test_one_family_alone_is_no_sum_however_often_it_speaks():
    assert Site().sums(*(finding(hour * HOUR, bits=9.0, row=hour) for hour in range(5))) == []


def test_the_most_of_each_family_in_a_day_adds_up():
    site = Site()
    assert site.sums(finding(0, "c2", 3.0), finding(1, "dns", 2.0, row=1)) == [5.0]
    assert site.sums(finding(2, "dns", 1.0)) == [], "it had said more in this hour"
    assert site.sums(finding(2 * HOUR, "dns", 1.0)) == [5.0], "the most counts, whenever it was"
    assert site.sums(finding(3 * HOUR, "exfil", 4.5)) == [9.5]
    assert site.sums(finding(24 * HOUR, "exfil", 1.0)) == [5.5], "a day later c2 and dns said least"


def test_no_family_counts_for_more_than_ten_bits():
    assert Site().sums(finding(0, "c2", 30.0), finding(1, "dns", 2.0, row=1)) == [12.0]


@pytest.mark.parametrize(
    "other",
    [
        finding(1, "dns", machine="10.0.0.8", row=1),
        finding(1, "dns", site="clinic", row=1),
        finding(1, "dns", bits=0.0, row=1),
        finding(1, "dns", budget=0.0, row=1),
        finding(1, "dns", door="knock", row=1),
        finding(1, "dns", machine="", row=1),
    ],
    ids=["another machine", "another site", "not rare", "never interrupts", "a knock", "nobody"],
)
def test_what_does_not_count(other):
    assert Site().sums(finding(), other) == []


def test_the_strongest_part_speaks_for_all():
    site = Site()
    weak, strong = finding(5, "c2", 2.0), finding(9, "dns", 4.0, row=3)
    [told] = site.weigh(weak, strong)
    assert (told.kind, told.detector, told.by) == ("dns", "dns_detector", "fusion")
    assert told.evidence == strong.evidence
    assert told.others == (weak.evidence,)
    assert told.at == 9
    assert told.rarity == pytest.approx(4.0**-6)
    assert told.rarity <= told.budget == 0.05
    assert told.order > strong.order, "what a row says by itself comes first"


def test_below_its_line_it_says_nothing():
    assert Site().weigh(finding(bits=0.6), finding(1, "dns", 0.7, row=1)) == []


def test_where_nobody_wants_it_it_says_nothing():
    site = Site()
    site.fusion = Fusion(Policy([], []).fusion)
    site.fusion.lines.make_room(2)
    assert site.weigh(finding(bits=9.0), finding(1, "dns", 9.0, row=1)) == []


def test_without_a_share_it_says_nothing():
    assert Site(share=0.0).weigh(finding(), finding(1, "dns", 9.0, row=1)) == []


def test_what_a_person_has_answered_is_another_matter_from_then_on():
    site = Site()
    site.weigh(finding(), finding(1, "dns", row=1))
    site.fusion.settle("bakery", ["10.0.0.9", "10.0.0.77"])
    assert site.sums(finding(2, "exfil", row=2)) == []
    assert site.sums(finding(3, "dns", row=3)) == [6.0]


@pytest.mark.parametrize("late_first", [False, True])
def test_an_agent_that_lags_counts_beside_one_that_does_not(late_first):
    late, live = finding(2 * HOUR, "c2", 3.0), finding(7 * HOUR, "dns", 2.0, row=1)
    site = Site()
    first, second = (late, live) if late_first else (live, late)
    assert site.weigh(first) == []
    [told] = site.weigh(second)
    assert (told.kind, told.at, told.evidence) == ("c2", 7 * HOUR, late.evidence)
    assert site.sums(finding(27 * HOUR, "exfil", 1.0)) == [3.0], "c2 is a day ago"
    assert site.sums(finding(2 * HOUR, "lateral", 5.0)) == [8.0], (
        "what is older than that counts for its own day"
    )


def test_what_is_remembered_of_a_machine_is_bounded():
    site = Site()
    for hour in range(24):
        for row, kind in enumerate(KINDS):
            site.sums(finding(hour * HOUR, kind, 9.0 - hour / 4, row=row))
    [machine] = site.fusion.take("bakery", 0).machines
    assert len(machine.pieces) == MOST_PIECES
    assert site.sums(finding(23 * HOUR, "c2", 9.5)) == [9.5 + 3 * 9.0], (
        "the most of each is among them"
    )


def test_what_came_behind_an_answer_that_is_heeded_late_counts():
    site = Site()
    site.weigh(finding(), finding(5 * HOUR, "dns", row=1))
    site.fusion.settle("bakery", ["10.0.0.9"], until=4 * HOUR)
    assert site.sums(finding(6 * HOUR, "exfil", row=2)) == [6.0], "c2 is settled, and dns was later"


def test_machines_without_end_make_it_forget_the_one_of_the_longest_ago():
    site = Site()
    for number in range(MOST_MACHINES + 1):
        site.sums(finding(number * HOUR // 100, machine=f"10.0.{number // 250}.{number % 250 + 1}"))
    time = MOST_MACHINES * HOUR // 100
    assert site.sums(finding(time, "dns", machine="10.0.0.1")) == []
    assert site.sums(finding(time, "dns", machine="10.0.1.1")) == [6.0]


@pytest.mark.parametrize("moves", [False, True])
def test_a_machine_that_takes_the_place_of_another_has_none_of_its_habits(moves):
    site = Site()
    for day in range(4):
        for k, kind in enumerate(("c2", "dns")):
            site.weigh(finding(day * 48 * HOUR + k, kind, row=k))
    assert site.weigh(finding(9 * 48 * HOUR), finding(9 * 48 * HOUR + 1, "dns", row=1)) == []
    known = len(site.fusion.take("bakery", 0).machines)
    for number in range(MOST_MACHINES - known):
        site.sums(finding(433 * HOUR, machine=f"10.1.{number // 250}.{number % 250 + 1}"))
    new = "10.2.0.1"
    site.weigh(finding(434 * HOUR, machine=new))
    site = site.moved() if moves else site
    assert len(site.weigh(finding(434 * HOUR + 1, "dns", machine=new, row=1)))


heard = st.lists(
    st.builds(
        finding,
        time=st.integers(0, 60).map(lambda hour: hour * HOUR),
        kind=st.sampled_from(KINDS),
        bits=st.sampled_from([0.0, 0.5, 1.0, 2.5, 4.0, 12.0]),
        machine=st.sampled_from(["10.0.0.9", "10.0.0.8"]),
        site=st.sampled_from(["bakery", "clinic"]),
    ),
    max_size=25,
)


def ordered(findings: Sequence[Finding]) -> list[Finding]:
    return [
        one._replace(order=StepOrder(row, 2, KINDS.index(one.kind), row))
        for row, one in enumerate(findings)
    ]


@given(heard.map(lambda them: sorted(them, key=lambda one: one.evidence.time)))
def test_the_sum_is_what_the_formula_says(findings):
    found = Site().sums(*(one for one in ordered(findings) if one.site == "bakery"))
    expected = []
    best: dict[tuple[str, str, int], float] = {}
    for one in findings:
        hour = one.evidence.time // HOUR
        if one.site != "bakery" or one.rarity >= 1:
            continue
        bits = min(10.0, {2.0**-b: b for b in (0.5, 1.0, 2.5, 4.0, 12.0)}[one.rarity])
        key = (one.machine, one.kind, hour)
        if best.get(key, 0.0) >= bits:
            continue
        best[key] = bits
        families: dict[str, float] = {}
        for (machine, kind, at), most in best.items():
            if machine == one.machine and hour - 24 < at <= hour:
                families[kind] = max(families.get(kind, 0.0), most)
        if len(families) > 1:
            expected.append(sum(families.values()))
    assert found == expected


def test_a_place_that_goes_to_another_machine_in_the_midst_of_a_step_is_not_yet_its():
    """What is said of the one before is judged by its own habits, and leaves none to who comes after."""
    rows = []
    for day in range(4):  # a habit of the machine's
        rows += [finding(day * 48 * HOUR + k, kind) for k, kind in enumerate(("c2", "dns"))]
    rows += [finding(9 * 48 * HOUR), finding(9 * 48 * HOUR + 1, "dns")]
    others = [f"10.1.{number // 250}.{number % 250 + 1}" for number in range(MOST_MACHINES - 1)]
    rows += [finding(433 * HOUR, machine=other) for other in others]
    rows += [
        finding(434 * HOUR + k, kind, machine="10.2.0.1") for k, kind in enumerate(("c2", "dns"))
    ]
    rows = ordered(rows)
    whole, cut = Site(), Site()
    assert whole.weigh(*rows) == [told for row in rows for told in cut.weigh(row)]


crowd = st.lists(
    st.builds(
        finding,
        time=st.sampled_from([0, HOUR]),
        kind=st.sampled_from(KINDS[:2]),
        machine=st.sampled_from([f"10.0.0.{n}" for n in range(1, 5)]),
    ),
    min_size=20,
    max_size=40,
)


@given(crowd, st.integers(0, 40))
def test_machines_without_end_are_told_alike_however_they_are_cut(findings, at):
    rows = ordered(findings)
    whole, cut = Site(), Site()
    with patch.object(fusion, "MOST_MACHINES", 2):
        expected = whole.weigh(*rows)
        found = cut.weigh(*rows[:at])
        found += [told for row in rows[at:] for told in cut.weigh(row)]
    assert found == expected


@given(heard, st.integers(0, 25))
def test_neither_a_cut_nor_a_checkpoint_nor_another_site_changes_what_is_said(findings, at):
    rows = ordered(findings)
    whole, cut = Site(), Site()
    expected = [one for one in whole.weigh(*rows) if one.site == "bakery"]
    mine = [one for one in rows if one.site == "bakery"]
    found = cut.weigh(*mine[:at])
    found += cut.moved().weigh(*mine[at:])
    assert found == expected

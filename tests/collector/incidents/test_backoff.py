"""What interrupted for one machine leaves less for the next, and as much for the same."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.incidents import (
    EventTime,
    Evidence,
    Finding,
    IncidentEvent,
    OpenIncidents,
    SiteIncidents,
    StepOrder,
    recall,
)
from dijkwacht_collector.incidents.alarms import SILENT_US
from dijkwacht_collector.incidents.open_incidents import IDLE_US
from dijkwacht_collector.journal import Answer, Entry, Verdict
from dijkwacht_collector.policy.spending import WEEK_US
from dijkwacht_detectors.api import Explanation
from dijkwacht_records.addresses import pack_address

WORDS = Explanation("", "", "", "")
SITE = "bakery"


class Site:
    """One site; everything happens in a step of its own, and it may be moved between two."""

    def __init__(self) -> None:
        self.incidents = OpenIncidents()
        self.last: dict[str, IncidentEvent] = {}
        self.position = 0

    def meets(self, subject: str, time: int, *, rarity: float = 0.2, machine: str = "",
              detector: str = "scan") -> int:  # fmt: skip
        """The severity of the incident of ``subject``, after a finding of a budget of 1."""
        self.position += 1
        evidence = Evidence(
            time, 1.0, pack_address(subject), 0, pack_address("10.0.0.99"), 22, detector=detector
        )
        finding = Finding(
            StepOrder(0, 2, 0, 0), self.position, SITE, "", detector, detector, "T1046",
            subject, machine or subject, rarity, 1.0, evidence,
        )  # fmt: skip
        self._hear(self.incidents.apply([finding], [], lambda *_: WORDS))
        return self.incidents.open[SITE, detector, subject].severity_id

    def passes(self, time: int) -> None:
        """Event time reaches ``time``."""
        moved = EventTime(StepOrder(0, 0, 0, time), self.position, SITE, "", time)
        self._hear(self.incidents.apply([], [moved], lambda *_: WORDS))

    def answer(self, verdict: Answer, subject: str) -> None:
        """A person answers the last incident of ``subject``."""
        told = [e.incident for e in self.last.values() if e.incident.subject == subject]
        if not told:
            return
        self.position += 1
        about = max(told, key=lambda i: i.ordinal)
        word = Verdict(about.uid, verdict, "Jan", msgspec.msgpack.encode(about))
        entry = Entry(self.position, "verdict", 0, about.end, SITE, b"")
        self._hear(self.incidents.answer(entry, word, lambda *_: WORDS))

    def move(self) -> None:
        """Go on elsewhere, from what a checkpoint holds."""
        saved = msgspec.msgpack.encode(self.incidents.take(SITE))
        self.incidents = OpenIncidents()
        self.incidents.put(SITE, msgspec.msgpack.decode(saved, type=SiteIncidents))

    def upgrade(self) -> None:
        """Go on with another release, from what the store of incidents says."""
        kept = recall(SITE, self.incidents.take(SITE), [*self.last.values()])
        self.incidents = OpenIncidents()
        self.incidents.put(SITE, kept)

    def _hear(self, events: list[IncidentEvent]) -> None:
        self.last |= {event.incident.uid: event for event in events}


def test_each_machine_halves_what_is_left_for_the_others_and_for_a_week():
    site = Site()
    assert [site.meets(f"10.0.0.{n}", n) for n in range(5)] == [3, 3, 3, 2, 2]
    assert site.meets("10.0.0.0", 9) == 3, "it has been counted, and pays once"
    assert site.meets("10.0.0.9", 10, detector="beacon") == 3, "another detector has its own"
    assert site.meets("10.0.0.10", WEEK_US + 2) == 3, "only one is left in a week"


def test_what_one_machine_does_again_costs_nothing_more():
    site = Site()
    for turn in range(4):
        assert site.meets("10.0.0.1", turn * SILENT_US) == 3
        site.passes(turn * SILENT_US + IDLE_US)
    assert len(site.last) == 4
    assert site.meets("10.0.0.2", 4 * SILENT_US, rarity=0.5) == 3
    assert site.meets("10.0.0.3", 4 * SILENT_US, rarity=0.26) == 2


def test_context_costs_nothing_until_it_interrupts():
    site = Site()
    assert site.meets("10.0.0.1", 0, rarity=2.0) == 2
    assert site.meets("10.0.0.2", 1, rarity=1.0) == 3
    assert site.meets("10.0.0.1", 2, rarity=0.5) == 3
    assert site.meets("10.0.0.3", 3, rarity=0.26) == 2


@pytest.mark.parametrize(
    ("verdicts", "left"),
    [(["attack"], 3), (["normal"], 2), (["attack", "undone"], 2), (["normal", "attack"], 3), ([], 2)],
)  # fmt: skip
@pytest.mark.parametrize("between", ["nothing", "move", "upgrade"])
def test_an_attack_was_worth_the_call(verdicts, left, between):
    site = Site()
    site.meets("10.0.0.1", 0)
    for verdict in verdicts:
        site.answer(verdict, "10.0.0.1")
    if between != "nothing":
        getattr(site, between)()
    assert site.meets("10.0.0.2", 1, rarity=0.6) == left


def test_outsiders_at_an_open_door_leave_the_rest_of_the_site_its_half():
    site = Site()
    knocks = [site.meets(f"198.51.100.{n}", n, machine="10.0.0.9") for n in range(5)]
    assert knocks == [3, 3, 3, 2, 2]
    site.upgrade()
    assert site.meets("10.0.0.9", 7) == 3
    assert site.meets("10.0.0.8", 8, rarity=0.5) == 3


def test_what_an_earlier_release_had_spent_is_spent():
    site = Site()
    kept = msgspec.to_builtins(SiteIncidents([], [], [], [], {"scan": [0, WEEK_US, WEEK_US]}))[:7]
    site.incidents.put(SITE, msgspec.convert(kept, SiteIncidents))
    assert site.meets("10.0.0.1", WEEK_US + 1, rarity=0.26) == 2
    assert site.meets("10.0.0.2", WEEK_US + 1, rarity=0.25) == 3


HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(
            st.just("meets"), st.integers(0, 4), st.sampled_from(["scan", "beacon"]),
            st.sampled_from([2.0, 0.6, 0.3, 0.15, 0.08, 0.01]), st.integers(0, 3),
        ),
        st.tuples(st.just("answer"), st.integers(0, 4), st.sampled_from(["attack", "undone"])),
        st.tuples(st.just("passes")),
    ),
    max_size=30,
)  # fmt: skip


@given(HAPPENINGS, st.sets(st.integers(0, 30)))
def test_severity_is_that_of_a_plain_list_of_calls_and_outlives_any_move(happenings, moves):
    site = Site()
    calls: dict[tuple[str, str], tuple[int, bool]] = {}  # (detector, machine) -> last call, counted
    alarms: dict[tuple[str, str], tuple[int, int, int]] = {}  # -> since, last, severity
    open_: dict[tuple[str, str], int] = {}
    time = 0
    for at, (what, *rest) in enumerate(happenings):
        if at in moves:
            site.move()
        if what == "passes":
            time += 2 * IDLE_US
            site.passes(time)
            open_ = {}
        elif what == "answer":
            machine = f"10.0.0.{rest[0]}"
            before = {uid: e.incident.status for uid, e in site.last.items()}
            site.answer(rest[1], machine)
            changed = [e for uid, e in site.last.items() if before[uid] != e.incident.status]
            for event in changed:
                open_.pop((event.incident.detector, machine), None)
                alarms.pop((event.incident.detector, machine), None)
                for key, (last, _) in calls.items():
                    if key[1] == machine and last <= event.incident.end:
                        calls[key] = last, rest[1] != "attack"
        else:
            number, detector, rarity, days = rest
            time += days * WEEK_US // 5
            machine = f"10.0.0.{number}"
            others = sum(
                counted and last >= time - WEEK_US
                for (by, who), (last, counted) in calls.items()
                if by == detector and who != machine
            )
            now = 2 if rarity > 0.5**others else 4 if 30 * rarity <= 0.5**others else 3
            known = open_.get((detector, machine), 0)
            since, last, gravest = alarms.get((detector, machine), (-(10**18), -(10**18), 0))
            if now >= 3 and time < last + SILENT_US and time < since + WEEK_US and now <= gravest:
                alarms[detector, machine] = since, time, gravest
                now = 2
            if now >= 3 and now > known:
                calls[detector, machine] = time, True
                alarms[detector, machine] = time, time, now
            open_[detector, machine] = max(now, known)
            got = site.meets(machine, time, rarity=rarity, detector=detector)
            assert got == open_[detector, machine]


HOUR = IDLE_US


@pytest.mark.parametrize("days", [0, 3])
def test_what_goes_on_is_one_call_in_the_next_release_too(days):
    site = Site()
    for turn in range(days * 12 + 1):
        at = turn * 2 * HOUR
        assert site.meets("10.0.0.1", at) == (2 if turn else 3)
        site.passes(at + HOUR)
    site.upgrade()
    assert site.meets("10.0.0.1", (days * 24 + 2) * HOUR) == 2


def test_an_answer_before_the_last_call_does_not_end_it_in_the_next_release():
    site = Site()
    assert site.meets("10.0.0.1", 0) == 3
    site.answer("attack", "10.0.0.1")
    site.passes(HOUR)
    assert site.meets("10.0.0.1", 2 * HOUR) == 3
    site.passes(3 * HOUR)
    site.upgrade()
    assert site.meets("10.0.0.1", 4 * HOUR) == 2

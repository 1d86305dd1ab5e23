"""What is called normal: of a class, a machine and its peer, and of nothing else; tried before it holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.incidents import (
    Ends,
    EventTime,
    Evidence,
    Exempted,
    Finding,
    Incident,
    IncidentEvent,
    OpenIncidents,
    SiteIncidents,
    StepOrder,
    StoryEvent,
    StorySeen,
    exempted_if_normal,
    recall,
    try_normal,
)
from dijkwacht_collector.incidents.exemptions import NORMAL_US, Exemptions
from dijkwacht_collector.incidents.finding import Door
from dijkwacht_collector.incidents.open_incidents import IDLE_US
from dijkwacht_collector.incidents.peers import MOST_ENDS, peer_of
from dijkwacht_collector.journal import Answer, Entry, Exemption, Verdict
from dijkwacht_detectors.api import Explanation
from dijkwacht_records.addresses import UNSPECIFIED, pack_address

SITE: Final = "bakery"
OVEN, TILL = "10.0.0.7", "10.0.0.8"
SHOP, BANK = "203.0.113.7", "203.0.113.8"


class Seen(NamedTuple):
    """A rare row: ``machine`` did it to ``peer``."""

    machine: str = OVEN
    peer: str = SHOP
    kind: str = "c2"
    time: int = 0

    def finding(self, position: int = 1, subject: str = "", door: Door = "") -> Finding:
        who, whom = (
            pack_address(self.machine),
            pack_address(self.peer) if self.peer else UNSPECIFIED,
        )
        return Finding(
            StepOrder(self.time, 2, 0, 0), position, SITE, "desk", self.kind, self.kind, "T1071",
            subject or self.machine, self.machine, 0.5, 1.0,
            Evidence(self.time, 1.0, who, 0, whom, 443, detector=self.kind), door=door,
        )  # fmt: skip


def explain(*_: object) -> Explanation:
    return Explanation("title", "titel", "desc", "besch")


class Site:
    """One whose engine is told a thing at a time."""

    def __init__(self, incidents: OpenIncidents | None = None) -> None:
        self.incidents = incidents or OpenIncidents()
        self.last: dict[str, Incident] = {}
        self.stories: dict[str, Any] = {}
        self.position = 0

    def meets(self, *seen: Seen, **how: Any) -> list[str]:
        """The uids of what was told of."""
        self.position += 1
        found = [one.finding(self.position, **how) for one in seen]
        return self._hear(self.incidents.apply(found, [], explain))

    def passes(self, time: int) -> None:
        moved = EventTime(StepOrder(0, 0, 0, time), self.position, SITE, "desk", time)
        self._hear(self.incidents.apply([], [moved], explain))

    def answer(self, verdict: Answer, uid: str, arrival: int = 1) -> None:
        self.position += 1
        about: object = self.last.get(uid)
        if about is None:
            about = StorySeen(
                self.stories[uid], tuple(i for i in self.last.values() if i.story == uid)
            )
        word = Verdict(uid, verdict, "Jan", msgspec.msgpack.encode(about))
        entry = Entry(self.position, "verdict", 0, arrival, SITE, b"")
        self._hear(self.incidents.answer(entry, word, explain))

    @property
    def exempted(self) -> list[Exempted]:
        return [row for row in self.incidents.exemptions.of(SITE) if row.until]

    def hides(self, *seen: Seen) -> list[bool]:
        return [self.incidents.exemptions.hides(one.finding()) for one in seen]

    def _hear(self, events: Iterable[IncidentEvent | StoryEvent]) -> list[str]:
        told = []
        for event in events:
            if isinstance(event, IncidentEvent):
                self.last[event.uid] = event.incident
                told.append(event.uid)
            else:
                self.stories[event.uid] = event.story
        return told


@pytest.mark.parametrize(
    ("kind", "machine", "who", "whom", "peer"),
    [
        ("c2", OVEN, OVEN, SHOP, SHOP),
        ("bruteforce", OVEN, SHOP, OVEN, SHOP),
        ("lateral", OVEN, OVEN, TILL, TILL),
        ("scan", OVEN, OVEN, TILL, ""),
        ("scan", OVEN, SHOP, OVEN, SHOP),
        ("dos", OVEN, SHOP, OVEN, ""),
        ("dos", OVEN, OVEN, SHOP, SHOP),
        ("dhcp", OVEN, OVEN, TILL, ""),
        ("c2", OVEN, OVEN, "", ""),
        ("host", "desk", "", "", ""),
        ("arp", "3c:52:82:00:00:01", OVEN, TILL, ""),
    ],
)
def test_the_peer_is_the_other_end_unless_it_is_one_of_many(
    kind: str, machine: str, who: str, whom: str, peer: str
) -> None:
    ends = [pack_address(one) if one else UNSPECIFIED for one in (who, whom)]
    assert peer_of(kind, machine, Evidence(0, 1.0, ends[0], 0, ends[1], 0)) == peer


def test_a_story_that_is_normal_exempts_each_peer_in_it_and_nothing_else() -> None:
    site = Site()
    site.meets(Seen(), Seen(peer=BANK), Seen(kind="scan", peer=TILL), Seen(kind="exfil"))
    [story] = site.stories
    site.answer("normal", story, arrival=5)
    assert {(row.kind, row.machine, row.peer, row.subject) for row in site.exempted} == {
        ("c2", OVEN, SHOP, ""), ("c2", OVEN, BANK, ""), ("exfil", OVEN, SHOP, ""), ("scan", OVEN, "", ""),
    }  # fmt: skip
    assert {(row.uid, row.by, row.since, row.until) for row in site.exempted} == {
        (story, "Jan", 5, NORMAL_US + 5)
    }
    assert not site.meets(Seen(), Seen(peer=BANK), Seen(kind="scan"), Seen(kind="exfil"))
    assert site.hides(
        Seen(peer="203.0.113.9"), Seen(kind="exfil", peer=BANK), Seen(machine=TILL),
        Seen(kind="dns"), Seen(time=NORMAL_US + 5),
    ) == [False] * 5  # fmt: skip
    assert sum(row.hidden for row in site.exempted) == 4
    site.answer("undone", story, arrival=6)
    assert site.exempted == []
    assert site.meets(Seen()), "all that it exempted is taken back"


def test_what_is_normal_without_a_peer_is_so_whoever_is_at_the_other_end() -> None:
    site = Site()
    uid, _ = site.meets(Seen(peer=""), Seen())
    site.answer("normal", uid)
    assert [(row.machine, row.peer) for row in site.exempted] == [(OVEN, "")], "that is all of it"
    assert site.hides(Seen(), Seen(peer=BANK), Seen(peer=""), Seen(machine=TILL)) == [
        True, True, True, False
    ]  # fmt: skip


def test_a_finding_that_is_normal_exempts_its_own_peers() -> None:
    site = Site()
    c2, _ = site.meets(Seen(), Seen(kind="exfil", peer=BANK))
    site.answer("normal", c2)
    assert site.hides(Seen(), Seen(kind="exfil", peer=BANK)) == [True, False]
    [story] = site.stories
    site.answer("attack", story, arrival=9)
    assert site.hides(Seen(), Seen(kind="exfil", peer=BANK)) == [False, False]


def test_the_story_takes_back_what_nobody_remembers() -> None:
    """Whoever takes it back may see none of its findings any more."""
    site = Site()
    site.meets(Seen(), Seen(kind="exfil", peer=BANK))
    [story] = site.stories
    site.answer("normal", story)
    site.incidents.ended.put(SITE, [])
    site.last.clear()
    site.answer("undone", story)
    assert site.exempted == []


def test_what_has_too_many_peers_or_is_a_door_is_normal_by_its_subject() -> None:
    site = Site()
    for number in range(MOST_ENDS):
        site.meets(Seen(peer=f"203.0.113.{number}"))
    [uid] = site.last
    assert len(site.incidents.open[SITE, "c2", OVEN].ends) == MOST_ENDS
    site.meets(Seen(peer="203.0.113.200"))
    site.meets(Seen())
    site.answer("normal", uid)
    [row] = site.exempted
    assert (row.kind, row.subject, row.machine, row.peer) == ("c2", OVEN, "", "")
    assert site.hides(Seen(peer="203.0.113.99"), Seen(kind="dns")) == [True, False]

    knock = Seen(kind="bruteforce", machine=OVEN)
    door = f"{OVEN}:22"
    [uid] = site.meets(knock, subject=door, door="knock")
    site.answer("normal", uid)
    assert site.exempted[-1].subject == door
    told = [
        site.incidents.exemptions.hides(knock.finding(subject=door, door="knock")),
        site.incidents.exemptions.hides(knock.finding(subject=f"{OVEN}:23", door="knock")),
        site.incidents.exemptions.hides(knock.finding(subject=SHOP, door="entered")),
    ]
    assert told == [True, False, False], "who gets in is told of, whoever knocks"


def test_who_answers_an_attack_is_told_of_it_whatever_wider_had_been_said() -> None:
    site = Site()
    [uid] = site.meets(Seen())
    site.passes(IDLE_US)
    for number, row in enumerate(
        (("c2", OVEN, "", ""), ("c2", "", OVEN, ""), ("c2", "", OVEN, SHOP))
    ):
        kind, subject, machine, peer = row
        entry = Entry(2 + number, "exemption", 0, 1, SITE, b"")
        site.incidents.exempt(entry, Exemption(kind, subject, 10**16, "Piet", machine, peer))
    assert site.hides(Seen(), Seen(peer=BANK)) == [True, True]
    assert [row.by for row in site.exempted] == ["Piet"] * 3
    site.position = 9
    site.answer("attack", uid)
    assert site.hides(Seen(), Seen(peer=BANK)) == [False, False]


def test_what_an_entry_takes_back_by_its_subject_is_over_in_answers_too() -> None:
    site = Site()
    [uid] = site.meets(Seen())
    site.answer("normal", uid)
    normal = IncidentEvent("update", site.last[uid], site.position)
    entry = Entry(site.position + 1, "exemption", 0, 1, SITE, b"")
    site.incidents.exempt(entry, Exemption("c2", OVEN, 0))
    assert site.hides(Seen()) == [False]
    kept = recall(SITE, site.incidents.take(SITE), [normal])
    assert [row for row in kept.exempted() if row.until] == [], "nor does the store bring it back"


addresses = st.sampled_from([SHOP, BANK, TILL])
seen = st.builds(
    Seen, st.sampled_from([OVEN, TILL]), addresses, st.sampled_from(["c2", "exfil", "scan"]),
    st.integers(0, 4).map(lambda hours: hours * IDLE_US // 2),
)  # fmt: skip


@given(before=st.lists(seen, min_size=1), after=st.lists(seen), data=st.data())
def test_it_hides_exactly_what_it_names(
    before: list[Seen], after: list[Seen], data: st.DataObject
) -> None:
    site = Site()
    for one in before:
        site.meets(one)
    uid = data.draw(st.sampled_from(sorted(site.last)))
    meant = site.incidents.open[SITE, site.last[uid].kind, site.last[uid].subject]
    site.answer("normal", uid, arrival=7)
    until = max(meant.end, 7) + NORMAL_US
    for one in (*after, *(one._replace(time=until) for one in after)):
        finding = one.finding()
        matches = one.kind == meant.kind and finding.ends in meant.ends and one.time < until
        told_by_covers = site.incidents.exemptions.covers(finding)
        counted = sum(row.hidden for row in site.exempted)
        assert told_by_covers == matches == site.incidents.exemptions.hides(finding)
        assert sum(row.hidden for row in site.exempted) == counted + matches


@given(st.data())
def test_in_whatever_order_it_is_learned_the_last_word_counts(data: st.DataObject) -> None:
    ends = [(Ends(OVEN, SHOP),), (Ends(OVEN, SHOP), Ends(OVEN, BANK)), (Ends(OVEN),), ()]
    words = data.draw(
        st.lists(
            st.tuples(st.integers(0, 3), st.sampled_from(["normal", "confirmed", "closed"])),
            max_size=6,
        )
    )
    site = Site()
    site.meets(Seen())
    [basis] = site.last.values()
    said = [
        msgspec.structs.replace(
            basis,
            uid=str(which),
            ends=ends[which],
            status=status,
            answered=position,
            answered_by="Jan",
        )
        for position, (which, status) in enumerate(words, 1)
    ]
    order = data.draw(st.permutations(range(len(said))))
    in_force = []
    for at in (range(len(said)), order):
        learned = Exemptions()
        for number in at:
            learned.heed(said[number], number + 1)
        in_force.append({row.named: row for row in learned.of(SITE) if row.until})
    assert in_force[0] == in_force[1]


def test_what_earlier_releases_said_stays_in_force_as_it_was_said() -> None:
    old = ["c2", OVEN, 10**16, 5, "Jan", "a", 3, 9]
    row = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=Exempted)
    assert (row.machine, row.peer, row.id) == ("", "", Exempted("c2", OVEN, 1).id)
    site = Site()
    for kept in (
        SiteIncidents([], [], [], [("c2", OVEN, 10**16)], {}),
        SiteIncidents([], [], [], [], {}, [row]),
    ):
        site.incidents.put(SITE, kept)
        assert site.hides(Seen(), Seen(peer=BANK), Seen(machine=TILL)) == [True, True, False]
    [uid] = site.meets(Seen(machine=TILL))
    before = msgspec.structs.replace(site.last[uid], ends=(), status="normal", answered=1)
    site.incidents.put(SITE, recall(SITE, SiteIncidents([], [], [], [], {}), [
        IncidentEvent("update", before, 1)
    ]))  # fmt: skip
    assert [row.named[:2] for row in site.exempted] == [("c2", TILL)]


def told_of(findings: Sequence[Seen], exempted: Iterable[Exempted]) -> tuple[Site, int]:
    """A site after these findings, with what is exempt from the first on, and how much that has hidden."""
    incidents = OpenIncidents()
    incidents.exemptions.put(SITE, exempted)
    site = Site(incidents)
    for one in sorted(findings, key=lambda one: one.time):
        site.passes(one.time)
        site.meets(one)
    site.passes(10 * IDLE_US)
    return site, sum(row.hidden for row in incidents.exemptions.of(SITE))


@given(findings=st.lists(seen, min_size=1, max_size=20), data=st.data())
def test_the_trial_says_what_a_replay_with_the_exemption_in_force_hides(
    findings: list[Seen], data: st.DataObject
) -> None:
    before, _ = told_of(findings, [])
    stored = list(before.last.values())
    meant = data.draw(st.lists(st.sampled_from(stored), min_size=1, unique_by=lambda one: one.uid))
    trial = try_normal(
        exempted_if_normal(meant, now=IDLE_US), stored, before.stories.values(), (0, IDLE_US)
    )
    after, hidden = told_of(findings, trial.exempted)

    def whole(incidents: Iterable[Incident]) -> set[tuple[str, str, int, int, int]]:
        return {(one.kind, one.subject, one.start, one.end, one.count) for one in incidents}

    silent = trial.silent
    hidden_uids = {one.uid for one in silent}
    touched = hidden_uids | {one.uid for one in trial.partly}
    assert len(touched) == len(silent) + len(trial.partly)
    assert {one.uid for one in meant} <= hidden_uids
    assert not whole(silent) & whole(after.last.values()), "nothing of these was told"
    others = [one for one in stored if one.uid not in touched]
    assert whole(others) <= whole(after.last.values()), "these were told as before"
    thinner = [one for one in after.last.values() if whole([one]) - whole(others)]
    assert {(one.kind, one.subject) for one in thinner} == {
        (one.kind, one.subject) for one in trial.partly
    }
    gone = sum(one.count for one in trial.partly) - sum(one.count for one in thinner)
    assert hidden == sum(one.count for one in silent) + gone
    calls = {call.finding for story in before.stories.values() for call in story.calls}
    assert trial.called == calls & hidden_uids
    told = trial.told()
    assert (told["findings"], told["called"]) == (len(silent), len(trial.called))


def test_findings_of_before_ends_were_named_are_tried_by_their_evidence() -> None:
    site = Site()
    first, second = site.meets(Seen(), Seen(machine=TILL, peer=BANK))
    old = [msgspec.structs.replace(one, ends=()) for one in site.last.values()]
    named = exempted_if_normal([site.last[first]], 1)
    assert [one.uid for one in try_normal(named, old, [], (0, 1)).silent] == [first]
    at_many = msgspec.structs.replace(old[0], evidences=old[0].evidences * 5)
    assert try_normal(named, [at_many], [], (0, 1)).silent == (), "there may have been others"
    assert second not in {one.uid for one in try_normal(named, old, [], (0, 1)).partly}


def test_a_source_that_an_earlier_release_was_told_is_normal_may_knock_at_any_door() -> None:
    """Knocks were incidents of their source; the log-in that comes of them is another matter."""
    exemptions, knock = Exemptions(), Seen(SHOP, OVEN, "scan")
    exemptions.exempt(SITE, Exempted("scan", SHOP, NORMAL_US))
    assert exemptions.hides(knock.finding(subject=f"{OVEN}:*", door="knock"))
    assert not exemptions.hides(knock.finding(subject=f"{SHOP} > {OVEN}", door="entered"))
    other = Seen(BANK, OVEN, "scan")
    assert not exemptions.hides(other.finding(subject=f"{OVEN}:*", door="knock"))

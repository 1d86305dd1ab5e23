"""One incident stays open per site, kind and subject; it is updated, closed, answered."""

from __future__ import annotations

import msgspec

from dijkwacht_collector.incidents import (
    EventTime,
    Evidence,
    Finding,
    Incident,
    IncidentEvent,
    OpenIncidents,
    SiteIncidents,
    StepOrder,
    fill,
    recall,
)
from dijkwacht_collector.incidents.ended import MOST_ENDED, OWN_STEPS
from dijkwacht_collector.incidents.exemptions import MOST_EXEMPTED, NORMAL_US
from dijkwacht_collector.incidents.incident import ABSENT_US
from dijkwacht_collector.incidents.open_incidents import IDLE_US, MOST_CONTEXT, MOST_OPEN
from dijkwacht_collector.journal import Entry, Exemption, Verdict
from dijkwacht_detectors.api import Explanation
from dijkwacht_records.addresses import pack_address

WORDS = Explanation("{src} scans {dst}:{port}", "{src} tast {dst} af", "what now", "wat nu")
asked: list[str] = []


def explain(_detector, evidence, subject):
    asked.append(subject)
    return fill(WORDS, evidence, subject)


def finding(
    time=0, src="10.0.0.9", dst="10.0.0.1", score=1.0, severity=3, rarity=None, row=0, agent="till"
):
    """``severity`` is had by a rarity that a budget of 1 lets pass, if nothing is spent."""
    evidence = Evidence(
        time, score, pack_address(src), 0, pack_address(dst), 22, {"score": score}, "", "scan"
    )
    if rarity is None:
        rarity = {2: 2.0, 3: 0.1, 4: 0.01}[severity]
    order = StepOrder(row, 2, 0, row)
    return Finding(
        order, row, "bakery", agent, "scan", "scan", "T1046", src, src, rarity, 1.0, evidence
    )


def apply(open_, *changes, explain=explain):
    findings = [change for change in changes if isinstance(change, Finding)]
    times = [change for change in changes if isinstance(change, EventTime)]
    return of_incidents(open_.apply(findings, times, explain))


def answered(open_, entry, verdict):
    return of_incidents(open_.answer(entry, verdict, explain))


def of_incidents(events):
    """Their steps alone; those of stories are tested elsewhere."""
    return [event for event in events if isinstance(event, IncidentEvent)]


def passed(time, row=0, agent="till"):
    return EventTime(StepOrder(row, 0, 0, time), row, "bakery", agent, time)


def test_one_incident_a_subject_whatever_happens():
    incidents = OpenIncidents()
    told = [e for i in range(100) for e in apply(incidents, finding(i, dst=f"10.0.1.{i}", score=i))]
    assert [e.activity for e in told] == ["create"] + ["update"] * 6
    assert [e.incident.revision for e in told] == list(range(7))
    (incident,) = incidents.open.values()
    assert incident.count == 100
    assert [e.score for e in incident.evidences] == [99, 98, 97, 96, 95]
    assert incident.start == 0
    assert incident.end == 99


def test_the_words_name_who_and_whom():
    (event,) = apply(OpenIncidents(), finding())
    assert event.incident.title_en == "10.0.0.9 scans 10.0.0.1:22"
    assert event.incident.title_nl == "10.0.0.9 tast 10.0.0.1 af"


def test_quiet_closes_and_a_return_is_another_incident():
    incidents = OpenIncidents()
    (first,) = apply(incidents, finding(0))
    assert apply(incidents, passed(IDLE_US - 1)) == []
    (closed,) = apply(incidents, passed(IDLE_US))
    assert (closed.activity, closed.incident.status) == ("close", "closed")
    assert closed.incident.revision == 1
    (second,) = apply(incidents, finding(0))
    assert second.incident.ordinal == 1
    assert second.incident.uid != first.incident.uid


def test_what_was_found_late_is_over_by_its_own_time():
    incidents = OpenIncidents()
    apply(incidents, finding(3 * IDLE_US))
    assert apply(incidents, passed(3 * IDLE_US)) == []
    apply(incidents, finding(IDLE_US, src="10.0.0.10"))
    (closed,) = apply(incidents, passed(3 * IDLE_US))
    assert (closed.activity, closed.incident.subject) == ("close", "10.0.0.10")


def test_what_is_quiet_is_for_those_to_say_who_contributed():
    incidents = OpenIncidents()
    apply(incidents, finding(0), finding(1, src="10.0.0.8", agent="door"))
    apply(incidents, finding(2, src="10.0.0.8", row=1))
    assert apply(incidents, passed(IDLE_US * 30, agent="third")) == []
    (closed,) = apply(incidents, passed(IDLE_US * 30, agent="door"))
    assert (closed.incident.subject, closed.incident.agents) == ("10.0.0.8", ("door", "till"))
    (closed,) = apply(incidents, passed(IDLE_US))
    assert (closed.incident.subject, closed.incident.agents) == ("10.0.0.9", ("till",))


def test_any_clock_closes_what_names_no_agent():
    """What was kept before agents were named, and what comes of no agent's row in particular."""
    incidents = OpenIncidents()
    (event,) = apply(incidents, finding(0, agent=""))
    body = msgspec.to_builtins(event.incident)
    assert body.pop("agents") == ()
    kept = incidents.take("bakery")
    before = msgspec.convert(body, Incident)
    assert before == event.incident
    incidents = OpenIncidents()
    incidents.put("bakery", msgspec.structs.replace(kept, open=[before]))
    assert apply(incidents, passed(IDLE_US - 1, agent="door")) == []
    assert [e.activity for e in apply(incidents, passed(IDLE_US, agent="door"))] == ["close"]


def test_the_last_agents_to_contribute_are_remembered():
    incidents = OpenIncidents()
    for number in (*range(20), 7):
        apply(incidents, finding(number, agent=f"a{number}"))
    (incident,) = incidents.open.values()
    assert incident.agents == (*(f"a{n}" for n in range(4, 20) if n != 7), "a7")
    assert apply(incidents, passed(IDLE_US * 2, agent="a3")) == []
    assert apply(incidents, passed(IDLE_US * 2, agent="a4"))


def said(verdict, incident, position=2, arrival=1, by="Jan", seen=None, site="bakery"):
    """What a person says of an incident as they saw it, as the entry and what it holds."""
    about = msgspec.msgpack.encode(seen or incident)
    payload = Verdict(incident.uid, verdict, by, about)
    draft = payload.draft(site, arrival)
    return Entry(position, "verdict", 0, arrival, site, draft.payload), payload


def test_normal_closes_and_keeps_silent_for_thirty_days_of_the_same_and_nothing_else():
    incidents = OpenIncidents()
    (event,) = apply(incidents, finding(0))
    (closed,) = answered(incidents, *said("normal", event.incident, arrival=9))
    assert (closed.activity, closed.incident.status) == ("close", "normal")
    assert (closed.incident.answered_by, closed.incident.answered) == ("Jan", 9)
    assert apply(incidents, finding(NORMAL_US + 8)) == []
    assert apply(incidents, finding(5, src="10.0.0.8"))
    assert apply(incidents, finding(NORMAL_US + 9))
    (row,) = incidents.exemptions.of("bakery")
    assert (row.until, row.since, row.by, row.hidden) == (NORMAL_US + 9, 9, "Jan", 1)
    assert row.uid == event.incident.uid
    unknown = msgspec.structs.replace(event.incident, uid="other")
    for seen in (event.incident, msgspec.structs.replace(unknown, site="clinic")):
        assert answered(incidents, *said("normal", unknown, seen=seen)) == []


def test_an_attack_is_confirmed_and_told_again_when_it_comes_back():
    incidents = OpenIncidents()
    (event,) = apply(incidents, finding(0))
    (closed,) = answered(incidents, *said("attack", event.incident))
    assert (closed.activity, closed.incident.status) == ("close", "confirmed")
    assert apply(incidents, finding(1))


DAY_US = 24 * IDLE_US


def test_a_day_later_it_is_answered_changed_and_taken_back():
    incidents = OpenIncidents()
    (event,) = apply(incidents, finding(0))
    (closed,) = apply(incidents, passed(IDLE_US))
    told = [event, closed]
    words = (
        ("normal", True), ("attack", False), ("normal", True), ("undone", False), ("attack", False),
    )  # fmt: skip
    for number, (verdict, hides) in enumerate(words, 2):
        # Whoever answers saw it as it was at first, open: what was said since is not theirs to know.
        word = said(verdict, event.incident, number, number * DAY_US, by=f"Jan {number}")
        told += answered(incidents, *word)
        again = said(verdict, event.incident, number, number * DAY_US + 1, "Piet")
        assert answered(incidents, *again) == [], "it has been said"
        kept = incidents.take("bakery")
        incidents = OpenIncidents()
        incidents.put("bakery", msgspec.convert(msgspec.to_builtins(kept), type(kept)))
        time = number * DAY_US + NORMAL_US - 1
        assert incidents.exemptions.hides(finding(time)) == hides
    assert [e.incident.revision for e in told] == list(range(7))
    statuses = [e.incident.status for e in told]
    assert statuses == ["new", "closed", "normal", "confirmed", "normal", "closed", "confirmed"]
    assert [e.incident.answered_by for e in told[2:]] == [f"Jan {n}" for n in range(2, 7)]
    assert {e.incident.end for e in told} == {0}


def test_what_nobody_remembers_is_answered_as_it_was_seen():
    incidents = OpenIncidents()
    (event,) = apply(incidents, finding(0))
    (closed,) = apply(incidents, passed(IDLE_US))
    for number in range(MOST_ENDED):
        apply(incidents, finding(IDLE_US * 2, src=f"10.1.0.{number}"))
    apply(incidents, passed(IDLE_US * 3))
    assert len(incidents.take("bakery").ended) == MOST_ENDED
    other = OpenIncidents()
    (late,) = answered(other, *said("normal", closed.incident))
    assert late.incident == msgspec.structs.replace(
        closed.incident, status="normal", revision=OWN_STEPS + 3, answered_by="Jan", answered=1
    )
    (late,) = answered(incidents, *said("normal", event.incident))
    assert late.incident.revision > 1, "it was closed since, and nobody remembers that step"
    assert answered(incidents, *said("undone", closed.incident, 9))[0].incident.revision == (
        late.incident.revision + 1
    )


def test_nothing_is_to_be_taken_back_of_what_was_never_answered():
    incidents = OpenIncidents()
    (event,) = apply(incidents, finding(0))
    assert answered(incidents, *said("undone", event.incident)) == []
    apply(incidents, passed(IDLE_US))
    assert answered(incidents, *said("undone", event.incident)) == []
    assert incidents.exemptions.of("bakery") == []


def test_what_was_said_last_of_a_class_and_subject_counts():
    incidents = OpenIncidents()
    (first,) = apply(incidents, finding(0))
    apply(incidents, passed(IDLE_US))
    (second,) = apply(incidents, finding(2 * IDLE_US))
    answered(incidents, *said("normal", second.incident, 2))
    answered(incidents, *said("attack", first.incident, 3))
    assert not incidents.exemptions.hides(finding(2 * IDLE_US))
    incidents.exempt(an_entry(4), Exemption("scan", "10.0.0.9", 10**16))
    answered(incidents, *said("normal", first.incident, 5))
    assert incidents.exemptions.hides(finding(10**16 - 1)), "it had been exempt for longer"
    incidents.exempt(an_entry(6), Exemption("scan", "10.0.0.9", 0))
    assert not incidents.exemptions.hides(finding(0))


def test_exemptions_are_bounded_and_end():
    incidents = OpenIncidents()
    for number in range(MOST_EXEMPTED + 5):
        incidents.exempt(
            an_entry(number + 1), Exemption("scan", f"10.0.0.{number}", 10**16 + number)
        )
    subjects = {row.subject for row in incidents.exemptions.of("bakery")}
    assert len(subjects) == MOST_EXEMPTED
    assert "10.0.0.4" not in subjects, "what ends first goes first"
    incidents.exempt(an_entry(9999, 10**16 + NORMAL_US + 9), Exemption("scan", "10.9.9.9", 2**60))
    left = {row.subject for row in incidents.exemptions.of("bakery")}
    assert subjects - left == {f"10.0.0.{number}" for number in range(5, 9)}


def an_entry(position, arrival=0):
    return Entry(position, "exemption", 0, arrival, "bakery", b"")


def test_what_a_store_says_is_put_together_with_what_was_said_since():
    incidents = OpenIncidents()
    (event,) = apply(incidents, finding(0))
    normal = answered(incidents, *said("normal", event.incident, 2))
    before = OpenIncidents()
    before.exempt(an_entry(3), Exemption("scan", "10.0.0.9", 0))
    kept = recall("bakery", before.take("bakery"), normal)
    assert [row.until for row in kept.exempted()] == [0], "taken back since, and stays so"
    kept = recall("bakery", OpenIncidents().take("bakery"), normal)
    assert kept.exempted() == incidents.exemptions.of("bakery")
    undone = answered(incidents, *said("undone", event.incident, 4))
    again = recall("bakery", kept, undone)
    assert {row.until for row in again.exempted()} == {0}
    assert again.ended == incidents.take("bakery").ended


def test_exemptions_of_an_earlier_release_are_in_force():
    incidents = OpenIncidents()
    kept = SiteIncidents([], [], [], [("scan", "10.0.0.9", 50)], {})
    incidents.put("bakery", kept)
    assert apply(incidents, finding(49)) == []
    assert incidents.take("bakery").exempt_until == kept.exempt_until
    assert apply(incidents, finding(50))


def test_one_site_cannot_fill_the_ledger():
    incidents = OpenIncidents()
    for i in range(MOST_OPEN + 50):
        apply(incidents, finding(i, src=f"10.1.{i // 250}.{i % 250}", rarity=0.0))
    assert len(incidents.open) == MOST_CONTEXT, "three call, and the rest is part of one story"
    assert incidents.shed == {"bakery": MOST_OPEN + 50 - MOST_CONTEXT}


def test_noise_that_calls_nobody_leaves_room_for_what_does():
    incidents = OpenIncidents()
    for i in range(MOST_OPEN + 50):
        apply(incidents, finding(i, src=f"10.1.{i // 250}.{i % 250}", severity=2))
    assert len(incidents.open) == MOST_CONTEXT
    assert incidents.shed == {"bakery": MOST_OPEN + 50 - MOST_CONTEXT}
    (event,) = apply(incidents, finding(300, src="10.0.0.66", severity=4))
    assert event.incident.severity_id == 4


def test_subjects_that_are_made_up_leave_little_behind(monkeypatch):
    monkeypatch.setattr("dijkwacht_collector.incidents.open_incidents.MOST_SUBJECTS", 50)
    incidents = OpenIncidents()
    uids = set()
    for at in range(500):
        for src in ("192.168.0.1", f"10.0.{at // 250}.{at % 250}"):
            (event,) = apply(incidents, finding(0, src=src))
            uids.add(event.incident.uid)
        apply(incidents, passed(IDLE_US))
    assert len(uids) == 1000
    assert len(incidents.ordinals["bakery"]) == 50


def test_a_name_is_only_text():
    words = Explanation("asks for {name}", "vraagt {name}", "{name}", "{name}")
    hostile = "{src} {0} %s \x1b[2J\r\n<script>"
    evidence = Evidence(0, 1.0, bytes(16), 0, bytes(16), 0, {}, hostile)
    filled = fill(words, evidence, "a")
    assert filled.title_en == "asks for {src} {0} %s \N{REPLACEMENT CHARACTER}[2J" + (
        "\N{REPLACEMENT CHARACTER}" * 2 + "<script>"
    )


def test_the_technique_is_that_of_the_words_and_else_the_detectors():
    def named(_detector, evidence, subject):
        words = Explanation("a", "b", "c", "d", "T1569.002" if evidence.score > 5 else "")
        return fill(words, evidence, subject)

    incidents = OpenIncidents()
    (event,) = apply(incidents, finding(0, score=1.0), explain=named)
    assert event.incident.technique == "T1046"
    apply(incidents, finding(1, score=9.0, rarity=0.01), explain=named)
    assert [i.technique for i in incidents.current(named)] == ["T1569.002"]
    (event,) = apply(OpenIncidents(), finding(0, score=9.0), explain=named)
    assert event.incident.technique == "T1569.002"


def test_words_are_asked_for_only_when_something_is_reported():
    incidents = OpenIncidents()
    asked.clear()
    reported = [e for i in range(100) for e in apply(incidents, finding(i, score=i))]
    assert len(asked) == len(reported) == 7
    incidents.exempt(an_entry(1), Exemption("scan", "10.0.0.8", 10**9))
    assert apply(incidents, finding(0, src="10.0.0.8")) == []
    assert len(asked) == 7


def test_words_follow_the_rarest_evidence_even_if_it_was_not_reported_itself():
    incidents = OpenIncidents()
    apply(incidents, finding(0), finding(1))
    assert apply(incidents, finding(2, dst="10.0.0.2", rarity=0.09)) == []
    assert apply(incidents, finding(3, dst="10.0.0.3", rarity=0.5))[0].incident.title_en.endswith(
        "scans 10.0.0.2:22"
    )
    apply(incidents, finding(4, dst="10.0.0.4", rarity=0.08))
    (current,) = incidents.current(explain)
    assert current.title_en.endswith("scans 10.0.0.4:22")
    (closed,) = apply(incidents, passed(IDLE_US + 4))
    assert closed.incident.title_en == current.title_en


def test_a_detector_without_words_opens_nothing_and_keeps_the_words_it_had():
    incidents = OpenIncidents()
    assert apply(incidents, finding(), explain=lambda *_: None) == []
    assert incidents.open == {}
    (opened,) = apply(incidents, finding())
    (updated,) = apply(incidents, finding(1), explain=lambda *_: None)
    assert updated.incident.title_en == opened.incident.title_en


def test_what_happens_in_one_step_is_taken_in_the_order_of_its_rows():
    incidents = OpenIncidents()
    apply(incidents, finding(0))
    late = finding(2 * IDLE_US, row=9)
    events = apply(incidents, late, passed(2 * IDLE_US, row=9))
    assert [e.activity for e in events] == ["close", "create"], "time moves before its row counts"
    early = finding(2 * IDLE_US + 1, row=1)
    events = apply(incidents, early, passed(9 * IDLE_US, row=2))
    assert [e.activity for e in events] == ["update", "close"]


def test_an_agent_that_never_comes_back_leaves_nothing_open_for_ever():
    incidents = OpenIncidents()
    apply(incidents, finding(0, agent="till"))
    assert apply(incidents, passed(ABSENT_US - 1, agent="door")) == []
    assert [e.activity for e in apply(incidents, passed(ABSENT_US, agent="door"))] == ["close"]

"""One incident stays open per site, kind and subject; it is updated, closed, answered."""

from __future__ import annotations

from dijkwacht_collector.incidents.incident import Evidence
from dijkwacht_collector.incidents.open_incidents import (
    MOST_OPEN,
    NORMAL_US,
    QUIET_US,
    WEEK_US,
    Candidate,
    Ledger,
)
from dijkwacht_detectors.api import Explanation
from dijkwacht_records.addresses import pack_address

WORDS = Explanation("{src} scans {dst}:{port}", "{src} tast {dst} af", "what now", "wat nu")


def candidate(time=0, src="10.0.0.9", dst="10.0.0.1", score=1.0, severity=3, rarity=0.01):
    evidence = Evidence(time, score, pack_address(src), 0, pack_address(dst), 22, {"score": score})
    return Candidate("bakery", "scan", "scan", "T1046", src, severity, rarity, evidence, WORDS)


def test_one_incident_a_subject_whatever_happens():
    ledger = Ledger()
    told = [e for i in range(100) for e in ledger.fold(candidate(i, dst=f"10.0.1.{i}", score=i), i)]
    assert [e.activity for e in told] == ["create"] + ["update"] * 6
    assert [e.incident.revision for e in told] == list(range(7))
    (incident,) = ledger.open.values()
    assert incident.count == 100
    assert [e.score for e in incident.evidences] == [99, 98, 97, 96, 95]
    assert incident.start == 0
    assert incident.end == 99


def test_the_words_name_who_and_whom():
    (event,) = Ledger().fold(candidate(), 1)
    assert event.incident.title_en == "10.0.0.9 scans 10.0.0.1:22"
    assert event.incident.title_nl == "10.0.0.9 tast 10.0.0.1 af"


def test_quiet_closes_and_a_return_is_another_incident():
    ledger = Ledger()
    (first,) = ledger.fold(candidate(0), 1)
    assert ledger.close_quiet("bakery", QUIET_US - 1, 2) == []
    (closed,) = ledger.close_quiet("bakery", QUIET_US, 3)
    assert (closed.activity, closed.incident.status) == ("close", "closed")
    assert closed.incident.revision == 1
    (second,) = ledger.fold(candidate(0), 4)
    assert second.incident.ordinal == 1
    assert second.incident.uid != first.incident.uid


def test_normal_closes_and_keeps_silent_for_thirty_days():
    ledger = Ledger()
    (event,) = ledger.fold(candidate(0), 1)
    answered = ledger.answer(event.incident.uid, normal=True, position=2)
    assert answered is not None
    assert answered[1][0].incident.status == "normal"
    assert ledger.fold(candidate(NORMAL_US - 1), 3) == []
    assert ledger.fold(candidate(NORMAL_US), 4)
    assert ledger.answer("no such", normal=True, position=5) is None


def test_an_attack_is_confirmed_and_told_again_when_it_comes_back():
    ledger = Ledger()
    (event,) = ledger.fold(candidate(0), 1)
    answered = ledger.answer(event.incident.uid, normal=False, position=2)
    assert answered is not None
    (closed,) = answered[1]
    assert (closed.activity, closed.incident.status) == ("close", "confirmed")
    assert ledger.fold(candidate(1), 3)


def test_a_week_of_incidents_is_counted_and_forgotten():
    ledger = Ledger()
    for i in range(3):
        ledger.fold(candidate(i, src=f"10.0.0.{i}"), i)
    ledger.fold(candidate(3, src="10.0.0.77", severity=2), 3)
    assert ledger.spent("bakery", "scan", 10) == 3
    assert ledger.spent("bakery", "scan", WEEK_US + 2) == 1


def test_one_site_cannot_fill_the_ledger():
    ledger = Ledger()
    for i in range(MOST_OPEN + 50):
        ledger.fold(candidate(i, src=f"10.1.{i // 250}.{i % 250}"), i)
    assert len(ledger.open) == MOST_OPEN
    assert ledger.shed == {"bakery": 50}


def test_subjects_that_are_made_up_leave_little_behind(monkeypatch):
    monkeypatch.setattr("dijkwacht_collector.incidents.open_incidents.MOST_SUBJECTS", 50)
    ledger = Ledger()
    uids = set()
    for at in range(500):
        for src in ("192.168.0.1", f"10.0.{at // 250}.{at % 250}"):
            (event,) = ledger.fold(candidate(0, src=src), at)
            uids.add(event.incident.uid)
        ledger.close_quiet("bakery", QUIET_US, at)
    assert len(uids) == 1000
    assert len(ledger.ordinals["bakery"]) == 50


def test_a_name_is_only_text():
    words = Explanation("asks for {name}", "vraagt {name}", "{name}", "{name}")
    hostile = "{src} {0} %s \x1b[2J\r\n<script>"
    evidence = Evidence(0, 1.0, bytes(16), 0, bytes(16), 0, {}, hostile)
    told = Candidate("bakery", "dns", "dns", "T1071.004", "a", 3, 0.1, evidence, words)
    (event,) = Ledger().fold(told, 1)
    assert event.incident.title_en == "asks for {src} {0} %s \N{REPLACEMENT CHARACTER}[2J" + (
        "\N{REPLACEMENT CHARACTER}" * 2 + "<script>"
    )

"""Rows by detector: who caught what, alone or not, who was wrong, and what was promised."""

import math
from dataclasses import replace

import msgspec
import pytest

from dijkwacht_collector.engine import DetectorSet
from dijkwacht_collector.incidents import Call, Evidence, Incident
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.by_detector import (
    Entrant,
    by_detector,
    detector_table,
    entrants_of,
    heard_in,
    promise_in_all,
    scores_of,
    to_leave_out,
    why_missed,
)
from dijkwacht_lab.labels import Labelled
from dijkwacht_lab.scoreboard import WEEK_S, Outcome, judge
from dijkwacht_records.addresses import UNSPECIFIED, pack_address

SCAN = Entrant("scan", "scan", 0.5, 4.0, own=False)
FLOOD = Entrant("flood", "dos", 0.25, 6.0, own=False)
MINE = Entrant("mine", "scan", 0.0, math.inf, own=True)
ALL = [SCAN, FLOOD, MINE]


def incident(detector="scan", kind="scan", severity=3, helped=(), uid="u1"):
    source = pack_address("10.0.0.1")
    seen = [Evidence(0, 9.0, source, 0, UNSPECIFIED, 0, {}, "", name) for name in helped]
    first = Evidence(0, 9.0, source, 0, UNSPECIFIED, 0, {}, "", detector)
    return Incident(
        uid=uid, site="s", kind=kind, detector=detector, technique="T1046", subject="10.0.0.1",
        ordinal=0, severity_id=severity, confidence=60, rarity=0.1, start=0, end=0, count=1,
        title_en="", title_nl="", desc_en="", desc_nl="", evidences=(first, *seen),
    )  # fmt: skip


def call(detector, finding):
    return Call(0, detector, "scan", finding)


@pytest.fixture
def attack(tmp_path):
    def judged(file, *incidents, kind="scan.vertical", **outcome):
        listed = Labelled(kind, file, tmp_path / file, "all: src 10.0.0.1", "", 100)
        return judge(listed, Outcome(incidents, rows=100, **outcome))

    return judged


@pytest.fixture
def benign(tmp_path):
    def judged(file, *incidents, weeks=1.0, **outcome):
        listed = Labelled("benign.app", file, tmp_path / file, "all benign", "", 100)
        return judge(listed, Outcome(incidents, rows=100, watched_s=weeks * WEEK_S, **outcome))

    return judged


def test_a_say_is_an_incident_or_an_evidence_of_it():
    assert heard_in([incident("scan", helped=["mine", "flood"])]) == {"scan", "mine", "flood"}
    unnamed = Evidence(0, 9.0, UNSPECIFIED, 0, UNSPECIFIED, 0)
    old = msgspec.structs.replace(incident(), evidences=(unnamed,))
    assert heard_in([old]) == {"scan"}, "an evidence kept before detectors were named has no name"


def test_what_was_added_up_is_told_of_each_and_of_fusion(attack):
    fused = msgspec.structs.replace(incident("scan"), together=("scan", "flood"))
    lines = [attack("a", fused), attack("b", incident("scan")), attack("c")]
    whole = Entrant("fusion", "several", 0.05, 4.8, own=False)
    rows = by_detector(lines, [*ALL, whole])
    told = {name: (row["caught"], row["caught_in_fusion"]) for name, row in rows.items()}
    assert told == {"scan": (2, 1), "flood": (1, 1), "mine": (0, 0), "fusion": (1, 1)}
    assert [name for _, name in to_leave_out(lines)] == ["flood", "fusion", "scan", "scan"]


def test_fusion_is_an_entrant_unless_it_is_left_out():
    entrant = entrants_of(DetectorSet())[-1]
    assert (entrant.name, entrant.own) == ("fusion", False)
    assert 0.0 < entrant.share < 1.0
    assert math.isfinite(entrant.line)
    without = DetectorSet(without=frozenset({"fusion"}))
    assert "fusion" not in {one.name for one in entrants_of(without)}


def test_caught_counts_only_a_say_in_what_was_right(attack):
    lines = [
        attack("a", incident("scan", helped=["mine"])),
        attack("b", incident("scan"), incident("flood", "dos", uid="u2")),
        attack("c", incident("flood", "dos")),
    ]
    rows = by_detector(lines, ALL, {"scan": ["b"]})
    assert [rows[name]["caught"] for name in ("scan", "flood", "mine")] == [2, 0, 1]
    assert [rows[name]["caught_alone"] for name in ("scan", "flood", "mine")] == [["b"], [], []]
    assert by_detector(lines, ALL)["scan"]["caught_alone"] is None


def test_only_what_had_a_say_in_a_catch_is_left_out_once(attack, benign):
    lines = [
        attack("a", incident("scan", helped=["mine"]), incident("flood", "dos", uid="u2")),
        attack("missed", incident("flood", "dos")),
        benign("g", incident("flood", "dos")),
    ]
    due = [(judged.labelled.file, name) for judged, name in to_leave_out(lines)]
    assert due == [("a", "mine"), ("a", "scan")]


def test_false_and_context_are_incidents_of_its_own(attack, benign):
    lines = [
        attack("a", incident("scan", severity=2)),
        benign("g", incident("scan", helped=["flood"]), incident("mine", severity=2, uid="u2")),
    ]
    rows = by_detector(lines, ALL)
    assert {name: (r["false"], r["context"]) for name, r in rows.items()} == {
        "scan": (1, 1),
        "flood": (0, 0),
        "mine": (0, 1),
    }


def test_the_promise_is_its_share_of_one_interruption_a_week(attack, benign):
    told = [incident("scan"), incident("scan", uid="u2"), incident("flood", "dos", uid="u3")]
    calls = [call("scan", "u1"), call("scan", "u2"), call("flood", "u3")]
    elsewhere = attack("a", incident(), calls=[call("scan", "u1")])
    lines = [benign("g", *told, calls=calls, weeks=1.5), benign("h", weeks=2.5), elsewhere]
    rows = by_detector(lines, ALL)
    scan = rows["scan"]
    assert (scan["realised"], scan["promised"], scan["realised_over_promised"]) == (2, 2.0, 1.0)
    assert rows["flood"]["realised_over_promised"] == 1.0
    assert (rows["mine"]["promised"], rows["mine"]["realised_over_promised"]) == (0.0, None)
    whole = promise_in_all(lines, ALL)
    assert (whole["site_weeks"], whole["share"], whole["realised"]) == (4.0, 0.75, 3)
    assert whole["realised_over_promised"] == 1.0
    low, high = whole["interval_95"]
    assert low < 1 < high


def test_what_joined_a_story_is_false_and_no_interruption(benign):
    told = [incident("scan"), incident("flood", "dos", uid="u2")]
    lines = [benign("g", *told, calls=[call("scan", "u1")], weeks=4.0)]
    rows = by_detector(lines, ALL)
    assert {name: (r["false"], r["realised"]) for name, r in rows.items()} == {
        "scan": (1, 1),
        "flood": (1, 0),
        "mine": (0, 0),
    }
    assert promise_in_all(lines, ALL)["realised"] == 1
    text = detector_table(rows, promise_in_all(lines, ALL))
    assert "promise      scan: 1 interruption on benign files, 2 promised: 0.50 times" in text
    assert "promise      flood" not in text


def test_a_call_for_a_scanner_that_the_file_labels_is_none(tmp_path):
    (tmp_path / "x").write_text("#fields\tid.orig_h\tlabel\n10.0.0.1\tMalicious\n")
    listed = Labelled("benign.mixed", "x", tmp_path / "x", "label column", "", 100)
    told = Outcome([incident()], calls=[call("scan", "u1")], rows=100, watched_s=WEEK_S)
    assert judge(listed, told).calls == ()


def test_nanoseconds_are_of_all_rows(attack, benign):
    lines = [attack("a", spent_s={"scan": 3e-6}), benign("g", spent_s={"scan": 1e-6})]
    rows = by_detector(lines, ALL)
    assert math.isclose(rows["scan"]["nanoseconds_per_row"], 20.0)
    assert rows["flood"]["nanoseconds_per_row"] == 0.0
    lines.append(attack("loaded", spent_s={"scan": 0.5}))
    again = by_detector(lines, ALL)["scan"]["nanoseconds_per_row"]
    assert math.isclose(again, 20.0), "what is loaded once is nobody's cost a row"
    assert by_detector([], ALL)["scan"]["nanoseconds_per_row"] is None


def test_scores_by_file_leave_out_who_scored_nothing(attack, benign):
    lines = [
        attack("a", scored={"scan": (3, 2.5), "mine": (1, 900.0), "flood": (0, math.nan)}),
        benign("g", scored={"scan": (2, 1.5)}),
    ]
    assert scores_of(lines[0], ALL) == {"scan": [2.5, 4.0], "mine": [900.0, None]}
    scan = by_detector(lines, ALL)["scan"]
    assert (scan["rows_scored"], scan["strongest_on_attacks"]) == (5, 2.5)
    assert scan["strongest_on_benign"] == 1.5


def test_a_miss_is_told_with_what_came_nearest(attack):
    scored = {"scan": (3, 2.5), "flood": (3, 5.9), "mine": (1, 900.0)}
    assert why_missed(attack("a", scored=scored), ALL) == "nearest: scan 2.5 of 4.0"
    assert why_missed(attack("a"), ALL) == "no detector of its class has scored a row"
    dull = attack("a", scored={"scan": (9, 0.04)})
    assert why_missed(dull, ALL) == "nothing in it was strange to a detector of its class"
    low = attack("a", incident("mine", severity=2), incident("flood", "dos", uid="u2"))
    assert why_missed(low, ALL) == (
        "told as dos, not of the attacker or not as the attack; mine: kept as context only"
    )
    assert why_missed(attack("a", incident()), ALL) == "", "it was caught"


def test_the_table_has_a_row_for_who_had_a_say_and_for_ones_own(attack, benign):
    calls = [call("scan", "u1")]
    caught = attack("a", incident(), scored={"scan": (1, 7.25)}, calls=calls)
    lines = [caught, benign("g", incident(), weeks=4, calls=calls)]
    rows = by_detector(lines, ALL, {"scan": ["a"]})
    told = detector_table(rows, promise_in_all(lines, ALL)).splitlines()
    assert told[0].split()[:3] == ["detector", "caught", "alone"]
    assert told[0].split()[3] == "fused"
    assert told[1].split() == ["scan", "1", "1", "0", "1", "0", "0", "7.25", "–", "4.00"]
    assert told[2].split() == ["mine", "0", "0", "0", "0", "0", "0", "–", "–", "–"]
    assert told[3] == "and 1 more that had no say in any of the files"
    assert told[4].startswith(
        "promise      scan: 1 interruption on benign files, 2 promised: 0.50 "
    )
    assert told[5].startswith(
        "promise      all together: 1 interruption on benign files, 3 promised"
    )
    assert max(map(len, told[:4])) <= 80


def test_every_shipped_detector_that_has_a_share_has_a_line():
    found = {one.name: one for one in entrants_of(DetectorSet())}
    shipped = shipped_detectors()
    assert list(found) == [*(detector.name for detector in shipped), "fusion"]
    speaking = {detector.name for detector in shipped if detector.interrupts and detector.share}
    speaking.add("fusion")
    assert {name for name, one in found.items() if math.isfinite(one.line)} == speaking
    less = entrants_of(replace(DetectorSet(), without=frozenset({"scan"})))
    assert {one.name for one in less} == set(found) - {"scan"}

"""Each folder here is a case: rows, a site, and every incident that they give.

To add one, add a folder: README.md (what happens), rows.jsonl (see rows.py) or traffic.pcap, site.toml, and
expected.jsonl, one incident a line, empty for a quiet case. With a baseline.jsonl, models are trained
on it first.
"""

from __future__ import annotations

import importlib.util
import json
import tomllib
from pathlib import Path

import msgspec
import pytest

from dijkwacht.offline import OfflineCollector, cut
from dijkwacht.recording import Recorded
from dijkwacht_collector.policy import Calibrations
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_records.addresses import format_address

_spec = importlib.util.spec_from_file_location("rows", Path(__file__).parent / "rows.py")
rows_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rows_module)
read_rows = rows_module.read_rows

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/expected.jsonl"))
NAMED = ("kind", "technique", "subject", "severity")


def seen(case):
    """The rows of a case, made up or metered from packets."""
    recording = case / "traffic.pcap"
    return (
        Recorded([recording]).rows() if recording.exists() else iter(read_rows(case / "rows.jsonl"))
    )


def play(case, batch_rows=1000):
    site = tomllib.loads((case / "site.toml").read_text())
    with OfflineCollector() as player:
        baseline = case / "baseline.jsonl"
        if baseline.exists():
            for batch in cut(iter(read_rows(baseline)), batch_rows):
                player.play(site["name"], batch)
            assert player.train(), "there was nothing to train on"
        for batch in cut(seen(case), batch_rows):
            player.play(site["name"], batch)
        player.finish()
        return player.outcome.final()


@pytest.mark.parametrize("batch_rows", [100, 1000])
@pytest.mark.parametrize("name", ["remote-execution", "tls-c2", "recorded-quiet-morning"])
def test_each_incident_is_part_of_a_story_as_that_stands_in_the_end(name, batch_rows):
    case = next(case for case in CASES if case.name == name)
    with OfflineCollector() as player:
        for batch in cut(seen(case), batch_rows):
            player.play("office", batch)
        player.finish()
        outcome = player.outcome
    of_story = {uid: [] for uid in outcome.stories}
    for incident in outcome.final():
        of_story[incident.story].append(incident)
    for story in outcome.stories.values():
        found = of_story[story.uid]
        assert {part.uid for part in story.parts} == {incident.uid for incident in found}
        assert story.machine in {incident.machine for incident in found}
        assert story.interrupted == any(incident.severity_id >= 3 for incident in found)
        assert (story.uid in outcome.first_call) == story.interrupted
    assert bool(outcome.first_call) == bool(outcome.final())


def expected_of(case):
    return [json.loads(line) for line in (case / "expected.jsonl").read_text().splitlines()]


def named(incident):
    """An incident as ``expected.jsonl`` names it."""
    severity = incident.severity_id
    return dict(
        zip(NAMED, (incident.kind, incident.technique, incident.subject, severity), strict=True)
    )


def disagreement(expected, incidents):
    """What is missing and what is too many, as lists; both empty if they match one to one."""
    left = list(incidents)
    missing = []
    for wanted in expected:
        found = next((i for i in left if _is(i, wanted)), None)
        if found is None:
            missing.append(wanted)
        else:
            left.remove(found)
    return missing, [named(incident) for incident in left]


def _is(incident, wanted):
    ends = {
        "src": {format_address(e.src_h) for e in incident.evidences},
        "dst": {format_address(e.dst_h) for e in incident.evidences},
    }
    return named(incident) == {name: wanted[name] for name in NAMED} and all(
        wanted[end] in seen for end, seen in ends.items() if end in wanted
    )


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_the_incidents_are_those_expected_one_to_one(case):
    assert disagreement(expected_of(case), play(case)) == ([], [])


def test_one_incident_too_many_too_few_or_of_another_severity_fails():
    case = next(case for case in CASES if case.name == "arp-spoof")
    [incident] = play(case)
    [wanted] = expected_of(case)
    assert disagreement([wanted], [incident, incident]) == ([], [named(incident)])
    assert disagreement([wanted], []) == ([wanted], [])
    milder = msgspec.structs.replace(incident, severity_id=2)
    assert disagreement([wanted], [milder]) == ([wanted], [named(milder)])
    assert disagreement([wanted | {"src": "192.0.2.9"}], [incident])[0]


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_a_case_tells_what_it_is(case):
    assert (case / "README.md").read_text().startswith("# ")


def test_every_detector_has_a_case():
    """An incident that it gives; one that never interrupts has a folder that bears its name."""
    detectors = shipped_detectors()
    shadow = Calibrations().in_shadow(detectors)
    assert {name.replace("_", "-") for name in shadow} <= {case.name for case in CASES}
    told = {(wanted["kind"], wanted["technique"]) for case in CASES for wanted in expected_of(case)}
    assert {(d.kind, d.technique) for d in detectors if d.name not in shadow} <= told

"""Each folder here is a case: rows, a site, and every incident that a person is asked to look at.

To add one, add a folder: README.md (what happens), rows.jsonl (see rows.py) or traffic.pcap, site.toml, and
expected.jsonl, one incident a line, empty for a quiet case. With a baseline.jsonl, models are trained
on it first.
"""

from __future__ import annotations

import importlib.util
import json
import tomllib
from pathlib import Path

import pytest

from dijkwacht.player import Player, cut
from dijkwacht.recording import Recorded
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_records.addresses import format_address

_spec = importlib.util.spec_from_file_location("rows", Path(__file__).parent / "rows.py")
rows_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rows_module)
read_rows = rows_module.read_rows

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/expected.jsonl"))
MEDIUM = 3


def seen(case):
    """The rows of a case, made up or metered from packets."""
    recording = case / "traffic.pcap"
    return (
        Recorded([recording]).rows() if recording.exists() else iter(read_rows(case / "rows.jsonl"))
    )


def play(case, batch_rows=1000):
    site = tomllib.loads((case / "site.toml").read_text())
    with Player() as player:
        baseline = case / "baseline.jsonl"
        if baseline.exists():
            for batch in cut(iter(read_rows(baseline)), batch_rows):
                player.play(site["name"], batch)
            assert player.train(), "there was nothing to train on"
        for batch in cut(seen(case), batch_rows):
            player.play(site["name"], batch)
        player.finish()
        return [incident for incident in player.told.final() if incident.severity_id >= MEDIUM]


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_the_incidents_are_those_expected_and_no_others(case):
    expected = [json.loads(line) for line in (case / "expected.jsonl").read_text().splitlines()]
    told = play(case)
    for wanted in expected:
        found = [i for i in told if (i.kind, i.technique) == (wanted["kind"], wanted["technique"])]
        assert found, f"no {wanted['kind']} among {[(i.kind, i.title_en) for i in told]}"
        sources = {format_address(e.src_h) for i in found for e in i.evidences}
        assert wanted.get("src", "") in sources | {""}
        targets = {format_address(e.dst_h) for i in found for e in i.evidences}
        assert wanted.get("dst", "") in targets | {""}
        told = [incident for incident in told if incident not in found]
    assert not told, f"not expected: {[(i.kind, i.title_en) for i in told]}"


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_a_case_tells_what_it_is(case):
    assert (case / "README.md").read_text().startswith("# ")


def test_every_detector_has_a_case():
    told = {
        (json.loads(line)["kind"], json.loads(line)["technique"])
        for case in CASES
        for line in (case / "expected.jsonl").read_text().splitlines()
    }
    assert {(d.kind, d.technique) for d in shipped_detectors()} <= told

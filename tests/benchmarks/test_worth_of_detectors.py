"""What a detector is worth: shown beside the share that it has."""

import importlib.util

import pytest

from dijkwacht_detectors.discover import shipped_detectors


@pytest.fixture(scope="module")
def worth_of_detectors(root):
    path = root / "benchmarks/worth_of_detectors.py"
    spec = importlib.util.spec_from_file_location("worth_of_detectors", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_has_share_say_and_what_is_missed_without(worth_of_detectors):
    half = {"caught": ["a", "b"], "missed": ["b"], "false": []}
    text = worth_of_detectors.table(
        {"scan": {"share": 0.05, "A": half}, "flood": {"share": 0.25, "A": half}}, ["A"]
    )
    head, _, flood, scan = text.splitlines()
    assert (
        head == "| detector | share | has a say in, A | missed without it, A | false with it, A |"
    )
    assert flood == "| `flood` | 0.2500 | 2 | 1 | 0 |"
    assert scan.startswith("| `scan` | 0.0500 |")


def test_every_shipped_detector_has_a_line_with_its_share(worth_of_detectors, monkeypatch):
    monkeypatch.setattr(worth_of_detectors, "judged", lambda *_: {})
    found = worth_of_detectors.worth([], ["A"])
    assert {name: of["share"] for name, of in found.items()} == {
        detector.name: detector.share for detector in shipped_detectors()
    }
    assert all(of["A"] == {"caught": [], "missed": [], "false": []} for of in found.values())

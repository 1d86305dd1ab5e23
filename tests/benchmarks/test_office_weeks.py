"""The count of false incidents: what it is made of, and that it says on what each fell."""

import importlib.util
import json
import subprocess
import sys

import pytest

from dijkwacht_lab.traffic.authors import ORDINARY
from dijkwacht_lab.traffic.habits import FAMILIES, HABITS, KEPT_OUT


@pytest.fixture(scope="module")
def office_weeks(root):
    spec = importlib.util.spec_from_file_location(
        "office_weeks", root / "benchmarks/office_weeks.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_habits_are_chosen_by_side_family_or_name(office_weeks):
    assert office_weeks.names_of("kept-out") == KEPT_OUT
    assert office_weeks.names_of("all") == set(HABITS)
    assert office_weeks.names_of("none") == set()
    chosen = office_weeks.names_of("tills,monitoring.sweep")
    assert chosen == {*FAMILIES["tills"], "monitoring.sweep"}
    with pytest.raises(SystemExit):
        office_weeks.names_of("no.such")


def test_an_incident_is_named_with_its_line_and_the_habit_it_fell_on(office_weeks, monkeypatch):
    # Nothing is rarer than an infinite budget: whatever a detector says is told.
    monkeypatch.setattr("dijkwacht_collector.policy.detector_policy.DEFAULT_BUDGET", 1e9)
    rows, told = office_weeks.week(9_001, 6, 0.05, frozenset(FAMILIES["monitoring"]))
    assert rows > 1_000
    assert all(incident.line > 0 for incident in told)
    named = {name for incident in told for name in incident.habits}
    assert named <= {*FAMILIES["monitoring"], ORDINARY}
    assert named & set(FAMILIES["monitoring"])
    # What the machine itself feels, or nobody's address did, no habit wrote.
    assert all(incident.habits for incident in told if incident.src != "::")


def test_the_rate_is_a_site_weeks_and_has_an_interval(root):
    asked = ("--offices", "2", "--days", "0.01", "--habits", "none", "--json")
    script = [sys.executable, root / "benchmarks/office_weeks.py", *asked]
    found = json.loads(subprocess.run(script, check=True, capture_output=True).stdout)
    assert found["rows"] > 100
    assert found["false"] == len(found["incidents"])
    low, high = found["interval"]
    assert low <= found["per_site_week"] <= high

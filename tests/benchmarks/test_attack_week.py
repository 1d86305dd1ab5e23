"""A real attack in an office week: what is counted, and one from capture to call."""

import json
import subprocess
import sys

import pytest


@pytest.fixture
def attack_week(load_benchmark):
    return load_benchmark("attack_week")


def test_weeks_are_counted_by_their_calls_and_what_was_called_elsewhere(attack_week):
    def week(*calls, elsewhere=()):
        return attack_week.Week(1, 5, "a.pcap", "scan", list(calls), list(elsewhere))

    once, twice = ("scan", 0.5), ("c2", 40.0)
    found = attack_week.summary(
        [week(once), week(once, twice), week(), week(once, elsewhere=[("10.0.0.9", "dos")])]
    )
    assert found == {"attacks": 4, "called": {"0": 1, "1": 2, "2": 1}, "elsewhere": 1}


@pytest.mark.long
@pytest.mark.captures
@pytest.mark.timeout(900)
def test_an_attack_in_an_office_week_calls_and_not_without_end(root, captures):
    said = subprocess.run(
        [sys.executable, root / "benchmarks/attack_week.py", "--attacks", "2", "--json",
         captures / "LABELS.csv"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(said.stdout)
    assert found["attacks"] == 2
    assert set(found["called"]) <= {"1", "2"}

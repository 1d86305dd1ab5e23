"""What a week leaves: every array is counted once, and what is in use is no more than what is allocated."""

import json
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def found(root):
    asked = ("--sites", "2", "--days", "0.01", "--json")
    script = [sys.executable, root / "benchmarks/week_state.py", *asked]
    return json.loads(subprocess.run(script, check=True, capture_output=True).stdout)


def test_the_slope_is_that_of_its_parts(found):
    first, last = found["live_by_sites"]
    assert found["live_per_site"] == last - first
    parts = found["parts"].values()
    assert sum(part["live"] for part in parts) == last
    assert sum(part["live_per_site"] for part in parts) == last - first
    assert sum(part["allocated"] for part in parts) == found["allocated"]


def test_what_is_in_use_is_allocated(found):
    for name, part in found["parts"].items():
        assert 0 <= part["live"] <= part["allocated"], name
    assert found["parts"]["beacon"]["live_per_site"] > 0


def test_growing_is_timed_by_step(root):
    asked = ("--growth", "20", "--rows", "200", "--json")
    script = [sys.executable, root / "benchmarks/week_state.py", *asked]
    told = json.loads(subprocess.run(script, check=True, capture_output=True).stdout)
    assert told["steps"] == 3  # 40 batches, sixteen a step
    assert told["longest_ms"] == max(told["ten_longest_ms"]) > 0
    assert told["slots"] > 100

"""Attacks on machines: that one is told by a low line and not by a high one, and within its time."""

import importlib.util
import math

import pytest

from dijkwacht_lab.calibrate import FIRST_JUDGED
from dijkwacht_lab.machine_hours import MACHINE_DETECTORS


@pytest.fixture
def host_attacks(root):
    spec = importlib.util.spec_from_file_location(
        "host_attacks", root / "benchmarks/host_attacks.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def at(monkeypatch, module, line):
    monkeypatch.setattr(module, "lines", lambda: dict.fromkeys(MACHINE_DETECTORS, line))


def test_lines_are_those_of_the_detectors_of_machines(host_attacks):
    assert set(host_attacks.lines()) == set(MACHINE_DETECTORS)
    assert all(math.isfinite(line) for line in host_attacks.lines().values())


def test_the_line_decides(host_attacks, monkeypatch):
    at(monkeypatch, host_attacks, 8.0)
    told = host_attacks.attacked(FIRST_JUDGED, "SYN flood")
    assert 0 < told.minutes["host_load"] < 10
    at(monkeypatch, host_attacks, 40.0)
    assert set(host_attacks.attacked(FIRST_JUDGED, "SYN flood").minutes.values()) == {math.inf}


def test_false_hours_are_those_over_the_line(host_attacks, monkeypatch):
    monkeypatch.setattr(host_attacks, "_FALSE_DAYS", 3)
    at(monkeypatch, host_attacks, 1.0)
    assert host_attacks.false_hours(FIRST_JUDGED)["system"] > 0
    at(monkeypatch, host_attacks, 40.0)
    assert set(host_attacks.false_hours(FIRST_JUDGED).values()) == {0}

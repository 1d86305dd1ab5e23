"""A machine that is flooded in its first hour, read from a table, is told under a model of others."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

import pytest

from dijkwacht_detectors.host_load import HostLoad
from dijkwacht_detectors.system import System
from dijkwacht_detectors.unlike_others import UnlikeOthers
from dijkwacht_lab.machine_hours import with_model

HEAD = (
    "Mode,CPU Usage (%),Network eth0 Received (Ko/s),Network eth0 Sent (Ko/s),Network Packet eth0 Received,"
    "Network Packet eth0 Sent,Process Switches,Disk sda Read (Ko/s),Timestamp"
)


@pytest.fixture(scope="module")
def benchmark():
    path = Path(__file__).parents[2] / "benchmarks" / "machines_first_hour.py"
    spec = importlib.util.spec_from_file_location("machines_first_hour", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table(path, flooded):
    dice = random.Random(5)
    lines = [HEAD]
    for second in range(600):
        now = [0.6, 3, 2, 20, 15, 400, 5]
        if flooded and second >= 300:
            now = [45, 800, 30_000, 9_000, 40_000, 90_000, 0]
        values = ",".join(f"{value * dice.uniform(0.9, 1.1):.3f}" for value in now)
        mode = "Attack" if second >= 300 else "Idle"
        lines.append(f"{mode},{values},10:{second // 60:02}:{second % 60:02}.000")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_it_tells_the_flooded_from_the_idle_and_nobody_else_does(benchmark, tmp_path):
    line = benchmark.lines_in_force()["unlike_others"]
    scores = {}
    for flooded in (False, True):
        path = table(tmp_path / f"hostmetrics-{flooded}.csv", flooded)
        detectors = [System(), HostLoad(), with_model(UnlikeOthers(), range(201, 213))]
        scores[flooded] = benchmark.of_file(path, detectors)
    assert scores[True]["unlike_others"][0] < line
    assert scores[True]["unlike_others"][1] > line
    assert scores[False]["unlike_others"][1] < line
    assert scores[True]["host_load"] == (0.0, 0.0), "it watches first"

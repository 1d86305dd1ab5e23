"""The area under the curve of machine metrics: what is held against what, and that labels decide only that."""

import importlib.util

import numpy as np
import pytest


@pytest.fixture(scope="module")
def host_metrics(root):
    spec = importlib.util.spec_from_file_location(
        "host_metrics", root / "benchmarks/host_metrics.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table(path, attack, seed=1):
    """Five minutes of idling, and as long with ``attack`` percent of the processor."""
    rng = np.random.default_rng(seed)
    lines = ["Mode,CPU Usage (%),Memory Usage (%),Timestamp"]
    for n in range(900):
        mode = "Idle" if n < 300 else "Attack" if n < 600 else "Recovery"
        cpu = (attack if mode == "Attack" else 5.0) * rng.lognormal(0, 0.2)
        second = f"10:{n // 60:02}:{n % 60:02}.000"
        lines.append(f"{mode},{cpu:.2f},{20 + n / 100:.2f},{second}")
    path.write_text("\ufeff" + "\r\n".join(lines), "utf-8")
    return path


def test_an_area_is_how_often_the_guilty_score_more(host_metrics):
    area = host_metrics.area
    low, high = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    assert area(low, high) == 1.0
    assert area(high, low) == 0.0
    assert area(low, low) == 0.5


@pytest.mark.parametrize("memory", [True, False])
def test_a_loud_attack_is_told_and_none_is_not(host_metrics, tmp_path, memory):
    whole, plain, _ = host_metrics.areas(table(tmp_path / "loud.csv", 80.0), memory=memory)
    assert min(whole, plain) > 0.98
    quiet = [
        host_metrics.areas(table(tmp_path / f"{seed}.csv", 5.0, seed), memory=memory)[1]
        for seed in range(8)
    ]
    assert 0.2 < np.mean(quiet) < 0.8


def test_without_memory_nothing_of_memory_is_read(host_metrics, tmp_path):
    path = table(tmp_path / "a.csv", 80.0)
    for memory, metrics in (
        (True, {"cpu_ratio", "memory_used_ratio"}),
        (False, {"cpu_ratio"}),
    ):
        told, modes = host_metrics.samples(path, memory=memory)
        assert {row["metric"] for sample in told for row in sample} == metrics
        assert len(told) == len(modes) == 900


def test_every_file_of_the_folders_has_a_line(host_metrics, tmp_path):
    table(tmp_path / "hostmetrics-a__preprocessed_first.csv", 80.0)
    table(tmp_path / "hostmetrics-b.csv", 60.0)
    assert [line["file"] for line in host_metrics.measure([tmp_path])] == [
        "first",
        "hostmetrics-b",
    ]
    with pytest.raises(SystemExit):
        host_metrics.measure([tmp_path / "none"])

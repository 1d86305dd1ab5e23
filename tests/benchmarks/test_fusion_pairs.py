"""Pairs of weak parts: how they are drawn, what is counted, and one pair from capture to call."""

import importlib.util
import subprocess
import sys

import pytest

from dijkwacht_collector.policy import FUSION
from dijkwacht_lab.weak_parts import Part


@pytest.fixture(scope="module")
def fusion_pairs(root):
    spec = importlib.util.spec_from_file_location(
        "fusion_pairs", root / "benchmarks/fusion_pairs.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def part(name, family, bits=4.0):
    return Part(name, family, (), 9, 1, "10.0.0.9", family, family, bits, 4.9, {})


def told(module, bits=8.0, f=7.0, minutes=1.0, **how):
    parts = [{"bits": bits / 2}] * 2
    pieces = [("scan", f / 2), ("dns_tunnel", f / 2)] if f else []
    how = {"early": False, "alone": False, "said": ""} | how
    return module.Told(1, 5, parts, 3.0, f, pieces, minutes, **how)


def test_pairs_are_of_two_families_and_none_comes_twice(fusion_pairs):
    parts = [part(f"{family}{n}", family) for family in ("scan", "c2", "dns") for n in range(3)]
    pairs = fusion_pairs.drawn(parts, 20, 12_001)
    assert len(pairs) == 20
    assert all(pair.first.family != pair.second.family for pair in pairs)
    assert len({frozenset((pair.first.name, pair.second.name)) for pair in pairs}) == 20
    assert len({pair.seed for pair in pairs}) == 20
    assert len(fusion_pairs.drawn(parts, 1_000, 12_001)) == 27
    assert fusion_pairs.drawn(parts, 20, 12_001) == pairs
    assert fusion_pairs.drawn(parts, 20, 15_001) != pairs


def test_what_is_told_alone_or_early_does_not_count(fusion_pairs):
    found = fusion_pairs.summary([
        told(fusion_pairs),
        told(fusion_pairs, bits=6.5, f=4.6, minutes=None),
        told(fusion_pairs, bits=6.6, f=0.0, minutes=None),
        told(fusion_pairs, alone=True),
        told(fusion_pairs, early=True),
    ])  # fmt: skip
    assert (found["pairs"], found["alone"], found["early"]) == (5, 1, 1)
    assert (found["counted"], found["told"], found["missed_unseen"]) == (3, 1, 1)
    assert found["told_by_bits"] == {6: [0, 2], 8: [1, 1]}
    assert found["told_by_line"][4.5] == 2
    assert found["told_by_line"][5.0] == 1


def test_offices_that_differ_are_tested(fusion_pairs):
    weeks = [{"with": 1, "without": 0}] * 6 + [{"with": 2, "without": 2}] * 6
    found = fusion_pairs.quiet_summary(weeks, 7)
    assert (found["with"], found["without"], found["more"], found["fewer"]) == (18, 12, 6, 0)
    assert found["p"] == pytest.approx(0.03125)
    assert found["site_weeks"] == 12


def test_a_batch_ends_where_a_part_begins(fusion_pairs):
    rows = [(0, (at,)) for at in range(5_000)]
    batches = list(fusion_pairs._batches(iter(rows), (2_500, 100)))
    assert [row for batch in batches for row in batch] == rows
    assert [batch[0][1][0] for batch in batches] == [0, 100, 2_100, 2_500, 4_500]


def test_half_b_and_seeds_of_calibration_are_refused(root, tmp_path):
    script = [sys.executable, root / "benchmarks/fusion_pairs.py", tmp_path / "LABELS.csv"]
    for words, said in (
        (["--half", "B"], "--final if you are done"),
        (["--seeds", "5"], "from 9001"),
    ):
        done = subprocess.run([*script, *words], check=False, capture_output=True, text=True)
        assert done.returncode == 2
        assert said in done.stderr


@pytest.mark.captures
def test_a_tunnel_and_a_guess_on_one_machine_are_told_together(fusion_pairs, captures, monkeypatch):
    monkeypatch.setattr(fusion_pairs, "LATER_H", (1.0, 1.0))
    files = fusion_pairs.chosen_files([captures / "LABELS.csv"], "A")
    by_kind = {}
    for item in files:
        by_kind.setdefault(item.kind, item)
    chosen = [by_kind["dns.tunnel-iodine"], by_kind["bruteforce.mssql"]]
    parts = [found for item in chosen if (found := fusion_pairs.part_of(item))]
    assert [each.family for each in parts] == ["dns", "bruteforce"]
    found = fusion_pairs.befall(fusion_pairs.Pair(12_001, 5, *parts))
    assert {name for name, _ in found.pieces} >= {"dns_tunnel", "bruteforce"}
    assert found.f == pytest.approx(sum(bits for _, bits in found.pieces), abs=0.02)
    assert not found.alone
    assert found.minutes is not None
    assert FUSION in fusion_pairs.WITHOUT.without

"""Two sets of detectors on the same captures."""

import pytest

from dijkwacht_lab.labels import Labelled
from dijkwacht_lab.paired import binomial_interval, paired, paired_text, sign_test
from dijkwacht_lab.scoreboard import Judged, Outcome


@pytest.fixture
def lines(tmp_path):
    def judged(**status):
        kinds = {"a": "scan.x", "b": "benign.x", "r": "robust.x"}
        return [
            Judged(Labelled(kinds[name[0]], name, tmp_path / name, "all", "", 100), Outcome(), how)
            for name, how in status.items()
        ]

    return judged


def test_files_are_told_by_who_caught_them(lines):
    here = lines(a1="caught", a2="caught", a3="missed", a4="missed", a5="caught", b1="clean")
    there = lines(a1="caught", a2="missed", a3="caught", a4="missed", a5="small", b1="clean")
    found = paired(here, there)
    assert found["caught"] == {
        "both": 1, "only_here": ["a2"], "only_there": ["a3"], "neither": 1, "p": 1.0,
    }  # fmt: skip
    assert found["false"]["neither"] == 1


def test_files_are_told_by_who_was_wrong(lines):
    here = lines(b1="false", b2="clean", b3="false", r1="survived")
    there = lines(b3="false", b2="false", b1="clean", r1="survived")
    found = paired(here, there)["false"]
    assert (found["only_here"], found["only_there"], found["both"]) == (["b1"], ["b2"], 1)
    told = paired_text(paired(here, there), "shipped")
    assert "against      shipped: false by both 1, here only 1, there only 1, by neither 0" in told
    assert "             false here only: b1\n" in told + "\n"
    assert "             false there only: b2\n" in told + "\n"


@pytest.mark.parametrize(
    ("one", "other", "p"),
    # two-sided binomial test, p = 1/2
    [(0, 0, 1.0), (1, 0, 1.0), (6, 0, 0.03125), (0, 6, 0.03125), (8, 1, 0.0390625), (2, 2, 1.0)],
)
def test_the_sign_test(one, other, p):
    assert sign_test(one, other) == p


@pytest.mark.parametrize(
    ("some", "of", "low", "high"),
    # Clopper-Pearson, 95 %
    [(0, 0, 0.0, 1.0), (0, 20, 0.0, 0.1684), (20, 20, 0.8316, 1.0), (81, 263, 0.2527, 0.3676)],
)
def test_the_interval_of_a_share(some, of, low, high):
    assert binomial_interval(some, of) == pytest.approx((low, high), abs=1e-4)

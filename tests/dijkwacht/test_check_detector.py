"""`dijkwacht check-detector`: a line for each thing that the contract asks, and what is wrong."""

import json

import pytest

from dijkwacht.cli import main
from dijkwacht_detectors.checks import check_detector, checks_of
from dijkwacht_detectors.scan import Scan

GOOD = '''
import numpy as np

from dijkwacht_detectors.api import SiteDetector


class Doors(SiteDetector):
    """How many rows its site had before the window.

    >>> Doors().name
    'doors'
    """

    name = "doors"
    table = "flows"
    reads = ("resp_p",)

    def __init__(self):
        self.rows = 0

    def score_many(self, window):
        return np.full(len(window), float(self.rows))

    def learn_many(self, window):
        self.rows += len(window)
'''
SCORE = "        return np.full(len(window), float(self.rows))\n"


def score(lines):
    return GOOD.replace(SCORE, "".join(f"        {line}\n" for line in lines.split("; ")))


@pytest.fixture
def check(tmp_path, capsys):
    """Check a source; the exit code and what was found, by check."""

    def run(source, name="doors"):
        path = tmp_path / f"{name}.py"
        path.write_text(source)
        code = main(["check-detector", str(path), "--json"])
        lines = map(json.loads, capsys.readouterr().out.splitlines())
        return code, {line["check"]: line for line in lines}

    return run


def test_one_that_keeps_it_has_a_line_a_check(check):
    code, found = check(GOOD)
    assert code == 0
    assert {line["result"] for line in found.values()} == {"ok"}
    assert len(found) >= 14
    assert {line["detector"] for line in found.values()} == {"doors"}


def test_shipped_and_trained_ones_can_be_checked(root, capsys):
    path = root / "detectors" / "dijkwacht_detectors" / "unlike_others.py"
    assert main(["check-detector", str(path)]) == 0
    out, said = capsys.readouterr()
    lines = out.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert any("with a model: steps of any length" in line for line in lines)
    assert said == f"{len(lines)} of {len(lines)} checks hold\n"


@pytest.mark.parametrize(
    ("source", "failing", "why"),
    [
        (
            score("self.rows += 1; return np.full(len(window), float(self.rows))"),
            "scoring leaves no trace",
            "scoring twice differs: remember in learn_many, not in score_many",
        ),
        (
            score("self.rows += 1; return np.full(len(window), float(self.learned))")
            .replace("self.rows = 0", "self.rows = self.learned = 0")
            .replace("self.rows += len(window)", "self.learned = self.rows"),
            "scoring leaves no trace",
            "scoring changes later scores",
        ),
        (
            score('return window["orig_p"] * 1.0'),
            "extreme values give no infinite score",
            "doors.py line 22: KeyError: 'orig_p' (a detector is handed only the columns that it",
        ),
        (score("return 1.0 / 0.0"), "extreme values give no infinite score", "ZeroDivisionError"),
        (
            score("return np.full(len(window), np.inf)"),
            "scores and facts are numbers, or there is none",
            "scores are finite or NaN",
        ),
        (
            score("return np.ones(3)"),
            "extreme values give no infinite score",
            "ValueError: score_many returned 3 scores for ",
        ),
        (
            score("len(window)"),
            "extreme values give no infinite score",
            "ValueError: score_many returned None: it ends without a return",
        ),
        (
            score("import time; return np.full(len(window), time.time())"),
            "it looks at no clock",
            "a detector reads the clock",
        ),
        (score("assert len(window) > 9_999"), "extreme values give no infinite score", "line 22"),
        (
            GOOD.replace("self.rows = 0", "self.rows = 0; self.say = lambda: 0"),
            "a restart changes nothing",
            "pickle",
        ),
        (
            GOOD.replace("self.rows += len(window)", "Doors.seen = self.rows = getattr(Doors, 'seen', 0) + 1"),
            "sites do not touch each other",
            "another site's rows change a site's scores",
        ),
        (GOOD.replace("'doors'\n", "'door'\n"), "the docstring has an example that runs",
         "doors.Doors: its example fails: Doors().name gave 'doors', not 'door'"),
        (GOOD.replace(">>> Doors().name", ">>> Doors().nam"), "the docstring has an example that runs",
         "its example fails: Doors().nam raised AttributeError: "),
        (GOOD.replace(">>> Doors().name\n    'doors'\n", "Nothing.\n"),
         "the docstring has an example that runs", "no example: write a line >>>"),
        (GOOD.replace('"doors"', '"windows"'), "the file bears its name",
         "the file is doors.py, and the detector is named 'windows'"),
        (GOOD.replace('"doors"', '"scan"'), "the name is not taken",
         "a detector named scan is shipped already"),
        (GOOD + "\n    def explain(self, facts):\n        return facts['rows']\n",
         "it explains itself in both languages", "line 28: KeyError: 'rows'"),
        (GOOD.replace('("resp_p",)', '("resp_q",)'), "it can be loaded",
         "doors.py: Doors: reads 'resp_q', no column of table flows"),
        ("def (", "it can be loaded", "doors.py: line 1: invalid syntax"),
        ("x = 1", "it can be loaded", "holds no class that is a detector"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_in_a_line(check, source, failing, why):
    code, found = check(source)
    assert code == 1
    assert found[failing]["result"] == "failed"
    assert why in found[failing]["why"]
    assert "\n" not in found[failing]["why"]


def test_the_same_reason_is_given_once(check):
    _, found = check(score("return 1 / 0"))
    failed = [line for line in found.values() if line["result"] == "failed"]
    assert len(failed) == 1
    skipped = [line for line in found.values() if line["result"] == "skipped"]
    assert skipped
    assert all("fails as 'extreme values give" in line["why"] for line in skipped)


def test_lines_for_people(tmp_path, capsys):
    path = tmp_path / "doors.py"
    path.write_text(score("print('noise'); return 1 / 0"))
    assert main(["check-detector", str(path)]) == 1
    out, said = capsys.readouterr()
    assert out.splitlines()[0] == "ok       doors: it can be loaded"
    assert "failed   doors: extreme values give no infinite score: doors.py line 23: Zero" in out
    assert "noise" not in out
    assert said.endswith(", 1 failed\n")


def test_without_a_file_nothing_was_checked(tmp_path, capsys):
    assert main(["check-detector", str(tmp_path / "none.py")]) == 2
    assert capsys.readouterr().err.endswith("none.py: no such file\n")
    assert main(["check-detector", str(tmp_path)]) == 2
    assert capsys.readouterr().err.endswith(f"{tmp_path}: not a Python file\n")


def test_a_class_is_no_detector_yet():
    with pytest.raises(AssertionError, match=r"Scan is a class: pass one of it, Scan\(\)"):
        check_detector(Scan)
    with pytest.raises(AssertionError, match=r"'scan' is no detector"):
        next(checks_of("scan"))

"""`dijkwacht try`: a student's detector, its scores and its mistakes."""

import json

import pytest

from dijkwacht import cli

HEAD = """
from dijkwacht_detectors.api import RowDetector, SiteDetector

class Doors(SiteDetector):
    name = "doors"
    table = "flows"
    reads = ("resp_p",)
"""
GOOD = (
    HEAD
    + """
    def __init__(self):
        self.highest = 0

    def score_many(self, window):
        return window["resp_p"].astype(float) - self.highest

    def learn_many(self, window):
        self.highest = int(window["resp_p"].max())
"""
)


@pytest.fixture
def attempt(tmp_path, scan):
    def run(source, *words):
        path = tmp_path / "doors.py"
        path.write_text(source)
        return cli.main(["try", str(path), str(scan), *words])

    return run


def test_the_strangest_rows_come_first(attempt, capsys):
    assert attempt(GOOD, "--top", "2", "--json") == 0
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["score"], row["port"]) for row in rows] == [(300.0, 300), (299.0, 299)]
    assert rows[0]["src"] == "192.168.7.66"
    assert "doors finds 192.168.7.66 strange" in rows[0]["sentence"]
    assert "300 scores on 300 rows" in err


def test_the_table_is_for_people(attempt, capsys):
    assert attempt(GOOD, "--top", "1") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["score", "when", "who", "whom", "why"]
    assert "300  2023-11-14 22:13:26  192.168.7.66            192.168.7.2:300" in second


def test_shipped_detectors_can_be_tried(scan, root, capsys):
    path = root / "detectors" / "dijkwacht_detectors" / "scan.py"
    assert cli.main(["try", str(path), str(scan), "--json", "--top", "1"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["detector"], row["src"]) == ("scan", "192.168.7.66")
    assert row["facts"]["failed_targets"] > 200


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def (", "doors.py: line 1: invalid syntax"),
        ("import nothing_like_it", "doors.py: cannot be loaded: ModuleNotFoundError"),
        ("x = 1", "doors.py: holds no class that is a detector"),
        (
            HEAD + "    def score_many(self, window):\n        return 1 / 0\n",
            "doors.py line 9: Zero",
        ),
        (
            HEAD + '    def score_many(self, window):\n        return window["orig_p"]\n',
            "line 9: KeyError: 'orig_p'",
        ),
        (
            HEAD + '    def score_many(self, window):\n        return window["resp_p"][:1]\n',
            "score_many returned 1 scores for ",
        ),
        (
            GOOD + "\n    def explain(self, facts):\n        return facts['missing']\n",
            "doors.py line 19: KeyError: 'missing'",
        ),
        (
            GOOD.replace("import Row", "import Explanation, Row")
            + '\n    def explain(self, facts):\n        return Explanation(*["{whom}"] * 4)\n',
            "explain: '{whom}' cannot be filled in; it may hold {src}, {dst}, {port}, ",
        ),
        (
            GOOD + "\n    def explain(self, facts):\n        return None\n",
            "explain returned None, not an",
        ),
        (
            HEAD.replace("SiteDetector)", "WindowDetector)").replace(
                "import Row", "import WindowDetector, Row"
            )
            + '    entity = "site"\n    kind = "other"\n    technique = ""\n    facts = ("a", "b")\n'
            + "    def explain(self, facts):\n        return None\n"
            + "    def score(self, window, state):\n"
            + '        return window["resp_p"] * 1.0, window["resp_p"][:, None] * 1.0\n',
            "score returned facts of shape (300, 1) for 300 rows and 2 facts",
        ),
        (
            GOOD.replace('"flows"', '"arp"').replace('("resp_p",)', '("op",)'),
            "who names 'orig_h', no addr column",
        ),
        (GOOD.replace('    name = "doors"\n', ""), "Doors: declares no name"),
        (GOOD + '\n    entity = "host"\n', "entity 'host': expected one of site, orig, resp, pair"),
        (GOOD.replace('"resp_p",', '"door",'), "reads 'door', no column of table flows"),
        (GOOD.replace('"flows"', '"flow"'), "table 'flow': expected one of flows, dns"),
    ],
)
def test_mistakes_are_one_line_that_says_where(attempt, capsys, source, said):
    assert attempt(source) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("dijkwacht try: ")
    assert said in last


def test_no_opinion_is_no_row(attempt, capsys):
    source = HEAD + (
        "    def score_many(self, window):\n"
        "        import numpy as np\n"
        "        return np.full(len(window), np.nan)\n"
    )
    assert attempt(source) == 0
    assert capsys.readouterr().out == "no row got a score\n"

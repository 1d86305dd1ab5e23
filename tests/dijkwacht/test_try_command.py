"""`dijkwacht try`: a student's detector, its scores and its mistakes."""

import json

import pytest

from dijkwacht import cli
from dijkwacht.cli import main
from dijkwacht.progress import clock_text

BEGIN = 1_700_000_000_000_000
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


def test_the_text_is_for_people(attempt, capsys):
    assert attempt(GOOD, "--top", "1", "--text") == 0
    first, second = capsys.readouterr().out.splitlines()
    score, when, parties = first.split(" · ")
    assert (score, parties) == ("300", "192.168.7.66 → 192.168.7.2:300")
    assert when == clock_text(BEGIN + 6_000_000)
    assert second.startswith("  doors finds 192.168.7.66 strange")


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
            "line 9: KeyError: 'orig_p' (a detector is handed only the columns that it reads; add",
        ),
        (
            HEAD + '    def score_many(self, window):\n        return window["resp_p"][:1]\n',
            "score_many returned 1 scores for ",
        ),
        (
            GOOD + "\n    def explain(self, facts):\n        return facts['missing']\n",
            "explain: doors.py line 19: KeyError: 'missing'",
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


MUTE = HEAD + (
    "    def score_many(self, window):\n"
    "        import numpy as np\n"
    "        return np.full(len(window), np.nan)\n"
)
NAN = "it was given 300 of flows, and gave each NaN, which is no opinion; "


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (MUTE, NAN + "played 10 times over it says no more, so this is no warm-up"),
        (
            GOOD.replace("self.highest = 0", "self.highest = self.rows = 0")
            .replace(
                'return window["resp_p"].astype(float)',
                "return (np.nan if self.rows < 700 else 1.0) * np.ones(len(window))",
            )
            .replace("        self.highest = int", "        self.rows += len(window); self.highest = int")
            .replace("from dijk", "import numpy as np\nfrom dijk", 1),
            NAN + "it is a warm-up: played over and over, it has its first score after 900 rows, "
            "and here are 300; try a longer recording",
        ),
        (
            MUTE.replace("import numpy as np", "import numpy as np; self.n = getattr(self, 'n', 0) + 1; assert self.n < 2"),
            NAN + "played 10 times over, it fails: doors: doors.py line 9: AssertionError",
        ),
        (
            MUTE.replace('"flows"', '"dns"').replace('"resp_p"', '"qtype"'),
            "it reads dns, of which there is no row; there are 300 of flows",
        ),
        (
            MUTE.replace('    table = "flows"\n', "").replace('("resp_p",)', '{"flows": ("resp_p",), "dns": ("qtype",)}'),
            "it was given 300 of flows and none of dns, and gave each NaN",
        ),
    ],
)  # fmt: skip
def test_no_opinion_is_no_row_and_it_says_why(attempt, capsys, source, why):
    assert attempt(source, "--json") == 0
    out, said = capsys.readouterr()
    assert out == ""
    assert f"doors: no row got a score: {why}" in said.splitlines()[-1]


def test_of_a_model_that_nobody_made_it_says_so(scan, root, tmp_path, capsys):
    source = (root / "detectors/dijkwacht_detectors/unlike_others.py").read_text("utf-8")
    (tmp_path / "alike.py").write_text(source.replace('name = "unlike_others"', 'name = "alike"'))
    metrics = tmp_path / "m.csv"
    metrics.write_text("timestamp,CPU Usage (%)\n" + "".join(f"{n},{n % 7}\n" for n in range(9)))
    assert main(["try", str(tmp_path / "alike.py"), str(metrics)]) == 0
    assert "it scores by a model made of what it keeps, and none" in capsys.readouterr().err


def test_a_line_says_how_many_rows_it_stands_for(attempt, make_scan, capsys):
    again = make_scan("again.pcap", BEGIN + 600_000_000, "192.168.7.66")
    source = GOOD.replace('window["resp_p"].astype(float) - self.highest', "window.time * 1e-15")
    assert attempt(source, str(again), "--top", "2", "--json") == 0
    out, said = capsys.readouterr()
    assert [json.loads(line)["rows"] for line in out.splitlines()] == [2, 2]
    assert said.splitlines()[-1] == (
        "a line is the strongest row of one who, whom and port: 600 scores are 300 lines, "
        "2 of them shown, for 4 scores"
    )


def test_what_is_all_shown_needs_no_remark(attempt, capsys):
    assert attempt(GOOD, "--top", "300") == 0
    assert capsys.readouterr().err.splitlines()[-1] == "300 scores on 300 rows"


def test_a_table_beside_the_file_is_seen(attempt, tmp_path, capsys):
    table = {"detector": "doors", "version": 1, "made": "", "scores": [0, 1], "per_week": [1, 0]}
    (tmp_path / "doors.json").write_text(json.dumps(table))
    assert attempt(GOOD) == 0
    assert "doors: interrupts by doors.json beside it" in capsys.readouterr().err

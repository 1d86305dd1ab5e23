"""`dijkwacht evaluate`: rows by detector, one's own among them; two sets on the same files; the page."""

import json

import msgspec
import pytest

from dijkwacht.cli import main
from dijkwacht.offline import OfflineCollector, cut
from dijkwacht.recording import Recorded
from dijkwacht.score_watch import ScoreWatch
from dijkwacht.stopwatch import spent_by
from dijkwacht.trials import Trial, play
from dijkwacht_collector.engine import DetectorSet
from dijkwacht_collector.policy import Calibration
from dijkwacht_lab.labels import read_labels

SOURCE = """
import numpy as np

from dijkwacht_detectors.api import SiteDetector


class {title}(SiteDetector):
    name = "{name}"
    table = "flows"
    reads = ("resp_p",)
    kind = "scan"

    def score_many(self, window):
        return {score}

    def learn_many(self, window):
        pass
"""
BROKEN = """
from dijkwacht_detectors.api import Explanation, WindowDetector


class Broken(WindowDetector):
    name = "broken"
    table = "flows"
    reads = ("resp_p",)
    entity = "site"
    kind = "scan"
    technique = "T1046"

    def score(self, window, state):
        raise ValueError("made up" if window["resp_p"].max() == 1 else "only real rows are named")

    def learn(self, window, state):
        pass

    def explain(self, facts):
        return Explanation("", "", "", "")
"""
SHUT = "np.where(window['resp_p'] != 443, 50.0, 0.0)"
EVERYTHING = "np.full(len(window), 50.0)"
CONN = (
    "#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\t"
    "proto\tduration\tconn_state\n"
)
BEGIN_S = (1_700_000_000, 1_700_000_120, 1_700_000_240)
TABLE = Calibration("", 1, "for a test", [0.0, 10.0, 60_000.0], [168.0, 1e-6, 1e-9])


def write(folder, name, score):
    """A detector of one's own with a calibration table; whatever it scores 50 interrupts."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(SOURCE.format(title=name.title(), name=name, score=score))
    table = msgspec.structs.replace(TABLE, detector=name)
    (folder / f"{name}.json").write_bytes(msgspec.json.encode(table))
    return path


@pytest.fixture
def labels(tmp_path, make_scan):
    """A port scan, and three connections in four minutes."""
    calls = (f"{t}\tC{t}\t10.0.0.1\t1\t10.0.0.2\t443\ttcp\t0\tSF\n" for t in BEGIN_S)
    (tmp_path / "quiet.log").write_text(CONN + "".join(calls))
    make_scan("scan.pcap", BEGIN_S[0] * 1_000_000, "192.168.7.66")
    (tmp_path / "LABELS.csv").write_text(
        "kind,file,label_rule,n\n"
        "scan.vertical,scan.pcap,all: src 192.168.7.66,600\n"
        "benign.app,quiet.log,all benign,3\n"
    )
    return str(tmp_path / "LABELS.csv")


@pytest.fixture
def scoreboard(labels, capsys):
    """Run the command with ``--json``; the result."""

    def run(*words, rc=0, jobs="1"):
        assert main(["evaluate", labels, "--jobs", jobs, "--json", *map(str, words)]) == rc
        return json.loads(capsys.readouterr().out)

    return run


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ones_own_is_a_row_like_any_other(tmp_path, scoreboard, jobs):
    mine = write(tmp_path / "mine", "knocks", SHUT)
    result = scoreboard("--detectors", mine, "--without", "scan", jobs=jobs)
    row = result["detectors"]["knocks"]
    assert (row["caught"], row["caught_alone"]) == (1, ["scan.pcap"])
    assert (row["false"], row["own"], row["share"]) == (0, True, 1 / 30)
    assert (row["strongest_on_attacks"], row["strongest_on_benign"]) == (50.0, 0.0)
    assert row["nanoseconds_per_row"] > 0
    assert row.keys() == result["detectors"]["beacon"].keys()
    assert "scan" not in result["detectors"]
    [scan] = [line for line in result["files"] if line["file"] == "scan.pcap"]
    assert scan["scores"]["knocks"] == [50.0, row["line"]]
    assert 0 < row["line"] <= 50


def test_what_two_catch_neither_catches_alone(tmp_path, scoreboard):
    write(tmp_path / "mine", "knocks", SHUT)
    result = scoreboard("--detectors", tmp_path / "mine")
    assert result["detectors"]["scan"]["caught"] == 1
    assert result["detectors"]["scan"]["caught_alone"] == []
    assert result["detectors"]["knocks"]["caught_alone"] == []


def test_once_asks_nobody_who_catches_alone(scoreboard, monkeypatch):
    played = []

    def listen(trials, *words):
        played.extend(trials)
        return play(trials, *words)

    for module in ("dijkwacht.evaluate", "dijkwacht.detector_sets"):
        monkeypatch.setattr(module + ".play", listen)
    assert scoreboard("--once")["detectors"]["scan"]["caught_alone"] is None
    assert len(played) == 2
    played.clear()
    assert scoreboard()["detectors"]["scan"]["caught_alone"] == ["scan.pcap"]
    assert [trial.without for trial in played[2:]] == [{"scan"}]


def test_a_detector_that_cries_wolf_breaks_its_promise(tmp_path, labels, capsys):
    mine = str(write(tmp_path / "mine", "wolf", EVERYTHING))
    words = ["evaluate", labels, "--jobs", "1", "--detectors", mine]
    assert main([*words, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    row, whole = result["detectors"]["wolf"], result["promise"]
    weeks = result["benign"]["site_weeks"]
    assert (row["false"], row["realised"]) == (1, 1)
    assert row["promised"] == pytest.approx(weeks / 30)
    assert row["realised_over_promised"] == pytest.approx(30 / weeks)
    assert whole["share"] == pytest.approx(
        sum(each["share"] for each in result["detectors"].values())
    )
    assert whole["promised"] == pytest.approx(weeks * whole["share"])
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "\nwolf " in told
    assert "promise      wolf: 1 interruption on benign files" in told


def test_two_sets_are_judged_by_the_same_files(tmp_path, labels, scoreboard, capsys):
    result = scoreboard("--without", "scan", "--against", "shipped")
    assert result["against"]["set"] == "shipped"
    assert result["against"]["caught"] == {
        "both": 0, "only_here": [], "only_there": ["scan.pcap"], "neither": 0, "p": 1.0,
    }  # fmt: skip
    assert result["against"]["false"]["neither"] == 1
    words = ["evaluate", labels, "--jobs", "1", "--without", "scan", "--against", "shipped"]
    assert main(words) == 0
    assert "caught there only: scan.pcap" in capsys.readouterr().out


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_two_versions_of_one_detector_are_compared(tmp_path, scoreboard, jobs):
    """Both files have one name, and both detectors."""
    here = write(tmp_path / "here", "knocks", SHUT)
    there = write(tmp_path / "there", "knocks", EVERYTHING)
    found = scoreboard("--detectors", here, "--against", there, jobs=jobs)["against"]
    assert (found["caught"]["both"], found["false"]["only_there"]) == (1, ["quiet.log"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--against", "shipped"],
            "--against shipped: the same set; give --detectors or --without",
        ),
        (["--against", "none.py"], "none.py"),
        (["--html", "no/such/page.html"], "--html no/such/page.html: cannot be written there"),
        (["--html", "."], "--html .: cannot be written there"),
    ],
)
def test_a_mistake_is_one_line_before_any_work(labels, capsys, monkeypatch, words, said):
    monkeypatch.setattr("dijkwacht.evaluate.play", None)
    assert main(["evaluate", labels, *words]) == 2
    out, told = capsys.readouterr()
    assert out == ""
    [line] = told.strip().splitlines()
    assert said in line


def test_the_page_is_written_beside_the_table(tmp_path, labels, capsys):
    page = tmp_path / "page.html"
    words = ["evaluate", labels, "--jobs", "1", "--without", "scan", "--html", str(page)]
    assert main([*words, "--against", "shipped"]) == 0
    assert capsys.readouterr().out.startswith("class ")
    text = page.read_text("utf-8")
    assert "Against shipped" in text
    assert "scan.pcap" in text


def test_a_stopwatch_counts_each_detector_for_itself(scan):
    rows = list(Recorded([scan]).rows())
    detectors = DetectorSet()
    watch = ScoreWatch(detectors, ["scan"])
    with OfflineCollector(detectors=detectors, watch=watch) as collector:
        spent = spent_by(collector.hosted)
        assert set(spent.values()) == {0.0}
        for batch in cut(rows, 100):
            collector.play("lab", batch)
        collector.finish()
    assert spent["scan"] > 0
    assert spent.keys() == {one.name for one in detectors.detectors()}
    assert spent["dns_tunnel"] == 0.0, "no row was its"
    assert watch.cpu_s > 0


def test_a_trial_leaves_out_ones_own_too(tmp_path, labels):
    own = [write(tmp_path / "mine", "knocks", SHUT)]
    listed = read_labels(tmp_path / "LABELS.csv")[:1]
    names = [frozenset(), frozenset({"knocks"}), frozenset({"knocks", "scan"})]
    trials = [Trial(listed[0], without) for without in names]
    found = {trial.without: judged for trial, judged in play(trials, own=own)}
    assert [found[without].status for without in names] == ["caught", "caught", "missed"]
    assert "knocks" not in found[names[1]].outcome.scored


def test_one_that_fails_does_so_on_real_rows_alone(tmp_path, labels, capsys, caplog):
    """It is warmed up, to compile it, on rows that nobody has sent: those are not spoken of."""
    (tmp_path / "broken.py").write_text(BROKEN)
    assert (
        main(["evaluate", labels, "--jobs", "1", "--detectors", str(tmp_path / "broken.py")]) == 0
    )
    assert "\nbroken " in capsys.readouterr().out
    failures = {str(record.exc_info[1]) for record in caplog.records if record.exc_info}
    assert failures == {"only real rows are named"}

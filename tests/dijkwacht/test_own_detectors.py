"""`--detectors DIR`: detectors of one's own in every command, which cost the others nothing."""

import asyncio
import json
import logging
import re
import signal
import subprocess
import sys
import urllib.request

import msgspec
import numpy as np
import pytest
from aiohttp.test_utils import TestClient, TestServer

from dijkwacht.cli import main
from dijkwacht.evaluate import evaluate
from dijkwacht.offline import OfflineCollector, cut
from dijkwacht.recording import Recorded
from dijkwacht_collector.app import build_app
from dijkwacht_collector.engine import DetectorSet
from dijkwacht_collector.engine.checkpoints import load, save
from dijkwacht_collector.engine.detector_set import MOST_OWN
from dijkwacht_collector.policy import Calibration
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_collector.sites import Sites
from dijkwacht_lab.labels import read_labels
from dijkwacht_lab.recordings import recording
from dijkwacht_records.errors import SettingsError
from dijkwacht_records.wire import encode

BEGIN = 1_700_000_000_000_000

SOURCE = """
import numpy as np

from dijkwacht_detectors.api import SiteDetector


class {title}(SiteDetector):
    name = "{name}"
    table = "flows"
    reads = ("resp_p",)
    share = 0.5  # nobody asks for it

    def __init__(self):
        self.rows = 0

    def score_many(self, window):
        return np.full(len(window), {score})

    def learn_many(self, window):
        self.rows += len(window)
"""
TABLE = Calibration("steady", 1, "for a test", [0.0, 10.0, 60_000.0], [168.0, 1e-6, 1e-9])


def write(folder, name="steady", score=50_000.0, file=""):
    folder.mkdir(exist_ok=True)
    path = folder / f"{file or name}.py"
    path.write_text(SOURCE.format(title=name.title().replace("_", ""), name=name, score=score))
    return path


@pytest.fixture(autouse=True)
def _own_log(monkeypatch):
    """`collect` logs to the standard error of its test alone."""
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.root.level)


@pytest.fixture
def folder(tmp_path):
    """A folder with a detector that finds every flow as strange as the next."""
    return write(tmp_path / "mine").parent


@pytest.fixture
def calibrated(folder):
    (folder / "steady.json").write_bytes(msgspec.json.encode(TABLE))
    return folder


@pytest.fixture
def labels(tmp_path, scan, quiet):
    (tmp_path / "LABELS.csv").write_text(
        "kind,file,label_rule,n\n"
        f"scan.vertical,{scan.name},all: src 192.168.7.66,600\n"
        f"benign.app,{quiet.name},all benign,4\n"
    )
    return tmp_path / "LABELS.csv"


def lines(detectors):
    """Detector → the score from which it interrupts a new site, and its budget there."""
    engine = detectors.engine()
    found = {}
    for number, detector in enumerate(engine.host.detectors):
        policy = engine.policy.detectors[number]
        policy.make_room(1)
        found[detector.name] = (policy.threshold[0], policy.budget[0])
    return found


def test_nobody_elses_lines_move(calibrated):
    shipped = lines(DetectorSet())
    with_table = lines(DetectorSet.with_own([calibrated]))
    assert with_table.pop("steady") == (10.0, pytest.approx(1 / 30)), "whatever share it declares"
    assert with_table == shipped
    (calibrated / "steady.json").unlink()
    without = lines(DetectorSet.with_own([calibrated]))
    assert without.pop("steady") == (np.inf, 0.0)
    assert without == shipped


def test_replay_shows_it_and_its_incidents_stay_byte_equal(folder, capsysbinary):
    traffic = str(recording("demo") / "traffic.pcap")
    assert main(["replay", traffic]) == 0
    without, said = capsysbinary.readouterr()
    assert b"steady" not in said
    assert main(["replay", traffic, "--detectors", str(folder)]) == 0
    with_it, said = capsysbinary.readouterr()
    assert with_it == without
    assert with_it
    first, last = [line for line in said.decode().splitlines() if line.startswith("steady: ")]
    assert first == (
        "steady: runs in shadow, it is scored and never interrupts: "
        "no calibration table steady.json lies beside steady.py"
    )
    assert re.fullmatch(
        r"steady: in shadow, [\d,]+ rows scored, the strongest 5e\+04 at 20\d\d-\S+ \S+ \S+ on \S+ → \S+",
        last,
    )


def test_replay_as_json_leaves_the_scores_out(folder, quiet, capsys):
    assert main(["replay", str(quiet), "--detectors", str(folder / "steady.py"), "--json"]) == 0
    said = capsys.readouterr().err
    assert "steady: runs in shadow" in said
    assert "strongest" not in said


def test_a_detector_that_never_had_an_opinion_is_shown_as_such(tmp_path, quiet, capsys):
    mute = write(tmp_path / "mine", "mute", "np.nan")
    assert main(["replay", str(quiet), "--detectors", str(mute)]) == 0
    assert "mute: in shadow, no row got a score" in capsys.readouterr().err


def test_with_a_table_beside_it_it_interrupts_and_the_promise_grows(calibrated, scan, capsys):
    assert main(["replay", str(scan), "--detectors", str(calibrated)]) == 0
    out, said = capsys.readouterr()
    told = [json.loads(line) for line in out.splitlines()]
    assert "steady" in {finding["finding_info"]["analytic"]["uid"] for finding in told}
    assert (
        "steady: interrupts by steady.json beside it, with 1/30 of the alert budget on top: "
        "the promise of false interruptions a week grows by 1/30 of the budget"
    ) in said
    assert "steady: in shadow" not in said


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_evaluate_has_a_section_for_it_in_every_process(folder, labels, capsys, jobs):
    words = ["evaluate", str(labels), "--jobs", jobs]
    assert main([*words, "--json"]) == 0
    without = json.loads(capsys.readouterr().out)
    assert main([*words, "--detectors", str(folder), "--json"]) == 0
    shipped = without.pop("detectors")
    out, said = capsys.readouterr()
    with_it = json.loads(out)
    steady = with_it["detectors"].pop("steady")
    assert steady["rows_scored"] == 301
    assert (steady["strongest_on_attacks"], steady["strongest_on_benign"]) == (50_000.0, 50_000.0)
    assert (steady["own"], steady["share"], steady["line"]) == (True, 0.0, None)
    assert "steady: runs in shadow" in said
    for row in (*shipped.values(), *with_it["detectors"].values()):
        row.pop("nanoseconds_per_row")
    assert with_it.pop("detectors") == shipped
    for result in (without, with_it):
        for line in (result, *result["files"]):
            line.pop("cpu_seconds", line.pop("cpu_seconds_per_million_flows", None))
            line.get("scores", {}).pop("steady", None)
    assert with_it == without


def test_evaluate_finds_the_same_incidents(folder, labels):
    def found(own):
        judged = sorted(evaluate(read_labels(labels), own=own), key=lambda j: j.labelled.file)
        return [msgspec.json.encode(list(j.outcome.incidents)) for j in judged]

    assert found([folder]) == found([])


def test_the_scoreboard_for_people_has_a_line_for_it(tmp_path, labels, capsys):
    write(tmp_path / "mine", "ports", "window['resp_p'] + 0.5")
    write(tmp_path / "mine", "mute", "np.nan")
    chosen = str(tmp_path / "mine")
    assert main(["evaluate", str(labels), "--jobs", "1", "--detectors", chosen]) == 0
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    [mute] = [words for words in told if words[0] == "mute"]
    [ports] = [words for words in told if words[0] == "ports"]
    assert (mute[1:6], mute[7:]) == (["0"] * 5, ["–"] * 3)
    assert (ports[1:6], ports[7:]) == (["0"] * 5, ["300.5", "443.5", "–"])


def test_try_takes_it_beside_its_own_file(folder, tmp_path, scan, capsys):
    ports = str(write(tmp_path / "more", "ports", "window['resp_p'] + 60_000.0"))
    assert (
        main(["try", ports, str(scan), "--detectors", str(folder), "--top", "301", "--json"]) == 0
    )
    out, said = capsys.readouterr()
    assert [json.loads(line)["detector"] for line in out.splitlines()].count("ports") == 300
    assert json.loads(out.splitlines()[-1])["detector"] == "steady"
    assert "steady: runs in shadow" in said
    steady = str(folder / "steady.py")
    assert main(["try", steady, str(scan), "--detectors", str(folder)]) == 0, "the same file"
    twin = str(write(tmp_path / "more", "steady"))
    assert main(["try", twin, str(scan), "--detectors", str(folder)]) == 2
    assert "has a detector named steady, too" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("scan.py", SOURCE.format(title="Scan", name="scan", score=1), "scan is shipped already"),
        ("twin.py", SOURCE.format(title="Twin", name="steady", score=1), "named steady, too"),
        ("broken.py", "class Broken(:\n", "line 1: invalid syntax"),
        ("raises.py", "1 / 0\n", "cannot be loaded: ZeroDivisionError: division by zero"),
        ("leaves.py", "raise SystemExit(0)\n", "cannot be loaded: SystemExit: 0"),
        ("empty.py", "", "holds no class that is a detector"),
        ("odd.py", SOURCE.format(title="Odd", name="odd", score=1).replace("flows", "flaws"), "table 'flaws'"),
        ("steady.json", "{", "steady.json: no calibration table: "),
        ("steady.json", '{"detector": 1}', "steady.json: no calibration table: "),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_one_line(folder, quiet, name, text, why, capsys):
    (folder / name).write_text(text)
    for words in (["replay", str(quiet)], ["collect", "--state", str(folder / "state")]):
        assert main([*words, "--detectors", str(folder)]) == 2
        out, said = capsys.readouterr()
        assert out == ""
        assert len(said.splitlines()) == 1
        assert name in said
        assert why in said


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"detector": "other"}, "detector 'other': expected 'steady'"),
        ({"version": 0}, "version 0: expected 1 or more"),
        ({"scores": [1.0], "per_week": [1.0]}, "1 scores: expected 2 to 1000"),
        ({"per_week": [1.0]}, "1 per_week: expected 3"),
        ({"scores": [0.0, 10.0, 10.0]}, "scores: expected to rise"),
        ({"per_week": [1.0, 2.0, 0.0]}, "per_week: expected not to rise"),
        ({"per_week": [169.0, 1.0, 0.0]}, "per_week: expected hours of a week"),
        ({"per_week": [1.0, 0.0, -1.0]}, "per_week: expected hours of a week"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(calibrated, change, why):
    table = msgspec.structs.replace(TABLE, **change)
    (calibrated / "steady.json").write_bytes(msgspec.json.encode(table))
    with pytest.raises(SettingsError, match=re.escape(f"steady.json: {why}")):
        DetectorSet.with_own([calibrated])


def test_files_are_taken_once_and_what_is_no_detector_by_its_name_not_at_all(folder, tmp_path):
    (folder / "_notes.py").write_text("1 / 0\n")
    (folder / "notes.txt").write_text("not Python\n")
    more = write(tmp_path / "more", "ports").parent
    chosen = DetectorSet.with_own([folder, folder / "steady.py", more])
    assert [d.name for d in chosen.own] == ["steady", "ports"]
    (more / "none").mkdir()
    with pytest.raises(SettingsError, match="holds no Python file"):
        DetectorSet.with_own([more / "none"])
    with pytest.raises(SettingsError, match="nowhere: no such file"):
        DetectorSet.with_own([more / "nowhere"])
    with pytest.raises(SettingsError, match="not a Python file"):
        DetectorSet.with_own([folder / "notes.txt"])
    (more / "none" / "packed.py").write_bytes(b"\0")
    with pytest.raises(SettingsError, match=r"packed\.py: .*cannot contain null"):
        DetectorSet.with_own([more / "none"])
    write(more, "doors", file="steady")
    with pytest.raises(SettingsError, match="called the same"):
        DetectorSet.with_own([folder, more])


def test_there_are_so_many_at_most(folder):
    for number in range(MOST_OWN):
        write(folder, f"d{number}")
    with pytest.raises(SettingsError, match=f"{MOST_OWN + 1} detectors: at most {MOST_OWN}"):
        DetectorSet.with_own([folder])


def test_a_file_hides_no_module_of_its_name(tmp_path, quiet):
    write(tmp_path / "mine", "json")
    assert main(["replay", str(quiet), "--detectors", str(tmp_path / "mine")]) == 0
    assert sys.modules["json"] is json


def test_a_restart_goes_on_and_without_one_of_its_own_the_others_do(folder, scan, tmp_path):
    chosen = DetectorSet.with_own([folder])
    watched = []
    with OfflineCollector(detectors=chosen, watch=lambda *_: watched.append(1)) as player:
        for batch in cut(Recorded([scan]).rows(), 100):
            player.play("bakery", batch)
            player.restart()
        player.finish()
        assert [incident.kind for incident in player.outcome.final()] == ["scan"]
        save(player._engine, tmp_path / "checkpoint")
    assert watched
    without = DetectorSet().engine()
    load(without, tmp_path / "checkpoint")
    assert [incident.kind for incident in without.open_incidents()] == ["scan"]
    assert "steady" not in [detector.name for detector in without.host.detectors]


async def collected(state, rows, detectors):
    """What a collector says of the rows of a site: its incidents, its health, its metrics."""
    sites = Sites(state / "sites.db")
    sites.open()
    sites.add("bakery", BEGIN)
    token = sites.make_token("bakery", "desk", BEGIN)
    sites.close()
    settings = CollectorSettings(state=state, training=False)
    app = await asyncio.to_thread(build_app, settings, lambda: BEGIN, detectors)
    async with TestClient(TestServer(app)) as client:
        client.session.headers["Authorization"] = f"Bearer {token}"
        batches = list(cut(rows, 100))
        for seq, batch in enumerate(batches):
            end = max(int(row[0]) for _, row in batch)
            body = encode("bakery", "desk", bytes(16), seq, end, batch)
            assert (await client.post("/v1/batches", data=body)).status == 200
        async with asyncio.timeout(30):
            health = await (await client.get("/healthz")).json()
            while health["engine_position"] < 128 + len(batches):
                health = await (await client.get("/healthz")).json()
        incidents = await (await client.get("/v1/incidents")).read()
        return incidents, health, await (await client.get("/metrics")).text()


@pytest.mark.usefixtures("loud")
async def test_collect_finds_the_same_incidents_and_counts_its_rows(folder, scan, tmp_path):
    rows = list(Recorded([scan]).rows())
    number, last = rows[-1]
    rows.append((number, (int(last[0]) + 120_000_000, *last[1:])))  # ends windows
    own = DetectorSet.with_own([folder])
    told = {}
    for name, detectors in (("with", own), ("without", None)):
        state = tmp_path / name
        state.mkdir(mode=0o700)
        told[name] = await collected(state, rows, detectors)
    assert told["with"][0] == told["without"][0]
    assert b'"scan"' in told["with"][0]
    assert (told["with"][1]["shadow"], told["without"][1]["shadow"]) == (["steady"], [])
    said = re.findall(r'detector_scored_rows_total{detector="(\w+)"} (\S+)', told["with"][2])
    counts = {detector: float(count) for detector, count in said}
    assert counts["steady"] == len(rows) - 1, "the window of the last row is open"
    assert counts["scan"] > 0
    assert counts["arp_spoof"] == 0


def test_collect_shows_it(folder, tmp_path):
    command = [
        sys.executable, "-m", "dijkwacht.cli", "collect", "--state", str(tmp_path / "state"),
        "--listen", "127.0.0.1:0", "--detectors", str(folder),
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        said = ""
        for line in process.stderr:
            said += line
            if found := re.search(r"listening on (http://\S+)", line):
                break
        assert found, said
        assert '"detector":"steady"' in said
        assert "never interrupts: no calibration table steady.json" in said
        with urllib.request.urlopen(f"{found[1]}/healthz", timeout=10) as answer:
            assert json.load(answer)["shadow"] == ["steady"]
        with urllib.request.urlopen(f"{found[1]}/metrics", timeout=10) as answer:
            shown = answer.read().decode()
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        assert process.wait(30) == 0
    for detector in ("steady", "scan"):
        assert f'dijkwacht_detector_scored_rows_total{{detector="{detector}"}} 0.0' in shown

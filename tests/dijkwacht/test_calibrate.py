"""`dijkwacht calibrate`: a table of one's own detector, and what its report says."""

import json
import signal
import subprocess
import sys
import time

import psutil
import pytest

from dijkwacht.cli import main
from dijkwacht_collector.policy import OWN_SHARE, read_calibration
from dijkwacht_lab.calibrate import line_of
from dijkwacht_lab.halves import half_of_benign

SOURCE = '''
import numpy as np

from dijkwacht_detectors.api import SiteDetector


class Doors(SiteDetector):
    """A score."""

    name = "doors"
    table = "flows"
    reads = ("resp_p",)

    def score_many(self, window):
        return {score}
'''
PORTS = "np.log2(1 + window['resp_p'])"
SMALL = ["--offices", "0", "--jobs", "1"]


@pytest.fixture
def doors(tmp_path):
    def write(score=PORTS, change=("", "")):
        folder = tmp_path / "mine"
        folder.mkdir(exist_ok=True)
        path = folder / "doors.py"
        path.write_text(SOURCE.replace("{score}", score).replace(*change))
        return path

    return write


@pytest.fixture
def listed(tmp_path, quiet):
    """A list of some benign files of both halves, and one with an attack."""

    def write(kind="benign.app", halves="AB"):
        folder = tmp_path / "captures"
        folder.mkdir()
        names = [f"{n}.pcap" for n in range(40)]
        chosen = [n for n in names if half_of_benign(f"captures/{n}") in halves][:8]
        for name in chosen:
            (folder / name).write_bytes(quiet.read_bytes())
        lines = [f"{kind},{name},all benign,4" for name in chosen]
        lines.append("scan.vertical,nothing.pcap,all: src 192.168.7.66,4")
        (folder / "LABELS.csv").write_text("\n".join(["kind,file,label_rule,n", *lines]) + "\n")
        return folder / "LABELS.csv", sum(half_of_benign(f"captures/{n}") == "A" for n in chosen)

    return write


@pytest.fixture
def in_utc(monkeypatch):
    """Times are told in the reader's own zone."""
    with monkeypatch.context() as there:
        there.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_utc")
def test_it_makes_a_table_and_a_page_beside_the_detector(doors, scan, quiet, capsys):
    path = doors()
    assert main(["calibrate", str(path), str(scan), str(quiet), *SMALL]) == 0
    out, said = capsys.readouterr()
    table = read_calibration(path.with_name("doors.json"), "doors")
    line = line_of(table, OWN_SHARE)
    assert line > 8.8, "a benign hour had port 443"
    lines = out.splitlines()
    assert lines[0] == (
        "doors: learned from 2 recordings and 0 generated offices, 2 hours with rows: 0.012 site-weeks"
    )
    assert "doors: 301 of 301 rows of flows got a score, 301 above 0" in lines
    assert any(
        told.startswith(f"doors: the line is {line:.2f}: so strange is an hour in 30")
        for told in lines
    )
    assert "doors: 0 hours of what it learned from are at the line or above" in lines
    assert lines[-2].split() == [
        "8.794", "2023-11-14", "22:13:20", "UTC", "1", "192.168.7.5", "→", "192.0.2.1:443", str(quiet),
    ]  # fmt: skip
    assert lines[-1].startswith(
        "     8.234  2023-11-14 22:13:26 UTC      1  192.168.7.66 → 192.168.7.2:300"
    )
    assert said.splitlines()[-1] == f"wrote doors.json and doors.html beside {path}"
    page = path.with_name("doors.html").read_text("utf-8")
    assert f"the line, {line:.2f}" in page
    assert "192.168.7.5 → 192.0.2.1:443" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_the_second_time_it_says_what_the_line_was(doors, scan, capsys):
    path = doors()
    assert main(["calibrate", str(path), str(scan), *SMALL]) == 0
    before = line_of(read_calibration(path.with_name("doors.json"), "doors"), OWN_SHARE)
    doors("8 * " + PORTS)
    assert main(["calibrate", str(path), str(scan), *SMALL]) == 0
    assert f"; it was {before:.2f}: so strange" in capsys.readouterr().out


def test_offices_are_heard_and_the_same_by_any_number_of_processes(doors, quiet, capsys):
    path = doors()
    words = ["calibrate", str(path), str(quiet), "--offices", "4", "--days", "0.03", "--json"]
    tables = []
    for jobs in ("1", "2"):
        assert main([*words, "--jobs", jobs]) == 0
        tables.append(path.with_name("doors.json").read_bytes())
        facts = json.loads(capsys.readouterr().out)
    assert tables[0] == tables[1]
    assert [(s["name"], s["generated"]) for s in facts["sources"]] == [
        (str(quiet), False),
        *((f"generated office {n}", True) for n in (1, 2, 3, 4)),
    ]
    assert facts["share"] == OWN_SHARE
    assert facts["line_high"] > facts["line"]
    assert facts["rows_above_0"] > 100
    assert facts["strongest"][0]["source"].startswith("generated office")


def test_of_the_offices_the_loudest_quarter_is_said_not_to_count(doors, capsys):
    words = ["--offices", "4", "--days", "0.01", "--jobs", "1"]
    assert main(["calibrate", str(doors()), *words]) == 0
    assert (
        "doors: 1 office of these, where it spoke strongest, not counted" in capsys.readouterr().out
    )


def test_of_a_list_it_takes_what_is_benign_of_half_a(doors, listed, capsys):
    labels, of_a = listed()
    assert 0 < of_a < 8
    for words, many in (([], of_a), (["--all"], 8)):
        assert main(["calibrate", str(doors()), str(labels), *words, *SMALL, "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["sources"]) == many


@pytest.mark.parametrize(
    ("kind", "halves", "why"),
    [
        ("benign.app", "B", "none of 8 benign files is in half A; --all takes them all"),
        ("dos.syn", "AB", "lists no benign file"),
    ],
)
def test_a_list_without_anything_to_learn_from_is_a_line(doors, listed, kind, halves, why, capsys):
    labels, _ = listed(kind, halves)
    assert main(["calibrate", str(doors()), str(labels), *SMALL]) == 2
    assert capsys.readouterr().err == f"dijkwacht calibrate: {labels}: {why}\n"


@pytest.mark.parametrize(
    ("score", "change", "why"),
    [
        ("np.full(len(window), np.nan)", ("", ""), "no row got a score; dijkwacht try says why"),
        ("-" + PORTS, ("", ""), "a score of 0 or below says that a row is ordinary, and all were"),
        ("np.ones(len(window))", ('"flows"\n    reads = ("resp_p"', '"dns"\n    reads = ("qtype"'),
         "no row of its tables was there"),
    ],
)  # fmt: skip
def test_a_line_that_is_imagined_alone_is_said_to_be(doors, quiet, score, change, why, capsys):
    assert main(["calibrate", str(doors(score, change)), str(quiet), *SMALL]) == 0
    told = f"doors: careful: {why}; the line is what is imagined alone (1 hours a week from 4)"
    assert told in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("score", "change", "words", "why"),
    [
        ("np.full(len(window), 5e4)", ("", ""), SMALL, "doors: a score of 5e+04: a score is the log₂ of"),
        ("1 / 0", ("", ""), SMALL, "doors: doors.py line 15: ZeroDivisionError"),
        (PORTS, ('"doors"', '"scan"'), SMALL, "a detector named scan is shipped, and its table with it"),
        (PORTS, ("    reads", "    interrupts = False\n    reads"), SMALL, "interrupts = False needs no table"),
        (PORTS, ("class", "klass"), SMALL, "doors.py: line 7: invalid syntax"),
        (PORTS, ("", ""), ["--offices", "17"], "--offices 17: 0 to 16"),
        (PORTS, ("", ""), ["--days", "0"], "--days 0: above 0, at most 28"),
        (PORTS, ("", ""), ["--days", "nan"], "--days nan: above 0, at most 28"),
        (PORTS, ("", ""), ["--jobs", "0"], "--jobs 0: at least 1"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_and_leave_no_table(doors, quiet, score, change, words, why, capsys):
    path = doors(score, change)
    assert main(["calibrate", str(path), str(quiet), *words]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("dijkwacht calibrate: ")
    assert why in last
    assert [file.name for file in path.parent.iterdir() if file.is_file()] == ["doors.py"]


def test_a_mistake_in_another_process_is_the_same_line(doors, quiet, scan, capsys):
    assert (
        main(
            [
                "calibrate",
                str(doors("1 / 0")),
                str(quiet),
                str(scan),
                "--offices",
                "0",
                "--jobs",
                "2",
            ]
        )
        == 2
    )
    assert capsys.readouterr().err.endswith(
        "doors: doors.py line 15: ZeroDivisionError: division by zero\n"
    )


def test_nothing_to_learn_from_is_a_line(doors, capsys):
    assert main(["calibrate", str(doors()), *SMALL]) == 2
    assert "--offices 0 and no BENIGN: there is nothing to learn from" in capsys.readouterr().err


def test_where_nothing_is_readable_no_table_is_made(doors, tmp_path, quiet, capsys):
    noise = tmp_path / "noise.bin"
    noise.write_bytes(b"\x00\x01" * 200)
    path = doors()
    assert (
        main(
            ["calibrate", str(path), str(noise), "--offices", "1", "--days", "0.01", "--jobs", "1"]
        )
        == 2
    )
    said = capsys.readouterr().err
    assert str(noise) in said
    assert "no table was made" in said
    assert not path.with_name("doors.json").exists()
    assert main(["calibrate", str(path), str(noise), str(quiet), *SMALL]) == 0, "the rest goes on"
    out, said = capsys.readouterr()
    assert str(noise) in said
    assert "learned from 1 recording and" in out


def test_a_recording_that_breaks_off_is_named_once(doors, tmp_path, scan, capsys):
    (tmp_path / "cut.pcap").write_bytes(scan.read_bytes()[:-5])
    assert main(["calibrate", str(doors()), str(tmp_path / "cut.pcap"), "--offices", "0"]) == 0
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "expected a record" in line]
    assert said.count("cut.pcap: ") == 1


def test_names_of_files_are_no_markup(doors, tmp_path, quiet):
    odd = tmp_path / "<b>quiet.pcap"
    odd.write_bytes(quiet.read_bytes())
    path = doors()
    assert main(["calibrate", str(path), str(odd), *SMALL]) == 0
    page = path.with_name("doors.html").read_text("utf-8")
    assert "<b>quiet" not in page
    assert "&lt;b&gt;quiet.pcap" in page


def test_a_machine_is_one_line_with_its_hours(doors, make_scan, scan, capsys):
    later = make_scan("later.pcap", 1_700_000_000_000_000 + 2 * 3_600_000_000, "192.168.7.66")
    folder = scan.parent / "two"
    folder.mkdir()
    for number, path in enumerate((scan, later)):
        (folder / f"{number}.pcap").write_bytes(path.read_bytes())
    assert main(["calibrate", str(doors()), str(folder), *SMALL, "--json"]) == 0
    [line] = json.loads(capsys.readouterr().out)["strongest"]
    assert (line["hours"], line["who"]) == (2, "192.168.7.66 → 192.168.7.2:300")
    assert line["time"] < 1_700_000_100_000_000


@pytest.mark.usefixtures("ctrl_c_heard")
def test_ctrl_c_ends_it_and_its_processes_at_once(doors):
    words = ["calibrate", str(doors()), "--offices", "2", "--days", "28", "--jobs", "2"]
    running = subprocess.Popen(
        [sys.executable, "-m", "dijkwacht.cli", *words], stderr=subprocess.PIPE, text=True
    )
    deadline, children = time.monotonic() + 60, []
    while len(children) < 3 and time.monotonic() < deadline:  # a tracker of resources among them
        children = psutil.Process(running.pid).children(recursive=True)
    assert len(children) >= 3
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert (running.returncode, said) == (130, "dijkwacht calibrate: stopped\n")
    assert psutil.wait_procs(children, timeout=60)[1] == []

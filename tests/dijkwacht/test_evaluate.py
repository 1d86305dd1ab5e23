"""`dijkwacht evaluate`: files on disk, labels beside them, a table."""

import gc
import json

import psutil
import pytest

from dijkwacht import cli
from dijkwacht.evaluate import evaluate
from dijkwacht.recording import Recorded
from dijkwacht.trials import replay_file
from dijkwacht_lab.labels import read_labels

pytestmark = pytest.mark.usefixtures("loud")


@pytest.fixture
def labels(tmp_path, scan, quiet):
    (tmp_path / "domains.csv").write_text("dga,x\n")
    (tmp_path / "odd").write_bytes(scan.read_bytes()[:100] + b"\xff" * 50)
    (tmp_path / "LABELS.csv").write_text(
        "kind,file,label_rule,n\n"
        "scan.vertical,scan.pcap,all: src 192.168.7.66,600\n"
        "scan.vertical,quiet.pcap,all: src 192.168.7.5,4\n"
        "dns.dga-domains,domains.csv,column 0,900\n"
        "benign.app,quiet.pcap,all benign,4\n"
        "robust.odd,odd,no crash,2\n"
    )
    return tmp_path / "LABELS.csv"


def test_the_scoreboard(labels, capsys):
    assert cli.main(["evaluate", str(labels), "--jobs", "1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    scan = result["classes"]["scan"]
    assert (scan["files"], scan["caught"], scan["missed"]) == (1, 1, [])
    assert scan["small"] == ["quiet.pcap"]
    assert 0 <= scan["detect_seconds_median"] <= 6
    assert result["not_readable"] == ["domains.csv"]
    assert (result["benign"]["files"], result["robust"]["files"]) == (1, 1)
    assert result["crashed"] == {}
    assert result["cpu_seconds_per_million_flows"] > 0


def test_classes_can_be_chosen(labels, capsys):
    assert cli.main(["evaluate", str(labels), "--jobs", "1", "--only", "robust"]) == 0
    assert "robust       1 of 1 survived" in capsys.readouterr().out
    assert cli.main(["evaluate", str(labels), "--only", "nonsense"]) == 2
    assert "--only nonsense: one of benign dns robust scan" in capsys.readouterr().err


def test_half_b_is_looked_at_to_the_end_only(labels, capsys):
    assert cli.main(["evaluate", str(labels), "--half", "B"]) == 2
    assert "--half B: looked at to the end it is another half A" in capsys.readouterr().err
    asked = ["evaluate", str(labels), "--jobs", "1", "--half", "B", "--final", "--only", "scan"]
    assert cli.main(asked) == 0
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.endswith("| B | scan 1/1 | 0 of 0 benign files | 1, at most 1 |")


def test_a_half_with_nothing_in_it_is_said(tmp_path, capsys):
    listed = "kind,file,label_rule\nscan.vertical,scan/somebody__knocks.pcap,all\n"
    (tmp_path / "LABELS.csv").write_text(listed)
    assert cli.main(["evaluate", str(tmp_path / "LABELS.csv"), "--half", "A"]) == 2
    assert "--half A: none of the listed files is in it" in capsys.readouterr().err


def test_what_a_detector_is_worth_shows_without_it(labels, capsys):
    asked = ["evaluate", str(labels), "--jobs", "1", "--only", "scan", "--json"]
    assert cli.main([*asked, "--without", "scan", "flood"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"]["scan"]["caught"] == 0
    assert cli.main([*asked, "--without", "scam"]) == 2
    assert "without scam: one of " in capsys.readouterr().err


def test_several_lists_are_one_scoreboard(labels, tmp_path, scan, capsys):
    """The second list knows a class that the first does not, and a file of the same name."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "scan.pcap").write_bytes(scan.read_bytes())
    (other / "series.csv").write_text("timestamp,value\n2014-02-14 14:30:00,1\n")
    (other / "LABELS.csv").write_text(
        "kind,file,label_rule\n"
        "scan.vertical,scan.pcap,all: src 192.168.7.66\n"
        "hostmetric.nab,series.csv,windows\n"
        "scan.vertical,../scan.pcap,all: src 192.168.7.66\n"
    )
    lists = [str(labels), str(other / "LABELS.csv")]
    assert cli.main(["evaluate", *lists, "--jobs", "1", "--json"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert (result["classes"]["scan"]["files"], result["classes"]["scan"]["caught"]) == (2, 2)
    assert result["not_judged"] == ["series.csv"]
    named = {line["file"] for line in result["files"] if line["kind"] == "scan.vertical"}
    assert named == {str(tmp_path / "scan.pcap"), str(other / "scan.pcap"), "quiet.pcap"}
    assert "listed twice, counted once: scan.vertical" in printed.err
    assert "1 in all" in printed.err
    assert cli.main(["evaluate", *lists, "--jobs", "1", "--only", "hostmetric"]) == 0
    assert "read, but of a class without a rule: series.csv" in capsys.readouterr().out
    assert cli.main(["evaluate", *lists, "--only", "nonsense"]) == 2
    assert "one of benign dns hostmetric robust scan" in capsys.readouterr().err


def test_processes_judge_alike(labels):
    # Other processes do not share this one's loud policy: only what does not hang on it is compared.
    listed = [item for item in read_labels(labels) if item.class_ in {"dns", "robust"}]
    alone = {j.labelled.file: (j.status, j.outcome.rows) for j in evaluate(listed, 1)}
    assert {j.labelled.file: (j.status, j.outcome.rows) for j in evaluate(listed, 2)} == alone


def test_what_should_never_happen_is_told_as_a_crash(scan, monkeypatch):
    def burst(*_):
        raise ZeroDivisionError("here")

    monkeypatch.setattr("dijkwacht.trials.OfflineCollector.play", burst)
    assert replay_file(scan).crash == "ZeroDivisionError: here"


@pytest.mark.captures
def test_odd_captures_do_no_harm(captures):
    listed = [i for i in read_labels(captures / "LABELS.csv") if i.class_ == "robust"]
    judged = list(evaluate(listed))
    assert len(judged) == 498
    assert [j.labelled.file for j in judged if j.status != "survived"] == []
    assert max(j.outcome.wall_s for j in judged) < 10
    refused = [j.outcome.refused for j in judged if j.outcome.refused]
    assert all(": expected " in reason for reason in refused)
    assert len(refused) < 10


@pytest.mark.captures
def test_odd_captures_leave_nothing_behind(captures):
    process = psutil.Process()

    def meter_all():
        for item in read_labels(captures / "LABELS.csv"):
            if item.class_ == "robust":
                for _ in Recorded([item.path]).rows():
                    pass
        gc.collect()
        return process.memory_info().rss

    meter_all()
    first = meter_all()
    assert meter_all() - first < 8 << 20

"""`dijkwacht evaluate --alerts` and `--peers`: others beside us, from the command to the table."""

import json

import pytest

from dijkwacht import cli
from dijkwacht_lab.calibrate import Office
from dijkwacht_lab.peers import benign, measure

pytestmark = pytest.mark.usefixtures("loud")


@pytest.fixture
def labels(tmp_path, scan, quiet):
    (tmp_path / "LABELS.csv").write_text(
        "kind,file,label_rule,n\n"
        "scan.vertical,scan.pcap,all: src 192.168.7.66,600\n"
        "benign.app,quiet.pcap,all benign,4\n"
    )
    return tmp_path / "LABELS.csv"


@pytest.fixture
def notices(tmp_path):
    """What Zeek said of the scan, and of nothing else."""
    path = tmp_path / "zeek" / "scan.pcap" / "notice.log"
    path.parent.mkdir(parents=True)
    path.write_text(
        "#fields\tts\tnote\tsrc\n1700000002.0\tScan::Port_Scan\t192.168.7.66\n"
        "1700000002.0\tMine::Own\t192.168.7.66\n"
    )
    (tmp_path / "zeek" / "quiet.pcap").mkdir()
    return tmp_path / "zeek"


def evaluate(labels, *options):
    return cli.main(["evaluate", str(labels), "--jobs", "1", *options])


def test_a_tools_alerts_stand_beside_us(labels, notices, capsys):
    assert evaluate(labels, "--alerts", str(notices), "--json") == 0
    zeek = json.loads(capsys.readouterr().out)["peers"]["zeek"]
    assert (zeek["classes"]["scan"]["caught"], zeek["classes"]["scan"]["files"]) == (1, 1)
    assert 0 < zeek["caught_files"]["scan.pcap"] <= 2
    assert zeek["benign"]["false_incidents"] == 0
    assert zeek["unmapped"] == {"Mine::Own": 1}
    assert evaluate(labels, "--alerts", str(notices)) == 0
    shown = capsys.readouterr().out
    assert "beside us      dijkwacht       zeek\nscan                 1/1        1/1\n" in shown
    assert "zeek         2 alerts on 2 of 2 files, 0 ignored" in shown


def test_the_mapping_can_be_changed(labels, notices, tmp_path, capsys):
    (tmp_path / "mine.toml").write_text('[zeek]\n"port_scan" = "c2"\n"mine::" = "ignored"\n')
    asked = ["--alerts", str(notices), "--mapping", str(tmp_path / "mine.toml"), "--json"]
    assert evaluate(labels, *asked) == 0
    zeek = json.loads(capsys.readouterr().out)["peers"]["zeek"]
    assert zeek["classes"]["scan"]["missed"] == ["scan.pcap"]
    assert (zeek["unmapped"], zeek["ignored"]) == ({}, 1)


def test_mistakes_are_told_before_anything_is_replayed(
    labels, notices, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("dijkwacht.evaluate.evaluate", None)
    (tmp_path / "mine.toml").write_text('[zeek]\n"a" = "scam"\n')
    (tmp_path / "good.toml").write_text('[zeek]\n"a" = "scan"\n')
    named = tmp_path / "scan.pcap.csv"
    named.write_text("what,who\nscan,192.168.7.66\n")
    for options, said in (
        (["--alerts", str(named)], "scan.pcap.csv: start: expected Suricata EVE, Zeek"),
        (["--alerts", str(tmp_path / "none")], "no such file or folder"),
        (["--alerts", str(labels)], "belongs to one labelled file, and 2 are chosen"),
        (["--mapping", str(tmp_path / "mine.toml")], "'scam': one of arp"),
        (
            ["--mapping", str(tmp_path / "good.toml")],
            "good.toml: is for --alerts, and there are none",
        ),
    ):
        assert evaluate(labels, *options) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line


def test_models_stand_beside_us(labels, capsys, monkeypatch):
    """Of an office's hour: what it takes is what is tested, not how good they are."""
    monkeypatch.setattr(benign, "OFFICES", (Office(1, 5),))
    monkeypatch.setattr(benign, "DAYS", 1 / 24)
    monkeypatch.setattr(measure, "version_of", lambda name: "1.9" if name == "iforest" else None)
    assert evaluate(labels, "--peers") == 0
    printed = capsys.readouterr()
    assert "--peers: without pyod: pip install 'dijkwacht[peers]' brings it" in printed.err
    assert "peers know no classes" in printed.err
    head, scan = printed.out.partition("beside us")[2].splitlines()[:2]
    assert head.split() == ["dijkwacht", "iforest"]
    assert [cell[-2:] for cell in scan.split()[1:]] == ["/1", "/1"]
    assert "iforest      scikit-learn 1.9, isolation forest, 100 trees" in printed.out
    assert "of 0.01 site-weeks" in printed.out

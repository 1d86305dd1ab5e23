"""Any mix of captures and logs is one recording."""

import gzip
import io
import os
import threading
from pathlib import Path

import pytest

from dijkwacht.recording import Recorded
from dijkwacht_agent.system.metrics import METRICS
from dijkwacht_records import gzipped
from dijkwacht_records.errors import SettingsError
from dijkwacht_records.tables import FLOWS

CONN = (
    "#separator \\x09\n#path\tconn\n"
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\tconn_state\n"
)


def conn(*times):
    return CONN + "".join(f"{t}\tC{t}\t10.0.0.1\t1\t10.0.0.2\t2\ttcp\t0\tSF\n" for t in times)


def test_captures_and_logs_are_merged_by_time(tmp_path, scan):
    (tmp_path / "conn.log").write_text(conn(1_700_000_003, 1_700_000_001, 1_800_000_000))
    recorded = Recorded([scan, tmp_path / "conn.log"])
    times = [row[0] for number, row in recorded.rows() if number == 0]
    assert times == sorted(times)
    assert recorded.readable == 2
    assert recorded.packets == 600
    assert len(recorded.problems) == 0


def test_folders_are_read_and_what_is_no_recording_is_named(tmp_path, scan):
    inner = tmp_path / "logs" / "2026"
    inner.mkdir(parents=True)
    (inner / "conn.log.gz").write_bytes(gzip.compress(conn(5).encode()))
    (inner / ".hidden").write_text("x")
    (inner / "notes.txt").write_text("hello")
    (inner / "http.log").write_text("#fields\tts\thost\n1\tx\n")
    recorded = Recorded([tmp_path])
    assert list(recorded.rows())
    assert recorded.readable == 2
    named = " | ".join(str(problem) for problem in recorded.problems)
    assert "notes.txt: start: expected packets (pcap, pcapng), Zeek logs, " in named
    assert "http.log: line 1: expected one of the logs" in named
    assert ".hidden" not in named


@pytest.mark.parametrize(
    "content", [b"", b"nothing of ours", b"\x00" * 50, b"StartTime,Dur\n1,2\n"]
)
def test_nothing_readable_is_zero_not_an_error(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    recorded = Recorded([path, tmp_path / "missing"])
    assert list(recorded.rows()) == []
    assert recorded.readable == 0
    assert len(recorded.problems) == 2


def test_a_cut_capture_gives_what_it_holds(scan):
    scan.write_bytes(scan.read_bytes()[:-7])
    recorded = Recorded([scan])
    assert list(recorded.rows())
    assert (recorded.packets, recorded.damaged) == (599, 1)


def test_a_packed_capture_says_the_same(tmp_path, scan):
    plain = Recorded([scan])
    rows = list(plain.rows())
    folder = tmp_path / "packed"
    folder.mkdir()
    (folder / "scan.pcap.gz").write_bytes(gzip.compress(scan.read_bytes()))
    packed = Recorded([folder])
    assert list(packed.rows()) == rows
    assert (packed.packets, packed.readable, packed.damaged) == (600, 1, 0)


def test_a_packed_capture_that_breaks_off_gives_what_it_holds(tmp_path, scan):
    packed = tmp_path / "scan.pcap.gz"
    whole = gzip.compress(scan.read_bytes())
    packed.write_bytes(whole[: len(whole) * 3 // 4])
    recorded = Recorded([packed])
    assert list(recorded.rows())
    assert 0 < recorded.packets < 600
    assert recorded.damaged >= 1
    assert "the rest of a gzip stream" in recorded.damage[0]


@pytest.mark.parametrize("begin", ["scan", "log"])
def test_a_gzip_that_grows_without_end_is_left(tmp_path, scan, monkeypatch, begin):
    monkeypatch.setattr(gzipped, "FREE_BYTES", 1 << 16)
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb") as file:
        file.write(scan.read_bytes() if begin == "scan" else conn(5).encode())
        for _ in range(32):
            file.write((b"\0" if begin == "scan" else b"x") * (1 << 20))
    recorded = Recorded([path])
    assert list(recorded.rows())
    said = " | ".join([*map(str, recorded.problems), *recorded.damage])
    assert "a gzip stream that grows at most 400 times" in said


@pytest.mark.parametrize("packed", [False, True])
def test_standard_input_is_a_file_like_others(tmp_path, scan, monkeypatch, packed):
    content = gzip.compress(scan.read_bytes()) if packed else scan.read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    recorded = Recorded([Path("-")])
    assert list(recorded.rows()) == list(Recorded([scan]).rows())
    assert list((tmp_path / "tmp").iterdir())
    del recorded
    assert list((tmp_path / "tmp").iterdir()) == []


def test_standard_input_is_called_that(monkeypatch):
    log = conn(5).replace("10.0.0.1", "nobody")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(log.encode())))
    recorded = Recorded([Path("-")])
    assert list(recorded.rows()) == []
    (named,) = recorded.problems
    assert str(named) == "standard input: line 4: expected an address in id.orig_h"


def test_a_pipe_is_read_to_its_end(tmp_path, scan):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(scan.read_bytes()))
    writer.start()
    recorded = Recorded([tmp_path / "pipe"])
    writer.join()
    assert list(recorded.rows()) == list(Recorded([scan]).rows())


def test_packets_that_are_not_metered_are_counted(tmp_path, scan):
    scan.write_bytes(scan.read_bytes().replace(b"\x08\x00\x45\x00", b"\x88\xcc\x45\x00", 2))
    recorded = Recorded([scan])
    list(recorded.rows())
    assert recorded.dropped == {"unsupported": 2}


def test_inside_is_declared_or_assumed(scan):
    local = FLOWS.index("local_resp")
    assert all(row[local] for number, row in Recorded([scan]).rows() if number == 0)
    declared = Recorded([scan], ["198.51.100.0/24"])
    assert not any(row[local] for number, row in declared.rows() if number == 0)
    assert "198.51.100.0/24" in declared.inside.describe()
    with pytest.raises(SettingsError, match="--local"):
        Recorded([scan], ["10.0.0.0/99"])


def test_a_capture_without_one_whole_packet_is_not_readable(tmp_path, scan):
    scan.write_bytes(scan.read_bytes()[:50])
    recorded = Recorded([scan])
    assert list(recorded.rows()) == []
    assert (recorded.readable, recorded.damaged) == (0, 1)
    assert "expected" in recorded.damage[0]


def test_an_empty_folder_is_named(tmp_path):
    (named,) = Recorded([tmp_path]).problems
    assert "folder: expected packets (pcap, pcapng), Zeek logs, " in str(named)
    assert str(named).endswith("; it holds no file")


def test_foreign_metrics_are_called_what_the_agent_calls_them(tmp_path):
    """Those that it has: `docs/recordings.md` lists the others."""
    ours = {metric.name for metric in METRICS}
    path = tmp_path / "nmon.csv"
    path.write_text(
        "Timestamp,CPU Usage (%),CPU Usage Wait %,CPU Temperature (\u00b0C),Memory Usage (%),"
        "JFS Usage (%),Disk sda Read (Ko/s),Disk sda Write (Ko/s),Network eth0 Received (Ko/s),"
        "Network eth0 Sent (Ko/s),Network Packet eth0 Received,Network Packet eth0 Sent,"
        "Process Forks,Process Switches,Processes Blocked,Processes Runnable,Swap Free (Mo),"
        "Swap Usage (Mo)\n00:00:00" + ",1" * 17 + "\n"
    )
    found = {row[1] for _, row in Recorded([path]).rows()}
    assert len(found) == 16
    assert found <= ours

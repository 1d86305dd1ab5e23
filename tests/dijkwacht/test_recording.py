"""Any mix of captures and logs is one recording."""

import gzip
import os

import pytest

from dijkwacht.recording import Recorded
from dijkwacht_records.errors import SettingsError

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
    assert "notes.txt: start: expected packets (pcap, pcapng) or a Zeek log" in named
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


def test_a_packed_capture_is_named(tmp_path, scan):
    packed = tmp_path / "scan.pcap.gz"
    packed.write_bytes(gzip.compress(scan.read_bytes()))
    recorded = Recorded([packed, scan])
    assert list(recorded.rows())
    assert "gunzip it first" in str(next(iter(recorded.problems)))


def test_packets_that_are_not_metered_are_counted(tmp_path, scan):
    scan.write_bytes(scan.read_bytes().replace(b"\x08\x00\x45\x00", b"\x88\xcc\x45\x00", 2))
    recorded = Recorded([scan])
    list(recorded.rows())
    assert recorded.dropped == {"unsupported": 2}


def test_inside_is_declared_or_assumed(scan):
    assert all(row[-1] for number, row in Recorded([scan]).rows() if number == 0)
    declared = Recorded([scan], ["198.51.100.0/24"])
    assert not any(row[-1] for number, row in declared.rows() if number == 0)
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
    assert str(named).endswith(
        "folder: expected packets (pcap, pcapng) or a Zeek log; it holds no file"
    )


def test_a_pipe_is_named_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (named,) = Recorded([tmp_path / "pipe"]).problems
    assert "this is a pipe" in str(named)

"""Recordings of flow export: what real exporters make of a capture is what our own meter makes of it."""

import shutil
import socket
import struct
import subprocess
from collections import Counter

import pytest

from dijkwacht.cli import main
from dijkwacht.recording import Recorded
from dijkwacht_collector.readers.formats import Format, detect_format
from dijkwacht_records.tables import FLOWS

SUMS = ("orig_pkts", "resp_pkts", "orig_bytes", "resp_bytes")


@pytest.fixture
def ear():
    """A port that hears what an exporter sends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        heard.bind(("127.0.0.1", 0))
        yield heard


def export(capture, ear, folder, version):
    """What pmacct tells of ``capture``, laid end to end in a file."""
    lines = {
        "daemonize": "false",
        "pcap_savefile": str(capture),
        "aggregate": "src_host,dst_host,src_port,dst_port,proto,tos,tcpflags",
        "plugins": "nfprobe",
        "nfprobe_receiver": f"127.0.0.1:{ear.getsockname()[1]}",
        "nfprobe_version": str(version),
        "plugin_pipe_size": "4096000",
    }
    settings = folder / "pmacct.conf"
    settings.write_text("".join(f"{name}: {value}\n" for name, value in lines.items()))
    command = [shutil.which("pmacctd"), "-f", str(settings)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    # It may end with 1 though it told all: it stops its own plug-in.
    subprocess.run(command, check=False, timeout=60, **quiet)
    ear.settimeout(2.0)
    path = folder / f"told.{version}"
    with path.open("wb") as file:
        while True:
            try:
                file.write(ear.recv(65536))
            except TimeoutError:
                return path


def sums(path):
    recorded = Recorded([path])
    counts = Counter()
    for table, row in recorded.rows():
        if table == 0:
            flow = dict(zip([column.name for column in FLOWS.columns], row, strict=True))
            counts.update({name: flow[name] for name in SUMS})
            counts.update({("flows", flow["proto"], flow["resp_p"]): flow["part"] == 0})
            counts["attempts"] += flow["part"] == 0 and flow["conn_state"] in {1, 4}
    assert len(recorded.problems) == 0, list(recorded.problems)
    return +counts


@pytest.mark.tools("pmacctd")
@pytest.mark.parametrize("version", [5, 9, 10])
def test_a_real_exporter_tells_what_the_meter_counts(version, scan, ear, tmp_path, capsys):
    told = export(scan, ear, tmp_path, version)
    assert detect_format(told) is Format.FLOW_EXPORT
    assert sums(told) == sums(scan)
    assert main(["replay", str(told)]) == 0
    assert '"scan"' in capsys.readouterr().out


def record(sport):
    ends = bytes([192, 168, 7, 5]), bytes([192, 0, 2, 1]), bytes(4)
    rest = 1, 2, 5, 500, 90_000, 95_000, sport, 443, 0, 0x1B, 6, 0, 0, 0, 0, 0, 0
    return struct.pack(">4s4s4sHHIIIIHHBBBBHHBBH", *ends, *rest)


def v5(*sports):
    head = struct.pack(">HHIIIIBBH", 5, len(sports), 100_000, 1_700_000_000, 0, 0, 0, 0, 0)
    return head + b"".join(map(record, sports))


def test_what_is_damaged_is_named_and_the_rest_is_read(tmp_path):
    path = tmp_path / "told"
    path.write_bytes(v5(1, 2) + v5(3) + v5(4)[:40])
    recorded = Recorded([path])
    rows = [row for _, row in recorded.rows()]
    assert {row[FLOWS.index("orig_p")] for row in rows} == {1, 2, 3}
    assert [str(each) for each in recorded.problems] == [
        f"{path}: byte 192: expected an export datagram"
    ]


def test_it_is_merged_with_a_capture_and_no_flow_has_the_others_number(tmp_path, quiet):
    path = tmp_path / "told"
    path.write_bytes(v5(1))
    rows = [row for table, row in Recorded([path, quiet]).rows() if table == 0]
    assert len({row[FLOWS.index("flow_id")] for row in rows}) == 2
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


def test_nfdumps_own_format_is_refused_with_what_converts_it(tmp_path):
    path = tmp_path / "nfcapd.202611261200"
    path.write_bytes(bytes.fromhex("0ca5") + bytes(300))
    recorded = Recorded([path])
    assert list(recorded.rows()) == []
    assert "nfreplay -v 9" in str(next(iter(recorded.problems)))


@pytest.mark.parametrize(
    "head",
    [
        bytes.fromhex("0005001f") + bytes(2000),  # more records than a datagram has
        bytes.fromhex("000500020000000000000000000000000000000000000000"),
        bytes.fromhex("0009000100000000000000000000000000000000") + b"\0\7\0\10",
        bytes.fromhex("000a0010") + bytes(20),
    ],
)
def test_what_only_begins_like_it_is_not_taken_for_it(tmp_path, head):
    path = tmp_path / "noise"
    path.write_bytes(head)
    assert detect_format(path) is not Format.FLOW_EXPORT


def test_a_file_that_tells_of_no_flow_says_why_it_is_unread(tmp_path, capsys):
    fields = struct.pack("!HHHHHH", 256, 2, 8, 4, 12, 4)
    template = struct.pack("!HH", 2, 4 + len(fields)) + fields
    path = tmp_path / "templates.ipfix"
    head = struct.pack("!HHIII", 10, 16 + len(template), 1_700_000_000, 0, 1)
    path.write_bytes(head + template)
    assert main(["flows", str(path)]) == 2
    said = capsys.readouterr().err
    assert f"{path}: all of it: expected a record that tells of a flow" in said

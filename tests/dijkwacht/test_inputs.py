"""Every format that is read, as a file, packed, from standard input and in a folder: the same rows."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard

from dijkwacht import cli
from dijkwacht.recording import Recorded

ZEEK = ["ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "conn_state"]
FLOW = {"ts": 5, "uid": "C", "id.orig_h": "10.0.0.1", "id.orig_p": 5000, "id.resp_h": "192.0.2.1"}
FLOW |= {"id.resp_p": 443, "proto": "tcp", "conn_state": "SF"}
EVE = {
    "timestamp": "2026-01-02T03:04:06.000006+0000", "event_type": "flow", "flow_id": 7,
    "src_ip": "10.0.0.1", "src_port": 5000, "dest_ip": "192.0.2.1", "dest_port": 443, "proto": "TCP",
    "flow": {
        "pkts_toserver": 5, "pkts_toclient": 4, "bytes_toserver": 500, "bytes_toclient": 900,
        "start": "2026-01-02T03:04:05.000006+0000", "end": "2026-01-02T03:04:06.000006+0000",
    },
}  # fmt: skip
TEXTS = {
    "zeek": "#separator \\x09\n#path\tconn\n#fields\t" + "\t".join(ZEEK) + "\n"
    + "\t".join(str(FLOW[name]) for name in ZEEK) + "\n",
    "zeek-json": json.dumps(FLOW) + "\n",
    "eve": json.dumps(EVE) + "\n",
    "argus": "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,TotPkts,TotBytes,SrcBytes\n"
    "2018/12/18 14:00:00.5,0.7,tcp,10.0.0.1,52798,->,192.0.2.1,445,FSPA_FSPA,8,1000,600\n",
    "metrics": "time,cpu_ratio,memory_used_ratio\n1700000000,0.25,0.5\n1700000001,0.5,0.5\n",
}  # fmt: skip


@pytest.fixture(params=["pcap", "pcapng", *TEXTS])
def content(request, scan, far_future):
    """What a file of each format holds."""
    if request.param in TEXTS:
        return TEXTS[request.param].encode()
    return (scan if request.param == "pcap" else far_future).read_bytes()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("way", ["file", "folder", "standard input"])
def test_content_alone_says_what_it_is(content, way, packed, tmp_path, monkeypatch):
    plain = tmp_path / "plain"
    plain.write_bytes(content)
    expected = list(Recorded([plain]).rows())
    assert expected
    given = gzip.compress(content) if packed else content
    folder = tmp_path / "logs"
    (folder / "within").mkdir(parents=True)
    (folder / "within" / "anything").write_bytes(given)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
    paths = {"file": folder / "within" / "anything", "folder": folder, "standard input": Path("-")}
    recorded = Recorded([paths[way]])
    assert list(recorded.rows()) == expected
    assert (recorded.readable, len(recorded.problems)) == (1, 0)


def archive(kind, content):
    """``content`` packed in a way that is not read."""
    into = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(into, "w") as packed:
            packed.writestr("conn.log", content)
    elif kind == "tar":
        with tarfile.open(fileobj=into, mode="w:gz") as packed:
            entry = tarfile.TarInfo("conn.log")
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    return into.getvalue()


@pytest.mark.parametrize(
    ("pack", "named"),
    [
        (lzma.compress, "packed with xz"),
        (bz2.compress, "packed with bzip2"),
        (zstandard.compress, "packed with zstd"),
        (lambda content: archive("zip", content), "a zip archive"),
        (lambda content: archive("tar", content), "a tar archive"),
    ],
)
def test_what_is_packed_in_another_way_is_named(pack, named, tmp_path, capsys):
    path = tmp_path / "conn.log"
    path.write_bytes(pack(TEXTS["zeek"].encode()))
    assert cli.main(["replay", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"this is {named}: unpack it first\n" in err

"""What a file is, told by its content."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.readers.formats import Format, detect_format
from dijkwacht_records.errors import UnreadableInput


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (bytes.fromhex("d4c3b2a1") + bytes(20), Format.PCAP),
        (bytes.fromhex("a1b23c4d") + bytes(20), Format.PCAP),
        (bytes.fromhex("0a0d0d0a") + bytes(20), Format.PCAPNG),
        (b"#separator \\x09\n", Format.ZEEK_TSV),
        (b"#fields\tts\n", Format.ZEEK_TSV),
        (b'\n{"ts":1.0}\n', Format.ZEEK_JSON),
        (b'{"ts":1.0,"uid":"brok', Format.ZEEK_JSON),
        (b'{"timestamp":"x","event_type":"flow"}\n', Format.SURICATA_EVE),
        (b"StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,TotPkts\n", Format.ARGUS),
        (b"SrcAddr,DstAddr,Dur,Proto,StartTime,TotPkts\n", Format.ARGUS),
        (b"StartTime,Dur,Proto\n", Format.CSV),
        (b"\xef\xbb\xbfHost,Mode,CPU Usage (%),Timestamp\n", Format.METRICS),
        (b"timestamp,value\n", Format.METRICS),
        (b"cpu_ratio,memory_used_ratio\n", Format.METRICS),
        (b"name,value\n", Format.CSV),
        (b"PAR1\x00", Format.PARQUET),
        (b"ARROW1\x00\x00", Format.ARROW),
        (b"a,b,c\n", Format.CSV),
        (b" \n", Format.EMPTY),
        (b"", Format.EMPTY),
        (bytes.fromhex("fd377a585a00") + bytes(9), Format.XZ),
        (b"BZh91AY&SY" + bytes(9), Format.BZIP2),
        (b"BZh as in a note\n", Format.UNKNOWN),
        (bytes.fromhex("28b52ffd") + bytes(9), Format.ZSTD),
        (b"PK\x03\x04" + bytes(9), Format.ZIP),
        (b"conn.log".ljust(257, b"\x00") + b"ustar", Format.TAR),
        (b"\x7fELF\x00", Format.UNKNOWN),
        (b"hello\n", Format.UNKNOWN),
        (b"{}\n", Format.UNKNOWN),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_content_tells_the_format(tmp_path, content, expected, packed):
    path = tmp_path / "misleading.parquet"
    path.write_bytes(gzip.compress(content) if packed else content)
    assert detect_format(path) is expected


def test_a_missing_file_is_one_clear_error(tmp_path):
    with pytest.raises(UnreadableInput, match="expected a file that can be opened"):
        detect_format(tmp_path / "none")


def test_a_folder_is_one_clear_error(tmp_path):
    with pytest.raises(UnreadableInput, match="expected a file that can be opened"):
        detect_format(tmp_path)


def test_a_broken_gzip_is_told_by_what_is_left(tmp_path):
    path = tmp_path / "conn.log.gz"
    path.write_bytes(gzip.compress(b"#separator \\x09\n" * 5000, mtime=0)[:60])
    assert detect_format(path) in {Format.ZEEK_TSV, Format.EMPTY}


@given(content=st.binary(max_size=200))
def test_any_bytes_have_a_format(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    assert isinstance(detect_format(path), Format)

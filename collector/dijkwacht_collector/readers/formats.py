"""Detect a file's format by its content, never by its name or ending."""

from __future__ import annotations

import csv
from enum import Enum
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_collector.readers import argus, metrics
from dijkwacht_records.errors import UnreadableInput
from dijkwacht_records.gzipped import BROKEN, GROWS, open_plain

HEAD_BYTES: Final = 64 * 1024

_PCAP = ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "a1b2cd34", "34cdb2a1")


class Format(Enum):
    """What a file holds; the value is how it is named to people."""

    PCAP = "packets (pcap)"
    PCAPNG = "packets (pcapng)"
    ZEEK_TSV = "a Zeek log"
    ZEEK_JSON = "a Zeek log in JSON"
    SURICATA_EVE = "Suricata EVE"
    ARGUS = "Argus flows"
    PARQUET = "Parquet"
    ARROW = "Arrow"
    METRICS = "system metrics (CSV)"
    CSV = "comma-separated values"
    FLOW_EXPORT = "flow export (NetFlow, IPFIX)"
    NFCAPD = "nfdump's own format"
    XZ = "packed with xz: unpack it first"
    BZIP2 = "packed with bzip2: unpack it first"
    ZSTD = "packed with zstd: unpack it first"
    ZIP = "a zip archive: unpack it first"
    TAR = "a tar archive: unpack it first"
    EMPTY = "nothing"
    UNKNOWN = "an unknown format"


PACKETS: Final = frozenset({Format.PCAP, Format.PCAPNG})


_MAGIC: Final = {
    **{bytes.fromhex(magic): Format.PCAP for magic in _PCAP},
    bytes.fromhex("0a0d0d0a"): Format.PCAPNG,
    b"PAR1": Format.PARQUET,
    b"ARROW1": Format.ARROW,
    bytes.fromhex("0ca5"): Format.NFCAPD,
    bytes.fromhex("fd377a585a00"): Format.XZ,
    bytes.fromhex("28b52ffd"): Format.ZSTD,
    b"PK\x03\x04": Format.ZIP,
    **{b"BZh%d1AY&SY" % level: Format.BZIP2 for level in range(1, 10)},
}
"""What a file of each format begins with."""


def detect_format(path: Path) -> Format:
    """Look at the first bytes of ``path``, through gzip. Raises `UnreadableInput` if there are none to get."""
    head = read_head(path)
    if not head.strip():
        return Format.EMPTY
    for begin, found in _MAGIC.items():
        if head.startswith(begin):
            return found
    if head[257:262] == b"ustar":
        return Format.TAR
    if _is_flow_export(head):
        return Format.FLOW_EXPORT
    return _tell_text(head)


def read_head(path: Path, size: int = HEAD_BYTES) -> bytes:
    """The first ``size`` bytes, unpacked if ``path`` is gzip; less if the gzip stream breaks off."""
    parts: list[bytes] = []
    missing = size
    try:
        with open_plain(path) as file:
            while missing > 0 and (part := file.read(missing)):
                parts.append(part)
                missing -= len(part)
    except OSError as error:
        if error.strerror not in (BROKEN, GROWS):
            raise UnreadableInput(
                str(path), "start", f"a file that can be opened ({error.strerror})"
            ) from None
    return b"".join(parts)


def _is_flow_export(head: bytes) -> bool:
    """Does ``head`` begin with a datagram of NetFlow 5 or 9, or of IPFIX: version, size, first set?"""
    version, size = int.from_bytes(head[:2], "big"), int.from_bytes(head[2:4], "big")
    if version == 5:
        return 0 < size <= 30 and len(head) >= 24 + 48 * size
    begin = {9: 20, 10: 16}.get(version)
    if begin is None or len(head) < begin + 4:
        return False
    kind = int.from_bytes(head[begin : begin + 2], "big")
    fits = version == 9 or size >= begin + 4
    kinds = {0, 1} if version == 9 else {2, 3}
    return fits and (kind in kinds or kind >= 256)


def _tell_text(head: bytes) -> Format:
    if b"\x00" in head[:4096]:
        return Format.UNKNOWN
    lines = head.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    first = next((line.strip() for line in lines if line.strip()), b"")
    if first.startswith((b"#separator", b"#fields", b"#set_separator")):
        return Format.ZEEK_TSV
    if first.startswith(b"{"):
        return _tell_json(first)
    return _tell_table(first.decode("utf-8", "replace"))


def _tell_table(first: str) -> Format:
    try:
        names = next(csv.reader([first]))
    except csv.Error:
        return Format.UNKNOWN
    if len(names) < 2:
        return Format.UNKNOWN
    if argus.is_header(names):
        return Format.ARGUS
    return Format.METRICS if metrics.is_header(names) else Format.CSV


def _tell_json(first: bytes) -> Format:
    try:
        keys = msgspec.json.decode(first, type=dict[str, msgspec.Raw]).keys()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # A first line that is cut or damaged: the reader counts it and goes on with the next.
        if b'"event_type"' in first:
            return Format.SURICATA_EVE
        return Format.ZEEK_JSON if b'"ts"' in first else Format.UNKNOWN
    if "event_type" in keys:
        return Format.SURICATA_EVE
    return Format.ZEEK_JSON if "ts" in keys else Format.UNKNOWN

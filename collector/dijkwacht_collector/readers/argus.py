"""Argus' flows as text (``ra -c ,``, the layout of the CTU data sets): lines → parts of flows.

The first line names the columns; only those of `_COLUMNS` are looked at. Argus counts whole frames, so
payload is what is left without the least headers. Messages that are not IP, ARP among them, make no row.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from dijkwacht_collector.readers import IsInside
from dijkwacht_collector.readers.connections import (
    ACK,
    FIN,
    ICMP,
    ICMP6,
    PROTOCOLS,
    PSH,
    RST,
    SYN,
    TCP,
    UDP,
    Connection,
    flags_of,
    flow_id,
    implied_history,
    payload_bytes,
    state_of,
)
from dijkwacht_collector.readers.fields import Bad, Fields, moment
from dijkwacht_collector.readers.rows import NumberedRow
from dijkwacht_records.addresses import UNSPECIFIED
from dijkwacht_records.tables import ConnState

_COLUMNS: Final = frozenset(
    {"StartTime", "Dur", "Proto", "SrcAddr", "Sport", "Dir", "DstAddr", "Dport", "State"}
    | {"TotPkts", "TotBytes", "SrcBytes", "SrcPkts"}
)
NEEDED: Final = frozenset({"StartTime", "Dur", "Proto", "SrcAddr", "DstAddr", "TotPkts"})
"""Columns that tell Argus' flows from other tables, and without which there is nothing to say."""
_OVER_UDP: Final = frozenset({"udt", "rtp", "rtcp"})
_NOT_IP: Final = frozenset(
    {"arp", "rarp", "llc", "ipx", "ipx/spx", "loop", "man", "lldp", "stp", "isis", "unas", "pup"}
)
_LETTERS: Final = {"F": FIN, "S": SYN, "R": RST, "P": PSH, "A": ACK}
_WORDS: Final = {
    "REQ": ConnState.S0, "INT": ConnState.S0, "URP": ConnState.S0, "URH": ConnState.S0,
    "URN": ConnState.S0, "URF": ConnState.S0, "URFIL": ConnState.S0, "TXD": ConnState.S0,
    "RST": ConnState.RSTO, "FIN": ConnState.SF, "CLO": ConnState.SF, "CON": ConnState.S1,
    "EST": ConnState.S1, "ACC": ConnState.S1,
}  # fmt: skip
"""States of TCP in Argus' words, where it was not asked for the flags (``-Z b``)."""


class ArgusReader:
    """Reads one file; its columns may change where another header comes."""

    def __init__(self, _path: Path, is_inside: IsInside) -> None:
        self._is_inside = is_inside
        self._wanted: list[tuple[int, str]] = []

    def read(self, line: bytes) -> Iterable[NumberedRow] | None:
        """The row of one line, ``None`` for a header. Raises `Bad`."""
        values = line.decode("utf-8", "replace").split(",")
        if not self._is_flow(values) and is_header(values):
            names = [value.strip() for value in values]
            self._wanted = [
                (i, n) for i, n in enumerate(names) if n in _COLUMNS and n not in names[:i]
            ]
            return None
        if not self._wanted:
            raise Bad("a header with Argus' columns before the first flow")
        if len(values) <= self._wanted[-1][0]:
            raise Bad(f"{self._wanted[-1][0] + 1} columns")
        found = {name: text for i, name in self._wanted if (text := values[i].strip())}
        return _rows(Fields("argus", found), self._is_inside)

    def _is_flow(self, values: list[str]) -> bool:
        """A line with a time is no header, whatever words stand in its other columns."""
        place = next((i for i, name in self._wanted if name == "StartTime"), len(values))
        return place < len(values) and values[place].strip()[:1].isdigit()

    def finish(self) -> Iterable[NumberedRow]:
        """Nothing waits."""
        return ()


def is_header(names: Iterable[str]) -> bool:
    """Do these name the columns of Argus' flows?"""
    return {name.strip() for name in names} >= NEEDED


def _rows(f: Fields, is_inside: IsInside) -> list[NumberedRow]:
    name = f.text("Proto").lower()
    if name in _NOT_IP:
        return []
    proto = UDP if name in _OVER_UDP else PROTOCOLS.get(name, 0)
    if not proto and name.isascii() and name.isdigit():
        proto = f.number("Proto", 255)
    ends = f.address("SrcAddr"), f.address("DstAddr")
    if UNSPECIFIED in ends and not {"SrcAddr", "DstAddr"} <= f.values.keys():
        raise Bad("addresses in SrcAddr and DstAddr")
    start = _start(f)
    connection = Connection(
        start=start,
        end=start + max(0, f.micros("Dur")),
        flow_id=flow_id(repr([f.values.get(n) for n in sorted(_COLUMNS)])),
        orig_h=ends[0],
        resp_h=ends[1],
        proto=proto,
    )
    _put_ports(f, connection)
    _put_counts(f, connection)
    if f.text("Dir").startswith("<") and not f.text("Dir").endswith(">"):
        _turn(connection)
    connection.local_orig = is_inside(connection.orig_h)
    connection.local_resp = is_inside(connection.resp_h)
    return [connection.row()]


def _start(f: Fields) -> int:
    text = f.text("StartTime")
    if "/" not in text and "-" not in text[1:]:
        if not text:
            raise Bad("a time in StartTime")
        return f.micros("StartTime")
    try:
        return moment(text)
    except (ValueError, OverflowError):
        raise Bad("a time in StartTime") from None


def _put_ports(f: Fields, connection: Connection) -> None:
    orig, resp = _port(f, "Sport"), _port(f, "Dport")
    if connection.proto in (ICMP, ICMP6):
        # One number holds both: 0x0303 is type 3, code 3, and 0x0008 type 8.
        orig, resp = orig & 0xFF, orig >> 8
    connection.orig_p, connection.resp_p = orig, resp


def _port(f: Fields, name: str) -> int:
    text = f.text(name)
    if not text.lower().startswith("0x"):
        return f.number(name, 0xFFFF)
    try:
        number = int(text, 16)
    except ValueError:
        number = -1
    if not 0 <= number <= 0xFFFF:
        raise Bad(f"a number up to 65535 in {name}")
    return number


def _put_counts(f: Fields, c: Connection) -> None:
    packets, frames = f.number("TotPkts"), f.number("TotBytes")
    sent = min(f.number("SrcBytes"), frames)
    if "SrcPkts" in f.values:
        orig_pkts = min(f.number("SrcPkts"), packets)
    elif frames and sent < frames:
        # Both sides have sent something, in proportion to their bytes.
        orig_pkts = min(max(round(packets * sent / frames), int(sent > 0)), max(packets - 1, 0))
    else:
        orig_pkts = packets
    c.orig_pkts, c.resp_pkts = orig_pkts, packets - orig_pkts
    answered = c.resp_pkts > 0
    word, told, reply = f.text("State").partition("_")
    seen: tuple[int | None, int | None] = None, None
    if told and c.proto == TCP:
        c.orig_flags, c.resp_flags = _flags(word), _flags(reply)
        c.state = state_of(TCP, c.orig_flags, c.resp_flags, answered)
        seen = c.orig_flags, c.resp_flags
    elif c.proto == TCP:
        c.state = _WORDS.get(word, ConnState.S1 if answered else ConnState.S0)
        if c.state is ConnState.RSTO and c.resp_pkts <= 1 >= orig_pkts:
            c.state = ConnState.REJ
        c.orig_flags, c.resp_flags = flags_of(implied_history(c.state))
    else:
        c.state = state_of(c.proto, 0, 0, answered)
    c.orig_bytes = payload_bytes(sent, orig_pkts, c.proto, c.orig_h, seen[0])
    c.resp_bytes = payload_bytes(frames - sent, c.resp_pkts, c.proto, c.orig_h, seen[1])


def _flags(letters: str) -> int:
    flags = 0
    for letter in letters:
        flags |= _LETTERS.get(letter, 0)
    return flags


def _turn(c: Connection) -> None:
    """Argus saw the second side first: who began is the destination."""
    c.orig_h, c.resp_h = c.resp_h, c.orig_h
    if c.proto not in (ICMP, ICMP6):
        c.orig_p, c.resp_p = c.resp_p, c.orig_p
    c.orig_flags, c.resp_flags = c.resp_flags, c.orig_flags
    c.orig_pkts, c.resp_pkts = c.resp_pkts, c.orig_pkts
    c.orig_bytes, c.resp_bytes = c.resp_bytes, c.orig_bytes
    c.state = state_of(c.proto, c.orig_flags, c.resp_flags, c.resp_pkts > 0)

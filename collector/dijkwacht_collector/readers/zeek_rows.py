"""What one line of a Zeek log means in the contract: the columns that are read, and the rows they make.

A finished connection is one ``end`` part with part 0; its row time is its last packet.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Final

from dijkwacht_collector.readers import IsInside
from dijkwacht_records.addresses import UNSPECIFIED, V4_PREFIX, pack_address
from dijkwacht_records.tables import (
    MAX_TEXT_BYTES,
    NO_ANSWER,
    TABLE,
    TABLES,
    ConnState,
    FlowState,
    Row,
)

Scalar = str | int | float | bool
Value = Scalar | list[Scalar | None]

_ID: Final = frozenset({"ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"})
COLUMNS: Final[dict[str, frozenset[str]]] = {
    "conn": _ID
    | {"proto", "ip_proto", "duration", "orig_bytes", "resp_bytes", "conn_state", "local_orig"}
    | {"local_resp", "history", "orig_pkts", "resp_pkts", "vlan"},
    "dns": _ID | {"rtt", "query", "qtype", "rcode", "answers"},
    "ssl": _ID | {"version", "server_name"},
    "dhcp": frozenset({"ts", "mac", "client_addr", "server_addr", "assigned_addr", "assigned_ip"})
    | {"requested_addr", "host_name", "msg_types"},
    "arp": frozenset({"ts", "operation", "src_mac", "orig_h", "resp_h", "orig_hw", "resp_hw"}),
}
"""The logs that are read and the only columns ever looked at. No label is among them."""

_TELLING: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("dns", frozenset({"ts", "id.orig_h", "id.resp_h", "qtype"})),
    ("ssl", frozenset({"ts", "id.orig_h", "id.resp_h", "version", "cipher"})),
    ("dhcp", frozenset({"ts", "mac", "msg_types"})),
    ("dhcp", frozenset({"ts", "mac", "assigned_ip"})),
    ("arp", frozenset({"ts", "operation", "orig_h", "resp_h"})),
    ("conn", frozenset({"ts", "id.orig_h", "id.resp_h", "proto", "conn_state"})),
)

_NUMBER: Final = {table.name: TABLES.index(table) for table in TABLES}
_PROTOCOLS: Final = {"icmp": 1, "tcp": 6, "udp": 17, "icmp6": 58, "sctp": 132}
_VERSIONS: Final = {
    "SSLv2": 0x0002, "SSLv3": 0x0300, "TLSv10": 0x0301, "TLSv11": 0x0302, "TLSv12": 0x0303,
    "TLSv13": 0x0304, "DTLSv10": 0xFEFF, "DTLSv12": 0xFEFD, "DTLSv13": 0xFEFC,
}  # fmt: skip
_MESSAGES: Final = {
    name: number
    for number, name in enumerate(
        ("DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM"), 1
    )
}
_BY_SERVER: Final = frozenset({2, 5, 6})
_OPERATIONS: Final = {"who-has": 1, "request": 1, "is-at": 2, "reply": 2}

_FIN, _SYN, _RST, _PSH, _ACK = 0x01, 0x02, 0x04, 0x08, 0x10
_HISTORY: Final = {
    "s": _SYN, "h": _SYN | _ACK, "a": _ACK, "d": _PSH | _ACK, "f": _FIN | _ACK, "r": _RST,
}  # fmt: skip
_SENT: Final = {
    ConnState.S0: "S", ConnState.S1: "ShA", ConnState.SF: "ShADadFf", ConnState.REJ: "Sr",
    ConnState.S2: "ShADadF", ConnState.S3: "ShADadf", ConnState.RSTO: "ShADadR",
    ConnState.RSTR: "ShADadr", ConnState.RSTOS0: "SR", ConnState.RSTRH: "hr",
    ConnState.SH: "SF", ConnState.SHR: "hf", ConnState.OTH: "",
}  # fmt: skip
"""What a state implies was seen, for logs without ``history``."""

_MAX: Final = 1 << 53
_ESCAPE: Final = re.compile(r"\\x([0-9a-fA-F]{2})")
_MAC: Final = re.compile(r"(?:[0-9a-f]{1,2}[:-]){5}[0-9a-f]{1,2}", re.ASCII)


class Bad(ValueError):
    """A line that cannot be read; the text names what was expected."""


def which_log(names: Container[str]) -> str | None:
    """The log that has these columns, ``None`` for one that is not read.

    >>> which_log(["ts", "id.orig_h", "id.resp_h", "proto", "conn_state", "label"])
    'conn'
    """
    for log, needed in _TELLING:
        if all(name in names for name in needed):
            return log
    return None


@dataclass(frozen=True, slots=True)
class Fields:
    """The allowed columns of one line: texts, or what JSON made of them. Unset ones are missing."""

    log: str
    values: dict[str, Value]
    set_separator: str = ","

    def text(self, name: str) -> str:
        """Decoded, at most 1,024 bytes of UTF-8; empty if unset."""
        value = self.values.get(name, "")
        if isinstance(value, list):
            raise Bad(f"one value in {name}")
        plain = _ESCAPE.sub(lambda m: chr(int(m[1], 16)), str(value)) if value != "" else ""
        # JSON may hold half a surrogate pair, which no UTF-8 can carry.
        data = plain.encode("utf-8", "replace")
        return data[:MAX_TEXT_BYTES].decode("utf-8", "ignore")

    def many(self, name: str) -> list[str]:
        """The members of a set or vector."""
        value = self.values.get(name, "")
        if isinstance(value, list):
            return [str(member) for member in value if member is not None]
        return str(value).split(self.set_separator) if value != "" else []

    def number(self, name: str, top: int = _MAX) -> int:
        """A count from 0 to ``top``; 0 if unset."""
        value = self.values.get(name, 0)
        try:
            number = int(value) if not isinstance(value, list) else -1
        except (ValueError, OverflowError):
            number = -1
        if not 0 <= number <= top:
            raise Bad(f"a number up to {top} in {name}")
        return number

    def micros(self, name: str) -> int:
        """Seconds (or, in JSON, an ISO date) → µs; 0 if unset."""
        value = self.values.get(name, 0)
        try:
            if isinstance(value, str) and "T" in value:
                seconds = datetime.fromisoformat(value).timestamp()
            else:
                seconds = float(value) if not isinstance(value, list) else math.nan
        except (ValueError, OverflowError):
            seconds = math.nan
        if not abs(seconds) < _MAX / 1e6:
            raise Bad(f"seconds in {name}")
        return round(seconds * 1e6)

    def address(self, name: str) -> bytes:
        """16 bytes; unspecified if unset."""
        value = self.values.get(name, "")
        if value == "":
            return UNSPECIFIED
        try:
            return pack_address(str(value))
        except ValueError:
            raise Bad(f"an address in {name}") from None

    def mac(self, name: str) -> int:
        """A hardware address; 0 if unset or not an Ethernet one."""
        text = str(self.values.get(name, "")).lower()
        if not _MAC.fullmatch(text):
            return 0
        return int("".join(f"{int(octet, 16):02x}" for octet in re.split("[:-]", text)), 16)

    def flag(self, name: str) -> bool:
        """``T`` or ``true``."""
        return self.values.get(name) in ("T", "true", True)


def rows_of(fields: Fields, is_inside: IsInside) -> list[tuple[int, Row]]:
    """The rows that one line makes, as (table number, row). Raises `Bad`."""
    if "ts" not in fields.values:
        raise Bad("seconds in ts")
    if fields.log == "conn":
        return [(_NUMBER["flows"], _flow(fields, is_inside))]
    return _MAKERS[fields.log](fields)


def _flow(f: Fields, is_inside: IsInside) -> Row:
    start = f.micros("ts")
    orig_h, resp_h = _ends(f)
    try:
        state = ConnState[f.text("conn_state") or "OTH"]
    except KeyError:
        raise Bad("one of Zeek's states in conn_state") from None
    protocol = _protocol(f, orig_h)
    orig_flags = resp_flags = 0
    history = f.text("history") or _SENT[state]
    for letter in history if protocol == _PROTOCOLS["tcp"] else "":
        if letter.isupper():
            orig_flags |= _HISTORY.get(letter.lower(), 0)
        else:
            resp_flags |= _HISTORY.get(letter, 0)
    seen = "orig_pkts" in f.values or "resp_pkts" in f.values
    return (
        start + max(0, f.micros("duration")),
        start,
        _flow_id(f),
        0,
        int(FlowState.END),
        orig_h,
        resp_h,
        f.number("id.orig_p", 0xFFFF),
        f.number("id.resp_p", 0xFFFF),
        protocol,
        f.number("vlan", 4095),
        int(state),
        orig_flags,
        resp_flags,
        # Without counts a connection still had the packets that its history lists.
        f.number("orig_pkts") if seen else sum(c.isupper() for c in history) or 1,
        f.number("resp_pkts") if seen else sum(c.islower() for c in history),
        f.number("orig_bytes"),
        f.number("resp_bytes"),
        int(f.flag("local_orig") or is_inside(orig_h)),
        int(f.flag("local_resp") or is_inside(resp_h)),
    )


def _protocol(f: Fields, orig_h: bytes) -> int:
    name = f.text("proto").lower()
    if name == "icmp" and orig_h[:12] != V4_PREFIX:
        return _PROTOCOLS["icmp6"]
    if name.isascii() and name.isdigit():
        return f.number("proto", 255)
    return _PROTOCOLS.get(name) or f.number("ip_proto", 255)


def _flow_id(f: Fields) -> int:
    name = f.text("uid") or repr([f.values.get(column) for column in sorted(_ID)])
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") >> 2


def _ends(f: Fields) -> tuple[bytes, bytes]:
    orig_h, resp_h = f.address("id.orig_h"), f.address("id.resp_h")
    if UNSPECIFIED in (orig_h, resp_h) and not {"id.orig_h", "id.resp_h"} <= f.values.keys():
        raise Bad("addresses in id.orig_h and id.resp_h")
    return orig_h, resp_h


def _dns(f: Fields) -> list[tuple[int, Row]]:
    orig_h, resp_h = _ends(f)
    query = f.text("query").lower().rstrip(".")
    answered = "rcode" in f.values
    answers = f.many("answers") if answered else []
    # The log keeps no size: this is the least that such an answer takes on the wire.
    least = 12 + len(query) + 6 + sum(12 + len(answer) for answer in answers)
    row: Row = (
        f.micros("ts") + max(0, f.micros("rtt")),
        orig_h,
        resp_h,
        f.number("id.resp_p", 0xFFFF),
        query.encode()[:MAX_TEXT_BYTES].decode("utf-8", "ignore"),
        f.number("qtype", 0xFFFF),
        int("query" in f.values),
        f.number("rcode", 0xFFF) if answered else NO_ANSWER,
        len(answers),
        least if answered else 0,
    )
    return [(_NUMBER["dns"], row)]


def _tls(f: Fields) -> list[tuple[int, Row]]:
    orig_h, resp_h = _ends(f)
    row: Row = (
        f.micros("ts"),
        _flow_id(f),
        orig_h,
        resp_h,
        f.number("id.resp_p", 0xFFFF),
        _VERSIONS.get(f.text("version"), 0),
        f.text("server_name").lower(),
    )
    return [(_NUMBER["tls"], row)]


def _dhcp(f: Fields) -> list[tuple[int, Row]]:
    time, mac = f.micros("ts"), f.mac("mac")
    client, server = f.address("client_addr"), f.address("server_addr")
    given = f.address("assigned_addr")
    if given == UNSPECIFIED:
        given = f.address("assigned_ip")
    rows: list[tuple[int, Row]] = []
    for name in f.many("msg_types") if "msg_types" in f.values else ["ACK"]:
        kind = _MESSAGES.get(name.upper())
        if kind is None:
            continue
        by_server = kind in _BY_SERVER
        row: Row = (
            time,
            mac,
            kind,
            given if by_server and given != UNSPECIFIED else client,
            UNSPECIFIED if by_server else f.address("requested_addr"),
            server if by_server else UNSPECIFIED,
            "" if by_server else f.text("host_name"),
        )
        rows.append((_NUMBER["dhcp"], row))
    return rows


def _arp(f: Fields) -> list[tuple[int, Row]]:
    operation = _OPERATIONS.get(f.text("operation").lower())
    if operation is None:
        raise Bad("who-has, request, is-at or reply in operation")
    frame = f.mac("src_mac")
    row: Row = (
        f.micros("ts"),
        operation,
        frame,
        f.mac("orig_hw") or frame,
        f.address("orig_h"),
        f.mac("resp_hw"),
        f.address("resp_h"),
    )
    return [(_NUMBER["arp"], row)]


_MAKERS: Final[dict[str, Callable[[Fields], list[tuple[int, Row]]]]] = {
    "dns": _dns,
    "ssl": _tls,
    "dhcp": _dhcp,
    "arp": _arp,
}

assert TABLE["flows"].index("local_resp") == 19, "a row is made by position"

"""What one line of a Zeek log means in the contract: the columns that are read, and the rows they make.

A finished connection is one ``end`` part with part 0; its row time is its last packet.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

from dijkwacht_collector.readers import IsInside, zeek_log_ins, zeek_remote
from dijkwacht_collector.readers.connections import (
    ICMP6,
    PROTOCOLS,
    TCP,
    UDP,
    Connection,
    flags_of,
    implied_history,
)
from dijkwacht_collector.readers.dns_words import least_answer
from dijkwacht_collector.readers.fields import Bad, Fields
from dijkwacht_collector.readers.rows import NumberedRow, row_of, text_of
from dijkwacht_collector.readers.tls_words import ALERTS, CIPHERS, JA4, VERSIONS, alpn_of
from dijkwacht_collector.readers.zeek_ends import ID, ends, flow_of
from dijkwacht_records.addresses import UNSPECIFIED, V4_PREFIX
from dijkwacht_records.tables import NO_ANSWER, ConnState
from dijkwacht_records.vocabulary import CertFlag

COLUMNS: Final[dict[str, frozenset[str]]] = {
    "conn": ID
    | {"proto", "ip_proto", "duration", "orig_bytes", "resp_bytes", "conn_state", "local_orig"}
    | {"local_resp", "history", "orig_pkts", "resp_pkts", "vlan"},
    "dns": ID | {"rtt", "query", "qtype", "rcode", "answers"},
    "ssl": ID
    | {"version", "server_name", "cipher", "resumed", "next_protocol", "established", "last_alert"}
    | {"cert_chain_fps", "cert_chain_fuids", "subject", "issuer", "validation_status"}
    | {"sni_matches_cert", "ja4"},
    "dhcp": frozenset({"ts", "mac", "client_addr", "server_addr", "assigned_addr", "assigned_ip"})
    | {"requested_addr", "host_name", "msg_types", "trans_id"},
    "arp": frozenset({"ts", "operation", "src_mac", "orig_h", "resp_h", "orig_hw", "resp_hw"}),
    **zeek_remote.COLUMNS,
    **zeek_log_ins.COLUMNS,
}
"""The logs that are read and the only columns ever looked at. No label is among them."""

_TELLING: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("dns", frozenset({"ts", "id.orig_h", "id.resp_h", "qtype"})),
    ("ssl", frozenset({"ts", "id.orig_h", "id.resp_h", "version", "cipher"})),
    ("dhcp", frozenset({"ts", "mac", "msg_types"})),
    ("dhcp", frozenset({"ts", "mac", "assigned_ip"})),
    ("arp", frozenset({"ts", "operation", "orig_h", "resp_h"})),
    ("dce_rpc", frozenset({"ts", "id.orig_h", "id.resp_h", "endpoint", "operation"})),
    ("smb_mapping", frozenset({"ts", "id.orig_h", "id.resp_h", "path", "share_type"})),
    ("smb_files", frozenset({"ts", "id.orig_h", "id.resp_h", "action", "name"})),
    ("kerberos", frozenset({"ts", "id.orig_h", "id.resp_h", "request_type"})),
    ("ntlm", frozenset({"ts", "id.orig_h", "id.resp_h", "username", "domainname"})),
    ("rdp", frozenset({"ts", "id.orig_h", "id.resp_h", "security_protocol"})),
    ("ssh", frozenset({"ts", "id.orig_h", "id.resp_h", "auth_success"})),
    ("ssh", frozenset({"ts", "id.orig_h", "id.resp_h", "auth_attempts"})),
    ("conn", frozenset({"ts", "id.orig_h", "id.resp_h", "proto", "conn_state"})),
    # JSON leaves out what is unset: what is always there, of lines that all broke off early.
    ("dns", frozenset({"ts", "id.orig_h", "id.resp_h", "proto", "rejected"})),
    ("ssl", frozenset({"ts", "id.orig_h", "id.resp_h", "resumed", "established"})),
    ("rdp", frozenset({"ts", "id.orig_h", "id.resp_h", "cert_count"})),
    ("smb_files", frozenset({"ts", "id.orig_h", "id.resp_h", "action", "path"})),
)

MESSAGES: Final = {
    name: number
    for number, name in enumerate(
        ("DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM"), 1
    )
}
BY_SERVER: Final = frozenset({2, 5, 6})
_OPERATIONS: Final = {"who-has": 1, "request": 1, "is-at": 2, "reply": 2}


def which_log(names: Container[str]) -> str | None:
    """The log that has these columns, ``None`` for one that is not read.

    >>> which_log(["ts", "id.orig_h", "id.resp_h", "proto", "conn_state", "label"])
    'conn'
    """
    for log, needed in _TELLING:
        if all(name in names for name in needed):
            return log
    return None


class ZeekRows:
    """Makes rows of lines. One instance reads one file."""

    def __init__(self, is_inside: IsInside) -> None:
        self._is_inside = is_inside
        log_ins = zeek_log_ins.LogIns()
        self._makers: dict[str, Callable[[Fields], list[NumberedRow]]] = _MAKERS | {
            "kerberos": log_ins.kerberos,
            "ntlm": log_ins.ntlm,
            "rdp": log_ins.rdp,
            "ssh": log_ins.ssh,
        }

    def of(self, fields: Fields) -> list[NumberedRow]:
        """The rows that one line makes. Raises `Bad`."""
        if "ts" not in fields.values:
            raise Bad("seconds in ts")
        if fields.log == "conn":
            return [_connection(fields, self._is_inside).row()]
        return self._makers[fields.log](fields)


def _connection(f: Fields, is_inside: IsInside) -> Connection:
    start = f.micros("ts")
    orig_h, resp_h = ends(f)
    try:
        state = ConnState[f.text("conn_state") or "OTH"]
    except KeyError:
        raise Bad("one of Zeek's states in conn_state") from None
    protocol = _protocol(f, orig_h)
    history = f.text("history") or implied_history(state)
    seen = "orig_pkts" in f.values or "resp_pkts" in f.values
    orig_flags, resp_flags = flags_of(history if protocol == TCP else "")
    return Connection(
        start=start,
        end=start + max(0, f.micros("duration")),
        flow_id=flow_of(f),
        orig_h=orig_h,
        resp_h=resp_h,
        orig_p=f.number("id.orig_p", 0xFFFF),
        resp_p=f.number("id.resp_p", 0xFFFF),
        proto=protocol,
        vlan=f.number("vlan", 4095),
        state=state,
        orig_flags=orig_flags,
        resp_flags=resp_flags,
        # Without counts a connection still had the packets that its history lists.
        orig_pkts=f.number("orig_pkts") if seen else sum(c.isupper() for c in history) or 1,
        resp_pkts=f.number("resp_pkts") if seen else sum(c.islower() for c in history),
        orig_bytes=f.number("orig_bytes"),
        resp_bytes=f.number("resp_bytes"),
        local_orig=f.flag("local_orig") or is_inside(orig_h),
        local_resp=f.flag("local_resp") or is_inside(resp_h),
    )


def _protocol(f: Fields, orig_h: bytes) -> int:
    name = f.text("proto").lower()
    if name == "icmp" and orig_h[:12] != V4_PREFIX:
        return ICMP6
    if name.isascii() and name.isdigit():
        return f.number("proto", 255)
    return PROTOCOLS.get(name) or f.number("ip_proto", 255)


def _dns(f: Fields) -> list[NumberedRow]:
    orig_h, resp_h = ends(f)
    query = f.text("query").lower().rstrip(".")
    answered = "rcode" in f.values
    answers = f.many("answers") if answered else []
    return [
        row_of(
            "dns",
            time=f.micros("ts") + max(0, f.micros("rtt")),
            orig_h=orig_h,
            resp_h=resp_h,
            resp_p=f.number("id.resp_p", 0xFFFF),
            query=text_of(query),
            qtype=f.number("qtype", 0xFFFF),
            question=int("query" in f.values),
            rcode=f.number("rcode", 0xFFF) if answered else NO_ANSWER,
            answers=len(answers),
            answer_bytes=least_answer(query, answers) if answered else 0,
        )
    ]


def _tls(f: Fields) -> list[NumberedRow]:
    orig_h, resp_h = ends(f)
    version = VERSIONS.get(f.text("version"), 0)
    alert = ALERTS.get(f.text("last_alert")) if not f.flag("established") else None
    return [
        row_of(
            "tls",
            time=f.micros("ts"),
            flow_id=flow_of(f),
            orig_h=orig_h,
            resp_h=resp_h,
            resp_p=f.number("id.resp_p", 0xFFFF),
            # The log tells what was agreed on; no less was offered.
            version=version,
            server_name=f.text("server_name").lower(),
            proto=UDP if f.text("version").startswith("DTLS") else TCP,
            ja4=f.text("ja4") if JA4.fullmatch(f.text("ja4")) else "",
            server_version=version,
            cipher=CIPHERS.get(f.text("cipher"), 0),
            alpn=int(alpn_of(f.text("next_protocol"))),
            resumed=int(f.flag("resumed")),
            cert_flags=int(_certificate(f)),
            alert=0 if alert is None else alert + 1,
        )
    ]


def _certificate(f: Fields) -> CertFlag:
    """What the line says of the server's certificate; its names are compared and then forgotten."""
    status = f.text("validation_status").lower()
    flags = CertFlag(0)
    if any(f.many(name) for name in ("cert_chain_fps", "cert_chain_fuids", "subject")) or status:
        flags |= CertFlag.SEEN
    if (f.text("subject") and f.text("subject") == f.text("issuer")) or (
        status.startswith("self") and "chain" not in status
    ):
        flags |= CertFlag.SELF_SIGNED
    if f.values.get("subject") == "":
        flags |= CertFlag.SEEN | CertFlag.EMPTY_SUBJECT
    if "expired" in status:
        flags |= CertFlag.EXPIRED
    if "not yet valid" in status:
        flags |= CertFlag.NOT_YET
    if f.values.get("sni_matches_cert") in ("F", "false", False):
        flags |= CertFlag.SEEN | CertFlag.OTHER_NAME
    return flags


def _dhcp(f: Fields) -> list[NumberedRow]:
    time, mac = f.micros("ts"), f.mac("mac")
    client, server = f.address("client_addr"), f.address("server_addr")
    given = f.address("assigned_addr")
    if given == UNSPECIFIED:
        given = f.address("assigned_ip")
    rows: list[NumberedRow] = []
    for name in f.many("msg_types") if "msg_types" in f.values else ["ACK"]:
        kind = MESSAGES.get(name.upper())
        if kind is None:
            continue
        by_server = kind in BY_SERVER
        rows.append(
            row_of(
                "dhcp",
                time=time,
                client_mac=mac,
                msg_type=kind,
                client_h=given if by_server and given != UNSPECIFIED else client,
                requested_h=UNSPECIFIED if by_server else f.address("requested_addr"),
                server_h=server if by_server else UNSPECIFIED,
                host_name="" if by_server else f.text("host_name"),
                xid=f.number("trans_id", 0xFFFFFFFF),
            )
        )
    return rows


def _arp(f: Fields) -> list[NumberedRow]:
    operation = _OPERATIONS.get(f.text("operation").lower())
    if operation is None:
        raise Bad("who-has, request, is-at or reply in operation")
    frame = f.mac("src_mac")
    return [
        row_of(
            "arp",
            time=f.micros("ts"),
            op=operation,
            eth_src=frame,
            sender_mac=f.mac("orig_hw") or frame,
            sender_h=f.address("orig_h"),
            target_mac=f.mac("resp_hw"),
            target_h=f.address("resp_h"),
        )
    ]


_MAKERS: Final[dict[str, Callable[[Fields], list[NumberedRow]]]] = {
    "dns": _dns,
    "ssl": _tls,
    "dhcp": _dhcp,
    "arp": _arp,
    "dce_rpc": zeek_remote.dce_rpc,
    "smb_mapping": zeek_remote.smb_mapping,
    "smb_files": zeek_remote.smb_files,
}

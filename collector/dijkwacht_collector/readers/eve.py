"""Suricata's EVE, JSON lines: flow, dns, tls, dhcp and remote records → rows of the contract.

What a record may hold is declared as types, and nothing else of a line is decoded: no alert, no
signature and no metadata gets past them. DNS is read in all three of its layouts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from dijkwacht_collector.readers import IsInside
from dijkwacht_collector.readers.connections import (
    ICMP,
    ICMP6,
    PROTOCOLS,
    TCP,
    UDP,
    Connection,
    flags_of,
    implied_history,
    payload_bytes,
    state_of,
)
from dijkwacht_collector.readers.dns_words import RCODES, least_answer, type_of
from dijkwacht_collector.readers.eve_event import Event, address_of, moment_of, port_of
from dijkwacht_collector.readers.eve_remote import EveRemote
from dijkwacht_collector.readers.fields import Bad, mac_of
from dijkwacht_collector.readers.rows import NumberedRow, row_of, text_of
from dijkwacht_collector.readers.tls_words import JA4, VERSIONS, alpn_of
from dijkwacht_collector.readers.zeek_rows import BY_SERVER, MESSAGES
from dijkwacht_records.addresses import UNSPECIFIED
from dijkwacht_records.tables import NO_ANSWER, ConnState
from dijkwacht_records.vocabulary import CertFlag

_DAY_US: Final = 86_400_000_000
_MOST: Final = 1 << 53
_DNS_PORTS: Final = frozenset({53, 5353, 5355})
_OTHER_RCODE: Final = 0xFFE
_STATES: Final = {"established": ConnState.S1, "closed": ConnState.SF}


class _Kind(Struct):
    event_type: str


class _Counters(Struct):
    pkts_toserver: int = 0
    pkts_toclient: int = 0
    bytes_toserver: int = 0
    bytes_toclient: int = 0
    start: str = ""
    end: str = ""
    state: str = ""


class _Tcp(Struct):
    tcp_flags_ts: str = ""
    tcp_flags_tc: str = ""


class _FlowEvent(Event):
    flow_: _Counters = msgspec.field(name="flow", default_factory=_Counters)
    tcp: _Tcp | None = None
    icmp_type: int = 0
    icmp_code: int = 0


class _Record(Struct):
    rrname: str = ""
    rrtype: str = ""
    rdata: msgspec.Raw = msgspec.Raw()


class _Dns(Struct):
    type: str = ""
    id: int = 0
    rrname: str = ""
    rrtype: str = ""
    rcode: str = "NOERROR"
    rdata: msgspec.Raw = msgspec.Raw()
    queries: list[_Record] = []
    answers: list[_Record] | None = None
    grouped: dict[str, list[msgspec.Raw]] = {}


class _DnsEvent(Event):
    dns: _Dns = msgspec.field(default_factory=_Dns)


class _Tls(Struct):
    version: str = ""
    sni: str = ""
    subject: str | None = None
    issuerdn: str = ""
    notbefore: str = ""
    notafter: str = ""
    session_resumed: bool = False
    ja4: str = ""
    client_alpns: list[str] = []
    server_alpns: list[str] = []


class _TlsEvent(Event):
    tls: _Tls = msgspec.field(default_factory=_Tls)


class _Dhcp(Struct):
    id: int = 0
    type: str = ""
    dhcp_type: str = ""
    client_mac: str = ""
    client_ip: str = ""
    assigned_ip: str = ""
    requested_ip: str = ""
    hostname: str = ""


class _DhcpEvent(Event):
    dhcp: _Dhcp = msgspec.field(default_factory=_Dhcp)


class EveReader:
    """Reads one file."""

    def __init__(self, _path: Path, is_inside: IsInside) -> None:
        self._is_inside = is_inside
        self._answer: _Answer | None = None
        remote = EveRemote()
        self._makers: dict[str, Callable[[bytes], list[NumberedRow]]] = {
            "tls": _tls,
            "dhcp": _dhcp,
            "smb": remote.smb,
            "dcerpc": remote.dcerpc,
            "krb5": remote.krb5,
            "rdp": remote.rdp,
        }

    def read(self, line: bytes) -> Iterable[NumberedRow] | None:
        """The rows of one record, ``None`` for one of a kind that makes none. Raises `Bad`."""
        try:
            kind = _kind.decode(line).event_type
            if kind == "flow":
                return [_flow(_flow_event.decode(line), self._is_inside)]
            if kind == "dns":
                return self._dns(_dns_event.decode(line))
            maker = self._makers.get(kind)
            return None if maker is None else maker(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Bad("a JSON object of Suricata's fields") from None

    def finish(self) -> Iterable[NumberedRow]:
        """The answer whose records have come so far."""
        last, self._answer = self._answer, None
        return [] if last is None else [last.row()]

    def _dns(self, event: _DnsEvent) -> list[NumberedRow]:
        """One row a message. The oldest layout has a line for each record of an answer: they wait."""
        made = _Answer(event)
        if self._answer is not None and self._answer.key == made.key:
            self._answer.answers += made.answers
            return []
        rows = list(self.finish())
        if made.key is None:
            rows.append(made.row())
        else:
            self._answer = made
        return rows


class _Answer:
    """A DNS message. ``key``: which message a record belongs to, in the layout of a line a record."""

    def __init__(self, event: _DnsEvent) -> None:
        dns = event.dns
        self._answered = dns.type in ("answer", "response")
        self._time = event.time
        asker, asked = event.ends
        self._port = event.dest_port
        if self._answered and event.src_port in _DNS_PORTS and self._port not in _DNS_PORTS:
            asker, asked, self._port = asked, asker, event.src_port
        self._ends = asker, asked
        question = dns.queries[0] if dns.queries else _Record(dns.rrname, dns.rrtype)
        self._query = text_of(question.rrname.lower().rstrip("."))
        self._qtype = type_of(question.rrtype)
        self._rcode = RCODES.get(dns.rcode.upper(), _OTHER_RCODE)
        self.answers = [bytes(record.rdata) for record in dns.answers or ()]
        if dns.answers is None:
            self.answers = [bytes(data) for some in dns.grouped.values() for data in some]
        self.key: tuple[int, int, str] | None = None
        if self._answered and not self.answers and bytes(dns.rdata):
            self.answers = [bytes(dns.rdata)]
            self.key = event.flow_id, dns.id, event.timestamp

    def row(self) -> NumberedRow:
        """Its row."""
        answers = [text.decode("utf-8", "replace").strip('"') for text in self.answers]
        return row_of(
            "dns",
            time=self._time,
            orig_h=self._ends[0],
            resp_h=self._ends[1],
            resp_p=port_of(self._port),
            query=self._query,
            qtype=self._qtype,
            question=int(not self._answered),
            rcode=self._rcode if self._answered else NO_ANSWER,
            answers=len(answers),
            answer_bytes=least_answer(self._query, answers) if self._answered else 0,
        )


def _flow(event: _FlowEvent, is_inside: IsInside) -> NumberedRow:
    counters, (orig_h, resp_h) = event.flow_, event.ends
    start = moment_of(counters.start, "flow.start") if counters.start else event.time
    name = event.proto.lower()
    proto = PROTOCOLS.get(name, 0)
    if not proto and name.isascii() and name.isdigit():
        proto = min(int(name), 255)
    icmp = proto in (ICMP, ICMP6)
    c = Connection(
        start=start,
        end=moment_of(counters.end, "flow.end") if counters.end else start,
        flow_id=event.flow,
        orig_h=orig_h,
        resp_h=resp_h,
        orig_p=port_of(event.icmp_type if icmp else event.src_port),
        resp_p=port_of(event.icmp_code if icmp else event.dest_port),
        proto=proto,
        vlan=event.vlan[0] & 0xFFF if event.vlan else 0,
        orig_pkts=_count(counters.pkts_toserver),
        resp_pkts=_count(counters.pkts_toclient),
        local_orig=is_inside(orig_h),
        local_resp=is_inside(resp_h),
    )
    told = event.tcp is not None
    if event.tcp is not None:
        c.orig_flags = _hexadecimal(event.tcp.tcp_flags_ts)
        c.resp_flags = _hexadecimal(event.tcp.tcp_flags_tc)
    if proto == TCP and not told:
        c.state = _STATES.get(counters.state, ConnState.S0)
        c.orig_flags, c.resp_flags = flags_of(implied_history(c.state))
    else:
        c.state = state_of(proto, c.orig_flags, c.resp_flags, c.resp_pkts > 0)
    sent, answered = _count(counters.bytes_toserver), _count(counters.bytes_toclient)
    orig_flags, resp_flags = (c.orig_flags, c.resp_flags) if told else (None, None)
    c.orig_bytes = payload_bytes(sent, c.orig_pkts, proto, orig_h, orig_flags)
    c.resp_bytes = payload_bytes(answered, c.resp_pkts, proto, orig_h, resp_flags)
    return c.row()


def _tls(line: bytes) -> list[NumberedRow]:
    event = _tls_event.decode(line)
    tls, time, (orig_h, resp_h) = event.tls, event.time, event.ends
    version = VERSIONS.get(tls.version, 0)
    alpn = (tls.server_alpns or tls.client_alpns or [""])[0]
    days, age, flags = _certificate(tls, time)
    return [
        row_of(
            "tls",
            time=time,
            flow_id=event.flow,
            orig_h=orig_h,
            resp_h=resp_h,
            resp_p=port_of(event.dest_port),
            version=version,
            server_name=text_of(tls.sni.lower()),
            proto=UDP if event.proto.lower() == "udp" else TCP,
            ja4=tls.ja4 if JA4.fullmatch(tls.ja4) else "",
            server_version=version,
            alpn=int(alpn_of(alpn)),
            resumed=int(tls.session_resumed),
            cert_days=days,
            cert_age=age,
            cert_flags=int(flags),
        )
    ]


def _certificate(tls: _Tls, time: int) -> tuple[int, int, CertFlag]:
    """Days of validity, days since it began, and flags; the names are compared and then forgotten."""
    flags = CertFlag(0)
    if tls.subject is None and not tls.notafter:
        return 0, 0, flags
    flags |= CertFlag.SEEN
    if tls.subject is not None and tls.subject == tls.issuerdn:
        flags |= CertFlag.SELF_SIGNED
    if tls.subject is not None and not tls.subject:
        flags |= CertFlag.EMPTY_SUBJECT
    if not tls.notbefore or not tls.notafter:
        return 0, 0, flags
    begin, end = moment_of(tls.notbefore, "tls.notbefore"), moment_of(tls.notafter, "tls.notafter")
    if time > end:
        flags |= CertFlag.EXPIRED
    if time < begin:
        flags |= CertFlag.NOT_YET
    return max(0, end - begin) // _DAY_US, (time - begin) // _DAY_US, flags


def _dhcp(line: bytes) -> list[NumberedRow]:
    event = _dhcp_event.decode(line)
    dhcp, (sender, _) = event.dhcp, event.ends
    kind = MESSAGES.get(dhcp.dhcp_type.upper())
    if kind is None:
        return []
    by_server = kind in BY_SERVER
    given, had = _maybe(dhcp.assigned_ip), _maybe(dhcp.client_ip)
    return [
        row_of(
            "dhcp",
            time=event.time,
            client_mac=mac_of(dhcp.client_mac),
            msg_type=kind,
            client_h=given if by_server and given != UNSPECIFIED else had,
            requested_h=UNSPECIFIED if by_server else _maybe(dhcp.requested_ip),
            server_h=sender if by_server else UNSPECIFIED,
            host_name="" if by_server else text_of(dhcp.hostname),
            xid=min(_count(dhcp.id), 0xFFFFFFFF),
        )
    ]


def _maybe(text: str) -> bytes:
    return address_of(text, "dhcp") if text else UNSPECIFIED


def _count(number: int) -> int:
    if not 0 <= number <= _MOST:
        raise Bad(f"counts up to {_MOST}")
    return number


def _hexadecimal(text: str) -> int:
    try:
        return int(text or "0", 16) & 0x3F
    except ValueError:
        raise Bad("TCP flags in hexadecimal") from None


_kind: Final = msgspec.json.Decoder(_Kind)
_flow_event: Final = msgspec.json.Decoder(_FlowEvent)
_dns_event: Final = msgspec.json.Decoder(_DnsEvent)
_tls_event: Final = msgspec.json.Decoder(_TlsEvent)
_dhcp_event: Final = msgspec.json.Decoder(_DhcpEvent)

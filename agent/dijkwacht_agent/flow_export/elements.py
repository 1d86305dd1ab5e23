"""One exported record, whichever the protocol → what a flow is counted by.

`netflume` names the information elements alike for all three; what it has no name for is ``ie`` and
the number, or ``e29305.`` and the number for the other direction (RFC 5103). Every value is a
stranger's: it may be missing, of another type, or absurd.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Final

from dijkwacht_agent.dissect import ICMP, ICMPV6, TCP, UDP, flow_key, reverse

Fields = Mapping[str, object]

_DAY: Final = 86_400_000_000
_MOST: Final = 1 << 48
"""No counter of one flow comes near it."""
_TRANSPORT: Final = {TCP: 20, UDP: 8, ICMP: 8, ICMPV6: 8}
_LONGEST_TCP: Final = 60
_PSH: Final = 0x08
_PACKETS: Final = ("packets", "out_packets", "ie298", "packets_total")
_OCTETS: Final = ("octets", "out_octets", "ie231", "octets_total")
_PACKETS_BACK: Final = ("e29305.2", "ie299", "e29305.86")
_OCTETS_BACK: Final = ("e29305.1", "ie232", "e29305.85")
_STAMPS: Final = {"ms": 1_000, "s": 1_000_000, "us": 1_000_000, "ns": 1_000_000}
"""Suffix of a time → µs in its unit; the last two come as seconds."""


class Unusable(Exception):  # as the house names errors
    """A record that tells of no flow."""


class ExportedFlow:
    """What was sent one way, and ``back`` what was sent the other, where it is known; times in µs UTC.

    ``key`` is the meter's. ``total``: the counters run from the beginning of the flow, not from the
    record before.
    """

    __slots__ = (
        "back",
        "dport",
        "flags",
        "key",
        "last",
        "payload",
        "pkts",
        "proto",
        "sport",
        "start",
        "total",
    )

    def __init__(
        self, key: bytes, proto: int, sport: int, dport: int, start: int, last: int
    ) -> None:
        self.key, self.proto, self.sport, self.dport = key, proto, sport, dport
        self.start, self.last = start, last
        self.pkts = self.payload = self.flags = 0
        self.total = False
        self.back: ExportedFlow | None = None


def read_flow(fields: Fields, exported: int, booted: int | None) -> ExportedFlow:
    """The flow that ``fields`` tell of.

    ``exported``: when the exporter says it sent them; ``booted``: when it says it began, if it does
    (µs UTC). Raises `Unusable`.
    """
    addresses = _address(fields, "src_addr") + _address(fields, "dst_addr")
    if len(addresses) not in {8, 32}:
        raise Unusable
    proto = _below(fields, 256, "proto")
    sport, dport = _ports(fields, proto)
    vlan = _number(fields, "vlan", "dot1q_vlan") & 0x0FFF
    key = flow_key(addresses, proto, sport, dport, vlan)
    span = _span(fields, exported, booted)
    flow = ExportedFlow(key, proto, sport, dport, *span)
    header = 20 if len(addresses) == 8 else 40
    _count(flow, fields, (_PACKETS, _OCTETS, "tcp_flags"), header)
    flow.total = "packets_total" in fields and "packets" not in fields
    back = ExportedFlow(reverse(key), proto, dport, sport, *span)
    _count(back, fields, (_PACKETS_BACK, _OCTETS_BACK, "e29305.6"), header)
    if back.pkts:
        flow.back = back
    elif not flow.pkts:
        raise Unusable
    return flow


def _count(
    flow: ExportedFlow,
    fields: Fields,
    names: tuple[tuple[str, ...], tuple[str, ...], str],
    header: int,
) -> None:
    packets, octets, flags = names
    flow.pkts = _below(fields, _MOST, *packets)
    flow.flags = _number(fields, flags) & 0xFF if flow.proto == TCP else 0
    flow.payload = _payload(flow, _below(fields, _MOST, *octets), header)


def _payload(flow: ExportedFlow, octets: int, header: int) -> int:
    """Octets of IP less the headers: exact but for options, which the exporter does not tell of."""
    if (
        flow.proto == TCP
        and not flow.flags & _PSH
        and octets <= flow.pkts * (header + _LONGEST_TCP)
    ):
        return 0  # nothing but headers: a SYN carries up to 40 bytes of options
    return max(octets - flow.pkts * (header + _TRANSPORT.get(flow.proto, 0)), 0)


def _ports(fields: Fields, proto: int) -> tuple[int, int]:
    if proto not in {ICMP, ICMPV6}:
        return _below(fields, 65536, "src_port"), _below(fields, 65536, "dst_port")
    if "icmp_type" in fields:
        return _below(fields, 256, "icmp_type"), _below(fields, 256, "icmp_code")
    both = _below(fields, 65536, "icmp_type_code", "icmp_type_code_v6", "dst_port")
    return both >> 8, both & 0xFF


def _span(fields: Fields, exported: int, booted: int | None) -> tuple[int, int]:
    """First and last packet; the time of export for what is not told or cannot be."""
    start, last = _stamp(fields, "flow_start"), _stamp(fields, "flow_end")
    if start is None and last is None:
        uptime = _number(fields, "system_init_time_ms") * 1000 or booted
        if uptime is not None and "last_switched" in fields:
            start, last = (
                _since_boot(_number(fields, name), uptime, exported)
                for name in ("first_switched", "last_switched")
            )
        elif "ie159" in fields:
            start, last = (exported - _number(fields, name) for name in ("ie158", "ie159"))
    length = _number(fields, "ie161") * 1000 or _number(fields, "ie162")
    if last is None:
        last = start + length if start is not None else exported
    if not 0 <= last <= exported + _DAY:
        last = exported
    if start is None:
        start = last - length
    return min(max(start, 0), last), last


def _since_boot(moment: int, booted: int, exported: int) -> int:
    """µs UTC of ``moment``, ms since ``booted``, whose 32 bits may have run over since."""
    before = (exported - booted) // 1000 - moment
    return exported - ((before + (1 << 31)) % (1 << 32) - (1 << 31)) * 1000


def _stamp(fields: Fields, name: str) -> int | None:
    for unit, scale in _STAMPS.items():
        value = fields.get(f"{name}_{unit}")
        if isinstance(value, int | float) and 0 < value < _MOST:
            return round(value * scale)
    return None


def _number(fields: Fields, *names: str) -> int:
    """The first of ``names`` that is there, 0 for none or for what is no number."""
    for name in names:
        value = fields.get(name)
        if value is not None:
            return value if isinstance(value, int) and 0 <= value < 1 << 64 else 0
    return 0


def _below(fields: Fields, limit: int, *names: str) -> int:
    number = _number(fields, *names)
    if number >= limit:
        raise Unusable
    return number


def _address(fields: Fields, name: str) -> bytes:
    text = fields.get(name)
    if not isinstance(text, str):
        raise Unusable
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except OSError:
        raise Unusable from None

"""Neighbour discovery of IPv6 (RFC 4861): who asks for whom, who claims what, who says it is a router.

A message counts as its receivers would take it: sent from this network (hop limit 255), whole, its
options in order. Of a router's message stay how long it serves, how it ranks (RFC 4191), and how many
prefixes and resolvers (RFC 8106) it gives, none of them itself.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from dijkwacht_agent.budget import Budget
from dijkwacht_agent.dissect import Packet, endpoints
from dijkwacht_agent.made_rows import MadeRows
from dijkwacht_records.addresses import UNSPECIFIED, pack_mac
from dijkwacht_records.tables import NDP, TABLES, Row
from dijkwacht_records.vocabulary import NdpFlag, NdpKind

KINDS: Final = frozenset(map(int, NdpKind))
"""ICMPv6 types of neighbour discovery."""
_NDP: Final = TABLES.index(NDP)
_FROM_HERE: Final = 255
_OPTIONS_AT: Final = {
    NdpKind.ROUTER_SOLICITATION: 8,
    NdpKind.ROUTER_ADVERTISEMENT: 16,
    NdpKind.NEIGHBOUR_SOLICITATION: 24,
    NdpKind.NEIGHBOUR_ADVERTISEMENT: 24,
    NdpKind.REDIRECT: 40,
}
"""Where the options begin, in bytes from the ICMPv6 header."""
_TARGET: Final = slice(8, 24)
_SOURCE_MAC, _TARGET_MAC, _PREFIX, _ROUTE, _RESOLVERS = 1, 2, 3, 24, 25
_MAC_OPTION: Final = {
    NdpKind.NEIGHBOUR_ADVERTISEMENT: _TARGET_MAC,
    NdpKind.REDIRECT: _TARGET_MAC,
}
_AUTONOMOUS: Final = 0x40
_ALL_OUTSIDE: Final = 3
"""A route to a prefix of so few bits is one to everywhere: ::/0, its halves, or 2000::/3."""
_RANKS: Final = {0x08: 1, 0x18: -1}

_u32 = Struct(">I").unpack_from
_router = Struct(">BH").unpack_from


class _Options(NamedTuple):
    """What the options of a message say; ``route`` is the rank of a route to all outside, if there is one."""

    mac: int = 0
    prefixes: int = 0
    resolvers: int = 0
    route: int | None = None


class Carried(NamedTuple):
    """Who carries outside traffic: the sender of a message, and in the last minute any other machine."""

    by_sender: bool
    by_another: bool


class Neighbours:
    """Makes rows of ``ndp``, at most ``limit`` in one second; those left out are in ``budget.shed``."""

    def __init__(self, made: MadeRows, limit: int) -> None:
        self.budget = Budget(limit)
        self._made = made

    def read(
        self, time: int, data: bytes, at: int, packet: Packet, eth_src: int, carried: Carried
    ) -> None:
        """Take a message whose IPv6 header begins at ``at``, unless its receivers would not."""
        row = dissect_ndp(time, data, at, packet, eth_src, carried)
        if row is not None and self.budget.allows(time):
            self._made.add(_NDP, row)


def dissect_ndp(
    time: int, data: bytes, at: int, packet: Packet, eth_src: int, carried: Carried
) -> Row | None:
    """A row of ``ndp`` from a message of one of `KINDS`; ``None`` if it is none, or is cut too short."""
    key, _, number, code, _, begin, payload_at, size = packet
    kind = NdpKind(number)
    options_at = begin + _OPTIONS_AT[kind]
    whole_end = begin + 8 + size
    # A later fragment has no header of its own, and a message without its fixed part says nothing.
    if payload_at != begin + 8 or code or data[at + 7] != _FROM_HERE:
        return None
    if options_at > min(len(data), whole_end):
        return None
    options = _read_options(data, options_at, whole_end, _MAC_OPTION.get(kind, _SOURCE_MAC))
    if options is None:
        return None
    flags = lifetime = rank = 0
    target = data[begin:][_TARGET] if options_at > begin + 16 else UNSPECIFIED
    if kind is NdpKind.NEIGHBOUR_ADVERTISEMENT:
        flags = _neighbour_flags(data[begin + 4])
    elif kind is NdpKind.ROUTER_ADVERTISEMENT:
        said, lifetime = _router(data, begin + 5)
        flags, rank = _router_flags(said, lifetime, options)
        flags |= NdpFlag.BESIDE_GATEWAY if carried.by_another else 0
    orig_h, resp_h = endpoints(key)
    return (
        time,
        int(kind),
        eth_src or options.mac,
        orig_h,
        resp_h,
        target,
        options.mac,
        flags,
        lifetime,
        rank,
        options.prefixes,
        options.resolvers,
        int(carried.by_sender),
    )


def _neighbour_flags(said: int) -> int:
    return (
        (NdpFlag.ROUTER if said & 0x80 else 0)
        | (NdpFlag.SOLICITED if said & 0x40 else 0)
        | (NdpFlag.OVERRIDE if said & 0x20 else 0)
    )


def _router_flags(said: int, lifetime: int, options: _Options) -> tuple[int, int]:
    """Flags of a router advertisement, and its rank: the higher of its own and its route's."""
    flags = (NdpFlag.MANAGED if said & 0x80 else 0) | (NdpFlag.OTHER_CONFIG if said & 0x40 else 0)
    own = _RANKS.get(said & 0x18, 0)
    if options.route is None:
        return flags, own
    return flags | NdpFlag.OUTSIDE, max(own, options.route) if lifetime else options.route


def _read_options(data: bytes, at: int, whole_end: int, mac_option: int) -> _Options | None:
    """What the options say, as far as they were captured; ``None`` for one without length (RFC 4861, 6.1)."""
    mac = prefixes = resolvers = 0
    route: int | None = None
    end = min(len(data), whole_end)
    while at + 2 <= end:
        number, length = data[at], data[at + 1] * 8
        if not length or at + length > whole_end:
            return None
        if at + length > end:
            break  # cut by the capture
        if number == mac_option and length == 8:
            mac = pack_mac(data[at + 2 : at + 8])
        elif number == _PREFIX and length == 32:
            prefixes += bool(data[at + 3] & _AUTONOMOUS and _u32(data, at + 4)[0])
        elif number == _ROUTE and length <= 24:
            if data[at + 2] <= _ALL_OUTSIDE and _u32(data, at + 4)[0]:
                rank = _RANKS.get(data[at + 3] & 0x18, 0)
                route = rank if route is None else max(route, rank)
        elif number == _RESOLVERS and length >= 24 and _u32(data, at + 4)[0]:
            resolvers += (length - 8) // 16
        at += length
    return _Options(mac, prefixes, resolvers, route)

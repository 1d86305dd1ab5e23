"""Link layers: from the first byte of a frame to the network layer inside it."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final


class Malformed(Exception):
    """Headers that contradict themselves."""


class Unsupported(Exception):
    """Neither IP nor ARP, or a link type that is not known."""


Inner = tuple[int, int, int]
"""``(ether_type, at, vlan)``: what is inside, where it begins, and the outermost 802.1Q id."""

ETHERNET: Final = 1
IPV4: Final = 0x0800
ARP: Final = 0x0806
IPV6: Final = 0x86DD

_VLAN_TAGS: Final = frozenset({0x8100, 0x88A8, 0x9100, 0x9200})
_MPLS: Final = frozenset({0x8847, 0x8848})
_PPPOE: Final = 0x8864
_PPP: Final = {0x0021: IPV4, 0x0057: IPV6, 0x0281: 0x8847}
_MAX_TAGS: Final = 8

_u16 = Struct(">H").unpack_from
_u32 = Struct(">I").unpack_from
_little_u16 = Struct("<H").unpack_from
_tag = Struct(">HH").unpack_from


def ethernet(data: bytes, vlan: int) -> Inner:
    """Ethernet II, 802.3 with SNAP, 802.1Q and QinQ tags."""
    (kind,) = _u16(data, 12)
    return _ether_type(data, 14, kind, vlan)


def _ether_type(data: bytes, at: int, kind: int, vlan: int) -> Inner:
    """Walk from an EtherType through tags, SNAP, MPLS and PPPoE to the network layer at ``at``."""
    if kind in _VLAN_TAGS:
        for _ in range(_MAX_TAGS):
            tag, kind = _tag(data, at)
            at += 4
            vlan = vlan or tag & 0x0FFF
            if kind not in _VLAN_TAGS:
                break
    if kind < 0x0600:
        kind, at = _snap(data, at)
    if kind in _MPLS:
        return _mpls(data, at, vlan)
    if kind == _PPPOE:
        return _pppoe_session(data, at, vlan)
    return kind, at, vlan


def _snap(data: bytes, at: int) -> tuple[int, int]:
    if data[at : at + 3] != b"\xaa\xaa\x03":
        raise Unsupported
    (kind,) = _u16(data, at + 6)
    return kind, at + 8


def _mpls(data: bytes, at: int, vlan: int) -> Inner:
    for _ in range(_MAX_TAGS):
        (label,) = _u32(data, at)
        at += 4
        if label & 0x100:  # bottom of the stack
            return _version(data, at, vlan)
    raise Malformed


def _version(data: bytes, at: int, vlan: int) -> Inner:
    """Distinguish IPv4 from IPv6 by the version field itself."""
    version = data[at] >> 4
    if version == 4:
        return IPV4, at, vlan
    if version == 6:
        return IPV6, at, vlan
    raise Unsupported


def _raw(data: bytes, vlan: int) -> Inner:
    return _version(data, 0, vlan)


def _null(data: bytes, vlan: int) -> Inner:
    return _version(data, 4, vlan)  # the address family differs by system, the version does not


def _cooked(data: bytes, vlan: int) -> Inner:
    (kind,) = _u16(data, 14)
    return _ether_type(data, 16, kind, vlan)


def _cooked2(data: bytes, vlan: int) -> Inner:
    (kind,) = _u16(data, 0)
    return _ether_type(data, 20, kind, vlan)


def _ppp(data: bytes, vlan: int) -> Inner:
    at = 2 if data[:2] in {b"\xff\x03", b"\x0f\x00", b"\x8f\x00"} else 0
    if data[at] & 1:  # the protocol field was compressed to one byte
        return _point_to_point(data, at + 1, data[at], vlan)
    (protocol,) = _u16(data, at)
    return _point_to_point(data, at + 2, protocol, vlan)


def _pppoe(data: bytes, vlan: int) -> Inner:
    return _pppoe_session(data, 0, vlan)


def _pppoe_session(data: bytes, at: int, vlan: int) -> Inner:
    (protocol,) = _u16(data, at + 6)
    return _point_to_point(data, at + 8, protocol, vlan)


def _point_to_point(data: bytes, at: int, protocol: int, vlan: int) -> Inner:
    if protocol not in _PPP:
        raise Unsupported
    return _ether_type(data, at, _PPP[protocol], vlan)


def _cisco_hdlc(data: bytes, vlan: int) -> Inner:
    (kind,) = _u16(data, 2)
    return _ether_type(data, 4, kind, vlan)


def _wifi(data: bytes, vlan: int) -> Inner:
    return _wifi_data(data, 0, vlan)


def _radiotap(data: bytes, vlan: int) -> Inner:
    (length,) = _little_u16(data, 2)
    return _wifi_data(data, length, vlan)


def _wifi_data(data: bytes, at: int, vlan: int) -> Inner:
    """802.11 data frames in the clear; everything else on the air is not ours to meter."""
    control, flags = data[at], data[at + 1]
    if control & 0x0C != 0x08 or control & 0x40 or flags & 0x40:
        raise Unsupported
    at += 24
    if flags & 0x03 == 0x03:
        at += 6
    if control & 0x80:
        at += 6 if flags & 0x80 else 2
    kind, at = _snap(data, at)
    return _ether_type(data, at, kind, vlan)


def unknown_link(_data: bytes, _vlan: int) -> Inner:
    """What stands in where `LINKS` has no entry: every frame is `Unsupported`."""
    raise Unsupported


LINKS: Final[dict[int, Callable[[bytes, int], Inner]]] = {
    ETHERNET: ethernet,
    0: _null,
    9: _ppp,
    12: _raw,
    14: _raw,
    50: _ppp,
    51: _pppoe,
    101: _raw,
    104: _cisco_hdlc,
    105: _wifi,
    108: _null,
    113: _cooked,
    127: _radiotap,
    228: _raw,
    229: _raw,
    276: _cooked2,
}
"""LINKTYPE number → how to find the network layer. Each may also raise ``struct.error`` or
``IndexError`` where the frame is too short."""

_SOURCE_MAC_AT: Final = {ETHERNET: 6, 113: 6, 276: 12}


def source_mac(link_type: int, data: bytes) -> int:
    """The hardware address that sent the frame, 0 where the link layer has none."""
    at = _SOURCE_MAC_AT.get(link_type)
    return int.from_bytes(data[at : at + 6], "big") if at is not None else 0

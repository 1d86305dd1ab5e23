"""From the network layer to what a flow is counted by: addresses, ports, flags, payload.

A packet is ``(key, proto, orig_p, resp_p, flags, transport_at, payload_at, payload_len)``. ``key``
names the flow in this direction: source, destination (4 or 16 bytes each), two ports, protocol,
VLAN id; `reverse` gives the key of the other direction. ``payload_len`` comes from the IP header,
so that a capture cut to its first bytes counts in full.

Nothing is copied but the key, and nothing is trusted: a frame that is too short raises
``struct.error`` or ``IndexError``, one that contradicts itself `Malformed`.
"""

from __future__ import annotations

from struct import Struct
from struct import error as struct_error
from typing import Final

from dijkwacht_agent.link_layers import Malformed, Unsupported
from dijkwacht_records.addresses import V4_PREFIX, pack_mac
from dijkwacht_records.tables import Row

Packet = tuple[bytes, int, int, int, int, int, int, int]
FragmentName = tuple[bytes, int, int, int]
"""What fragments of one packet share: addresses, protocol, identification, VLAN id."""

ICMP: Final = 1
TCP: Final = 6
UDP: Final = 17
ICMPV6: Final = 58
CALLED_BY_PORT: Final = frozenset({TCP, UDP})
PINGS: Final = frozenset({ICMP, ICMPV6})

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
ACK: Final = 0x10

_WITH_PORTS: Final = frozenset({33, 132, 136})  # DCCP, SCTP, UDP-Lite
_PORT_HEADER: Final = {33: 12, 132: 12, 136: 8}
_EXTENSIONS: Final = frozenset({0, 43, 51, 60, 135, 139, 140})
_FRAGMENT: Final = 44
_MAX_EXTENSIONS: Final = 8
_ANSWER: Final = {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17}
_ANSWER_V6: Final = {128: 129, 129: 128, 133: 134, 134: 133, 135: 136, 136: 135}

_ipv4 = Struct(">BxHHHxB2x8s").unpack_from
_ipv6 = Struct(">IHBx32s").unpack_from
_fragment = Struct(">BxHI").unpack_from
_tcp = Struct(">HH8xBB6x").unpack_from
_udp = Struct(">HH4x").unpack_from
_ports = Struct(">HH").unpack_from
_icmp = Struct(">BB2x").unpack_from
_pack_ports = Struct(">HH").pack
_arp = Struct(">HHBBH").unpack_from
_arp_addresses = Struct(">6s4s6s4s").unpack_from
_TAIL: Final = [bytes((proto, 0, 0)) for proto in range(256)]


class Fragments:
    """Ports of first fragments, for those that follow: a bounded memory, oldest forgotten first."""

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._ports: dict[FragmentName, tuple[int, int]] = {}

    def remember(self, name: FragmentName, ports: tuple[int, int]) -> None:
        """Keep the ports of (addresses, protocol, identification, VLAN)."""
        self._ports.pop(name, None)
        if len(self._ports) >= self._limit:
            del self._ports[next(iter(self._ports))]
        self._ports[name] = ports

    def recall(self, name: FragmentName) -> tuple[int, int]:
        """Ports of the first fragment, (0, 0) if it was never seen or is forgotten."""
        return self._ports.get(name, (0, 0))


def dissect_ipv4(data: bytes, at: int, wire_len: int, vlan: int, fragments: Fragments) -> Packet:
    """Dissect the IPv4 packet that begins at ``at``; ``wire_len`` is the whole frame's."""
    version, total, ident, fragment, proto, addresses = _ipv4(data, at)
    header = (version & 15) * 4
    if version >> 4 != 4 or header < 20:
        raise Malformed
    if not total or total > wire_len - at:
        total = wire_len - at  # segmentation offload leaves 0; a frame holds no more than itself
    size = total - header
    if size < 0:
        raise Malformed
    if fragment & 0x3FFF:
        name = (addresses, proto, ident, vlan)
        return _dissect_fragment(data, at + header, name, size, fragment & 0x1FFF, fragments)
    return _dissect_transport(data, at + header, addresses, proto, size, vlan)


def dissect_ipv6(data: bytes, at: int, wire_len: int, vlan: int, fragments: Fragments) -> Packet:
    """Dissect the IPv6 packet that begins at ``at``, through its extension headers."""
    version, size, proto, addresses = _ipv6(data, at)
    if version >> 28 != 6:
        raise Malformed
    at += 40
    if not size or size > wire_len - at:
        size = wire_len - at
    ident = offset = 0
    fragmented = False
    for _ in range(_MAX_EXTENSIONS):
        if proto == _FRAGMENT:
            proto, place, ident = _fragment(data, at)
            offset, fragmented, length = place >> 3, bool(place & 0xFFF9), 8
        elif proto in _EXTENSIONS and not offset:
            length = (data[at + 1] + 2) * 4 if proto == 51 else (data[at + 1] + 1) * 8
            proto = data[at]
        else:
            break
        at += length
        size -= length
    if size < 0:
        raise Malformed
    if fragmented:
        name = (addresses, proto, ident, vlan)
        return _dissect_fragment(data, at, name, size, offset, fragments)
    return _dissect_transport(data, at, addresses, proto, size, vlan)


def _dissect_transport(
    data: bytes, at: int, addresses: bytes, proto: int, size: int, vlan: int
) -> Packet:
    """Dissect a whole transport header at ``at``; ``size`` is the payload of IP."""
    tail = _TAIL[proto] if not vlan else bytes((proto, vlan >> 8, vlan & 255))
    if proto == TCP:
        orig_p, resp_p, offset, flags = _tcp(data, at)
        header = (offset >> 4) * 4
        if header < 20 or header > size:
            raise Malformed
        key = addresses + data[at : at + 4] + tail
        return key, TCP, orig_p, resp_p, flags, at, at + header, size - header
    if proto == UDP:
        orig_p, resp_p = _udp(data, at)
        if size < 8:
            raise Malformed
        return addresses + data[at : at + 4] + tail, UDP, orig_p, resp_p, 0, at, at + 8, size - 8
    if proto in PINGS:
        kind, code = _icmp(data, at)
        if size < 4:
            raise Malformed
        # An answer gets the key that its question's flow expects from the other side.
        answer = (_ANSWER if proto == ICMP else _ANSWER_V6).get(kind, code)
        key = addresses + _pack_ports(kind, answer) + tail
        return key, proto, kind, code, 0, at, at + 8, max(size - 8, 0)
    if proto in _WITH_PORTS:
        orig_p, resp_p = _ports(data, at)
        header = _PORT_HEADER[proto]
        if size < header:
            raise Malformed
        key = addresses + data[at : at + 4] + tail
        return key, proto, orig_p, resp_p, 0, at, at + header, size - header
    return addresses + b"\x00\x00\x00\x00" + tail, proto, 0, 0, 0, at, at, size


def _dissect_fragment(
    data: bytes, at: int, name: FragmentName, size: int, offset: int, fragments: Fragments
) -> Packet:
    """The first fragment has the transport header; the others are counted where it went."""
    addresses, proto, _, vlan = name
    if not offset:
        try:
            packet = _dissect_transport(data, at, addresses, proto, size, vlan)
        except (Malformed, struct_error):
            # Too small for the whole header, which hides the flags but not who talks to whom.
            fragments.remember(name, _ports(data, at))
        else:
            fragments.remember(name, packet[2:4])
            return packet
    orig_p, resp_p = fragments.recall(name)
    key = flow_key(addresses, proto, orig_p, resp_p, vlan)
    # No payload to read names from: it begins in the middle of something.
    return key, proto, orig_p, resp_p, 0, at, len(data), size


def flow_key(addresses: bytes, proto: int, orig_p: int, resp_p: int, vlan: int) -> bytes:
    """The key of what is sent from ``orig_p`` to ``resp_p``; of ICMP, these are type and code."""
    if proto in PINGS:
        # An answer gets the key that its question's flow expects from the other side.
        resp_p = (_ANSWER if proto == ICMP else _ANSWER_V6).get(orig_p, resp_p)
    return addresses + _pack_ports(orig_p, resp_p) + bytes((proto, vlan >> 8, vlan & 255))


def reverse(key: bytes) -> bytes:
    """The key of the same flow seen from the other side."""
    n = (len(key) - 7) // 2
    m = 2 * n
    return key[n:m] + key[:n] + key[m + 2 : m + 4] + key[m : m + 2] + key[m + 4 :]


def endpoints(key: bytes) -> tuple[bytes, bytes]:
    """Source and destination of a key, 16 bytes each."""
    if len(key) == 15:
        return V4_PREFIX + key[:4], V4_PREFIX + key[4:8]
    return key[:16], key[16:32]


def whole(address: bytes) -> bytes:
    """An address of 4 or 16 bytes as 16."""
    return V4_PREFIX + address if len(address) == 4 else address


def dissect_arp(data: bytes, at: int, eth_src: int, time: int, *, from_gateway: bool) -> Row:
    """Dissect Ethernet/IPv4 ARP at ``at`` into a row of the ``arp`` table.

    ``from_gateway``: its sender carries outside traffic.
    """
    hardware, protocol, hlen, plen, op = _arp(data, at)
    # 6 is IEEE 802, which some bridges write for the same six octets.
    if hardware not in {1, 6} or protocol != 0x0800 or hlen != 6 or plen != 4:
        raise Unsupported
    sender_mac, sender_h, target_mac, target_h = _arp_addresses(data, at + 8)
    sender = pack_mac(sender_mac)
    return (
        time,
        op,
        eth_src or sender,
        sender,
        V4_PREFIX + sender_h,
        pack_mac(target_mac),
        V4_PREFIX + target_h,
        int(from_gateway),
    )

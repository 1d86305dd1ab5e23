"""The dissector against scapy: both must read the same from the same bytes."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption, fragment
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import ARP, LLC, SNAP, CookedLinux, Dot1AD, Dot1Q, Dot3, Ether
from scapy.layers.ppp import PPP, PPPoE
from scapy.packet import Packet, Raw

from dijkwacht_agent import dissect, link_layers
from dijkwacht_agent.dissect import Fragments, dissect_arp, dissect_ipv4, dissect_ipv6
from dijkwacht_agent.link_layers import LINKS, Malformed, Unsupported
from dijkwacht_records.addresses import pack_address, pack_mac

MAC = "00:1b:21:00:00:01"
PEER = "00:1b:21:00:00:02"


def dissected(packet: Packet | bytes, link_type: int = 1, fragments: Fragments | None = None):
    data = bytes(packet)
    kind, at, vlan = LINKS[link_type](data, 0)
    read = {link_layers.IPV4: dissect_ipv4, link_layers.IPV6: dissect_ipv6}[kind]
    return data, read(data, at, len(data), vlan, fragments or Fragments())


def ether(payload: Packet) -> Packet:
    return Ether(src=MAC, dst=PEER) / payload


ports = st.integers(0, 65535)
ipv4 = st.ip_addresses(v=4).map(str)
ipv6 = st.ip_addresses(v=6).map(str)


@given(
    ends=st.tuples(ipv4, ipv4),
    sport=ports,
    dport=ports,
    flags=st.integers(0, 255),
    payload=st.binary(max_size=200),
    options=st.sampled_from([[], [("MSS", 1460)], [("MSS", 1460), ("SAckOK", b""), ("NOP", None)]]),
    ip_options=st.sampled_from([[], [IPOption(b"\x94\x04\x00\x00")]]),
    vlan=st.sampled_from([0, 1, 10, 4094]),
)
def test_tcp_over_ipv4_reads_as_scapy_reads_it(
    ends, sport, dport, flags, payload, options, ip_options, vlan
):
    src, dst = ends
    segment = TCP(sport=sport, dport=dport, flags=flags, options=options) / Raw(payload)
    inner = IP(src=src, dst=dst, options=ip_options) / segment
    data, packet = dissected(ether(Dot1Q(vlan=vlan) / inner if vlan else inner))
    key, proto, orig_p, resp_p, seen, _, at, size = packet
    theirs = Ether(data)[TCP]
    assert (proto, orig_p, resp_p, seen) == (6, theirs.sport, theirs.dport, int(theirs.flags))
    assert dissect.endpoints(key) == (pack_address(src), pack_address(dst))
    assert data[at : at + size] == payload
    assert key[-2:] == vlan.to_bytes(2, "big")


@given(
    src=ipv6, dst=ipv6, sport=ports, dport=ports, payload=st.binary(max_size=100), data=st.data()
)
def test_udp_behind_extension_headers_reads_as_scapy_reads_it(
    src, dst, sport, dport, payload, data
):
    extensions = data.draw(
        st.lists(
            st.sampled_from([IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt(), IPv6ExtHdrRouting()]),
            max_size=3,
            unique_by=type,
        )
    )
    packet = IPv6(src=src, dst=dst)
    for extension in extensions:
        packet /= extension
    raw, (key, proto, orig_p, resp_p, flags, _, at, size) = dissected(
        ether(packet / UDP(sport=sport, dport=dport) / Raw(payload))
    )
    assert (proto, orig_p, resp_p, flags) == (17, sport, dport, 0)
    assert dissect.endpoints(key) == (pack_address(src), pack_address(dst))
    assert raw[at : at + size] == payload


@pytest.mark.parametrize(
    ("link_type", "packet"),
    [
        (101, IP() / UDP()),
        (12, IPv6() / UDP()),
        (1, Ether(dst=PEER) / Dot1AD(vlan=7) / Dot1Q(vlan=9) / IP() / UDP()),
        (1, Dot3(dst=PEER) / LLC() / SNAP() / IP() / UDP()),
        (1, Ether(dst=PEER) / PPPoE() / PPP() / IP() / UDP()),
        (0, b"\x02\x00\x00\x00" + bytes(IP() / UDP())),
        (108, b"\x00\x00\x00\x18" + bytes(IPv6() / UDP())),
        (113, CookedLinux() / IP() / UDP()),
        (276, struct.pack(">HHIHBB8x", 0x0800, 0, 1, 1, 0, 6) + bytes(IP() / UDP())),
        (9, b"\xff\x03\x00\x21" + bytes(IP() / UDP())),
        (9, b"\x21" + bytes(IP() / UDP())),
        (9, b"\xff\x03\x02\x81\x00\x02\x01\x40" + bytes(IP() / UDP())),
        (51, b"\x11\x00\x00\x01\x00\x00\x00\x21" + bytes(IP() / UDP())),
        (104, b"\x0f\x00\x08\x00" + bytes(IP() / UDP())),
        (105, b"\x08\x00" + bytes(22) + bytes(LLC() / SNAP() / IP() / UDP())),
        (105, b"\x88\x00" + bytes(24) + bytes(LLC() / SNAP() / IP() / UDP())),
        (127, b"\x00\x00\x08\x00" + bytes(4) + b"\x08\x00" + bytes(22) + bytes(LLC() / SNAP() / IP() / UDP())),
        (1, bytes(12) + b"\x88\x47" + b"\x00\x01\x00\x40" + b"\x00\x02\x01\x40" + bytes(IP() / UDP())),
    ],
)  # fmt: skip
def test_every_link_type_leads_to_the_same_packet(link_type, packet):
    _, (_, proto, orig_p, resp_p, *_) = dissected(packet, link_type)
    assert (proto, orig_p, resp_p) == (17, 53, 53)


def test_the_outermost_tag_is_the_vlan_also_when_the_ring_took_it():
    tagged = bytes(Ether(dst=PEER) / Dot1Q(vlan=20) / Dot1Q(vlan=30) / IP() / UDP())
    assert LINKS[1](tagged, 0)[2] == 20
    stripped = tagged[:12] + tagged[16:]
    assert LINKS[1](stripped, 20)[2] == 20


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=8), IP(src="10.0.0.2", dst="10.0.0.1") / ICMP(type=0)),
        (IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=13), IP(src="10.0.0.2", dst="10.0.0.1") / ICMP(type=14)),
        (IPv6(src="fd00::1", dst="fd00::2") / ICMPv6EchoRequest(), IPv6(src="fd00::2", dst="fd00::1") / ICMPv6EchoReply()),
    ],
)  # fmt: skip
def test_an_echo_and_its_answer_are_one_flow(ask, answer):
    _, question = dissected(ether(ask))
    _, reply = dissected(ether(answer))
    assert dissect.reverse(question[0]) == reply[0]
    assert question[2:4] == (ask.lastlayer().type, ask.lastlayer().code)


def test_later_fragments_are_counted_where_the_first_went():
    whole = IP(src="10.0.0.1", dst="10.0.0.2", id=7) / UDP(sport=4000, dport=53) / Raw(bytes(3000))
    fragments = Fragments()
    keys, size = set(), 0
    for part in fragment(whole, fragsize=1000):
        _, packet = dissected(ether(part), fragments=fragments)
        keys.add(packet[0])
        size += packet[7]
    assert len(keys) == 1
    assert size == 3000


def test_ipv6_fragments_too():
    fragments = Fragments()
    head = IPv6(src="fd00::1", dst="fd00::2")
    body = bytes(UDP(sport=4000, dport=53, len=1608)) + bytes(1600)
    first = head / IPv6ExtHdrFragment(offset=0, m=1, id=9, nh=17) / Raw(body[:800])
    second = head / IPv6ExtHdrFragment(offset=100, m=0, id=9, nh=17) / Raw(body[800:])
    keys = {dissected(ether(part), fragments=fragments)[1][0] for part in (first, second)}
    assert len(keys) == 1


def test_a_later_fragment_alone_has_no_ports_and_no_payload_to_read():
    part = ether(IP(frag=100, proto=17) / Raw(bytes(100)))
    data, (_, proto, orig_p, resp_p, _, _, at, size) = dissected(part)
    assert (proto, orig_p, resp_p, size) == (17, 0, 0, 100)
    assert at == len(data)


def test_a_first_fragment_too_small_for_its_header_still_names_the_flow():
    segment = bytes(TCP(sport=4000, dport=80, flags="S")) + bytes(20)
    head = IP(src="10.0.0.1", dst="10.0.0.2", id=7, proto=6)
    parts = [
        IP(bytes(head)) / Raw(segment[:8]),
        IP(bytes(head)) / Raw(segment[8:]),
    ]
    parts[0].flags, parts[1].frag = "MF", 1
    fragments = Fragments()
    packets = []
    for part in parts:
        del part.len, part.chksum
        packets.append(dissected(ether(part), fragments=fragments)[1])
    assert {packet[2:5] for packet in packets} == {(4000, 80, 0)}
    assert len({packet[0] for packet in packets}) == 1


def test_the_memory_of_fragments_is_bounded_and_forgets_the_oldest():
    fragments = Fragments(limit=2)
    for ident in range(3):
        fragments.remember((b"", 17, ident, 0), (ident + 1, 53))
    assert [fragments.recall((b"", 17, ident, 0)) for ident in range(3)] == [
        (0, 0),
        (2, 53),
        (3, 53),
    ]


def test_payload_is_counted_from_the_header_and_never_beyond_the_wire():
    data = bytes(ether(IP() / TCP() / Raw(bytes(1000))))
    cut = data[:64]
    assert dissect_ipv4(cut, 14, len(data), 0, Fragments())[7] == 1000
    assert dissect_ipv4(cut, 14, len(cut), 0, Fragments())[7] == 10
    offloaded = bytes(ether(IP(len=0) / TCP() / Raw(bytes(1000))))
    assert dissect_ipv4(offloaded, 14, len(offloaded), 0, Fragments())[7] == 1000


def test_padding_is_no_payload():
    data = bytes(ether(IP() / TCP())) + bytes(6)
    assert dissect_ipv4(data, 14, len(data), 0, Fragments())[7] == 0


@pytest.mark.parametrize(
    "packet",
    [
        IP(ihl=4) / UDP(),
        IP(len=10) / UDP(),
        IP(version=5) / UDP(),
        IP() / TCP(dataofs=4),
        IP() / TCP(dataofs=15),
        IP(proto=17) / Raw(bytes(7)),
    ],
)
def test_headers_that_contradict_themselves_are_malformed(packet):
    data = bytes(ether(packet)) + bytes(60)
    with pytest.raises(Malformed):
        dissect_ipv4(data, 14, len(data) - 60, 0, Fragments())


def test_arp_reads_as_scapy_reads_it():
    data = bytes(ether(ARP(op=2, hwsrc=MAC, psrc="10.0.0.1", hwdst=PEER, pdst="10.0.0.9")))
    row = dissect_arp(data, 14, link_layers.source_mac(1, data), 5, from_gateway=True)
    mac, peer = (pack_mac(bytes.fromhex(text.replace(":", ""))) for text in (MAC, PEER))
    assert row == (5, 2, mac, mac, pack_address("10.0.0.1"), peer, pack_address("10.0.0.9"), 1)


def test_arp_for_other_hardware_is_unsupported():
    data = bytes(ether(ARP(hwtype=15)))
    with pytest.raises(Unsupported):
        dissect_arp(data, 14, 0, 0, from_gateway=False)


@given(link_type=st.sampled_from(sorted(LINKS)), data=st.binary(max_size=120))
def test_no_bytes_surprise_the_dissector(link_type, data):
    try:
        kind, at, vlan = LINKS[link_type](data, 0)
        if kind == link_layers.IPV4:
            dissect_ipv4(data, at, len(data), vlan, Fragments())
        elif kind == link_layers.IPV6:
            dissect_ipv6(data, at, len(data), vlan, Fragments())
        elif kind == link_layers.ARP:
            dissect_arp(data, at, 0, 0, from_gateway=False)
    except (struct.error, IndexError, Malformed, Unsupported):
        pass


@given(key=st.one_of(st.binary(min_size=15, max_size=15), st.binary(min_size=39, max_size=39)))
def test_reversing_twice_changes_nothing(key):
    assert dissect.reverse(dissect.reverse(key)) == key

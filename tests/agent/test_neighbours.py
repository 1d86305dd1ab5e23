"""What the meter says of neighbours and routers in IPv6, with scapy as the second opinion."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_Redirect,
    ICMPv6ND_RS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptRouteInfo,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import Dot1Q, Ether

from dijkwacht_agent.frames import block_of
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_records.addresses import UNSPECIFIED, pack_address
from dijkwacht_records.tables import NDP, TABLES
from dijkwacht_records.vocabulary import NdpFlag, NdpKind

START = 1_700_000_000_000_000
MAC, OTHER = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
NUMBER, OTHER_NUMBER = 0x02000000000A, 0x02000000000B
ROUTER, PC, ALL = "fe80::1", "fe80::20", "ff02::1"
ETHER = Ether(src=MAC, dst="33:33:00:00:00:01")


def rows_of(*packets, link_type=1, cut=None, **limits):
    """Rows of ``ndp``, by column, of ``packets`` that come a second apart; ``cut`` to so many bytes."""
    meter = Meter(LocalNetworks(), **limits)
    frames = []
    for place, packet in enumerate(packets):
        data = packet if isinstance(packet, bytes) else bytes(packet)
        frames.append((START + place * 1_000_000, link_type, data[:cut], len(data), 0))
    meter.feed(block_of(frames))
    names = [column.name for column in NDP.columns]
    number = TABLES.index(NDP)
    made = list(meter.take().rows())
    return [dict(zip(names, row, strict=True)) for which, row in made if which == number]


def from_router(message, src=ROUTER, hlim=255):
    return ETHER / IPv6(src=src, dst=ALL, hlim=hlim) / message


def test_a_router_s_message_is_read_whole():
    [row] = rows_of(
        from_router(
            ICMPv6ND_RA(M=1, O=1, routerlifetime=1800, prf=1)
            / ICMPv6NDOptSrcLLAddr(lladdr=OTHER)
            / ICMPv6NDOptMTU(mtu=1500)
            / ICMPv6NDOptPrefixInfo(prefix="2001:db8::", prefixlen=64, validlifetime=900)
            / ICMPv6NDOptPrefixInfo(prefix="2001:db8:1::", prefixlen=64, A=0)
            / ICMPv6NDOptPrefixInfo(prefix="2001:db8:2::", prefixlen=64, validlifetime=0)
            / ICMPv6NDOptRDNSS(dns=["2001:db8::53", "2001:db8::54"], lifetime=600)
            / ICMPv6NDOptRDNSS(dns=["2001:db8::55"], lifetime=0)
        )
    )
    assert row == {
        "time": START,
        "kind": NdpKind.ROUTER_ADVERTISEMENT,
        "eth_src": NUMBER,
        "orig_h": pack_address(ROUTER),
        "resp_h": pack_address(ALL),
        "target_h": UNSPECIFIED,
        "link_mac": OTHER_NUMBER,
        "flags": NdpFlag.MANAGED | NdpFlag.OTHER_CONFIG,
        "lifetime": 1800,
        "preference": 1,
        "prefixes": 1,
        "resolvers": 2,
        "from_gateway": 0,
    }


@pytest.mark.parametrize(("prf", "rank"), [(0, 0), (1, 1), (2, 0), (3, -1)])
def test_a_router_s_rank(prf, rank):
    assert rows_of(from_router(ICMPv6ND_RA(prf=prf)))[0]["preference"] == rank


@pytest.mark.parametrize(
    ("lifetime", "route", "flags", "rank"),
    [
        (0, {"prefix": "::", "plen": 0, "prf": 1}, NdpFlag.OUTSIDE, 1),
        (0, {"prefix": "2000::", "plen": 3, "prf": 3}, NdpFlag.OUTSIDE, -1),
        (1800, {"prefix": "::", "plen": 0, "prf": 1}, NdpFlag.OUTSIDE, 1),
        (1800, {"prefix": "::", "plen": 0, "prf": 3}, NdpFlag.OUTSIDE, 0),
        (0, {"prefix": "::", "plen": 0, "prf": 1, "rtlifetime": 0}, 0, 0),
        (0, {"prefix": "fd00:1::", "plen": 64, "prf": 1}, 0, 0),
    ],
)
def test_only_a_route_to_all_outside_counts(lifetime, route, flags, rank):
    route = {"rtlifetime": 1800} | route
    [row] = rows_of(
        from_router(ICMPv6ND_RA(routerlifetime=lifetime, prf=0) / ICMPv6NDOptRouteInfo(**route))
    )
    assert (row["lifetime"], row["flags"], row["preference"]) == (lifetime, flags, rank)


def test_neighbours_ask_and_answer():
    asks = ICMPv6ND_NS(tgt="fe80::33") / ICMPv6NDOptSrcLLAddr(lladdr=MAC)
    free = ICMPv6ND_NS(tgt=PC)
    answer = ICMPv6ND_NA(tgt="fe80::33", R=1, S=1, O=0) / ICMPv6NDOptDstLLAddr(lladdr=OTHER)
    claim = ICMPv6ND_NA(tgt="fe80::33", R=0, S=0, O=1)
    went = ICMPv6ND_Redirect(tgt="fe80::44", dst="2001:db8::9") / ICMPv6NDOptDstLLAddr(lladdr=OTHER)
    rows = rows_of(
        *(
            ETHER / IPv6(src=src, dst=ALL, hlim=255) / message
            for src, message in (
                ("::", ICMPv6ND_RS()),
                (PC, asks),
                ("::", free),
                ("fe80::33", answer),
                ("fe80::33", claim),
                (ROUTER, went),
            )
        )
    )
    told = [(row["kind"], row["link_mac"], row["flags"], row["target_h"]) for row in rows]
    target = pack_address("fe80::33")
    assert told == [
        (NdpKind.ROUTER_SOLICITATION, 0, 0, UNSPECIFIED),
        (NdpKind.NEIGHBOUR_SOLICITATION, NUMBER, 0, target),
        (NdpKind.NEIGHBOUR_SOLICITATION, 0, 0, pack_address(PC)),
        (NdpKind.NEIGHBOUR_ADVERTISEMENT, OTHER_NUMBER, NdpFlag.ROUTER | NdpFlag.SOLICITED, target),
        (NdpKind.NEIGHBOUR_ADVERTISEMENT, 0, NdpFlag.OVERRIDE, target),
        (NdpKind.REDIRECT, OTHER_NUMBER, 0, pack_address("fe80::44")),
    ]
    assert rows[0]["orig_h"] == UNSPECIFIED


RA = ICMPv6ND_RA() / ICMPv6NDOptSrcLLAddr(lladdr=MAC)


@pytest.mark.parametrize(
    "packet",
    [
        from_router(RA, hlim=254),  # it came from beyond a router
        from_router(ICMPv6ND_RA(code=1)),
        from_router(ICMPv6ND_RA() / (b"\x01\x00" + bytes(6))),  # an option without length
        from_router(ICMPv6ND_RA() / (b"\x01\x09" + bytes(6))),  # one that goes on after the end
        ETHER / IPv6(src=ROUTER, dst=ALL, hlim=255, plen=12) / RA,  # its fixed part is 16 bytes
        ETHER / IPv6(src=ROUTER, dst=ALL, hlim=255) / ICMPv6EchoRequest(),
        ETHER / IP(src="10.0.0.1", dst="10.0.0.2", proto=58) / RA,
    ],
)
def test_what_its_receivers_ignore_is_no_row(packet):
    assert rows_of(packet) == []


def test_a_capture_that_cuts_leaves_what_came_before():
    message = RA / ICMPv6NDOptRDNSS(dns=["2001:db8::53"])
    whole, short, shorter = (rows_of(from_router(message), cut=cut) for cut in (None, 80, 69))
    assert (whole[0]["link_mac"], whole[0]["resolvers"]) == (NUMBER, 1)
    assert (short[0]["link_mac"], short[0]["resolvers"]) == (NUMBER, 0)
    assert shorter == []


def test_it_is_found_behind_extensions_tags_and_in_a_first_fragment():
    within = IPv6(src=ROUTER, dst=ALL, hlim=255)
    rows = rows_of(
        ETHER / Dot1Q(vlan=7) / within / RA,
        ETHER / within / IPv6ExtHdrDestOpt() / RA,
        ETHER / within / IPv6ExtHdrFragment(m=1, id=5) / RA,
        ETHER / within / IPv6ExtHdrFragment(offset=3, id=5, nh=58) / bytes(24),
    )
    assert [row["link_mac"] for row in rows] == [NUMBER] * 3


def test_it_has_a_budget_of_its_own():
    meter = Meter(LocalNetworks(), names_per_second=3)
    data = bytes(from_router(RA))
    meter.feed(block_of([(START + n, 1, data, len(data), 0) for n in range(10)]))
    assert len(list(meter.take().rows())) == 3
    assert meter.counters["names_shed"] == 7
    assert meter.counters["packets_metered"] == 10


def test_who_carries_traffic_is_said():
    outward = Ether(src=OTHER, dst=MAC) / IP(src="10.0.0.3", dst="198.51.100.1") / UDP()
    rows = rows_of(from_router(RA), outward, from_router(RA))
    assert [row["from_gateway"] for row in rows] == [0, 1]


def test_a_router_s_message_says_whether_another_is_at_work():
    other = Ether(src=MAC, dst=OTHER) / IP(src="10.0.0.3", dst="198.51.100.1") / UDP()
    asks = ETHER / IPv6(src=PC, dst=ALL, hlim=255) / ICMPv6ND_NS(tgt=PC)
    rows = rows_of(from_router(RA), other, from_router(RA), asks, *[from_router(RA)] * 60)
    told = [bool(row["flags"] & NdpFlag.BESIDE_GATEWAY) for row in rows]
    assert told[:3] == [False, True, False]
    assert (told[3:].count(True), told[-1]) == (58, False)
    own = Ether(src=OTHER, dst=MAC) / IP(src="10.0.0.3", dst="198.51.100.1") / UDP()
    assert not rows_of(own, from_router(RA))[0]["flags"] & NdpFlag.BESIDE_GATEWAY


def test_without_hardware_addresses_in_its_frames_it_has_those_of_the_message():
    [row] = rows_of(bytes(from_router(RA))[14:], link_type=101)
    assert (row["eth_src"], row["link_mac"]) == (NUMBER, NUMBER)


MESSAGES = [
    bytes(from_router(message))
    for message in (
        ICMPv6ND_RS(),
        RA / ICMPv6NDOptPrefixInfo() / ICMPv6NDOptRDNSS() / ICMPv6NDOptRouteInfo(),
        ICMPv6ND_NS(tgt=PC) / ICMPv6NDOptSrcLLAddr(lladdr=MAC),
        ICMPv6ND_NA(tgt=PC) / ICMPv6NDOptDstLLAddr(lladdr=MAC),
        ICMPv6ND_Redirect(tgt=PC, dst="2001:db8::1") / ICMPv6NDOptDstLLAddr(lladdr=MAC),
    )
]


@st.composite
def mutated(draw):
    """A message, perhaps cut or with a few bytes of ICMPv6 changed."""
    data = bytearray(draw(st.sampled_from(MESSAGES)))
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(14, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(14, len(data)))])


@given(st.lists(mutated(), max_size=8))
def test_whatever_comes_a_row_fits_and_the_packets_add_up(frames):
    meter = Meter(LocalNetworks())
    meter.feed(block_of([(START, 1, data, len(data), 0) for data in frames] or [(0, 1, b"", 0, 0)]))
    counters = meter.counters
    dropped = sum(count for name, count in counters.items() if name.startswith("dropped_"))
    assert counters["packets_seen"] == counters["packets_metered"] + dropped
    for number, row in meter.take().rows():
        if TABLES[number] is NDP:
            by_name = dict(zip((c.name for c in NDP.columns), row, strict=True))
            assert by_name["kind"] in set(NdpKind)
            assert 0 <= by_name["lifetime"] < 1 << 16
            assert by_name["preference"] in {-1, 0, 1}
            assert 0 <= by_name["prefixes"] <= 50
            assert 0 <= by_name["resolvers"] <= 130
            assert 0 <= by_name["flags"] < 128
            assert len(by_name["target_h"]) == len(by_name["orig_h"]) == 16


@given(st.data())
def test_options_are_read_as_scapy_reads_them(data):
    """Any options in any order: what is counted is what a second reader counts."""
    makers = st.sampled_from(
        [
            lambda n: ICMPv6NDOptSrcLLAddr(lladdr=f"02:00:00:00:01:{n:02x}"),
            lambda n: ICMPv6NDOptPrefixInfo(A=n & 1, validlifetime=n & 2),
            lambda n: ICMPv6NDOptRDNSS(dns=["2001:db8::1"] * (1 + n % 3), lifetime=n & 4),
            lambda n: ICMPv6NDOptMTU(),
        ]
    )
    drawn = data.draw(st.lists(st.tuples(makers, st.integers(0, 255)), max_size=6))
    message = ICMPv6ND_RA()
    for make, number in drawn:
        message = message / make(number)
    [row] = rows_of(from_router(message))
    again = Ether(bytes(from_router(message)))
    macs = [o.lladdr for o in layers(again, ICMPv6NDOptSrcLLAddr)]
    prefixes = layers(again, ICMPv6NDOptPrefixInfo)
    resolvers = layers(again, ICMPv6NDOptRDNSS)
    assert row["link_mac"] == (int(macs[-1].replace(":", ""), 16) if macs else 0)
    assert row["prefixes"] == sum(bool(o.A and o.validlifetime) for o in prefixes)
    assert row["resolvers"] == sum(len(o.dns) for o in resolvers if o.lifetime)


def layers(packet, kind):
    found = []
    while packet:
        if type(packet) is kind:
            found.append(packet)
        packet = packet.payload
    return found

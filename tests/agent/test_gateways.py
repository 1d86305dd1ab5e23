"""Who carries traffic out of the site, and whose ARP messages are therefore a gateway's."""

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether

from dijkwacht_agent.frames import block_of
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.memory.gateways import MAX_MACHINES, PROVEN_US, Gateways
from dijkwacht_agent.meter import Meter
from dijkwacht_records.tables import ARP as ARP_TABLE
from dijkwacht_records.tables import TABLES

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
ROUTER, POISONER, CLIENT = (f"02:00:00:00:00:0{n}" for n in (1, 2, 3))


def mac(n: int) -> bytes:
    return bytes((2, 0, 0, 0, 0, n))


def test_the_first_that_carries_is_a_gateway_and_another_after_ten_minutes():
    gateways = Gateways()
    gateways.carries(START, mac(1))
    gateways.carries(START, mac(2))
    assert mac(1) in gateways
    assert mac(2) not in gateways
    gateways.carries(START + PROVEN_US - 1, mac(2))
    assert mac(2) not in gateways
    gateways.carries(START + PROVEN_US, mac(2))
    assert mac(2) in gateways
    assert mac(3) not in gateways


def test_a_group_carries_nothing():
    gateways = Gateways()
    gateways.carries(START, b"\x01\x00\x5e\x00\x00\x01")
    gateways.carries(START, mac(1))
    assert mac(1) in gateways


@given(st.lists(st.integers(2, 60)))
def test_many_others_push_out_no_gateway(others):
    gateways = Gateways()
    gateways.carries(START, mac(1))
    for n in others:
        gateways.carries(START + n, mac(n))
    assert mac(1) in gateways
    assert len(gateways._carries) <= MAX_MACHINES
    if others:
        assert mac(others[-1]) in gateways._carries


def from_gateway(*steps: tuple[float, object], link_type: int = 1) -> list[int]:
    meter = Meter(LocalNetworks())
    head = b"" if link_type == 1 else bytes(4) + b"\x00\x06" + mac(1) + b"\x00\x00"
    frames = []
    for seconds, packet in steps:
        data = bytes(packet)
        data = data if link_type == 1 else head + data[12:]
        frames.append((START + round(seconds * SECOND), link_type, data, len(data), 0))
    meter.feed(block_of(frames))
    meter.finish()
    place = ARP_TABLE.index("from_gateway")
    arp = TABLES.index(ARP_TABLE)
    return [row[place] for number, row in meter.take().rows() if number == arp]


def sent(src: str, dst: str, orig: str, resp: str, port: int = 1) -> Ether:
    return Ether(src=src, dst=dst) / IP(src=orig, dst=resp) / UDP(sport=40000 + port, dport=5000)


def asks(src: str) -> Ether:
    return Ether(src=src, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=src, psrc="10.0.0.1")


def test_arp_of_whoever_carries_outside_traffic_is_a_gateways():
    assert from_gateway(
        (0, asks(ROUTER)),
        (1, sent(CLIENT, POISONER, "10.0.0.3", "10.0.0.2")),  # inside: nothing is carried
        (2, sent(CLIENT, ROUTER, "10.0.0.3", "198.51.100.1")),
        (3, asks(ROUTER)),
        (4, asks(CLIENT)),
        (5, sent(CLIENT, POISONER, "10.0.0.3", "198.51.100.1", 2)),
        (6, asks(POISONER)),
        (606, sent(CLIENT, POISONER, "10.0.0.3", "198.51.100.1", 3)),
        (607, asks(POISONER)),
    ) == [0, 1, 0, 0, 1]


def test_what_comes_from_outside_comes_from_a_gateway():
    steps = (0, sent(ROUTER, CLIENT, "198.51.100.1", "10.0.0.3")), (1, asks(ROUTER))
    assert from_gateway(*steps) == [1]


def test_forged_and_multicast_senders_make_no_gateway():
    assert from_gateway(
        (0, sent(POISONER, CLIENT, "203.0.113.5", "198.51.100.1")),
        (1, sent(POISONER, "ff:ff:ff:ff:ff:ff", "0.0.0.0", "255.255.255.255", 2)),
        (2, asks(POISONER)),
    ) == [0]


def test_only_ethernet_shows_who_receives_a_frame():
    steps = (0, sent(ROUTER, CLIENT, "198.51.100.1", "10.0.0.3")), (1, asks(ROUTER))
    assert from_gateway(*steps, link_type=113) == [0]

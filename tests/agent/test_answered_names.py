"""Which addresses DNS had named before a flow began, and to whom."""

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from dijkwacht_agent.frames import block_of
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.memory.answered_names import DAY_US, MAX_ASKERS, SERVED, AnsweredNames
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.protocols import dns
from dijkwacht_agent.protocols.dns import read_addresses
from dijkwacht_records.hints import NAMED, Named
from dijkwacht_records.tables import FLOWS

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
A, B, C = b"\x0a\0\0\x01", b"\x0a\0\0\x02", b"\x0a\0\0\x03"
SITE, OTHER = b"\xc0\0\x02\x01", b"\xc0\0\x02\x02"


def test_an_address_is_named_by_whom_it_was_told_to():
    names = AnsweredNames()
    assert names.named(START, A, SITE, inside=True) is Named.UNKNOWN
    names.told(START, A, [SITE])
    names.told(START, B, [])  # no such name: an answer all the same
    assert names.named(START, A, SITE, inside=True) is Named.BY_ORIG
    assert names.named(START, B, SITE, inside=True) is Named.BY_OTHER
    assert names.named(START, A, OTHER, inside=True) is Named.NOBODY
    assert names.named(START, B, OTHER, inside=True) is Named.NOBODY
    assert names.named(START, C, OTHER, inside=True) is Named.UNKNOWN


def test_a_day_later_nothing_is_known_any_more():
    names = AnsweredNames()
    names.told(START, A, [SITE])
    assert names.named(START + DAY_US - SECOND, A, SITE, inside=True) is Named.BY_ORIG
    assert names.named(START + DAY_US + SECOND, A, SITE, inside=True) is Named.UNKNOWN


def test_who_asks_over_tls_may_have_been_told_anything():
    names = AnsweredNames()
    names.told(START, A, [SITE])
    names.hides(START, A)
    assert names.named(START, A, SITE, inside=True) is Named.BY_ORIG
    assert names.named(START, A, OTHER, inside=True) is Named.UNKNOWN
    assert names.named(START + DAY_US - 1, A, OTHER, inside=True) is Named.UNKNOWN


def test_one_machine_that_asks_for_all_others_shows_what_they_ask():
    names = AnsweredNames()
    names.told(START, A, [SITE])
    for _ in range(SERVED):
        assert names.named(START, B, OTHER, inside=True) is Named.UNKNOWN
        assert names.named(START, B, SITE, inside=True) is Named.BY_OTHER
    assert names.named(START, C, OTHER, inside=True) is Named.NOBODY
    assert names.named(START, C, OTHER, inside=False) is Named.UNKNOWN
    names.told(START, B, [])  # there are others that ask for themselves: C's questions go elsewhere
    assert names.named(START, C, OTHER, inside=True) is Named.UNKNOWN


def test_what_is_named_to_everyone_is_named_to_each():
    names = AnsweredNames()
    names.told_everyone(START, [B])
    assert names.named(START, A, B, inside=True) is Named.BY_ORIG
    names.told(START, C, [B])
    assert names.named(START, A, B, inside=True) is Named.BY_ORIG


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 19), st.integers(0, 40_000)), max_size=80)
)
@example([(0, 1, 0), (1, 1, 0), (0, 0, 6_400), (0, 0, 40_000), (1, 1, 40_000)])
def test_it_agrees_with_a_list_of_all_answers(steps):
    """The latest askers of an address, within a day of each other, as a plain list tells them."""
    names, answers, now = AnsweredNames(), [], START
    for asker, address, seconds in steps:
        now += seconds * SECOND
        names.told(now, bytes((10, 0, 0, asker)), [bytes((192, 0, 2, address))])
        answers.append((now, asker, address))
    for asker in range(10):
        for address in range(20):
            given_to = [(t, a) for t, a, named in answers if named == address]
            fresh = []
            for moment, who in given_to:
                if fresh and moment - fresh[-1][0] >= DAY_US:
                    fresh = []
                fresh = [*(one for one in fresh if one[1] != who), (moment, who)][-MAX_ASKERS:]
            if fresh and now - fresh[-1][0] >= DAY_US:
                fresh = []
            answered = [t for t, a, _ in answers if a == asker]
            if fresh:
                told = asker in {who for _, who in fresh}
                expected = Named.BY_ORIG if told else Named.BY_OTHER
            else:
                known = answered and now - answered[-1] < DAY_US
                expected = Named.NOBODY if known else Named.UNKNOWN
            orig, resp = bytes((10, 0, 0, asker)), bytes((192, 0, 2, address))
            assert names.named(now, orig, resp, inside=False) is expected


@given(st.lists(st.tuples(st.binary(min_size=4, max_size=4), st.binary(min_size=4, max_size=4))))
def test_its_memory_is_bounded(steps):
    names = AnsweredNames(addresses=5, machines=3)
    for asker, address in steps:
        names.told(START, asker, [address])
        names.hides(START, asker)
    assert len(names._named) <= 5
    assert max(len(names._askers), len(names._hiding)) <= 3
    if steps:  # the latest is always kept
        assert names.named(START, *steps[-1], inside=True) is Named.BY_ORIG


def reply(*records, qname="www.example.org") -> DNS:
    return DNS(id=7, qr=1, rd=1, ra=1, qd=DNSQR(qname=qname), an=list(records))


def test_addresses_are_read_from_the_answers_alone():
    message = reply(
        DNSRR(rrname="www.example.org", type="CNAME", rdata="host.example.org"),
        DNSRR(rrname="host.example.org", type="A", rdata="192.0.2.1"),
        DNSRR(rrname="host.example.org", type="AAAA", rdata="2001:db8::1"),
        DNSRR(rrname="host.example.org", type="TXT", rdata=b"abcd"),
    )
    message.ar = [DNSRR(rrname="ns.example.org", type="A", rdata="192.0.2.9")]
    data = bytes(message)
    end = dns.read_message(data).end
    assert read_addresses(data, end) == [SITE, bytes.fromhex("20010db8" + "00" * 11 + "01")]
    assert read_addresses(data[: data.index(SITE) + 4], end) == [SITE]
    assert read_addresses(data[: data.index(SITE) + 3], end) == []


@given(st.binary(min_size=12, max_size=200), st.integers(0, 3), st.integers(0, 0xFFFF))
def test_any_bytes_are_read_within_bounds(data, questions, answers):
    data = data[:4] + struct.pack(">HH", questions, answers) + data[8:]
    assert all(len(address) in {4, 16} for address in read_addresses(data, 12))
    assert len(read_addresses(data, 12)) <= 64


def named_of(*packets) -> dict[int, Named]:
    """What the flows of ``packets`` to port 443 say, by originator's port."""
    meter = Meter(LocalNetworks())
    frames = []
    for n, packet in enumerate(packets):
        data = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet)
        frames.append((START + n * SECOND, 1, data, len(data), 0))
    meter.feed(block_of(frames))
    meter.finish()
    at = {name: FLOWS.index(name) for name in ("orig_p", "resp_p", "hints", "part")}
    rows = [row for number, row in meter.take().rows() if number == 0]
    return {
        row[at["orig_p"]]: Named(NAMED.get(row[at["hints"]]))
        for row in rows
        if row[at["resp_p"]] == 443 and row[at["part"]] == 0
    }


def call(port: int, resp: str, orig: str = "10.0.0.1"):
    return IP(src=orig, dst=resp) / TCP(sport=port, dport=443, flags="S")


def test_the_meter_hears_dns_over_udp_and_multicast():
    answer = reply(DNSRR(rrname="www.example.org", type="A", rdata="192.0.2.1"))
    nobody = DNS(qr=1, rcode=3, qd=DNSQR(qname="no.example.org"))
    printer = DNS(
        qr=1, aa=1, an=[DNSRR(rrname="p.local", type="A", rdata=b) for b in ("10.0.0.9",)]
    )
    liar = DNS(qr=1, aa=1, an=[DNSRR(rrname="p.local", type="A", rdata="192.0.2.7")])
    group = IP(src="10.0.0.9", dst="224.0.0.251") / UDP(sport=5353, dport=5353)
    found = named_of(
        call(1, "192.0.2.1"),
        IP(src="10.0.0.53", dst="10.0.0.1") / UDP(sport=53, dport=40000) / answer,
        IP(src="10.0.0.53", dst="10.0.0.2") / UDP(sport=53, dport=40000) / nobody,
        group / printer,
        group / liar,
        call(2, "192.0.2.1"),
        call(3, "192.0.2.1", orig="10.0.0.2"),
        call(4, "192.0.2.2"),
        call(5, "10.0.0.9"),
        call(6, "192.0.2.7"),
        call(7, "239.1.1.1"),
        call(8, "192.0.2.2", orig="10.0.0.3"),
        IP(src="10.0.0.1", dst="9.9.9.9") / TCP(sport=50000, dport=853, flags="S"),
        call(9, "192.0.2.3"),
    )
    assert found == {
        1: Named.UNKNOWN,
        2: Named.BY_ORIG,
        3: Named.BY_OTHER,
        4: Named.NOBODY,
        5: Named.BY_ORIG,
        6: Named.NOBODY,
        7: Named.UNKNOWN,
        8: Named.UNKNOWN,
        9: Named.UNKNOWN,
    }


@pytest.mark.parametrize("port", [53, 40000])
def test_dns_over_tcp_is_heard_as_well(port):
    answer = bytes(reply(DNSRR(rrname="www.example.org", type="A", rdata="192.0.2.1")))
    segment = TCP(sport=port, dport=40001, flags="PA") / (struct.pack(">H", len(answer)) + answer)
    found = named_of(IP(src="10.0.0.53", dst="10.0.0.1") / segment, call(1, "192.0.2.1"))
    assert found[1] is (Named.BY_ORIG if port == 53 else Named.UNKNOWN)

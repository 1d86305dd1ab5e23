"""DNS and DHCP as scapy or the standard library writes them, and as nobody should."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from dijkwacht_agent.frames import block_of
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.protocols import dhcp, dns
from dijkwacht_agent.protocols.printable import printable
from dijkwacht_records.addresses import UNSPECIFIED, pack_address, pack_mac
from dijkwacht_records.tables import MAX_TEXT_BYTES, NO_ANSWER

A, B = "10.0.0.1", "192.0.2.53"
labels = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=30),
    min_size=1,
    max_size=6,
).map(".".join)


def rows_of(*packets: Packet, meter: Meter | None = None) -> list:
    meter = meter or Meter(LocalNetworks())
    for place, packet in enumerate(packets):
        data = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet)
        meter.feed(block_of([(place, 1, data, len(data), 0)]))
    return list(meter.take().rows())


@given(name=labels, qtype=st.integers(1, 255), rcode=st.integers(0, 15), answers=st.integers(0, 5))
def test_questions_and_answers_read_as_scapy_wrote_them(name, qtype, rcode, answers):
    question = DNSQR(qname=name, qtype=qtype)
    asked = dns.read_message(bytes(DNS(qd=question)))
    assert asked is not None
    assert (asked.response, asked.query, asked.qtype) == (False, name, qtype)
    records = [DNSRR(rrname=name, rdata="192.0.2.1") for _ in range(answers)]
    told = dns.read_message(bytes(DNS(qr=1, rcode=rcode, qd=question, an=records)))
    assert told[:-1] == (True, name, qtype, rcode, answers)


def test_a_question_and_its_answer_are_rows_of_the_one_who_asked():
    query = DNS(id=1, qd=DNSQR(qname="Example.NL", qtype="AAAA"))
    reply = DNS(id=1, qr=1, rcode=3, qd=DNSQR(qname="example.nl", qtype="AAAA"))
    answered = rows_of(
        IP(src=A, dst=B) / UDP(sport=5000, dport=53) / query,
        IP(src=B, dst=A) / UDP(sport=53, dport=5000) / reply,
    )
    ends = (pack_address(A), pack_address(B), 53, "example.nl", 28)
    assert answered == [
        (1, (0, *ends, 1, NO_ANSWER, 0, 0)),
        (1, (1, *ends, 0, 3, 0, len(bytes(reply)))),
    ]


def test_dns_over_tcp_is_read_from_one_segment():
    message = bytes(DNS(qd=DNSQR(qname="zone.example", qtype="AXFR")))
    segment = TCP(sport=5000, dport=53, flags="PA") / Raw(len(message).to_bytes(2, "big") + message)
    ((_, row),) = rows_of(IP(src=A, dst=B) / segment)
    assert row[4:7] == ("zone.example", 252, 1)


def test_a_multicast_answer_is_named_by_its_first_record():
    reply = DNS(
        qr=1, aa=1, qd=[], an=[DNSRR(rrname="_ipp._tcp.local", type="PTR", rdata="x.local")]
    )
    told = rows_of(IP(src=A, dst="224.0.0.251") / UDP(sport=5353, dport=5353) / reply)
    ((_, row),) = told
    assert row[1:7] == (
        pack_address("224.0.0.251"),
        pack_address(A),
        5353,
        "_ipp._tcp.local",
        12,
        0,
    )


@pytest.mark.parametrize(("questions", "is_read"), [(20, True), (65, False)])
def test_many_questions_come_in_one_message_but_not_any_number(questions, is_read):
    message = struct.pack(">6H", 0, 0, questions, 0, 0, 0) + b"\x01a\x02nl\x00\x00\x0c\x00\x01"
    assert (dns.read_message(message) is not None) == is_read


def test_a_name_may_point_back_but_not_in_circles():
    head = bytes.fromhex("000181800001000000000000")
    assert dns.read_message(head + b"\xc0\x12" + b"\x00\x01" * 2 + b"\x01a\x02nl\x00") is not None
    assert dns.read_message(head + b"\xc0\x0c") is None
    assert dns.read_message(head + b"\xc0\x0e\xc0\x0c") is None
    assert dns.read_message(head + b"\x40") is None


def test_what_is_not_printable_is_escaped_and_a_dot_in_a_label_is_no_separator():
    message = bytes.fromhex("000101000001000000000000") + b"\x05a.\xffB\\\x02nl\x00\x00\x10\x00\x01"
    read = dns.read_message(message)
    assert read is not None
    assert read.query == r"a\x2e\xffb\x5c.nl"


def test_the_longest_name_of_the_worst_bytes_fits_a_field():
    worst = (b"\x3f" + b"\xff" * 63) * 3 + b"\x3d" + b"\xff" * 61 + b"\x00\x00\x01\x00\x01"
    read = dns.read_message(bytes.fromhex("000101000001000000000000") + worst)
    assert read is not None
    assert len(read.query) <= MAX_TEXT_BYTES
    too_long = (b"\x3f" + b"a" * 63) * 4 + b"\x00\x00\x01\x00\x01"
    assert dns.read_message(bytes.fromhex("000101000001000000000000") + too_long) is None


def test_a_dhcp_exchange():
    mac = bytes.fromhex("001b21000001")
    boot = {"chaddr": mac, "xid": 7}
    packets = [
        IP(src="0.0.0.0", dst="255.255.255.255")
        / UDP(sport=68, dport=67)
        / BOOTP(**boot)
        / DHCP(
            options=[
                ("message-type", 3),
                ("requested_addr", A),
                ("hostname", "Bakery PC"),
                ("param_req_list", [1, 3, 6]),
                "end",
            ]
        ),
        IP(src="10.0.0.254", dst="255.255.255.255")
        / UDP(sport=67, dport=68)
        / BOOTP(op=2, yiaddr=A, **boot)
        / DHCP(options=[("message-type", 5), "end"]),
    ]
    rows = rows_of(*packets)
    nobody, asked = UNSPECIFIED, dhcp.hash_options(bytes([1, 3, 6]))
    assert rows == [
        (3, (0, pack_mac(mac), 3, nobody, pack_address(A), nobody, r"Bakery\x20PC", 7, asked)),
        (3, (1, pack_mac(mac), 5, pack_address(A), nobody, pack_address("10.0.0.254"), "", 7, 0)),
    ]


@given(st.binary(max_size=400))
def test_no_bytes_surprise_the_readers(data):
    dns.read_message(data)
    dhcp.read_message(data, UNSPECIFIED)
    dhcp.read_message(b"\x01\x01\x06" + bytes(233) + b"\x63\x82\x53\x63" + data, UNSPECIFIED)


@given(st.binary())
def test_text_is_ascii_and_bounded(raw):
    text = printable(raw)
    assert text.isascii()
    assert not text or text.isprintable()
    assert len(text) <= MAX_TEXT_BYTES

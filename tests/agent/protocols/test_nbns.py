"""NetBIOS names and LLMNR: who asks, who answers, and that no name leaves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dns import DNSQR, DNSRR
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.llmnr import LLMNRQuery, LLMNRResponse

from dijkwacht_agent.frames import block_of
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.privacy import Pseudonyms
from dijkwacht_agent.protocols import nbns
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import DNS, MAX_TEXT_BYTES, NO_ANSWER, TABLES

VICTIM, POISONER, ALL = "192.168.1.20", "192.168.1.66", "192.168.1.255"


def halves(name, kind=0x20):
    raw = name.encode().upper().ljust(15) + bytes([kind])
    return b"\x20" + bytes(0x41 + half for byte in raw for half in divmod(byte, 16)) + b"\0"


def netbios(flags, name, qtype=0x20, questions=1, answers=0, rest=b""):
    counts = b"".join(n.to_bytes(2, "big") for n in (7, flags, questions, answers, 0, 0))
    return counts + halves(name) + qtype.to_bytes(2, "big") + b"\0\1" + rest


def dns_rows(*packets, hidden=False):
    inside = LocalNetworks()
    meter = Meter(inside)
    for place, packet in enumerate(packets):
        data = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet)
        meter.feed(block_of([(place, 1, data, len(data), 0)]))
    rows = meter.take()
    rows = Pseudonyms(bytes(range(32)), inside).hide(rows) if hidden else rows
    return [row for number, row in rows.rows() if number == TABLES.index(DNS)]


def ports(source, target, port, back=False):
    udp = UDP(sport=port if back else 50_000, dport=50_000 if back else port)
    return IP(src=source, dst=target) / udp


def test_a_poisoner_answers_for_a_name_that_it_was_never_given():
    answer = netbios(0x8500, "PC-Jan", questions=0, answers=1, rest=bytes(12))
    asked, told = dns_rows(
        IP(src=VICTIM, dst=ALL) / UDP(sport=137, dport=137) / netbios(0x0110, "PC-Jan"),
        IP(src=POISONER, dst=VICTIM) / UDP(sport=137, dport=137) / answer,
    )
    victim, poisoner = pack_address(VICTIM), pack_address(POISONER)
    assert asked[1:] == (victim, pack_address(ALL), 137, "pc-jan", 32, 1, NO_ANSWER, 0, 0)
    assert told[1:] == (victim, poisoner, 137, "pc-jan", 32, 0, 0, 1, len(answer))


def test_an_answer_to_llmnr_names_the_answering_machine():
    question = DNSQR(qname="pc-jan")
    reply = LLMNRResponse(qd=question, an=[DNSRR(rrname="pc-jan", rdata=POISONER)])
    asked, told = dns_rows(
        ports(VICTIM, "224.0.0.252", 5355) / LLMNRQuery(qd=question),
        ports(POISONER, VICTIM, 5355, back=True) / reply,
    )
    assert asked[2:6] == (pack_address("224.0.0.252"), 5355, "pc-jan", 1)
    assert told[1:9] == (pack_address(VICTIM), pack_address(POISONER), 5355, "pc-jan", 1, 0, 0, 1)


@pytest.mark.parametrize(
    ("flags", "qtype", "read"),
    [
        (0x0110, 0x20, (False, "fileserver", 32, 0, 0)),
        (0x2910, 0x20, (False, "fileserver", 32, 0, 0)),  # registration
        (0x4010, 0x20, (False, "fileserver", 32, 0, 0)),  # refresh
        (0x7910, 0x20, (False, "fileserver", 32, 0, 0)),  # registration with several addresses
        (0x0000, 0x21, (False, "fileserver", 33, 0, 0)),
        (0x8503, 0x0A, (True, "fileserver", 32, 3, 0)),  # no such name
        (0x3000, 0x20, None),  # release
        (0x0110, 0x01, None),
    ],
)
def test_messages(flags, qtype, read):
    found = nbns.read_message(netbios(flags, "FileServer", qtype))
    assert (found and found[:-1]) == read


def test_a_status_answer_gives_a_number_and_no_name():
    held = b"\0\0\0\0\0\x41\x02" + b"SECRET-PC      \0\4\0" + b"BAKERY         \0\x84\0"
    answer = netbios(0x8400, "*", 0x21, questions=0, answers=1, rest=held)
    read = nbns.read_message(answer)
    assert read is not None
    assert read[:-1] == (True, "*", 33, 0, 1)


def test_names_leave_as_keyed_hashes():
    rows = dns_rows(
        IP(src=VICTIM, dst=ALL) / UDP(sport=137, dport=137) / netbios(0x0110, "Jans.Laptop"),
        IP(src=VICTIM, dst=ALL) / UDP(sport=137, dport=137) / netbios(0x2910, "BAKERY"),
        hidden=True,
    )
    assert [row[4][:2] for row in rows] == ["h-", "h-"]
    assert not any(word in row[4] for row in rows for word in ("jan", "laptop", "bakery"))


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_no_bytes_surprise_the_reader(data, scope):
    nbns.read_message(data)
    read = nbns.read_message(netbios(0x0110, "x")[:-5] + scope + b"\0\0\x20\0\1")
    assert read is None or len(read.query) <= MAX_TEXT_BYTES


@given(st.binary(min_size=16, max_size=16))
def test_any_name_is_printable(raw):
    encoded = bytes(0x41 + half for byte in raw for half in divmod(byte, 16))
    read = nbns.read_message(bytes(5) + b"\1" + bytes(6) + b"\x20" + encoded + b"\0\0\x20\0\1")
    assert read is not None
    assert read.query.isprintable()
    assert read.query.isascii()

"""What the first packets of a flow show of who sent them, and in what part it stands."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from dijkwacht_agent.frames import block_of
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.protocols.speech import ENOUGH, speech_of
from dijkwacht_records.hints import FIELDS, Speech, SynOptions, SynWindow
from dijkwacht_records.tables import FLOWS

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
A, B = "10.0.0.1", "198.51.100.2"
HINTS, PART, FLOW = (FLOWS.index(name) for name in ("hints", "part", "flow_id"))


def parts(*steps: tuple[float, object], meter: Meter | None = None) -> list[dict]:
    """What each part says, in the order of parts; ``steps``: seconds and packet."""
    meter = meter or Meter(LocalNetworks())
    frames = []
    for seconds, packet in steps:
        data = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet)
        frames.append((START + round(seconds * SECOND), 1, data, len(data), 0))
    meter.feed(block_of(frames))
    meter.finish()
    rows = [row for number, row in meter.take().rows() if number == 0]
    return [
        {name: kind(field.get(row[HINTS])) for name, (field, kind) in FIELDS.items()}
        for row in sorted(rows, key=lambda row: (row[FLOW], row[PART]))
    ]


def there(flags="", payload=b"", **fields):
    return IP(src=A, dst=B) / TCP(sport=40000, dport=443, flags=flags, **fields) / Raw(payload)


def back(flags="", payload=b"", **fields):
    return IP(src=B, dst=A) / TCP(sport=443, dport=40000, flags=flags, **fields) / Raw(payload)


@pytest.mark.parametrize("words", range(11))
def test_options_are_told_by_their_bytes(words):
    (part,) = parts((0, there("S", options=[("NOP", None)] * 4 * words)))
    assert part["options"] == [*list(SynOptions)[1:7], *[SynOptions.MORE] * 5][words]


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (0, SynWindow.ZERO),
        (1, SynWindow.SMALL),
        (1024, SynWindow.SCANNER),
        (1025, SynWindow.SMALL),
        (2048, SynWindow.SCANNER),
        (3072, SynWindow.SCANNER),
        (4096, SynWindow.SCANNER),
        (8191, SynWindow.SMALL),
        (8192, SynWindow.LARGE),
        (65535, SynWindow.LARGE),
    ],
)
def test_windows_are_told_by_class(window, expected):
    (part,) = parts((0, there("S", window=window)))
    assert part["window"] is expected


def test_a_sequence_number_that_is_the_destination_is_told():
    number = struct.unpack(">I", bytes((198, 51, 100, 2)))[0]
    assert parts((0, there("S", seq=number)))[0]["seq_is_dst"]
    assert not parts((0, there("S", seq=number + 1)))[0]["seq_is_dst"]
    six = IPv6(src="2001:db8::1", dst="2001:db8::2") / TCP(flags="S", seq=number)
    assert not parts((0, six))[0]["seq_is_dst"]


@pytest.mark.parametrize("first", [back("SA"), there("A"), there("R")])
def test_without_the_originators_syn_nothing_is_known_of_it(first):
    (part,) = parts((0, first))
    assert part["options"] is SynOptions.UNSEEN
    assert part["window"] is SynWindow.ZERO


def test_speech_and_who_spoke_first_stand_in_the_part_that_saw_them():
    soon = parts((0, there("S")), (0.1, back("SA")), (0.2, back("PA", b"SSH-2.0-x\r\n")))
    assert [(part["speech"], part["resp_first"]) for part in soon] == [(Speech.SSH, True)]
    late = parts(
        (0, there("S")),
        (0.1, back("SA")),
        (5, there("PA", b"GET / HTTP/1.1\r\n")),
        (6, back("PA", b"HTTP/1.1 200 OK\r\n")),
        (30, back("PA", b"more")),
    )
    told = [(part["options"], part["speech"], part["resp_first"]) for part in late]
    assert told[0] == (SynOptions.NONE, Speech.NOTHING, False)
    assert told[1] == (SynOptions.UNSEEN, Speech.HTTP, False)
    assert set(told[2:]) == {(SynOptions.UNSEEN, Speech.NOTHING, False)}


def test_what_the_capture_cut_off_is_not_spoken():
    meter = Meter(LocalNetworks())
    data = bytes(
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / there("PA", b"GET / HTTP/1.1\r\n")
    )
    meter.feed(block_of([(START, 1, data[:54], len(data), 0)]))
    found = parts((0.5, there("PA", b"GET / HTTP/1.1\r\n")), meter=meter)
    assert [part["speech"] for part in found] == [Speech.NOTHING]


def test_who_was_just_commanded_is_known():
    meter = Meter(LocalNetworks())
    commander = bytes((198, 51, 100, 2))
    meter._listener.memory.commanded.note(START, bytes((10, 0, 0, 1)), commander)
    other, later = (
        IP(src=A, dst="198.51.100.3") / TCP(sport=port, dport=80, flags="S") for port in (1, 2)
    )
    found = parts((0.1, there("S")), (0.2, other), (70, later), meter=meter)
    found = [part for part in found if part["options"] is not SynOptions.UNSEEN]  # parts 0
    assert [part["called_back"].name for part in found] == ["COMMANDER", "COMMANDED", "NO"]


HELLO = bytes.fromhex("16030100c8010000c40303")
BIND = bytes.fromhex("05000b0310000000480000000100000010")
SMB2 = bytes.fromhex("00000044") + b"\xfeSMB" + bytes(0x40)
AS_REQ = bytes.fromhex("6a81b43081b1a103")
BIND_LDAP = bytes.fromhex("300c0201016007020103040080")
RDP = bytes.fromhex("0300001300e00000000000") + b"\x01\x00\x08\x00\x03\x00\x00\x00"
QUIC = b"\xc3\x00\x00\x00\x01\x08" + bytes(1190)


@pytest.mark.parametrize(
    ("payload", "datagram", "expected"),
    [
        (HELLO, False, Speech.TLS),
        (b"\x17\x03\x03\x00\x20" + bytes(32), False, Speech.TLS),
        (b"\x16\x02\x03\x00\x20" + bytes(32), False, Speech.BYTES),
        (b"POST /x HTTP/1.1\r\n", False, Speech.HTTP),
        (b"CONNECT a.nl:443 HTTP/1.1\r\n", False, Speech.HTTP),
        (b"HTTP/1.0 404 no\r\n", False, Speech.HTTP),
        (b"NOTIFY /event HTTP/1.1\r\n", False, Speech.HTTP),
        (b"NOTIFY sip:a@b.nl SIP/2.0\r\n", False, Speech.TEXT),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", False, Speech.HTTP),
        (b"OPTIONS sip:a@b SIP/2.0\r\n", False, Speech.TEXT),
        (b"GET lost\r\n", False, Speech.TEXT),
        (b"SSH-2.0-OpenSSH_9.2\r\n", False, Speech.SSH),
        (SMB2, False, Speech.SMB),
        (SMB2.replace(b"\xfe", b"\xff"), False, Speech.SMB),
        (SMB2.replace(b"\xfe", b"\xaa"), False, Speech.BYTES),
        (b"\x81\x00\x00\x44" + b" " * 0x44, False, Speech.SMB),
        (BIND, False, Speech.RPC),
        (BIND[:4] + b"\x30" + BIND[5:], False, Speech.BYTES),
        (b"\x05\x01\x00", False, Speech.BYTES),  # SOCKS
        (RDP, False, Speech.RDP),
        (b"\x03\x00\x00\x16\x11\xe0\x00\x00\x00\x01\x00\xc1\x02\x01\x00\xc2\x02\x01\x02\xc0\x01\x0a",
         False, Speech.BYTES),  # a programmable controller's
        (struct.pack(">I", len(AS_REQ)) + AS_REQ, False, Speech.KERBEROS),
        (AS_REQ, True, Speech.KERBEROS),
        (BIND_LDAP, False, Speech.LDAP),
        (bytes.fromhex("302602010104067075626c6963a019"), True, Speech.BYTES),  # SNMP
        (b"220 mail.example.nl ESMTP\r\n", False, Speech.TEXT),
        (b"M-SEARCH * HTTP/1.1\r\n", True, Speech.TEXT),
        (b"\xff\xfd\x18", False, Speech.BYTES),
        (QUIC, True, Speech.QUIC),
        (QUIC, False, Speech.BYTES),
        (b"\xc3\x00\x00\x00\x07" + bytes(1000), True, Speech.BYTES),
        (b"\x0d" + bytes(8) + b"Q043" + bytes(20), True, Speech.QUIC),
        (bytes.fromhex("12340100000100000000000003777777"), True, Speech.BYTES),
        (b"", False, Speech.NOTHING),
    ],
)  # fmt: skip
def test_speech_is_told_by_first_bytes(payload, datagram, expected):
    assert speech_of(payload, len(payload), datagram=datagram) is expected


@given(
    st.sampled_from([HELLO, BIND, SMB2, AS_REQ, BIND_LDAP, RDP, QUIC, b"GET / HTTP/1.1"]), st.data()
)
def test_any_bytes_speak_something(message, data):
    """Mutated and cut anywhere; no more than the first bytes are read."""
    mutated = bytearray(message)
    for _ in range(data.draw(st.integers(0, 3))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    payload = bytes(mutated[: data.draw(st.integers(1, len(mutated)))])
    size, datagram = data.draw(st.integers(1, 1500)), data.draw(st.booleans())
    found = speech_of(payload, size, datagram=datagram)
    assert found is not Speech.NOTHING
    assert found is speech_of(payload[:ENOUGH], size, datagram=datagram)


def test_port_443_that_speaks_no_tls_is_told():
    (part,) = parts((0, there("S")), (0.1, back("SA")), (0.2, there("PA", b"\x01\x02\x03")))
    assert part["speech"] is Speech.BYTES
    (udp,) = parts((0, IP(src=A, dst=B) / UDP(sport=40000, dport=443) / Raw(QUIC)))
    assert udp["speech"] is Speech.QUIC

"""QUIC Initials: the keys that RFC 9001 and RFC 9369 print, and hellos in any pieces, order and damage."""

from itertools import pairwise

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from dijkwacht_agent.frames import block_of
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.memory.handshakes import MAX_INITIALS
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.protocols.quic_initial import SALTS, initials_in, read_frames
from dijkwacht_records.tables import TABLES, TLS
from dijkwacht_records.vocabulary import Alpn, HelloFlag

EVERY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
NAME = bytes.fromhex("8394c8f03e515708")
V2 = 0x6B3343CF


def expand(secret, label, size):
    info = size.to_bytes(2, "big") + bytes([len(label) + 6]) + b"tls13 " + label + b"\0"
    return HKDFExpand(hashes.SHA256(), size, info).derive(secret)


def keys(version, name, side):
    extract = HMAC(SALTS[version], hashes.SHA256())
    extract.update(name)
    secret = expand(extract.finalize(), side + b" in", 32)
    prefix = b"quicv2 " if version == V2 else b"quic "
    return [
        expand(secret, prefix + what, size)
        for what, size in ((b"key", 16), (b"iv", 12), (b"hp", 16))
    ]


def number(value):
    return (
        (value | 0x4000).to_bytes(2, "big")
        if value < 0x4000
        else (value | 0x80000000).to_bytes(4, "big")
    )


def crypto(offset, data):
    return b"\x06" + number(offset) + number(len(data)) + data


def initial(frames, version=1, name=NAME, side=b"client", token=b"", key_name=None, pad=1160):
    """An Initial as RFC 9001 makes it, packet number 2."""
    key, iv, hp = keys(version, key_name or name, side)
    plain = frames + bytes(max(pad - len(frames), 4))
    kind = 0x10 if version == V2 else 0
    head = bytes([0xC0 | kind]) + version.to_bytes(4, "big") + bytes([len(name)]) + name + b"\0"
    head += number(len(token)) + token + number(len(plain) + 17) + b"\x02"
    nonce = (int.from_bytes(iv, "big") ^ 2).to_bytes(12, "big")
    sealed = AESGCM(key).encrypt(nonce, plain, head)
    mask = Cipher(algorithms.AES(hp), modes.ECB()).encryptor().update(sealed[3:19])
    return bytes([head[0] ^ mask[0] & 0x0F]) + head[1:-1] + bytes([2 ^ mask[1]]) + sealed


def rows_of(*packets, meter=None, port=443):
    meter = meter or Meter(LocalNetworks())
    for place, (from_client, data) in enumerate(packets):
        ends, ports = ("10.0.0.1", "192.0.2.53"), (50_000, port)
        if not from_client:
            ends, ports = ends[::-1], ports[::-1]
        udp = IP(src=ends[0], dst=ends[1]) / UDP(sport=ports[0], dport=ports[1]) / Raw(data)
        frame = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / udp)
        meter.feed(block_of([(place, 1, frame, len(frame), 0)]))
    meter.finish()
    names = [column.name for column in TLS.columns]
    tls = TABLES.index(TLS)
    return [dict(zip(names, row, strict=True)) for n, row in meter.take().rows() if n == tls]


RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


@pytest.fixture(scope="session")
def hello():
    """A ClientHello for example.nl that offers HTTP/3."""
    extensions = [(0, b"\0\x0d\0\0\x0aexample.nl"), (16, b"\0\3\2h3"), (43, b"\2\3\4")]
    extensions += [(13, b"\0\4\4\3\x08\4"), (0x1A1A, b""), (51, bytes(1300))]
    told = b"".join(k.to_bytes(2, "big") + len(v).to_bytes(2, "big") + v for k, v in extensions)
    body = b"\3\3" + bytes(32) + b"\0" + b"\0\6\x13\1\x13\2\x2a\x2a" + b"\1\0"
    body += len(told).to_bytes(2, "big") + told
    return b"\1" + len(body).to_bytes(3, "big") + body


@pytest.fixture(scope="session")
def answer():
    extensions = b"\0\x2b\0\2\3\4" + b"\0\x33\0\4\0\x1d\0\0"
    body = b"\3\3" + bytes(32) + b"\0\x13\1\0" + len(extensions).to_bytes(2, "big") + extensions
    return b"\2" + len(body).to_bytes(3, "big") + body


@pytest.mark.parametrize(
    ("version", "side", "key", "iv", "hp"),
    [
        (1, b"client", "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2"),
        (1, b"server", "cf3a5331653c364c88f0f379b6067e37", "0ac1493ca1905853b0bba03e", "c206b8d9b9f0f37644430b490eeaa314"),
        (V2, b"client", "8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f", "45b95e15235d6f45a6b19cbcb0294ba9"),
    ],
)  # fmt: skip
def test_the_keys_of_this_file_are_those_that_the_rfcs_print(version, side, key, iv, hp):
    assert [part.hex() for part in keys(version, NAME, side)] == [key, iv, hp]


@pytest.mark.parametrize("version", [1, V2, 0xFF00001D, 0xFF00001B])
def test_a_hello_over_two_initials_and_its_answer(hello, answer, version):
    first = initial(crypto(0, hello[:900]), version, token=b"token")
    second = initial(crypto(900, hello[900:]), version)
    reply = initial(crypto(0, answer), version, name=b"", side=b"server", key_name=NAME)
    (row,) = rows_of((True, first), (True, second), (False, reply), port=8443)
    assert (row["proto"], row["resp_p"], row["server_name"]) == (17, 8443, "example.nl")
    assert row["ja4"].startswith("q13d0205h3_")
    assert (row["version"], row["alpn"]) == (0x0304, Alpn.H3)
    assert (row["server_version"], row["cipher"], row["time"]) == (0x0304, 0x1301, 2)
    assert row["server_fp"] > 0


@EVERY
@given(st.data())
def test_pieces_in_any_order_give_the_same_row(hello, data):
    (expected,) = rows_of(
        (True, initial(crypto(0, hello[:900]))), (True, initial(crypto(900, hello[900:])))
    )
    cuts = data.draw(st.lists(st.integers(1, len(hello) - 1), min_size=2, max_size=9, unique=True))
    bounds = [0, *sorted(cuts), len(hello)]
    pieces = [crypto(a, hello[a:b]) for a, b in pairwise(bounds)]
    mixed = data.draw(st.permutations(pieces))
    half = len(mixed) // 2
    packets = [initial(b"\1\0".join(part)) for part in (mixed[:half], mixed[half:])]
    joined = data.draw(st.booleans())  # both in one datagram
    sent = [packets[0] + packets[1]] if joined else packets
    (row,) = rows_of(*((True, packet) for packet in sent))
    assert {k: v for k, v in row.items() if k != "time"} == {
        k: v for k, v in expected.items() if k != "time"
    }


def test_the_answer_that_counts_is_the_one_behind_a_request_for_another_hello(hello, answer):
    retry = answer[:6] + RETRY + answer[38:]
    sent = [initial(crypto(0, hello[:900])), initial(crypto(900, hello[900:]))]
    replies = [
        initial(crypto(at, message), name=b"", side=b"server", key_name=NAME)
        for at, message in ((0, retry), (0, retry), (len(retry), answer))
    ]
    (row,) = rows_of(*((True, p) for p in sent), *((False, p) for p in replies))
    (plain,) = rows_of(
        *((True, p) for p in sent),
        (False, initial(crypto(0, answer), name=b"", side=b"server", key_name=NAME)),
    )
    assert row["server_fp"] == plain["server_fp"] > 0


def test_after_a_retry_the_keys_are_others(hello):
    retry = b"\xf0\0\0\0\1\0\x08renamed!" + bytes(40)
    again = [initial(crypto(0, hello[:900]), name=b"renamed!", token=b"t"),
             initial(crypto(900, hello[900:]), name=b"renamed!", token=b"t")]  # fmt: skip
    (row,) = rows_of(
        (True, initial(crypto(0, hello[:900]))), (False, retry), *((True, p) for p in again)
    )
    assert row["server_name"] == "example.nl"
    assert row["ja4"]


def test_a_server_that_closes_the_handshake(hello):
    closed = initial(b"\x1c" + number(0x128) + b"\0\0", name=b"", side=b"server", key_name=NAME)
    packets = [initial(crypto(0, hello[:900])), initial(crypto(900, hello[900:]))]
    (row,) = rows_of(*((True, p) for p in packets), (False, closed))
    assert (row["alert"], row["server_version"]) == (0x29, 0)


def test_half_a_hello_is_told_as_cut(hello):
    (row,) = rows_of((True, initial(crypto(0, hello[:900]))))
    assert (row["server_name"], row["ja4"]) == ("example.nl", "")
    assert row["hello_flags"] & HelloFlag.CUT


def test_what_is_under_other_keys_is_no_hello(hello):
    assert not rows_of((True, initial(crypto(0, hello[:900]), key_name=b"another")))


def test_initials_beyond_the_budget_are_counted(hello):
    meter = Meter(LocalNetworks())
    packet = initial(crypto(0, hello[:900]))
    for port in range(MAX_INITIALS + 7):
        udp = IP(src="10.0.0.1", dst="192.0.2.53") / UDP(sport=20_000 + port, dport=443)
        frame = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / udp / Raw(packet))
        meter.feed(block_of([(5, 1, frame, len(frame), 0)]))
    assert meter.counters["messages_shed"] == 7


@EVERY
@given(st.data())
def test_damage_raises_nothing(hello, answer, data):
    packets = [
        (True, initial(crypto(0, hello[:900]))),
        (True, initial(crypto(900, hello[900:]))),
        (False, initial(crypto(0, answer), name=b"", side=b"server", key_name=NAME)),
    ]
    damaged = []
    for from_client, packet in packets:
        changed = bytearray(packet)
        for _ in range(data.draw(st.integers(0, 4))):
            changed[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
        damaged.append((from_client, bytes(changed[: data.draw(st.integers(1, 1300))])))
    assert len(rows_of(*damaged)) <= 1


@EVERY
@given(frames=st.binary(max_size=300), data=st.binary(max_size=80))
def test_any_frames_and_any_datagrams(frames, data):
    read_frames(frames)
    rows_of((True, initial(frames)))
    list(initials_in(b"\xc0\0\0\0\1" + data))

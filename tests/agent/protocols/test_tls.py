"""TLS handshakes of OpenSSL in any segments, cut, repeated, out of place, and as nobody should send them."""

import ssl
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.memory.handshakes import MAX_GROWING
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.protocols.client_hello import read_client_hello
from dijkwacht_agent.protocols.handshake_stream import MAX_HELLO, HandshakeStream
from dijkwacht_agent.protocols.server_hello import read_server_hello
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.vocabulary import Alpn, CertFlag, HelloFlag

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
place = st.integers(0, 4000)
places = st.lists(place, max_size=12)
EVERY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def record(kind, body):
    return bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body


def message(kind, body):
    return record(22, bytes([kind]) + len(body).to_bytes(3, "big") + body)


def server_hello(extensions=(), version=0x0303, session=b"", cipher=0x1301, random=bytes(32)):
    told = b"".join(k.to_bytes(2, "big") + len(v).to_bytes(2, "big") + v for k, v in extensions)
    body = version.to_bytes(2, "big") + random + bytes([len(session)]) + session
    return message(
        2, body + cipher.to_bytes(2, "big") + b"\0" + len(told).to_bytes(2, "big") + told
    )


@pytest.fixture
def hello(make_handshake):
    said, _ = make_handshake()
    return said[0][1]


def test_a_handshake_of_tls_1_2_is_one_row(talk, make_handshake):
    said, _ = make_handshake(V12, alpn=("http/1.1",))
    for from_client, data in said:
        talk.say(from_client, data)
    (row,) = talk.rows()
    assert (row["orig_h"], row["resp_h"], row["resp_p"]) == (
        pack_address("10.0.0.1"),
        pack_address("192.0.2.53"),
        443,
    )
    assert (row["version"], row["server_version"], row["proto"]) == (0x0304, 0x0303, 6)
    assert row["server_name"] == "www.example.nl"
    assert row["ja4"].startswith("t13d")
    assert row["alpn"] == Alpn.HTTP_1_1
    assert (row["cert_days"], row["cert_age"], row["cert_flags"]) == (365, 10, CertFlag.SEEN)
    assert (row["resumed"], row["alert"]) == (0, 0)
    assert row["server_fp"] > 0


def test_a_handshake_of_tls_1_3_is_told_with_its_server_hello(talk, make_handshake):
    said, _ = make_handshake(V13)
    talk.say(*said[0]).say(*said[1])
    (row,) = talk.rows()
    assert (row["server_version"], row["cert_flags"], row["resumed"]) == (0x0304, 0, 0)
    assert row["cipher"] in range(0x1301, 0x1304)
    assert row["time"] == talk.time


@pytest.mark.parametrize("version", [V12, V13])
def test_a_session_that_is_taken_up_again(make_talk, make_handshake, version):
    first, session = make_handshake(version)
    second, _ = make_handshake(version, session=session)
    rows = []
    for said in (first, second):
        talk = make_talk()
        for from_client, data in said:
            talk.say(from_client, data)
        rows += talk.rows()
    assert [row["resumed"] for row in rows] == [0, 1]
    assert [row["hello_flags"] & HelloFlag.RESUMES for row in rows] == [0, HelloFlag.RESUMES]
    assert rows[1]["cert_flags"] == 0


@EVERY
@given(data=st.data())
def test_any_segments_give_the_same_row(make_talk, make_handshake, data):
    version = data.draw(st.sampled_from([V12, V13]))
    said = make_handshake.once(version, pad=3000)
    rows = []
    for whole in (True, False):
        talk = make_talk()
        for from_client, sent in said:
            cuts = set() if whole else {1 + cut % (len(sent) - 1) for cut in data.draw(places)}
            again = False if whole else data.draw(st.booleans())
            for begin, end in pairwise([0, *sorted(cuts), len(sent)]):
                at = talk.next[from_client]
                talk.say(from_client, sent[begin:end], after=10)
                if again:
                    talk.say(from_client, sent[begin:end], seq=at, after=10)
        (row,) = talk.rows()
        rows.append({key: value for key, value in row.items() if key not in {"time", "flow_id"}})
    assert rows[0] == rows[1]


def test_a_silent_server_is_waited_for_a_second(talk, hello):
    talk.say(True, hello)
    begun = talk.time
    assert not talk.rows()
    talk.meter.advance(begun + 999_999)
    assert not talk.rows()
    talk.meter.advance(begun + 1_000_000)
    (row,) = talk.rows()
    assert (row["time"], row["server_version"], row["server_fp"]) == (begun + 1_000_000, 0, 0)
    talk.meter.finish()
    assert not talk.rows()


def test_a_flow_that_ends_first_tells_what_it_knows(talk, hello):
    talk.say(True, hello)
    talk.meter.finish()
    (row,) = talk.rows()
    assert row["time"] == talk.time


def test_a_connection_whose_server_seemed_to_begin(make_talk, hello):
    talk = make_talk(sport=443, dport=40_000)
    talk.say(False, b"", after=1).say(True, hello)
    talk.meter.finish()
    (row,) = talk.rows()
    assert (row["orig_h"], row["resp_p"]) == (pack_address("10.0.0.1"), 40_000)


def test_what_comes_before_a_hello_does_not_hide_it(talk, hello):
    talk.say(True, b"CONNECT www.example.nl:443 HTTP/1.1\r\n\r\n").say(
        False, b"HTTP/1.1 200\r\n\r\n"
    )
    talk.say(True, hello)
    talk.meter.finish()
    assert talk.rows()[0]["server_name"] == "www.example.nl"


def test_a_retry_is_not_the_answer(talk, hello):
    version, key = (43, b"\x03\x04"), (51, b"\0\x1d\0\x01x")
    talk.say(True, hello).say(False, server_hello([version], random=RETRY) + record(20, b"\x01"))
    assert not talk.rows()
    talk.say(True, record(20, b"\x01") + hello).say(False, server_hello([version, key]))
    (row,) = talk.rows()
    whole = read_server_hello(server_hello([version, key])[9:])
    assert (row["server_version"], row["server_fp"]) == (0x0304, whole.fingerprint)


def test_a_retry_alone_tells_what_was_chosen(talk, hello):
    talk.say(True, hello).say(False, server_hello([(43, b"\x03\x04")], random=RETRY))
    talk.meter.finish()
    (row,) = talk.rows()
    assert (row["server_version"], row["cipher"], row["server_fp"]) == (0x0304, 0x1301, 0)


@pytest.mark.parametrize("from_client", [True, False])
def test_a_fatal_alert_ends_the_handshake(talk, make_handshake, from_client):
    said, _ = make_handshake(V12)
    talk.say(*said[0])
    if from_client:
        talk.say(*said[1])
    talk.say(from_client, record(21, b"\x02\x30"))
    (row,) = talk.rows()
    assert (row["alert"], row["time"]) == (0x31, talk.time)
    assert row["cert_flags"] == (CertFlag.SEEN if from_client else 0)


def test_a_warning_is_no_end(talk, hello):
    talk.say(True, hello).say(False, record(21, b"\x01\x70") + server_hello([(43, b"\x03\x04")]))
    (row,) = talk.rows()
    assert (row["alert"], row["server_version"]) == (0, 0x0304)


def test_a_server_that_speaks_something_else(talk, hello):
    talk.say(True, hello).say(False, b"HTTP/1.1 400 Bad Request\r\n\r\n")
    (row,) = talk.rows()
    assert row["server_version"] == 0


def test_a_hello_cut_by_the_capture_is_read_as_far_as_it_goes(talk, hello):
    place = hello.index(b"www.example.nl") + 14
    talk.say(True, hello, keep=place)
    talk.meter.finish()
    (row,) = talk.rows()
    assert (row["server_name"], row["ja4"]) == ("www.example.nl", "")
    assert row["hello_flags"] & HelloFlag.CUT


def test_a_hello_that_never_ends_is_told_as_cut(talk, hello):
    talk.say(True, hello[:80])
    talk.meter.advance(talk.time + 1_000_000)
    (row,) = talk.rows()
    assert row["hello_flags"] & HelloFlag.CUT


def test_a_lost_segment_is_not_joined_over(talk, make_handshake):
    said, _ = make_handshake(V12)
    flight = said[1][1]
    talk.say(*said[0])
    begin = talk.next[False]
    talk.say(False, flight[:90]).say(False, flight[300:], seq=begin + 300)
    assert not talk.rows()
    talk.say(False, flight[80:400], seq=begin + 80).say(True, said[2][1])
    assert talk.rows()[0]["server_version"] == 0x0303


def test_of_hellos_that_never_end_the_oldest_is_given_up(make_talk, hello):
    meter = Meter(LocalNetworks())
    talks = [make_talk(meter, sport=10_000 + n) for n in range(MAX_GROWING + 50)]
    for talk in talks:
        talk.say(True, hello[:60])
    for talk in talks:
        talk.say(True, hello[60:])
    meter.finish()
    assert len(talks[0].rows()) == MAX_GROWING
    assert meter.counters["messages_shed"] == 50


def test_a_finished_handshake_leaves_nothing_with_its_flow(talk, make_handshake):
    said, _ = make_handshake(V13)
    talk.say(*said[0]).say(*said[1])
    (flow,) = set(talk.meter._table.by_key.values())
    assert flow.conversation is None
    assert not flow.listening


def test_an_encrypted_name_is_said():
    body = b"\x03\x03" + bytes(32) + b"\0\0\x02\x13\x01\x01\0"
    extensions = b"\xfe\x0d\0\x01x"
    read = read_client_hello(body + len(extensions).to_bytes(2, "big") + extensions, "t")
    assert read is not None
    assert read.flags == HelloFlag.ECH


@EVERY
@given(data=st.data())
def test_changed_bytes_raise_nothing_and_grow_nothing(make_talk, make_handshake, data):
    said = make_handshake.once(V12, pad=3000)
    talk = make_talk()
    for from_client, sent in said:
        changed = bytearray(sent)
        for _ in range(data.draw(st.integers(0, 6))):
            changed[data.draw(place) % len(sent)] = data.draw(st.integers(0, 255))
        talk.say(from_client, bytes(changed[: 1 + data.draw(place)]))
    talk.meter.finish()
    assert len(talk.rows()) <= 1


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=30))
def test_a_stream_of_any_bytes_stays_small(parts):
    stream, at = HandshakeStream(), 0
    for part in parts:
        fed = b"\x16\x03\x03\x40\x00\x01\x00\x3f\xfc" + part if not at else part
        stream.feed(fed, len(fed), at)
        at += len(fed)
        assert sum(len(m.body) for m in stream.held()) <= MAX_HELLO + 300


@given(st.binary(max_size=400), st.booleans())
def test_no_bytes_surprise_the_readers(data, whole):
    read_client_hello(data, "t", whole=whole)
    read_client_hello(b"\x03\x03" + bytes(32) + data, "q", whole=whole)
    read_server_hello(data, whole=whole)
    read_server_hello(b"\x03\x03" + bytes(32) + data, whole=whole)

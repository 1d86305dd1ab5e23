"""RDP connections up to where they are encrypted, and CredSSP by the sizes of its records."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus, EtypeClass

STANDARD, TLS, CREDSSP, CREDSSP_EX = 0, 1, 2, 8
ASKED = b"\x01\x00\x08\x00\x0b\x00\x00\x00"


def tpkt(kind, body):
    size = 11 + len(body)
    return b"\x03\x00" + size.to_bytes(2, "big") + bytes((size - 5, kind)) + bytes(5) + body


def request(user="", asked=ASKED):
    cookie = f"Cookie: mstshash={user}\r\n".encode() if user else b""
    return True, tpkt(0xE0, cookie + asked)


def selected(way):
    return False, tpkt(0xD0, b"\x02\x1f\x08\x00" + way.to_bytes(4, "little"))


def failure(code):
    return False, tpkt(0xD0, b"\x03\x00\x08\x00" + code.to_bytes(4, "little"))


def record(kind, size):
    return bytes((kind, 3, 3)) + size.to_bytes(2, "big") + bytes(size)


HELLOS = (True, record(22, 170)), (False, record(22, 1170))
OLDER = *HELLOS, (True, record(22, 70) + record(20, 1) + record(22, 40)), (False, record(20, 1))
NEWER = (
    (True, record(22, 300)),
    (False, record(22, 122) + record(20, 1) + record(23, 900)),
    (True, record(20, 1) + record(23, 53)),
    (False, record(23, 250)),
)
OFFER, CHALLENGE, ANSWER = (True, record(23, 81)), (False, record(23, 286)), (True, record(23, 567))
PROOF, ERROR, MORE = (False, record(23, 83)), (False, record(23, 39)), (True, record(23, 100))


def row(status, *counts, accounts=1):
    return (AuthService.RDP, AuthMethod.UNKNOWN, EtypeClass.NONE, status, *counts, accounts)


UNKNOWN = row(AuthStatus.NONE, 0, 0, 1)
ACCEPTED = row(AuthStatus.NONE, 0, 1, 0)
REFUSED = row(AuthStatus.REFUSED, 1, 0, 0)


@pytest.mark.parametrize("way", [CREDSSP, CREDSSP_EX])
@pytest.mark.parametrize("handshake", [OLDER, NEWER], ids=["TLS 1.2", "TLS 1.3"])
@pytest.mark.parametrize(
    ("end", "told"),
    [
        ((PROOF, MORE, (False, record(23, 150))), ACCEPTED),
        ((ERROR,), REFUSED),
        ((PROOF,), UNKNOWN),  # the client asks about the certificate first
        ((), UNKNOWN),
    ],
)
def test_credssp_goes_on_only_for_who_is_accepted(heard, way, handshake, end, told):
    exchange = [request("alice"), selected(way), *handshake, OFFER, CHALLENGE, ANSWER, *end]
    assert heard(exchange, 3389) == [told]
    assert heard(exchange, 13_389) == [told]


@given(sizes=st.lists(st.integers(5, 900), min_size=1, max_size=5))
@settings(max_examples=40)
def test_segments_may_end_anywhere(heard, sizes):
    exchange = [request("alice"), selected(CREDSSP), *OLDER, OFFER, CHALLENGE, ANSWER, ERROR]
    whole = len(request("alice")[1])
    assert heard(exchange, 3389, sizes=sizes, whole=whole) == [REFUSED]


@pytest.mark.parametrize("way", [STANDARD, TLS])
def test_other_encryption_hides_the_log_in(heard, way):
    exchange = [request("alice"), selected(way), *HELLOS, (True, bytes(900)), (False, bytes(900))]
    assert heard(exchange, 3389) == [UNKNOWN]
    assert heard([request("alice"), (False, tpkt(0xD0, b"")), (True, bytes(1100))], 3389) == [
        UNKNOWN
    ]


def test_a_look_is_no_attempt(heard):
    assert heard([request(), selected(TLS), *HELLOS], 3389) == []
    assert heard([request()], 3389) == []


def test_who_asks_for_too_little_is_refused(heard):
    assert heard([request("alice"), failure(5)], 3389) == [row(AuthStatus.RESTRICTED, 1, 0, 0)]


def test_no_account_shows_without_a_cookie(heard):
    assert heard([request(), failure(5)], 3389) == [row(AuthStatus.RESTRICTED, 1, 0, 0, accounts=0)]


def test_a_programmable_controller_is_no_desktop(heard):
    s7 = True, bytes.fromhex("0300001611e00000000100c0010ac1020100c2020102")
    assert heard([s7, (False, s7[1]), (True, bytes(2000))], 102) == []


def test_who_asks_is_who_logs_in_though_no_handshake_was_seen(heard):
    exchange = [request("alice"), failure(5)]
    ends = heard(exchange, 3389, begun=False, client_port=500, ends=True)
    assert ends == [("10.0.0.9", "10.0.0.2", 3389)]


@given(data=st.data())
@settings(max_examples=60)
def test_no_bytes_break_it(heard, data):
    said = []
    exchange = request("alice"), selected(CREDSSP), *OLDER, OFFER, CHALLENGE, ANSWER, ERROR
    for by_client, line in exchange:
        whole = bytearray(line)
        for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
            whole[place] = data.draw(st.integers(0, 255))
        said.append((by_client, bytes(whole[: data.draw(st.integers(1, len(whole)))])))
    rows = heard(said, 3389)
    assert sum(row.failed + row.succeeded + row.unknown for row in rows) <= 1

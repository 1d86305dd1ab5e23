"""Tickets asked for, given and refused, as key distribution centres answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus, EtypeClass

AS, TGS = AuthMethod.KERBEROS_AS, AuthMethod.KERBEROS_TGS
AES, RC4, DES, NONE = EtypeClass.AES, EtypeClass.RC4, EtypeClass.DES, EtypeClass.NONE
KDC = 88
UDP = 17
PROOF, TICKET_SHOWN, PAC_ASKED = 2, 1, 128


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 128:
        return bytes((tag, len(body))) + body
    size = (len(body).bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + len(body).to_bytes(size, "big") + body


def number(value: int) -> bytes:
    return der(2, value.to_bytes(4, "big", signed=True).lstrip(b"\0") or b"\0")


def field(place: int, *parts: bytes) -> bytes:
    return der(0xA0 | place, *parts)


def name(*words: str) -> bytes:
    return der(
        0x30, field(0, number(1)), field(1, der(0x30, *(der(0x1B, w.encode()) for w in words)))
    )


def request(kind, *, who="alice", proofs=(), etypes=(18, 23), nonce=1, padding=0):
    tag, number_of = (0x6A, 10) if kind == AS else (0x6C, 12)
    shown = [der(0x30, field(1, number(p)), field(2, der(4, bytes(padding)))) for p in proofs]
    body = der(
        0x30,
        field(0, der(3, bytes(5))),
        *([field(1, name(who))] if kind == AS else []),
        field(2, der(0x1B, b"BAKERY.EXAMPLE")),
        field(3, name("krbtgt", "BAKERY.EXAMPLE")),
        field(5, der(0x18, b"20370913024805Z")),
        field(7, number(nonce)),
        field(8, der(0x30, *map(number, etypes))),
    )
    head = field(1, number(5)), field(2, number(number_of))
    return der(
        tag, der(0x30, *head, *([field(3, der(0x30, *shown))] if shown else []), field(4, body))
    )


def encrypted(etype: int, size: int = 40) -> bytes:
    return der(0x30, field(0, number(etype)), field(1, number(2)), field(2, der(4, bytes(size))))


def reply(kind, *, ticket=18, own=18):
    tag, number_of = (0x6B, 11) if kind == AS else (0x6D, 13)
    realm = der(0x1B, b"BAKERY.EXAMPLE")
    given_ticket = der(
        0x61,
        der(
            0x30,
            field(0, number(5)),
            field(1, realm),
            field(2, name("host", "till")),
            field(3, encrypted(ticket, 900)),
        ),
    )
    return der(
        tag,
        der(
            0x30,
            field(0, number(5)),
            field(1, number(number_of)),
            field(3, realm),
            field(4, name("alice")),
            field(5, given_ticket),
            field(6, encrypted(own)),
        ),
    )


def error(code):
    return der(
        0x7E,
        der(
            0x30,
            field(0, number(5)),
            field(1, number(30)),
            field(4, der(0x18, b"20251126090000Z")),
            field(5, number(1)),
            field(6, number(code)),
            field(9, der(0x1B, b"BAKERY.EXAMPLE")),
            field(10, name("krbtgt")),
        ),
    )


def marked(message: bytes) -> bytes:
    """As over TCP."""
    return len(message).to_bytes(4, "big") + message


def tcp(*exchange):
    return [(by_client, marked(message)) for by_client, message in exchange]


def row(method, etype, status, *counts, accounts=0):
    return (AuthService.KERBEROS, method, etype, status, *counts, accounts)


SIGN_IN = (
    (True, request(AS, proofs=(PAC_ASKED,), nonce=1)),
    (False, error(25)),
    (True, request(AS, proofs=(PROOF, PAC_ASKED), nonce=2)),
    (False, reply(AS)),
    (True, request(TGS, proofs=(TICKET_SHOWN,), nonce=3, padding=1500)),
    (False, reply(TGS, ticket=23)),
)
SIGNED_IN = sorted(
    [
        row(AS, AES, AuthStatus.PREAUTH_REQUIRED, 0, 0, 1, accounts=1),
        row(AS, AES, AuthStatus.NONE, 0, 1, 0, accounts=1),
        row(TGS, RC4, AuthStatus.NONE, 0, 1, 0, accounts=1),
    ]
)


@pytest.mark.parametrize("port", [KDC, 4588])
def test_a_sign_in_is_what_was_given_and_what_had_to_be_proven(heard, port):
    assert heard(tcp(*SIGN_IN), port) == SIGNED_IN
    assert heard(SIGN_IN, port, proto=UDP) == SIGNED_IN


@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=5))
def test_segments_may_end_anywhere(heard, sizes):
    assert heard(tcp(*SIGN_IN), KDC, sizes=sizes, whole=40) == SIGNED_IN


def test_the_length_may_have_come_before_in_a_segment_of_its_own(heard):
    said = [(by_client, part) for by_client, m in SIGN_IN for part in (marked(m)[:4], m)]
    assert heard(said, KDC) == SIGNED_IN


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (6, AuthStatus.UNKNOWN_ACCOUNT),
        (7, AuthStatus.UNKNOWN_SERVICE),
        (12, AuthStatus.RESTRICTED),
        (18, AuthStatus.LOCKED),
        (23, AuthStatus.EXPIRED),
        (24, AuthStatus.WRONG_PASSWORD),
        (60, AuthStatus.OTHER),
    ],
)
def test_an_error_says_why(heard, code, status):
    asked = request(AS, proofs=(PROOF,), etypes=(23,))
    assert heard([(True, asked), (False, error(code))], KDC, proto=UDP) == [
        row(AS, RC4, status, 1, 0, 0, accounts=1)
    ]


def test_an_account_that_needs_no_proof_shows(heard):
    exchange = [(True, request(AS, etypes=(23,))), (False, reply(AS, own=23))]
    assert heard(exchange, KDC, proto=UDP) == [
        row(AS, RC4, AuthStatus.NO_PREAUTH, 0, 1, 0, accounts=1)
    ]


def test_what_is_not_answered_is_unknown_once(heard):
    again = request(AS, proofs=(PROOF,), nonce=9)
    other = request(TGS, proofs=(TICKET_SHOWN,), etypes=(3,), nonce=10)
    assert heard([(True, again), (True, again), (True, other)], KDC, proto=UDP) == sorted(
        [
            row(AS, AES, AuthStatus.NONE, 0, 0, 1, accounts=1),
            row(TGS, DES, AuthStatus.NONE, 0, 0, 1, accounts=1),
        ]
    )


def test_an_answer_too_big_for_udp_is_none(heard):
    exchange = [(True, request(AS, proofs=(PROOF,))), (False, error(52))]
    assert heard(exchange, KDC, proto=UDP) == []


def test_an_answer_counts_where_the_question_passed_elsewhere(heard):
    assert heard([(False, reply(TGS, ticket=23))], KDC, proto=UDP) == [
        row(TGS, RC4, AuthStatus.NONE, 0, 1, 0)
    ]
    assert heard([(False, error(24))], KDC, proto=UDP) == [
        row(AS, NONE, AuthStatus.WRONG_PASSWORD, 1, 0, 0)
    ]


def test_who_asks_is_who_logs_in_though_no_handshake_was_seen(heard):
    ends = ("10.0.0.9", "10.0.0.2", KDC)
    for exchange in (tcp(*SIGN_IN), tcp(*SIGN_IN[1:])):
        rows = heard(exchange, KDC, begun=False, client_port=600, ends=True)
        assert set(rows) == {ends}


def test_accounts_are_told_apart_whatever_their_case(heard):
    tried = [
        part
        for place, who in enumerate(("alice", "ALICE", "bob", "carol"))
        for part in ((True, request(AS, who=who, nonce=place)), (False, error(6)))
    ]
    assert heard(tried, KDC, proto=UDP) == [
        row(AS, AES, AuthStatus.UNKNOWN_ACCOUNT, 4, 0, 0, accounts=3)
    ]


def test_rows_come_with_the_parts_of_their_flow(wire, read_attempts):
    flow = wire(KDC, UDP)
    flow.send(True, request(AS, proofs=(PROOF,)))
    flow.meter.advance(flow.time + 2_000_000)
    assert flow.take() == []  # it may still be answered
    flow.send(False, error(24))
    assert read_attempts(flow.finish()) == [
        row(AS, AES, AuthStatus.WRONG_PASSWORD, 1, 0, 0, accounts=1)
    ]


def test_a_message_of_which_the_middle_is_lost_spoils_no_other(wire, read_attempts):
    flow = wire(KDC)
    message = marked(request(TGS, proofs=(TICKET_SHOWN,), padding=1500))
    flow.send(True, message[:200])
    flow.lose(True, len(message) - 200)
    for by_client, said in tcp(*SIGN_IN[2:4]):
        flow.send(by_client, said)
    assert read_attempts(flow.finish()) == sorted(
        [
            row(AS, AES, AuthStatus.NONE, 0, 1, 0, accounts=1),
            row(TGS, NONE, AuthStatus.NONE, 0, 0, 1, accounts=1),
        ]
    )


@given(data=st.data())
def test_no_bytes_break_it(heard, data):
    exchange = []
    for by_client, message in SIGN_IN:
        whole = bytearray(marked(message))
        for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
            whole[place] = data.draw(st.integers(0, 255))
        exchange.append((by_client, bytes(whole[: data.draw(st.integers(1, len(whole)))])))
    rows = heard(exchange, KDC)
    assert sum(row.failed + row.succeeded + row.unknown for row in rows) <= len(SIGN_IN)

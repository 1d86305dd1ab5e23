"""Credentials in requests, and answers to them, with bodies of all kinds between."""

from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus, EtypeClass

PASSWORD, NTLM, KERBEROS = AuthMethod.PASSWORD, AuthMethod.NTLM, AuthMethod.KERBEROS
SECRET = "hunter2-and-a-horse"


def basic(user="alice", secret=SECRET):
    return "Authorization: Basic " + b64encode(f"{user}:{secret}".encode()).decode()


def ask(*headers, method="GET", body=""):
    length = [f"Content-Length: {len(body)}"] if body else []
    lines = [f"{method} /door HTTP/1.1", "Host: till.example", *headers, *length, "", body]
    return True, "\r\n".join(lines).encode()


def answer(status, *headers, body="", length=True):
    told = [f"Content-Length: {len(body)}"] if length else []
    return False, "\r\n".join([f"HTTP/1.1 {status} Word", *headers, *told, "", body]).encode()


def token(kind, user="alice", scheme="NTLM"):
    raw = b"NTLMSSP\0" + kind.to_bytes(4, "little") + bytes(28)
    if kind == 3:
        name = user.encode("utf-16-le")
        empty = bytes(4) + b"\x58\0\0\0"
        field = len(name).to_bytes(2, "little") * 2 + b"\x58\0\0\0"
        raw = (raw[:12] + empty * 3 + field).ljust(88, b"\0") + name
    return f"{scheme} " + b64encode(raw).decode()


def row(status, *counts, method=PASSWORD, accounts=1):
    return (AuthService.HTTP, method, EtypeClass.NONE, status, *counts, accounts)


REFUSED, NONE = AuthStatus.REFUSED, AuthStatus.NONE
TRAP = "HTTP/1.1 200 OK\r\n\r\nGET / HTTP/1.1\r\n" + basic("eve") + "\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"
IN_CHUNKS = f"{len(TRAP):x}\r\n{TRAP}\r\n0\r\nTrailer: yes\r\n\r\n"
GUESSING = (
    ask(basic()),
    answer(401, "WWW-Authenticate: Basic realm=x", body=TRAP),
    ask(basic("bob"), method="POST", body=TRAP),
    answer(401, CHUNKED, body=IN_CHUNKS, length=False),
    ask(basic("bob"), method="HEAD"),
    (False, b"HTTP/1.1 403 No\r\nContent-Length: 999\r\n\r\n"),
    ask(),
    answer(200),
    ask('Proxy-Authorization: Digest username="carol", realm="x"'),
    answer("100"),
    answer("407", 'Proxy-Authenticate: Digest nonce="n", stale=TRUE'),
    ask(basic("bob")),
    answer(302),
    ask(basic("dave")),
    answer(401),
)
GUESSED = sorted(
    [row(REFUSED, 2, 0, 0, accounts=3), row(NONE, 0, 1, 1, accounts=3)],
)


def test_each_answer_to_credentials_counts_up_to_the_first_success(heard):
    assert heard(GUESSING, 80) == GUESSED
    assert heard(GUESSING, 8123) == GUESSED
    ends = heard(GUESSING, 8123, begun=False, client_port=600, ends=True)
    assert set(ends) == {("10.0.0.9", "10.0.0.2", 8123)}


@given(sizes=st.lists(st.integers(3, 300), min_size=1, max_size=5))
@settings(max_examples=40)
def test_segments_may_end_anywhere(heard, sizes):
    assert heard(GUESSING, 80, sizes=sizes, whole=len(GUESSING[0][1])) == GUESSED


def test_a_password_is_not_kept_whatever_a_segment_ends_with(wire, kept):
    flow = wire(80)
    flow.send(*ask(basic()))
    flow.send(*answer(401))
    _, said = ask(basic("bob"))
    encoded = b64encode(f"bob:{SECRET}".encode())
    for place in range(len(said)):
        flow.send(True, said[place : place + 1])
        held = b"\n".join(kept(flow.meter))
        assert SECRET[-9:].encode() not in held
        assert encoded[-12:-4] not in held
    assert flow.finish()


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate"])
@pytest.mark.parametrize("accepted", [True, False])
def test_ntlm_takes_two_requests_and_is_one_attempt(heard, scheme, accepted):
    exchange = [
        ask("Authorization: " + token(1, scheme=scheme)),
        answer(401, "WWW-Authenticate: " + token(2, scheme=scheme)),
        ask("Authorization: " + token(3, scheme=scheme)),
        answer(200 if accepted else 401),
    ]
    told = row(NONE, 0, 1, 0, method=NTLM) if accepted else row(REFUSED, 1, 0, 0, method=NTLM)
    assert heard(exchange, 5985) == [told]
    assert heard(exchange[:2], 5985) == [row(NONE, 0, 0, 1, method=NTLM, accounts=0)]


def test_a_kerberos_ticket_is_told_though_its_line_is_long(heard):
    ticket = bytes.fromhex("608206000606092a864886f712010202 01006e8205f0") + bytes(1500)
    value = "Authorization: Negotiate " + b64encode(ticket).decode()
    assert heard([ask(value), answer(200)], 80) == [row(NONE, 0, 1, 0, method=KERBEROS, accounts=0)]


def test_other_credentials_and_other_requests_are_no_log_ins(heard):
    assert heard([ask("Authorization: Bearer abc"), answer(401)], 80) == []
    assert heard([ask(), answer(200, body=TRAP)], 80) == []


def test_an_unanswered_guess_is_unknown(heard):
    assert heard([ask(basic())], 80) == [row(NONE, 0, 0, 1)]


def test_a_gap_in_a_header_ends_it(wire, read_attempts):
    flow = wire(80)
    _, said = ask(basic())
    flow.send(True, said[:-2])
    flow.lose(True, 2)
    flow.send(*answer(401))
    flow.send(*ask(basic("bob")))
    flow.send(*answer(401))
    assert sum(row.failed for row in read_attempts(flow.finish())) >= 1


@given(data=st.data())
@settings(max_examples=60)
def test_no_bytes_break_it(heard, data):
    said = []
    for by_client, line in GUESSING:
        whole = bytearray(line)
        for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
            whole[place] = data.draw(st.integers(0, 255))
        said.append((by_client, bytes(whole[: data.draw(st.integers(1, len(whole)))])))
    rows = heard(said, 80)
    assert sum(row.failed + row.succeeded + row.unknown for row in rows) <= 2 * len(said)

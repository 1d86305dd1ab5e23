"""SSH log-ins by the sizes that RFC 4252's messages have in several ciphers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus, EtypeClass

ACCEPT, SUCCESS, FAILURE = 17, 1, 24  # bytes of messages
NO_PROOF, BYE = 4, 13
CIPHERS = {
    "ctr": lambda size: (4 + 1 + size + 4 + 15) // 16 * 16 + 32,
    "chacha20": lambda size: 4 + (1 + size + 4 + 7) // 8 * 8 + 16,
    "gcm": lambda size: 4 + (1 + size + 4 + 15) // 16 * 16 + 16,
    "3des": lambda size: (4 + 1 + size + 4 + 7) // 8 * 8 + 20,
}
every_cipher = pytest.mark.parametrize("cipher", CIPHERS)


def packet(kind, body=b""):
    size = 1 + len(body)
    padding = 4 + -(5 + size + 4) % 8
    return (1 + size + padding).to_bytes(4, "big") + bytes((padding, kind)) + body + bytes(padding)


def offer(compressions="none,zlib@openssh.com"):
    names = ["curve25519-sha256"] * 6 + [compressions] * 2 + ["", ""]
    lists = b"".join(len(name).to_bytes(4, "big") + name.encode() for name in names)
    return packet(20, bytes(16) + lists + bytes(1200))


def exchange(cipher, *sealed, client=None, server=None, extensions=0):
    """A key exchange, then packets: from the client > 0, from the server < 0 bytes of message."""
    size_of = CIPHERS[cipher]
    extra = bytes(size_of(extensions)) if extensions else b""
    said = [
        (False, b"SSH-2.0-OpenSSH_9.6\r\n"),
        (True, b"SSH-2.0-client\r\n" + (client or offer())),
        (False, server or offer()),
        (True, packet(30, bytes(32))),
        (False, packet(31, bytes(200)) + packet(21) + extra),
        (True, packet(21)),
    ]
    return said + [(size > 0, bytes(size_of(abs(size)))) for size in (ACCEPT, -ACCEPT, *sealed)]


def none(user="alice"):
    return 31 + len(user)


def password(secret="hunter2", user="alice"):
    return 40 + len(user) + len(secret) + 40


def row(status, *counts):
    return (AuthService.SSH, AuthMethod.UNKNOWN, EtypeClass.NONE, status, *counts, 0)


def refused(count):
    return row(AuthStatus.REFUSED, count, 0, 0)


ACCEPTED = row(AuthStatus.NONE, 0, 1, 0)
UNKNOWN = row(AuthStatus.NONE, 0, 0, 1)


@every_cipher
@pytest.mark.parametrize("port", [22, 902])
def test_each_password_after_the_probe_counts(heard, cipher, port):
    tried = [none(), -FAILURE, *[password(), -FAILURE] * 3]
    assert heard(exchange(cipher, *tried), port) == [refused(3)]
    assert heard(exchange(cipher, *tried, password(), -SUCCESS), port) == sorted(
        [refused(3), ACCEPTED]
    )


@every_cipher
def test_a_first_password_is_no_probe_if_others_are_like_it(heard, cipher):
    assert heard(exchange(cipher, *[password(), -FAILURE] * 4), 22) == [refused(4)]


@every_cipher
def test_asking_for_the_methods_is_no_attempt(heard, cipher):
    assert heard(exchange(cipher, none("al"), -FAILURE, BYE), 22) == []
    assert heard(exchange(cipher), 22) == []


@every_cipher
def test_one_refused_request_alone_does_not_say_what_it_was(heard, cipher):
    assert heard(exchange(cipher, password(), -FAILURE), 22) == [UNKNOWN]


@every_cipher
def test_whoever_is_let_in_at_once_is(heard, cipher):
    assert heard(exchange(cipher, none(), -SUCCESS, 300, -900), 22) == [ACCEPTED]


@every_cipher
def test_what_is_not_answered_is_unknown(heard, cipher):
    said = exchange(cipher, none(), -FAILURE, password(), -FAILURE, password())
    assert heard(said, 22) == sorted([refused(1), UNKNOWN])


@every_cipher
def test_banners_and_extensions_are_no_answers(heard, cipher):
    tried = [none(), -900, -FAILURE, password(), -FAILURE]
    assert heard(exchange(cipher, *tried, extensions=300), 22) == [refused(1)]
    tried = [none(), -60, -FAILURE, password(), -FAILURE, password(), -SUCCESS]
    assert heard(exchange(cipher, *tried), 22) == sorted([refused(1), ACCEPTED])


def test_a_question_for_a_code_is_no_failure(heard):
    tried = [none(), -FAILURE, password(), -70, 90, -SUCCESS]
    assert heard(exchange("ctr", *tried), 22) == [ACCEPTED]


def test_who_is_told_so_much_is_in(heard):
    tried = [none(), -FAILURE, password(), *[-1000] * 20]
    assert heard(exchange("ctr", *tried), 22) == [ACCEPTED]


def test_compression_voids_the_sizes(heard):
    tried = [none(), -FAILURE, password(), -FAILURE]
    squeezed = offer("zlib,none")
    assert heard(exchange("ctr", *tried, client=squeezed, server=squeezed), 22) == []
    assert heard(exchange("ctr", *tried, client=squeezed, server=offer()), 22) == [refused(1)]
    assert heard(exchange("ctr", *tried, server=squeezed), 22) == [refused(1)]


def test_of_many_ways_to_compress_few_are_kept(wire, kept):
    flow = wire(22)
    many = [",".join(f"{side}{n:03}" for n in range(300)) for side in "cs"]
    said = exchange("ctr", client=offer(many[0]), server=offer(many[1]))
    for by_client, data in said[:3]:
        flow.send(by_client, data)
    names = [one for one in kept(flow.meter) if one[:1] in {b"c", b"s"} and one[1:].isdigit()]
    assert 0 < len(names) <= 64


def test_who_begins_the_key_exchange_logs_in_though_no_handshake_was_seen(heard):
    tried = [none(), -FAILURE, password(), -FAILURE]
    ends = heard(exchange("ctr", *tried), 2222, begun=False, client_port=200, ends=True)
    assert ends == [("10.0.0.9", "10.0.0.2", 2222)]


@given(sizes=st.lists(st.integers(1, 900), min_size=1, max_size=5))
def test_what_is_in_clear_may_be_cut_anywhere(wire, read_attempts, sizes):
    flow = wire(22)
    said = exchange("ctr", none(), -FAILURE, password(), -FAILURE)
    for place, (by_client, data) in enumerate(said):
        left, turn = data, 0
        while place < 6 and left:
            size = 8 if place < 2 and not turn else sizes[turn % len(sizes)]
            flow.send(by_client, left[:size])
            left, turn = left[size:], turn + 1
        if place >= 6:
            flow.send(by_client, data)
    assert read_attempts(flow.finish()) == [refused(1)]


def test_keys_taken_unseen_void_it(wire, read_attempts):
    flow = wire(22)
    for place, (by_client, data) in enumerate(
        exchange("ctr", none(), -FAILURE, password(), -FAILURE)
    ):
        if place == 4:
            flow.lose(by_client, len(data))
        else:
            flow.send(by_client, data if place < 6 else b"\xee" * len(data))
    assert read_attempts(flow.finish()) == []


@given(data=st.data())
def test_no_bytes_break_it(heard, data):
    said = []
    for by_client, message in exchange("ctr", none(), -FAILURE, password(), -FAILURE):
        whole = bytearray(message)
        for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
            whole[place] = data.draw(st.integers(0, 255))
        said.append((by_client, bytes(whole[: data.draw(st.integers(1, len(whole)))])))
    rows = heard(said, 22)
    assert sum(row.failed + row.succeeded + row.unknown for row in rows) <= 4

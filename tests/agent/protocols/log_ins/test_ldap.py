"""Binds and their results, as OpenLDAP and Windows give them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus, EtypeClass

PASSWORD, NTLM, KERBEROS = AuthMethod.PASSWORD, AuthMethod.NTLM, AuthMethod.KERBEROS
ALICE = "cn=alice,dc=bakery,dc=example"
LDAP_PORT = 389
IN_PROGRESS = 14
KERBEROS_TOKEN = bytes.fromhex("60820100 06092a864886f712010202 01006e8200f0") + bytes(240)


def element(tag, *parts, long=False):
    body = b"".join(parts)
    if long or len(body) > 127:  # as Windows always writes it
        return bytes((tag, 0x84)) + len(body).to_bytes(4, "big") + body
    return bytes((tag, len(body))) + body


def message(number, *operation, long=False):
    return element(0x30, element(2, number.to_bytes(2, "big")), *operation, long=long)


def simple(number, name=ALICE, password=b"hunter2"):
    bind = element(2, b"\3"), element(4, name.encode()), element(0x80, password)
    return True, message(number, element(0x60, *bind))


def sasl(number, mechanism, token=None):
    proof = element(4, mechanism), *([] if token is None else [element(4, token)])
    bind = element(2, b"\3"), element(4), element(0xA3, *proof, long=True)
    return True, message(number, element(0x60, *bind, long=True), long=True)


def bound(number, code, text=b""):
    result = element(0x0A, bytes((code,))), element(4), element(4, text)
    return False, message(number, element(0x61, *result))


def refused(number, data):
    text = f"80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data {data}, v2580"
    return bound(number, 49, text.encode() + b"\0")


def search(number):
    return True, message(number, element(0x63, element(4, b"dc=bakery,dc=example")))


def found(number, size=40):
    return False, message(number, element(0x64, element(4, b"cn=x"), element(0x30, bytes(size))))


def ntlm(kind, user="alice"):
    name = user.encode("utf-16-le")
    head = b"NTLMSSP\0" + kind.to_bytes(4, "little")
    if kind != 3:
        return head + bytes(28)
    empty = bytes(4) + (88).to_bytes(4, "little")
    field = len(name).to_bytes(2, "little") * 2 + (88).to_bytes(4, "little")
    return (head + empty * 3 + field + empty * 3).ljust(88, b"\0") + name


def row(method, status, *counts, accounts=0):
    return (AuthService.LDAP, method, EtypeClass.NONE, status, *counts, accounts)


SESSION = (
    search(1),
    found(1, 6000),
    simple(2),
    bound(2, 0),
    search(3),
    found(3),
    simple(4, "cn=bob,dc=bakery,dc=example"),
    refused(4, "52e"),
    simple(5),
    bound(5, 49),
    simple(6, "", b""),
    bound(6, 0),
    simple(7),
)
IN_SESSION = sorted(
    [
        row(PASSWORD, AuthStatus.NONE, 0, 1, 1, accounts=2),
        row(PASSWORD, AuthStatus.WRONG_PASSWORD, 1, 0, 0, accounts=2),
        row(PASSWORD, AuthStatus.REFUSED, 1, 0, 0, accounts=2),
        row(AuthMethod.ANONYMOUS, AuthStatus.NONE, 0, 1, 0, accounts=2),
    ]
)


@pytest.mark.parametrize("port", [LDAP_PORT, 3268, 10_389])
def test_every_bind_of_a_connection_counts(heard, port):
    assert heard(SESSION, port) == IN_SESSION


@given(sizes=st.lists(st.integers(1, 900), min_size=1, max_size=5))
def test_segments_may_end_anywhere(heard, sizes):
    assert heard(SESSION, LDAP_PORT, sizes=sizes, whole=16) == IN_SESSION


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ("525", AuthStatus.UNKNOWN_ACCOUNT),
        ("52e", AuthStatus.WRONG_PASSWORD),
        ("530", AuthStatus.RESTRICTED),
        ("531", AuthStatus.RESTRICTED),
        ("532", AuthStatus.EXPIRED),
        ("533", AuthStatus.LOCKED),
        ("773", AuthStatus.EXPIRED),
        ("775", AuthStatus.LOCKED),
        ("999", AuthStatus.REFUSED),
    ],
)
def test_windows_says_why(heard, data, status):
    exchange = [simple(1), refused(1, data)]
    assert heard(exchange, LDAP_PORT) == [row(PASSWORD, status, 1, 0, 0, accounts=1)]


@pytest.mark.parametrize(("code", "status"), [(8, AuthStatus.RESTRICTED), (1, AuthStatus.OTHER)])
def test_other_results_are_failures(heard, code, status):
    exchange = [simple(1), bound(1, code)]
    assert heard(exchange, LDAP_PORT) == [row(PASSWORD, status, 1, 0, 0, accounts=1)]


def test_a_log_in_of_several_steps_is_one(heard):
    exchange = [
        sasl(1, b"GSS-SPNEGO", ntlm(1)),
        bound(1, IN_PROGRESS),
        sasl(2, b"GSS-SPNEGO", ntlm(3)),
        refused(2, "52e"),
        sasl(3, b"GSS-SPNEGO", ntlm(1)),
        bound(3, IN_PROGRESS),
    ]
    assert heard(exchange, LDAP_PORT) == sorted(
        [
            row(NTLM, AuthStatus.WRONG_PASSWORD, 1, 0, 0, accounts=1),
            row(NTLM, AuthStatus.NONE, 0, 0, 1, accounts=1),
        ]
    )


@pytest.mark.parametrize(
    ("mechanism", "token", "method", "accounts"),
    [
        (b"GSS-SPNEGO", KERBEROS_TOKEN, KERBEROS, 0),
        (b"GSSAPI", KERBEROS_TOKEN, KERBEROS, 0),
        (b"PLAIN", b"\0alice\0hunter2", PASSWORD, 1),
        (b"DIGEST-MD5", None, PASSWORD, 0),
        (b"EXTERNAL", None, AuthMethod.OTHER, 0),
    ],
)
def test_mechanisms_are_told_apart(heard, mechanism, token, method, accounts):
    exchange = [sasl(1, mechanism, token), bound(1, 0)]
    assert heard(exchange, LDAP_PORT) == [row(method, AuthStatus.NONE, 0, 1, 0, accounts=accounts)]


def test_what_is_sealed_or_in_tls_is_not_read(heard):
    sealed = len(b"x" * 200).to_bytes(4, "big") + b"x" * 200
    exchange = [sasl(1, b"GSS-SPNEGO", KERBEROS_TOKEN), bound(1, 0), (True, sealed), simple(2)]
    assert heard(exchange, LDAP_PORT) == [row(KERBEROS, AuthStatus.NONE, 0, 1, 0)]
    in_tls = [search(1), (True, b"\x16\x03\x01\x00\x05hello"), simple(2), bound(2, 0)]
    assert heard(in_tls, LDAP_PORT) == []


def test_a_result_alone_counts_without_its_method(heard):
    assert heard([refused(1, "52e")], LDAP_PORT) == [
        row(AuthMethod.UNKNOWN, AuthStatus.WRONG_PASSWORD, 1, 0, 0)
    ]


def test_who_binds_is_who_logs_in_though_no_handshake_was_seen(heard):
    for exchange in (SESSION, SESSION[1:]):
        rows = heard(exchange, LDAP_PORT, begun=False, client_port=300, ends=True)
        assert set(rows) == {("10.0.0.9", "10.0.0.2", LDAP_PORT)}


def test_what_is_no_bind_makes_no_row(heard):
    snmp = (
        True,
        bytes.fromhex("302602010104067075626c6963a019020101020100020100300e300c06082b060102"),
    )
    assert heard([search(1), found(1)], LDAP_PORT) == []
    assert heard([snmp], 161) == []


@given(data=st.data())
def test_no_bytes_break_it(heard, data):
    exchange = []
    for by_client, said in SESSION:
        whole = bytearray(said)
        for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
            whole[place] = data.draw(st.integers(0, 255))
        exchange.append((by_client, bytes(whole[: data.draw(st.integers(1, len(whole)))])))
    rows = heard(exchange, LDAP_PORT)
    assert sum(row.failed + row.succeeded + row.unknown for row in rows) <= len(SESSION)

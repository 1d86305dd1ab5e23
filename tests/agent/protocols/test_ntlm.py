"""What NTLM and Kerberos tokens show, however they are wrapped or damaged."""

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dijkwacht_agent.protocols import ntlm
from dijkwacht_agent.protocols.gss import method_of
from dijkwacht_agent.protocols.ntstatus import MORE_PROCESSING, refusal_class, status_class
from dijkwacht_records.vocabulary import AuthMethod, AuthStatus, RpcStatus

WRAPPING = bytes.fromhex("a18201fb308201f7a0030a0101a28201da048201d6")
AP_REQUEST = bytes.fromhex("6082010006092a864886f71201020201006e820100308200fca003020105a10302010e")


def authenticate(user: str, domain: str) -> bytes:
    names = [name.encode("utf-16-le") for name in (domain, user, "DESK")]
    at, fields, body = 72, b"", b""
    for length in (24, 24):
        fields += struct.pack("<HHI", length, length, at)
        body += bytes(length)
        at += length
    for name in names:
        fields += struct.pack("<HHI", len(name), len(name), at)
        body += name
        at += len(name)
    fields += struct.pack("<HHI", 0, 0, at)
    return ntlm.SIGNATURE + struct.pack("<I", 3) + fields + struct.pack("<I", 1) + bytes(8) + body


def test_an_account_is_the_same_in_any_wrapping_and_letter_case():
    plain = ntlm.read_account(authenticate("Jan", "BAKERY"))
    assert plain == ntlm.read_account(WRAPPING + authenticate("JAN", "Bakery"))
    assert "jan".encode("utf-16-le") in plain
    others = {ntlm.read_account(authenticate(*who)) for who in (("jan", ""), ("ja", "nbakery"))}
    assert len(others | {plain}) == 3


def test_only_an_authenticate_message_names_somebody():
    for kind in (1, 2):
        blob = ntlm.SIGNATURE + struct.pack("<I", kind) + authenticate("jan", "bakery")[12:]
        assert ntlm.message_type(blob) == kind
        assert ntlm.read_account(blob) == b""
        assert not ntlm.is_anonymous(blob)
    assert ntlm.message_type(b"") == ntlm.message_type(ntlm.SIGNATURE) == 0


def test_a_cut_takes_the_account_away_but_does_not_make_it_anonymous():
    blob = authenticate("jan", "bakery")[:90]
    assert ntlm.read_account(blob) == b""
    assert method_of(blob) is AuthMethod.NTLM


@pytest.mark.parametrize(
    ("token", "method"),
    [
        (WRAPPING + authenticate("jan", "bakery"), AuthMethod.NTLM),
        (WRAPPING + authenticate("", ""), AuthMethod.ANONYMOUS),
        (WRAPPING + AP_REQUEST, AuthMethod.KERBEROS),
        (AP_REQUEST[17:], AuthMethod.KERBEROS),
        (WRAPPING + AP_REQUEST[17:], AuthMethod.KERBEROS),
        (AP_REQUEST[:15], AuthMethod.UNKNOWN),
        (b"", AuthMethod.UNKNOWN),
    ],
)
def test_the_method_is_told_by_the_token(token, method):
    assert method_of(token) is method


@given(st.binary(max_size=200), st.integers(0, 200), st.binary(max_size=8))
@example(b"", 36, b"\xff\xff\xff\xff\xff\xff\xff\xff")
def test_damaged_tokens_name_at_most_what_they_hold(before, at, damage):
    blob = bytearray(before + authenticate("jan", "bakery"))
    blob[at : at + len(damage)] = damage
    assert len(ntlm.read_account(bytes(blob))) <= 2 * ntlm.MAX_NAME + 2
    assert method_of(bytes(blob)) in AuthMethod


@pytest.mark.parametrize(
    ("status", "answer", "refusal"),
    [
        (0, RpcStatus.SUCCESS, AuthStatus.NONE),
        (MORE_PROCESSING, RpcStatus.CONTINUED, AuthStatus.NONE),
        (0x80000005, RpcStatus.SUCCESS, AuthStatus.NONE),
        (0xC000006D, RpcStatus.LOGON_FAILED, AuthStatus.REFUSED),
        (0xC000006A, RpcStatus.LOGON_FAILED, AuthStatus.WRONG_PASSWORD),
        (0xC0000064, RpcStatus.LOGON_FAILED, AuthStatus.UNKNOWN_ACCOUNT),
        (0xC0000072, RpcStatus.LOGON_FAILED, AuthStatus.LOCKED),
        (0xC0000193, RpcStatus.LOGON_FAILED, AuthStatus.EXPIRED),
        (0xC000006F, RpcStatus.LOGON_FAILED, AuthStatus.RESTRICTED),
        (0xC0000022, RpcStatus.DENIED, AuthStatus.REFUSED),
        (0xC0000034, RpcStatus.NOT_FOUND, AuthStatus.OTHER),
        (0xC00000BB, RpcStatus.UNSUPPORTED, AuthStatus.OTHER),
        (0x00050001, RpcStatus.DENIED, AuthStatus.REFUSED),
        (0xC0000001, RpcStatus.OTHER, AuthStatus.OTHER),
    ],
)
def test_statuses_fall_into_classes(status, answer, refusal):
    assert status_class(status) is answer
    assert refusal_class(status) is refusal

"""SASL (RFC 4422): what a mechanism is, and where a response names the account. No password is read.

Base64 is decoded in steps of three bytes up to the account's end, as a password may follow.
"""

from __future__ import annotations

from binascii import Error, a2b_base64
from typing import Final

from dijkwacht_agent.protocols import gss, ntlm
from dijkwacht_records.vocabulary import AuthMethod

_METHODS: Final = {
    b"PLAIN": AuthMethod.PASSWORD,
    b"LOGIN": AuthMethod.PASSWORD,
    b"CRAM-MD5": AuthMethod.PASSWORD,
    b"DIGEST-MD5": AuthMethod.PASSWORD,
    b"NTLM": AuthMethod.NTLM,
    b"GSSAPI": AuthMethod.KERBEROS,
    b"GSS-SPNEGO": AuthMethod.UNKNOWN,
    b"ANONYMOUS": AuthMethod.ANONYMOUS,
}
_ACCOUNT_FIRST: Final = frozenset({b"LOGIN", b"CRAM-MD5"})
_MAX_DECODED: Final = 512


def method_of(mechanism: bytes) -> AuthMethod:
    """What ``mechanism`` (upper case) proves an account by."""
    if mechanism.startswith(b"SCRAM-"):
        return AuthMethod.PASSWORD
    return _METHODS.get(mechanism, AuthMethod.OTHER)


def token_method(token: bytes, known: AuthMethod) -> AuthMethod:
    """Of a token of NTLM, Kerberos or SPNEGO; ``known`` if it does not say."""
    return gss.method_of(token) or known


def plain_account(response: bytes) -> bytes:
    """Whom a response of PLAIN (RFC 4616) names: what is between its first two zeros."""
    first = response.find(b"\0")
    second = response.find(b"\0", first + 1)
    return response[first + 1 : second] if 0 <= first < second else b""


class Responses:
    """The client's responses, a line of base64 each. Holds the mechanism and how many came."""

    __slots__ = ("_came", "_mechanism", "method")

    def __init__(self, mechanism: bytes) -> None:
        self._mechanism = mechanism.upper()
        self._came = 0
        self.method = method_of(self._mechanism)

    def sayable(self, line: bytes, at: int = 0) -> int:
        """Up to where the next response, at ``at`` of ``line``, may be looked at."""
        if self._mechanism == b"PLAIN" and not self._came:
            return at + end_of(line[at:], b"\0", 2)
        if self._mechanism in _ACCOUNT_FIRST:
            return len(line) if not self._came else at
        if self.method in {AuthMethod.NTLM, AuthMethod.UNKNOWN}:
            return len(line)
        return at

    def take(self, response: bytes) -> bytes:
        """The account that the next ``response``, as far as it is sayable, names; mostly empty."""
        self._came += 1
        decoded = decode(response)
        if self._mechanism == b"PLAIN":
            return plain_account(decoded)
        if self._mechanism == b"LOGIN":
            return decoded
        if self._mechanism == b"CRAM-MD5":
            return decoded.rpartition(b" ")[0]
        if self.method in {AuthMethod.NTLM, AuthMethod.UNKNOWN}:
            self.method = token_method(decoded, self.method)
            return ntlm.read_account(decoded)
        return b""


def end_of(encoded: bytes, mark: bytes, times: int = 1) -> int:
    """Characters of base64 until they hold ``mark`` so many ``times``: what follows may be a password."""
    at = 0
    while at < len(encoded) and times > 0:
        times -= decode(encoded[at : at + 4]).count(mark)
        at += 4
    return min(at, len(encoded))


def decode(encoded: bytes) -> bytes:
    """``encoded`` up to its last whole four characters, of 512 bytes at most; empty if it is no base64."""
    whole = min(len(encoded), _MAX_DECODED * 4 // 3) & ~3
    try:
        return a2b_base64(encoded[:whole])
    except Error:
        return b""


def sayable_auth(line: bytes) -> int:
    """Of a command, up to where the response that an ``AUTH`` may hold may be looked at; else all."""
    words = line[:64].split(b" ", 2)
    if len(words) == 3 and words[0].upper() == b"AUTH":
        return Responses(words[1]).sayable(line, len(words[0]) + len(words[1]) + 2)
    return len(line)

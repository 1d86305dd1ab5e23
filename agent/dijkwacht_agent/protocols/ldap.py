"""LDAP: binds and their results (RFC 4511), several in a connection."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Final

from dijkwacht_agent.dissect import TCP
from dijkwacht_agent.protocols import ber, ntlm, sasl
from dijkwacht_agent.protocols.log_ins import LogIns, Outcome
from dijkwacht_agent.protocols.ordered import Messages, Side
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus

if TYPE_CHECKING:
    from dijkwacht_agent.protocols.opening import Opening

_BIND, _BOUND = 0x60, 0x61
_SIMPLE, _SASL, _SICILY, _SICILY_NEGOTIATE, _SICILY_RESPONSE = 0x80, 0xA3, 0x89, 0x8A, 0x8B
_REQUESTS: Final = bytes((_BIND, 0x42, 0x63, 0x66, 0x68, 0x4A, 0x6C, 0x6E, 0x50, 0x77))
_RESPONSES: Final = bytes((_BOUND, 0x64, 0x65, 0x73, 0x67, 0x69, 0x6B, 0x6D, 0x6F, 0x78, 0x79))
_begins = re.compile(
    rb"\x30(?:[\x07-\x7f]|\x81.|\x82..|\x83...|\x84....)\x02(?:\x01.|\x02..|\x03...|\x04....)(["
    + re.escape(_REQUESTS + _RESPONSES)
    + rb"])",
    re.DOTALL,
).match
_TLS: Final = b"\x16\x03"
_MIN_MESSAGE, _MAX_MESSAGE = 7, 1 << 27
_MAX_WAITING: Final = 8

_SUCCESS, _CONTINUED, _INVALID_CREDENTIALS = 0, 14, 49
_STATUS: Final = {
    7: AuthStatus.RESTRICTED,  # method not supported
    8: AuthStatus.RESTRICTED,  # stronger method required
    13: AuthStatus.RESTRICTED,  # confidentiality required
    32: AuthStatus.UNKNOWN_ACCOUNT,
    48: AuthStatus.RESTRICTED,  # inappropriate method
    _INVALID_CREDENTIALS: AuthStatus.REFUSED,
    50: AuthStatus.RESTRICTED,  # insufficient rights
    53: AuthStatus.RESTRICTED,  # unwilling
}
_WINDOWS_STATUS: Final = {
    b"525": AuthStatus.UNKNOWN_ACCOUNT,
    b"52e": AuthStatus.WRONG_PASSWORD,
    b"530": AuthStatus.RESTRICTED,  # hours
    b"531": AuthStatus.RESTRICTED,  # workstation
    b"532": AuthStatus.EXPIRED,  # password
    b"533": AuthStatus.LOCKED,  # disabled
    b"701": AuthStatus.EXPIRED,  # account
    b"773": AuthStatus.EXPIRED,  # password must be changed first
    b"775": AuthStatus.LOCKED,
}
_find_windows_code = re.compile(rb", data ([0-9a-f]{3}),").search


def recognise(opening: Opening) -> Ldap | None:
    """Any LDAP message over TCP."""
    found = _begins(opening.payload) if opening.flow.proto == TCP else None
    if found is None:
        return None
    asks = found[1] in _REQUESTS
    return Ldap(opening, AuthService.LDAP, client_is_orig=asks == opening.from_orig)


def measure(head: bytes) -> int:
    """Length of the message that begins with ``head``, 0 if it does not say yet, -1 for none."""
    if head[0] != ber.SEQUENCE:
        return -1
    if len(head) < 2:
        return 0
    size = head[1] & 0x7F if head[1] >= 0x80 else 0
    if len(head) < 2 + size:
        return 0 if size <= 4 else -1
    total = 2 + size + (int.from_bytes(head[2 : 2 + size], "big") if size else head[1])
    return total if size <= 4 and _MIN_MESSAGE <= total <= _MAX_MESSAGE else -1


class Ldap(LogIns):
    """Pairs binds with results. Holds eight pairs of numbers and the beginning of two messages."""

    __slots__ = ("_continued", "_heard_bind", "_messages", "_sealed", "_sides", "_waiting")

    def __init__(self, opening: Opening, service: AuthService, *, client_is_orig: bool) -> None:
        super().__init__(opening, service, client_is_orig=client_is_orig)
        self._sides = (Side(), Side())
        self._messages = (Messages(measure), Messages(measure))
        self._waiting: deque[tuple[int, AuthMethod]] = deque()
        self._continued: AuthMethod | None = None
        self._heard_bind = self._sealed = False

    def read(self, time: int, payload: bytes, size: int, sequence: int, *, from_orig: bool) -> None:  # noqa: D102  # inherited
        missing, new = self._sides[from_orig].take(sequence, payload, size)
        messages = self._messages[from_orig]
        found = messages.feed(missing, new, size - len(payload))
        self.messages = len(found)
        for message in found:
            try:
                self._read_message(time, message)
            except ber.NotBer:
                continue  # cut off, or never was one
        if messages.lost and (self._sealed or new.startswith(_TLS)):
            self.leave()
            self.over = True

    def kept(self) -> int:  # noqa: D102  # inherited
        return super().kept() + sum([messages.kept for messages in self._messages])

    def leave(self) -> None:  # noqa: D102  # inherited
        if self._continued is not None:
            self.count(Outcome.UNKNOWN, self._continued)
        for _, method in self._waiting:
            self.count(Outcome.UNKNOWN, method)
        self._continued = None
        self._waiting.clear()

    def _read_message(self, time: int, data: bytes) -> None:
        whole = ber.element(data, 0, _MAX_MESSAGE)
        number = ber.element(data, whole.begin, whole.end)
        operation = ber.element(data, number.end, whole.end)
        if operation.tag == _BIND:
            self._bind(time, data, ber.integer(data, number), operation)
        elif operation.tag == _BOUND:
            self._bound(data, ber.integer(data, number), operation)

    def _bind(self, time: int, data: bytes, number: int, operation: ber.Element) -> None:
        version, name, proof = (*ber.children(data, operation), None, None, None)[:3]
        if version is None or name is None or proof is None:
            return
        method, account = AuthMethod.UNKNOWN, b""
        if proof.tag == _SIMPLE:
            named = name.end > name.begin and proof.end > proof.begin
            method = AuthMethod.PASSWORD if named else AuthMethod.ANONYMOUS
            account = ber.octets(data, name) if named else b""
        elif proof.tag == _SASL:
            method, account = self._read_sasl(data, proof)
        elif proof.tag in {_SICILY_NEGOTIATE, _SICILY_RESPONSE}:
            method, account = AuthMethod.NTLM, ntlm.read_account(ber.octets(data, proof))
        elif proof.tag == _SICILY:
            return  # asks for the methods there are
        self.note_account(time, account)
        self._heard_bind, self._continued = True, None
        if len(self._waiting) >= _MAX_WAITING:
            self.count(Outcome.UNKNOWN, self._waiting.popleft()[1])
        self._waiting.append((number, method))

    def _read_sasl(self, data: bytes, proof: ber.Element) -> tuple[AuthMethod, bytes]:
        mechanism = ber.octets(data, ber.child(data, proof, ber.OCTETS)).upper()
        method = self._continued or sasl.method_of(mechanism)
        *_, last = ber.children(data, proof)
        if last.begin == proof.begin + 2 + len(mechanism):
            return method, b""  # the mechanism alone
        if mechanism == b"PLAIN":
            return method, sasl.plain_account(ber.octets(data, last))
        if method == AuthMethod.PASSWORD:
            return method, b""
        token = ber.octets(data, last)
        return sasl.token_method(token, method), ntlm.read_account(token)

    def _bound(self, data: bytes, number: int, operation: ber.Element) -> None:
        code = ber.integer(data, ber.child(data, operation, ber.ENUMERATED))
        waiting = next((one for one in self._waiting if one[0] == number), None)
        if waiting is not None:
            self._waiting.remove(waiting)
        elif self._heard_bind:
            return  # answered before
        method = waiting[1] if waiting else AuthMethod.UNKNOWN
        if code == _CONTINUED:
            self._continued = method
        elif code == _SUCCESS:
            self.count(Outcome.SUCCEEDED, method)
            self._sealed = method in {AuthMethod.NTLM, AuthMethod.KERBEROS, AuthMethod.UNKNOWN}
        else:
            status = _STATUS.get(code, AuthStatus.OTHER)
            if code == _INVALID_CREDENTIALS:
                told = _find_windows_code(data, operation.begin)
                status = _WINDOWS_STATUS.get(told[1], status) if told else status
            self.count(Outcome.FAILED, method, status)

"""Kerberos: who is given tickets, for an account or a service, and why not (RFC 4120)."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from dijkwacht_agent.dissect import TCP
from dijkwacht_agent.protocols import ber
from dijkwacht_agent.protocols.log_ins import LogIns, Outcome
from dijkwacht_agent.protocols.ordered import Messages, Side
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus, EtypeClass

if TYPE_CHECKING:
    from dijkwacht_agent.protocols.opening import Opening

_AS_REQ, _AS_REP, _TGS_REQ, _TGS_REP, _ERROR = 0x6A, 0x6B, 0x6C, 0x6D, 0x7E
_REQUESTS: Final = {_AS_REQ: AuthMethod.KERBEROS_AS, _TGS_REQ: AuthMethod.KERBEROS_TGS}
_REPLIES: Final = {_AS_REP: AuthMethod.KERBEROS_AS, _TGS_REP: AuthMethod.KERBEROS_TGS}
TAGS: Final = bytes((*_REQUESTS, *_REPLIES, _ERROR))

_LENGTH: Final = rb"(?:[\x00-\x7f]|\x81.|\x82..|\x83...|\x84....)"
_begins = re.compile(
    rb"[\x6a-\x6d\x7e]"
    + _LENGTH
    + rb"\x30"
    + _LENGTH
    + rb"[\xa0\xa1]\x03\x02\x01\x05[\xa1\xa2]\x03"
    rb"\x02\x01[\x0a-\x0d\x1e]",
    re.DOTALL,
).match
_FIELD: Final = 0xA0
_MAX_MESSAGE: Final = 1 << 20
_MAX_WAITING: Final = 8
_PROOFS: Final = frozenset({2, 14, 16, 138, 141, 142, 151})
"""Pre-authentication data that proves knowledge of a key: a time stamp, PKINIT, a challenge, OTP, SPAKE."""
_TOO_BIG_FOR_UDP: Final = 52

_STATUS: Final = {
    1: AuthStatus.EXPIRED,
    2: AuthStatus.EXPIRED,
    6: AuthStatus.UNKNOWN_ACCOUNT,
    7: AuthStatus.UNKNOWN_SERVICE,
    12: AuthStatus.RESTRICTED,
    18: AuthStatus.LOCKED,
    21: AuthStatus.RESTRICTED,
    23: AuthStatus.EXPIRED,
    24: AuthStatus.WRONG_PASSWORD,
    25: AuthStatus.PREAUTH_REQUIRED,
    31: AuthStatus.WRONG_PASSWORD,
    32: AuthStatus.EXPIRED,
    91: AuthStatus.PREAUTH_REQUIRED,
}
_OF_ACCOUNTS: Final = frozenset({1, 6, 12, 18, 23, 24, 25, 91})
"""Errors that answer a request for an account's ticket, where the request was not seen."""
_ETYPES: Final = {
    **dict.fromkeys((17, 18, 19, 20), EtypeClass.AES),
    **dict.fromkeys((23, 24, -128, -133, -135), EtypeClass.RC4),
    **dict.fromkeys((1, 2, 3), EtypeClass.DES),
}


class _Request(NamedTuple):
    method: AuthMethod
    etype: EtypeClass
    proven: bool
    nonce: int


def recognise(opening: Opening) -> Kerberos | None:
    """A Kerberos message, over TCP with or without the length that goes before it."""
    payload, tcp = opening.payload, opening.flow.proto == TCP
    held = b""
    if payload[0]:
        if not _begins(payload):
            return None
        if tcp:  # its length came in a segment of its own
            try:
                held = ber.element(payload, 0, _MAX_MESSAGE).end.to_bytes(4, "big")
            except ber.NotBer:
                return None
    elif not tcp or not _begins(payload, 4):
        return None
    return Kerberos(opening, held)


def measure(head: bytes) -> int:
    """Length of a message over TCP, its own four bytes of length included."""
    if len(head) < 5:
        return 0
    size = int.from_bytes(head[:4], "big")
    return 4 + size if head[4] in TAGS and 16 <= size <= _MAX_MESSAGE else -1


class Kerberos(LogIns):
    """Pairs requests with their answers. Holds eight requests of four numbers, and two messages over TCP."""

    __slots__ = ("_heard_request", "_messages", "_sides", "_tcp", "_waiting")

    def __init__(self, opening: Opening, held: bytes) -> None:
        first = opening.payload[0] or opening.payload[4]
        super().__init__(
            opening,
            AuthService.KERBEROS,
            client_is_orig=(first in _REQUESTS) == opening.from_orig,
        )
        self._tcp = opening.flow.proto == TCP
        self._sides = (Side(), Side())
        of_orig = held if opening.from_orig else b""
        of_resp = b"" if opening.from_orig else held
        self._messages = (Messages(measure, of_resp), Messages(measure, of_orig))
        self._waiting: deque[_Request] = deque()
        self._heard_request = False

    def read(self, time: int, payload: bytes, size: int, sequence: int, *, from_orig: bool) -> None:  # noqa: D102  # inherited
        if not self._tcp:
            self._read_message(time, payload)
            return
        missing, new = self._sides[from_orig].take(sequence, payload, size)
        messages = self._messages[from_orig].feed(missing, new, size - len(payload))
        self.messages = len(messages)
        for message in messages:
            self._read_message(time, message[4:])

    def kept(self) -> int:  # noqa: D102  # inherited
        return super().kept() + sum([messages.kept for messages in self._messages])

    def leave(self) -> None:  # noqa: D102  # inherited
        while self._waiting:
            self._give_up_oldest()

    def _read_message(self, time: int, data: bytes) -> None:
        try:
            outer = ber.element(data, 0, _MAX_MESSAGE)
            if outer.tag in _REQUESTS:
                self._ask(time, data, outer)
            elif outer.tag in _REPLIES:
                self._give(data, outer)
            elif outer.tag == _ERROR:
                self._refuse(data, outer)
        except ber.NotBer:
            pass  # cut off, or never was one

    def _ask(self, time: int, data: bytes, outer: ber.Element) -> None:
        method = _REQUESTS[outer.tag]
        request = ber.child(data, outer, ber.SEQUENCE)
        etype, proven, nonce = EtypeClass.NONE, _is_proven(data, request), -1
        account = b""
        try:
            body = ber.child(data, request, _FIELD | 4, ber.SEQUENCE)
            account = _account(data, body) if method == AuthMethod.KERBEROS_AS else b""
            nonce = ber.integer(data, ber.child(data, body, _FIELD | 7, ber.INTEGER))
            first = ber.child(data, body, _FIELD | 8, ber.SEQUENCE, ber.INTEGER)
            etype = _etype(data, first)
        except ber.NotBer:
            pass  # behind what was kept: what was read stands
        self._heard_request = True
        if nonce >= 0 and any(waiting.nonce == nonce for waiting in self._waiting):
            return  # the same, sent again
        self.note_account(time, account)
        if len(self._waiting) >= _MAX_WAITING:
            self._give_up_oldest()
        self._waiting.append(_Request(method, etype, proven, nonce))

    def _give(self, data: bytes, outer: ber.Element) -> None:
        method = _REPLIES[outer.tag]
        request = self._answered(method)
        if request is None:
            return
        reply = ber.child(data, outer, ber.SEQUENCE)
        ticket = (_FIELD | 5, 0x61, ber.SEQUENCE, _FIELD | 3, ber.SEQUENCE, _FIELD, ber.INTEGER)
        own = (_FIELD | 6, ber.SEQUENCE, _FIELD, ber.INTEGER)
        etype = EtypeClass.NONE
        # What a guesser can try passwords on: a service's ticket, but the account's own part.
        for path in (own, ticket) if method == AuthMethod.KERBEROS_AS else (ticket,):
            try:
                etype = _etype(data, ber.child(data, reply, *path))
                break
            except ber.NotBer:
                continue
        status = AuthStatus.NONE if request.proven else AuthStatus.NO_PREAUTH
        self.count(Outcome.SUCCEEDED, method, status, etype)

    def _refuse(self, data: bytes, outer: ber.Element) -> None:
        field = ber.child(data, outer, ber.SEQUENCE, _FIELD | 6, ber.INTEGER)
        code = ber.integer(data, field)
        of_account = code in _OF_ACCOUNTS
        request = self._answered(
            AuthMethod.KERBEROS_AS if of_account else AuthMethod.KERBEROS_TGS, by_any=True
        )
        if request is None or code == _TOO_BIG_FOR_UDP:
            return
        status = _STATUS.get(code, AuthStatus.OTHER)
        unproven = status == AuthStatus.PREAUTH_REQUIRED
        outcome = Outcome.UNKNOWN if unproven else Outcome.FAILED
        self.count(outcome, request.method, status, request.etype)

    def _answered(self, method: AuthMethod, *, by_any: bool = False) -> _Request | None:
        """The request that an answer is to; ``None`` if it was answered before."""
        for request in self._waiting:
            if by_any or request.method == method:
                self._waiting.remove(request)
                return request
        if self._heard_request:
            return None
        return _Request(method, EtypeClass.NONE, proven=True, nonce=-1)

    def _give_up_oldest(self) -> None:
        request = self._waiting.popleft()
        self.count(Outcome.UNKNOWN, request.method, AuthStatus.NONE, request.etype)


def _is_proven(data: bytes, request: ber.Element) -> bool:
    """Whether a request proves a key: one for a service always does, by the ticket it shows."""
    try:
        every = ber.child(data, request, _FIELD | 3, ber.SEQUENCE)
        for one in ber.children(data, every):
            kind = ber.integer(data, ber.child(data, one, _FIELD | 1, ber.INTEGER))
            if kind in _PROOFS or kind == 1:
                return True
    except ber.NotBer:
        pass
    return False


def _account(data: bytes, body: ber.Element) -> bytes:
    """The client's name and realm, as they stand."""
    try:
        name = ber.octets(data, ber.child(data, body, _FIELD | 1, ber.SEQUENCE, _FIELD | 1))
        return name + ber.octets(data, ber.child(data, body, _FIELD | 2))
    except ber.NotBer:
        return b""


def _etype(data: bytes, found: ber.Element) -> EtypeClass:
    return _ETYPES.get(ber.integer(data, found), EtypeClass.OTHER)

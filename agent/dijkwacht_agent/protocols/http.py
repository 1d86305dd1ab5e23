"""HTTP/1: credentials in a request's header, and whether they were accepted (RFC 9110, RFC 7617)."""

from __future__ import annotations

import re
from collections import deque
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from dijkwacht_agent.dissect import TCP
from dijkwacht_agent.protocols import ntlm, sasl
from dijkwacht_agent.protocols.dialog import Dialog
from dijkwacht_agent.protocols.log_ins import Outcome
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus

if TYPE_CHECKING:
    from dijkwacht_agent.protocols.opening import Opening

_request = re.compile(rb"([A-Z_]{3,16}) [!-~]").match
_REFUSALS: Final = (b" 401 ", b" 407 ")
_answer = re.compile(rb"HTTP/1\.[01] (\d{3})").match
_SCHEMES: Final = rb"(basic|digest|ntlm|negotiate) +"
_credentials = re.compile(rb"(?:proxy-)?authorization: *" + _SCHEMES, re.IGNORECASE).match
_holds_credentials = re.compile(
    rb"\r\n(?:proxy-)?authorization: *+" + _SCHEMES, re.IGNORECASE
).search
_challenge = re.compile(
    rb"(?:www|proxy)-authenticate: *(?:(?:ntlm|negotiate) +[a-z0-9+/]{8}|digest .*stale=\"?true)",
    re.IGNORECASE,
).match
_length = re.compile(rb"content-length: *(\d{1,15})$", re.IGNORECASE).match
_chunked = re.compile(rb"transfer-encoding:.*chunked", re.IGNORECASE).match
_chunk = re.compile(rb"([0-9a-f]{1,12})(?:$|[; ])", re.IGNORECASE).match
_username = re.compile(rb'username="([^"]*)"').search

_UNTIL_CLOSED: Final = 1 << 62
_MAX_WAITING: Final = 16
_MAX_HEADER: Final = 8192
"""Bytes of a payload in which credentials are looked for."""
_MAX_WITHOUT: Final = 32
"""Answers in a row to requests without credentials; then it is left alone."""


class _Phase(IntEnum):
    START = 0
    HEADER = 1
    CHUNKS = 2
    TRAILER = 3


class _Message:
    """One side's message, as far as it was read."""

    __slots__ = ("chunked", "length", "phase")

    def __init__(self) -> None:
        self.phase, self.length, self.chunked = _Phase.START, -1, False

    def read_header(self, line: bytes) -> None:
        """Take from ``line`` how long the body is."""
        if found := _length(line):
            self.length = int(found[1])
        elif _chunked(line):
            self.chunked = True

    def end_header(self, without_length: int) -> int:
        """Bytes of body to pass over; ``without_length`` of it if nothing told."""
        self.phase = _Phase.CHUNKS if self.chunked else _Phase.START
        body = self.length if self.length >= 0 else without_length
        chunked, self.chunked, self.length = self.chunked, False, -1
        return 0 if chunked else body

    def read_chunk(self, line: bytes) -> int:
        """Bytes to pass over behind a line between chunks."""
        found = _chunk(line)
        if self.phase == _Phase.TRAILER:
            self.phase = _Phase.TRAILER if line else _Phase.START
        elif found is not None and not int(found[1], 16):
            self.phase = _Phase.TRAILER
        elif found is not None:
            return int(found[1], 16)
        return 0


class _Request(NamedTuple):
    """``method``: of the credentials, ``None`` without any; ``final``: they are not the first of several."""

    bodiless: bool
    method: AuthMethod | None
    final: bool


def recognise(opening: Opening) -> Http | None:
    """A request that holds credentials, or an answer that asks for some."""
    payload = opening.payload
    if opening.flow.proto != TCP:
        return None
    refused = payload[:7] == b"HTTP/1." and payload[8:13] in _REFUSALS
    # Looking for a word is cheap; most requests hold none of it.
    asks = (
        b"uthorization: " in payload
        and _request(payload)
        and _holds_credentials(payload, 0, _MAX_HEADER)
    )
    if not refused and not asks:
        return None
    return Http(opening, AuthService.HTTP, client_is_orig=opening.from_orig != refused)


class Http(Dialog):
    """Pairs requests with answers, in order. Holds sixteen requests' kinds.

    Basic credentials go with every request: it is over at the first that is accepted.
    """

    __slots__ = (
        "_asked",
        "_challenged",
        "_continued",
        "_messages",
        "_request",
        "_status",
        "_without",
    )

    def __init__(self, opening: Opening, service: AuthService, *, client_is_orig: bool) -> None:
        super().__init__(opening, service, client_is_orig=client_is_orig)
        self._messages = (_Message(), _Message())
        self._asked: deque[_Request] = deque()
        self._request = _Request(bodiless=False, method=None, final=True)
        self._status = 0
        self._challenged = False
        self._continued: AuthMethod | None = None
        self._without = 0

    def sayable(self, line: bytes) -> int:  # noqa: D102  # inherited
        found = _credentials(line)
        if found is None or found[1].lower() != b"basic":
            return len(line)
        return found.end() + sasl.end_of(line[found.end() :], b":")

    def hear_command(self, time: int, line: bytes) -> None:  # noqa: D102  # inherited
        message = self._messages[True]
        if message.phase == _Phase.START:
            if found := _request(line):
                message.phase = _Phase.HEADER
                bodiless = found[1] in {b"HEAD", b"CONNECT"}
                self._request = _Request(bodiless, method=None, final=True)
        elif message.phase != _Phase.HEADER:
            self.skip(message.read_chunk(line), by_client=True)
        elif line:
            message.read_header(line)
            if found := _credentials(line):
                self._read_credentials(time, found[1].lower(), line[found.end() :])
        else:
            self._end_request()

    def hear_reply(self, line: bytes) -> None:  # noqa: D102  # inherited
        message = self._messages[False]
        if message.phase == _Phase.START:
            if found := _answer(line):
                message.phase, self._status, self._challenged = _Phase.HEADER, int(found[1]), False
        elif message.phase != _Phase.HEADER:
            self.skip(message.read_chunk(line), by_client=False)
        elif line:
            message.read_header(line)
            self._challenged = self._challenged or _challenge(line) is not None
        else:
            self._end_answer()

    def hear_gap(self, *, by_client: bool, in_skipped: bool) -> None:  # noqa: D102  # inherited
        message = self._messages[by_client]
        if in_skipped:
            return
        if message.phase == _Phase.HEADER and by_client:
            self._end_request()
        elif message.phase == _Phase.HEADER:
            self._end_answer()
        message.phase = _Phase.START
        self.skip(0, by_client=by_client)

    def leave(self) -> None:  # noqa: D102  # inherited
        for request in self._asked:
            if request.method is not None:
                self.count(Outcome.UNKNOWN, request.method)
                self._continued = None
        if self._continued is not None:
            self.count(Outcome.UNKNOWN, self._continued)
        self._continued = None
        self._asked.clear()

    def _read_credentials(self, time: int, scheme: bytes, value: bytes) -> None:
        method, final, account = AuthMethod.PASSWORD, True, b""
        if scheme == b"basic":
            account = sasl.decode(value).partition(b":")[0]
        elif scheme == b"digest":
            found = _username(value)
            account = found[1] if found else b""
        else:
            token = sasl.decode(value)
            known = AuthMethod.NTLM if scheme == b"ntlm" else AuthMethod.UNKNOWN
            method = sasl.token_method(token, self._continued or known)
            final = ntlm.message_type(token) != ntlm.NEGOTIATE
            account = ntlm.read_account(token)
        self.note_account(time, account)
        self._request = self._request._replace(method=method, final=final)

    def _end_request(self) -> None:
        self._asked.append(self._request)
        if len(self._asked) > _MAX_WAITING:
            self._asked.popleft()  # the answers pass elsewhere
        self.skip(self._messages[True].end_header(0), by_client=True)

    def _end_answer(self) -> None:
        message = self._messages[False]
        if 100 <= self._status < 200 and self._status != 101:
            message.end_header(0)  # the answer itself is still to come
            return
        request = self._asked.popleft() if self._asked else None
        self._conclude(request)
        bodiless = self._status in {204, 304} or (request is not None and request.bodiless)
        body = message.end_header(_UNTIL_CLOSED)
        if bodiless:
            message.phase, body = _Phase.START, 0
        self.skip(body, by_client=False)

    def _conclude(self, request: _Request | None) -> None:
        """The header of an answer is whole."""
        if request is None or request.method is None:
            self._without += 1
            if self._without > _MAX_WITHOUT:
                self.stop()
            return
        self._without, self._continued = 0, None
        if self._status in {401, 407}:
            if self._challenged:
                self._continued = request.method
            elif request.final:
                self.count(Outcome.FAILED, request.method, AuthStatus.REFUSED)
        elif not request.final:
            return  # it was not needed
        elif self._status < 400:
            self.count(Outcome.SUCCEEDED, request.method)
            self.stop()
        else:
            self.count(Outcome.UNKNOWN, request.method)  # refused for another reason

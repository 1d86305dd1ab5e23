"""POP3: USER and PASS, APOP, AUTH (RFC 1939, RFC 5034)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from dijkwacht_agent.dissect import TCP
from dijkwacht_agent.flow import LOOKS
from dijkwacht_agent.protocols.dialog import Dialog
from dijkwacht_agent.protocols.log_ins import Outcome
from dijkwacht_agent.protocols.sasl import Responses, sayable_auth
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus

if TYPE_CHECKING:
    from dijkwacht_agent.protocols.opening import Opening

_PORT: Final = 110
_MAX_WAITING: Final = 16
_ATTEMPTS: Final = frozenset({b"PASS", b"APOP", b"AUTH"})


def recognise(opening: Opening) -> Pop | None:
    """A greeting that opens the connection; on POP's port also a user, which FTP begins with as well."""
    flow, payload = opening.flow, opening.payload
    if flow.proto != TCP:
        return None
    if payload[:3] == b"+OK" and flow.listening == LOOKS:
        return Pop(opening, AuthService.POP, client_is_orig=not opening.from_orig)
    if _PORT in {flow.orig_p, flow.resp_p} and payload[:5].upper() in {b"USER ", b"APOP "}:
        return Pop(opening, AuthService.POP, client_is_orig=opening.from_orig)
    return None


class Pop(Dialog):
    """Pairs commands with replies, in order. Holds sixteen commands' names."""

    __slots__ = ("_responses", "_waiting")

    def __init__(self, opening: Opening, service: AuthService, *, client_is_orig: bool) -> None:
        super().__init__(opening, service, client_is_orig=client_is_orig)
        self._responses: Responses | None = None
        self._waiting: deque[bytes] = deque()

    def sayable(self, line: bytes) -> int:  # noqa: D102  # inherited
        if self._responses is not None:
            return self._responses.sayable(line)
        if line[:4].upper() == b"PASS":
            return 5
        return sayable_auth(line)

    def hear_command(self, time: int, line: bytes) -> None:  # noqa: D102  # inherited
        if self._responses is not None:
            self.note_account(time, self._responses.take(line))
            return
        verb, _, rest = line.partition(b" ")
        verb = verb.upper()[:4]
        if len(self._waiting) >= _MAX_WAITING:
            self.leave()  # the replies pass elsewhere
        if verb == b"USER":
            self.note_account(time, rest.strip())
        elif verb == b"APOP":
            self.note_account(time, rest.partition(b" ")[0])
        elif verb == b"AUTH" and rest:
            mechanism, _, response = rest.partition(b" ")
            self._responses = Responses(mechanism)
            if response:
                self.note_account(time, self._responses.take(response))
        elif verb == b"AUTH":
            verb = b""  # asks which mechanisms there are
        self._waiting.append(verb)

    def hear_reply(self, line: bytes) -> None:  # noqa: D102  # inherited
        accepted = line[:3] == b"+OK"
        if not self._waiting or not (accepted or line[:4] == b"-ERR"):
            return
        verb = self._waiting.popleft()
        if verb == b"STLS" and accepted:
            self.stop()
        elif verb in _ATTEMPTS and accepted:
            self.count(Outcome.SUCCEEDED, self._method_of(verb))
            self._responses = None
            self.stop()
        elif verb in _ATTEMPTS or (verb == b"USER" and not accepted):
            self.count(Outcome.FAILED, self._method_of(verb), _status(line))
            self._responses = None

    def leave(self) -> None:  # noqa: D102  # inherited
        for verb in self._waiting:
            if verb in _ATTEMPTS:
                self.count(Outcome.UNKNOWN, self._method_of(verb))
        self._waiting.clear()
        self._responses = None

    def _method_of(self, verb: bytes) -> AuthMethod:
        if verb == b"AUTH" and self._responses is not None:
            return self._responses.method
        return AuthMethod.PASSWORD


def _status(line: bytes) -> AuthStatus:
    """By the codes of RFC 2449 and RFC 3206, which few servers give."""
    if line.startswith((b"-ERR [IN-USE]", b"-ERR [LOGIN-DELAY]")):
        return AuthStatus.RESTRICTED
    return AuthStatus.OTHER if line.startswith(b"-ERR [SYS/") else AuthStatus.REFUSED

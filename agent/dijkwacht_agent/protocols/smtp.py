"""SMTP: AUTH (RFC 4954), until mail is handed over or the connection encrypted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dijkwacht_agent.dissect import TCP
from dijkwacht_agent.protocols.dialog import Dialog
from dijkwacht_agent.protocols.log_ins import Outcome
from dijkwacht_agent.protocols.sasl import Responses, sayable_auth
from dijkwacht_records.vocabulary import AuthService, AuthStatus

if TYPE_CHECKING:
    from dijkwacht_agent.protocols.opening import Opening

_greets = re.compile(rb"(?:EHLO|HELO|LHLO) ", re.IGNORECASE).match
_STATUS: Final = {
    b"535": AuthStatus.REFUSED,
    b"530": AuthStatus.RESTRICTED,
    b"534": AuthStatus.RESTRICTED,  # mechanism too weak
    b"538": AuthStatus.RESTRICTED,  # not without encryption
    b"421": AuthStatus.RESTRICTED,
    b"432": AuthStatus.EXPIRED,
}


def recognise(opening: Opening) -> Smtp | None:
    """A client's hello, or a greeting that calls itself SMTP."""
    payload = opening.payload
    if opening.flow.proto != TCP:
        return None
    greeted = payload[:3] == b"220" and b"SMTP" in payload
    if not greeted and not _greets(payload):
        return None
    return Smtp(opening, AuthService.SMTP, client_is_orig=opening.from_orig != greeted)


class Smtp(Dialog):
    """Counts how each AUTH was answered in the end."""

    __slots__ = ("_asks_tls", "_responses")

    def __init__(self, opening: Opening, service: AuthService, *, client_is_orig: bool) -> None:
        super().__init__(opening, service, client_is_orig=client_is_orig)
        self._responses: Responses | None = None
        self._asks_tls = False

    def sayable(self, line: bytes) -> int:  # noqa: D102  # inherited
        if self._responses is not None:
            return self._responses.sayable(line)
        return sayable_auth(line)

    def hear_command(self, time: int, line: bytes) -> None:  # noqa: D102  # inherited
        if self._responses is not None:
            self.note_account(time, self._responses.take(line))
            return
        verb, _, rest = line.partition(b" ")
        verb = verb.upper()
        if verb == b"AUTH":
            mechanism, _, response = rest.strip().partition(b" ")
            self._responses = Responses(mechanism)
            if response:
                self.note_account(time, self._responses.take(response))
        elif verb == b"STARTTLS":
            self._asks_tls = True
        elif verb == b"MAIL":
            self.stop()

    def hear_reply(self, line: bytes) -> None:  # noqa: D102  # inherited
        code = line[:3]
        if code == b"220" and self._asks_tls:
            self.stop()
        elif self._responses is not None and line[3:4] != b"-":
            if code == b"235":
                self.count(Outcome.SUCCEEDED, self._responses.method)
                self._responses = None
                self.stop()
            elif code[:1] in {b"4", b"5"}:
                status = _STATUS.get(code, AuthStatus.OTHER)
                self.count(Outcome.FAILED, self._responses.method, status)
                self._responses = None

    def leave(self) -> None:  # noqa: D102  # inherited
        if self._responses is not None:
            self.count(Outcome.UNKNOWN, self._responses.method)
        self._responses = None

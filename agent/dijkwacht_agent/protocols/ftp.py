"""FTP: users and passwords, and replies to them (RFC 959, RFC 4217)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dijkwacht_agent.dissect import TCP
from dijkwacht_agent.protocols.dialog import Dialog
from dijkwacht_agent.protocols.log_ins import Outcome
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus

if TYPE_CHECKING:
    from dijkwacht_agent.protocols.opening import Opening

_commands = re.compile(
    rb"(?:USER |AUTH (?:TLS|SSL)|FEAT\r|SYST\r|HOST |OPTS |CLNT )", re.IGNORECASE
).match
_ANONYMOUS: Final = frozenset({b"anonymous", b"ftp"})
_ACCEPTED: Final = frozenset({b"202", b"230", b"232"})
_UNDER_WAY: Final = b"123"
_REFUSED: Final = {
    b"530": AuthStatus.REFUSED,
    b"430": AuthStatus.REFUSED,
    b"421": AuthStatus.RESTRICTED,
    b"532": AuthStatus.RESTRICTED,
}
"""Replies that refuse a user by name already; to a password, any other error does as well."""


def recognise(opening: Opening) -> Ftp | None:
    """A client's command, or a greeting that calls itself FTP."""
    payload = opening.payload
    if opening.flow.proto != TCP:
        return None
    greeted = payload[:3] == b"220" and b"FTP" in payload
    if not greeted and not _commands(payload):
        return None
    return Ftp(opening, AuthService.FTP, client_is_orig=opening.from_orig != greeted)


class Ftp(Dialog):
    """Counts a password's reply, or that to a user whose name is enough."""

    __slots__ = ("_asks_tls", "_method", "_multiline", "_tried")

    def __init__(self, opening: Opening, service: AuthService, *, client_is_orig: bool) -> None:
        super().__init__(opening, service, client_is_orig=client_is_orig)
        self._tried = b""  # the command that waits for its reply
        self._method = AuthMethod.PASSWORD
        self._multiline = b""
        self._asks_tls = False

    def sayable(self, line: bytes) -> int:  # noqa: D102  # inherited
        return 5 if line[:4].upper() == b"PASS" else len(line)

    def hear_command(self, time: int, line: bytes) -> None:  # noqa: D102  # inherited
        verb, _, rest = line.partition(b" ")
        verb = verb.upper()
        if verb in {b"USER", b"PASS"} and self._tried == b"PASS":
            self.leave()  # its reply was not seen
        if verb == b"USER":
            account = rest.strip().lower()
            self._method = AuthMethod.PASSWORD
            if account in _ANONYMOUS:
                self._method, account = AuthMethod.ANONYMOUS, b""
            self.note_account(time, account)
            self._tried = verb
        elif verb == b"PASS":
            self._tried = verb
        elif verb == b"AUTH":
            self._asks_tls = True

    def hear_reply(self, line: bytes) -> None:  # noqa: D102  # inherited
        code, goes_on = line[:3], line[3:4] == b"-"
        if self._multiline:
            if code != self._multiline or goes_on:
                return
            self._multiline = b""
        elif goes_on and code.isdigit():
            self._multiline = code
            return
        if not code.isdigit():
            return
        if code == b"234" and self._asks_tls:
            self.stop()
        elif self._tried and code in _ACCEPTED:
            self._tried = b""
            self.count(Outcome.SUCCEEDED, self._method)
            self.stop()
        elif code in _REFUSED if self._tried != b"PASS" else code[:1] not in _UNDER_WAY:
            self._refuse(code)

    def leave(self) -> None:  # noqa: D102  # inherited
        if self._tried == b"PASS":
            self.count(Outcome.UNKNOWN, self._method)
        self._tried = b""

    def _refuse(self, code: bytes) -> None:
        if self._tried:
            status = _REFUSED.get(code, AuthStatus.OTHER)
            self.count(Outcome.FAILED, self._method, status)
        self._tried = b""

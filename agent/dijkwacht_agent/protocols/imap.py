"""IMAP: LOGIN and AUTHENTICATE (RFC 3501), with the account quoted, bare or as a literal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dijkwacht_agent.dissect import TCP
from dijkwacht_agent.protocols.dialog import Dialog
from dijkwacht_agent.protocols.log_ins import Outcome
from dijkwacht_agent.protocols.sasl import Responses
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus

if TYPE_CHECKING:
    from dijkwacht_agent.protocols.opening import Opening

_COMMAND: Final = rb"([!-~]{1,32}+) ++"
_begins = re.compile(
    _COMMAND + rb"(?:LOGIN|AUTHENTICATE|CAPABILITY|STARTTLS|ID|NOOP)[ \r]", re.IGNORECASE
).match
_command = re.compile(_COMMAND + rb"([A-Z]{1,16})(?: +|$|\r)", re.IGNORECASE).match
_account = re.compile(rb'"((?:[^"\\]|\\.)*)"|\{(\d{1,4})\+?\}|([^ "{]+)(?: |$)').match
_status_of = re.compile(rb"(?:NO|BAD) \[([A-Z]+)").match
_STATUS: Final = {
    b"EXPIRED": AuthStatus.EXPIRED,
    b"AUTHORIZATIONFAILED": AuthStatus.RESTRICTED,
    b"PRIVACYREQUIRED": AuthStatus.RESTRICTED,
    b"CONTACTADMIN": AuthStatus.RESTRICTED,
    b"LIMIT": AuthStatus.RESTRICTED,
    b"UNAVAILABLE": AuthStatus.OTHER,
}


def recognise(opening: Opening) -> Imap | None:
    """A greeting, or a client's command before anybody has logged in."""
    payload = opening.payload
    if opening.flow.proto != TCP:
        return None
    greeted = payload[:5] == b"* OK "
    if not greeted and not _begins(payload):
        return None
    return Imap(opening, AuthService.IMAP, client_is_orig=opening.from_orig != greeted)


class Imap(Dialog):
    """Counts the tagged answer to a log-in. Holds its tag."""

    __slots__ = ("_literal", "_method", "_responses", "_tag", "_tls_tag")

    def __init__(self, opening: Opening, service: AuthService, *, client_is_orig: bool) -> None:
        super().__init__(opening, service, client_is_orig=client_is_orig)
        self._tag = self._tls_tag = b""
        self._method = AuthMethod.PASSWORD
        self._responses: Responses | None = None
        self._literal = 0  # length of the account that comes next

    def sayable(self, line: bytes) -> int:  # noqa: D102  # inherited
        if self._responses is not None:
            return self._responses.sayable(line)
        if self._tag:
            return self._literal  # what follows is a password, until the answer
        found = _command(line)
        if found is None:
            return len(line)
        if found[2].upper() == b"LOGIN":
            account = _account(line, found.end())
            return account.end() if account else len(line)
        if found[2].upper() == b"AUTHENTICATE":
            mechanism, space, _ = line[found.end() :].partition(b" ")
            end = found.end() + len(mechanism) + 1
            return Responses(mechanism).sayable(line, end) if space else len(line)
        return len(line)

    def hear_command(self, time: int, line: bytes) -> None:  # noqa: D102  # inherited
        if self._responses is not None:
            self.note_account(time, self._responses.take(line))
            self._method = self._responses.method
            return
        if self._tag:
            self.note_account(time, line if self._literal else b"")
            self._literal = 0
            return
        found = _command(line)
        if found is None:
            return
        verb, rest = found[2].upper(), line[found.end() :]
        if verb == b"LOGIN":
            self._tag, self._method = found[1], AuthMethod.PASSWORD
            account = _account(rest)
            if account and account[2]:
                self._literal = int(account[2])
            elif account:
                self.note_account(time, account[1] or account[3] or b"")
        elif verb == b"AUTHENTICATE":
            mechanism, _, response = rest.partition(b" ")
            self._tag, self._responses = found[1], Responses(mechanism)
            if response:
                self.note_account(time, self._responses.take(response))
            self._method = self._responses.method
        elif verb == b"STARTTLS":
            self._tls_tag = found[1]

    def hear_reply(self, line: bytes) -> None:  # noqa: D102  # inherited
        tag, _, answer = line.partition(b" ")
        answer = answer[:64].upper()
        if (tag == self._tls_tag and answer.startswith(b"OK")) or line[:9].upper() == b"* PREAUTH":
            self.stop()
        elif self._tag and tag == self._tag:
            if answer.startswith(b"OK"):
                self._forget()
                self.count(Outcome.SUCCEEDED, self._method)
                self.stop()
            elif answer.startswith((b"NO", b"BAD")):
                self._forget()
                code = _status_of(answer)
                plain = AuthStatus.REFUSED if answer.startswith(b"NO") else AuthStatus.OTHER
                status = _STATUS.get(code[1], plain) if code else plain
                self.count(Outcome.FAILED, self._method, status)

    def leave(self) -> None:  # noqa: D102  # inherited
        if self._tag:
            self.count(Outcome.UNKNOWN, self._method)
        self._forget()

    def _forget(self) -> None:
        self._tag, self._responses, self._literal = b"", None, 0

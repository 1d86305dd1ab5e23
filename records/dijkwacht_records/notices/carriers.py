"""How a message leaves: a webhook or a mail, by the standard library alone. TLS is always verified.

An address may be a secret (whoever knows a webhook's can post there), so no error names one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import ip_address
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol
from urllib.parse import urlsplit

import msgspec

from dijkwacht_records.errors import SettingsError
from dijkwacht_records.notices.deadline import Deadline
from dijkwacht_records.notices.letter import Letter, NoticeLanguage

FAILURES: Final = (OSError, HTTPException, ValueError, OverflowError)
"""What `Carrier.carry` and `get` raise: the last two for a name, or a port, that no address can have."""
TIMEOUT_S: Final = 15.0
"""The longest wait for the other end."""
LIMIT_S: Final = 60.0
"""The longest conversation."""
_MOST_READ: Final = 1 << 16
_IMPLICIT_TLS, _SUBMISSION, _LOCAL = 465, 587, 25


class Undelivered(OSError):
    """The receiver answered with this HTTP ``status``, and did not take it. Later it may."""

    def __init__(self, status: int) -> None:
        super().__init__(f"it answered with HTTP status {status}")
        self.status = status


class NotifySettings(Protocol):
    """The settings of agent and collector that are about notices; each says what they mean."""

    @property
    def notify_url(self) -> str | None: ...  # noqa: D102  # as the settings say

    @property
    def notify_mail(self) -> str | None: ...  # noqa: D102

    @property
    def notify_mail_server(self) -> str | None: ...  # noqa: D102

    @property
    def notify_mail_from(self) -> str | None: ...  # noqa: D102

    @property
    def notify_mail_user(self) -> str | None: ...  # noqa: D102

    @property
    def notify_mail_password_file(self) -> str | Path | None: ...  # noqa: D102

    @property
    def notify_ca_file(self) -> str | Path | None: ...  # noqa: D102

    @property
    def notify_language(self) -> NoticeLanguage: ...  # noqa: D102

    @property
    def notify_per_hour(self) -> int: ...  # noqa: D102


class Carrier(Protocol):
    """Brings letters to one receiver. ``name`` tells it from the others."""

    name: str

    def carry(self, letter: Letter) -> None:
        """Raises one of `FAILURES` when it did not arrive."""
        ...


class Webhook:
    """``POST`` of a letter as JSON to ``url``; any 2xx answer is good."""

    name = "webhook"

    limit_s = LIMIT_S

    def __init__(self, url: str, ca_file: Path | None = None) -> None:
        self._url, self._ca_file = url, ca_file

    def carry(self, letter: Letter) -> None:
        """As `Carrier.carry`."""
        _ask("POST", self._url, self._ca_file, as_json(letter), self.limit_s)


class Mail:
    """A mail to ``to`` by the server ``host``. ``login``: user, and the file that holds the password.

    TLS from the first byte at port 465, else by STARTTLS, without which nothing is sent beyond this
    machine. To a server on it TLS is spoken only where ``ca_file`` says whom to trust.
    """

    name = "mail"
    limit_s = LIMIT_S

    def __init__(
        self,
        host: str,
        port: int,
        sender: str,
        to: Sequence[str],
        login: tuple[str, Path] | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self._host, self._port, self._sender, self._to = host, port, sender, list(to)
        self._login, self._ca_file = login, ca_file

    def carry(self, letter: Letter) -> None:
        """As `Carrier.carry`."""
        mail = as_mail(letter, self._sender, self._to)
        with Deadline(self.limit_s) as deadline, self._connected(deadline) as server:
            if self._port != _IMPLICIT_TLS and not (self._is_here and self._ca_file is None):
                server.starttls(context=_context(self._ca_file))
            if self._login is not None:
                user, password_file = self._login
                server.login(user, password_file.read_text("utf-8").strip())
            server.send_message(mail)

    def _connected(self, deadline: Deadline) -> smtplib.SMTP:
        address = self._host, self._port
        if self._port == _IMPLICIT_TLS:
            context = _context(self._ca_file)
            return _TlsServer(deadline, *address, timeout=TIMEOUT_S, context=context)
        return _Server(deadline, *address, timeout=TIMEOUT_S)

    @property
    def _is_here(self) -> bool:
        return _is_loopback(self._host)


class _Answers:
    """What ``file`` brings. One answer may have any number of lines, and all of them are kept: not these."""

    left = 0
    """Bytes that an answer may still have."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readline(self, most: int) -> bytes:
        line = self._file.readline(most)
        self.left -= len(line)
        if self.left < 0:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        return line

    def close(self) -> None:
        self._file.close()


class _Server(smtplib.SMTP):
    """One whose answers end, and in time, the first among them, which is waited for while it is made."""

    def __init__(self, deadline: Deadline, *given: Any, **options: Any) -> None:
        self._deadline = deadline
        super().__init__(*given, **options)

    def getreply(self) -> tuple[int, bytes]:
        if self.sock is not None:
            self._deadline.watch(self.sock)
            if self.file is None:
                self.file = _Answers(self.sock.makefile("rb"))
            self.file.left = _MOST_READ
        return super().getreply()


class _TlsServer(_Server, smtplib.SMTP_SSL):
    """The same over TLS from the first byte."""


def as_json(letter: Letter) -> bytes:
    """``letter`` as a webhook gets it."""
    return msgspec.json.encode(letter)


def as_mail(letter: Letter, sender: str, to: Sequence[str]) -> EmailMessage:
    """``letter`` as it is mailed: nothing in it can be a header, or another receiver."""
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, ", ".join(to)
    # Python reads what is there as an encoded word, and would write what it stands for: a new line, say.
    mail["Subject"] = " ".join(f"Dijkwacht: {letter.title}".split()).replace("=?", "= ?")
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain="dijkwacht.invalid")
    mail["Auto-Submitted"] = "auto-generated"  # or somebody's holiday answers it
    mail.set_content(letter.text + "\n")
    return mail


def carriers_of(settings: NotifySettings) -> list[Carrier]:
    """Those that ``settings`` name. Raises `SettingsError`, or ``OSError`` naming a file that cannot be read."""
    ca_file = Path(settings.notify_ca_file) if settings.notify_ca_file else None
    found: list[Carrier] = []
    if ca_file is not None:
        ca_file.read_bytes()
    if settings.notify_url:
        found.append(Webhook(settings.notify_url, ca_file))
    if settings.notify_mail:
        if not settings.notify_mail_server:
            raise SettingsError("notify_mail is set, and notify_mail_server is not")
        to = [address.strip() for address in settings.notify_mail.split(",")]
        host, port = read_server(settings.notify_mail_server)
        sender = settings.notify_mail_from or to[0]
        login = None
        if settings.notify_mail_password_file is not None:
            password_file = Path(settings.notify_mail_password_file)
            password_file.read_bytes()
            login = settings.notify_mail_user or sender, password_file
        found.append(Mail(host, port, sender, to, login, ca_file))
    return found


def read_server(text: str) -> tuple[str, int]:
    """``HOST[:PORT]`` → both.

    >>> read_server("mail.example.nl"), read_server("[::1]:2525"), read_server("localhost")
    (('mail.example.nl', 587), ('::1', 2525), ('localhost', 25))
    """
    parts = urlsplit(f"//{text}")
    host = parts.hostname or text
    return host, parts.port or (_LOCAL if _is_loopback(host) else _SUBMISSION)


def get(url: str, ca_file: str | Path | None = None, limit_s: float = LIMIT_S) -> None:
    """Ask for ``url``. Raises one of `FAILURES` unless the answer is a 2xx, within so long."""
    _ask("GET", url, ca_file, limit_s=limit_s)


def reason_of(error: Exception) -> str:
    """Why something did not arrive, without the address: for logs."""
    if isinstance(error, Undelivered):
        return str(error)
    code = getattr(error, "smtp_code", None)
    said = error.strerror if isinstance(error, OSError) and error.strerror else ""
    kind = type(error).__name__
    return f"{kind} {code}" if code is not None else f"{kind}: {said}" if said else kind


def _ask(
    method: str,
    url: str,
    ca_file: str | Path | None,
    body: bytes | None = None,
    limit_s: float = LIMIT_S,
) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https":
        connection: HTTPConnection = HTTPSConnection(
            parts.netloc, timeout=TIMEOUT_S, context=_context(ca_file)
        )
    else:
        connection = HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"User-Agent": "dijkwacht"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    with Deadline(limit_s) as deadline, contextlib.closing(connection):
        connection.connect()
        deadline.watch(connection.sock)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        with contextlib.closing(response):
            deadline.ensure()
            # What it says besides is nothing to us.
            with contextlib.suppress(OSError, HTTPException):
                response.read(_MOST_READ)
    if not 200 <= response.status < 300:
        raise Undelivered(response.status)


def _context(ca_file: str | Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=os.fspath(ca_file) if ca_file else None)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

"""The thread that brings what waits in the spool to the collector, oldest first.

=============================  ==================================================================
200 with a reply               settled; its clock is compared, its orders are handed on
400 with a refusal             `RejectedBatch`: settled, its rows counted under the reason
401, 403                       `NotAuthorised`: kept, shown as ``trouble``, tried again each minute
another collector's            `ForeignCollector`, `WrongClock`: kept, shown, tried again as with no
certificate, a wrong clock     answer
429, 5xx                       `CollectorBusy`: kept, tried again after Retry-After
400, 503, "unknown_contract"   `UnknownContract`: kept, tried again after Retry-After, or each minute
no answer, or another answer   kept, tried again after 0.5 s, 1 s, 2 s ... 60 s, give or take half
=============================  ==================================================================

An answer that no collector gives (a hotel's log-in page with 200, a proxy with 400) settles
nothing. Sending a batch twice is harmless: the collector knows it by site, agent, boot and number.

A version of the contract that the collector does not read, which the first ones answer with 400, is
no fault of the batch: it waits for a collector that reads it, and so does all that is behind it.
"""

from __future__ import annotations

import http.client
import random
import socket
import ssl
import threading
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import msgspec

from dijkwacht_agent.contracts import listed, plausible
from dijkwacht_agent.error_words import carrying, error_message, refusal_message, worded
from dijkwacht_agent.identity import Identity
from dijkwacht_agent.ledger import REASONS
from dijkwacht_agent.secure_line import HUNG_UP, SecureConnection, connection_path, hung_up
from dijkwacht_agent.spool import Record, Spool
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.errors import (
    CertificateExpired,
    CertificateRevoked,
    CertificateUnknown,
    CollectorBusy,
    Message,
    NoCertificate,
    NotAuthorised,
    RejectedBatch,
    TransferError,
    UnknownContract,
)
from dijkwacht_records.replies import Refusal, Reply, decode_json, decode_reply
from dijkwacht_records.troubles import TROUBLE_HEADER

TIMEOUT_S: Final = 15.0
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 60.0
UNAUTHORISED_PAUSE_S: Final = 60.0
EXPIRED_PAUSE_S: Final = 5.0
"""Long enough for a certificate to be renewed."""
_MAX_REPLY_BYTES: Final = 1 << 20
_MAX_CLOCK_TRIP_US: Final = 5_000_000
_UNAUTHORISED: Final = {
    kind.reason: kind
    for kind in (NoCertificate, CertificateExpired, CertificateRevoked, CertificateUnknown)
}


Who = str | Identity
"""What shows who this agent is: its token, or its certificate."""


class Sender(Protocol):
    """Brings one batch to the collector and returns its reply."""

    def __call__(self, wire: bytes, /) -> Reply:
        """As `Post.__call__`."""
        ...

    def close(self) -> None:
        """Nothing more will be sent."""
        ...


class Post:
    """``POST /v1/batches`` over one connection that is kept open; one request at a time.

    ``troubles`` gives what is wrong with the agent at present, of `dijkwacht_records.troubles`.
    """

    def __init__(
        self,
        url: str,
        who: Who,
        ca_file: Path | None = None,
        troubles: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._troubles = troubles
        self._url = url
        self._who, self._version = who, 0
        self._ca_file = ca_file
        self._connection: http.client.HTTPConnection | None = None

    def __call__(self, wire: bytes) -> Reply:
        """The reply to ``wire``. Raises a `TransferError`, ``OSError`` or ``HTTPException``."""
        if self._version != version_of(self._who):
            self.close()  # it was opened with a certificate that has been renewed
        kept_open = self._connection is not None
        connection, self._connection = self._connection or self._connect(), None
        headers = authorisation(self._who) | {"Content-Type": "application/octet-stream"}
        if said := self._troubles():
            headers[TROUBLE_HEADER] = ", ".join(said)
        path = connection_path(self._url) + "/v1/batches"
        try:
            connection.request("POST", path, wire, headers)
            response = connection.getresponse()
            body = response.read(_MAX_REPLY_BYTES)
        except HUNG_UP as error:
            connection.close()
            if kept_open:  # it was closed at the other end while it was idle: once more, at once
                return self(wire)
            raise refused_in_tls(error, self._url, self._who, TIMEOUT_S) from None
        except BaseException:
            connection.close()
            raise
        if response.will_close or not response.isclosed():
            connection.close()
        else:
            self._connection = connection
        version = wire[3] if len(wire) > 3 else 0
        try:
            reply = read_answer(response.status, body, response.getheader("Retry-After"), version)
        except NotAuthorised:
            if self._version != version_of(self._who):  # it was renewed just now
                return self(wire)
            raise
        if isinstance(self._who, Identity):
            self._who.hear(reply.clock)
        return reply

    def close(self) -> None:
        """Close the connection, if one is open."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        self._version = version_of(self._who)
        return connect(self._url, self._ca_file, TIMEOUT_S, self._who)


def connect(
    url: str, ca_file: Path | None, timeout: float, who: Who = ""
) -> http.client.HTTPConnection:
    """A connection to the collector at ``url``, not yet open.

    That of an agent with a certificate is a `SecureConnection`, any other over https is TLS 1.2 or later.
    """
    parts = urlsplit(url)
    if isinstance(who, Identity) and parts.scheme == "https":
        return SecureConnection(url, timeout, who)
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        return http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=context)
    return http.client.HTTPConnection(parts.netloc, timeout=timeout)


def authorisation(who: Who) -> dict[str, str]:
    """The header that shows a token; a certificate was shown already."""
    return {"Authorization": f"Bearer {who}"} if isinstance(who, str) else {}


def version_of(who: Who) -> int:
    """Grows whenever connections have to be made anew, to show another certificate."""
    return who.version if isinstance(who, Identity) else 0


def refused_in_tls(error: Exception, url: str, who: Who, timeout: float) -> Exception:
    """What an end of a new connection means: our certificate was not taken, or it is ``error``."""
    if isinstance(who, Identity) and not isinstance(error, ConnectionRefusedError):
        return hung_up(url, who, timeout) or error
    return error


def endpoint(url: str) -> tuple[bytes, int] | None:
    """Where `url` is: (16-byte address, port); ``None`` if its name cannot be looked up."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError:
        return None
    return pack_address(str(found[0][4][0])), port


def read_answer(
    status: int, body: bytes, retry_after: str | None = None, version: int = 0
) -> Reply:
    """The reply to a batch of contract ``version``; raises the `TransferError` that it stands for."""
    refusal = read_refusal(body) if status != 200 else None
    if status in {400, 503} and refusal and refusal.reason == UnknownContract.reason:
        # The first collectors do not say what they read. They read all versions below.
        said = plausible(refusal.contracts) or range(1, version)
        unread = UnknownContract(version, said)
        unread.message = Message(
            "trouble_unread", {"version": version, "reads": listed(unread.reads)}
        )
        unread.retry_after_s = _pause(retry_after, LONGEST_PAUSE_S)
        raise unread
    if status in {401, 403}:
        raise unauthorised(refusal, status)
    if status == 429 or status >= 500:
        busy = carrying(CollectorBusy, refusal_message(refusal, status))
        busy.retry_after_s = _pause(retry_after, 1.0)
        raise busy
    if status == 200:
        try:
            return decode_reply(body)
        except msgspec.MsgspecError:
            raise worded(TransferError, "refused_strangely", status=status) from None
    if status in {400, 413} and refusal is not None:
        error = carrying(RejectedBatch, refusal_message(refusal, status))
        error.reason = refusal.reason if refusal.reason in REASONS else "rejected"  # type: ignore[misc]  # of this one
        raise error
    raise worded(TransferError, "refused_strangely", status=status)


def unauthorised(refusal: Refusal | None, status: int) -> NotAuthorised:
    """Which of them an answer with 401 or 403 stands for."""
    kind = _UNAUTHORISED.get(refusal.reason if refusal else "", NotAuthorised)
    return carrying(kind, refusal_message(refusal, status))


class Uplink:
    """Sends from ``spool`` by ``post`` in a thread of its own, from `start` to `stop`.

    ``clock`` gives µs UTC. ``on_contracts`` is told which versions the collector says it reads.
    ``trouble`` is what is wrong at present, or ``None``;
    ``clock_offset`` is µs to add to ours to get the collector's.
    """

    well_again = "the collector answers again"

    def __init__(
        self,
        spool: Spool,
        post: Sender,
        clock: Callable[[], int],
        on_reply: Callable[[Reply], None] = lambda _: None,
        jitter: Callable[[], float] = random.random,
        on_contracts: Callable[[Iterable[int]], None] = lambda _: None,
    ) -> None:
        self.clock_offset = 0
        self.rows_sent = 0
        self.rows_rejected = dict.fromkeys(REASONS, 0)
        self.last_reply = 0
        self.trouble: Message | None = None
        self.on_expired: Callable[[], None] = lambda: None
        """Is told when the agent's certificate has run out."""
        self._spool, self._post, self._clock = spool, post, clock
        self._on_reply, self._on_contracts, self._jitter = on_reply, on_contracts, jitter
        self._pause_s = FIRST_PAUSE_S
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self, drain_s: float = 0.0) -> bool:
        """Send for at most ``drain_s`` seconds more, then stop: is the spool empty?"""
        drained = self._spool.wait_below(1, drain_s)
        self._stopping.set()
        self._thread.join(2.0)  # a hanging request dies with the process; its batch is on disk
        return drained

    @property
    def alive(self) -> bool:
        """The thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            record = self._spool.peek(timeout=0.25)
            if record is not None and (pause := self.send(record)):
                self._stopping.wait(pause)
        self._post.close()

    def send(self, record: Record) -> float:
        """Send one record and settle it if that is due: seconds to pause before the next."""
        asked = self._clock()
        try:
            reply = self._post(record.wire)
        except RejectedBatch as error:
            # Only the rows of a record that was still there: shed ones are counted already.
            if self._spool.settle(record, error.reason):
                self.rows_rejected[error.reason] += record.rows
            self.trouble = Message("trouble_rejected", {"why": error_message(error)})
            return 0.0
        except UnknownContract as error:
            self._on_contracts(error.reads)
            self.trouble = error_message(error)
            return error.retry_after_s
        except CollectorBusy as error:
            self.trouble = Message("trouble_busy", {"why": error_message(error)})
            return error.retry_after_s
        except NotAuthorised as error:
            self.trouble = Message("trouble_unknown", {"why": error_message(error)})
            expired = isinstance(error, CertificateExpired)
            if expired:
                self.on_expired()
            return EXPIRED_PAUSE_S if expired else UNAUTHORISED_PAUSE_S
        except (OSError, http.client.HTTPException, TransferError) as error:
            self.trouble = Message("trouble_unreachable", {"why": error_message(error)})
            pause = self._pause_s * (0.5 + self._jitter())
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
            return pause
        self._settle(record, reply, asked)
        return 0.0

    def _settle(self, record: Record, reply: Reply, asked: int) -> None:
        now = self._clock()
        if now - asked < _MAX_CLOCK_TRIP_US:
            self.clock_offset = reply.clock - (asked + now) // 2
        self._pause_s, self.trouble, self.last_reply = FIRST_PAUSE_S, None, now
        if self._spool.settle(record):
            self.rows_sent += record.rows
        self._on_contracts(reply.contracts)
        self._on_reply(reply)


def _pause(retry_after: str | None, unnamed: float) -> float:
    """Seconds that the collector asks for, within reason; ``unnamed`` where it names none."""
    named = float(retry_after) if retry_after and retry_after.isdecimal() else unnamed
    return min(max(named, 0.1), LONGEST_PAUSE_S)


def read_refusal(body: bytes) -> Refusal | None:
    """The collector's refusal that an answer holds, if it holds one."""
    try:
        return decode_json(body, Refusal)
    except msgspec.MsgspecError:
        return None

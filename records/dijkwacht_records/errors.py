"""The error tree. Every branch answers one question: would the same data work later?

DijkwachtError
├─ SettingsError          at start only: which key, what it holds, what is allowed
│  └─ JoinCodeError       a text that is no join code, or an address that no code can hold
├─ UnreadableInput        a file or log that cannot be read: names file, place, what was expected
├─ TransferError          a batch on its way from agent to collector
│  ├─ RejectedBatch       the same bytes will never work  → 400, dropped and counted
│  │  ├─ MalformedBatch   the bytes are not a batch
│  │  └─ TooLarge         more bytes than a batch may have; they were not read
│  ├─ NotAuthorised       token or certificate is not taken → 401, kept, the agent reports it
│  │  ├─ NoCertificate       none was shown, where one is asked for
│  │  ├─ CertificateExpired  it ran out: within a year the agent renews it, and the same is sent again
│  │  ├─ CertificateRevoked  it was revoked: only a new join code helps
│  │  └─ CertificateUnknown  not one that is kept here, or a newer one of this agent is in use
│  ├─ ForeignCollector    who answers is not the collector that was joined: kept, nothing was told
│  ├─ WrongClock          the agent's own clock is so wrong that nothing can be checked: kept
│  └─ CollectorBusy       the same bytes may work later   → 503 + Retry-After, kept in the spool
│     └─ UnknownContract  a contract version this side does not read, or not yet
├─ CaptureError           the interface is gone or may not be opened: names what is missing
├─ JournalError           the journal cannot be written, or its bytes are corrupt
└─ DetectorError          a detector failed: names it; the engine goes on
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec


class Message(msgspec.Struct, frozen=True):
    """What an owner is to read, by name: ``key`` finds the text in his language, ``values`` fill it.

    A value may be a message itself.
    """

    key: str
    values: dict[str, str | int | float | Message] = {}


class DijkwachtError(Exception):
    """Root of every error that the product raises on purpose.

    ``message`` is what an owner reads; ``None`` where the error's English text is all there is.
    """

    message: Message | None = None

    def __reduce__(self) -> tuple[object, ...]:
        # an exception is pickled as a call with its text; these are made of other things
        return _as_it_was, (type(self), self.args), self.__dict__


def _as_it_was(kind: type[DijkwachtError], args: tuple[object, ...]) -> DijkwachtError:
    return kind.__new__(kind, *args)


class SettingsError(DijkwachtError):
    """A setting is missing or wrong; raised at start, never later."""


class JoinCodeError(SettingsError, ValueError):
    """A text is no join code, or an address cannot be put into one."""


class UnreadableInput(DijkwachtError):
    """An input file holds nothing that can be read as what it claims to be."""

    def __init__(self, path: str, place: str, expected: str) -> None:
        super().__init__(f"{path}: {place}: expected {expected}")
        self.path, self.place, self.expected = path, place, expected


class TransferError(DijkwachtError):
    """A batch did not arrive. ``status`` is the HTTP status that carries this error, 0 if none does."""

    status: ClassVar[int] = 500
    reason: ClassVar[str] = "transfer"


class RejectedBatch(TransferError):
    """The same bytes will never be accepted: drop them and count the loss."""

    status = 400
    reason = "rejected"


class MalformedBatch(RejectedBatch):
    """The bytes are not a well-formed batch of any contract version.

    ``rows``: as many as its head claims, where that can be read.
    """

    reason = "malformed"
    rows: int = 0


class TooLarge(RejectedBatch):
    """More bytes than a batch may have; they were not read."""

    reason = "too_large"


class NotAuthorised(TransferError):
    """The token is unknown, revoked, or belongs to another agent."""

    status = 401
    reason = "not_authorised"


class NoCertificate(NotAuthorised):
    """Over TLS agents show the certificate that joining gave them; this one showed none."""

    reason = "no_certificate"


class CertificateExpired(NotAuthorised):
    """The agent's certificate ran out. For a year it may still renew it."""

    reason = "certificate_expired"


class CertificateRevoked(NotAuthorised):
    """The agent's certificate was revoked, or its agent removed: it needs a new join code."""

    reason = "certificate_revoked"


class CertificateUnknown(NotAuthorised):
    """The certificate is not one that this collector keeps, or a newer one of the agent is in use."""

    reason = "certificate_unknown"


class ForeignCollector(TransferError):
    """Who answers cannot prove to be the collector that was joined; it was told nothing.

    A collector says so to an agent that wants to join and saw another certificate than it shows.
    """

    status = 403
    reason = "foreign_collector"


class WrongClock(TransferError):
    """The agent's clock is so wrong that no certificate can be checked by it.

    ``ahead_s``: seconds that it is ahead of the collector's, below 0 if it is behind.
    """

    status = 0
    reason = "wrong_clock"
    ahead_s: float = 0.0


class CollectorBusy(TransferError):
    """The same bytes may be accepted after ``retry_after_s`` seconds: keep them."""

    status = 503
    reason = "busy"

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnknownContract(CollectorBusy):
    """The batch has a contract ``version`` that this side does not read: a newer one will."""

    reason = "unknown_contract"

    def __init__(self, version: int, reads: Iterable[int]) -> None:
        self.version = version
        self.reads = tuple(sorted(reads))
        known = ", ".join(map(str, self.reads)) or "none"
        super().__init__(f"contract version {version}; this side reads {known}", retry_after_s=60.0)


class CaptureError(DijkwachtError):
    """Frames cannot be captured; the message names the right or interface that is missing."""


class JournalError(DijkwachtError):
    """The journal cannot be appended to, or holds corrupt bytes."""


class DetectorError(DijkwachtError):
    """A detector broke its contract or raised; the engine goes on."""

    def __init__(self, detector: str, message: str) -> None:
        super().__init__(f"{detector}: {message}")
        self.detector = detector

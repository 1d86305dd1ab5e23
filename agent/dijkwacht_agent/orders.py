"""What the collector asks for, and whether the agent does it. Every answer is written down.

An order is carried out only if it is signed by the key learnt on joining, for this agent, in its
time, of a kind and with fields that this agent knows, and consented to by the site; it is refused for
the first of these that fails. ``orders.log`` in the state folder holds a JSON line before anything is
done and one for how it ended. The collector hands an order out until it has heard the outcome: the
same one again is not carried out again, its outcome is said again.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dijkwacht_agent.settings import Settings, open_private
from dijkwacht_records.errors import CollectorBusy, NotAuthorised
from dijkwacht_records.orders import (
    LONGEST_LIFE_US,
    MAX_BODY_BYTES,
    ORDER_KINDS,
    Order,
    OrderHead,
    OrderOutcome,
    Outcome,
    SealedOrder,
)
from dijkwacht_records.replies import decode_json

log: Final = logging.getLogger(__name__)

Ignored = Literal["bad_signature", "no_key", "malformed", "another_agent", "not_in_its_time"]
"""Why an order is passed over: the collector is told nothing, and it runs out."""
Reason: TypeAlias = Outcome | Ignored | Literal["begun", "seen_before"]
CLOCK_SLACK_US: Final = 5 * 60 * 1_000_000
MAX_LOG_BYTES: Final = 1 << 20
TRY_AGAIN: Final = (OSError, http.client.HTTPException, CollectorBusy, NotAuthorised)
"""What may pass: an action that raises one of these is begun again, as long as the order lives."""
_FINAL: Final = frozenset(get_args(Outcome))
_MOST_IGNORED: Final = 256


class Ability(NamedTuple):
    """One kind of order that this agent can do: what does it, and the names of arguments it knows.

    ``act`` returns a few words for the log. It may be begun again after a crash, and must bear that.
    """

    act: Callable[[Order], str]
    arguments: frozenset[str] = frozenset()


class Entry(msgspec.Struct, frozen=True):
    """One line of the log; ``time`` and ``expires`` are µs UTC."""

    time: int
    id: str
    kind: str
    reason: Reason
    expires: int
    detail: str = ""

    @property
    def binds(self) -> bool:
        """The order has ended, so that the same one must not be carried out again."""
        return self.reason in _FINAL


class Answer(NamedTuple):
    """What the collector is to be told of the order ``id``."""

    id: str
    outcome: OrderOutcome


class Orders:
    """Judges orders under ``settings``, which hold site, agent, consents and the collector's key.

    ``path`` is where answers are written; ``clock`` gives µs UTC; ``able`` maps the kinds that this
    agent can do to what does them. One thread at a time.
    """

    def __init__(
        self,
        settings: Settings,
        path: Path,
        clock: Callable[[], int],
        able: Mapping[str, Ability] | None = None,
    ) -> None:
        self._site, self._agent = settings.site, settings.agent
        key = bytes.fromhex(settings.orders_key or "")
        self._key = Ed25519PublicKey.from_public_bytes(key) if key else None
        self._consents, self._able = frozenset(settings.consents), dict(able or {})
        self._path, self._clock = path, clock
        self._torn = self._remembers = False
        self._ended: dict[str, Entry] = {}
        self._begun: set[str] = set()
        self._ignored: set[bytes] = set()

    def receive(self, sealed: SealedOrder) -> Answer | None:
        """Carry an order out, or not: what the collector is to be told, ``None`` if nothing.

        Raises one of `TRY_AGAIN` where what failed may pass; anything else that an action raises is
        the outcome ``failed``.
        """
        self._remember()
        head, reason = self._judge(sealed)
        if head is None or reason in get_args(Ignored):
            self._ignore(sealed, head, reason)
            return None
        if reason == "seen_before":
            return self._answer(self._ended[head.id])
        if reason == "begun":
            return self._carry_out(head, decode_json(sealed.body, Order))
        return self._end(head, reason)

    def _remember(self) -> None:
        """Know what has ended already. A log that cannot be read keeps orders waiting, and nothing else."""
        if not self._remembers:
            self._ended = {entry.id: entry for entry in self._entries() if entry.binds}
            self._remembers = True

    def _judge(self, sealed: SealedOrder) -> tuple[OrderHead | None, Reason]:
        if not self._signed(sealed):
            return None, "bad_signature" if self._key else "no_key"
        try:
            head = decode_json(sealed.body, OrderHead)
        except msgspec.MsgspecError:
            return None, "malformed"
        if (head.site, head.agent) != (self._site, self._agent):
            return head, "another_agent"
        if head.id in self._ended:
            return head, "seen_before"
        if not _in_its_time(head, self._clock()):
            return head, "not_in_its_time"
        return head, self._allowed(head, sealed.body)

    def _allowed(self, head: OrderHead, body: bytes) -> Reason:
        if head.kind not in ORDER_KINDS:
            return "unsupported"
        try:
            order = decode_json(body, Order)
        except msgspec.MsgspecError:
            return "unknown_fields"
        if head.kind not in self._consents:
            return "no_consent"
        ability = self._able.get(head.kind)
        if ability is None:
            return "unsupported"
        return "unknown_fields" if order.arguments.keys() - ability.arguments else "begun"

    def _carry_out(self, head: OrderHead, order: Order) -> Answer | None:
        if head.id not in self._begun:
            if not self._write(head, "begun"):
                return None  # what cannot be written down is not done
            self._begun.add(head.id)
        try:
            detail = self._able[order.kind].act(order)
        except TRY_AGAIN:
            raise
        except Exception as error:
            log.exception("order failed", extra={"order": order.id})
            return self._end(head, "failed", type(error).__name__)
        return self._end(head, "carried_out", detail)

    def _end(self, head: OrderHead, reason: Reason, detail: str = "") -> Answer:
        self._write(head, reason, detail)
        self._ended[head.id] = entry = self._entry(head, reason, detail)
        self._begun.discard(head.id)
        return self._answer(entry)

    @staticmethod
    def _answer(entry: Entry) -> Answer:
        # Of what was carried out, the words are the owner's: they name files of his.
        detail = entry.detail[:200] if entry.reason == "failed" else ""
        return Answer(
            entry.id, msgspec.convert({"outcome": entry.reason, "detail": detail}, OrderOutcome)
        )

    def _ignore(self, sealed: SealedOrder, head: OrderHead | None, reason: Reason) -> None:
        """Write it down once: it comes with every reply until it runs out."""
        mark = hashlib.sha256(sealed.signed_bytes + sealed.signature + reason.encode()).digest()
        if mark in self._ignored:
            return
        if len(self._ignored) >= _MOST_IGNORED:
            self._ignored.clear()
        self._ignored.add(mark)
        self._write(head or OrderHead("unknown", "unknown", "", "", 0, 0), reason)

    def _signed(self, sealed: SealedOrder) -> bool:
        if self._key is None or len(sealed.body) > MAX_BODY_BYTES:
            return False
        try:
            self._key.verify(sealed.signature, sealed.signed_bytes)
        except InvalidSignature:
            return False
        return True

    def _entry(self, head: OrderHead, reason: Reason, detail: str = "") -> Entry:
        return Entry(self._clock(), head.id, head.kind, reason, head.expires, detail)

    def _write(self, head: OrderHead, reason: Reason, detail: str = "") -> bool:
        entry, lines = self._entry(head, reason, detail), b""
        self._ended = {k: old for k, old in self._ended.items() if old.expires > entry.time}
        try:
            if self._path.exists() and self._path.stat().st_size > MAX_LOG_BYTES:
                # What still binds goes along, so that filling the log does not make us forget.
                lines = b"".join(msgspec.json.encode(old) + b"\n" for old in self._ended.values())
                self._path.chmod(0o600)  # an earlier release let the umask decide
                self._path.replace(self._former)
                self._torn = False
            elif self._torn:  # what comes now is no part of a line that was cut short
                lines = b"\n"
            self._torn = True
            with open_private(self._path) as file:
                file.write(lines + msgspec.json.encode(entry) + b"\n")
            self._torn = False
        except OSError:
            return False
        return True

    @property
    def _former(self) -> Path:
        return self._path.with_suffix(".log.1")

    def _entries(self) -> list[Entry]:
        entries = []
        # The disk may have been full just when what binds was to go from one file to the other.
        for path in (self._former, self._path):
            content = path.read_bytes() if path.exists() else b""
            self._torn = not content.endswith(b"\n") and bool(content)
            for line in content.splitlines():
                try:
                    entries.append(msgspec.json.decode(line, type=Entry))
                except msgspec.MsgspecError:
                    continue  # cut short by a power failure, or a full disk
        return entries


def _in_its_time(head: OrderHead, now: int) -> bool:
    lives = 0 < head.expires - head.issued <= LONGEST_LIFE_US
    return lives and head.issued <= now + CLOCK_SLACK_US and now < head.expires

"""What the collector asks for, and whether the agent does it. Every answer is written down.

An order is carried out only if it is for this agent, signed by the key learnt on joining, in its
time, not seen before, consented to by the site, and of a kind that this agent can do; it is refused
for the first of these that fails. ``orders.log`` in the state folder holds a JSON line for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dijkwacht_agent.settings import Settings, open_private
from dijkwacht_records.replies import Order, OrderKind

Reason = Literal[
    "carried_out",
    "another_agent",
    "no_key",
    "bad_signature",
    "not_in_its_time",
    "seen_before",
    "no_consent",
    "unsupported",
    "not_logged",
]
LONGEST_LIFE_US: Final = 7 * 24 * 3600 * 1_000_000
CLOCK_SLACK_US: Final = 5 * 60 * 1_000_000
MAX_LOG_BYTES: Final = 1 << 20


class Entry(msgspec.Struct, frozen=True):
    """One line of the log; ``time`` and ``expires`` are µs UTC."""

    time: int
    id: str
    kind: OrderKind
    reason: Reason
    expires: int

    @property
    def binds(self) -> bool:
        """The order was genuine, so that the same one must not come again."""
        return self.reason in {"carried_out", "no_consent", "unsupported"}


class Orders:
    """Judges orders under ``settings``, which hold site, agent, consents and the collector's key.

    ``log`` is where answers are written; ``clock`` gives µs UTC; ``able`` maps the kinds that this
    agent can do to what does them.
    """

    def __init__(
        self,
        settings: Settings,
        log: Path,
        clock: Callable[[], int],
        able: Mapping[OrderKind, Callable[[Order], None]] | None = None,
    ) -> None:
        self._site, self._agent = settings.site, settings.agent
        key = bytes.fromhex(settings.orders_key or "")
        self._key = Ed25519PublicKey.from_public_bytes(key) if key else None
        self._consents, self._able = frozenset(settings.consents), dict(able or {})
        self._log, self._clock = log, clock
        self._seen = {entry.id: entry.expires for entry in self._entries() if entry.binds}

    def receive(self, order: Order) -> Reason:
        """Carry ``order`` out, or not; why is returned and logged."""
        now = self._clock()
        reason = self._judge(order, now)
        entry = Entry(now, order.id[:64], order.kind, reason, order.expires)
        if entry.binds:
            self._seen[entry.id] = order.expires
        try:
            self._write(entry, now)
        except OSError:
            return "not_logged"  # what cannot be written down is not done
        if reason == "carried_out":
            self._able[order.kind](order)
        return reason

    def _judge(self, order: Order, now: int) -> Reason:
        if (order.site, order.agent) != (self._site, self._agent):
            return "another_agent"
        if not self._signed(order):
            return "bad_signature" if self._key else "no_key"
        if not _in_its_time(order, now):
            return "not_in_its_time"
        if order.id[:64] in self._seen:
            return "seen_before"
        if order.kind not in self._consents:
            return "no_consent"
        return "carried_out" if order.kind in self._able else "unsupported"

    def _signed(self, order: Order) -> bool:
        if self._key is None:
            return False
        try:
            self._key.verify(order.signature, order.signed_bytes())
        except InvalidSignature:
            return False
        return True

    def _write(self, entry: Entry, now: int) -> None:
        lines = b""
        if self._log.exists() and self._log.stat().st_size > MAX_LOG_BYTES:
            # What still binds goes along, so that filling the log does not make us forget.
            old = [kept for kept in self._entries() if kept.binds and kept.expires > now]
            lines = b"".join(msgspec.json.encode(kept) + b"\n" for kept in old)
            self._log.chmod(0o600)  # an earlier release let the umask decide
            self._log.replace(self._log.with_suffix(".log.1"))
        self._seen = {order: expires for order, expires in self._seen.items() if expires > now}
        with open_private(self._log) as file:
            file.write(lines + msgspec.json.encode(entry) + b"\n")

    def _entries(self) -> list[Entry]:
        entries = []
        if self._log.exists():
            for line in self._log.read_bytes().splitlines():
                try:
                    entries.append(msgspec.json.decode(line, type=Entry))
                except msgspec.MsgspecError:
                    continue  # cut short by a power failure
        return entries


def _in_its_time(order: Order, now: int) -> bool:
    lives = 0 < order.expires - order.issued <= LONGEST_LIFE_US
    return lives and order.issued <= now + CLOCK_SLACK_US and now < order.expires

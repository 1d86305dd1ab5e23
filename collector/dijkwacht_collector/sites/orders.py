"""Orders for agents: which wait, how each ended, and what was uploaded for it.

An order waits until its agent has said how it ended, or it runs out. Every method blocks.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Final, NamedTuple

import msgspec

from dijkwacht_collector.sites.speaker import Speaker
from dijkwacht_records.errors import RejectedBatch, TooLarge
from dijkwacht_records.orders import LONGEST_LIFE_US, MAX_BODY_BYTES, Order, OrderKind, OrderOutcome

MOST_OPEN: Final = 32
"""Orders that may wait for one agent."""
KEPT_US: Final = 90 * 24 * 3600 * 1_000_000
"""How long an order, and what was uploaded for it, is kept after it ran out."""
UPLOAD_BYTES: Final[dict[str, int]] = {"diagnostics": 256 * 1024}
"""Kinds that ask for an upload → its most bytes."""
SITE_UPLOAD_BYTES: Final = 16 * 1024 * 1024
"""Most bytes of uploads that are kept of one site."""
_COLUMNS: Final = "id, site, agent, kind, issued, expires, outcome, detail, answered, file, size"


class OrderRow(NamedTuple):
    """An order; times are µs UTC. Without an ``outcome`` it waits, or has run out."""

    id: str
    site: str
    agent: str
    kind: str
    issued: int
    expires: int
    outcome: str | None
    detail: str
    answered: int | None
    file: str | None
    size: int


class OrderTable:
    """The table of orders; ``use`` opens a transaction."""

    def __init__(self, use: Callable[[], AbstractContextManager[sqlite3.Connection]]) -> None:
        self._use = use

    def add(
        self,
        to: Speaker,
        kind: OrderKind,
        issued: int,
        expires: int,
        arguments: Mapping[str, str] = {},
    ) -> str:
        """Let an order wait for an agent that has a token; its id. Raises ``ValueError``."""
        if not 0 < expires - issued <= LONGEST_LIFE_US:
            raise ValueError("an order lives for more than 0 hours and at most 168")
        text = msgspec.json.encode(arguments)
        if len(text) > MAX_BODY_BYTES // 2:
            raise ValueError("the order's arguments are too long")
        name = secrets.token_hex(8)
        with self._use() as database:
            known = database.execute(
                "SELECT 1 FROM credentials WHERE site = ? AND agent = ? AND revoked IS NULL", to
            )
            if known.fetchone() is None:
                raise ValueError(f"site {to.site!r} has no agent {to.agent!r} with a token")
            [(waiting,)] = database.execute(
                "SELECT count(*) FROM orders"
                " WHERE site = ? AND agent = ? AND outcome IS NULL AND expires > ?",
                (*to, issued),
            )
            if waiting >= MOST_OPEN:
                raise ValueError(f"{MOST_OPEN} orders wait for this agent already")
            database.execute(
                "INSERT INTO orders (id, site, agent, kind, issued, expires, arguments)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (name, *to, kind, issued, expires, text.decode()),
            )
        return name

    def waiting(self, now: int) -> list[Order]:
        """Every order that waits for a good agent, the oldest first."""
        with self._use() as database:
            rows = database.execute(
                "SELECT id, kind, site, agent, issued, expires, arguments FROM orders"
                " WHERE outcome IS NULL AND expires > ? ORDER BY issued, id",
                (now,),
            ).fetchall()
        return [
            Order(name, kind, site, agent, issued, expires, msgspec.json.decode(text))
            for name, kind, site, agent, issued, expires, text in rows
        ]

    def end(self, by: Speaker, name: str, said: OrderOutcome, now: int) -> None:
        """Its agent says how an order ended; the first word stays. Raises `RejectedBatch`."""
        with self._use() as database:
            _own(database, by, name)
            database.execute(
                "UPDATE orders SET outcome = ?, detail = ?, answered = ?"
                " WHERE id = ? AND outcome IS NULL",
                (said.outcome, said.detail, now, name),
            )

    def may_upload(self, by: Speaker, name: str, now: int) -> int:
        """How many bytes an agent may upload for an order. Raises `RejectedBatch`, `TooLarge`."""
        with self._use() as database:
            return _room(database, by, name, now)

    def note_upload(self, by: Speaker, name: str, now: int, file: str, size: int) -> None:
        """``size`` bytes for an order are in ``file``. Raises as `may_upload`."""
        with self._use() as database:
            if size > _room(database, by, name, now):
                raise TooLarge("more bytes than may be uploaded for this order")
            database.execute(
                "UPDATE orders SET file = ?, size = ? WHERE id = ?", (file, size, name)
            )

    def of(self, site: str) -> list[OrderRow]:
        """All orders of a site, the latest first. Raises ``ValueError`` for a site that is none."""
        with self._use() as database:
            if database.execute("SELECT 1 FROM sites WHERE name = ?", (site,)).fetchone() is None:
                raise ValueError(f"{site!r}: there is no site of this name")
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM orders WHERE site = ? ORDER BY issued DESC, id",  # noqa: S608  # names of ours
                (site,),
            )
            return [OrderRow(*row) for row in rows]

    def forget(self, now: int) -> list[str]:
        """Delete what ran out long ago; the files that were uploaded for it."""
        with self._use() as database:
            rows: Iterable[tuple[str | None]] = database.execute(
                "DELETE FROM orders WHERE expires < ? RETURNING file", (now - KEPT_US,)
            ).fetchall()
        return [file for (file,) in rows if file is not None]


def _own(database: sqlite3.Connection, by: Speaker, name: str) -> tuple[str, int, str | None, int]:
    """(kind, expires, outcome, size of the upload) of an order of this agent and no other."""
    row: tuple[str, int, str | None, int] | None = database.execute(
        "SELECT kind, expires, outcome, size FROM orders WHERE id = ? AND site = ? AND agent = ?",
        (name, *by),
    ).fetchone()
    if row is None:
        raise RejectedBatch("this agent has no order of this name")
    return row


def _room(database: sqlite3.Connection, by: Speaker, name: str, now: int) -> int:
    kind, expires, outcome, before = _own(database, by, name)
    if kind not in UPLOAD_BYTES:
        raise RejectedBatch("this order asks for no upload")
    if outcome is not None or expires <= now:
        raise RejectedBatch("this order has ended")
    [(held,)] = database.execute("SELECT sum(size) FROM orders WHERE site = ?", (by.site,))
    room = min(UPLOAD_BYTES[kind], SITE_UPLOAD_BYTES - (int(held) - before))
    if room <= 0:
        raise TooLarge("the uploads of this site take all the room that they may")
    return room

"""Sealed keys on their way from one agent of a site to another: one a site, for an hour.

What is kept cannot be opened here. Every method blocks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager

from dijkwacht_records.pairing import LIFE_US, MOST_TRIES, Pairing, PairingState


class PairingTable:
    """The table of them; ``use`` opens a transaction."""

    def __init__(self, use: Callable[[], AbstractContextManager[sqlite3.Connection]]) -> None:
        self._use = use

    def put(self, site: str, sealed: bytes, now: int) -> None:
        """Keep ``sealed`` for ``site``, in place of what was there."""
        with self._use() as database:
            database.execute(
                "INSERT OR REPLACE INTO pairings (site, sealed, expires, tries, state)"
                " VALUES (?, ?, ?, 0, 'waiting')",
                (site, sealed, now + LIFE_US),
            )

    def take(self, site: str, now: int) -> Pairing:
        """What waits for ``site``, handed out at most `MOST_TRIES` times; else why nothing does."""
        self.forget(now)
        with self._use() as database:
            row = database.execute(
                "SELECT state, sealed, tries FROM pairings WHERE site = ?", (site,)
            ).fetchone()
            if row is None:
                return Pairing("none")
            state, sealed, tries = row
            if state != "waiting":
                return Pairing(state)
            if tries + 1 >= MOST_TRIES:
                _end(database, "tried_out", "site = ?", site)
            else:
                database.execute("UPDATE pairings SET tries = tries + 1 WHERE site = ?", (site,))
            return Pairing("waiting", sealed, MOST_TRIES - tries - 1)

    def end(self, site: str) -> None:
        """It was opened: nothing of it is kept."""
        with self._use() as database:
            _end(database, "taken", "site = ?", site)

    def forget(self, now: int) -> None:
        """Delete the bytes of what nobody took in time."""
        with self._use() as database:
            _end(database, "expired", "state = 'waiting' AND expires <= ?", now)


def _end(database: sqlite3.Connection, state: PairingState, which: str, value: str | int) -> None:
    database.execute(
        f"UPDATE pairings SET state = ?, sealed = NULL WHERE {which}",  # noqa: S608  # texts of ours
        (state, value),
    )

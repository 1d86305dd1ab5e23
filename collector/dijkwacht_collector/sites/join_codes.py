"""Join codes: made, spent, and what is kept of them. Every function blocks.

Of the secret lies here its SHA-256, by which a code that came whole is found, and what it is stretched
to, by which the proof of an agent is checked that has the code and shows it to nobody. Who can read
this file could join with a code that waits; he could as well write himself a token.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from typing import Final, NamedTuple

from dijkwacht_records.enrolment import CodeKeys, stretch
from dijkwacht_records.errors import NotAuthorised
from dijkwacht_records.joincode import LONG_SECRET_BYTES, SECRET_BYTES, make_code

JOIN_CODE_LIFE_US: Final = 24 * 3600 * 1_000_000
_REFUSED: Final = "this join code is unknown, used, or older than 24 hours"


class WaitingCode(NamedTuple):
    """A code that may be used, and what its secret was stretched to."""

    site: str
    keys: CodeKeys


def new_code(url: str, *, long: bool = False) -> tuple[str, bytes]:
    """A code for the collector at ``url``, and its secret. Raises ``ValueError``."""
    secret = secrets.token_bytes(LONG_SECRET_BYTES if long else SECRET_BYTES)
    return make_code(url, secret), secret


def keep_code(database: sqlite3.Connection, site: str, secret: bytes, now: int) -> None:
    """Keep a code for 24 h. Raises ``ValueError``."""
    if database.execute("SELECT 1 FROM sites WHERE name = ?", (site,)).fetchone() is None:
        raise ValueError(f"{site!r}: there is no site of this name")
    database.execute(
        "INSERT INTO join_codes (hash, site, expires, id, agent_key, collector_key)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            hashlib.sha256(secret).digest(),
            site,
            now + JOIN_CODE_LIFE_US,
            *(stretch(secret) if len(secret) == SECRET_BYTES else (None, None, None)),
        ),
    )


def spend_whole(database: sqlite3.Connection, secret: bytes, now: int) -> str:
    """Use a code that came whole, once: its site. Raises `NotAuthorised`."""
    rows = database.execute(
        "UPDATE join_codes SET used = ?1 WHERE hash = ?2 AND used IS NULL AND expires > ?1"
        " RETURNING site",
        (now, hashlib.sha256(secret).digest()),
    ).fetchall()
    if not rows:
        raise NotAuthorised(_REFUSED)
    return str(rows[0][0])


def find_code(database: sqlite3.Connection, name: bytes, now: int) -> WaitingCode:
    """The code of this name, used or not. Raises `NotAuthorised`."""
    row = database.execute(
        "SELECT site, id, agent_key, collector_key FROM join_codes WHERE id = ? AND expires > ?",
        (name, now),
    ).fetchone()
    if row is None:
        raise NotAuthorised(_REFUSED)
    return WaitingCode(row[0], CodeKeys(*row[1:]))


def spend_for(database: sqlite3.Connection, name: bytes, key: bytes, now: int) -> str | None:
    """Use a code for whoever has ``key``: another may not, the same may again until it had the answer.

    Who shows the certificate that was given had it; and who was revoked does not come back by the same code.

    The serial number of the certificate that was given for it before. Raises `NotAuthorised`.
    """
    rows = database.execute(
        "UPDATE join_codes SET used = coalesce(used, ?1), bound = ?2 WHERE id = ?3 AND expires > ?1"
        " AND (used IS NULL OR bound = ?2 AND EXISTS (SELECT 1 FROM certificates c"
        " WHERE c.serial = join_codes.serial AND c.used IS NULL AND c.revoked IS NULL))"
        " RETURNING serial",
        (now, key, name),
    ).fetchall()
    if not rows:
        raise NotAuthorised(_REFUSED)
    return rows[0][0]  # type: ignore[no-any-return]  # text, or NULL


def note_serial(database: sqlite3.Connection, name: bytes, serial: str) -> None:
    """This certificate was given for the code."""
    database.execute("UPDATE join_codes SET serial = ? WHERE id = ?", (serial, name))


def forget_codes(database: sqlite3.Connection, now: int) -> None:
    """Forget what codes were stretched to that are too old."""
    database.execute(
        "UPDATE join_codes SET id = NULL, agent_key = NULL, collector_key = NULL"
        " WHERE expires <= ? AND id IS NOT NULL",
        (now,),
    )


def names_of_codes(database: sqlite3.Connection) -> frozenset[bytes]:
    """The name of every code that may still be used by somebody; it may be too old."""
    rows = database.execute("SELECT id FROM join_codes WHERE id IS NOT NULL")
    return frozenset(name for (name,) in rows)

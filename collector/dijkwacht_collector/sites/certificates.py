"""The certificates that were given to agents: whose each is, and which are good. Every function blocks.

A renewed certificate takes the place of those before it once it has been used, and not earlier: an
answer that was lost leaves its agent with the one that it has. Nothing is forgotten because of what
time it is: a collector may wake with a wrong clock.
"""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

from dijkwacht_collector.settings import DAY_US
from dijkwacht_collector.sites.speaker import Speaker
from dijkwacht_records.errors import CertificateRevoked, CertificateUnknown

RENEWABLE_US: Final = 365 * DAY_US
"""So long after it ran out a certificate may still be renewed."""


class Leaf(NamedTuple):
    """A certificate as it was made. Times are µs UTC; ``key`` is the SHA-256 of its public key."""

    serial: str
    pem: str
    issued: int
    expires: int
    key: bytes
    root: str


class CertificateRow(NamedTuple):
    """One certificate; times are µs UTC, ``used`` and ``revoked`` None for never."""

    serial: str
    site: str
    agent: str
    joined: int
    issued: int
    expires: int
    used: int | None
    revoked: int | None
    key: bytes
    root: str


def keep_certificate(
    database: sqlite3.Connection, to: Speaker, leaf: Leaf, joined: int, instead: str | None = None
) -> None:
    """Keep a certificate for an agent; ``instead`` of one that nobody has used, which is forgotten.

    It is newer than all that the agent had, also where the clock was ahead when those were made.
    """
    database.execute("DELETE FROM certificates WHERE serial = ? AND used IS NULL", (instead,))
    [(after,)] = database.execute(
        "SELECT coalesce(max(issued) + 1, 0) FROM certificates WHERE site = ? AND agent = ?", to
    )
    issued = max(leaf.issued, after)
    row = (leaf.serial, *to, joined, issued, leaf.expires, None, None, leaf.key, leaf.root)
    database.execute(f"INSERT INTO certificates VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608  # places
    database.execute("DELETE FROM removed_agents WHERE site = ? AND agent = ?", to)


def forget_unused(database: sqlite3.Connection, of: Speaker, but: str) -> None:
    """Forget renewals of an agent whose answer was lost: it comes with the certificate ``but``."""
    database.execute(
        "DELETE FROM certificates WHERE site = ? AND agent = ? AND used IS NULL AND serial != ?",
        (*of, but),
    )


def ensure_renewable(database: sqlite3.Connection, serial: str) -> None:
    """Look once more, where it is written: another process revokes, and we hear of it a moment later.

    Raises `CertificateRevoked`, `CertificateUnknown`.
    """
    row = database.execute(
        "SELECT revoked FROM certificates WHERE serial = ?", (serial,)
    ).fetchone()
    if row is None:
        raise CertificateUnknown("this certificate is not kept, or a newer one is in use")
    if row[0] is not None:
        raise CertificateRevoked("this certificate was revoked")


def read_certificates(database: sqlite3.Connection) -> list[CertificateRow]:
    """All of them, the oldest first."""
    rows = database.execute("SELECT * FROM certificates ORDER BY issued, serial")
    return [CertificateRow(*row) for row in rows]


def note_used(database: sqlite3.Connection, used: dict[str, int]) -> None:
    """Serial number → when it was used first. What its agent had before, tokens too, ends with that."""
    database.executemany(
        "UPDATE certificates SET used = ? WHERE serial = ? AND used IS NULL",
        [(time, serial) for serial, time in used.items()],
    )
    database.executemany(
        "DELETE FROM certificates AS old WHERE revoked IS NULL AND EXISTS (SELECT 1 FROM certificates c"
        " WHERE c.serial = ? AND c.site = old.site AND c.agent = old.agent AND old.issued < c.issued)",
        [(serial,) for serial in used],
    )
    database.executemany(
        "UPDATE tokens SET revoked = ?1 WHERE revoked IS NULL AND EXISTS (SELECT 1 FROM certificates c"
        " WHERE c.serial = ?2 AND c.site = tokens.site AND c.agent = tokens.agent"
        " AND tokens.created <= c.joined)",
        [(time, serial) for serial, time in used.items()],
    )


def superseded(rows: list[CertificateRow]) -> frozenset[str]:
    """Serial numbers of those whose agent has used a newer one."""
    newest: dict[tuple[str, str], int] = {}
    for row in rows:
        if row.used is not None:
            newest[row.site, row.agent] = row.issued
    return frozenset(r.serial for r in rows if r.issued < newest.get((r.site, r.agent), 0))


def needing(rows: list[CertificateRow], root: str, now: int) -> list[Speaker]:
    """Agents whose certificate is of ``root`` and good, or may be renewed: they know no other yet."""
    over = superseded(rows)
    found = {
        Speaker(row.site, row.agent)
        for row in rows
        if row.root == root
        and row.revoked is None
        and row.serial not in over
        and row.expires + RENEWABLE_US > now
    }
    return sorted(found)

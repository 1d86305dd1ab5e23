"""Who may send: sites, their agents, tokens, certificates and join codes.

SQLite, one small file. Tokens lie in it as SHA-256 only: they are 256 random bits, so a slow hash
would add nothing; what lies there of join codes is said in `join_codes`. Every method blocks; the event
loop calls them in a thread.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from dijkwacht_collector.database import connect
from dijkwacht_collector.sites.agents import (
    AgentRow,
    note_agents,
    note_copies,
    read_agents,
    remove_agent,
    revoke,
)
from dijkwacht_collector.sites.certificates import (
    CertificateRow,
    Leaf,
    ensure_renewable,
    forget_unused,
    keep_certificate,
    note_used,
    read_certificates,
)
from dijkwacht_collector.sites.choices import ChoiceTable
from dijkwacht_collector.sites.join_codes import (
    JOIN_CODE_LIFE_US,
    WaitingCode,
    find_code,
    forget_codes,
    keep_code,
    names_of_codes,
    new_code,
    note_serial,
    spend_for,
    spend_whole,
)
from dijkwacht_collector.sites.orders import OrderTable
from dijkwacht_collector.sites.pairings import PairingTable
from dijkwacht_collector.sites.speaker import Speaker
from dijkwacht_records.errors import NotAuthorised
from dijkwacht_records.joincode import read_code
from dijkwacht_records.wire import NAME

__all__ = ["JOIN_CODE_LIFE_US", "SiteRow", "Sites", "digest"]

_MIGRATIONS: Final = (
    """
    CREATE TABLE sites (name TEXT PRIMARY KEY, created INTEGER NOT NULL) STRICT;
    CREATE TABLE tokens (
        hash BLOB PRIMARY KEY, site TEXT NOT NULL REFERENCES sites, agent TEXT NOT NULL,
        created INTEGER NOT NULL, revoked INTEGER) STRICT;
    CREATE TABLE join_codes (
        hash BLOB PRIMARY KEY, site TEXT NOT NULL REFERENCES sites,
        expires INTEGER NOT NULL, used INTEGER) STRICT;
    CREATE TABLE agents (
        site TEXT NOT NULL, agent TEXT NOT NULL, first_seen INTEGER NOT NULL,
        last_seen INTEGER NOT NULL, PRIMARY KEY (site, agent)) STRICT, WITHOUT ROWID;
    CREATE TABLE orders (
        id TEXT PRIMARY KEY, site TEXT NOT NULL, agent TEXT NOT NULL, kind TEXT NOT NULL,
        issued INTEGER NOT NULL, expires INTEGER NOT NULL, arguments TEXT NOT NULL,
        delivered INTEGER) STRICT;
    CREATE INDEX orders_waiting ON orders (site, agent) WHERE delivered IS NULL;
    """,
    """
    ALTER TABLE orders ADD COLUMN outcome TEXT;
    ALTER TABLE orders ADD COLUMN detail TEXT NOT NULL DEFAULT '';
    ALTER TABLE orders ADD COLUMN answered INTEGER;
    ALTER TABLE orders ADD COLUMN file TEXT;
    ALTER TABLE orders ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
    DROP INDEX orders_waiting;
    CREATE INDEX orders_open ON orders (site, agent) WHERE outcome IS NULL;
    CREATE TABLE removed_agents (
        site TEXT NOT NULL, agent TEXT NOT NULL, removed INTEGER NOT NULL,
        PRIMARY KEY (site, agent)) STRICT, WITHOUT ROWID;
    CREATE TABLE pairings (
        site TEXT PRIMARY KEY REFERENCES sites, sealed BLOB, expires INTEGER NOT NULL,
        tries INTEGER NOT NULL, state TEXT NOT NULL) STRICT;
    """,
    """
    CREATE TABLE choices (
        id INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT NOT NULL, kind TEXT NOT NULL,
        body BLOB NOT NULL, by TEXT NOT NULL, time INTEGER NOT NULL, position INTEGER) STRICT;
    CREATE INDEX choices_waiting ON choices (id) WHERE position IS NULL;
    """,
    "ALTER TABLE agents ADD COLUMN copies INTEGER NOT NULL DEFAULT 0",
    """
    ALTER TABLE join_codes ADD COLUMN id BLOB;
    ALTER TABLE join_codes ADD COLUMN agent_key BLOB;
    ALTER TABLE join_codes ADD COLUMN collector_key BLOB;
    ALTER TABLE join_codes ADD COLUMN bound BLOB;
    ALTER TABLE join_codes ADD COLUMN serial TEXT;
    CREATE UNIQUE INDEX join_codes_by_id ON join_codes (id);
    CREATE TABLE certificates (
        serial TEXT PRIMARY KEY, site TEXT NOT NULL REFERENCES sites, agent TEXT NOT NULL,
        joined INTEGER NOT NULL, issued INTEGER NOT NULL, expires INTEGER NOT NULL, used INTEGER,
        revoked INTEGER, key BLOB NOT NULL, root TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX certificates_of ON certificates (site, agent);
    CREATE VIEW credentials AS
        SELECT site, agent, created AS joined, revoked FROM tokens
        UNION ALL SELECT site, agent, joined, revoked FROM certificates;
    """,
)
_REMEDY: Final = "restore it from a copy, or move it away and let every agent join again"


class SiteRow(NamedTuple):
    """A site; times are µs UTC by the collector's clock."""

    name: str
    created: int


def digest(secret: str | bytes) -> bytes:
    """How a secret lies on disk."""
    return hashlib.sha256(
        secret.encode("utf-8", "surrogateescape") if isinstance(secret, str) else secret
    ).digest()


class Sites:
    """The table of sites in the file ``path``. The constructor is inert."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self.orders: Final = OrderTable(self._use)
        self.pairings: Final = PairingTable(self._use)
        self.choices: Final = ChoiceTable(self._use)

    def open(self) -> None:
        """Open the file, making or upgrading it. Raises `DijkwachtError`, ``OSError``."""
        self._database = connect(self._path, _MIGRATIONS, _REMEDY)

    def close(self) -> None:
        """Close the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def version(self) -> int:
        """Changes when another process has written to the file."""
        with self._use() as database:
            return int(database.execute("PRAGMA data_version").fetchone()[0])

    def add(self, name: str, now: int) -> None:
        """A new site. Raises ``ValueError`` for a name that is none, or is taken."""
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r}: a site is named by a-z, 0-9 and dashes, at most 63")
        with self._use() as database:
            try:
                database.execute("INSERT INTO sites VALUES (?, ?)", (name, now))
            except sqlite3.IntegrityError:
                raise ValueError(
                    f"{name!r}: there is a site of this name; a code for one more agent: site code {name}"
                ) from None

    def sites(self) -> list[SiteRow]:
        """All sites by name."""
        with self._use() as database:
            return [SiteRow(*row) for row in database.execute("SELECT * FROM sites ORDER BY name")]

    def agents(self) -> list[AgentRow]:
        """All agents that joined or have sent something, by site and name."""
        with self._use() as database:
            return read_agents(database)

    def note_agents(self, seen: Mapping[tuple[str, str], int]) -> None:
        """(site, agent) → when something last came from it; of a site at most `MOST_AGENTS`."""
        with self._use() as database:
            note_agents(database, seen)

    def note_copies(self, copied: Mapping[tuple[str, str], int]) -> None:
        """(site, agent) → machines besides one that use its identity; of all others there is one."""
        with self._use() as database:
            note_copies(database, copied)

    def remove_agent(self, site: str, agent: str, now: int) -> bool:
        """An agent is gone: its tokens are refused, and nobody waits for it. Was there one?"""
        with self._use() as database:
            return remove_agent(database, site, agent, now)

    def make_join_code(self, site: str, url: str, now: int, *, long: bool = False) -> str:
        """A code for one agent of ``site``, good once within 24 h. Raises ``ValueError``.

        ``long``: of the first form, as agents of before this one read it.
        """
        code, secret = new_code(url, long=long)
        with self._use() as database:
            keep_code(database, site, secret, now)
        return code

    def unused_codes(self) -> frozenset[bytes]:
        """Hash of every join code that was not used; it may be too old."""
        with self._use() as database:
            rows = database.execute("SELECT hash FROM join_codes WHERE used IS NULL")
            return frozenset(held for (held,) in rows)

    def names_of_codes(self) -> frozenset[bytes]:
        """As `join_codes.names_of_codes`."""
        with self._use() as database:
            return names_of_codes(database)

    def forget_codes(self, now: int) -> None:
        """As `join_codes.forget_codes`."""
        with self._use() as database:
            forget_codes(database, now)

    def join(self, code: str, agent: str, now: int) -> tuple[str, str]:
        """Trade a join code for (site, token). Raises `NotAuthorised`."""
        try:
            _, secret = read_code(code)
        except ValueError as error:
            raise NotAuthorised(str(error)) from None
        with self._use() as database:
            site = spend_whole(database, secret, now)
            # In one transaction: a full disk must not take the code and give no token.
            return site, _make_token(database, Speaker(site, agent), now)

    def find_code(self, name: bytes, now: int) -> WaitingCode:
        """As `join_codes.find_code`."""
        with self._use() as database:
            return find_code(database, name, now)

    def trade_for_token(self, name: bytes, agent: str, now: int) -> str:
        """A token for the code of this name, once. Raises `NotAuthorised`."""
        with self._use() as database:
            site = find_code(database, name, now).site
            spend_for(database, name, b"", now)
            return _make_token(database, Speaker(site, agent), now)

    def trade_for_certificate(self, name: bytes, to: Speaker, leaf: Leaf) -> None:
        """Use the code of this name for an agent that gets ``leaf``. Raises `NotAuthorised`.

        The same key may come again, with another name of its agent even: its answer may have been lost.
        """
        with self._use() as database:
            before = spend_for(database, name, leaf.key, leaf.issued)
            keep_certificate(database, to, leaf, leaf.issued, before)
            note_serial(database, name, leaf.serial)

    def renew_certificate(self, of: CertificateRow, leaf: Leaf) -> None:
        """Keep ``leaf``, which was made for the agent that showed the certificate ``of``.

        Raises as `certificates.ensure_renewable`.
        """
        to = Speaker(of.site, of.agent)
        with self._use() as database:
            forget_unused(database, to, of.serial)
            ensure_renewable(database, of.serial)
            keep_certificate(database, to, leaf, of.joined)

    def certificates(self) -> list[CertificateRow]:
        """All that were given to agents and not forgotten, the oldest first."""
        with self._use() as database:
            return read_certificates(database)

    def note_used(self, used: dict[str, int]) -> None:
        """Serial number of a certificate → when it was used first, µs UTC."""
        with self._use() as database:
            note_used(database, used)

    def make_token(self, site: str, agent: str, now: int) -> str:
        """A new token for an agent of ``site``; only its hash is kept."""
        with self._use() as database:
            return _make_token(database, Speaker(site, agent), now)

    def give_certificate(self, to: Speaker, leaf: Leaf) -> None:
        """Keep a certificate for an agent that did not join by a code."""
        with self._use() as database:
            keep_certificate(database, to, leaf, leaf.issued)

    def revoke(self, site: str, agent: str, now: int) -> int:
        """Revoke the tokens and certificates of an agent; how many there were."""
        with self._use() as database:
            return revoke(database, Speaker(site, agent), now)

    def revoked_tokens(self) -> frozenset[bytes]:
        """Hash of every token that was revoked."""
        with self._use() as database:
            rows = database.execute("SELECT hash FROM tokens WHERE revoked IS NOT NULL")
            return frozenset(held for (held,) in rows)

    def others(self, site: str, agent: str) -> int:
        """How many agents of ``site`` have a token or certificate besides ``agent``."""
        with self._use() as database:
            [(count,)] = database.execute(
                "SELECT count(DISTINCT agent) FROM credentials"
                " WHERE site = ? AND agent != ? AND revoked IS NULL",
                (site, agent),
            )
            return int(count)

    def tokens(self) -> dict[bytes, Speaker]:
        """Hash of every token that is good → whose it is."""
        with self._use() as database:
            rows = database.execute("SELECT hash, site, agent FROM tokens WHERE revoked IS NULL")
            return {held: Speaker(site, agent) for held, site, agent in rows}

    @contextmanager
    def _use(self) -> Iterator[sqlite3.Connection]:
        assert self._database is not None, "not open"
        with self._turn, self._database:
            yield self._database


def _make_token(database: sqlite3.Connection, of: Speaker, now: int) -> str:
    token = "dw_" + secrets.token_urlsafe(32)
    database.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, NULL)", (digest(token), *of, now))
    database.execute("DELETE FROM removed_agents WHERE site = ? AND agent = ?", of)
    return token

"""The agents of sites: which joined, which were heard, which are gone. Every function blocks.

================  =========================================================================
``live``          it has a token or certificate, and was heard since it joined last
``never_heard``   it has one, and was not heard since it joined last
``revoked``       they were revoked, or it never had one (as of before tokens named agents)
``removed``       the same, and its operator says that it is gone
================  =========================================================================
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from dijkwacht_collector.sites.speaker import Speaker

Standing = Literal["live", "never_heard", "revoked", "removed"]
GONE: Final = frozenset({"revoked", "removed"})
MOST_AGENTS: Final = 256
"""Agents of one site that are remembered by what they sent."""


class AgentRow(NamedTuple):
    """One agent; times are µs UTC by the collector's clock, 0 for never.

    ``copies``: machines besides one that use its identity.
    """

    site: str
    agent: str
    first_seen: int
    last_seen: int
    joined: int
    standing: Standing
    copies: int = 0


def read_agents(database: sqlite3.Connection) -> list[AgentRow]:
    """All agents by site and name."""
    rows = database.execute(
        """
        SELECT site, agent, coalesce(first_seen, 0), coalesce(last_seen, 0), coalesce(joined, 0),
               coalesce(good, 0), removed, coalesce(copies, 0)
        FROM (SELECT site, agent FROM agents UNION SELECT site, agent FROM credentials
              UNION SELECT site, agent FROM removed_agents)
        LEFT JOIN agents USING (site, agent)
        LEFT JOIN (SELECT site, agent, max(joined) AS joined, sum(revoked IS NULL) AS good
                   FROM credentials GROUP BY site, agent) USING (site, agent)
        LEFT JOIN removed_agents USING (site, agent)
        ORDER BY site, agent
        """
    )
    found = []
    for site, agent, first, last, joined, good, removed, copies in rows:
        standing: Standing = "live" if last >= joined and last else "never_heard"
        if not good:
            standing = "revoked" if removed is None else "removed"
        found.append(AgentRow(site, agent, first, last, joined, standing, copies if good else 0))
    return found


def note_agents(database: sqlite3.Connection, seen: Mapping[tuple[str, str], int]) -> None:
    """(site, agent) → when something last came from it; of a site at most `MOST_AGENTS`."""
    rows = [(site, agent, time) for (site, agent), time in seen.items()]
    database.executemany(
        "UPDATE agents SET last_seen = max(last_seen, ?3) WHERE site = ?1 AND agent = ?2", rows
    )
    database.executemany(
        "INSERT OR IGNORE INTO agents (site, agent, first_seen, last_seen) SELECT ?1, ?2, ?3, ?3"
        " WHERE (SELECT count(*) FROM agents WHERE site = ?1) < ?4",
        [(*row, MOST_AGENTS) for row in rows],
    )


def note_copies(database: sqlite3.Connection, copied: Mapping[tuple[str, str], int]) -> None:
    """(site, agent) → machines besides one that use its identity; of all others there is one."""
    noted = {
        (site, agent): copies
        for site, agent, copies in database.execute(
            "SELECT site, agent, copies FROM agents WHERE copies > 0"
        )
    }
    changed = [(*name, 0) for name in noted.keys() - copied.keys()]
    changed += [(*name, count) for name, count in copied.items() if noted.get(name) != count]
    database.executemany("UPDATE agents SET copies = ?3 WHERE site = ?1 AND agent = ?2", changed)


def revoke(database: sqlite3.Connection, of: Speaker, now: int) -> int:
    """Revoke the tokens and certificates of an agent; how many there were."""
    return sum(
        database.execute(
            f"UPDATE {table} SET revoked = ? WHERE site = ? AND agent = ? AND revoked IS NULL",  # noqa: S608  # ours
            (now, *of),
        ).rowcount
        for table in ("tokens", "certificates")
    )


def remove_agent(database: sqlite3.Connection, site: str, agent: str, now: int) -> bool:
    """Note that an agent is gone, with what it showed and what it was asked: was there one?"""
    name = Speaker(site, agent)
    known = database.execute(
        "SELECT 1 FROM credentials WHERE site = ?1 AND agent = ?2"
        " UNION SELECT 1 FROM agents WHERE site = ?1 AND agent = ?2",
        name,
    ).fetchone()
    if known is None:
        return False
    revoke(database, name, now)
    # Who joins under this name later is another machine: it was asked nothing.
    database.execute(
        "UPDATE orders SET expires = ?3"
        " WHERE site = ?1 AND agent = ?2 AND outcome IS NULL AND expires > ?3",
        (*name, now),
    )
    database.execute("INSERT OR REPLACE INTO removed_agents VALUES (?, ?, ?)", (*name, now))
    return True

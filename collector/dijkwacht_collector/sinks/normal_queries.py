"""What sites call normal, as the store of incidents has it, and what more of it would have kept silent."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from dijkwacht_collector.incidents import (
    MOST_TRIED,
    TRIED_US,
    Exempted,
    Incident,
    Story,
    Trial,
    exempted_if_normal,
    try_normal,
)

MOST_SEEN: Final = 256
"""Findings that go with the answer to their story; of those beyond, an engine knows the open ones."""
_EXEMPTED: Final = "SELECT body FROM exemptions WHERE site = ?"
_MEANT: Final = (
    "SELECT site, body FROM incidents WHERE uid = :uid",
    "SELECT site, body FROM incidents WHERE story = :uid AND story <> '' ORDER BY start, uid LIMIT :most",
)
_LAST: Final = "SELECT max(finish) FROM incidents WHERE site = ?"
_FINDINGS: Final = (
    "SELECT body FROM incidents WHERE site = ? AND finish > ? AND finish <= ?"
    " ORDER BY finish DESC, uid LIMIT ?"
)
_STORIES: Final = "SELECT body FROM stories WHERE site = ? AND finish > ?"


def select_exempted(database: sqlite3.Connection, site: str, now: int) -> list[Exempted]:
    """What a site calls normal at ``now``, µs UTC; what was said last comes first.

    Raises ``sqlite3.Error``, ``ValueError``.
    """
    rows = database.execute(_EXEMPTED, (site,)).fetchall()
    known = [msgspec.msgpack.decode(body, type=Exempted) for (body,) in rows]
    return sorted((row for row in known if row.until > now), key=lambda r: (-r.since, r.id))


def select_trial(
    database: sqlite3.Connection, uid: str, now: int, site: str | None = None
) -> Trial | None:
    """What "this is normal", said of the incident or story ``uid``, would have kept silent; None if there is none.

    On the findings of its site in the 30 days before the last of them, or before ``now`` if that is earlier:
    a recording may be of another year. ``site``: the only one it may be of. Raises ``sqlite3.Error``, ``ValueError``.
    """
    meaning = {"uid": uid, "most": MOST_SEEN}
    meant = next((rows for q in _MEANT if (rows := database.execute(q, meaning).fetchall())), None)
    if meant is None or (site is not None and meant[0][0] != site):
        return None
    of = meant[0][0]
    exempted = exempted_if_normal(_incidents([row[1:] for row in meant]), now)
    [(last,)] = database.execute(_LAST, (of,)).fetchall()
    until = min(now, last)
    since = until - TRIED_US
    found = database.execute(_FINDINGS, (of, since, until, MOST_TRIED)).fetchall()
    stories = [
        msgspec.msgpack.decode(body, type=Story)
        for (body,) in database.execute(_STORIES, (of, since)).fetchall()
    ]
    return try_normal(exempted, _incidents(found), stories, (since, until))


def _incidents(rows: Sequence[tuple[bytes]]) -> list[Incident]:
    return [msgspec.msgpack.decode(body, type=Incident) for (body,) in rows]

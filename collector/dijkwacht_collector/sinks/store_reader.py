"""The store of incidents as another process reads it, which leaves it as it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from dijkwacht_collector.database import unusable
from dijkwacht_collector.incidents import Exempted, Trial
from dijkwacht_collector.sinks.normal_queries import select_exempted, select_trial

REMEDY: Final = "move it away, and its incidents are found again in the journal"


def read_exemptions(path: Path, site: str, now: int) -> list[Exempted]:
    """As `IncidentStore.exemptions`; nothing if there is no such file, or nothing was kept in it yet.

    Raises `DijkwachtError`.
    """
    with _reading(path, "exemptions") as database:
        return [] if database is None else select_exempted(database, site, now)


def read_trial(path: Path, site: str, uid: str, now: int) -> Trial | None:
    """As `IncidentStore.try_normal`, of an incident or story of ``site``. Raises `DijkwachtError`."""
    with _reading(path, "stories") as database:
        return None if database is None else select_trial(database, uid, now, site)


@contextmanager
def _reading(path: Path, table: str) -> Iterator[sqlite3.Connection | None]:
    """The file, if it has ``table``; what an earlier release has left may not."""
    if not path.exists():
        yield None
        return
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as database:
            query = "SELECT 1 FROM sqlite_schema WHERE name = ?"
            yield database if database.execute(query, (table,)).fetchone() else None
    except (sqlite3.Error, msgspec.MsgspecError, ValueError) as error:
        raise unusable(path, error, REMEDY) from None

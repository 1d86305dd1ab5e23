"""SQLite as this collector uses it: WAL, strict tables, one list of migrations a file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path


def connect(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    """A connection to ``path``, readable by its owner only, upgraded to the last migration.

    ``PRAGMA user_version`` counts the migrations that have run; each runs in one transaction.
    Any one thread at a time may use the connection. Raises ``sqlite3.Error``, ``OSError``.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    database = sqlite3.connect(path, timeout=10, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA foreign_keys = ON")
        _upgrade(database, migrations)
    except BaseException:
        database.close()
        raise
    return database


def _upgrade(database: sqlite3.Connection, migrations: Sequence[str]) -> None:
    version = int(database.execute("PRAGMA user_version").fetchone()[0])
    if version > len(migrations):
        raise sqlite3.DatabaseError(f"the database's version {version} is of a later release")
    for number, script in enumerate(migrations[version:], version + 1):
        database.executescript(
            f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;"
        )

"""SQLite as this collector uses it: WAL, strict tables, one list of migrations a file."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dijkwacht_records.errors import DijkwachtError

_MAY_PASS: Final = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
}
"""Errors of what is around a file, not in it."""


def connect(path: Path, migrations: Sequence[str], remedy: str) -> sqlite3.Connection:
    """A connection to ``path``, readable by its owner only, upgraded to the last migration.

    ``PRAGMA user_version`` counts the migrations that have run; each runs in one transaction.
    Any one thread at a time may use the connection. Raises ``OSError``, and `DijkwachtError` for a
    file that is damaged, with the ``remedy``, or cannot be used.
    """
    _make_private(path)
    database = sqlite3.connect(path, timeout=10, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA foreign_keys = ON")
        _upgrade(path, database, migrations)
        _check(database)
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter of sqlite3's own words
        database.close()
        raise unusable(path, error, remedy) from None
    except BaseException:
        database.close()
        raise
    return database


def _make_private(path: Path) -> None:
    """Make the file if there is none.

    One that is there is not opened: closing it would give up the locks that another connection of this
    process has on it, and the next process to leave would then delete the log that it writes to.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)) from None


def unusable(path: Path, error: Exception, remedy: str) -> DijkwachtError:
    """What is wrong with the database ``path``, as one line; with ``remedy`` unless it may pass."""
    why = " ".join(str(error).split())
    code = error.sqlite_errorcode if isinstance(error, sqlite3.OperationalError) else None
    may_pass = code is not None and code & 0xFF in _MAY_PASS
    return DijkwachtError(f"{path}: {why}" if may_pass else f"{path}: {why}; {remedy}")


def _check(database: sqlite3.Connection) -> None:
    [(found,), *_] = database.execute("PRAGMA quick_check(1)").fetchall()
    if found != "ok":
        raise sqlite3.DatabaseError(found)


def _upgrade(path: Path, database: sqlite3.Connection, migrations: Sequence[str]) -> None:
    version = int(database.execute("PRAGMA user_version").fetchone()[0])
    if version > len(migrations):
        raise DijkwachtError(f"{path}: the database's version {version} is of a later release")
    for number, script in enumerate(migrations[version:], version + 1):
        database.executescript(
            f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;"
        )

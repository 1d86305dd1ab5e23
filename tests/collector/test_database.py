"""SQLite files that several connections and processes use at once."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from dijkwacht_collector.database import connect

TABLE = "CREATE TABLE said (word TEXT) STRICT"


def elsewhere(path, statement):
    """What another process finds that opens the file, asks once and leaves."""
    script = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); print(d.execute(sys.argv[2]).fetchall()); d.close()"
    run = [sys.executable, "-c", script, str(path), statement]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()


def test_what_one_of_two_connections_writes_others_see_and_it_stays(tmp_path):
    path = tmp_path / "a.db"
    with closing(connect(path, (TABLE,), "")) as first, closing(connect(path, (TABLE,), "")):
        for number, word in enumerate(("one", "two", "three"), 1):
            with first:
                first.execute("INSERT INTO said VALUES (?)", (word,))
            assert elsewhere(path, "SELECT count(*) FROM said") == f"[({number},)]"
            assert (tmp_path / "a.db-wal").exists(), "it is in use"
    with closing(sqlite3.connect(path)) as again:
        assert len(again.execute("SELECT * FROM said").fetchall()) == 3


def test_a_new_file_is_its_owners_alone(tmp_path):
    path = tmp_path / "a.db"
    connect(path, (TABLE,), "").close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_one_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    path.touch(0)
    monkeypatch.setattr(os, "access", lambda *_: False)  # what anybody but root is told
    with pytest.raises(PermissionError, match=r"a\.db"):
        connect(path, (TABLE,), "")

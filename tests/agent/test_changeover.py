"""Who changes the state folder's files: one at a time, and nothing beside them."""

import fcntl
import os

import msgspec
import pytest

from dijkwacht_agent.changeover import AGREED_FILE, alone, finish_together, replace_together
from dijkwacht_records.errors import SettingsError


@pytest.fixture
def held(tmp_path):
    """A folder that another process, which was stopped, holds for ever."""
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    yield tmp_path
    os.close(handle)


def test_one_that_never_gets_done_is_told_of(held):
    with pytest.raises(SettingsError, match="another dijkwacht-agent"), alone(held, 0.0):
        raise AssertionError


def test_a_folder_that_was_taken_away_meanwhile_is_locked_by_nobody(tmp_path, monkeypatch):
    folder, real = tmp_path / "state", fcntl.flock
    folder.mkdir()

    def lock(handle, how):
        real(handle, how)
        monkeypatch.setattr(fcntl, "flock", real)
        folder.rmdir()
        folder.mkdir()  # by a third one

    monkeypatch.setattr(fcntl, "flock", lock)
    with alone(folder), pytest.raises(SettingsError), alone(folder, 0.0):
        raise AssertionError


@pytest.mark.parametrize("name", ["", ".", "..", "../outside", "agent.toml/", "a\0b"])
@pytest.mark.parametrize("which", ["comes", "goes"])
def test_a_name_that_leads_elsewhere_is_carried_out_by_nobody(tmp_path, name, which):
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / "agent.toml").write_text("mine")
    (folder / "agent.toml.joined").write_text("half of it")
    (tmp_path / "outside").write_text("another's")
    names = {"comes": [], "goes": []} | {which: ["agent.toml", name]}
    (folder / AGREED_FILE).write_bytes(msgspec.json.encode(names))
    finish_together(folder)
    assert {path.name for path in folder.iterdir()} == {"agent.toml"}
    assert (folder / "agent.toml").read_text() == "mine"
    assert (tmp_path / "outside").read_text() == "another's"
    replace_together(folder, {"agent.toml": b"new"}, [])
    assert (folder / "agent.toml").read_bytes() == b"new"


@pytest.mark.parametrize("said", [b"", b'{"comes":[', b'{"comes":["\xff"],"goes":[]}', b"\xff\xfe"])
def test_what_no_process_agreed_on_is_cleared_away(tmp_path, said):
    (tmp_path / AGREED_FILE).write_bytes(said)
    finish_together(tmp_path)
    assert not list(tmp_path.iterdir())

"""One place for state, whatever the current folder."""

import pwd
from pathlib import Path
from types import SimpleNamespace

import pytest

from dijkwacht_records.state_folder import AGENT, COLLECTOR, state_folder


@pytest.fixture(autouse=True)
def _somewhere(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.mark.parametrize(
    ("kind", "environment", "root", "expected"),
    [
        (AGENT, {"STATE_DIRECTORY": "/srv/a:/srv/b"}, True, "/srv/a"),
        (AGENT, {"STATE_DIRECTORY": "/srv/a"}, False, "/srv/a"),
        (AGENT, {"STATE_DIRECTORY": "a", "HOME": "/h"}, False, "/h/.local/state/dijkwacht/agent"),
        (AGENT, {"STATE_DIRECTORY": "a:/srv/b"}, True, "/srv/b"),
        (COLLECTOR, {"STATE_DIRECTORY": "a"}, True, "/var/lib/dijkwacht"),
        (AGENT, {}, True, "/var/lib/dijkwacht-agent"),
        (COLLECTOR, {}, True, "/var/lib/dijkwacht"),
        (AGENT, {"HOME": "/h"}, False, "/h/.local/state/dijkwacht/agent"),
        (COLLECTOR, {"XDG_STATE_HOME": "/s", "HOME": "/h"}, False, "/s/dijkwacht/collector"),
        (COLLECTOR, {"XDG_STATE_HOME": "s", "HOME": "/h"}, False, "/h/.local/state/dijkwacht/collector"),
    ],
)  # fmt: skip
def test_where_state_is(kind, environment, root, expected):
    found = state_folder(kind, environment, root=root)
    assert (found.path, found.former) == (Path(expected), False)


@pytest.mark.parametrize("environment", [{}, {"HOME": ""}, {"HOME": "h"}, {"HOME": "./h"}])
def test_a_home_that_depends_on_the_current_folder_is_the_user_databases(environment, monkeypatch):
    monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_dir="/home-of/jan"))
    found = state_folder(AGENT, environment, root=False)
    assert found.path == Path("/home-of/jan/.local/state/dijkwacht/agent")


@pytest.mark.parametrize("known", [{"pw_dir": ""}, {"pw_dir": "h"}, None])
def test_who_has_no_home_is_given_the_systems_place(known, tmp_path, monkeypatch):
    def look_up(_):
        if known is None:
            raise KeyError
        return SimpleNamespace(**known)

    monkeypatch.setattr(pwd, "getpwuid", look_up)
    found = state_folder(AGENT, {"HOME": "h"}, root=False, system=tmp_path)
    assert found.path == tmp_path / AGENT.system


@pytest.mark.parametrize("kind", [AGENT, COLLECTOR])
def test_state_in_use_of_an_earlier_version_is_found_here(kind, tmp_path):
    kind.formerly.mkdir(parents=True)
    assert not state_folder(kind, {}, root=True, system=tmp_path).former, "it is empty"
    (kind.formerly / kind.mark).touch()
    found = state_folder(kind, {}, root=True, system=tmp_path)
    assert (found.path, found.usual, found.former) == (kind.formerly, tmp_path / kind.system, True)
    assert not state_folder(kind, {"STATE_DIRECTORY": "/srv"}, root=True, system=tmp_path).former


def test_the_usual_place_wins_once_it_is_in_use(tmp_path):
    for folder in (AGENT.formerly, tmp_path / AGENT.system):
        folder.mkdir(parents=True)
        (folder / AGENT.mark).touch()
    assert state_folder(AGENT, {}, root=True, system=tmp_path).path == tmp_path / AGENT.system


def test_who_has_a_certificate_in_place_of_a_token_uses_the_usual_place(tmp_path):
    for folder, mark in ((AGENT.formerly, AGENT.mark), (tmp_path / AGENT.system, AGENT.or_this)):
        folder.mkdir(parents=True)
        (folder / mark).touch()
    assert state_folder(AGENT, {}, root=True, system=tmp_path).path == tmp_path / AGENT.system

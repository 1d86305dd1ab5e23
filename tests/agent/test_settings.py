import os
import stat

import pytest

from dijkwacht_agent.settings import (
    Settings,
    open_private,
    read_private,
    read_settings,
    write_private,
    write_settings,
)
from dijkwacht_records.errors import SettingsError


def test_defaults_hold_where_nothing_is_said(tmp_path):
    assert read_settings(tmp_path, {}) == Settings()


def test_flags_over_environment_over_file_over_defaults(tmp_path):
    (tmp_path / "agent.toml").write_text('interface = "a"\nagent = "a"\nsite = "a"\n')
    environment = {"DIJKWACHT_AGENT_INTERFACE": "b", "DIJKWACHT_AGENT_AGENT": "b", "HOME": "x"}
    found = read_settings(tmp_path, environment, {"interface": "c", "local": None})
    assert (found.interface, found.agent, found.site, found.heartbeat_s) == ("c", "b", "a", 10.0)


def test_the_environment_gives_lists_and_numbers(tmp_path):
    environment = {
        "DIJKWACHT_AGENT_LOCAL": "10.0.0.0/8, 2001:db8::/32",
        "DIJKWACHT_AGENT_HEARTBEAT_S": "2.5",
        "DIJKWACHT_AGENT_CONSENTS": "",
    }
    found = read_settings(tmp_path, environment)
    assert found.local == ["10.0.0.0/8", "2001:db8::/32"]
    assert found.heartbeat_s == 2.5
    assert found.consents == []


def test_an_unknown_setting_names_itself_its_place_and_the_nearest(tmp_path):
    (tmp_path / "agent.toml").write_text('intreface = "eth0"\n')
    with pytest.raises(SettingsError, match=r"agent\.toml: 'intreface'.*'interface'"):
        read_settings(tmp_path, {})
    with pytest.raises(SettingsError, match="DIJKWACHT_AGENT_ZZZ"):
        read_settings(tmp_path / "none", {"DIJKWACHT_AGENT_ZZZ": "1"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("heartbeat_s = 0", "heartbeat_s"),
        ('heartbeat_s = "often"', "heartbeat_s"),
        ('consents = ["everything"]', "consents"),
        ('site = "Not A Name"', "site"),
        ('url = "ftp://a"', "url"),
        ("spool_max_bytes = 1", "spool_max_bytes"),
        ("interface = ", "TOML"),
    ],
)
def test_a_wrong_value_names_its_setting_and_file(tmp_path, text, told):
    (tmp_path / "agent.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"agent\.toml.*" + told):
        read_settings(tmp_path, {})


def test_what_is_written_is_read_and_private(tmp_path):
    settings = Settings(
        site="bakery", url="http://a", local=["10.0.0.0/8"], consents=["renew"], interface='a"\n\\'
    )
    write_settings(tmp_path, settings)
    assert read_settings(tmp_path, {}) == settings
    assert stat.S_IMODE((tmp_path / "agent.toml").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["agent.toml"]


def test_a_file_that_root_writes_belongs_to_the_folders_owner(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda _file, user, group: given.append((user, group)))
    write_private(tmp_path / "token", b"dw_secret")
    owner = tmp_path.stat()
    assert given == [(owner.st_uid, owner.st_gid)]


def test_root_is_led_nowhere_by_whoever_owns_the_folder(tmp_path):
    secret, state = tmp_path / "shadow", tmp_path / "state"
    secret.write_bytes(b"root's")
    secret.chmod(0o644)
    state.mkdir()
    (state / "link").symlink_to(secret)
    os.mkfifo(state / "pipe")
    (state / "folder").mkdir()
    for name in ("link", "pipe", "folder"):
        with pytest.raises(OSError, match=name):
            open_private(state / name)
        with pytest.raises(OSError, match=name):
            read_private(state / name)
    assert (secret.read_bytes(), secret.stat().st_mode & 0o777) == (b"root's", 0o644)
    with open_private(state / "log") as file:
        file.write(b"a line")
    assert read_private(state / "log") == b"a line"


def test_a_new_name_survives_a_power_cut_too(tmp_path, monkeypatch):
    synced, real = [], os.fsync

    def note(handle):
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        synced.append((is_folder, (tmp_path / "identity.pem").exists()))
        real(handle)

    monkeypatch.setattr(os, "fsync", note)
    write_private(tmp_path / "identity.pem", b"new")
    assert synced == [(False, False), (True, True)]
    write_private(tmp_path / "identity.pem", b"newer", synced=False)
    assert len(synced) == 2

"""A copy of the key: sealed under words, of this site alone, and put back."""

import tempfile

import pytest

from dijkwacht_agent import pairing
from dijkwacht_agent.check import check_key
from dijkwacht_agent.cli import main
from dijkwacht_agent.join import KEY_FILE
from dijkwacht_agent.owner.key_copy import has_copy, restore_key, save_key
from dijkwacht_agent.owner.who import Who
from dijkwacht_agent.privacy import read_or_make_key
from dijkwacht_agent.settings import Settings, write_private, write_settings
from dijkwacht_records.errors import SettingsError

SETTINGS = Settings(site="bakery", agent="till", url="http://127.0.0.1:1")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Stretching takes no part of a second here."""
    monkeypatch.setattr(pairing, "_COST", 1 << 4)


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    read_or_make_key(folder / KEY_FILE)
    write_settings(folder, SETTINGS)
    return folder


def key_of(error):
    return error.value.message.key


def test_lost_and_put_back(state, tmp_path, hidden, site):
    copy, path = tmp_path / "key.copy", site.state / KEY_FILE
    words = save_key(SETTINGS, site.state, copy)
    key = path.read_bytes()
    assert key not in copy.read_bytes()
    assert copy.stat().st_mode & 0o077 == 0
    path.unlink()
    read_or_make_key(path)  # the agent draws another at its next start
    assert Who(site.state).open(hidden[0]).real != "10.1.2.3"
    former = restore_key(SETTINGS, site.state, copy, [word[:4] for word in words])
    assert path.read_bytes() == key
    assert former is not None
    assert former.read_bytes() != key
    assert Who(site.state).open(hidden[0]).real == "10.1.2.3"
    assert Who(site.state, former).open(hidden[0]).real != "10.1.2.3"


def test_wrong_words_another_site_and_what_is_no_copy(state, tmp_path):
    copy = tmp_path / "key.copy"
    words = save_key(SETTINGS, state, copy)
    before = (state / KEY_FILE).read_bytes()
    others = ["zoom" if word != "zoom" else "zone" for word in words]
    with pytest.raises(SettingsError) as caught:
        restore_key(SETTINGS, state, copy, others)
    assert key_of(caught) == "key_wrong_words"
    with pytest.raises(SettingsError) as caught:
        restore_key(Settings(site="clinic"), state, copy, words)
    assert key_of(caught) == "key_other_site"
    with pytest.raises(SettingsError) as caught:
        restore_key(SETTINGS, state, state / KEY_FILE, words)
    assert key_of(caught) == "key_unreadable"
    with pytest.raises(SettingsError) as caught:
        restore_key(SETTINGS, state, copy, words)
    assert key_of(caught) == "key_same"
    for content in (copy.read_bytes()[:-1], b"dijkwacht key 1\n\xc1"):
        (tmp_path / "torn").write_bytes(content)
        (state / KEY_FILE).unlink()
        with pytest.raises(SettingsError):
            restore_key(SETTINGS, state, tmp_path / "torn", words)
        assert not (state / KEY_FILE).exists()
        write_private(state / KEY_FILE, before)


def test_no_file_is_overwritten(state, tmp_path):
    (tmp_path / "key.copy").write_bytes(b"mine")
    with pytest.raises(SettingsError) as caught:
        save_key(SETTINGS, state, tmp_path / "key.copy")
    assert key_of(caught) == "key_there"
    assert (tmp_path / "key.copy").read_bytes() == b"mine"


def test_check_reminds_until_there_is_a_copy_of_this_very_key(state, tmp_path):
    assert [(found.key, found.ok) for found in check_key(state)] == [("key_without_copy", True)]
    save_key(SETTINGS, state, tmp_path / "key.copy")
    assert has_copy(state)
    assert list(check_key(state)) == []
    write_private(state / KEY_FILE, bytes(32))
    assert not has_copy(state)


def test_the_commands(state, tmp_path, capsys, monkeypatch):
    copy = str(tmp_path / "key.copy")
    before = (state / KEY_FILE).read_bytes()
    assert main(["--state", str(state), "key", "save", copy, "--lang", "en"]) == 0
    out = capsys.readouterr().out
    words = next(line for line in out.splitlines() if line.startswith("    ")).strip()
    assert len(words.split()) == 8
    (state / KEY_FILE).unlink()
    monkeypatch.setattr("sys.stdin", __import__("io").StringIO(f"{words}\n"))
    assert main(["--state", str(state), "key", "restore", copy, "--lang", "nl"]) == 0
    assert "is terug" in capsys.readouterr().out
    assert (state / KEY_FILE).read_bytes() == before
    assert main(["--state", str(state), "key", "restore", copy, "water", "--lang", "en"]) == 1
    assert "there are 8 words, not 1" in capsys.readouterr().err


def test_an_agent_that_has_not_joined_has_no_key_to_save(tmp_path, capsys):
    assert main(["--state", str(tmp_path), "key", "save", str(tmp_path / "x"), "--lang", "en"]) == 1
    assert "there is no key" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_stick_that_is_not_in_is_said_before_words_are_asked_for(
    state, tmp_path, monkeypatch, capsys
):
    with pytest.raises(SettingsError) as caught:
        save_key(SETTINGS, state, tmp_path / "usb" / "key.copy")
    assert key_of(caught) == "key_no_folder"
    monkeypatch.setattr("sys.stdin", None)
    assert (
        main(["--state", str(state), "key", "restore", str(tmp_path / "none"), "--lang", "nl"]) == 1
    )
    assert "dit bestand is er niet" in capsys.readouterr().err


def test_a_copy_on_the_same_disk_is_said_to_be_one(state, tmp_path, capsys):
    words = ["--state", str(state), "key", "save", "--lang", "nl"]
    assert main([*words, str(tmp_path / "a.key")]) == 0
    assert "op de schijf van deze computer zelf" in capsys.readouterr().out
    with tempfile.TemporaryDirectory(
        dir="/dev/shm"
    ) as folder:  # another file system, as a stick is
        assert main([*words, f"{folder}/a.key"]) == 0
    assert "op de schijf van deze computer zelf" not in capsys.readouterr().out

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
from base64 import b64encode
from pathlib import Path

import pytest

import dijkwacht_agent.join as module
from dijkwacht_agent.error_words import words
from dijkwacht_agent.identity import tried
from dijkwacht_agent.join import join, read_token
from dijkwacht_agent.settings import read_settings
from dijkwacht_agent.spool import Spool
from dijkwacht_agent.uplink import connection_path
from dijkwacht_records.errors import NotAuthorised, SettingsError, TransferError
from dijkwacht_records.joincode import make_code


@pytest.fixture(name="code")
def _code(collector):
    return make_code(collector.url, bytes(range(16)))


def full_disk(*_, **_options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_code_brings_token_and_settings(tmp_path, collector, code):
    state = tmp_path / "state"
    settings = join(code, state, "till")
    assert collector.joins == [{"code": code, "agent": "till"}]
    assert (settings.site, settings.agent, settings.url) == ("bakery", "till", collector.url)
    assert read_settings(state, {}) == settings
    assert read_token(state) == "dw_secret"
    for path in state.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len((state / "privacy.key").read_bytes()) == 32


def test_the_agents_name_tells_nothing_of_the_machine(tmp_path, collector, code):
    assert join(code, tmp_path).agent.startswith("agent-")


def test_joining_again_keeps_name_key_and_choices(tmp_path, collector, code):
    (tmp_path / "agent.toml").write_text('interface = "br0"\n')
    first = join(code, tmp_path)
    key = (tmp_path / "privacy.key").read_bytes()
    with pytest.raises(SettingsError, match="--again"):
        join(code, tmp_path)
    again = join(code, tmp_path, again=True)
    assert (again.agent, again.interface) == (first.agent, "br0")
    assert (tmp_path / "privacy.key").read_bytes() == key


@pytest.mark.parametrize(
    ("spoken", "sentence"),
    [
        (
            "en",
            "this agent has joined a site before; to do it anew, with a new code, put --again behind it",
        ),
        (
            "nl",
            "deze agent hoort al ergens bij; wilt u hem opnieuw aanmelden, met een nieuwe code, zet er dan --again achter",
        ),
    ],
)
def test_a_token_without_settings_is_of_some_site(tmp_path, collector, code, spoken, sentence):
    (tmp_path / "token").write_text("dw_old")
    with pytest.raises(SettingsError) as caught:
        join(code, tmp_path)
    assert words(caught.value, spoken) == sentence
    assert collector.joins == []


@pytest.mark.parametrize(
    "another", [{"site": "butcher"}, {"order_key": b64encode(bytes(range(32))).decode()}]
)
def test_another_site_gets_neither_key_nor_what_waited(tmp_path, collector, code, another):
    join(code, tmp_path)
    key = (tmp_path / "privacy.key").read_bytes()
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "0.spool").write_bytes(b"waiting")
    (tmp_path / "devices.memory").write_bytes(b"who was there")
    (tmp_path / "device-names.json").write_bytes(b"{}")
    collector.join_answer[1].update(another)
    join(code, tmp_path, again=True)
    assert (tmp_path / "privacy.key").read_bytes() != key
    assert not (tmp_path / "spool").exists()
    assert not (tmp_path / "devices.memory").exists()
    assert not (tmp_path / "device-names.json").exists()


def test_what_was_left_goes_also_where_joining_was_killed(tmp_path, collector, code, monkeypatch):
    join(code, tmp_path)
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "0.spool").write_bytes(b"waiting")
    (tmp_path / "devices.memory").write_bytes(b"who was there")
    collector.join_answer[1].update({"site": "butcher"})
    with monkeypatch.context() as killed:
        killed.setattr(module.shutil, "rmtree", full_disk)
        with pytest.raises(OSError, match="space"):
            join(code, tmp_path, again=True)
    assert (tmp_path / "leaving.json").exists()
    module.finish_joining(tmp_path)
    assert [(tmp_path / n).exists() for n in ("spool", "devices.memory")] == [False] * 2
    assert not (tmp_path / "leaving.json").exists()


def test_while_an_agent_runs_what_it_made_stays_until_the_next_start(joined, collector, code):
    with contextlib.closing(Spool(joined / "spool")) as running:
        running.append(b"a batch of this name", 3)
        join(code, joined, "another", again=True)
        with pytest.raises(SettingsError):  # two would have one folder, and lose what they write
            Spool(joined / "spool")
        (joined / "devices.memory").write_bytes(b"who was there")
        collector.join_answer[1]["site"] = "butcher"
        join(code, joined, again=True)
        join(code, joined, "third", again=True)
        assert (joined / "devices.memory").exists()
    module.finish_joining(joined)
    assert not (joined / "spool").exists()
    assert not (joined / "devices.memory").exists(), "they are another site's"


@pytest.mark.parametrize("name", ["agent.toml", "identity.pem", "token", "privacy.key"])
def test_what_a_link_leads_to_is_copied_for_nobody(joined, collector, code, name, tmp_path):
    secret = tmp_path / "shadow"
    secret.write_bytes(b"roots = 1\n" + bytes(22))
    (joined / name).unlink(missing_ok=True)
    (joined / name).symlink_to(secret)
    asked = len(collector.joins)
    with pytest.raises((OSError, SettingsError)):
        join(code, joined, again=True)
    kept = [p for p in joined.rglob("*") if p.is_file() and not p.is_symlink()]
    assert not [p for p in kept if b"roots" in p.read_bytes()]
    assert len(collector.joins) == asked


def test_root_tries_nothing_where_a_link_leads(joined, collector, code, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "join.probe").write_text("another's")
    (joined / "spool").symlink_to(elsewhere)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    join(code, joined, again=True)
    assert (elsewhere / "join.probe").read_text() == "another's"


def test_root_writes_no_key_where_a_link_leads_that_came_meanwhile(tmp_path, monkeypatch):
    state, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    state.mkdir()
    elsewhere.mkdir()

    class Exchanged(tempfile.TemporaryDirectory):
        def __enter__(self):
            made = Path(super().__enter__())
            made.rename(state / "away")
            made.symlink_to(elsewhere)
            return str(made)

    monkeypatch.setattr(tempfile, "TemporaryDirectory", Exchanged)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(OSError, match="link"), tried(state, {"identity.pem": b"key"}):
        raise AssertionError
    assert not list(elsewhere.iterdir())


def test_under_another_name_nothing_waits_that_nobody_may_send(joined, collector, code):
    with contextlib.closing(Spool(joined / "spool")) as spool:
        spool.append(b"a batch of this name", 3)
    join(code, joined, again=True)
    key = (joined / "privacy.key").read_bytes()
    with contextlib.closing(Spool(joined / "spool")) as spool:
        assert spool.rows_waiting == 3
    join(code, joined, "another", again=True)
    with contextlib.closing(Spool(joined / "spool")) as spool:
        # As the collector counts this name: from nothing.
        assert (spool.rows_waiting, spool.accounts.made) == (0, 0)
    assert (joined / "privacy.key").read_bytes() == key


def test_of_two_that_join_the_other_waits(tmp_path, collector, code, monkeypatch):
    found, real = [], module._exchange

    def exchange(*given):
        handle = os.open(tmp_path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found.append("held")
        finally:
            os.close(handle)
        return real(*given)

    monkeypatch.setattr(module, "_exchange", exchange)
    join(code, tmp_path)
    assert found == ["held"]


def test_a_mistyped_code_asks_nobody(tmp_path, collector, code):
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    with pytest.raises(SettingsError, match="typing error"):
        join(wrong, tmp_path)
    assert collector.joins == []
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_none_asks_nobody(tmp_path, collector, code):
    with pytest.raises(SettingsError, match="small letters"):
        join(code, tmp_path, "Jan's till")
    assert collector.joins == []


def test_a_used_code_writes_nothing(tmp_path, collector, code):
    collector.join_answer = (401, {"reason": "not_authorised", "message": "this code is used"})
    with pytest.raises(NotAuthorised, match="used"):
        join(code, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_is_no_folder_is_found_before_the_code_is_spent(tmp_path, collector, code):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"file.*no folder"):
        join(code, tmp_path / "file" / "state")
    assert collector.joins == []


def test_a_full_disk_is_found_before_the_code_is_spent(tmp_path, collector, code, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left") as caught:
        join(code, tmp_path / "new" / "state")
    assert caught.value.filename == str(tmp_path / "new" / "state")
    assert collector.joins == []
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_cannot_be_used_is_found_before_the_code_is_spent(tmp_path, collector, code):
    (tmp_path / "privacy.key").write_bytes(bytes(32))
    (tmp_path / "privacy.key").chmod(0o644)
    with pytest.raises(SettingsError, match="other users"):
        join(code, tmp_path)
    assert collector.joins == []
    assert stat.S_IMODE((tmp_path / "privacy.key").stat().st_mode) == 0o644


def test_a_join_that_cannot_be_written_leaves_no_agent(tmp_path, collector, code, monkeypatch):
    monkeypatch.setattr("dijkwacht_agent.changeover.write_private", full_disk)
    with pytest.raises(OSError, match="No space left"):
        join(code, tmp_path / "new" / "state")
    assert list(tmp_path.iterdir()) == []


def test_joining_another_site_that_fails_keeps_the_agent_as_it_was(
    tmp_path, collector, code, monkeypatch
):
    join(code, tmp_path)
    (tmp_path / "spool").mkdir()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    collector.join_answer[1]["site"] = "butcher"
    monkeypatch.setattr("dijkwacht_agent.changeover.write_private", full_disk)
    with pytest.raises(OSError, match="No space left"):
        join(code, tmp_path, again=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert (tmp_path / "spool").is_dir()


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"hello": 1}),
        (500, {}),
        (302, {}),
        (200, {"site": "a", "token": "a", "order_key": "AAAA"}),
        (200, {"site": "A B", "token": "a", "order_key": ""}),
        (200, {"site": "a", "token": "a\r\nb", "order_key": ""}),
    ],
)
def test_what_is_no_collector_is_told(tmp_path, collector, code, answer):
    collector.join_answer = answer
    with pytest.raises(TransferError):
        join(code, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_joining_there_is_no_token(tmp_path):
    with pytest.raises(SettingsError, match="join CODE"):
        read_token(tmp_path)


@pytest.mark.parametrize(
    ("url", "path"), [("http://a", ""), ("https://a:1/b/", "/b"), ("http://a/", "")]
)
def test_a_collector_may_live_under_a_path(url, path):
    assert connection_path(url) == path

"""Who an agent is, or who signs, is changed: cut short at whatever step, it is the old one or the new."""

import fcntl
import os
import shutil
import time
from types import SimpleNamespace

import msgspec
import pytest

import dijkwacht_agent.join as module
from dijkwacht_agent import enrolling
from dijkwacht_agent.enrolling import Answered
from dijkwacht_agent.identity import CLOCK_FILE, Identity, make_key, write_identity
from dijkwacht_agent.join import KEY_FILE, finish_joining, join, read_who
from dijkwacht_agent.privacy import read_or_make_key
from dijkwacht_agent.renewal import Renewal
from dijkwacht_agent.settings import read_settings, write_private
from dijkwacht_collector.sites.authority import Authority
from dijkwacht_collector.sites.speaker import Speaker
from dijkwacht_records.enrolment import Grant
from dijkwacht_records.errors import SettingsError
from dijkwacht_records.joincode import make_code

NOW = 1_790_000_000_000_000
LONG = make_code("http://127.0.0.1:9", bytes(16))
SHORT = make_code("https://127.0.0.1:9", bytes(10))
FILES = "agent.toml", "identity.pem", "authority.pem", "token", "privacy.key", "contracts.json"


@pytest.fixture(scope="module")
def made():
    """Keys that cost no process each."""
    return [make_key() for _ in range(2)]


@pytest.fixture
def site(monkeypatch, tmp_path, made):
    """Answers who joins ``site.name``, without a network in between: what is written is as with one."""
    authority = Authority(tmp_path / "authority", [], lambda: NOW)
    authority.open()
    found = SimpleNamespace(name="bakery", authority=authority)
    monkeypatch.setattr(os, "fsync", lambda _file: None)  # none of what it is for happens here

    def grant(agent, request):
        leaf = authority.issue(request, Speaker(found.name, agent), NOW)
        return Grant(
            site=found.name,
            agent=agent,
            clock=NOW,
            expires=leaf.expires,
            certificate=leaf.pem,
            authorities=authority.bundle,
            order_key=bytes(32),
            contracts=(1, 2),
        )

    def enrol(_url, _secret, agent, fallback, state):
        name, key = agent or fallback, made[0]
        asking = enrolling._Asking(bytes(16), name, key.key, key.request)
        write_private(state / enrolling.JOINING_FILE, msgspec.json.encode(asking))
        return Answered(grant(name, key.request), key.key)

    def exchange(_url, asked, _ca_file):
        told = bytes(32), (1, 2), 0
        return module._Answer(found.name, asked.agent, *told, {module.TOKEN_FILE: b"dw_secret"})

    found.grant = grant
    monkeypatch.setattr(module, "enrol", enrol)
    monkeypatch.setattr(module, "_exchange", exchange)
    monkeypatch.setattr(module, "_show", lambda *_: None)
    return found


def held(state):
    """Who the agent of a folder is, by every file that says so; that it can be used is tried."""
    files = {name: (state / name).read_bytes() for name in FILES if (state / name).exists()}
    if "identity.pem" in files or "token" in files:
        read_who(state)
    settings = read_settings(state, {})
    return settings.site, settings.agent, settings.url, files


def names(state):
    return {path.name for path in state.iterdir()}


WAYS = {
    "a token, for the first time": (None, LONG, "till"),
    "a certificate, for the first time": (None, SHORT, "till"),
    "a certificate in place of a token": (LONG, SHORT, "till"),
    "another site, from certificate to token": (SHORT, LONG, "shop"),
    "another site, by certificates": (SHORT, SHORT, "shop"),
}


@pytest.mark.parametrize("way", WAYS)
def test_joining_leaves_the_old_or_the_new_and_the_next_one_no_trace(
    way, every_step, site, tmp_path
):
    code_before, code, name = WAYS[way]
    before = tmp_path / "before"
    before.mkdir()
    if code_before:
        join(code_before, before, "till")
        (before / "spool").mkdir()
        (before / "spool" / "0.spool").write_bytes(b"waiting")
        (before / "collector.clock").write_text("1\n")
    old, found = held(before), []
    if name == "shop":
        site.name = "butcher"
    for number, cut_short in enumerate(every_step()):
        state = tmp_path / str(number)
        shutil.copytree(before, state)
        cut_short(lambda state=state: join(code, state, name, again=True))
        finish_joining(state)
        now = held(state)
        found.append(now)
        if now != old:
            assert (*now[:2], now[2][:5]) == (
                site.name,
                name,
                "https" if code == SHORT else "http:",
            )
            one = {"identity.pem", "authority.pem"} if code == SHORT else {"token"}
            assert now[3].keys() == {"agent.toml", "privacy.key", "contracts.json", *one}
            changed = now[3]["privacy.key"] != old[3].get("privacy.key")
            assert changed == (name == "shop" or not code_before)
            assert (state / "spool").exists() == (name == "till" and bool(code_before))
        odd = {"joining.json"} if now == old else set()
        assert names(state) - odd <= {*FILES, "spool", "collector.clock"}
        join(code, state, name, again=True)
        assert names(state) <= {*FILES, "spool"}
    assert old in found
    assert found[-1] != old


def test_renewing_leaves_the_old_or_the_new(every_step, site, made, tmp_path, monkeypatch):
    join(SHORT, tmp_path / "before", "till")
    monkeypatch.setattr("dijkwacht_agent.renewal.make_key", lambda: made[1])
    told = msgspec.json.encode(site.grant("till", made[1].request))
    old, found = held(tmp_path / "before"), []
    for number, cut_short in enumerate(every_step()):
        state = tmp_path / str(number)
        shutil.copytree(tmp_path / "before", state)
        renewal = Renewal("https://127.0.0.1:9", Identity(state), state)
        renewal._line = SimpleNamespace(ask=lambda *_: told)
        cut_short(renewal.renew)
        finish_joining(state)
        found.append(held(state))
        assert made[0].key in (pem := found[-1][3]["identity.pem"].decode()) or made[1].key in pem
        assert names(state) <= {*FILES}
    assert old in found
    assert made[1].key in found[-1][3]["identity.pem"].decode()


@pytest.fixture
def renewal(site, made, tmp_path, monkeypatch):
    """Of an agent that runs, and gets what it asks for."""
    join(SHORT, tmp_path / "state", "till")
    monkeypatch.setattr("dijkwacht_agent.renewal.make_key", lambda: made[1])
    told = msgspec.json.encode(site.grant("till", made[1].request))
    running = Renewal("https://127.0.0.1:9", Identity(tmp_path / "state"), tmp_path / "state")
    running._line = SimpleNamespace(ask=lambda *_: told)
    yield running
    running.stop(20)


def joined_anew(state):
    """As by a command beside the agent that runs."""
    join(SHORT, state, "oven", again=True)
    return (state / "identity.pem").read_bytes()


def test_who_joined_while_it_ran_stays_and_the_collector_is_not_asked(renewal, tmp_path):
    """It would forget the certificate that the other was given and has not used yet."""
    state, asked = tmp_path / "state", []
    renewal._line = SimpleNamespace(ask=lambda *given: asked.append(given))
    put, version = joined_anew(state), renewal._identity.version
    with pytest.raises(SettingsError, match="joined anew"):
        renewal.renew()
    assert (state / "identity.pem").read_bytes() == put
    assert asked == []
    assert renewal._identity.version == version


def test_it_is_told_at_once_that_another_joined_and_its_clock_is_left_alone(
    renewal, tmp_path, monkeypatch
):
    monkeypatch.setattr("dijkwacht_agent.renewal.PAUSES_S", (0.01, 0.02))
    state, who = tmp_path / "state", renewal._identity
    joined_anew(state)
    who.hear(NOW + 400 * 86_400_000_000)
    renewal.start()
    renewal.hasten()
    end = time.monotonic() + 60
    while renewal.trouble is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert renewal.trouble.key == "identity_replaced"
    renewal.stop(20)
    assert not (state / CLOCK_FILE).exists()


def locked(state):
    """Whether somebody changes who the agent is just now."""
    handle = os.open(state, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def test_from_asking_to_writing_no_other_process_changes_it(renewal, tmp_path, monkeypatch):
    state, found, ask = tmp_path / "state", [], renewal._line.ask

    def write(*given):
        found.append(locked(state))
        write_identity(*given)

    renewal._line = SimpleNamespace(ask=lambda *given: found.append(locked(state)) or ask(*given))
    monkeypatch.setattr("dijkwacht_agent.renewal.write_identity", write)
    assert not locked(state)
    renewal.renew()
    assert found == [True, True]
    assert not locked(state)


def test_a_key_for_pseudonyms_is_whole_or_not_there(every_step, tmp_path):
    for number, cut_short in enumerate(every_step()):
        state = tmp_path / str(number)
        state.mkdir()
        cut_short(lambda state=state: read_or_make_key(state / KEY_FILE))
        finish_joining(state)
        read_or_make_key(state / KEY_FILE)
        assert names(state) == {KEY_FILE}


@pytest.mark.parametrize("act", ["open", "rotate", "drop_oldest"])
def test_an_authority_is_the_old_one_or_the_next(act, every_step, tmp_path):
    owner = 1234 if os.geteuid() == 0 else os.geteuid()
    os.chown(tmp_path, owner, -1)  # root types the command, and another runs the collector
    before, roots = tmp_path / "before", list[str]()
    if act != "open":
        authority = Authority(before, [], lambda: NOW)
        authority.open()
        roots = [root.name for root in authority.roots()]
        if act == "drop_oldest":
            authority.rotate()
            roots = [root.name for root in authority.roots()]
    else:
        before.mkdir()
    for number, cut_short in enumerate(every_step()):
        folder = tmp_path / str(number)
        shutil.copytree(before, folder)
        for path in folder.iterdir():
            os.chown(path, owner, -1)
        authority = Authority(folder, [], lambda: NOW)
        if act != "open":
            authority.read()
            authority._serve()
        cut_short(getattr(authority, act))
        assert {path.stat().st_uid for path in folder.glob("root-*.pem")} <= {owner}
        again = Authority(folder, [], lambda: NOW)
        again.open()
        found = [root.name for root in again.roots()]
        if act == "rotate":
            assert found[0] == roots[0]
            assert len(found) <= 2
        elif act == "drop_oldest":
            assert found in (roots, roots[1:])
        assert again.oldest == found[0]
        assert again.context.fingerprint
        assert names(folder) <= {"root-1.pem", "root-2.pem", "server.pem"}

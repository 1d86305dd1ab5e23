"""The collector tells what has fallen silent, as the board judges it, and calls while it does its work."""

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from aiohttp.test_utils import TestClient, TestServer

from dijkwacht_collector.app import build_app
from dijkwacht_collector.console.board import BoardReader
from dijkwacht_collector.console.language import translations
from dijkwacht_collector.console.view import Reader
from dijkwacht_collector.console.words import TROUBLE
from dijkwacht_collector.journal.segment import Disk
from dijkwacht_collector.metrics import AgentHealth
from dijkwacht_collector.notices import Pulse, Watch, outboxes_of
from dijkwacht_collector.notices.words import FAULT
from dijkwacht_collector.settings import CollectorSettings, load_settings
from dijkwacht_collector.sites import Sites
from dijkwacht_records.errors import SettingsError
from dijkwacht_records.tables import AGENT, TABLES
from dijkwacht_records.wire import encode

NOW = 1_790_000_000_000_000
SECOND = 1_000_000
TILL = AgentHealth("bakery", "till", NOW)


class Outboxes:
    def __init__(self):
        self.standing, self.verdict = {}, None

    def start(self):
        pass

    def tell(self, standing, verdict):
        self.standing, self.verdict = dict(standing), verdict

    def stop(self, limit_s):
        pass


class Facts:
    """Agents, a fault and a clock, with a watch over them."""

    def __init__(self, *agents):
        self.agents, self.fault, self.now = list(agents), "", NOW
        self.told = Outboxes()
        self.watch = Watch(
            lambda: self.told, lambda: self.agents, lambda: self.fault, lambda: self.now, 3600.0
        )
        self.watch.open()

    def look(self, seconds=0):
        self.now += seconds * SECOND
        self.watch.look()
        return sorted(self.told.standing)


@pytest.fixture
def facts():
    made = []

    def make(*agents):
        made.append(Facts(*agents))
        return made[-1]

    yield make
    for one in made:
        one.watch.close()


def test_an_agent_is_told_when_the_board_calls_it_offline_and_no_sooner(facts):
    one = facts(TILL)
    for seconds in (0, 299, 1, 1, 60):
        reader = Reader("en", translations("en"), one.now + seconds * SECOND)
        on_the_board = BoardReader(reader)._state(one.agents[0]) == "offline"
        assert bool(one.look(seconds)) == on_the_board
    english, dutch = one.told.standing["silent bakery/till"].begun
    assert english.startswith("till of bakery has been silent for 6 minutes")
    assert "al 6 minuten stil" in dutch
    one.agents = [replace(TILL, last_seen=one.now)]
    assert one.look() == []
    assert one.told.verdict("silent bakery/till") == "well"


def test_of_the_time_in_which_it_did_not_run_nobody_is_blamed(facts):
    one = facts(replace(TILL, last_seen=NOW - 86_400 * SECOND, heard=False))
    assert one.look(100) == []
    assert one.told.verdict("silent bakery/till") == "unsure"
    assert one.look(201) == ["silent bakery/till"]


@pytest.mark.parametrize("standing", ["never_heard", "revoked", "removed"])
def test_nobody_waits_for_who_is_gone_or_never_came(facts, standing):
    one = facts(replace(TILL, standing=standing))
    assert one.look(9999) == []
    assert one.told.verdict("silent bakery/till") == "gone"


def test_an_identity_that_is_used_twice_is_told(facts):
    one = facts(replace(TILL, copies=1))
    assert one.look() == ["copied bakery/till"]
    assert "was its disk copied?" in one.told.standing["copied bakery/till"].begun[0]
    one.agents = [replace(TILL, heard=False)]
    one.look()
    assert one.told.verdict("copied bakery/till") == "unsure", "it has just started"
    one.agents = [TILL]
    one.look()
    assert one.told.verdict("copied bakery/till") == "well"


@pytest.mark.parametrize("fault", TROUBLE)
def test_its_own_trouble_is_told(facts, fault):
    one = facts()
    one.fault = fault
    assert one.look() == ["collector"]
    assert one.told.standing["collector"].begun == FAULT[fault]
    one.fault = ""
    assert one.look() == []
    assert one.told.verdict("collector") == "well"


def test_every_fault_that_the_console_knows_has_words():
    assert set(FAULT) == set(TROUBLE)


def test_a_watch_outlives_what_it_could_not_look_at(facts, caplog):
    one = facts(TILL)

    def broken():
        raise OSError("disk")

    one.watch._agents = broken
    one.watch._look_fenced()
    one.watch._agents = lambda: 1 / 0
    one.watch._look_fenced()
    assert [record.message for record in caplog.records] == ["agents not looked at", "watch failed"]


def test_the_pulse_is_felt_while_batches_are_kept_and_judged():
    journal = SimpleNamespace(last=5, trouble="")
    workers = SimpleNamespace(progress=[(50, 5), (50, 5)], troubles=[])
    pulse = Pulse(journal, workers)
    assert pulse.moves()
    assert not pulse.moves(), "nobody sends anything"
    journal.last = 9
    assert not pulse.moves(), "nothing is judged"
    journal.last, workers.progress = 12, [(120, 12), (50, 5)]
    assert not pulse.moves(), "one engine hangs"
    journal.last, workers.progress = 14, [(140, 14), (51, 5)]
    assert pulse.moves(), "it is behind, and moves"
    for part, name, value in ((journal, "trouble", "disk full"), (workers, "troubles", ["engine"])):
        before = getattr(part, name)
        setattr(part, name, value)
        journal.last += 10
        workers.progress = [(10 * journal.last, journal.last)] * 2
        assert not pulse.moves()
        setattr(part, name, before)
    journal.last += 10
    workers.progress = [(10 * journal.last, journal.last)] * 2
    assert pulse.moves()


def beat(seq, boot=0):
    row = TABLES.index(AGENT), (NOW + seq, *(0 for _ in AGENT.columns[1:]))
    return encode("bakery", "desk", bytes([boot]) * 16, seq, NOW, [row])


def make_token(folder):
    sites = Sites(folder / "sites.db")
    sites.open()
    sites.add("bakery", NOW)
    token = sites.make_token("bakery", "desk", NOW)
    sites.close()
    return token


class Running:
    """A whole collector; its clock ``now`` is ours, so that minutes pass at once."""

    def __init__(self, settings, token):
        self.now = NOW
        self._settings, self._headers = settings, {"Authorization": f"Bearer {token}"}

    async def __aenter__(self):
        app = await asyncio.to_thread(build_app, self._settings, clock=lambda: self.now)
        self._client = await TestClient(TestServer(app)).__aenter__()
        return self

    async def __aexit__(self, *why):
        await self._client.__aexit__(*why)

    async def send(self, seq, boot=0):
        """The status that a heartbeat gets."""
        answer = await self._client.post("/v1/batches", data=beat(seq, boot), headers=self._headers)
        return answer.status


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Makes one with such settings; what it notices is told at once."""
    monkeypatch.setattr("dijkwacht_collector.notices.watch.LOOK_S", 0.01)
    monkeypatch.setattr("dijkwacht_collector.notices.watch.GATHER_S", 0.0)
    token = make_token(tmp_path)
    return lambda **chosen: Running(
        CollectorSettings(state=tmp_path, training=False, **chosen), token
    )


@pytest.fixture
def letters(webhook, wait_for):
    """The letters that have come, once there are so many."""

    async def have_come(number):
        await asyncio.to_thread(wait_for, lambda: len(webhook.letters) == number)
        return webhook.letters

    return have_come


async def test_an_agent_that_falls_silent_is_told_by_a_webhook_and_so_is_its_return(
    run, webhook, letters, tmp_path
):
    async with run(notify_url=webhook.url, notify_language="en") as collector:
        assert await collector.send(0) == 200
        collector.now += 301 * SECOND
        await letters(1)
        assert await collector.send(1) == 200
        silent, back = await letters(2)
    assert silent["title"].startswith("desk of bakery has been silent for 5 minutes")
    assert (silent["began"], back["ended"]) == (["silent bakery/desk"], ["silent bakery/desk"])
    kept = json.loads(await asyncio.to_thread((tmp_path / "told-webhook.json").read_bytes))
    assert kept["delivered"] == {}


async def test_a_copied_disk_is_told_and_so_is_that_one_machine_is_left(run, webhook, letters):
    async with run(notify_url=webhook.url, notify_language="nl") as collector:
        for seq in range(3):
            for boot in (0, 1):
                assert await collector.send(seq, boot) == 200
        await letters(1)
        for seq in range(
            3, 21
        ):  # half an hour of one of them, in steps of which two are no silence
            collector.now += 120 * SECOND
            assert await collector.send(seq, boot=1) == 200
        copied, over = await letters(2)
    assert "Twee apparaten gebruiken de identiteit van desk van bakery" in copied["text"]
    assert (copied["began"], over["ended"]) == (["copied bakery/desk"], ["copied bakery/desk"])


async def test_its_watchdog_is_called_while_batches_come_and_not_after_its_journal_failed(
    run, webhook, wait_for, monkeypatch
):
    failing, asked = [False], []
    moves = Pulse.moves

    def counted(self):
        moved = moves(self)
        asked.append(moved)
        return moved

    monkeypatch.setattr(Pulse, "moves", counted)
    sync = Disk.sync

    def sync_or_fail(self, fd):
        if failing[0]:
            raise OSError(5, "Input/output error")
        sync(self, fd)

    monkeypatch.setattr(Disk, "sync", sync_or_fail)
    async with run(watchdog_url=f"{webhook.url}/ping", watchdog_s=0.1) as collector:
        seq = 0
        while len(webhook.calls) < 3:
            assert await collector.send(seq) == 200
            seq += 1
        failing[0] = True
        while await collector.send(seq) == 200:
            seq += 1
        del asked[:]
        await asyncio.to_thread(wait_for, lambda: len(asked) > 2)
        before = len(webhook.calls)
        await asyncio.to_thread(wait_for, lambda: len(asked) > 5)
        assert not any(asked[1:])
        assert len(webhook.calls) == before
    assert set(webhook.calls) == {"/ping"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"notify_url": "ftp://a"}, "notify_url is 'ftp://a'; allowed: a whole address"),
        ({"notify_mail": "baker"}, "notify_mail is 'baker'; allowed: a mail address"),
        ({"notify_mail": "a@example.nl"}, "notify_mail_server must name"),
        ({"notify_language": "fr"}, "notify_language is 'fr'; allowed: en, nl or both"),
        ({"notify_per_hour": 0}, "notify_per_hour is 0; allowed: at least 1"),
        ({"watchdog_s": 0}, "watchdog_s is 0"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(given, told):
    with pytest.raises(SettingsError, match=told):
        load_settings(**given)


def test_a_password_that_is_not_there_is_said_at_the_start(tmp_path):
    settings = CollectorSettings(
        state=tmp_path, notify_mail="a@example.nl", notify_mail_server="localhost",
        notify_mail_password_file=tmp_path / "none",
    )  # fmt: skip
    with pytest.raises(SettingsError, match=r"notices: .*none"):
        Watch(lambda: outboxes_of(settings), list, lambda: "", lambda: NOW).open()

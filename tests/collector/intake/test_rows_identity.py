"""Rows made = journalled + rejected + shed + waiting, whatever happens to agents and collectors."""

import asyncio
import random
import re
import shutil

import msgspec
import pytest
import zstandard
from aiohttp.test_utils import TestClient, TestServer

from dijkwacht_collector import maintenance
from dijkwacht_collector.app import build_app
from dijkwacht_collector.engine.workers import EngineWorkers
from dijkwacht_collector.intake import HighWater
from dijkwacht_collector.journal import PARTITIONS, Journal
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_collector.sites import Sites
from dijkwacht_records.tables import AGENT, TABLES
from dijkwacht_records.wire import decode, encode, unpack_rows

NOW = 1_790_000_000_000_000
STEPS = 60
COLLECTORS = 4


class Agent:
    """What an agent does, in its own counting: batches that each end with a heartbeat.

    One that ``forgets`` counts from its boot on, as those of earlier releases, which write contract 1.
    """

    def __init__(self, site, name, forgets):
        self.site, self.name, self.forgets = site, name, forgets
        self.contract = 1 if forgets else 2
        self.made = self.shed = self.rejected = self.durable = 0
        self.before = (0, 0)
        self.boots = self.seq = 0
        self.sent, self.held = [], []
        self.reported = (0, 0)

    def start_again(self):
        """What it has spooled outlives it, and so do the counters of one that does not forget."""
        if self.forgets:
            self.before = (self.made, self.shed)
        self.boots, self.seq = self.boots + 1, 0

    def make(self, rows):
        """The wire bytes of a batch, and its rows."""
        self.made += rows
        figures = {"rows_made": self.made - self.before[0], "rows_shed": self.shed - self.before[1]}
        beat = tuple({"time": NOW, **figures}.get(c.name, 0) for c in AGENT.columns)
        wire = encode(
            self.site, self.name, self.boots.to_bytes(16), self.seq, NOW,
            [(TABLES.index(AGENT), beat)] * rows, self.contract,
        )  # fmt: skip
        self.seq += 1
        return wire, rows, (self.made, self.shed)


def broken(wire, rows):
    """The same batch, which says that its rows are of a table that it does not hold."""
    fields = msgspec.msgpack.decode(zstandard.decompress(wire[4:]))
    fields[6 if wire[3] == 1 else -1] = bytes(rows)
    return wire[:4] + zstandard.compress(msgspec.msgpack.encode(fields))


class House:
    """A collector that is killed and started again, and who sends to it."""

    def __init__(self, folder, tokens):
        self.folder, self.tokens = folder, tokens
        self.clients = []
        self.over_quota = ""
        self.rejected = dict.fromkeys(("bakery", "clinic"), 0)

    async def start(self):
        app = await asyncio.to_thread(
            build_app, CollectorSettings(state=self.folder, training=False), clock=lambda: NOW
        )
        self.clients.append(TestClient(TestServer(app)))
        await self.clients[-1].start_server()
        self.rejected = dict.fromkeys(self.rejected, 0)

    async def kill(self):
        """Go on with what is on disk now; the one of before never gets to close it."""
        left = self.folder.with_name(f"{self.folder.name}-")
        await asyncio.to_thread(left_behind, self.folder, left)
        self.folder = left
        await self.start()

    async def post(self, agent, wire):
        answer = await self.clients[-1].post(
            "/v1/batches", data=wire, headers={"Authorization": f"Bearer {self.tokens[agent.site]}"}
        )
        return answer.status, msgspec.json.decode(await answer.read())

    async def deliver(self, agent, batch):
        wire, rows, report = batch
        status, reply = await self.post(agent, wire)
        assert (status, reply["duplicate"]) == (200, False)
        agent.sent.append(wire)
        agent.durable += rows
        agent.reported = report

    async def metrics(self):
        text = await (await self.clients[-1].get("/metrics")).text()
        found = re.findall(
            r'^dijkwacht_(\w+){site="(\w+)"(?:,\w+="(\w+)")?} (\d+)', text, re.MULTILINE
        )
        return {key: int(value) for *key, value in found for key in [tuple(key)]}


def left_behind(folder, to):
    to.mkdir()
    for path in folder.glob("sites.db*"):
        shutil.copy(path, to)
    shutil.copy(folder / "order.key", to)
    shutil.copytree(folder / "journal", to / "journal", ignore=shutil.ignore_patterns("*.new"))


def journalled(folder):
    """Rows by site, as whoever has only the files reads them."""
    journal = Journal(folder / "journal")
    journal.open()
    after, rows = dict.fromkeys(range(PARTITIONS), 0), {}
    while journal.wait(after, after, 0):
        entries, after = journal.read(after, after)
        for entry in entries:
            if entry.kind == "batch":
                held = sum(1 for _ in unpack_rows(decode(entry.payload)))
                rows[entry.site] = rows.get(entry.site, 0) + held
    marks = HighWater.load(folder / "journal" / "marks")
    marks.catch_up(journal)
    journal.close()
    assert {site: sum(marks.rows(site).values()) for site in rows} == rows
    return rows


@pytest.fixture
def house(settings, site_token, tmp_path, monkeypatch):
    sites = Sites(tmp_path / "sites.db")
    sites.open()
    clinic = sites.make_token("clinic", "till", NOW)
    sites.close()
    house = House(tmp_path, {"bakery": site_token, "clinic": clinic})
    # A snapshot may be taken at any moment.
    monkeypatch.setattr(maintenance, "_ROUND_S", 0.02)
    monkeypatch.setattr(maintenance, "_SNAPSHOT_ROUNDS", 1)
    monkeypatch.setattr(
        EngineWorkers, "retry_after", lambda _, site: 10.0 if site == house.over_quota else 0.0
    )
    return house


async def step(house, agent, dice):
    batch = agent.make(dice.randint(1, 9))
    match dice.choice(["send", "send", "repeat", "hold", "shed", "break", "quota", "restart"]):
        case "repeat" if agent.sent:
            status, reply = await house.post(agent, dice.choice(agent.sent))
            assert (status, reply["duplicate"]) == (200, True)
            agent.held.append(batch)
        case "hold":
            agent.held.append(batch)
        case "shed":
            agent.shed += batch[1]
        case "break":
            status, reply = await house.post(agent, broken(*batch[:2]))
            assert (status, reply["reason"]) == (400, "malformed")
            agent.shed += batch[1]
            agent.rejected += batch[1]
            house.rejected[agent.site] += batch[1]
        case "quota":
            house.over_quota = agent.site
            assert (await house.post(agent, batch[0]))[0] == 503
            house.over_quota = ""
            agent.held.append(batch)
        case "restart":
            while agent.held:  # its spool drains oldest first
                await house.deliver(agent, agent.held.pop(0))
            await house.deliver(agent, batch)
            agent.start_again()
            await house.deliver(agent, agent.make(1))
        case _:
            await house.deliver(agent, batch)


@pytest.mark.parametrize("seed", range(6))
async def test_sums_add_up_over_restarts_of_both(house, seed):
    dice = random.Random(seed)
    agents = [Agent("bakery", "desk", forgets=True), Agent("clinic", "till", forgets=False)]
    await house.start()
    for agent in agents:
        await house.deliver(agent, agent.make(2))
    for _ in range(COLLECTORS):
        for _ in range(STEPS):
            await step(house, dice.choice(agents), dice)
        for agent in agents:  # each has something to say after the last that happened
            await house.deliver(agent, agent.make(3))
        found = await house.metrics()
        for agent in agents:
            assert found["rows_total", agent.site, ""] == agent.durable
            assert (
                found["rows_rejected_total", agent.site, "malformed"] == house.rejected[agent.site]
            )
            of_agent = {
                name: found[f"agent_rows_{name}", agent.site, agent.name]
                for name in ("made_total", "shed_total", "waiting")
            }
            waiting = sum(rows for _, rows, _ in agent.held)
            assert of_agent == {
                "made_total": agent.made, "shed_total": agent.shed, "waiting": waiting,
            }  # fmt: skip
            assert agent.made == agent.durable + agent.shed + waiting
            assert agent.rejected <= agent.shed
        await house.kill()
        found = await house.metrics()
        assert {a.site: found["rows_total", a.site, ""] for a in agents} == {
            a.site: a.durable for a in agents
        }
    for client in house.clients:
        await client.close()
    rows = await asyncio.to_thread(journalled, house.folder)
    assert rows == {agent.site: agent.durable for agent in agents}


async def test_a_snapshot_that_has_a_batch_has_what_it_tells(house, monkeypatch):
    """Whenever it is taken: what the last heartbeat of a boot said comes with no other."""
    told, note = [], HighWater.note

    def tell(marks):
        told.append(marks._sites["bakery"].agents["desk"].figures())

    def noting(self, *batch):
        note(self, *batch)
        asyncio.get_running_loop().call_soon(tell, self)

    await house.start()
    monkeypatch.setattr(HighWater, "note", noting)
    agent = Agent("bakery", "desk", forgets=True)
    for _ in range(3):
        await house.deliver(agent, agent.make(5))
        assert told[-1]["rows_made"] == told[-1]["rows_durable"] == agent.made
    await house.clients[-1].close()

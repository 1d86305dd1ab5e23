"""The collector takes over a state folder that its first version wrote; see golden/state_1/README.md."""

import asyncio
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from dijkwacht_collector.app import build_app
from dijkwacht_collector.engine import DetectorSet, Engine
from dijkwacht_collector.engine.warmup import warm_up
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_collector.sinks import IncidentStore
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.replies import Reply
from dijkwacht_records.wire import encode

STATE = Path(__file__).parent / "golden" / "state_1" / "state.tar.xz"
BEGIN = 1_773_651_600_000_000
MINUTE = 60_000_000
THIEF, SERVER = pack_address("192.168.77.66"), pack_address("192.168.77.2")
SUBJECT = "192.168.77.66"
pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Seen(DetectorSet):
    """Those shipped; ``made``: the engines of them."""

    made: list[Engine] = field(default_factory=list)

    def engine(self, watch=None, bundles=None, history=None):
        self.made.append(super().engine(watch, bundles, history))
        return self.made[-1]


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Kernels of a fresh clone take a minute or two to compile, for which no test below waits."""
    warm_up(shipped_detectors())


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    with tarfile.open(STATE) as archive:
        for member in filter(tarfile.TarInfo.isfile, archive):  # `filter=` came with Python 3.11.4
            path = folder / member.name
            path.parent.mkdir(0o700, parents=True, exist_ok=True)
            path.write_bytes(archive.extractfile(member).read())
            path.chmod(member.mode & 0o700)
    return folder


@pytest.fixture
def told(state):
    """The lines and incidents of the first version, before anybody touched them."""
    copy = state.with_name("incidents.db")
    copy.write_bytes((state / "incidents.db").read_bytes())
    store = IncidentStore(copy)
    store.open()
    incidents = store.incidents()
    store.close()
    return (state / "incidents.jsonl").read_bytes(), incidents


class Collector:
    """A collector on ``state``, asked as agents and operators ask it."""

    def __init__(self, state, client, engines):
        self.state, self.client, self.engines = state, client, engines

    @property
    def engine(self):
        return self.engines[-1]

    async def post(self, boot, seq, rows=(), agent="desk"):
        time = max((row[1][0] for row in rows), default=BEGIN)
        body = encode("bakery", agent, bytes([boot] * 16), seq, time, list(rows))
        token = (self.state / "token").read_text()
        response = await self.client.post(
            "/v1/batches", data=body, headers={"Authorization": f"Bearer {token}"}
        )
        assert response.status == 200, await response.text()
        return msgspec.json.decode(await response.read(), type=Reply)

    async def folded(self):
        async with asyncio.timeout(60):
            while True:
                health = await (await self.client.get("/healthz")).json()
                assert health["troubles"] == []
                if health["engine_position"] == health["journal_position"]:
                    return
                await asyncio.sleep(0)

    async def findings(self, **query):
        response = await self.client.get("/v1/incidents", params=query)
        return {one["finding_info"]["uid"]: one for one in await response.json()}


@pytest.fixture
async def collector(state, told):
    made = Seen()
    settings = CollectorSettings(state=state, training=False)
    now = BEGIN + 200 * MINUTE
    app = await asyncio.to_thread(build_app, settings, clock=lambda: now, detectors=made)
    async with TestClient(TestServer(app)) as client:
        collector = Collector(state, client, made.made)
        await collector.folded()
        yield collector


def exempted(engine, site):
    """By class and subject, until when ``site`` has nothing told."""
    return {(row.kind, row.subject): row.until for row in engine.incidents.exemptions.of(site)}


def flow(time, number, port, state, size):
    return 0, (
        time, time - 1000, 20_000_000 + number, 0, 2, THIEF, SERVER, 40_000 + number, port, 6, 0,
        state, 2, 18, 1 + size // 100, 1 + size // 100, size, size, 1, 1,
    )  # fmt: skip


async def test_nothing_old_is_told_again(collector, state, told):
    lines, incidents = told
    assert len(incidents) == 2
    assert (state / "incidents.jsonl").read_bytes() == lines
    assert set(await collector.findings()) == {i.uid for i in incidents}


def test_one_line_says_that_its_checkpoint_is_discarded(collector, state, caplog):
    said = [r.getMessage() for r in caplog.get_records("setup") if r.levelname != "INFO"]
    assert [text.partition(":")[0] for text in said] == [
        "checkpoint of an earlier version discarded"
    ]
    assert list((state / "checkpoints").glob("engine-*")) == []


async def test_what_is_open_is_open_and_can_be_answered(collector):
    [(uid, finding)] = (await collector.findings(open="1")).items()
    assert [i.uid for i in collector.engine.open_incidents()] == [uid]
    response = await collector.client.post(
        f"/v1/incidents/{uid}/verdict", json={"verdict": "normal"}
    )
    assert response.status == 200
    await collector.folded()
    assert await collector.findings(open="1") == {}
    answered = (await collector.findings())[uid]
    assert answered["unmapped"]["revision"] == finding["unmapped"]["revision"] + 1
    assert ("bruteforce", SUBJECT) in exempted(collector.engine, "clinic")
    response = await collector.client.post(
        f"/v1/incidents/{uid}/verdict", json={"verdict": "undone"}
    )
    assert response.status == 200
    await collector.folded()
    assert not exempted(collector.engine, "clinic")["bruteforce", SUBJECT]
    assert (await collector.findings())[uid]["status"] == "Resolved"


async def test_budget_and_exemptions_are_in_force(collector):
    engine = collector.engine
    at = engine.numbering.site
    assert engine.policy.per_week == {at("bakery"): 0.25}
    for detector, policy in zip(engine.host.detectors, engine.policy.detectors, strict=True):
        assert policy.budget[at("bakery")] == pytest.approx(0.25 * detector.share)
    assert exempted(engine, "clinic")["scan", SUBJECT] == BEGIN + 365 * 1440 * MINUTE
    assert set(exempted(engine, "bakery")) == {("scan", SUBJECT)}, "what was answered normal"


async def test_batches_that_it_acknowledged_are_known(collector):
    for boot in (9, 1, 2):  # of the first no segment is left
        for seq in range(6):
            assert (await collector.post(boot, seq)).duplicate, (boot, seq)
        assert not (await collector.post(boot, 6)).duplicate, boot


async def test_a_new_batch_is_taken_and_scored(collector, state, told):
    start = BEGIN + 140 * MINUTE
    scan = [flow(start + n * 100_000, n, 1 + n, 4, 0) for n in range(120)]
    guesses = [flow(start + n * 400_000, 1000 + n, 22, 3, 900) for n in range(120)]
    rows = sorted(scan + guesses, key=lambda row: row[1][0])
    assert not (await collector.post(7, 0, rows)).duplicate
    await collector.folded()
    known = {i.uid for i in told[1]}
    found = await collector.findings(site="bakery")
    new = [one["finding_info"]["types"] for uid, one in found.items() if uid not in known]
    assert new == [["bruteforce"]], "the scan was answered normal"
    assert len(await collector.findings()) == len(known) + 1
    assert (state / "incidents.jsonl").read_bytes().startswith(told[0])

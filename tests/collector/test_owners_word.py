"""The whole collector, asked as people and agents ask it: what an owner says is learned, late too, and kept."""

import asyncio
import base64
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from aiohttp.test_utils import TestClient, TestServer

from dijkwacht_collector.app import build_app
from dijkwacht_collector.engine import DetectorSet
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_collector.sites import ChosenBudget, Sites
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.wire import encode

BEGIN = 1_790_000_000_000_000
MINUTE = 60_000_000
DAY = 24 * 60 * MINUTE
THIEF, OTHER = "192.168.77.66", "192.168.77.67"


@dataclass(frozen=True)
class Some(DetectorSet):
    """Some of those shipped; two sets of other names are two releases."""

    names: tuple[str, ...] = ("scan", "bruteforce")

    def detectors(self):
        return [d for d in shipped_detectors() if d.name in self.names]


RELEASES = (Some(), Some(names=("scan", "bruteforce", "exfiltration")), Some(names=("scan",)))


class Collector:
    """One that runs on ``state``."""

    def __init__(self, client, token, told: "Told"):
        self.client, self.token, self.told = client, token, told

    async def post(self, rows, agent="desk"):
        told = self.told
        told.sequence += 1
        body = encode("bakery", agent, bytes(16), told.sequence, told.now, rows)
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.client.post("/v1/batches", data=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
        await self.folded()

    async def scan(self, source=THIEF, ports=300):
        """A port scan now, of other ports each time, and silence for two hours."""
        first = 1 + 300 * (self.told.sequence % 200)
        await self.post([flow(self.told.now, n, source, first + n) for n in range(ports)])
        self.told.now += 120 * MINUTE
        await self.post([flow(self.told.now, 0, "192.168.77.9", answered=True)])

    async def forget(self, segment):
        """Days go by until the journal does not hold a segment any more."""
        end = self.told.now + 4 * DAY
        async with asyncio.timeout(120):
            while segment.exists():
                self.told.now = min(self.told.now + DAY // 4, end)
                await self.post([flow(self.told.now, 0, "192.168.77.9", answered=True)])

    async def folded(self):
        await self.until(lambda health: health["engine_position"] == health["journal_position"])

    async def until(self, what: Callable[[dict], bool], path="/healthz"):
        async with asyncio.timeout(60):
            while True:
                async with self.client.get(path) as answer:
                    if what(found := await answer.json()):
                        return found
                await asyncio.sleep(0)

    async def get(self, path):
        async with self.client.get(path) as answer:
            assert answer.status == 200, await answer.text()
            return await (answer.json() if path.startswith("/v1") else answer.text())

    async def scans(self, source=THIEF):
        """The scans of one machine, by uid."""
        return {
            f["finding_info"]["uid"]: f
            for f in await self.get("/v1/incidents?site=bakery")
            if (f["finding_info"]["types"], f["unmapped"]["subject"]) == (["scan"], source)
        }

    async def say(self, uid, verdict, by, folder="incidents"):
        """As a browser whose user has signed in."""
        given = base64.b64encode(f"{by}:".encode()).decode()
        headers = {"Authorization": f"Basic {given}", "Origin": str(self.client.make_url("/"))[:-1]}
        page = f"/{folder}/{uid}/verdict?lang=en"
        async with self.client.post(page, data={"verdict": verdict}, headers=headers) as answer:
            assert answer.status == 200, "a redirect to the incident's page"
            return await answer.text()


@dataclass
class Told:
    """The clock of the collector, and how much its agent has sent."""

    now: int = BEGIN
    sequence: int = 0


def flow(time, number, source, port=443, *, answered=False):
    return 0, (
        time + number * 10_000, time, 20_000_000 + number, 0, 2, pack_address(source),
        pack_address("192.168.77.2"), 40_000 + number, port, 6, 0, 3 if answered else 4, 2,
        18, 1, 1, 0, 0, 1, 1,
    )  # fmt: skip


def choose_beside(state, what, now):
    """As a command does, which is another process."""
    sites = Sites(state / "sites.db")
    sites.open()
    sites.choices.choose("bakery", what, "Piet", now)
    sites.close()


@pytest.fixture
def state(tmp_path):
    state = tmp_path / "state"
    state.mkdir(0o700)
    return state


@pytest.fixture
def token(state):
    sites = Sites(state / "sites.db")
    sites.open()
    sites.add("bakery", BEGIN)
    token = sites.make_token("bakery", "desk", BEGIN)
    sites.close()
    return token


@pytest.fixture
def start(state, token, monkeypatch):
    """A function: the collector of a release, from a context that stops it."""
    monkeypatch.setattr("dijkwacht_collector.maintenance._ROUND_S", 0.005)
    told = Told()
    settings = CollectorSettings(
        state=state, training=False, segment_bytes=4096, checkpoint_interval_s=0.01,
        retention_days=2, incidents_days=31,
    )  # fmt: skip

    class Started:
        def __init__(self, release):
            self.release = release

        async def __aenter__(self):
            app = await asyncio.to_thread(
                build_app, settings, clock=lambda: told.now, detectors=self.release
            )
            self.client = TestClient(TestServer(app))
            await self.client.start_server()
            collector = Collector(self.client, token, told)
            await collector.folded()
            return collector

        async def __aexit__(self, *_):
            await self.client.close()

    return Started


async def test_a_verdict_a_day_late_is_learned_changed_undone_and_outlives_everything(start, state):
    async with start(RELEASES[0]) as collector:
        # So that what comes a third time is no habit of the site's: answers alone decide here.
        await collector.client.put("/v1/sites/bakery/budget", json={"per_week": 1000})
        await collector.scan()
        [(uid, finding)] = (await collector.scans()).items()
        assert finding["status"] == "Resolved"
        collector.told.now += DAY
        page = await collector.say(uid, "normal", "Jan")
        assert "For 30 days we report nothing of what is listed below" in page
        assert "<bdi>Jan</bdi>" in page
        finding = (await collector.scans())[uid]
        assert finding["status_detail"] == "Answered: this is normal"
        assert finding["unmapped"]["answered_by"] == "Jan"
        answered_ms = finding["unmapped"]["answered_time"]
        assert answered_ms * 1000 == collector.told.now
        await collector.scan()
        await collector.scan(OTHER)
        assert set(await collector.scans()) == {uid}, "it is normal"
        assert len(await collector.scans(OTHER)) == 1, "of that machine, and of no other"

    answered_in = max((state / "journal").glob("*.dwj"))
    async with start(RELEASES[1]) as collector:  # an upgrade
        await collector.forget(answered_in)
        await collector.scan()
        assert set(await collector.scans()) == {uid}
        [normal] = await collector.until(
            lambda rows: rows[0]["hidden"] > 0, "/v1/sites/bakery/normal"
        )
        assert (normal["class"], normal["machine"], normal["by"]) == ("scan", THIEF, "Jan")
        assert normal["until"] == answered_ms * 1000 + 30 * DAY
        assert 'findings_exempted_total{site="bakery"} 0.0' not in await collector.get("/metrics")

    async with start(RELEASES[2]) as collector:  # another
        page = await collector.say(uid, "attack", "Piet")
        assert all(text in page for text in ("Answered: this was an attack", "<bdi>Piet</bdi>"))
        assert await collector.get("/v1/sites/bakery/normal") == []
        await collector.scan()
        assert len(await collector.scans()) == 2, "it is told again"
        await collector.say(uid, "normal", "Jan")
        collector.told.now += DAY

    async with start(RELEASES[0]) as collector:  # and back
        [normal] = await collector.get("/v1/sites/bakery/normal")
        path = f"/v1/sites/bakery/normal/{normal['id']}"
        async with collector.client.delete(path) as answer:
            assert answer.status == 200, await answer.text()
        await collector.folded()
        finding = (await collector.scans())[uid]
        assert "status_detail" not in finding
        assert "An answer was taken back by" in await collector.get(f"/incidents/{uid}?lang=en")
        await collector.scan()
        assert len(await collector.scans()) == 3
        lines = (state / "incidents.jsonl").read_text().splitlines()
        assert len(lines) == len(set(lines))


async def test_whichever_page_it_is_taken_back_on_pages_and_list_say_the_same(start):
    """Two incidents of one machine, both normal. Who takes one back wants to hear of that machine again."""
    hushed, again = (
        "We do not report this about this machine until",
        "We report this about this machine again",
    )
    async with start(RELEASES[0]) as collector:
        await collector.client.put("/v1/sites/bakery/budget", json={"per_week": 1000})
        await collector.scan()
        await collector.scan()
        older, newer = await collector.scans()
        for uid in (older, newer):
            assert hushed in await collector.say(uid, "normal", "Jan")
        [normal] = await collector.get("/v1/sites/bakery/normal")
        assert normal["incident"] == newer
        await collector.say(older, "undone", "Piet")
        assert await collector.get("/v1/sites/bakery/normal") == []
        page = await collector.get(f"/incidents/{newer}?lang=en")
        assert "Answered: this is normal" in page
        assert again in page
        assert hushed not in page
        await collector.scan(ports=1200)  # the same a third time would be a habit
        assert len(await collector.scans()) == 3
        await collector.say(newer, "attack", "Piet")
        assert hushed in await collector.say(newer, "normal", "Jan")
        page = await collector.get(f"/incidents/{older}?lang=en")
        assert hushed in page, "of another incident, and of this machine all the same"


async def test_a_story_is_tried_called_normal_and_taken_back_on_the_list(start):
    async with start(RELEASES[0]) as collector:
        await collector.scan()
        [(uid, finding)] = (await collector.scans()).items()
        story = finding["unmapped"]["story_uid"]
        tried = await collector.get(f"/v1/stories/{story}/normal")
        assert tried == await collector.get(f"/v1/incidents/{uid}/normal")
        [named] = tried["named"]
        assert (named["incident"], named["called"], tried["findings"]) == (uid, True, 1)
        body = {"verdict": "normal", "by": "a program"}
        async with collector.client.post(f"/v1/stories/{story}/verdict", json=body) as answer:
            assert await answer.json() == {"durable": True, "tried": tried}, "as was said before"
        [normal] = await collector.until(bool, "/v1/sites/bakery/normal")
        await collector.client.delete(f"/v1/sites/bakery/normal/{normal['id']}")
        await collector.until(lambda rows: not rows, "/v1/sites/bakery/normal")
        assert "status_detail" not in (await collector.scans())[uid], "the whole answer was that"


async def test_an_incident_leaves_the_store_no_sooner_than_its_exemption_ends(start):
    async with start(RELEASES[0]) as collector:
        await collector.scan()
        [uid] = await collector.scans()
        collector.told.now += 29 * DAY
        async with collector.client.post(
            f"/v1/incidents/{uid}/verdict", json={"verdict": "normal", "by": "a program"}
        ) as answer:
            assert answer.status == 200
        await collector.folded()
        # Told for the last time now: 31 days later it leaves the store. A day before, say it again.
        collector.told.now += 29 * DAY
        await collector.scan()
        assert set(await collector.scans()) == {uid}
        collector.told.now += 3 * DAY
        await collector.until(lambda found: not found, "/v1/incidents?site=bakery")
        assert await collector.get("/v1/sites/bakery/normal") == [], "the 30 days are over"
        await collector.scan()
        assert len(await collector.scans()) == 1, "so it is told again"


async def test_a_budget_chosen_here_or_beside_is_in_force(start, state):
    async with start(RELEASES[0]) as collector:
        path = "/v1/sites/bakery/budget"
        assert await collector.get(path) == {"per_week": 1.0, "chosen": False}
        async with collector.client.put(path, json={"per_week": 0, "by": "Jan"}) as answer:
            assert answer.status == 200
        await collector.folded()
        told = await collector.get(path)
        assert (told["per_week"], told["by"]) == (0, "Jan")
        await collector.scan()
        assert {f["severity_id"] for f in (await collector.scans()).values()} <= {2}
        before = await collector.until(lambda _: True)
        await asyncio.to_thread(choose_beside, state, ChosenBudget(1000), collector.told.now)
        await collector.until(lambda now: now["journal_position"] > before["journal_position"])
        await collector.folded()
        told = await collector.get(path)
        assert (told["per_week"], told["by"]) == (1000, "Piet")
        await collector.scan(OTHER)
        assert max(f["severity_id"] for f in (await collector.scans(OTHER)).values()) > 2
        for body, status in (
            ({"per_week": -1}, 400),
            ({"per_week": 1001}, 400),
            ({"per_week": "many"}, 400),
            ({"per_week": 1, "by": ""}, 400),
            ({}, 400),
        ):
            async with collector.client.put(path, json=body) as answer:
                assert answer.status == status, body
        async with collector.client.put(
            path, json={"per_week": 2, "by": "\x1b[2J\u202eJan"}
        ) as answer:
            assert answer.status == 200
        assert (await collector.get(path))["by"] == "[2JJan"
        async with collector.client.put(path, data=b"{}") as answer:
            assert answer.status == 415
        for method, unknown in (
            ("PUT", "/v1/sites/clinic/budget"),
            ("GET", "/v1/sites/clinic/budget"),
            ("GET", "/v1/sites/clinic/normal"),
            ("GET", "/v1/stories/nobody/normal"),
            ("DELETE", "/v1/sites/clinic/normal/x"),
            ("DELETE", "/v1/sites/bakery/normal/x"),
        ):
            async with collector.client.request(
                method, unknown, json={"per_week": 1} if method == "PUT" else None
            ) as answer:
                assert answer.status == 404, unknown
                assert (await answer.json())["reason"] == "not_found"


async def test_a_story_is_listed_and_one_word_on_it_is_one_on_all_its_findings(start):
    async with start(RELEASES[0]) as collector:
        await collector.scan()
        await collector.scan(OTHER)
        stories = await collector.get("/v1/stories?site=bakery&open=1")
        assert {(s["class_uid"], s["unmapped"]["machine"]) for s in stories} == {
            (2005, THIEF), (2005, OTHER),
        }  # fmt: skip
        [story] = [s for s in stories if s["unmapped"]["machine"] == THIEF]
        uid = story["unmapped"]["story_uid"]
        assert story["unmapped"]["interrupted"]
        assert 'dijkwacht_interruptions_total{site="bakery"} 2' in await collector.get("/metrics")
        [finding] = (await collector.scans()).values()
        assert (finding["unmapped"]["story_uid"], finding["unmapped"]["interrupted"]) == (uid, True)
        said = {"verdict": "normal", "by": "a program"}
        async with collector.client.post(f"/v1/stories/{uid}/verdict", json=said) as answer:
            assert answer.status == 200
        await collector.folded()
        left = await collector.get("/v1/stories?open=1")
        assert [s["unmapped"]["machine"] for s in left] == [OTHER]
        [finding] = (await collector.scans()).values()
        assert finding["unmapped"]["answered_by"] == "a program"
        assert len(await collector.get("/v1/sites/bakery/normal")) == 1
        assert len(await collector.get("/v1/stories")) == 2
        assert await collector.get("/v1/stories?site=clinic") == []
        async with collector.client.post("/v1/stories/nobody/verdict", json=said) as answer:
            assert answer.status == 404


async def test_the_page_of_a_story_says_what_an_answer_exempts_and_it_does(start):
    async with start(RELEASES[0]) as collector:
        await collector.scan()
        assert "1 call in the last 7 days; promised" in await collector.get("/?lang=en")
        [story] = await collector.get("/v1/stories?site=bakery")
        uid = story["unmapped"]["story_uid"]
        page = await collector.get(f"/stories/{uid}?lang=en")
        listed = re.findall(r"<li><bdi>(.*?)</bdi></li>", page)
        assert listed == [f"Scan · ~{THIEF}"]
        for verdict, told, exempted in (
            ("normal", "Answered: this is normal", [("scan", THIEF)]),
            ("attack", "Answered: this was an attack", []),
            ("undone", "An answer was taken back by", []),
        ):
            await collector.say(uid, verdict, "Jan", "stories")
            await collector.folded()
            page = await collector.get(f"/stories/{uid}?lang=en")
            assert told in page
            assert "<bdi>Jan</bdi>" in page
            rows = await collector.get("/v1/sites/bakery/normal")
            assert [(row["class"], row["machine"]) for row in rows] == exempted
        board = await collector.get("/?lang=en")
        assert "Nothing asks for your attention." in board, "it is over, whatever was said"

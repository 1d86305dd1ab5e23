"""A sealed key on its way, over the whole collector."""

import asyncio

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from dijkwacht_collector.app import build_app
from dijkwacht_collector.sites import Sites
from dijkwacht_records.pairing import LIFE_US, MAX_SEALED_BYTES, MOST_TRIES, Pairing
from dijkwacht_records.replies import JoinReply

NOW = 1_790_000_000_000_000
PATH = "/v1/pairing"


def in_sites(folder, act):
    sites = Sites(folder / "sites.db")
    sites.open()
    try:
        return act(sites)
    finally:
        sites.close()


@pytest.fixture
def others(site_token, tmp_path):
    """Headers of another agent of the site, and of an agent of another site."""

    def make(site, agent):
        token = in_sites(tmp_path, lambda sites: sites.make_token(site, agent, NOW))
        return {"Authorization": f"Bearer {token}"}

    return make("bakery", "till"), make("clinic", "desk")


@pytest.fixture
def clock():
    return [NOW]


@pytest.fixture
async def client(settings, site_token, others, clock):
    app = await asyncio.to_thread(build_app, settings, clock=lambda: clock[0])
    async with TestClient(TestServer(app)) as client:
        client.session.headers["Authorization"] = f"Bearer {site_token}"
        yield client


async def fetch(client, headers=None):
    answer = await client.get(PATH, headers=headers)
    assert answer.status == 200
    return msgspec.json.decode(await answer.read(), type=Pairing)


async def put(client, body=b"sealed", **options):
    return (await client.put(PATH, data=body, **options)).status


async def test_what_one_agent_leaves_another_of_its_site_fetches_and_no_other(client, others):
    till, elsewhere = others
    assert await fetch(client, till) == Pairing("none")
    assert await put(client) == 200
    assert await fetch(client, elsewhere) == Pairing("none")
    assert await fetch(client, till) == Pairing("waiting", b"sealed", MOST_TRIES - 1)
    assert (await client.delete(PATH, headers=elsewhere)).status == 200
    assert (await fetch(client, till)).state == "waiting"
    assert (await client.delete(PATH, headers=till)).status == 200
    assert await fetch(client, till) == Pairing("taken")
    assert await put(client, b"again") == 200
    assert (await fetch(client, till)).sealed == b"again"


async def test_it_is_handed_out_a_few_times(client, others):
    await put(client)
    left = [(await fetch(client)).tries_left for _ in range(MOST_TRIES)]
    assert left == list(range(MOST_TRIES))[::-1]
    assert await fetch(client) == Pairing("tried_out")


async def test_it_waits_an_hour_and_then_nothing_of_it_is_kept(client, others, clock, tmp_path):
    await put(client, b"the sealed bytes")
    clock[0] += LIFE_US - 1
    assert (await fetch(client)).state == "waiting"
    clock[0] += 1
    async with asyncio.timeout(20):
        while await asyncio.to_thread(in_sites, tmp_path, held):
            pass  # the collector's own round does it
    assert await fetch(client) == Pairing("expired")


def held(sites):
    with sites._use() as database:
        return database.execute("SELECT sealed FROM pairings WHERE sealed NOT NULL").fetchall()


async def test_strangers_and_large_bodies_are_refused(client):
    nobody = {"Authorization": "Bearer dw_nobody"}
    for method in ("get", "put", "delete"):
        assert (await getattr(client, method)(PATH, headers=nobody)).status == 401
    assert await put(client, bytes(MAX_SEALED_BYTES + 1)) == 400
    assert await put(client, b"") == 400
    assert await fetch(client) == Pairing("none")


async def test_who_joins_is_told_how_many_are_there(client, others, tmp_path):
    def code(sites):
        return sites.make_join_code("bakery", "http://127.0.0.1:1", NOW)

    for agent, others_there in (("van", 2), ("van", 2), ("oven", 3)):
        asked = {"code": await asyncio.to_thread(in_sites, tmp_path, code), "agent": agent}
        answer = await client.post("/v1/join", json=asked)
        joined = msgspec.json.decode(await answer.read(), type=JoinReply)
        assert joined.others == others_there

"""Joining over the whole collector."""

import asyncio

import msgspec

from dijkwacht_collector.sites import Sites
from dijkwacht_records.replies import JoinReply, Refusal
from dijkwacht_records.tables import TABLES
from dijkwacht_records.wire import encode

NOW = 1_790_000_000_000_000


def beat(site, agent):
    row = dict.fromkeys((column.name for column in TABLES[6].columns), 0)
    row |= {"time": NOW, "packets_seen": 7}
    return encode(site, agent, bytes(16), 0, NOW, [(6, tuple(row.values()))])


def join_code(folder):
    sites = Sites(folder / "sites.db")
    sites.open()
    try:
        return sites.make_join_code("clinic", "http://127.0.0.1:8470", NOW)
    finally:
        sites.close()


async def test_who_joins_has_a_name(client, tmp_path):
    code = await asyncio.to_thread(join_code, tmp_path)
    for asked in ({"code": code}, {"code": code, "agent": ""}, {"code": code, "agent": "My PC"}):
        response = await client.post("/v1/join", json=asked)
        refusal = msgspec.json.decode(await response.read(), type=Refusal)
        assert (response.status, refusal.reason) == (400, "malformed")


async def test_an_agent_joins_with_a_code_and_sends_at_once(client, tmp_path):
    asked = {"code": await asyncio.to_thread(join_code, tmp_path), "agent": "reception"}
    response = await client.post("/v1/join", json=asked)
    joined = msgspec.json.decode(await response.read(), type=JoinReply)
    assert (response.status, joined.site, len(joined.order_key)) == (200, "clinic", 32)
    # An agent that got its token and never sent anything must not look like one that is silent.
    assert 'agent="reception"' not in await (await client.get("/metrics")).text()
    headers = {"Authorization": f"Bearer {joined.token}"}
    first = await client.post("/v1/batches", data=beat("clinic", "reception"), headers=headers)
    assert first.status == 200
    assert 'agent="reception"' in await (await client.get("/metrics")).text()
    response = await client.post("/v1/join", json=asked)
    assert response.status == 401
    response = await client.post("/v1/join", data=b"{}")
    assert response.status == 400
    response = await client.post("/v1/join", json=asked)
    assert (response.status, response.headers["Retry-After"]) == (503, "60")

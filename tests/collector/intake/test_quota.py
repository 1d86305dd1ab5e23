"""Whoever sends more than the engine has time for is refused; nobody else is."""

import asyncio

import msgspec

from dijkwacht_collector.engine.slow_lane import SlowLane
from dijkwacht_collector.sites import Sites
from dijkwacht_records.replies import Refusal
from dijkwacht_records.tables import AGENT, TABLES
from dijkwacht_records.wire import encode

NOW = 1_790_000_000_000_000


def a_batch(site, seq):
    beat = TABLES.index(AGENT), (NOW, *(0 for _ in AGENT.columns[1:]))
    return encode(site, "desk", bytes(16), seq, NOW, [beat])


async def test_a_site_that_has_too_much_waiting_is_told_when_to_come_again(
    client, tmp_path, monkeypatch
):
    monkeypatch.setattr(SlowLane, "refused", frozenset({"bakery"}))
    seq = 0
    async with asyncio.timeout(60):
        while (
            answer := await client.post("/v1/batches", data=a_batch("bakery", seq))
        ).status == 200:
            seq += 1
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    refusal = msgspec.json.decode(await answer.read(), type=Refusal)
    assert refusal.reason == "busy", "what every agent knows"
    metrics = await (await client.get("/metrics")).text()
    assert 'dijkwacht_batches_rejected_total{reason="over_quota"} 1.0' in metrics
    assert 'dijkwacht_batches_rejected_total{reason="busy"} 0.0' in metrics
    monkeypatch.undo()
    sites = Sites(tmp_path / "sites.db")
    await asyncio.to_thread(sites.open)
    token = await asyncio.to_thread(sites.make_token, "clinic", "desk", NOW)
    await asyncio.to_thread(sites.close)
    client.session.headers["Authorization"] = f"Bearer {token}"
    async with asyncio.timeout(60):
        while (await client.post("/v1/batches", data=a_batch("clinic", 0))).status != 200:
            pass  # until the new token is known

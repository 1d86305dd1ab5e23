"""Agents that are gone, on a collector that runs."""

import asyncio
import re

import pytest

from dijkwacht_collector.sites import Sites
from dijkwacht_records.tables import TABLES
from dijkwacht_records.wire import encode

NOW = 1_790_000_000_000_000


def beat(seq):
    row = dict.fromkeys((column.name for column in TABLES[6].columns), 0)
    row |= {"time": NOW, "packets_seen": 7}
    return encode("bakery", "desk", bytes(16), seq, NOW, [(6, tuple(row.values()))])


def in_sites(folder, act):
    sites = Sites(folder / "sites.db")
    sites.open()
    try:
        return act(sites)
    finally:
        sites.close()


async def send(client, seq, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else None
    answer = await client.post("/v1/batches", data=beat(seq), headers=headers)
    return answer.status


async def agents_in_metrics(client):
    text = await (await client.get("/metrics")).text()
    return set(re.findall(r'agent="(.*?)"', text))


async def row_of_board(client, language):
    text = await (await client.get("/", params={"lang": language})).text()
    assert "headline unwatched" in text
    return re.search(r'class="state (\w+)">(.*?)<', text[text.index("agents-title") :]).groups()


@pytest.mark.parametrize(
    ("act", "state", "english", "dutch"),
    [
        ("revoke", "revoked", "No access any more", "Geen toegang meer"),
        ("remove_agent", "removed", "Removed", "Verwijderd"),
    ],
)
async def test_an_agent_that_is_gone_is_refused_shown_and_no_alarm(
    client, tmp_path, act, state, english, dutch
):
    assert await send(client, 0) == 200
    assert await agents_in_metrics(client) == {"desk"}
    await asyncio.to_thread(in_sites, tmp_path, lambda s: getattr(s, act)("bakery", "desk", NOW))
    seq = 1
    async with asyncio.timeout(20):
        while await send(client, seq) != 401:
            seq += 1
        while await agents_in_metrics(client):
            pass
    text = await (await client.get("/metrics")).text()
    counted = dict(re.findall(r'batches_rejected_total{reason="(\w+)"} (\S+)', text))
    assert float(counted["revoked"]) >= 1
    assert float(counted["not_authorised"]) == 0, "which a rule wakes people for"
    assert await row_of_board(client, "en") == (state, english)
    assert await row_of_board(client, "nl") == (state, dutch)

    token = await asyncio.to_thread(
        in_sites, tmp_path, lambda s: s.make_token("bakery", "desk", NOW)
    )
    async with asyncio.timeout(20):
        while await send(client, seq, token) != 200:
            pass
        while await agents_in_metrics(client) != {"desk"}:
            seq += 1
            assert await send(client, seq, token) == 200
    assert (await row_of_board(client, "en"))[0] == "offline", "by a clock that stands still here"


async def test_a_body_that_was_on_its_way_when_its_agent_was_revoked_is_refused(client, tmp_path):
    begun, revoked = asyncio.Event(), asyncio.Event()

    async def slow():
        yield beat(0)[:10]
        begun.set()
        await revoked.wait()
        yield beat(0)[10:]

    sending = asyncio.create_task(client.post("/v1/batches", data=slow()))
    await begun.wait()
    await asyncio.to_thread(in_sites, tmp_path, lambda s: s.revoke("bakery", "desk", NOW))
    async with asyncio.timeout(20):
        while await send(client, 5) != 401:
            pass
    revoked.set()
    assert (await sending).status == 401


async def test_an_agent_that_joined_and_was_never_heard_is_shown_and_no_alarm(client):
    assert await agents_in_metrics(client) == set()
    assert await row_of_board(client, "en") == ("waited", "Not started yet")
    assert await row_of_board(client, "nl") == ("waited", "Nog niet gestart")


async def test_an_agent_that_joins_again_is_shown_for_good(client, tmp_path, monkeypatch):
    assert await send(client, 0) == 200
    await asyncio.to_thread(in_sites, tmp_path, lambda s: s.remove_agent("bakery", "desk", NOW))
    code = await asyncio.to_thread(
        in_sites, tmp_path, lambda s: s.make_join_code("bakery", "http://127.0.0.1:1", NOW)
    )
    async with asyncio.timeout(20):
        while await agents_in_metrics(client):
            pass
    answer = await client.post("/v1/join", json={"code": code, "agent": "desk"})
    token = (await answer.json())["token"]
    seq = 1
    async with asyncio.timeout(20):
        stayed = 0
        while stayed < 50:  # round after round
            seq += 1
            assert await send(client, seq, token) == 200
            stayed = stayed + 1 if await agents_in_metrics(client) == {"desk"} else 0

"""A disk that was copied: two machines under the name of one agent, on a collector that runs."""

import asyncio
import re

from dijkwacht_collector.sites import Sites
from dijkwacht_records.tables import AGENT, TABLES
from dijkwacht_records.wire import encode

NOW = 1_790_000_000_000_000
_TABLE = TABLES.index(AGENT)


def beat(boot, seq, time):
    row = dict.fromkeys((column.name for column in AGENT.columns), 0) | {"time": time}
    return encode("bakery", "desk", bytes([boot]) * 16, seq, NOW, [(_TABLE, tuple(row.values()))])


async def send(client, boot, seq):
    body = beat(boot, seq, NOW + (seq * 2 + boot) * 1_000_000)
    assert (await client.post("/v1/batches", data=body)).status == 200


async def shown(client):
    text = await (await client.get("/metrics")).text()
    [found] = re.findall(
        r'^dijkwacht_agent_copies\{site="bakery",agent="desk"\} (\d+)', text, re.MULTILINE
    )
    return int(found)


def noted(folder):
    sites = Sites(folder / "sites.db")
    sites.open()
    try:
        return [(row.agent, row.copies) for row in sites.agents()]
    finally:
        sites.close()


async def test_it_is_in_metrics_on_the_board_in_json_and_in_the_list(client, tmp_path):
    await send(client, 0, 0)
    assert await shown(client) == 0
    for seq in range(3):
        for boot in (0, 1):
            await send(client, boot, seq)
    assert await shown(client) == 1
    english = await (await client.get("/?lang=en")).text()
    assert "two machines use its identity: was its disk copied?" in english
    dutch = await (await client.get("/?lang=nl")).text()
    assert "twee apparaten gebruiken zijn identiteit" in dutch
    [agent] = await (await client.get("/v1/agents")).json()
    assert (agent["site"], agent["agent"], agent["copies"]) == ("bakery", "desk", 1)
    assert agent["presence"] == "up"
    async with asyncio.timeout(30):
        while await asyncio.to_thread(noted, tmp_path) != [("desk", 1)]:  # noqa: ASYNC110  # another process would look
            await asyncio.sleep(0.01)

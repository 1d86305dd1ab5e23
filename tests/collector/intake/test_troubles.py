"""What an agent says of its own trouble beside a batch."""

import re

from dijkwacht_records.tables import AGENT, TABLES
from dijkwacht_records.wire import encode

NOW = 1_790_000_000_000_000


def beat(**counters):
    row = {column.name: 0 for column in AGENT.columns} | {"time": NOW} | counters
    return TABLES.index(AGENT), tuple(row.values())


async def shown(client, seq, contract=2, counters=None, **headers):
    """The gauge after a batch with these headers, and these counters in its heartbeat."""
    rows = [beat(**(counters or {}))]
    body = encode("bakery", "desk", bytes(16), seq, NOW, rows, contract)
    assert (await client.post("/v1/batches", data=body, headers=headers)).status == 200
    metrics = await (await client.get("/metrics")).text()
    [line] = [
        line for line in metrics.splitlines() if line.startswith("dijkwacht_agent_disk_full{")
    ]
    assert 'site="bakery",agent="desk"' in line
    return int(line.rpartition(" ")[2])


async def test_a_full_disk_is_said_beside_every_batch(client):
    word = {"Dijkwacht-Trouble": "disk-full"}
    assert await shown(client, 0) == 0
    assert await shown(client, 1, **word) == 1
    assert "its disk is full" in await (await client.get("/?lang=en")).text()
    assert await shown(client, 1, **word) == 1, "in a batch that comes again"
    assert await shown(client, 2) == 0


async def test_other_words_are_ignored(client):
    for seq, said in enumerate(["", "on-fire", "disk-full-ish", "DISK-FULL", "x" * 4000]):
        assert await shown(client, seq, **{"Dijkwacht-Trouble": said}) == 0
    assert await shown(client, 9, **{"Dijkwacht-Trouble": "on-fire, disk-full"}) == 1


async def test_a_heartbeat_of_contract_2_says_it_too(client):
    """It lasts until the next one: batches of rows alone, without the word, do not end it."""
    assert await shown(client, 0, counters={"disk_full": 1}) == 1
    body = encode("bakery", "desk", bytes(16), 1, NOW, [(5, (NOW, "cpu_ratio", 0.5))])
    assert (await client.post("/v1/batches", data=body)).status == 200
    assert await shown(client, 1) == 1, "in a batch that comes again"
    assert await shown(client, 2, **{"Dijkwacht-Trouble": "disk-full"}) == 1
    assert await shown(client, 3) == 0
    assert await shown(client, 4, contract=1, counters={"disk_full": 1}) == 0, (
        "it has no such column"
    )


async def test_what_waited_is_told_beside_what_adds_up(client):
    counters = {"rows_made": 50, "rows_shed": 9, "rows_rejected": 2, "rows_waiting": 41}
    await shown(client, 0, counters=counters)
    metrics = await (await client.get("/metrics")).text()
    told = dict(re.findall(r"^dijkwacht_agent_(rows_\w+)\{.*\} (\d+)$", metrics, re.MULTILINE))
    assert told == {
        "rows_made_total": "50",
        "rows_shed_total": "9",
        "rows_waiting": "40",
    }, "one of the 41 is durable now"

"""What an agent says of its own trouble beside a batch."""

from dijkwacht_records.tables import AGENT, TABLES
from dijkwacht_records.wire import encode

NOW = 1_790_000_000_000_000


async def shown(client, seq, **headers):
    """The gauge after a batch with these headers."""
    beat = TABLES.index(AGENT), (NOW, *(0 for _ in AGENT.columns[1:]))
    body = encode("bakery", "desk", bytes(16), seq, NOW, [beat])
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

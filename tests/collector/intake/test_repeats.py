"""What is acknowledged is in the journal, once."""

import asyncio

import msgspec

from dijkwacht_collector.journal import PARTITIONS, Journal
from dijkwacht_records.replies import Refusal, Reply
from dijkwacht_records.tables import AGENT, TABLES
from dijkwacht_records.wire import encode

NOW = 1_790_000_000_000_000


def a_batch(seq):
    beat = TABLES.index(AGENT), (NOW, *(0 for _ in AGENT.columns[1:]))
    return encode("bakery", "desk", bytes(16), seq, NOW, [beat])


async def post(client, seq):
    """The status, and whether it was a duplicate or why it was refused."""
    response = await client.post("/v1/batches", data=a_batch(seq))
    content = await response.read()
    if response.status == 200:
        return 200, msgspec.json.decode(content, type=Reply).duplicate
    return response.status, msgspec.json.decode(content, type=Refusal).reason


def journalled(folder):
    journal = Journal(folder / "journal")
    journal.open()
    entries, _ = journal.read(range(PARTITIONS), {})
    journal.close()
    return [int(entry.key.rpartition("/")[2]) for entry in entries if entry.kind == "batch"]


async def test_in_whatever_order_batches_come(client, tmp_path):
    seqs = [seq * 7 % 600 for seq in range(600)]
    replies = await asyncio.gather(*(post(client, seq) for seq in seqs))
    assert replies == [(200, False)] * 600
    await client.close()
    assert sorted(await asyncio.to_thread(journalled, tmp_path)) == list(range(600))


async def test_a_batch_that_could_not_be_told_from_a_repeat_later_waits(client, monkeypatch):
    monkeypatch.setattr("dijkwacht_collector.intake.site_marks.MOST_GAPS", 0)
    said = [await post(client, seq) for seq in (0, 2, 1, 2, 0)]
    assert said == [(200, False), (503, "busy"), (200, False), (200, False), (200, True)]

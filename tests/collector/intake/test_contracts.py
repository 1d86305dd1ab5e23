"""What the intake says of the versions it reads, and that what it does not read is not lost."""

import asyncio
import contextlib
import re

import msgspec
import pytest
import zstandard
from aiohttp.test_utils import TestClient, TestServer

from dijkwacht_collector.app import build_app
from dijkwacht_collector.journal import PARTITIONS, Journal
from dijkwacht_collector.sites import Sites
from dijkwacht_records.contracts import READS
from dijkwacht_records.layout_2 import Layout, compress
from dijkwacht_records.planes import ENTRY
from dijkwacht_records.replies import JoinReply, Refusal, Reply
from dijkwacht_records.tables import DEFAULTS
from dijkwacht_records.wire import encode

NOW = 1_790_000_000_000_000


def wire(seq, version=1):
    body = encode("bakery", "desk", bytes(range(16)), seq, NOW, [], 1)
    return body[:3] + bytes([version]) + body[4:]


async def post(client, body):
    response = await client.post("/v1/batches", data=body)
    kind = Reply if response.status == 200 else Refusal
    return response, msgspec.json.decode(await response.read(), type=kind)


@pytest.fixture
async def reader_of(settings, site_token):
    """Starts a collector that reads the versions given."""
    async with contextlib.AsyncExitStack() as started:

        async def start(*reads):
            app = await asyncio.to_thread(build_app, settings, clock=lambda: NOW, reads=reads)
            client = await started.enter_async_context(TestClient(TestServer(app)))
            client.session.headers["Authorization"] = f"Bearer {site_token}"
            return client

        yield start


def batches_in(state):
    journal = Journal(state / "journal")
    journal.open()
    entries, _ = journal.read(range(PARTITIONS), {})
    journal.close()
    return [entry.payload for entry in entries if entry.kind == "batch"]


def join_code(state):
    sites = Sites(state / "sites.db")
    sites.open()
    code = sites.make_join_code("clinic", "http://127.0.0.1:8470", NOW)
    sites.close()
    return code


@pytest.mark.parametrize("version", [0, 3, 9, 255])
async def test_a_version_that_is_not_read_may_come_again(client, tmp_path, version):
    response, refusal = await post(client, wire(3, version))
    assert (response.status, response.headers["Retry-After"]) == (503, "60")
    assert (refusal.reason, refusal.contracts) == ("unknown_contract", READS)
    metrics = await (await client.get("/metrics")).text()
    assert 'dijkwacht_batches_rejected_total{reason="unknown_contract"} 1.0' in metrics
    _, reply = await post(client, wire(3))
    assert reply == Reply(3, False, NOW, READS)
    await client.close()
    assert await asyncio.to_thread(batches_in, tmp_path) == [wire(3)]


@pytest.mark.parametrize("body", [b"", b"DWB", b"DWB\x09", b"hello, this is no batch"])
async def test_what_is_no_batch_is_told_nothing_of_versions(client, body):
    response, refusal = await post(client, body)
    assert (response.status, refusal) == (400, Refusal("malformed", refusal.message))


async def test_a_stranger_is_told_nothing_of_versions(client):
    del client.session.headers["Authorization"]
    response, refusal = await post(client, wire(0, 9))
    assert (response.status, refusal.contracts) == (401, ())


async def test_every_answer_says_what_is_read(reader_of, tmp_path):
    client = await reader_of(3, 1)
    _, reply = await post(client, wire(0))
    _, refusal = await post(client, wire(1, 2))
    asked = {"code": await asyncio.to_thread(join_code, tmp_path), "agent": "reception"}
    response = await client.post("/v1/join", json=asked)
    joined = msgspec.json.decode(await response.read(), type=JoinReply)
    assert reply.contracts == refusal.contracts == joined.contracts == (1, 3)


async def test_which_versions_are_read_is_a_choice(reader_of):
    client = await reader_of(3)
    response, refusal = await post(client, wire(0, 1))
    assert (response.status, refusal.contracts) == (503, (3,))


def with_an_unknown_table(rows):
    """Rows in contract 2, of which those of the last table are of one that nobody knows here."""
    body = encode("bakery", "desk", bytes(16), len(rows), NOW, rows, 2)
    layout = msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(body[4:]), type=Layout)
    entries = ((99 if n == 6 else n, *rest) for n, *rest in ENTRY.iter_unpack(layout.index))
    layout.index = b"".join(ENTRY.pack(*entry) for entry in entries)
    layout.order = layout.order.replace(b"\6", b"\x63")
    return body[:4] + compress(layout)


async def test_rows_of_a_table_that_is_not_known_are_skipped_and_counted(reader_of, tmp_path):
    client = await reader_of(1, 2)
    metric, unknown = (5, (NOW, "cpu_ratio", 0.5)), (6, (NOW, *DEFAULTS[6][1:]))
    mixed, alone = map(with_an_unknown_table, ([metric, unknown, metric, unknown], [unknown] * 3))
    for body in (mixed, mixed, alone):
        response, _ = await post(client, body)
        assert response.status == 200
    while True:
        health = await (await client.get("/healthz")).json()
        assert health["troubles"] == []
        if health["engine_position"] == health["journal_position"]:
            break
        await asyncio.sleep(0)
    metrics = await (await client.get("/metrics")).text()
    counted = {
        name: re.search(
            rf'^dijkwacht_{name}_total{{site="bakery".*}} (.+)$', metrics, re.MULTILINE
        )[1]
        for name in ("rows", "rows_skipped", "engine_rows")
    }
    assert counted == {"rows": "7", "rows_skipped": "5", "engine_rows": "2"}
    await client.close()
    assert await asyncio.to_thread(batches_in, tmp_path) == [mixed, alone]

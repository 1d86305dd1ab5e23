"""Over the whole collector: what one token sends costs that token."""

import asyncio
import resource
import sqlite3
import subprocess
import sys

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from dijkwacht_collector.app import build_app
from dijkwacht_collector.sites import Sites
from dijkwacht_collector.sites.pairings import PairingTable
from dijkwacht_records.replies import Refusal
from dijkwacht_records.tables import AGENT, TABLES
from dijkwacht_records.wire import encode

NOW = 1_790_000_000_000_000
BEAT = TABLES.index(AGENT), (NOW, *(0 for _ in AGENT.columns[1:]))


@pytest.fixture
def tokens(tmp_path):
    sites = Sites(tmp_path / "sites.db")
    sites.open()
    made = {}
    for site in ("bakery", "clinic"):
        sites.add(site, NOW)
        made[site] = {"Authorization": f"Bearer {sites.make_token(site, 'desk', NOW)}"}
    sites.close()
    return made


@pytest.fixture
async def door(settings, tokens):
    app = await asyncio.to_thread(build_app, settings, clock=lambda: NOW)
    async with TestClient(TestServer(app)) as client:
        yield client


def beats(site, count, seq=0):
    return encode(site, "desk", bytes(16), seq, NOW, [BEAT] * count)


async def test_more_heartbeats_than_an_agent_makes_are_no_batch(door, tokens):
    answer = await door.post("/v1/batches", data=beats("bakery", 65_535), headers=tokens["bakery"])
    refusal = msgspec.json.decode(await answer.read(), type=Refusal)
    assert (answer.status, refusal.reason) == (400, "malformed")
    assert "65535 heartbeats" in refusal.message


async def test_slow_bodies_of_one_token_leave_the_others_their_room(door, tokens):
    head = "POST /v1/batches HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Length: 262144\r\n\r\nD"
    slow = []
    for _ in range(520):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(head.format(tokens["bakery"]["Authorization"]).encode())
        slow.append((reader, writer))
    # 32 are read, 256 wait for those, and the rest are told to come again.
    async with asyncio.timeout(30):
        assert await slow[-1][0].readline() == b"HTTP/1.1 503 Service Unavailable\r\n"
    answer = await door.post("/v1/batches", data=beats("clinic", 1), headers=tokens["clinic"])
    assert answer.status == 200
    for _, writer in slow:
        writer.transport.abort()


async def test_a_site_may_send_again_when_its_slow_bodies_are_gone(door, tokens):
    for seq in range(100):  # more than a site has seats
        body = beats("bakery", 1, seq)
        answer = await door.post("/v1/batches", data=body, headers=tokens["bakery"])
        assert answer.status == 200


async def test_who_wants_to_join_needs_few_bytes(door):
    answer = await door.post("/v1/join", data=bytes(5000))
    refusal = msgspec.json.decode(await answer.read(), type=Refusal)
    assert refusal.reason == "too_large"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/batches"),
        ("POST", "/v1/join"),
        ("PUT", "/v1/pairing"),
        ("POST", "/v1/orders/0/outcome"),
    ],
)
async def test_a_body_that_is_not_packed_as_it_says_is_no_error_of_ours(door, tokens, method, path):
    headers = tokens["bakery"] | {"Content-Encoding": "gzip"}
    answer = await door.request(method, path, data=b"plain", headers=headers)
    refusal = msgspec.json.decode(await answer.read(), type=Refusal)
    assert (answer.status, refusal.reason) == (400, "malformed")


async def test_a_database_that_cannot_be_written_is_said_and_may_pass(door, tokens, monkeypatch):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(PairingTable, "put", full)
    answer = await door.put("/v1/pairing", data=b"sealed", headers=tokens["bakery"])
    refusal = msgspec.json.decode(await answer.read(), type=Refusal)
    assert (answer.status, refusal.reason) == (503, "busy")
    assert answer.headers["Retry-After"] == "60"


def test_the_limit_of_open_files_is_raised():
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import resource; from dijkwacht_collector.intake import raise_limit;"
                "print(raise_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
            ),
        ],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 1000)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split() == ["1000", "1000"]

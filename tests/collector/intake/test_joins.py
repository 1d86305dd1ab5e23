"""Joining over the whole collector."""

import asyncio

import msgspec
import pytest

from dijkwacht_collector.sites import Sites
from dijkwacht_records.enrolment import PATH
from dijkwacht_records.joincode import make_code
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
    # The next failure would be the third of a minute, so it is looked at; one more is not.
    assert (await client.post("/v1/join", json=asked)).status == 401
    response = await client.post("/v1/join", json=asked)
    assert (response.status, response.headers["Retry-After"]) == (503, "20")


@pytest.fixture
def codes(tmp_path):
    """Good codes, known to the collector from its start."""
    return [join_code(tmp_path) for _ in range(5)]


JUNK = make_code("http://127.0.0.1:8470", bytes(16))


async def fail_often(client, **options):
    """Fail until it is told to wait."""
    async with asyncio.timeout(20):
        while True:
            asked = {"code": JUNK, "agent": "x"}
            answer = await client.post("/v1/join", json=asked, **options)
            if answer.status == 503:
                return
            assert answer.status == 401


def from_address(address):
    return {"headers": {"X-Forwarded-For": f"203.0.113.9, {address}"}}


@pytest.mark.parametrize(
    ("stranger", "owner"),
    [("198.51.100.1", "198.51.100.2"), ("2001:db8::1", "2001:db8:0:1::1"), ("2001:db8::1", "::1")],
)
async def test_a_stranger_blocks_nobody(site_token, codes, client, stranger, owner):
    await fail_often(client, **from_address(stranger))
    asked = {"code": JUNK, "agent": "x"}
    assert (await client.post("/v1/join", json=asked, **from_address(owner))).status == 401


async def test_a_64_is_one_address_and_what_a_client_claims_is_none(site_token, client):
    await fail_often(client, **from_address("2001:db8::1"))
    asked = {"code": JUNK, "agent": "x"}
    for header in ("2001:db8::ffff:2", "[2001:db8::3]:7", "198.51.100.1, 2001:db8::4"):
        answer = await client.post("/v1/join", json=asked, headers={"X-Forwarded-For": header})
        assert answer.status == 503


async def test_a_good_code_is_taken_though_somebody_at_its_address_fails(site_token, codes, client):
    await fail_often(client)
    for number, code in enumerate(codes):
        asked = {"code": code, "agent": f"agent-{number}"}
        assert (await client.post("/v1/join", json=asked)).status == 200
        assert (await client.post("/v1/join", json=asked)).status == 503, "it is used now"


async def test_who_tries_both_ways_of_joining_has_no_more_tries(client):
    asked = {
        "id": "AAAA",
        "agent": "x",
        "request": "",
        "nonce": "A" * 22 + "==",
        "seen": "",
        "proof": "",
    }
    junk = {"code": JUNK, "agent": "x"}
    assert (await client.post(PATH, json=asked)).status == 401
    for _ in range(2):
        assert (await client.post("/v1/join", json=junk)).status == 401
    assert (await client.post(PATH, json=asked)).status == 503
    assert (await client.post("/v1/join", json=junk)).status == 503


async def test_joins_that_succeed_do_not_count(site_token, codes, client):
    for number, code in enumerate(codes):  # more than may fail in a minute
        asked = {"code": code, "agent": f"agent-{number}"}
        assert (await client.post("/v1/join", json=asked)).status == 200
    assert (await client.post("/v1/join", json=asked)).status == 401

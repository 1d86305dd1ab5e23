"""``POST /v1/selftest``: what was seen is said, nothing is kept, and nobody but the agent itself may ask."""

import asyncio

import pytest

from dijkwacht_agent.selftest import _made
from dijkwacht_agent.settings import Settings
from dijkwacht_collector.journal import PARTITIONS
from dijkwacht_collector.maintenance import JOURNAL
from dijkwacht_records.contracts import WRITES
from dijkwacht_records.errors import RejectedBatch
from dijkwacht_records.selftest import ALL, MAX_BYTES
from dijkwacht_records.wire import encode

PATH = "/v1/selftest"


def crafted(tmp_path, site="bakery", agent="desk"):
    """The shipped capture as an agent sends it."""
    settings = Settings(site=site, agent=agent)
    (wire,) = _made(settings, tmp_path / "agent", joined=False)
    return wire


async def test_it_says_what_it_saw_and_keeps_nothing(client, tmp_path):
    wire = crafted(tmp_path)
    told_before = (await (await client.get("/metrics")).text()).count("desk")
    answer = await client.post(PATH, data=wire)
    assert answer.status == 200
    told = await answer.json()
    assert told["seen"] == list(ALL)
    assert told["rows"]["arp"] == 2
    entries, _ = await asyncio.to_thread(client.app[JOURNAL].read, range(PARTITIONS), {})
    assert "batch" not in {entry.kind for entry in entries}
    assert (await (await client.get("/metrics")).text()).count("desk") == told_before


async def test_what_is_missing_is_missing_in_the_answer(client):
    wire = encode("bakery", "desk", bytes(16), 0, 1, [], min(WRITES))
    assert (await (await client.post(PATH, data=wire)).json())["seen"] == []


@pytest.mark.parametrize(("site", "agent"), [("clinic", "desk"), ("bakery", "till")])
async def test_another_agents_is_refused(client, tmp_path, site, agent):
    assert (await client.post(PATH, data=crafted(tmp_path, site, agent))).status == 401


async def test_without_a_token_nothing_is_read(client, tmp_path):
    headers = {"Authorization": "Bearer dw_none"}
    assert (await client.post(PATH, data=crafted(tmp_path), headers=headers)).status == 401


@pytest.mark.parametrize(
    "body", [b"", b"DWB", b"DWB\x01junk", bytes(MAX_BYTES + 1), b"\xff" * 4000]
)
async def test_what_is_no_batch_is_refused(client, body):
    answer = await client.post(PATH, data=body)
    assert answer.status in {RejectedBatch.status, 413, 503}


async def test_an_unknown_contract_says_which_are_read(client, tmp_path):
    wire = crafted(tmp_path)
    answer = await client.post(PATH, data=wire[:3] + b"\x63" + wire[4:])
    assert (await answer.json())["reason"] == "unknown_contract"

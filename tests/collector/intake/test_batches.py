"""Over the whole collector as `build_app` wires it: real journal, engine, stores."""

import asyncio
import json

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from dijkwacht_collector.app import build_app
from dijkwacht_collector.engine import Engine
from dijkwacht_collector.intake.arrivals import MOST_BEATS
from dijkwacht_collector.journal import PARTITIONS, Journal
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_collector.sites import Sites
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.contracts import READS
from dijkwacht_records.replies import Refusal, Reply
from dijkwacht_records.tables import TABLES, ConnState, FlowState
from dijkwacht_records.wire import MAX_WIRE_BYTES, encode

NOW = 1_790_000_000_000_000
BOOT = bytes(range(16))
ADDRESS = bytes(10) + b"\xff\xff\x0a\x00\x00\x07"


def a_row(number=0, **values):
    table = TABLES[number]
    zero = {"int": 0, "float": 0.0, "addr": ADDRESS, "text": ""}
    row = {column.name: zero[column.kind] for column in table.columns} | {"time": NOW}
    return number, tuple((row | values).values())


def wire(seq=0, site="bakery", agent="desk", boot=BOOT, rows=None):
    return encode(site, agent, boot, seq, NOW, rows or [a_row()])


async def post(client, body, **kinds):
    response = await client.post("/v1/batches", data=body, **kinds)
    content = await response.read()
    if response.status == 200:
        return 200, msgspec.json.decode(content, type=Reply)
    return response.status, msgspec.json.decode(content, type=Refusal)


def agents_heard(folder):
    sites = Sites(folder / "sites.db")
    sites.open()
    try:
        return [row.agent for row in sites.agents() if row.last_seen]
    finally:
        sites.close()


def journalled(folder):
    journal = Journal(folder / "journal")
    journal.open()
    entries, _ = journal.read(range(PARTITIONS), {})
    journal.close()
    return [entry for entry in entries if entry.kind != "release"]


async def test_a_batch_is_durable_when_it_is_acknowledged(client, tmp_path):
    body = wire(seq=4)
    assert await post(client, body) == (200, Reply(4, False, NOW, READS))
    await client.close()
    (entry,) = await asyncio.to_thread(journalled, tmp_path)
    assert (entry.kind, entry.site, entry.arrival) == ("batch", "bakery", NOW)
    assert entry.payload == body


async def test_a_batch_that_comes_again_is_kept_once(client, settings, site_token, tmp_path):
    await post(client, wire(seq=1))
    assert await post(client, wire(seq=1)) == (200, Reply(1, True, NOW, READS))
    await client.close()
    app = await asyncio.to_thread(build_app, settings)
    async with TestClient(TestServer(app)) as again:
        again.session.headers["Authorization"] = f"Bearer {site_token}"
        status, reply = await post(again, wire(seq=1))
        assert (status, reply.duplicate) == (200, True)
    assert len(await asyncio.to_thread(journalled, tmp_path)) == 1


async def test_the_same_batch_twice_at_once_is_kept_once(client, tmp_path):
    replies = await asyncio.gather(*(post(client, wire(seq=9)) for _ in range(8)))
    assert sorted(reply.duplicate for _, reply in replies) == [False] + [True] * 7
    await client.close()
    assert len(await asyncio.to_thread(journalled, tmp_path)) == 1


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}]
)
async def test_who_has_no_token_is_refused(client, header):
    del client.session.headers["Authorization"]
    status, refusal = await post(client, wire(), headers=header)
    assert (status, refusal.reason) == (401, "not_authorised")


@pytest.mark.parametrize("other", [{"site": "clinic"}, {"agent": "till"}, {"agent": "desk-2"}])
async def test_a_token_speaks_for_its_own_agent_only(client, tmp_path, other):
    status, refusal = await post(client, wire(**other))
    assert (status, refusal.reason) == (401, "not_authorised")
    metrics = await (await client.get("/metrics")).text()
    assert 'dijkwacht_batches_rejected_total{reason="not_authorised"} 1.0' in metrics
    await client.close()
    assert await asyncio.to_thread(journalled, tmp_path) == []
    assert await asyncio.to_thread(agents_heard, tmp_path) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "malformed"),
        (b"hello, this is no batch", "malformed"),
        (b"DWB\x01garbage", "malformed"),
        (bytes(MAX_WIRE_BYTES + 1), "too_large"),
    ],
)
async def test_what_is_no_batch_is_rejected_for_good(client, body, reason):
    status, refusal = await post(client, body)
    assert (status, refusal.reason) == (400, reason)
    metrics = await (await client.get("/metrics")).text()
    assert f'dijkwacht_batches_rejected_total{{reason="{reason}"}} 1.0' in metrics


async def test_a_body_of_unknown_length_is_bounded(client):
    async def endless():
        for _ in range(10_000):
            yield bytes(4096)

    status, refusal = await post(client, endless())
    assert (status, refusal.reason) == (400, "too_large")


async def test_a_full_disk_keeps_the_batch_with_the_agent(client, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("dijkwacht_collector.journal.segment.Disk.append", full)
        response = await client.post("/v1/batches", data=wire(seq=3))
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0
        health = await client.get("/healthz")
        assert health.status == 503
        assert (await health.json())["troubles"] == ["journal: disk full"]
        assert 'class="trouble"' in await (await client.get("/")).text()
    status, reply = await post(client, wire(seq=3))
    assert (status, reply.duplicate) == (200, False)
    assert (await client.get("/healthz")).status == 200
    assert 'class="trouble"' not in await (await client.get("/")).text()


async def test_heartbeats_reach_metrics_and_console(client):
    await post(client, wire(rows=[a_row(), a_row(6, packets_seen=7, dropped_ring=2)]))
    metrics = await (await client.get("/metrics")).text()
    assert 'dijkwacht_agent_packets_total{site="bakery",agent="desk"} 7' in metrics
    assert 'dijkwacht_rows_total{site="bakery"} 2' in metrics
    assert 'dijkwacht_rows_total{site="clinic"} 0' in metrics
    assert "desk" in await (await client.get("/")).text()


async def test_of_many_heartbeats_the_last_is_told(client):
    beats = [a_row(6, packets_seen=seen) for seen in range(MOST_BEATS)]
    assert (await post(client, wire(rows=beats)))[0] == 200
    metrics = await (await client.get("/metrics")).text()
    assert (
        f'dijkwacht_agent_packets_total{{site="bakery",agent="desk"}} {MOST_BEATS - 1}' in metrics
    )


async def test_health_says_where_journal_and_engine_are(client):
    await post(client, wire())
    async with asyncio.timeout(60):
        while True:
            response = await client.get("/healthz")
            state = await response.json()
            if state["engine_position"] == PARTITIONS + 1:
                break
    assert (response.status, state["status"]) == (200, "ok")
    assert state["journal_position"] == PARTITIONS + 1  # one release for each, before all


async def test_a_broken_engine_is_said_and_the_intake_goes_on(settings, site_token, monkeypatch):
    def broken(*_):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(Engine, "step", broken)
    app = await asyncio.to_thread(build_app, settings)
    async with TestClient(TestServer(app)) as client:
        client.session.headers["Authorization"] = f"Bearer {site_token}"
        assert (await post(client, wire(seq=0)))[0] == 200
        async with asyncio.timeout(30):
            response = await client.get("/healthz")
            while response.status == 200:
                response = await client.get("/healthz")
        assert (await response.json())["troubles"] == ["engine: no such luck"]
        assert (await post(client, wire(seq=1)))[0] == 200


async def test_unknown_incidents_and_foreign_pages_get_no_verdict(client):
    said = {"verdict": "normal"}
    path = "/v1/incidents/nobody/verdict"
    assert (await client.post(path, json=said)).status == 404
    assert (await client.post(path, data=json.dumps(said))).status == 415
    assert (await client.post(path, json={"verdict": "perhaps"})).status == 400
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert (await client.post(path, json=said, headers=headers)).status == 403
    assert (await client.get("/v1/incidents", headers={"Host": "evil.example"})).status == 403


async def refused(asked):
    """The status and the refusal of an answer."""
    response = await asked
    assert response.content_type == "application/json"
    return response, msgspec.json.decode(await response.read(), type=Refusal)


async def test_everything_below_v1_is_refused_in_the_same_form(client):
    path = "/v1/incidents/nobody/verdict"
    said = {"verdict": "normal"}
    json_type = {"Content-Type": "application/json"}
    for asked, status, reason in (
        (client.get("/v1/nope"), 404, "not_found"),
        (client.delete("/v1/incidents"), 405, "method_not_allowed"),
        (client.get("/v1/batches"), 405, "method_not_allowed"),
        (client.post(path, json=said), 404, "not_found"),
        (client.post(path, data=b"{", headers=json_type), 400, "malformed"),
        (client.post(path, json={"verdict": "perhaps"}), 400, "malformed"),
        (client.post(path, data=json.dumps(said)), 415, "wrong_type"),
        (client.post(path, json=said, headers={"Origin": "http://evil.example"}), 403, "forbidden"),
        (client.get("/v1/incidents", headers={"Host": "evil.example"}), 403, "forbidden"),
        (client.post(path, data=bytes(MAX_WIRE_BYTES + 1), headers=json_type), 413, "too_large"),
    ):
        response, refusal = await refused(asked)
        assert (response.status, refusal.reason) == (status, reason)
        assert "\n" not in refusal.message
        assert ("Allow" in response.headers) == (status == 405)


async def test_operators_elsewhere_need_their_token(tmp_path, site_token):
    (tmp_path / "operators").write_text("correct-horse-battery")
    settings = CollectorSettings(
        state=tmp_path, training=False, operator_token_file=tmp_path / "operators"
    )
    app = await asyncio.to_thread(build_app, settings)
    async with TestClient(TestServer(app)) as client:
        for path in ("/", "/v1/incidents", "/metrics", "/events"):
            response = await client.get(path)
            assert response.status == 401
            assert response.headers["WWW-Authenticate"].startswith("Basic")
        _, refusal = await refused(client.get("/v1/incidents"))
        assert (refusal.reason, refusal.message) == (
            "not_authorised",
            "the operators' token is needed",
        )
        good = {"Authorization": "Bearer correct-horse-battery"}
        assert (await client.get("/v1/incidents", headers=good)).status == 200
        wrong = {"Authorization": f"Bearer {site_token}"}
        assert (await client.get("/v1/incidents", headers=wrong)).status == 401
        assert (await client.get("/healthz")).status == 200
        assert (await client.post("/v1/batches", data=wire(), headers=wrong)).status == 200


def a_scan(agent, host=66):
    """Two hundred shut doors in two seconds."""
    rows = [
        a_row(
            time=NOW - 10_000_000 + port * 10_000,
            start=NOW - 10_000_000 + port * 10_000 - 1000,
            flow_id=port,
            state=FlowState.END,
            conn_state=ConnState.REJ,
            orig_h=pack_address(f"192.168.77.{host}"),
            resp_h=pack_address("192.168.77.2"),
            orig_p=40_000 + port,
            resp_p=port,
            proto=6,
            orig_flags=2,
            resp_flags=20,
            orig_pkts=1,
            resp_pkts=1,
            local_orig=1,
            local_resp=1,
        )
        for port in range(1, 201)
    ]
    return wire(agent=agent, rows=rows)


async def the_incident(client, query, true):
    async with asyncio.timeout(100):
        while True:
            found = await (await client.get(f"/v1/incidents{query}")).json()
            if found and true(found[0]):
                return found[0]


async def test_a_scan_becomes_an_incident_and_an_answer_closes_it(client):
    await post(client, a_scan("desk"))
    finding = await the_incident(client, "?open=1", lambda f: f["severity_id"] >= 3)
    assert finding["finding_info"]["types"] == ["scan"]
    assert finding["evidences"][0]["src_endpoint"]["ip"] == "192.168.77.66"
    assert await (await client.get("/v1/incidents?site=clinic")).json() == []
    assert "192.168.77.66" in await (await client.get("/")).text()

    uid = finding["finding_info"]["uid"]
    response = await client.post(f"/v1/incidents/{uid}/verdict", json={"verdict": "normal"})
    reply = await response.json()
    assert (response.status, reply["durable"], reply["tried"]["findings"]) == (200, True, 1)
    answered = await the_incident(client, "", lambda f: f["status"] != "New")
    assert (answered["status"], answered["finding_info"]["uid"]) == ("Suppressed", uid)
    assert await (await client.get("/v1/incidents?open=1")).json() == []


async def test_incidents_come_back_when_their_store_is_lost(client, settings, tmp_path):
    await post(client, a_scan("desk"))
    told = await the_incident(client, "?open=1", lambda f: f["severity_id"] >= 3)
    await client.close()  # which saves a checkpoint behind the scan
    lines = (tmp_path / "incidents.jsonl").read_bytes()
    (tmp_path / "incidents.db").unlink()
    app = await asyncio.to_thread(build_app, settings)
    async with TestClient(TestServer(app)) as again:
        back = await the_incident(again, "?open=1", lambda f: f["severity_id"] >= 3)
    assert back["finding_info"] == told["finding_info"]
    assert back["unmapped"]["revision"] == told["unmapped"]["revision"]
    assert (tmp_path / "incidents.jsonl").read_bytes() == lines


async def test_browsers_hear_of_an_incident_as_it_happens(client):
    async with client.get("/events") as events:
        await post(client, a_scan("desk"))
        async with asyncio.timeout(100):
            async for line in events.content:
                if line.startswith(b"data:") and b"bakery" in line:
                    break
    assert b"create" in line


async def test_what_is_in_hand_is_bounded(client, monkeypatch):
    monkeypatch.setattr("dijkwacht_collector.intake.batches.MAX_BYTES_IN_HAND", 10)
    status, refusal = await post(client, wire())
    assert (status, refusal.reason) == (503, "busy")


async def test_what_a_batch_unpacks_to_is_in_hand_with_it(client, monkeypatch):
    metrics = [a_row(5, metric="m" * 100)] * 20_000
    body = wire(rows=metrics)
    monkeypatch.setattr("dijkwacht_collector.intake.batches.MAX_BYTES_IN_HAND", 50 * len(body))
    status, refusal = await post(client, body)
    assert (status, refusal.reason) == (503, "busy")
    for seq in range(60):  # what was in hand is given back
        assert (await post(client, wire(seq=seq)))[0] == 200


async def test_ten_agents_send_a_thousand_batches_each(client, tmp_path):
    def make_tokens(names):
        sites = Sites(tmp_path / "sites.db")
        sites.open()
        tokens = {name: sites.make_token("bakery", name, NOW) for name in names}
        sites.close()
        return tokens

    async def send(agent, token):
        headers = {"Authorization": f"Bearer {token}"}
        async with asyncio.timeout(20):
            while (await post(client, wire(agent=agent), headers=headers))[0] == 401:
                pass  # until the new token is known
        for seq in range(1, 1000):
            body = wire(seq=seq, agent=agent)
            answer = await client.post("/v1/batches", data=body, headers=headers)
            assert answer.status == 200
            answer.release()

    names = [f"agent-{number}" for number in range(10)]
    tokens = await asyncio.to_thread(make_tokens, names)
    await asyncio.gather(*(send(name, token) for name, token in tokens.items()))
    health = await (await client.get("/healthz")).json()
    assert health["journal_position"] == PARTITIONS + 10_000
    metrics = await (await client.get("/metrics")).text()
    assert 'dijkwacht_batches_total{site="bakery"} 10000' in metrics
    assert 'dijkwacht_batches_duplicate_total{site="bakery"} 0' in metrics

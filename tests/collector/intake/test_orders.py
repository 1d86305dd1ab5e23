"""The way back over the whole collector: orders out, outcomes and uploads in."""

import asyncio
import json
from types import SimpleNamespace

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dijkwacht_collector.app import build_app
from dijkwacht_collector.intake.orders import MOST_IN_A_REPLY
from dijkwacht_collector.sites import OrderKey, Sites, Speaker
from dijkwacht_collector.sites.orders import UPLOAD_BYTES
from dijkwacht_records.orders import Order
from dijkwacht_records.replies import Refusal, Reply
from dijkwacht_records.tables import TABLES
from dijkwacht_records.wire import encode

NOW = 1_790_000_000_000_000
DESK, TILL = Speaker("bakery", "desk"), Speaker("bakery", "till")


@pytest.fixture
async def till(client, tmp_path):
    """The headers of another agent of the same site, known to the collector."""

    def make():
        sites = Sites(tmp_path / "sites.db")
        sites.open()
        token = sites.make_token(*TILL, NOW)
        sites.close()
        return {"Authorization": f"Bearer {token}"}

    headers = await asyncio.to_thread(make)
    async with asyncio.timeout(20):
        while (await send(client, TILL, headers=headers)).status == 401:
            pass
    return headers


def send(client, agent, seq=0, **options):
    row = (5, (NOW, "cpu_ratio", 0.5))
    assert TABLES[5].name == "system"
    return client.post("/v1/batches", data=encode(*agent, bytes(16), seq, NOW, [row]), **options)


async def orders_in(client, agent=DESK, seq=0, **options):
    answer = await send(client, agent, seq, **options)
    assert answer.status == 200
    reply = msgspec.json.decode(await answer.read(), type=Reply)
    return [msgspec.json.decode(sealed.body, type=Order) for sealed in reply.sealed]


async def give(client, agent="desk", **asked):
    answer = await client.post(
        "/v1/sites/bakery/orders", json={"agent": agent, "kind": "diagnostics"} | asked
    )
    assert answer.status == 200, await answer.text()
    return (await answer.json())["id"]


async def told(client):
    rows = await (await client.get("/v1/sites/bakery/orders")).json()
    return {row["id"]: SimpleNamespace(**row) for row in rows}


def upload(client, name, data, **options):
    return client.put(f"/v1/orders/{name}/upload", data=data, **options)


def outcome(client, name, said=None, **options):
    said = {"outcome": "carried_out"} if said is None else said
    return client.post(f"/v1/orders/{name}/outcome", json=said, **options)


async def refusal_of(asked, status=400):
    answer = await asked
    assert answer.status == status, await answer.text()
    return msgspec.json.decode(await answer.read(), type=Refusal)


async def test_an_order_comes_with_every_reply_until_its_outcome_is_said(client, tmp_path):
    name = await give(client)
    for seq in range(3):  # a reply may be lost on the way
        assert [order.id for order in await orders_in(client, seq=seq)] == [name]
    assert (await orders_in(client, seq=2))[0].id == name, "with a duplicate too"
    for _ in range(2):
        assert (await outcome(client, name)).status == 200
    assert await orders_in(client, seq=3) == []
    row = (await told(client))[name]
    assert (row.kind, row.agent, row.outcome, row.answered) == (
        "diagnostics",
        "desk",
        "carried_out",
        NOW,
    )


@pytest.mark.parametrize("name", ["kind", "to", "self", "expires"])
async def test_an_argument_may_have_any_name(client, name):
    await give(client, kind="settings", arguments={name: "quiet"})
    (order,) = await orders_in(client)
    assert (order.kind, order.arguments) == ("settings", {name: "quiet"})


async def test_it_is_signed_as_it_travels(client, tmp_path):
    await give(client, kind="settings", arguments={"level": "quiet"})
    answer = await send(client, DESK)
    (sealed,) = msgspec.json.decode(await answer.read(), type=Reply).sealed
    key = OrderKey(tmp_path / "order.key")
    await asyncio.to_thread(key.open)
    Ed25519PublicKey.from_public_bytes(key.public).verify(
        sealed.signature, b"dijkwacht order 2\n" + sealed.body
    )
    order = msgspec.json.decode(sealed.body, type=Order)
    assert (order.kind, order.arguments) == ("settings", {"level": "quiet"})
    assert "orders" not in await answer.json(), "what old agents could not read is said no more"


async def test_an_agent_neither_sees_nor_ends_nor_fills_the_order_of_another(client, till):
    name = await give(client)
    assert await orders_in(client, TILL, 1, headers=till) == []
    for asked in (
        outcome(client, name, headers=till),
        upload(client, name, b"{}", headers=till),
        outcome(client, "unheard-of"),
    ):
        assert (await refusal_of(asked)).reason == "rejected"
    assert (await told(client))[name].outcome is None
    assert [order.id for order in await orders_in(client)] == [name]


@pytest.mark.parametrize("way", [outcome, upload])
async def test_a_stranger_has_no_way_back(client, way):
    name = await give(client)
    headers = {"Authorization": "Bearer dw_nobody"}
    assert (
        await refusal_of(way(client, name, {}, headers=headers), 401)
    ).reason == "not_authorised"


@pytest.mark.parametrize(
    "said",
    [{}, [], {"outcome": "rebooted"}, {"outcome": "failed", "detail": "x" * 201}, "x" * 5000],
)
async def test_an_outcome_is_of_a_closed_set_and_short(client, said):
    name = await give(client)
    assert (await refusal_of(outcome(client, name, said))).reason in {"malformed", "too_large"}
    assert (await told(client))[name].outcome is None


async def test_a_reply_carries_a_bounded_number_of_orders_the_oldest_first(client):
    names = {await give(client) for _ in range(MOST_IN_A_REPLY + 3)}
    first = [order.id for order in await orders_in(client)]
    assert len(first) == MOST_IN_A_REPLY
    for name in first:
        await outcome(client, name)
    rest = [order.id for order in await orders_in(client, seq=1)]
    assert {*first, *rest} == names


async def test_an_upload_is_one_private_file_and_the_last_counts(client, tmp_path):
    name = await give(client)
    for body in (b'{"first": true}', b'{"second": true}'):
        assert (await upload(client, name, body)).status == 200
    await outcome(client, name)
    row = (await told(client))[name]
    [file] = await asyncio.to_thread(lambda: list((tmp_path / "uploads").iterdir()))
    assert (file.name, file.stat().st_mode & 0o777) == (row.file, 0o600)
    assert (tmp_path / "uploads").stat().st_mode & 0o777 == 0o700
    assert await asyncio.to_thread(file.read_bytes) == b'{"second": true}'
    assert row.size == len(b'{"second": true}')
    assert (await refusal_of(upload(client, name, b"{}"))).message == "this order has ended"


async def test_an_upload_without_end_is_cut_off_and_leaves_nothing(client, tmp_path):
    name = await give(client)

    async def endless():
        while True:
            yield bytes(65_536)

    too_large = bytes(UPLOAD_BYTES["diagnostics"] + 1)
    assert (await refusal_of(upload(client, name, too_large))).reason == "too_large"
    assert (await refusal_of(upload(client, name, endless()))).reason == "too_large"
    assert await asyncio.to_thread(lambda: list((tmp_path / "uploads").glob("*"))) == []
    assert (await told(client))[name].file is None


async def test_an_upload_that_does_not_come_is_given_up(client, tmp_path, monkeypatch):
    monkeypatch.setattr("dijkwacht_collector.intake.bodies.GRACE_S", 0.05)
    name, never = await give(client), asyncio.Event()

    async def silent():
        yield b"{"
        await never.wait()

    refusal = await refusal_of(upload(client, name, silent()), 503)
    assert refusal.message == "the body came too slowly"
    assert await asyncio.to_thread(lambda: list((tmp_path / "uploads").glob(".*"))) == []


async def test_one_that_cannot_be_kept_is_to_come_again(client, tmp_path):
    name = await give(client)
    folder = tmp_path / "uploads"
    await asyncio.to_thread(folder.write_bytes, b"no folder")
    assert (await refusal_of(upload(client, name, b"{}"), 503)).reason == "busy"
    await asyncio.to_thread(folder.unlink)
    assert (await upload(client, name, b"{}")).status == 200


async def test_uploads_at_once_are_bounded_and_a_batch_passes_by(client, monkeypatch):
    monkeypatch.setattr("dijkwacht_collector.intake.uploads.MOST_OF_A_SITE_AT_ONCE", 1)
    name, begun, go_on = await give(client), asyncio.Event(), asyncio.Event()

    async def slow():
        yield b"{"
        begun.set()
        await go_on.wait()
        yield b"}"

    first = asyncio.create_task(upload(client, name, slow()))
    await begun.wait()
    async with asyncio.timeout(20):
        while (await upload(client, name, b"{}")).status != 503:
            pass  # until the first one has arrived
    assert (await send(client, DESK)).status == 200
    go_on.set()
    assert (await first).status == 200
    assert (await upload(client, name, b"{}")).status == 200


async def test_two_uploads_of_one_order_do_not_mix(client):
    name, begun, go_on = await give(client), asyncio.Event(), asyncio.Event()

    async def slow():
        yield b"{"
        begun.set()
        await go_on.wait()
        yield b"}"

    first = asyncio.create_task(upload(client, name, slow()))
    await begun.wait()
    async with asyncio.timeout(20):
        while (await upload(client, name, b"another")).status != 503:
            pass  # until the first one has arrived
    go_on.set()
    assert (await first).status == 200
    assert (await told(client))[name].size == 2


@pytest.mark.parametrize("way", ["outcome", "upload"])
async def test_who_is_revoked_meanwhile_has_said_nothing(client, tmp_path, way):
    name, begun, go_on = await give(client), asyncio.Event(), asyncio.Event()

    async def slow():
        yield b'{"outcome"'
        begun.set()
        await go_on.wait()
        yield b':"failed"}'

    ways = {"outcome": client.post, "upload": client.put}
    said = asyncio.create_task(ways[way](f"/v1/orders/{name}/{way}", data=slow()))
    await begun.wait()

    def revoke():
        sites = Sites(tmp_path / "sites.db")
        sites.open()
        assert sites.revoke(*DESK, NOW)
        sites.close()

    await asyncio.to_thread(revoke)
    async with asyncio.timeout(20):
        while (await send(client, DESK)).status != 401:
            pass  # until the collector has seen it
    go_on.set()
    assert (await refusal_of(said, 401)).reason == "not_authorised"
    row = (await told(client))[name]
    assert (row.outcome, row.file) == (None, None)


async def test_operators_give_orders_and_others_do_not(client):
    path = "/v1/sites/bakery/orders"
    good = {"agent": "desk", "kind": "diagnostics"}
    for asked, status in (
        (client.get("/v1/sites/butcher/orders"), 404),
        (client.post(path, json=good | {"agent": "nobody"}), 400),
        (client.post(path, json=good | {"kind": "reboot"}), 400),
        (client.post(path, json=good | {"hours": 169}), 400),
        (client.post(path, json=good | {"run": "rm"}), 400),
        (client.post(path, data=json.dumps(good)), 415),
        (client.post(path, json=good, headers={"Origin": "http://evil.example"}), 403),
        (client.get(path, headers={"Host": "evil.example"}), 403),
    ):
        await refusal_of(asked, status)
    assert await told(client) == {}


async def test_an_order_of_another_process_goes_out_within_a_round(client, tmp_path):
    def add():
        sites = Sites(tmp_path / "sites.db")
        sites.open()
        name = sites.orders.add(DESK, "diagnostics", NOW, NOW + 1000)
        sites.close()
        return name

    name = await asyncio.to_thread(add)
    async with asyncio.timeout(20):
        while not (found := await orders_in(client)):
            pass
    assert found[0].id == name


async def test_a_half_upload_of_before_a_crash_is_gone_after_the_start(tmp_path, settings):
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / ".0-1.part").write_bytes(b"{")
    app = await asyncio.to_thread(build_app, settings, clock=lambda: NOW)
    async with TestClient(TestServer(app)):
        assert await asyncio.to_thread(lambda: list((tmp_path / "uploads").iterdir())) == []


async def test_what_cannot_be_deleted_keeps_nobody_from_starting(tmp_path, settings, site_token):
    await asyncio.to_thread((tmp_path / "uploads" / ".0-1.part").mkdir, parents=True)
    app = await asyncio.to_thread(build_app, settings, clock=lambda: NOW)
    async with TestClient(TestServer(app)) as client:
        headers = {"Authorization": f"Bearer {site_token}"}
        assert (await send(client, DESK, headers=headers)).status == 200

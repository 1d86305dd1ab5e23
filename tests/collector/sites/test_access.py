"""Odd requests are refused in words, never with a 500; what was forwarded needs a token."""

import asyncio
import json
import logging
import ssl
from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.log import server_logger
from aiohttp.test_utils import make_mocked_request

from dijkwacht_collector.console import Feed, add_console
from dijkwacht_collector.logs import JsonFormatter, NoStrangers
from dijkwacht_collector.sites import Sites
from dijkwacht_collector.sites.access import (
    AGENT_PATHS,
    Operators,
    Revoked,
    TokenAuthenticator,
    is_own_origin,
)
from dijkwacht_collector.sites.speaker import Speaker
from dijkwacht_records.errors import NotAuthorised

TOKEN = "correct-horse-battery"


class NoFacts:
    """A console's data with nothing in it."""

    def incident(self, uid):
        return None


@pytest.fixture
def make_client(aiohttp_client, tmp_path):
    """A client of guarded pages, with a token for operators or none, and one path of agents."""

    async def make(token=None):
        sites = Sites(tmp_path / "sites.db")
        await asyncio.to_thread(sites.open)
        authenticator = TokenAuthenticator(sites)
        await asyncio.to_thread(authenticator.refresh)

        async def agents(request):
            try:
                return web.Response(text=authenticator.agent_of(request).site)
            except NotAuthorised as error:
                raise web.HTTPUnauthorized from error

        async def close(_app):
            await asyncio.to_thread(sites.close)

        async def broken(_request):
            raise RuntimeError("no such luck")

        async def hello(_request):
            return web.Response(text="hello")

        app = web.Application(middlewares=[Operators(token).guard])
        await asyncio.to_thread(add_console, app, NoFacts(), Feed("run"))
        app.router.add_get("/v1/incidents", hello)
        app.router.add_get("/v1/broken", broken)
        app.router.add_post("/v1/batches", agents)
        app.on_cleanup.append(close)
        return await aiohttp_client(app)

    return make


async def send(client, head, body=b""):
    """The status of a request whose head is given as bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    host = b"" if b"\r\nHost:" in head else b"Host: localhost\r\n"
    size = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    writer.write(head + host + size + body)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return int(answer.split()[1])


ODD_AUTHORIZATIONS = (
    b"Bearer \xff\xfe",
    b"Basic \xff",
    b"Basic =",
    b"\xff",
    b"Bearer",
    b"Basic 4pi=",
)


@pytest.mark.parametrize("given", ODD_AUTHORIZATIONS)
async def test_an_odd_authorisation_is_none(make_client, given):
    client = await make_client(TOKEN)
    header = b"Authorization: " + given + b"\r\n"
    assert await send(client, b"GET / HTTP/1.1\r\n" + header) == 401
    assert await send(client, b"POST /v1/batches HTTP/1.1\r\n" + header) == 401


@pytest.mark.parametrize("host", [b"[::1", b"[", b"]", b"a]b[", b"\xff", b""])
async def test_an_odd_host_is_no_name_of_ours(make_client, host):
    head = b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n"
    assert await send(await make_client(), head) in {400, 403}
    head += b"Authorization: Bearer " + TOKEN.encode() + b"\r\n"
    assert await send(await make_client(TOKEN), head) in {400, 421}


@pytest.mark.parametrize("origin", [b"http://[::1", b"[", b"\xff", b"null", b"http://a@[b/"])
async def test_an_odd_origin_is_a_strangers(make_client, origin):
    client = await make_client()
    head = b"POST /incidents/a/verdict HTTP/1.1\r\nOrigin: " + origin + b"\r\n"
    assert await send(client, head) == 403


NAME, HERE = "lab.example.nl:8470", "localhost:8470"


@pytest.mark.parametrize(
    ("host", "origin", "tls", "told", "own"),
    [
        (NAME, f"https://{NAME}", True, None, True),
        (NAME, f"http://{NAME}", True, None, False),
        (NAME, f"http://{NAME}", True, "http", False),
        (HERE, f"http://{HERE}", False, None, True),
        (HERE, f"https://{HERE}", False, None, False),
        (HERE, f"ftp://{HERE}", False, None, False),
        (HERE, f"//{HERE}", False, None, False),
        (HERE, "http://localhost:8471", False, None, False),
        (NAME, f"https://{NAME}", False, "https", True),
        (NAME, f"http://{NAME}", False, "https", False),
        (NAME, f"https://{NAME}", False, "http, HTTPS", True),
        (NAME, f"https://{NAME}", False, None, True),
        (NAME, "https://evil.example:8470", False, None, False),
    ],
)
def test_a_page_is_our_own_by_scheme_host_and_port(host, origin, tls, told, own):
    headers = {"Host": host} | ({"X-Forwarded-Proto": told} if told else {})
    secured = ssl.create_default_context() if tls else None
    request = make_mocked_request("POST", "/", headers=headers, sslcontext=secured)
    assert is_own_origin(request, origin) is own


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"multipart/form-data", b"x"),
        (b"multipart/form-data; boundary=b", b"no parts"),
        (b"multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n"),
        (b"application/x-www-form-urlencoded; charset=none-such", b"verdict=normal"),
        (b"application/x-www-form-urlencoded; charset=ascii", b"verdict=\xff\xfe"),
        (b"application/x-www-form-urlencoded", b"\xff\xfe"),
        (b"text/plain", b"verdict=normal"),
    ],
)
async def test_what_is_no_form_is_refused(make_client, kind, body):
    client = await make_client()
    head = b"POST /incidents/a/verdict HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
    assert await send(client, head + b"Content-Type: " + kind + b"\r\n", body) == 400


FORWARDED = (
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "x-forwarded-host",
    "X-Forwarded-Proto",
    "X-Real-IP",
)


@pytest.mark.parametrize("header", FORWARDED)
async def test_what_is_forwarded_needs_the_operators_token(make_client, header):
    forwarded = {"Host": "localhost", header: "192.0.2.7"}
    client = await make_client()
    assert (await client.get("/v1/incidents", headers={"Host": "localhost"})).status == 200
    refused = await client.get("/v1/incidents", headers=forwarded)
    assert refused.status == 403
    assert "operator_token_file" in await refused.text()
    client = await make_client(TOKEN)
    assert (await client.get("/v1/incidents", headers=forwarded)).status == 401
    forwarded["Authorization"] = f"Bearer {TOKEN}"
    assert (await client.get("/v1/incidents", headers=forwarded)).status == 200


async def test_agents_may_come_by_a_proxy(make_client):
    assert "/v1/batches" in AGENT_PATHS
    client = await make_client()
    forwarded = {"X-Forwarded-For": "192.0.2.7", "Authorization": "Bearer x"}
    assert (await client.post("/v1/batches", headers=forwarded)).status == 401


async def test_the_log_of_the_web_server_holds_no_address(make_client, caplog):
    logging_filter = NoStrangers()
    server_logger.addFilter(logging_filter)
    try:
        client = await make_client()
        assert (await client.get("/v1/broken", headers={"Host": "localhost"})).status == 500
        assert await send(client, b"GET / HTTP/9.9\r\n") == 400
        lines = [json.loads(JsonFormatter().format(r)) for r in caplog.records]
    finally:
        server_logger.removeFilter(logging_filter)
    [line] = [line for line in lines if line["part"] == "server"]
    assert line["event"] == "Error handling request"
    assert "no such luck" in line["traceback"]
    assert "127.0.0.1" not in line["traceback"]


def test_other_records_pass_unchanged():
    about = (ValueError, ValueError("x"), None)
    record = logging.LogRecord("x", logging.ERROR, "x", 1, "said", (), about)
    assert NoStrangers().filter(record)
    assert record.getMessage() == "said"


def test_a_token_that_is_revoked_is_at_no_moment_merely_unknown(tmp_path, monkeypatch):
    sites = Sites(tmp_path / "sites.db")
    sites.open()
    sites.add("bakery", 1)
    token = sites.make_token("bakery", "till", 1)
    authenticator, heard = TokenAuthenticator(sites), []
    request = SimpleNamespace(headers={"Authorization": f"Bearer {token}"})
    authenticator.refresh()
    sites.revoke("bakery", "till", 2)

    def asked_meanwhile(read):
        def reads():
            try:
                heard.append(type(authenticator.agent_of(request)))
            except NotAuthorised as error:
                heard.append(type(error))
            return read()

        return reads

    for name in ("tokens", "unused_codes", "revoked_tokens", "names_of_codes"):
        monkeypatch.setattr(sites, name, asked_meanwhile(getattr(sites, name)))
    monkeypatch.setattr(authenticator, "_version", -1)
    authenticator.refresh()
    assert set(heard) == {Speaker}
    with pytest.raises(Revoked):
        authenticator.agent_of(request)
    sites.close()

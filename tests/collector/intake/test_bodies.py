"""A body comes at some pace or not at all."""

import asyncio
from unittest import mock

import pytest
from aiohttp import web
from aiohttp.http_exceptions import TransferEncodingError
from aiohttp.streams import StreamReader
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from dijkwacht_collector.intake import bodies
from dijkwacht_records.errors import CollectorBusy, MalformedBatch, TooLarge, TransferError


@pytest.fixture
async def door():
    """A server that reads one body of 1,000 bytes at most; where it listens, and what came of each."""
    outcomes = asyncio.Queue()

    async def take(request):
        try:
            outcomes.put_nowait(await bodies.read_body(request, 1000))
        except TransferError as error:
            outcomes.put_nowait(error)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    async with TestClient(TestServer(app)) as client:
        yield client.server.port, outcomes


async def send(port, text):
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + text)
    await writer.drain()
    return writer


async def test_a_body_is_read_however_it_is_cut(door):
    port, outcomes = door
    writer = await send(port, b"Content-Length: 6\r\n\r\nabc")
    writer.write(b"def")
    assert await outcomes.get() == b"abcdef"
    writer.close()
    writer = await send(port, b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert await outcomes.get() == b"abc"
    writer.close()


@pytest.mark.parametrize(
    "text",
    [
        b"Content-Length: 1001\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + bytes(1001) + b"\r\n0\r\n\r\n",
    ],
)
async def test_one_that_is_too_long_is_refused(door, text):
    port, outcomes = door
    writer = await send(port, text)
    assert isinstance(await outcomes.get(), TooLarge)
    writer.close()


async def test_one_that_does_not_come_is_given_up(door, monkeypatch):
    monkeypatch.setattr(bodies, "GRACE_S", 0.0)
    port, outcomes = door
    writer = await send(port, b"Content-Length: 900\r\n\r\na")
    assert isinstance(await outcomes.get(), CollectorBusy)
    writer.close()


@pytest.mark.parametrize(
    ("raised", "meant"),
    [
        (ConnectionResetError(), CollectorBusy),
        (TransferEncodingError("no chunk"), MalformedBatch),
        (web.RequestPayloadError("no chunk"), MalformedBatch),
    ],
)
async def test_a_body_that_breaks_off_is_no_error_of_ours(raised, meant):
    content = StreamReader(mock.Mock(), 2**16, loop=asyncio.get_running_loop())
    request = make_mocked_request("POST", "/", payload=content)
    reading = asyncio.create_task(bodies.read_body(request, 1000))
    await asyncio.sleep(0)
    content.set_exception(raised)
    with pytest.raises(meant):
        await reading
    content.feed_eof()
    with pytest.raises(meant):  # it had come whole, and waited
        await bodies.read_body(request, 1000)

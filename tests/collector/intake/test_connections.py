"""Whoever asks at once gets in beside any number of half-sent heads."""

import asyncio
import contextlib

import pytest
from aiohttp import web

from dijkwacht_collector.intake import connections as module
from dijkwacht_collector.intake.connections import (
    HEAD_S,
    IDLE_S,
    KNOWN,
    Connections,
    MostConnections,
)

HALF = b"POST /v1/batches HTTP/1.1\r\nHost: x\r\nX-A: b\r\n"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
AGENT = b"GET /agent HTTP/1.1\r\nHost: x\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"


class Door:
    """A server with watched connections; ``/slow`` is answered when `answer` is set."""

    def __init__(self, most):
        self.connections = Connections(most)
        self.answer, self.asked = asyncio.Event(), asyncio.Event()
        self._writers = []

    async def open(self):
        async def fast(_request):
            return web.Response(text="yes")

        async def agent(request):
            request[KNOWN] = True
            return web.Response(text="yes")

        async def slow(_request):
            self.asked.set()
            await self.answer.wait()
            return web.Response(text="late")

        app = web.Application(middlewares=[self.connections.mark])
        app.router.add_get("/", fast)
        app.router.add_get("/agent", agent)
        app.router.add_get("/slow", slow)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        make = self.connections.watch(self._runner.server)
        self._server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]

    async def send(self, text):
        """A new connection, on which the server has ``text``."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers.append(writer)
        writer.write(text)
        await writer.drain()
        return reader, writer

    async def close(self):
        self._server.close()
        self.answer.set()
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        await self._runner.cleanup()


@pytest.fixture
async def make_door():
    doors = []

    async def make(in_all=100, of_address=100):
        doors.append(Door(MostConnections(in_all, of_address)))
        await doors[-1].open()
        return doors[-1]

    yield make
    for door in doors:
        await door.close()


async def status(reader):
    async with asyncio.timeout(10):
        line = await reader.readline()
        if not line:
            return 0
        length = 0
        while (head := await reader.readline()) not in {b"\r\n", b""}:
            if head.lower().startswith(b"content-length:"):
                length = int(head.split(b":")[1])
        await reader.readexactly(length)
    return int(line.split()[1])


async def over(reader):
    """Whether the server ends the connection without a word."""
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionResetError):
            return await reader.read() == b""
    return True


async def passes(true):
    """Return when it is true, as it must become by itself."""
    async with asyncio.timeout(10):
        while True:
            if true():
                return
            await asyncio.sleep(0)


def later(seconds):
    return asyncio.get_running_loop().time() + seconds


async def test_a_head_that_does_not_end_is_given_up(make_door):
    door = await make_door()
    reader, _ = await door.send(HALF)
    silent, _ = await door.send(b"")
    asking, _ = await door.send(GET)
    assert await status(asking) == 200
    await passes(lambda: len(door.connections) == 3)
    assert door.connections.close_late(later(HEAD_S - 1)) == 0
    assert door.connections.close_late(later(HEAD_S)) == 2
    assert await over(reader)
    assert await over(silent)
    assert len(door.connections) == 1


async def test_a_crowd_is_closed_in_pieces(make_door):
    door = await make_door(in_all=200)
    for _ in range(70):
        await door.send(HALF)
    await passes(lambda: len(door.connections) == 70)
    assert [door.connections.close_late(later(HEAD_S)) for _ in range(3)] == [64, 6, 0]


async def test_between_requests_there_is_more_time_until_the_next_begins(make_door):
    door = await make_door()
    reader, writer = await door.send(GET)
    assert await status(reader) == 200
    assert door.connections.close_late(later(HEAD_S)) == 0
    writer.write(HALF)
    await passes(lambda: door.connections.close_late(later(HEAD_S)))
    assert await over(reader)
    other, _ = await door.send(GET)
    assert await status(other) == 200
    assert door.connections.close_late(later(IDLE_S)) == 1


async def test_what_is_being_answered_may_take_its_time(make_door):
    door = await make_door(in_all=2)
    reader, _ = await door.send(SLOW)
    await door.asked.wait()
    for _ in range(5):
        await door.send(HALF)
    assert door.connections.close_late(later(10 * IDLE_S)) <= 1
    door.answer.set()
    assert await status(reader) == 200


async def test_who_asks_gets_in_beside_half_sent_heads(make_door):
    door = await make_door(in_all=20)
    for _ in range(110):
        await door.send(HALF)
        assert len(door.connections) <= 20
    for _ in range(5):
        reader, _ = await door.send(GET)
        assert await status(reader) == 200


async def test_whose_token_is_known_is_the_last_to_make_room(make_door):
    door = await make_door(in_all=3)
    reader, writer = await door.send(AGENT)
    assert await status(reader) == 200
    for _ in range(20):
        await door.send(HALF)
    writer.write(AGENT)
    assert await status(reader) == 200


async def test_where_everybody_is_being_answered_one_more_must_come_again(make_door):
    door = await make_door(in_all=1)
    reader, _ = await door.send(SLOW)
    await door.asked.wait()
    refused, _ = await door.send(GET)
    assert await status(refused) == 503
    door.answer.set()
    assert await status(reader) == 200


async def test_an_address_has_its_own_limit_and_makes_room_for_itself(make_door, monkeypatch):
    monkeypatch.setattr(module, "peer_address", lambda _peer: "near")
    door = await make_door(of_address=2)
    near, near_writer = await door.send(AGENT)
    assert await status(near) == 200
    monkeypatch.setattr(module, "peer_address", lambda _peer: "far")
    for _ in range(10):
        await door.send(HALF)
        assert len(door.connections) <= 3
    reader, _ = await door.send(GET)
    assert await status(reader) == 200
    near_writer.write(AGENT)
    assert await status(near) == 200


async def test_nothing_is_kept_of_what_has_ended(make_door):
    door = await make_door()
    for text in (GET, AGENT, HALF):
        _, writer = await door.send(text)
        writer.close()
    await passes(lambda: not len(door.connections))
    own = door.connections
    assert (own._strangers, own._known, own._of_address) == ({}, {}, {})

"""Connections over TLS: bounded and timed like bare ones, and nothing that comes early is lost."""

import asyncio
import contextlib
import functools
import socket
import ssl
import struct
import time

import pytest
import uvloop
from aiohttp import web

from dijkwacht_collector.intake import handshakes as module
from dijkwacht_collector.intake.connections import HEAD_S, Connections, MostConnections
from dijkwacht_collector.intake.handshakes import Handshakes
from dijkwacht_collector.sites.authority import Authority
from dijkwacht_records.enrolment import COLLECTOR_NAME

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
HELLO = b"\x16\x03\x01\x02\x00\x01"


def clock():
    return time.time_ns() // 1000


@pytest.fixture
def authority(tmp_path):
    made = Authority(tmp_path / "authority", [], clock)
    made.open()
    return made


@pytest.fixture
def trusting(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority.bundle)
    return context


class Door:
    """A server over TLS; ``/slow`` is answered when `answer` is set."""

    def __init__(self, most, authority):
        self.connections = Connections(most)
        self.handshakes = Handshakes(self.connections, lambda: authority.context)
        self.answer, self.asked = asyncio.Event(), asyncio.Event()

    def __len__(self):
        return len(self.connections)

    async def open(self):
        async def fast(_request):
            return web.Response(text="yes")

        async def slow(_request):
            self.asked.set()
            await self.answer.wait()
            return web.Response(text="late")

        app = web.Application(middlewares=[self.connections.mark])
        app.router.add_get("/", fast)
        app.router.add_get("/slow", slow)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        make = self.handshakes.watch(self._runner.server)
        self.loop = asyncio.get_running_loop()
        self._server = await self.loop.create_server(make, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self):
        self._server.close()
        self.answer.set()
        await self._runner.cleanup()


@pytest.fixture
async def make_door(authority):
    doors = []

    async def make(in_all=20):
        doors.append(Door(MostConnections(in_all, 20), authority))
        await doors[-1].open()
        return doors[-1]

    yield make
    for door in doors:
        await door.close()


@pytest.fixture
async def door(make_door):
    return await make_door()


async def connect(door, context=None):
    name = COLLECTOR_NAME if context else None
    return await asyncio.open_connection(
        "127.0.0.1", door.port, ssl=context, server_hostname=name, limit=1 << 20
    )


async def ask(door, context):
    async with asyncio.timeout(20):
        reader, writer = await connect(door, context)
        writer.write(GET)
        status = int((await reader.readline()).split()[1])
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return status


async def passes(true):
    async with asyncio.timeout(20):
        while True:
            if true():
                return
            await asyncio.sleep(0)


async def test_a_request_comes_through(door, trusting):
    assert await ask(door, trusting) == 200
    await passes(lambda: not len(door))
    own = door.connections
    assert (own._strangers, own._known, own._of_address) == ({}, {}, {})


async def test_what_comes_before_somebody_reads_is_not_lost(door, trusting, monkeypatch):
    """As where the first words of a client come before the handshake was begun."""
    real = door.handshakes._shake_hands

    async def late(watched, transport):
        await passes(lambda: watched._early)
        await real(watched, transport)

    monkeypatch.setattr(door.handshakes, "_shake_hands", late)
    assert await ask(door, trusting) == 200


async def test_half_a_handshake_makes_room_and_is_given_up(door, trusting, monkeypatch):
    lines = [await connect(door) for _ in range(60)]
    for _, writer in lines:
        writer.write(HELLO)
    await passes(lambda: len(door) == 20)
    assert await ask(door, trusting) == 200
    assert len(door) <= 20
    late = asyncio.get_running_loop().time() + HEAD_S
    await passes(lambda: door.connections.close_late(late) or not len(door))
    await passes(lambda: not door.handshakes._under_way)
    for reader, writer in lines:
        writer.close()
        with contextlib.suppress(OSError):
            await reader.read()


async def test_where_everybody_is_being_answered_one_more_is_hung_up_on_without_a_word(
    make_door, trusting
):
    door = await make_door(in_all=1)
    reader, writer = await connect(door, trusting)
    writer.write(SLOW)
    async with asyncio.timeout(20):
        await door.asked.wait()
        other, other_writer = await connect(door)
        assert await other.read() == b"", "what is not TLS would only puzzle its reader"
        door.answer.set()
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    for one in (writer, other_writer):
        one.close()


async def test_who_makes_room_is_not_waited_for_to_say_goodbye(make_door, trusting, monkeypatch):
    door, said = await make_door(in_all=1), []
    _, writer = await connect(door, trusting)
    await passes(lambda: not door.handshakes._under_way)
    [transport] = door.connections._all
    for name in ("abort", "close"):
        monkeypatch.setattr(type(transport), name, lambda *_, name=name: said.append(name))
    door.connections.close_late(door.loop.time() + HEAD_S)
    monkeypatch.undo()
    assert said == ["abort"]
    transport.abort()
    writer.close()


async def test_a_handshake_that_does_not_end_ends_by_itself(door, monkeypatch):
    monkeypatch.setattr(module, "HANDSHAKE_S", 0.05)
    reader, writer = await connect(door)
    writer.write(HELLO)
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    await passes(lambda: not len(door))
    writer.close()


@pytest.mark.parametrize("turns", range(4))
async def test_who_is_gone_before_the_handshake_leaves_nothing(door, monkeypatch, turns):
    monkeypatch.setattr(module, "HANDSHAKE_S", 3600.0)
    watched, (near, far) = door.handshakes.watch(asyncio.Protocol)(), socket.socketpair()
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: watched, sock=near)
    assert len(door) == len(door.handshakes._under_way) == 1
    for _ in range(turns):
        await asyncio.sleep(0)
    watched.connection_lost(None)  # as uvloop says it to whom it had in mind
    await passes(lambda: not door.handshakes._under_way)
    await passes(lambda: len(asyncio.all_tasks()) == 1)
    assert len(door) == 0
    far.close()


def client_hello(trusting):
    said = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        trusting.wrap_bio(ssl.MemoryBIO(), said, server_hostname=COLLECTOR_NAME).do_handshake()
    return said.read()


def test_who_says_hello_and_is_gone_is_in_no_log(authority, trusting):
    """By the loop that the collector runs in: asyncio's own says less."""
    hello, wrong, begun = client_hello(trusting), [], []

    async def meet():
        asyncio.get_running_loop().set_exception_handler(lambda _, told: wrong.append(told))
        door = Door(MostConnections(60, 60), authority)
        begin = door.handshakes.begin
        door.handshakes.begin = lambda *given: begun.append(1) or begin(*given)
        await door.open()
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", door.port)) as line:
                line.sendall(hello)
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await passes(lambda: len(begun) == 20 and not door.handshakes._under_way)
        await passes(lambda: not len(door))
        await door.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(meet())
    assert not wrong


async def test_after_many_given_up_handshakes_memory_goes_back(door, monkeypatch):
    given = asyncio.Event()
    monkeypatch.setattr(module, "_MANY_GIVEN_UP", 3)
    monkeypatch.setattr(
        module, "give_back", functools.partial(door.loop.call_soon_threadsafe, given.set)
    )
    for _ in range(3):
        assert not given.is_set()
        _, writer = await connect(door)
        writer.write(GET)
        await passes(lambda: len(door))
        await passes(lambda: not len(door))
        writer.close()
    async with asyncio.timeout(20):
        await given.wait()


async def test_who_speaks_no_tls_is_hung_up_on(door, trusting, caplog):
    reader, writer = await connect(door)
    writer.write(GET)
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP" not in await reader.read()
    writer.close()
    await passes(lambda: not len(door))
    assert await ask(door, trusting) == 200
    assert [record for record in caplog.records if record.name != "asyncio"] == []
    assert "127.0.0.1" not in caplog.text


async def test_the_context_is_asked_for_each_connection(door, authority, trusting):
    assert await ask(door, trusting) == 200
    await asyncio.to_thread(authority.rotate)
    await asyncio.to_thread(authority.drop_oldest)
    with pytest.raises(ssl.SSLCertVerificationError):
        await ask(door, trusting)

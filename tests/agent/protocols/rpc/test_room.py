"""What all conversations keep together is bounded: who was heard least recently gives way, and goes on anew."""

import contextlib
import ssl
import struct
import tracemalloc

import pytest

from dijkwacht_agent.frames import block_of
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.memory.room import Room
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.protocols.listener import MAX_MESSAGES
from dijkwacht_records.rpc_interfaces import RpcInterface
from dijkwacht_records.tables import RPC, TABLES, TLS
from dijkwacht_records.vocabulary import RpcKind, RpcStatus

SERVER = bytes((10, 0, 0, 2))
TIME = 1_000_000


class Site:
    """Clients of one server, and the meter that sees them; ``limit``: of its `Room`, in bytes."""

    def __init__(self, limit: int) -> None:
        self.meter = Meter(LocalNetworks())
        self.room = self.meter._table.room = Room(limit)
        self.time = TIME
        self.next: dict[tuple[int, bool], int] = {}

    def say(self, client: int, by_client: bool, data: bytes) -> None:
        ends = bytes((10, 1, client >> 8, client & 255)), SERVER
        ports = (50_000, 445)
        if not by_client:
            ends, ports = ends[::-1], ports[::-1]
        at = self.next.get((client, by_client), 1)
        self.next[client, by_client] = at + len(data)
        tcp = struct.pack(">HHIIBBHHH", *ports, at, 0, 0x50, 16, 8192, 0, 0)
        size = 40 + len(data)
        head = struct.pack(">BBHHHBBH", 0x45, 0, size, 0, 0, 64, 6, 0)
        frame = bytes(12) + b"\x08\x00" + head + b"".join(ends) + tcp + data
        self.time += 600
        self.meter.feed(block_of([(self.time, 1, frame, len(frame), 0)]))

    def rows(self) -> list[tuple]:
        self.meter.finish()
        return [row for number, row in self.meter.take().rows() if TABLES[number] is RPC]


@pytest.fixture
def hoard(say):
    """Opens pipes, begins a bind through each, and asks what nobody answers: about 60 KB a client."""

    def hoard(site: Site, client: int) -> None:
        bind = say.bind(dict.fromkeys(range(16), RpcInterface.SVCCTL))
        half = bind[:8] + struct.pack("<H", 5000) + bind[10:]
        for n in range(20):
            handle = struct.pack("<IQI", client, n, 7)
            for number, data in enumerate((bind, half)):
                site.say(client, True, say.framed(say.smb2_write(2 * n + number, handle, data)))
        for n in range(100, 140):
            site.say(client, True, say.framed(say.smb2_session(n)))

    return hoard


def test_many_clients_that_hoard_do_not_fill_the_memory(hoard):
    site, limit = Site(1 << 20), 1 << 20
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for client in range(60):
        hoard(site, client)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert limit // 2 < site.room.kept <= limit
    assert site.room.given_up == site.meter.counters["messages_shed"] > 30
    assert after - before < 1.5 * limit
    site.meter.finish()
    assert site.room.kept == 0


def test_who_gives_way_tells_what_it_heard_and_is_heard_again(say):
    site = Site(5_000)
    for client in (1, 2, 3, 1):
        for answered in (True, False):
            number = 2 + answered
            site.say(client, True, say.framed(say.smb2_session(number)))
            if answered:
                site.say(client, False, say.framed(say.smb2_session(number, status=0)))
    assert site.room.given_up == 2
    counted: dict[tuple[int, int], int] = {}
    for row in site.rows():
        assert row[6] == RpcKind.SESSION
        key = row[2][-1], row[10]
        counted[key] = counted.get(key, 0) + row[11]
    asked = {1: 2, 2: 1, 3: 1}
    assert counted == {
        (client, status): times
        for client, times in asked.items()
        for status in (RpcStatus.SUCCESS, RpcStatus.UNANSWERED)
    }


def test_a_flow_that_is_over_keeps_nothing(say):
    site = Site(1 << 20)
    site.say(1, True, say.framed(say.smb2_session(1)))
    site.say(2, True, say.framed(say.smb2_session(1)))
    both = site.room.kept
    site.meter.advance(site.time + 3_600_000_000)
    assert both > 1000
    assert site.room.kept == 0
    assert site.room.given_up == 0


def test_many_messages_in_one_payload_cost_as_much_as_in_many(say):
    """What is left of a second's budget is what the messages left, those inside pipes among them."""
    calls = b"".join(say.request(7, call) for call in range(50))
    for payloads, cost in (
        ([b"".join(say.framed(say.smb2_tree(n, "\\\\d\\IPC$")) for n in range(30))], 30),
        ([say.framed(say.smb2_write(n, data=calls)) for n in range(3)], 3 * 51),
        ([say.bind({0: RpcInterface.SVCCTL}), calls], 51),
    ):
        site = Site(1 << 20)
        for payload in payloads:
            site.say(1, True, payload)
        budget = site.meter._listener.budget
        assert budget._limit - budget._left == cost


def client_hello() -> bytes:
    """As OpenSSL makes it."""
    sent = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(
        ssl.MemoryBIO(), sent, server_hostname="nas.example"
    )
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return sent.read()


def test_a_burst_of_calls_leaves_handshakes_their_own_budget(say):
    site = Site(1 << 20)
    calls = b"".join(say.request(7, call) for call in range(200))
    site.say(1, True, say.bind({0: RpcInterface.SVCCTL}))
    for _ in range(MAX_MESSAGES // 200 + 5):
        site.say(1, True, calls)
    assert site.meter.counters["messages_shed"] > 0
    site.say(2, True, client_hello())
    site.meter.finish()
    named = [r[6] for number, r in site.meter.take().rows() if TABLES[number] is TLS]
    assert named == ["nas.example"]

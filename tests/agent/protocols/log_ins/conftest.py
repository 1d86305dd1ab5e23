"""What is said over one flow, as frames; what the meter makes of its log-ins."""

import struct
from collections.abc import Callable, Iterable
from itertools import cycle
from typing import NamedTuple

import pytest

from dijkwacht_agent.frames import block_of
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_records.addresses import format_address
from dijkwacht_records.tables import AUTH, TABLES
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus, EtypeClass

CLIENT, SERVER = bytes((10, 0, 0, 9)), bytes((10, 0, 0, 2))
CLIENT_PORT = 50_000
TCP, UDP = 6, 17
SYN, FIN, ACK, RST = 2, 1, 16, 4
AUTH_TABLE = TABLES.index(AUTH)


class Attempts(NamedTuple):
    """A row of ``auth``, without its flow."""

    service: AuthService
    method: AuthMethod
    etype: EtypeClass
    status: AuthStatus
    failed: int
    succeeded: int
    unknown: int
    accounts: int


class Said(NamedTuple):
    """Bytes of one side; ``by_client`` tells which."""

    by_client: bool
    data: bytes


def ipv4(proto: int, source: bytes, target: bytes, body: bytes) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, proto, 0)
    return b"\x02" * 12 + b"\x08\x00" + head + source + target + body


class Wire:
    """A flow between two machines and the meter that sees it."""

    def __init__(self, proto: int, port: int, client_port: int) -> None:
        self.meter = Meter(LocalNetworks())
        self.time = 1_000_000
        self._proto, self._ports = proto, (client_port, port)
        self._next = {True: 0xFFFFFF00, False: 7}  # one of them wraps
        self.rows: list[tuple] = []

    def send(self, by_client: bool, data: bytes = b"", flags: int = ACK) -> None:
        ends = (CLIENT, SERVER) if by_client else (SERVER, CLIENT)
        ports = self._ports if by_client else self._ports[::-1]
        if self._proto == UDP:
            transport = struct.pack(">HHHH", *ports, 8 + len(data), 0)
        else:
            sequence = self._next[by_client]
            step = len(data) + (1 if flags & (SYN | FIN) else 0)
            self._next[by_client] = (sequence + step) % (1 << 32)
            transport = struct.pack(">HHIIBBHHH", *ports, sequence, 0, 0x50, flags, 8192, 0, 0)
        frame = ipv4(self._proto, *ends, transport + data)
        self.time += 1_000
        self.meter.feed(block_of([(self.time, 1, frame, len(frame), 0)]))

    def lose(self, by_client: bool, size: int) -> None:
        """So many bytes pass elsewhere."""
        self._next[by_client] = (self._next[by_client] + size) % (1 << 32)

    def take(self) -> list[tuple]:
        return [row for number, row in self.meter.take().rows() if number == AUTH_TABLE]

    def finish(self) -> list[tuple]:
        self.meter.finish()
        return self.take()


def attempts(rows: Iterable[tuple]) -> list[Attempts]:
    kinds = AuthService, AuthMethod, EtypeClass, AuthStatus
    return sorted(
        Attempts(*(kind(value) for kind, value in zip(kinds, row[5:9], strict=True)), *row[9:])
        for row in rows
    )


def pieces(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    found = []
    for size in cycle(sizes):
        if not data:
            return found
        found.append(data[:size])
        data = data[size:]
    raise AssertionError


@pytest.fixture(scope="session")
def wire() -> Callable[..., Wire]:
    """A flow that is driven by hand."""

    def make(port: int, proto: int = TCP, client_port: int = CLIENT_PORT) -> Wire:
        return Wire(proto, port, client_port)

    return make


@pytest.fixture(scope="session")
def read_attempts() -> Callable[[Iterable[tuple]], list[Attempts]]:
    """Rows as `Attempts`, in order."""
    return attempts


@pytest.fixture(scope="session")
def heard() -> Callable[..., list[Attempts]]:
    """Rows of a whole flow: ``sizes`` are those of its segments, ``begun`` whether its SYN was seen.

    Each side's first ``whole`` bytes come in one segment: by them a flow is recognised.
    """

    def hear(
        exchange: Iterable[tuple[bool, bytes]],
        port: int,
        *,
        proto: int = TCP,
        sizes: Iterable[int] = (1460,),
        whole: int = 0,
        begun: bool = True,
        client_port: int = CLIENT_PORT,
        ends: bool = False,
    ) -> list:
        wire = Wire(proto, port, client_port)
        if begun and proto == TCP:
            wire.send(True, flags=SYN)
            wire.send(False, flags=SYN | ACK)
        fresh = {True: whole, False: whole}
        for by_client, data in exchange:
            first, fresh[by_client] = fresh[by_client], 0
            if first:
                wire.send(by_client, data[:first])
            cut = [data[first:]] if proto == UDP else pieces(data[first:], sizes)
            for piece in cut:
                wire.send(by_client, piece)
        if proto == TCP:
            wire.send(True, flags=FIN | ACK)
            wire.send(False, flags=FIN | ACK)
        rows = wire.finish()
        if ends:
            return [(format_address(row[2]), format_address(row[3]), row[4]) for row in rows]
        return attempts(rows)

    return hear

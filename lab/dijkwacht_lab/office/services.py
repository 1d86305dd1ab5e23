"""What answers in an office and on its internet: small servers, as true on the wire as they need be."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, cast

from dijkwacht_lab.office.leases import serve_leases
from dijkwacht_lab.office.names import answer, asked
from dijkwacht_lab.office.plans import Plan

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CARRIED_PORT: Final = 8000
"""Where the far end of a tunnel takes what is carried through it."""
_PAGE = bytes(range(32, 127)) * 700
_PATIENCE = 30.0


async def internet(plan: Plan, folder: Path) -> None:
    """Web, mail, names, time, and the sink behind the tunnel; certificate and key are in ``folder``."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    await _serve(web, 80)
    await _serve(web, 443, tls)
    await _serve(imap, 993, tls)
    await _serve(smtp, 587)
    await _serve(_sink, CARRIED_PORT)
    loop = asyncio.get_running_loop()
    address = (plan.resolver, 53)
    await loop.create_datagram_endpoint(lambda: _Names(plan.sites), local_addr=address)
    await loop.create_datagram_endpoint(_Clock, local_addr=("0.0.0.0", 123))  # noqa: S104


async def gateway(plan: Plan, _folder: Path) -> None:
    """Names for the office, asked further up, and its leases."""
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: _Forwarder(plan), local_addr=(plan.gateway, 53))
    await serve_leases(plan)
    await _serve(web, 80)


async def server(plan: Plan, _folder: Path) -> None:
    """The office's own server: files, a page, FTP and POP3 with a password worth guessing."""
    await _serve(files, 445)
    await _serve(web, 80)
    await _serve(lambda r, w: ftp(r, w, plan.guess), 21)
    await _serve(lambda r, w: pop3(r, w, plan.guess), 8110)


async def printer(_plan: Plan, _folder: Path) -> None:
    """Takes paper on 9100 and shows a page."""
    await _serve(_sink, 9100)
    await _serve(web, 80)


async def _serve(handler: Handler, port: int, tls: ssl.SSLContext | None = None) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, EOFError, ValueError, TimeoutError):
                async with asyncio.timeout(4 * _PATIENCE):
                    await handler(reader, writer)
        finally:
            writer.close()

    await asyncio.start_server(handle, "0.0.0.0", port, ssl=tls, backlog=512)  # noqa: S104 - a namespace


async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """HTTP/1.1: ``/.../BYTES`` gives a page of that size; what is posted is taken and dropped."""
    while True:
        async with asyncio.timeout(_PATIENCE):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.partition("content-length:")[2].partition("\r\n")[0] or 0)
        if length:
            await reader.readexactly(min(length, 1 << 20))
        tail = head.split(" ")[1].rpartition("/")[2]
        size = min(int(tail), len(_PAGE)) if tail.isdecimal() else 400
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + _PAGE[:size])
        await writer.drain()


async def files(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Eight bytes ask: how many to read (4), how many follow to be written (4)."""
    while True:
        ask = await reader.readexactly(8)
        give, take = int.from_bytes(ask[:4], "big"), int.from_bytes(ask[4:], "big")
        await reader.readexactly(min(take, 1 << 20))
        writer.write(_PAGE[: min(give, len(_PAGE))] or b"\0")
        await writer.drain()


async def imap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Every command is well; ``FETCH BYTES`` gives a message of that size."""
    writer.write(b"* OK ready\r\n")
    while words := (await reader.readline()).split():
        if words[1:2] == [b"FETCH"]:
            size = min(int(words[2]), len(_PAGE))
            writer.write(b"* 1 FETCH {%d}\r\n" % size + _PAGE[:size] + b"\r\n")
        writer.write(words[0] + b" OK done\r\n")
        await writer.drain()


async def smtp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes a message."""
    writer.write(b"220 mail ready\r\n")
    while line := await reader.readline():
        if line.startswith(b"DATA"):
            writer.write(b"354 go on\r\n")
            await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 well\r\n")
        await writer.drain()


async def ftp(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, guess: tuple[str, str]
) -> None:
    """As much FTP as it takes to log in, or not; three wrong passwords end the connection."""
    await _log_in(
        reader, writer, guess, (b"220 files\r\n", b"331 password\r\n", b"230 in\r\n", b"530 no\r\n")
    )


async def pop3(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, guess: tuple[str, str]
) -> None:
    """As much POP3 as it takes to log in, or not."""
    await _log_in(
        reader, writer, guess, (b"+OK mail\r\n", b"+OK\r\n", b"+OK in\r\n", b"-ERR no\r\n")
    )


async def _log_in(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    guess: tuple[str, str],
    says: tuple[bytes, bytes, bytes, bytes],
) -> None:
    greet, next_please, welcome, wrong = says
    user = ""
    failed = 0
    writer.write(greet)
    while failed < 3 and (line := await reader.readline()):
        verb, _, word = line.decode("latin-1").strip().partition(" ")
        if verb.upper() == "USER":
            user = word
            writer.write(next_please)
        elif verb.upper() == "PASS":
            right = (user, word) == guess
            failed += not right
            await asyncio.sleep(0 if right else 0.25)
            writer.write(welcome if right else wrong)
        else:
            writer.write(wrong)
            if verb.upper() == "QUIT":
                return
        await writer.drain()


async def _sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass
    writer.write(b"\0")


class _Datagrams(asyncio.DatagramProtocol):
    transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)


class _Names(_Datagrams):
    """Knows the plan's sites and nothing else."""

    def __init__(self, sites: dict[str, str]) -> None:
        self.sites = sites

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        with contextlib.suppress(ValueError):
            self.transport.sendto(answer(data, self.sites.get(asked(data)[0])), sender)


class _Clock(_Datagrams):
    """Answers NTP's question in its own length."""

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        self.transport.sendto(b"\x24\x02" + data[2:48], sender)


class _Forwarder(_Datagrams):
    """Asks the resolver, or, for the tunnel's zone, whoever serves that; relays what they say."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.waiting: dict[tuple[bytes, str], tuple[str, int]] = {}
        self.above: dict[str, asyncio.DatagramTransport] = {}
        self.opening: set[asyncio.Task[None]] = set()

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        try:
            name, _, _ = asked(data)
        except ValueError:
            return
        if self.plan.strict_names and not name.isascii():
            self.transport.sendto(answer(data, None), sender)
            return
        far = (
            self.plan.tunnel_server if name.endswith(self.plan.tunnel_zone) else self.plan.resolver
        )
        if len(self.waiting) > 4096:
            self.waiting.clear()
        self.waiting[data[:2], far] = sender
        if far in self.above:
            self.above[far].sendto(data)
        else:
            task = asyncio.ensure_future(self._open(far, data))
            self.opening.add(task)
            task.add_done_callback(self.opening.discard)

    async def _open(self, far: str, data: bytes) -> None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Above(self, far), remote_addr=(far, 53)
        )
        self.above[far] = transport
        transport.sendto(data)


class _Above(_Datagrams):
    def __init__(self, below: _Forwarder, far: str) -> None:
        self.below = below
        self.far = far

    def datagram_received(self, data: bytes, _sender: tuple[str, int]) -> None:
        if sender := self.below.waiting.pop((data[:2], self.far), None):
            self.below.transport.sendto(data, sender)

    def error_received(self, _error: Exception) -> None:
        """Nobody serves there now: the question stays without an answer."""

"""Those who work in an office: each a process in its own namespace, with seeded habits."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

from dijkwacht_lab.office.leases import ask_lease
from dijkwacht_lab.office.names import question, told
from dijkwacht_lab.office.plans import Host, Plan
from dijkwacht_lab.office.services import CARRIED_PORT

_PATIENCE = 8.0
_MDNS = ("224.0.0.251", 5353)


class Person:
    """Somebody at ``host``: asks names, opens connections, moves bytes, as real programs would."""

    def __init__(self, plan: Plan, host: Host) -> None:
        self.plan = plan
        self.host = host
        self.rng = random.Random(f"{plan.seed} {host.name}")  # noqa: S311 - repeatable habits
        self.known: dict[str, tuple[float, str]] = {}
        # The offices' certificate is their own and new each time: there is nobody to vouch for it.
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE

    async def arrive(self) -> None:
        """Ask for an address, take it, and send what leaves the office to the gateway."""
        await asyncio.sleep(self.rng.random() * 2)
        mac = self.plan.mac(self.host.name)
        leased = await ask_lease(mac, self.host.name, self.rng.getrandbits(32))
        width = self.plan.network.partition("/")[2]
        for words in (
            ("addr", "add", f"{leased}/{width}", "dev", "eth0"),
            ("route", "add", "default", "via", self.plan.gateway),
        ):
            changed = await asyncio.create_subprocess_exec("ip", *words)
            if await changed.wait():
                raise OSError(f"ip {' '.join(words)} failed")

    async def work(self) -> None:
        """Live the habits of this host's kind until cancelled."""
        rng, plan = self.rng, self.plan
        habits: list[tuple[Callable[[], Awaitable[None]], float, float]] = [
            (self.tell_time, 64, 0.02),
            (self.browse, self.host.pace, 1),
        ]
        if self.host.kind == "workstation":
            habits += [
                (self.poll_mail, plan.mail_every, 0.15),
                (self.open_file, plan.file_every, 1),
                (self.print_paper, plan.print_every, 1),
                (self.send_mail, 3 * plan.mail_every, 1),
                (self.look_around, 60, 1),
            ]
        async with asyncio.TaskGroup() as group:
            for act, period, jitter in habits:
                group.create_task(self._again(act, period, jitter, rng.random() * period))

    async def _again(
        self, act: Callable[[], Awaitable[None]], period: float, jitter: float, first: float
    ) -> None:
        await asyncio.sleep(first)
        while True:
            with contextlib.suppress(OSError, EOFError, TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    await act()
            pause = self.rng.expovariate(1) if jitter == 1 else 1 + jitter * self.rng.uniform(-1, 1)
            await asyncio.sleep(period * pause)

    async def look_up(self, name: str) -> str | None:
        """The address of ``name``, from memory or by asking the gateway."""
        loop = asyncio.get_running_loop()
        until, address = self.known.get(name, (0.0, ""))
        if until > loop.time():
            return address
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
            handle.setblocking(False)
            handle.connect((self.plan.gateway, 53))
            for qtype in (28, 1) if self.rng.random() < 0.5 else (1,):
                await loop.sock_sendall(handle, question(self.rng.getrandbits(16), name, qtype))
                async with asyncio.timeout(2):
                    found = told(await loop.sock_recv(handle, 512))
        if found:
            self.known[name] = loop.time() + 30, found
        return found

    @contextlib.asynccontextmanager
    async def connected(
        self, name: str, port: int, *, tls: bool = False
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection to ``name`` (or an address), closed afterwards. Raises ``OSError``."""
        address = name if name[0].isdigit() else await self.look_up(name)
        if not address:
            raise OSError(f"no address for {name}")
        reader, writer = await asyncio.open_connection(
            address, port, ssl=self.tls if tls else None, server_hostname=name if tls else None
        )
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def fetch(self, name: str, size: int, *, tls: bool, post: int = 0) -> None:
        """Get a page of ``size`` bytes from ``name``, giving it ``post`` bytes."""
        async with self.connected(name, 443 if tls else 80, tls=tls) as (reader, writer):
            verb = "POST" if post else "GET"
            head = f"{verb} /p/{size} HTTP/1.1\r\nHost: {name}\r\nContent-Length: {post}\r\n\r\n"
            writer.write(head.encode() + bytes(post))
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(size)

    async def browse(self) -> None:
        """A page and what belongs to it: one place often, the others as they come."""
        rng = self.rng
        sites = [name for name in self.plan.sites if name != self.plan.mail_site]
        if rng.random() < 0.03:
            await self.look_up(f"{rng.choice(('wpad', 'intranet', 'ww'))}.{sites[0]}")
        first = int(len(sites) ** rng.random()) - 1
        for number in range(1 + rng.getrandbits(2)):
            name = sites[(first + number) % len(sites)]
            size = min(int(rng.lognormvariate(8.6, 1.2)), 60_000)
            post = rng.randrange(100, 900) if rng.random() < 0.15 else 0
            await self.fetch(name, size, tls=rng.random() < 0.9, post=post)

    async def poll_mail(self) -> None:
        """Log in, see whether there is mail, log out."""
        async with self.connected(self.plan.mail_site, 993, tls=True) as (reader, writer):
            await reader.readline()
            fetch = [f"FETCH {self.rng.randrange(900, 9000)}"] if self.rng.random() < 0.4 else []
            for command in ("LOGIN me it", "SELECT inbox", *fetch, "LOGOUT"):
                writer.write(f"a {command}\r\n".encode())
                while not (await reader.readline()).startswith(b"a OK"):
                    pass

    async def send_mail(self) -> None:
        """Hand one message in."""
        async with self.connected(self.plan.mail_site, 587) as (reader, writer):
            await reader.readline()
            text = "x" * self.rng.randrange(400, 20_000)
            for words in (
                "EHLO me",
                "MAIL FROM:<a>",
                "RCPT TO:<b>",
                "DATA",
                f"{text}\r\n.",
                "QUIT",
            ):
                writer.write(f"{words}\r\n".encode())
                await reader.readline()

    async def open_file(self) -> None:
        """Read from the office's server, and now and then write."""
        async with self.connected(self.plan.server, 445) as (reader, writer):
            for _ in range(1 + self.rng.getrandbits(1)):
                give = min(int(self.rng.lognormvariate(9.2, 1)), 50_000)
                take = self.rng.randrange(2_000, 30_000) if self.rng.random() < 0.25 else 0
                writer.write(struct.pack("!II", give, take) + bytes(take))
                await reader.readexactly(max(give, 1))
                await asyncio.sleep(self.rng.random() * 2)

    async def print_paper(self) -> None:
        """Send a page or two to the printer."""
        async with self.connected(self.plan.printer, 9100) as (reader, writer):
            writer.write(bytes(self.rng.randrange(5_000, 40_000)))
            writer.write_eof()
            await reader.read()

    async def look_around(self) -> None:
        """Shout for printers, as desktops do."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
            handle.setblocking(False)
            handle.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
            handle.bind(("", 5353))
            handle.sendto(question(0, "_ipp._tcp.local", 12), _MDNS)

    async def tell_time(self) -> None:
        """Ask the time of the plan's clock: the site whose name says so, or any."""
        clock = next((n for n in self.plan.sites if n.startswith(("time.", "klok."))), "")
        address = await self.look_up(clock)
        if address is None:
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
            handle.setblocking(False)
            handle.connect((address, 123))
            handle.send(b"\x23" + bytes(47))
            async with asyncio.timeout(2):
                await asyncio.get_running_loop().sock_recv(handle, 64)

    async def carry(self, address: str, kilobytes: float, piece: int) -> None:
        """Carry bytes to ``address`` a piece at a time; raises ``OSError`` when nobody takes them."""
        async with self.connected(address, CARRIED_PORT) as (reader, writer):
            left = int(kilobytes * 1024)
            while left > 0:
                writer.write(self.rng.randbytes(min(piece, left)))
                await writer.drain()
                left -= piece
                await asyncio.sleep(0.15)
            writer.write_eof()
            await reader.read()

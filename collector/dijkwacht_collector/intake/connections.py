"""Connections: how many, and how long one may be open without asking anything.

aiohttp times out what is idle between requests, and nothing that has sent half a head. Each of its
connections is watched here from outside: until a whole head has come it has `HEAD_S`, between
requests `IDLE_S`. With TLS the handshake comes first, and has `HANDSHAKE_S`. Where there are as many as
may be, the one that has waited longest makes room, those that never showed who they are first: whoever
asks at once gets in beside any number of half-sent heads.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, cast

from aiohttp import web

from dijkwacht_collector.intake.client_addresses import peer_address
from dijkwacht_collector.intake.free_memory import give_back

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEAD_S: Final = 10.0
"""From the first byte of a request, or from when the connection was made, to the end of its head."""
HANDSHAKE_S: Final = 5.0
"""From when the connection was made to the end of its TLS handshake."""
IDLE_S: Final = 75.0
"""Between two requests: agents send at least each ten seconds."""
KNOWN: Final = web.RequestKey("known", bool)
"""A request that has shown a good token or certificate sets this: its connection is the last to make room."""
_SHUTDOWN_S: Final = 1.0
"""How long the other side has to say goodbye in TLS."""
_SWEEP_S: Final = 0.1
_MOST_SWEPT: Final = 64
"""Closed in one sweep: a thousand at once, which all come back, would keep the loop from everybody else."""
_MANY_GIVEN_UP: Final = 1000
"""Handshakes after which the memory that they took is given back."""
_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


class MostConnections(NamedTuple):
    """Connections at once: in all, and of one address (IPv6: of one /64; this machine's own have no limit)."""

    in_all: int
    of_address: int


class Connections:
    """Wraps the protocols of a server, and watches them. Of one event loop.

    ``context`` is asked for each connection what TLS is made with; ``None``: there is none.
    """

    def __init__(
        self, most: MostConnections, context: Callable[[], ssl.SSLContext] | None = None
    ) -> None:
        self._most, self._context = most, context
        self._handshakes: set[asyncio.Task[None]] = set()
        self._given_up = 0
        self._of_address: Counter[str] = Counter()
        self._all: dict[asyncio.BaseTransport, _Watched] = {}
        # In the order in which they began to wait for a request.
        self._strangers: dict[_Watched, None] = {}
        self._known: dict[_Watched, None] = {}

    def __len__(self) -> int:
        return len(self._all)

    def watch(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """A factory of protocols as ``make`` is, for ``loop.create_server``."""
        if self._context is None:
            return lambda: _Watched(self, make())
        return lambda: _Encrypted(self, make)

    @web.middleware
    async def mark(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Middleware, the outermost: a request has come whole, and is answered."""
        transport = request.transport
        watched = self._all.get(transport) if transport is not None else None
        if watched is None:
            return await handler(request)
        self._waits(watched).pop(watched, None)
        watched.asking += 1
        try:
            return await handler(request)
        finally:
            watched.asking -= 1
            watched.known = watched.known or KNOWN in request
            if not watched.asking and watched.transport is not None:
                self._wait(watched, IDLE_S)

    async def sweep(self) -> None:
        """Close whatever has waited too long, again and again until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_S)
            self.close_late(loop.time())
            if self._given_up >= _MANY_GIVEN_UP:
                self._given_up = 0
                await asyncio.to_thread(give_back)

    def close_late(self, now: float) -> int:
        """Close connections whose time for a request was over ``now``, by the loop's clock; how many.

        At most 64: the others are next.
        """
        waiting = itertools.chain(self._strangers, self._known)
        late = list(itertools.islice((w for w in waiting if w.until <= now), _MOST_SWEPT))
        for watched in late:
            self._drop(watched)
        return len(late)

    def made(self, watched: _Watched, transport: asyncio.Transport) -> bool:
        """A connection was made; False if there is no room for it, and it was closed."""
        address = peer_address(transport.get_extra_info("peername"))
        if address and self._of_address[address] >= self._most.of_address:
            own = (w for w in (*self._strangers, *self._known) if w.address == address)
            room = self._make_room(next(own, None))
        elif len(self._all) >= self._most.in_all:
            room = self._make_room(next(iter(self._strangers or self._known), None))
        else:
            room = True
        if not room:
            if self._context is None:
                transport.write(_FULL)
            transport.close()
            return False
        watched.transport, watched.address = transport, address
        self._all[transport] = watched
        if address:
            self._of_address[address] += 1
        self._wait(watched, HEAD_S)
        return True

    def shake_hands(self, watched: _Encrypted, transport: asyncio.Transport) -> None:
        """Begin the TLS handshake of a connection that was made; what it leads to is told to ``watched``."""
        task = asyncio.get_running_loop().create_task(self._shake_hands(watched, transport))
        watched.shaking = task
        self._handshakes.add(task)
        task.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, watched: _Encrypted, transport: asyncio.Transport) -> None:
        loop, encrypted = asyncio.get_running_loop(), None
        # A stranger, whom no log tells of.
        with contextlib.suppress(OSError, asyncio.CancelledError):
            async with asyncio.timeout(HANDSHAKE_S + _SHUTDOWN_S):  # however the loop loses it
                making = loop.create_task(self._start_tls(watched, transport))
                try:
                    await asyncio.sleep(0)  # it has put its protocol in place of ours
                    watched.hand_on(transport.get_protocol())
                    encrypted = await making
                finally:
                    making.cancel()
        if encrypted is None or watched.transport is None:  # it had to make room meanwhile
            self.lost(watched)
            transport.abort()
            self._given_up += 1
            return
        del self._all[transport]
        watched.transport = encrypted
        self._all[encrypted] = watched
        self._wait(watched, HEAD_S)
        watched.begin(encrypted)

    async def _start_tls(
        self, watched: _Encrypted, transport: asyncio.Transport
    ) -> asyncio.Transport | None:
        assert self._context is not None
        if watched.transport is None:  # that was told to us, and would be told to nobody else
            return None
        return await asyncio.get_running_loop().start_tls(
            transport,
            watched,
            self._context(),
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE_S,
            ssl_shutdown_timeout=_SHUTDOWN_S,
        )

    def began(self, watched: _Watched) -> None:
        """Bytes came on a connection that was idle: a head, which has to come whole."""
        self._wait(watched, HEAD_S)

    def lost(self, watched: _Watched) -> None:
        """A connection has ended, by us or by the other side. May be called again."""
        transport, watched.transport = watched.transport, None
        if transport is None:
            return
        del self._all[transport]
        self._waits(watched).pop(watched, None)
        if watched.address:
            self._of_address[watched.address] -= 1
            if not self._of_address[watched.address]:
                del self._of_address[watched.address]

    def _wait(self, watched: _Watched, seconds: float) -> None:
        watched.until = asyncio.get_running_loop().time() + seconds
        watched.idle = seconds == IDLE_S
        waits = self._waits(watched)
        self._strangers.pop(watched, None)  # it may have been one until now
        waits.pop(watched, None)
        waits[watched] = None

    def _waits(self, watched: _Watched) -> dict[_Watched, None]:
        return self._known if watched.known else self._strangers

    def _make_room(self, watched: _Watched | None) -> bool:
        if watched is not None:
            self._drop(watched)
        return watched is not None

    def _drop(self, watched: _Watched) -> None:
        transport = watched.transport
        self.lost(watched)
        if transport is None:
            return
        if self._context is not None or transport.get_write_buffer_size():
            transport.abort()  # a close would wait for whoever does not read, or say goodbye
        else:
            transport.close()


class _Watched(asyncio.Protocol):
    """One connection: all that its transport says goes on to aiohttp's own protocol."""

    __slots__ = (
        "_inner",
        "_owner",
        "_taken",
        "address",
        "asking",
        "idle",
        "known",
        "transport",
        "until",
    )

    def __init__(self, owner: Connections, inner: asyncio.Protocol) -> None:
        self._owner, self._inner = owner, inner
        self._taken = False
        self.transport: asyncio.Transport | None = None
        self.address = ""
        self.asking = 0
        self.idle = self.known = False
        self.until = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asserted: uvloop's are transports without being of the class.
        if self._owner.made(self, cast("asyncio.Transport", transport)):
            self._inner.connection_made(transport)
            self._taken = True

    def data_received(self, data: bytes) -> None:
        if self.transport is not None:
            if self.idle and not self.asking:
                self._owner.began(self)
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self.transport is not None else None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.lost(self)
        if self._taken:
            self._inner.connection_lost(exc)


_NOBODY: Final = asyncio.Protocol()


class _Encrypted(_Watched):
    """The same over TLS: aiohttp's protocol hears of it when the handshake is done.

    What comes before there is somebody to read it is kept and handed on: the client's first words, and
    its first request, which may come with the last of the handshake.
    """

    __slots__ = ("_early", "_make", "shaking")

    def __init__(self, owner: Connections, make: Callable[[], asyncio.Protocol]) -> None:
        super().__init__(owner, _NOBODY)
        self._make = make  # and not before there is somebody: it would be made for strangers
        self._early = b""
        self.shaking: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        bare = cast("asyncio.Transport", transport)
        if self._owner.made(self, bare):
            self._owner.shake_hands(self, bare)

    def connection_lost(self, exc: Exception | None) -> None:
        # Who is gone before the handshake has its place here is told to us alone: it would wait for ever.
        if self.shaking is not None:
            self.shaking.cancel()
            self.shaking = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._taken:
            super().data_received(data)
        else:
            self._early += data

    def hand_on(self, protocol: asyncio.BaseProtocol) -> None:
        """``protocol`` reads in our place, what came before it was there first."""
        early, self._early = self._early, b""
        # Not asserted: uvloop's is one without being of the class.
        reader = cast("asyncio.BufferedProtocol", protocol)
        while early and protocol is not self:
            room = memoryview(reader.get_buffer(len(early)))
            size = min(len(room), len(early))
            room[:size] = early[:size]
            reader.buffer_updated(size)
            early = early[size:]

    def begin(self, transport: asyncio.Transport) -> None:
        """The handshake is done."""
        self._inner = self._make()
        self._inner.connection_made(transport)
        self._taken = True
        early, self._early = self._early, b""
        if early:
            self.data_received(early)

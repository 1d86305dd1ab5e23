"""Connections: how many, and how long one may be open without asking anything.

aiohttp times out what is idle between requests, and nothing that has sent half a head. Each of its
connections is watched here from outside: until a whole head has come it has `HEAD_S`, between
requests `IDLE_S`. Where there are as many as may be, the one that has waited longest makes room, those
that never showed who they are first: whoever asks at once gets in beside any number of half-sent heads.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, cast

from aiohttp import web

from dijkwacht_collector.intake.client_addresses import peer_address

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEAD_S: Final = 10.0
"""From the first byte of a request, or from when the connection was made, to the end of its head."""
IDLE_S: Final = 75.0
"""Between two requests: agents send at least each ten seconds."""
KNOWN: Final = web.RequestKey("known", bool)
"""A request that has shown a good token or certificate sets this: its connection is the last to make room."""
_SWEEP_S: Final = 0.1
_MOST_SWEPT: Final = 64
"""Closed in one sweep: a thousand at once, which all come back, would keep the loop from everybody else."""
_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


class MostConnections(NamedTuple):
    """Connections at once: in all, and of one address (IPv6: of one /64; this machine's own have no limit)."""

    in_all: int
    of_address: int


class Connections:
    """Wraps the protocols of a server, and watches them. Of one event loop."""

    def __init__(self, most: MostConnections) -> None:
        self._most = most
        self._of_address: Counter[str] = Counter()
        self._all: dict[asyncio.BaseTransport, Watched] = {}
        # In the order in which they began to wait for a request.
        self._strangers: dict[Watched, None] = {}
        self._known: dict[Watched, None] = {}

    def __len__(self) -> int:
        return len(self._all)

    def watch(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """A factory of protocols as ``make`` is, for ``loop.create_server``."""
        return lambda: Watched(self, make())

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

    def close_late(self, now: float) -> int:
        """Close connections whose time for a request was over ``now``, by the loop's clock; how many.

        At most 64: the others are next.
        """
        waiting = itertools.chain(self._strangers, self._known)
        late = list(itertools.islice((w for w in waiting if w.until <= now), _MOST_SWEPT))
        for watched in late:
            self._drop(watched)
        return len(late)

    def made(self, watched: Watched, transport: asyncio.Transport) -> bool:
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
            watched.refuse(transport)
            return False
        watched.transport, watched.address = transport, address
        self._all[transport] = watched
        if address:
            self._of_address[address] += 1
        self._wait(watched, HEAD_S)
        return True

    def replace(self, watched: Watched, transport: asyncio.Transport) -> None:
        """A connection goes on over ``transport``, and its head is waited for anew."""
        assert watched.transport is not None
        del self._all[watched.transport]
        watched.transport = transport
        self._all[transport] = watched
        self._wait(watched, HEAD_S)

    def began(self, watched: Watched) -> None:
        """Bytes came on a connection that was idle: a head, which has to come whole."""
        self._wait(watched, HEAD_S)

    def lost(self, watched: Watched) -> None:
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

    def _wait(self, watched: Watched, seconds: float) -> None:
        watched.until = asyncio.get_running_loop().time() + seconds
        watched.idle = seconds == IDLE_S
        waits = self._waits(watched)
        self._strangers.pop(watched, None)  # it may have been one until now
        waits.pop(watched, None)
        waits[watched] = None

    def _waits(self, watched: Watched) -> dict[Watched, None]:
        return self._known if watched.known else self._strangers

    def _make_room(self, watched: Watched | None) -> bool:
        if watched is not None:
            self._drop(watched)
        return watched is not None

    def _drop(self, watched: Watched) -> None:
        transport = watched.transport
        self.lost(watched)
        if transport is not None:
            watched.hang_up(transport)


class Watched(asyncio.Protocol):
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

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102  # inherited
        # Not asserted: uvloop's are transports without being of the class.
        if self._owner.made(self, cast("asyncio.Transport", transport)):
            self._inner.connection_made(transport)
            self._taken = True

    def refuse(self, transport: asyncio.Transport) -> None:
        """There is no room for it."""
        transport.write(_FULL)
        transport.close()

    def hang_up(self, transport: asyncio.Transport) -> None:
        """It makes room, or took too long."""
        if transport.get_write_buffer_size():
            transport.abort()  # a close would wait for whoever does not read
        else:
            transport.close()

    def data_received(self, data: bytes) -> None:  # noqa: D102  # inherited
        if self.transport is not None:
            if self.idle and not self.asking:
                self._owner.began(self)
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:  # noqa: D102  # inherited
        return self._inner.eof_received() if self.transport is not None else None

    def pause_writing(self) -> None:  # noqa: D102  # inherited
        self._inner.pause_writing()

    def resume_writing(self) -> None:  # noqa: D102  # inherited
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102  # inherited
        self._owner.lost(self)
        if self._taken:
            self._inner.connection_lost(exc)

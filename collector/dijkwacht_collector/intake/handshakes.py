"""TLS: its handshake comes first, has `HANDSHAKE_S`, and aiohttp hears of nobody before it is done.

`Connections` bounds and times what is watched here as it does a bare connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Final, cast

from dijkwacht_collector.intake.connections import Connections, Watched
from dijkwacht_collector.intake.free_memory import give_back

HANDSHAKE_S: Final = 5.0
"""From when the connection was made to the end of its handshake."""
_SHUTDOWN_S: Final = 1.0
"""How long the other side has to say goodbye in TLS."""
_MANY_GIVEN_UP: Final = 1000
"""Handshakes after which the memory that they took is given back."""
_FREE_S: Final = 0.1
"""Until what the last of them took is free."""
_NOBODY: Final = asyncio.Protocol()


class Handshakes:
    """Wraps the protocols of a server, and makes TLS of what its ``connections`` have room for.

    ``context`` is asked for each connection what TLS is made with.
    """

    def __init__(self, connections: Connections, context: Callable[[], ssl.SSLContext]) -> None:
        self._connections, self._context = connections, context
        self._under_way: set[asyncio.Task[None]] = set()
        self._given_up = 0

    def watch(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """A factory of protocols as ``make`` is, for ``loop.create_server``."""
        return lambda: _Encrypted(self, self._connections, make)

    def begin(self, watched: _Encrypted, transport: asyncio.Transport) -> asyncio.Task[None]:
        """Shake hands on a connection that was made; what it leads to is told to ``watched``."""
        task = asyncio.get_running_loop().create_task(self._shake_hands(watched, transport))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _shake_hands(self, watched: _Encrypted, transport: asyncio.Transport) -> None:
        loop, encrypted = asyncio.get_running_loop(), None
        # A stranger, whom no log tells of.
        with contextlib.suppress(OSError, asyncio.CancelledError):
            async with asyncio.timeout(HANDSHAKE_S + _SHUTDOWN_S):  # however the loop loses it
                making = loop.create_task(self._start_tls(watched, transport))
                try:
                    for _ in range(2):  # it has put its protocol in place of ours, and begun
                        await asyncio.sleep(0)
                    if (
                        not transport.is_closing()
                    ):  # or it would answer nobody, and say so in the log
                        watched.hand_on(transport.get_protocol())
                    encrypted = await making
                finally:
                    making.cancel()
        if encrypted is None or watched.transport is None:  # it had to make room meanwhile
            self._connections.lost(watched)
            transport.abort()
            self._count_given_up()
            return
        self._connections.replace(watched, encrypted)
        watched.begin(encrypted)

    async def _start_tls(
        self, watched: _Encrypted, transport: asyncio.Transport
    ) -> asyncio.Transport | None:
        # That it is lost is told to us, now or soon, and would be told to nobody else.
        if watched.transport is None or transport.is_closing():
            return None
        return await asyncio.get_running_loop().start_tls(
            transport,
            watched,
            self._context(),
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE_S,
            ssl_shutdown_timeout=_SHUTDOWN_S,
        )

    def _count_given_up(self) -> None:
        self._given_up += 1
        if self._given_up >= _MANY_GIVEN_UP:
            self._given_up = 0
            loop = asyncio.get_running_loop()
            loop.call_later(_FREE_S, loop.run_in_executor, None, give_back)


class _Encrypted(Watched):
    """One connection over TLS: aiohttp's protocol hears of it when the handshake is done.

    What comes before there is somebody to read it is kept and handed on: the client's first words, and
    its first request, which may come with the last of the handshake.
    """

    __slots__ = ("_early", "_handshakes", "_make", "_shaking")

    def __init__(
        self, handshakes: Handshakes, owner: Connections, make: Callable[[], asyncio.Protocol]
    ) -> None:
        super().__init__(owner, _NOBODY)
        self._handshakes = handshakes
        self._make = make  # and not before there is somebody: it would be made for strangers
        self._early = b""
        self._shaking: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        bare = cast("asyncio.Transport", transport)
        if self._owner.made(self, bare):
            self._shaking = self._handshakes.begin(self, bare)

    def refuse(self, transport: asyncio.Transport) -> None:
        """There is no room for it, and nothing can be said before the handshake."""
        transport.close()

    def hang_up(self, transport: asyncio.Transport) -> None:
        """It makes room, or took too long: a close would wait for the other side to say goodbye."""
        transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        # Who is gone before the handshake has its place here is told to us alone: it would wait for ever.
        if self._shaking is not None:
            self._shaking.cancel()
            self._shaking = None
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

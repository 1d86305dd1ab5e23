"""What an agent sends because an order asks for it: streamed to a file, bounded in bytes and pace."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from aiohttp import web

from dijkwacht_collector.intake.bodies import read_pieces
from dijkwacht_collector.intake.orders import PendingOrders
from dijkwacht_collector.sites import Speaker
from dijkwacht_collector.sites.access import Authenticator
from dijkwacht_records.errors import CollectorBusy

MOST_AT_ONCE: Final = 8
MOST_OF_A_SITE_AT_ONCE: Final = 2


class Uploads:
    """``PUT /v1/orders/{id}/upload``."""

    def __init__(self, orders: PendingOrders, authenticator: Authenticator) -> None:
        self._orders, self._authenticator = orders, authenticator
        self._under_way: dict[str, str] = {}
        """Order → its site. One at a time of an order: what is kept last is what was noted last."""

    async def upload(self, request: web.Request) -> web.Response:
        """Keep what an agent sends for an order of its own that asks for it and has not ended."""
        agent, name = self._authenticator.agent_of(request), request.match_info["id"]
        table, clock = self._orders.sites.orders, self._orders.clock
        with self._hold(agent.site, name):
            most = await asyncio.to_thread(table.may_upload, agent, name, clock())
            part = self._orders.uploads / f".{name}-{secrets.token_hex(4)}.part"
            try:
                size = await self._stream(request, part, most)
                self._authenticator.agent_of(request)  # it may have been revoked meanwhile
                await asyncio.to_thread(self._keep, agent, name, part, size)
            finally:
                await asyncio.to_thread(_remove, part)
        return web.json_response({"kept": size})

    @contextmanager
    def _hold(self, site: str, name: str) -> Iterator[None]:
        held = self._under_way
        of_site = list(held.values()).count(site)
        if name in held or of_site >= MOST_OF_A_SITE_AT_ONCE or len(held) >= MOST_AT_ONCE:
            raise CollectorBusy("other uploads are under way", retry_after_s=10)
        held[name] = site
        try:
            yield
        finally:
            del held[name]

    async def _stream(self, request: web.Request, part: Path, most: int) -> int:
        """Write the body to ``part``: how many bytes it has."""
        file = await asyncio.to_thread(_create, part)
        size = 0
        try:
            async for piece in read_pieces(request, most):
                size += len(piece)
                await asyncio.to_thread(_write, file, piece)
            await asyncio.to_thread(os.fsync, file)
        finally:
            await asyncio.to_thread(os.close, file)
        return size

    def _keep(self, agent: Speaker, name: str, part: Path, size: int) -> None:
        file = f"{agent.site}.{agent.agent}.{name}"  # no name has a dot in it
        orders = self._orders
        orders.sites.orders.note_upload(agent, name, orders.clock(), file, size)
        part.replace(orders.uploads / file)


def _create(part: Path) -> int:
    part.parent.mkdir(0o700, exist_ok=True)
    return os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _write(file: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(file, rest) :]


def _remove(part: Path) -> None:
    with contextlib.suppress(OSError):
        part.unlink(missing_ok=True)

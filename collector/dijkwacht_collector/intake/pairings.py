"""``/v1/pairing``: an agent leaves its site's key, sealed, for another agent of the site."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from dijkwacht_collector.intake.bodies import read_body
from dijkwacht_collector.sites import Sites
from dijkwacht_collector.sites.access import Authenticator
from dijkwacht_records.errors import RejectedBatch
from dijkwacht_records.pairing import MAX_SEALED_BYTES
from dijkwacht_records.replies import encode_reply


class Pairings:
    """``PUT`` leaves it, ``GET`` fetches it, ``DELETE`` says that it was opened. ``clock``: µs UTC."""

    def __init__(
        self, sites: Sites, authenticator: Authenticator, clock: Callable[[], int]
    ) -> None:
        self._table, self._authenticator, self._clock = sites.pairings, authenticator, clock

    async def put(self, request: web.Request) -> web.Response:
        """Keep what another agent of the site will fetch, in place of what waited."""
        site = self._authenticator.agent_of(request).site
        sealed = await read_body(request, MAX_SEALED_BYTES)
        self._authenticator.agent_of(request)  # it may have been revoked meanwhile
        if not sealed:
            raise RejectedBatch("there is nothing in it")
        await asyncio.to_thread(self._table.put, site, sealed, self._clock())
        return web.json_response({"kept": True})

    async def fetch(self, request: web.Request) -> web.Response:
        """What waits for this agent's site, and no other's."""
        site = self._authenticator.agent_of(request).site
        found = await asyncio.to_thread(self._table.take, site, self._clock())
        return web.Response(body=encode_reply(found), content_type="application/json")

    async def end(self, request: web.Request) -> web.Response:
        """It was opened."""
        await asyncio.to_thread(self._table.end, self._authenticator.agent_of(request).site)
        return web.json_response({"kept": False})

"""Joining: a one-time code is traded for a token."""

from __future__ import annotations

import asyncio

from aiohttp import web

from dijkwacht_collector.intake.doorkeeper import Door, Doorkeeper
from dijkwacht_records.replies import JoinReply, JoinRequest, encode_reply


class Joins:
    """``POST /v1/join``, as agents ask that know of no certificates."""

    def __init__(self, door: Door, keeper: Doorkeeper) -> None:
        self._authenticator, self._offer = door.authenticator, door.offer
        self._clock, self._keeper = door.clock, keeper

    async def join(self, request: web.Request) -> web.Response:
        """A token for a code that is good."""
        waits = self._authenticator.waits
        asked = await self._keeper.hear(request, JoinRequest, lambda asked: waits(asked.code))
        site, token, others = await asyncio.to_thread(
            self._authenticator.join, asked.code, asked.agent, self._clock()
        )
        self._keeper.let_in(request, site)
        joined = JoinReply(site, token, self._offer.order_key.public, self._offer.reads, others)
        return web.Response(body=encode_reply(joined), content_type="application/json")

"""Joining: a one-time code is traded for a token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from aiohttp import web

from dijkwacht_collector.intake.attempts import Attempts
from dijkwacht_collector.intake.bodies import read_struct
from dijkwacht_collector.intake.client_addresses import client_address
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.sites import OrderKey
from dijkwacht_collector.sites.access import Authenticator
from dijkwacht_records.errors import CollectorBusy, MalformedBatch
from dijkwacht_records.replies import JoinReply, JoinRequest, encode_reply
from dijkwacht_records.wire import NAME

MAX_BYTES: Final = 4096


class Offer(NamedTuple):
    """What is said to whoever joins: the key that signs orders, and the versions that are read."""

    order_key: OrderKey
    reads: tuple[int, ...]


class Door(NamedTuple):
    """What joining needs. ``clock`` gives µs UTC; ``per_minute``: attempts of one address that may fail."""

    authenticator: Authenticator
    offer: Offer
    telemetry: Telemetry
    clock: Callable[[], int]
    per_minute: int


class Joins:
    """``POST /v1/join``, as agents ask that know of no certificates.

    Who failed too often is told to wait, unless the code is one that waits to be used: a stranger who
    shares an owner's address does not keep him out.
    """

    def __init__(self, door: Door, attempts: Attempts) -> None:
        self._authenticator, self._offer = door.authenticator, door.offer
        self._telemetry, self._clock = door.telemetry, door.clock
        self._attempts = attempts

    async def join(self, request: web.Request) -> web.Response:
        """A token for a code that is good."""
        address = client_address(request)
        wait = self._attempts.wait(address)
        self._attempts.begin(address)
        asked = await read_struct(request, JoinRequest, MAX_BYTES)
        if wait and not self._authenticator.waits(asked.code):
            raise CollectorBusy("too many failed attempts to join from there", wait)
        if not NAME.fullmatch(asked.agent):  # a token speaks for an agent, so it needs its name
            raise MalformedBatch("agent is not a name")
        site, token, others = await asyncio.to_thread(
            self._authenticator.join, asked.code, asked.agent, self._clock()
        )
        self._attempts.succeed(address)
        self._telemetry.know_site(site)  # its agent is known by its first batch, or never was there
        joined = JoinReply(site, token, self._offer.order_key.public, self._offer.reads, others)
        return web.Response(body=encode_reply(joined), content_type="application/json")

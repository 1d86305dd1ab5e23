"""Orders: what waits for an agent goes out with every reply until the agent says how it ended."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec
from aiohttp import web

from dijkwacht_collector.intake.bodies import read_struct
from dijkwacht_collector.sites import OrderKey, Sites, Speaker
from dijkwacht_collector.sites.access import Authenticator
from dijkwacht_records.orders import Order, OrderKind, OrderOutcome, SealedOrder

log: Final = logging.getLogger(__name__)

MOST_IN_A_REPLY: Final = 8
MOST_BYTES_IN_A_REPLY: Final = 32 * 1024
_MAX_OUTCOME_BYTES: Final = 4096
_MAX_ORDER_BYTES: Final = 16 * 1024
_FORGET_EVERY_US: Final = 3600 * 1_000_000
_HOUR_US: Final = 3600 * 1_000_000


class Waiting(NamedTuple):
    """One order that waits, signed; ``expires`` is µs UTC."""

    id: str
    expires: int
    sealed: SealedOrder


class PendingOrders:
    """What waits for agents, kept at hand. ``uploads`` is the folder of what they send for it."""

    def __init__(
        self, sites: Sites, key: OrderKey, clock: Callable[[], int], uploads: Path
    ) -> None:
        self.sites, self.clock, self.uploads = sites, clock, uploads
        self._key = key
        self._turn = threading.Lock()
        self._waiting: dict[Speaker, list[Waiting]] = {}
        self._sealed: dict[str, Waiting] = {}
        self._forgotten = 0

    def refresh(self) -> None:
        """Look again for whom orders wait. Blocks."""
        with self._turn:
            now = self.clock()
            if now - self._forgotten > _FORGET_EVERY_US:
                self._forget(now)
            self.sites.pairings.forget(now)
            waiting: dict[Speaker, list[Waiting]] = {}
            sealed: dict[str, Waiting] = {}
            for order in self.sites.orders.waiting(now):
                sealed[order.id] = self._sealed.get(order.id) or self._seal(order)
                waiting.setdefault(Speaker(order.site, order.agent), []).append(sealed[order.id])
            self._waiting, self._sealed = waiting, sealed

    def orders_for(self, agent: Speaker) -> list[SealedOrder]:
        """What a reply to an agent carries: the oldest that wait, as many as one may have."""
        waiting = self._waiting.get(agent)
        if not waiting:
            return []
        now, size, found = self.clock(), 0, list[SealedOrder]()
        for order in waiting:
            size += len(order.sealed.body) + len(order.sealed.signature)
            if len(found) == MOST_IN_A_REPLY or size > MOST_BYTES_IN_A_REPLY:
                break
            if order.expires > now:
                found.append(order.sealed)
        return found

    def ended(self, agent: Speaker, name: str) -> None:
        """The order ``name`` has its outcome: the next reply carries it no more."""
        left = [order for order in self._waiting.get(agent, []) if order.id != name]
        self._waiting[agent] = left

    def _forget(self, now: int) -> None:
        self.sites.forget_codes(now)
        gone = [self.uploads / file for file in self.sites.orders.forget(now)]
        if not self._forgotten:  # at the start: nothing is under way
            gone += self.uploads.glob(".*.part")
        self._forgotten = now
        for path in gone:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:  # no reason to keep agents waiting, or one in that was revoked
                log.warning("an upload stays", extra={"file": path.name, "why": error.strerror})

    def _seal(self, order: Order) -> Waiting:
        return Waiting(order.id, order.expires, self._key.seal(order))


class Outcomes:
    """``POST /v1/orders/{id}/outcome``: an agent says how an order of its own ended."""

    def __init__(self, orders: PendingOrders, authenticator: Authenticator) -> None:
        self._orders, self._authenticator = orders, authenticator

    async def outcome(self, request: web.Request) -> web.Response:
        """200 once it is kept, the first one for good; again for one that comes again."""
        agent = self._authenticator.agent_of(request)
        said = await read_struct(request, OrderOutcome, _MAX_OUTCOME_BYTES)
        self._authenticator.agent_of(request)  # it may have been revoked meanwhile
        name = request.match_info["id"]
        orders = self._orders
        await asyncio.to_thread(orders.sites.orders.end, agent, name, said, orders.clock())
        orders.ended(agent, name)
        log.info("order ended", extra={"site": agent.site, "agent": agent.agent, "order": name})
        return web.json_response({"kept": True})


class _Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a new order."""

    agent: str
    kind: OrderKind
    hours: Annotated[float, msgspec.Meta(gt=0, le=168)] = 24.0
    arguments: dict[str, str] = {}


class OrderDesk:
    """``GET`` and ``POST /v1/sites/{name}/orders``: operators give orders, and see how they ended."""

    def __init__(self, orders: PendingOrders) -> None:
        self._orders = orders

    async def listing(self, request: web.Request) -> web.Response:
        """The orders of a site, the latest first."""
        try:
            rows = await asyncio.to_thread(self._orders.sites.orders.of, request.match_info["name"])
        except ValueError as error:
            raise web.HTTPNotFound(text=f"{error}\n") from None
        return web.json_response([row._asdict() for row in rows])

    async def add(self, request: web.Request) -> web.Response:
        """A new order: 200 with its id once it waits."""
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="send application/json\n")
        asked = await read_struct(request, _Asked, _MAX_ORDER_BYTES)
        orders, to = self._orders, Speaker(request.match_info["name"], asked.agent)
        now = orders.clock()
        expires = now + round(asked.hours * _HOUR_US)

        def add() -> str:
            name = orders.sites.orders.add(to, asked.kind, now, expires, asked.arguments)
            orders.refresh()
            return name

        try:
            name = await asyncio.to_thread(add)
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        return web.json_response({"id": name})

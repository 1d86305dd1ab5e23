"""Orders that wait for agents, and go out with the reply to a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dijkwacht_collector.sites import OrderKey, Sites
from dijkwacht_records.replies import Order


class PendingOrders:
    """What waits for agents; it is signed when it is handed out."""

    def __init__(self, sites: Sites, key: OrderKey, clock: Callable[[], int]) -> None:
        self._sites, self._key, self._clock = sites, key, clock
        self._waiting: set[tuple[str, str]] = set()

    def refresh(self) -> None:
        """Look again for whom orders wait. Blocks."""
        self._waiting = self._sites.agents_with_orders(self._clock())

    async def orders_for(self, site: str, agent: str) -> list[Order]:
        """The orders for an agent; nearly always none, at the price of a look in a set."""
        if (site, agent) not in self._waiting:
            return []
        self._waiting.discard((site, agent))
        orders = await asyncio.to_thread(self._sites.take_orders, site, agent, self._clock())
        return [self._key.sign(order) for order in orders]

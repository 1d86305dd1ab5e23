"""Records wait for their other direction and for their turn: they come out in the order of their end."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Final

from dijkwacht_agent.dissect import reverse
from dijkwacht_agent.flow_export.elements import ExportedFlow

MAX_WAITING: Final = 8_192
APART: Final = 1_000_000
"""µs that may lie between the two directions of one connection."""


class Waiting:
    """At most ``limit`` records; the one that ended first makes room. ``doubles``: told twice."""

    def __init__(self, limit: int = MAX_WAITING) -> None:
        self.doubles = 0
        self._limit = limit
        self._queue: list[tuple[int, int, ExportedFlow]] = []
        self._by_key: dict[bytes, ExportedFlow] = {}
        self._added = 0

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, flow: ExportedFlow) -> ExportedFlow | None:
        """Take one; returns one that must go early."""
        same = self._by_key.get(flow.key)
        other = self._by_key.get(reverse(flow.key))
        if _told_twice(same, flow) or (other is not None and _told_twice(other.back, flow)):
            self.doubles += 1
            return None
        if other is not None and other is not same and _fits(other, flow):
            other.back = flow
            return None
        self._by_key[flow.key] = flow
        self._added += 1
        heappush(self._queue, (flow.last, self._added, flow))
        return self._first() if len(self._queue) > self._limit else None

    def due(self, now: int) -> Iterator[ExportedFlow]:
        """Those that ended by ``now`` (µs), the first to end first."""
        while self._queue and self._queue[0][0] <= now:
            last, number, flow = self._queue[0]
            if flow.back is not None and flow.back.last > last:
                heappop(self._queue)
                heappush(self._queue, (flow.back.last, number, flow))
            else:
                yield self._first()

    def _first(self) -> ExportedFlow:
        _, _, flow = heappop(self._queue)
        if self._by_key.get(flow.key) is flow:
            del self._by_key[flow.key]
        return flow


def _told_twice(one: ExportedFlow | None, other: ExportedFlow) -> bool:
    """The same packets, seen as they came into the router and as they left it."""
    return one is not None and all(
        getattr(one, name) == getattr(other, name)
        for name in ("start", "last", "pkts", "payload", "flags")
    )


def _fits(one: ExportedFlow, other: ExportedFlow) -> bool:
    """Two directions of one connection, neither of which has its other yet."""
    apart = max(one.start, other.start) - min(one.last, other.last)
    return apart <= APART and one.back is None and other.back is None

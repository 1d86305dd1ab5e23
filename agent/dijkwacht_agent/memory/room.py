"""How many bytes the conversations of all flows keep together: who was heard least recently gives way."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from dijkwacht_agent.flow import Flow

MAX_KEPT: Final = 16 << 20
"""Bytes. One conversation alone may keep 200 KB (SMB, with 64 pipes); most keep one or two."""


class Room:
    """``given_up``: conversations that gave way, and lost what they were in the middle of."""

    def __init__(self, limit: int = MAX_KEPT) -> None:
        self.given_up = 0
        self.kept = 0
        """Bytes, as `Conversation.kept` tells them."""
        self._limit = limit
        self._of: OrderedDict[Flow, int] = OrderedDict()

    def hold(self, flow: Flow, size: int) -> list[Flow]:
        """``flow`` was heard now and keeps ``size`` bytes; returns those that must give way to it."""
        before = self._of.get(flow, 0)
        self._of[flow] = size
        gone: list[Flow] = []
        if before:
            self._of.move_to_end(flow)
        if size <= before:
            self.kept -= before - size
            return gone
        self.kept += size - before
        while self.kept > self._limit and len(self._of) > 1:
            oldest, freed = self._of.popitem(last=False)
            self.kept -= freed
            gone.append(oldest)
        self.given_up += len(gone)
        return gone

    def release(self, flow: Flow) -> None:
        """``flow`` is over, or has no conversation any more."""
        self.kept -= self._of.pop(flow, 0)

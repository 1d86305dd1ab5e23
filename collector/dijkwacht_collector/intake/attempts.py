"""Failed attempts by client address: a bucket each, which fills again with time.

Whoever fails too often waits, and nobody else does. Addresses beyond `MOST_ADDRESSES` push out the one
not heard of for longest: whoever has that many can try without end, and a code's 80 random bits
stand against that.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MOST_ADDRESSES: Final = 4096


class Attempts:
    """``per_minute`` failures of one address; ``clock`` is in seconds."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._most, self._clock = float(per_minute), clock
        self._rate = per_minute / 60
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Seconds until ``address`` may fail again; 0 if it may now."""
        return max(0.0, (1 - self._now_left(address)) / self._rate)

    def begin(self, address: str) -> None:
        """An attempt counts as failed until it is known to have succeeded."""
        # The debt is bounded: who stops is let in again within two minutes.
        self._put(address, max(-self._most, self._now_left(address) - 1))

    def succeed(self, address: str) -> None:
        """The attempt that was begun did not fail."""
        self._put(address, min(self._most, self._now_left(address) + 1))

    def _now_left(self, address: str) -> float:
        left, since = self._left.get(address, (self._most, 0.0))
        return min(self._most, left + (self._clock() - since) * self._rate)

    def _put(self, address: str, left: float) -> None:
        self._left[address] = left, self._clock()
        self._left.move_to_end(address)
        if len(self._left) > MOST_ADDRESSES:
            self._left.popitem(last=False)

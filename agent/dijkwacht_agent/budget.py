"""How much is read in one second: under a flood the rest is counted and left alone."""

from __future__ import annotations

from typing import Final

_SECOND: Final = 1_000_000


class Budget:
    """At most ``limit`` messages in one second of event time."""

    def __init__(self, limit: int) -> None:
        self.shed = 0
        self._limit = limit
        self._second = -1
        self._left = limit

    def allows(self, time: int) -> bool:
        """Spend one message at ``time`` (µs), or count it as shed."""
        second = time // _SECOND
        if second != self._second:
            self._second, self._left = second, self._limit
        if self._left:
            self._left -= 1
            return True
        self.shed += 1
        return False

    def spend(self, more: int) -> None:
        """What was allowed last was dearer than one message by so many ``more``."""
        self._left = max(self._left - more, 0)

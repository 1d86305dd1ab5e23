"""Dice over wide ranges: what is not known of a network is drawn, not chosen."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TypeVar

_Any = TypeVar("_Any")


class Dice(random.Random):
    """Random draws. Ranges of times, counts and sizes are drawn evenly over their logarithms.

    What spans decades has no typical value: half the draws lie below the geometric middle.
    """

    def wide(self, low: float, high: float) -> float:
        """Between ``low`` and ``high``, both above 0."""
        return math.exp(self.uniform(math.log(low), math.log(high)))

    def count(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``."""
        return min(high, int(self.wide(low, high + 1)))

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return self.random() < probability

    def size(self, middle: float, spread: float = 1.1) -> int:
        """Bytes: log-normal, as files and pages are."""
        return int(middle * self.lognormvariate(0, spread)) + 1

    def some(self, things: Sequence[_Any], low: float = 0.2, high: float = 1.0) -> list[_Any]:
        """A drawn share of ``things``, at least one if there is one."""
        if not things:
            return []
        wanted = max(1, round(len(things) * self.uniform(low, high)))
        return self.sample(things, wanted)

"""What an interruption costs: each story that a detector made interrupt this week halves what it has left.

It is stories that are counted: what one machine does, however often, is one story to whoever is called for
it, and costs nothing more. What turned out an attack was worth the call and is not counted.
"""

from __future__ import annotations

from typing import Final

HIGH_FACTOR: Final = 30.0
"""A score so many times rarer than the budget is of high severity, and moves no site's line."""
WEEK_US: Final = 7 * 24 * 3_600_000_000


def may_call(rarity: float, budget: float, spent: int) -> bool:
    """Whether what is so rare is worth an interruption, where a detector made ``spent`` others this week.

    Who wants none has none, whatever a table says never happens.

    >>> may_call(0.02, 0.05, 1), may_call(0.03, 0.05, 1), may_call(0.0, 0.0, 0)
    (True, False, False)
    """
    return budget > 0.0 and rarity <= budget * 0.5**spent


def is_grave(rarity: float, budget: float) -> bool:
    """Whether it is worth a second one."""
    return rarity * HIGH_FACTOR <= budget


def severity(rarity: float, budget: float) -> int:
    """OCSF ``severity_id`` of what is part of a story that interrupted: 2 context, 3 medium, 4 high."""
    if rarity > budget:
        return 2
    return 4 if is_grave(rarity, budget) else 3

"""What an interruption costs: each incident of a week halves what its detector has left."""

from __future__ import annotations

from typing import Final

HIGH_FACTOR: Final = 30.0
"""A score so many times rarer than the budget is an incident of high severity, and moves no site's line."""


def severity(rarity: float, budget: float, spent: int) -> int:
    """OCSF ``severity_id``: 2 context, 3 medium, 4 high.

    Each incident of the same detector this week (``spent``) halves what is left of its budget.
    """
    left = budget * 0.5**spent
    if rarity > left:
        return 2
    return 4 if rarity * HIGH_FACTOR <= left else 3

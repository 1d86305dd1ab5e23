"""What an interruption costs, and how grave what is part of one is."""

from __future__ import annotations

import pytest

from dijkwacht_collector.policy import is_grave, may_call, severity


def test_every_other_one_halves_what_may_interrupt() -> None:
    assert [may_call(0.2, 1.0, spent) for spent in range(4)] == [True, True, True, False]
    assert may_call(1e-6, 1.0, 10)
    assert not may_call(168.0, 0.0, 0), "what never interrupts has no budget"
    assert not may_call(0.0, 0.0, 0), "who wants none has none, whatever a table says never happens"


@pytest.mark.parametrize(
    ("rarity", "reached"), [(1.01, 2), (1.0, 3), (0.034, 3), (0.033, 4), (0.0, 4)]
)
def test_severity_goes_by_what_it_is_of_the_budget(rarity: float, reached: int) -> None:
    assert severity(rarity, 1.0) == reached
    assert severity(rarity * 3, 3.0) == reached
    assert is_grave(rarity, 1.0) == (reached == 4)

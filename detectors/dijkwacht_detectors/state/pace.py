"""How even the gaps between events are, in two numbers: what tells a program on a timer from a person."""

from __future__ import annotations

import math

from dijkwacht_detectors.state.naming import njit_lean

UNEVEN = 0.5
"""What is believed before two gaps were seen."""


@njit_lean
def keep_pace(gap_s, n, mean, uneven):  # type: ignore[no-untyped-def]
    """Learn the ``n``-th gap (1 is the first; s, more than 0): the new (mean, uneven).

    ``mean`` is of the logarithm of gaps, ``uneven`` the mean distance from it: 0.1 is some 10 %. Of many
    gaps give the number at which later ones begin to outweigh earlier ones. One long pause hardly counts.
    """
    gap = math.log(gap_s)
    if n <= 1:
        return gap, uneven
    off = min(max(gap - mean, -1.0), 1.0)
    return mean + off / n, uneven + (abs(off) - uneven) / n

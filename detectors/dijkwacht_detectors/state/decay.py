"""Exponential decay: what happened counts for half after each half-life."""

from __future__ import annotations

import math

from numba import njit


@njit(cache=True, nogil=True, inline="always")
def remaining(elapsed, half_life):  # type: ignore[no-untyped-def]
    """Share in 0–1 that remains after ``elapsed`` of the same unit as ``half_life``."""
    if elapsed <= 0:
        return 1.0
    return math.exp(-0.6931471805599453 * elapsed / half_life)

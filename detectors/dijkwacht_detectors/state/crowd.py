"""How many distinct others there were: a set of 64 hashed bits.

Exact enough for a small site: of 20 some 17 bits are set, and of 64 and more at most 64.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean

_WEEK_US = 7 * 86_400_000_000


@njit(cache=True, nogil=True, inline="always")
def member(high, low):  # type: ignore[no-untyped-def]
    """The bit, uint64, of whoever the two halves name."""
    return np.uint64(1) << (mix(high, low) & np.uint64(63))


@njit(cache=True, nogil=True, inline="always")
def count(bits):  # type: ignore[no-untyped-def]
    """How many bits of a uint64 are set."""
    b = np.uint64(bits)
    b -= (b >> np.uint64(1)) & np.uint64(0x5555555555555555)
    b = (b & np.uint64(0x3333333333333333)) + ((b >> np.uint64(2)) & np.uint64(0x3333333333333333))
    b = (b + (b >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((b * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit_lean
def custom(weeks, last, site, own, t):  # type: ignore[no-untyped-def]
    """Let ``own`` do it at ``t``, µs; how many did so this week and the week before.

    ``weeks``: uint64[2], who did this week and the week before; ``last``: int32, by site, the week it was of.
    """
    week = t // _WEEK_US
    if week != last[site]:
        weeks[1] = weeks[0] if week == last[site] + 1 else np.uint64(0)
        weeks[0] = np.uint64(0)
        last[site] = week
    weeks[0] |= own
    return count(weeks[0] | weeks[1])

"""Tries: what a machine did at servers outside, and how many of them it did the same at.

Fields of an entity: ``tried``, i8 (places, 4): the networks, event time µs, manner and port of a try, and
``worth``, f4 (places,). A manner is a number of what was done, 0 for none, its low three bits one of
`SILENT`, `POSTED` (what decides) and `ANSWERED`, `EMPTY`, `CLOSED` (what adds up to little).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean

PLACES: Final = 16
SILENT, ANSWERED, EMPTY, CLOSED, POSTED = range(1, 6)
_NETS, _TIME, _MANNER, _PORT = range(4)  # of tried
_A_NAME: Final = 64
"""Bytes by which two requests differ that differ by the name of the site."""
_MOST_WEAK: Final = 2.0
_NARROW: Final = 0xFFFFFFFF
"""The part of a network's name that tells it from all others; above it stands the wider one's."""


@njit(cache=True, nogil=True, inline="always")
def networks_of(high, low):  # type: ignore[no-untyped-def]
    """Names of the wide network an address is in and, below it, of the narrow one: /16 and /24, or /32 and /48."""
    zero = np.uint64(0)
    four = high == zero
    wide = low >> np.uint64(16) if four else high >> np.uint64(32)
    narrow = low >> np.uint64(8) if four else high >> np.uint64(16)
    return np.int64(
        (mix(zero, wide) >> np.uint64(33)) << np.uint64(32) | (mix(zero, narrow) >> np.uint64(32))
    )


@njit_lean
def keep(lists, e, where, t, manner, port, weight):  # type: ignore[no-untyped-def]
    """Write a try into the list, in the place of the same one before, or of the oldest."""
    tried, worth = lists
    oldest = 0
    for k in range(PLACES):
        if tried[e, k, _MANNER] == manner and tried[e, k, _NETS] == where:
            oldest = k
            weight = max(weight, worth[e, k])
            break
        if tried[e, k, _MANNER] == 0:
            oldest = k
            break
        if tried[e, k, _TIME] < tried[e, oldest, _TIME]:
            oldest = k
    tried[e, oldest, _NETS], tried[e, oldest, _TIME] = where, t
    tried[e, oldest, _MANNER], tried[e, oldest, _PORT] = manner, port
    worth[e, oldest] = weight


@njit(cache=True, nogil=True, inline="always")
def _are_peers(here, there):  # type: ignore[no-untyped-def]
    """Both at ports of those who share files: the customary ones, or one of each one's own."""
    if min(here, there) >= 10_000:
        return here != there
    return 6881 <= here < 7000 and 6881 <= there < 7000


@njit(cache=True, nogil=True, inline="always")
def _same(one, other):  # type: ignore[no-untyped-def]
    if one == other:
        return True
    posted = one & 7 == POSTED and other & 7 == POSTED
    return posted and abs((one >> 3) - (other >> 3)) <= _A_NAME


@njit_lean
def others(tried, e, manner, where):  # type: ignore[no-untyped-def]
    """How many other networks were tried in ``manner``."""
    alike = 0
    for k in range(PLACES):
        if _same(tried[e, k, _MANNER], manner) and (tried[e, k, _NETS] ^ where) & _NARROW:
            alike += 1
    return alike


@njit_lean
def add_up(tried, worth, e, t, half_life):  # type: ignore[no-untyped-def]
    """Evidence of all pairs in the list."""
    evidence, weak = 0.0, 0.0
    for j in range(PLACES):
        how = tried[e, j, _MANNER]
        if how == 0:
            break
        for k in range(j):
            apart = tried[e, j, _NETS] ^ tried[e, k, _NETS]
            if not _same(how, tried[e, k, _MANNER]) or not apart & _NARROW:
                continue
            pair = float(min(worth[e, j], worth[e, k])) * (1.0 if apart >> 32 else 0.5)
            if _are_peers(tried[e, j, _PORT], tried[e, k, _PORT]):
                pair *= 0.03
            age = float(t - min(tried[e, j, _TIME], tried[e, k, _TIME]))
            pair *= half_life / (half_life + max(age, 0.0))
            if how & 7 in (SILENT, POSTED):
                evidence += pair
            else:
                weak += pair
    return evidence + min(weak, _MOST_WEAK)

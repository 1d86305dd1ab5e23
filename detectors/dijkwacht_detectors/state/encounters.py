"""Encounters: what one machine lately did to another, of as many pairs as there are places.

A pair has one place in its site. It gives way to another that needs it, unless it holds evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix

PLACES: Final = 512
NEVER: Final = -(1 << 62)
_HELD = 1.0  # evidence that a newcomer does not push away


class Encounters(NamedTuple):
    """A site's pairs. Times are event time µs, `NEVER` at first; the last four are evidence that fades."""

    pair: NDArray[np.uint64]
    met: NDArray[np.int64]
    met_port: NDArray[np.int32]
    last: NDArray[np.int64]
    nameless: NDArray[np.int64]
    login: NDArray[np.int64]
    files: NDArray[np.int64]
    refused: NDArray[np.int64]
    refused_port: NDArray[np.int32]
    line_port: NDArray[np.int32]
    line: NDArray[np.float32]
    sent: NDArray[np.float32]
    silent: NDArray[np.float32]
    broken: NDArray[np.float32]


_KINDS: Final = {"pair": "u8", "met_port": "i4", "refused_port": "i4", "line_port": "i4",
                 "line": "f4", "sent": "f4", "silent": "f4", "broken": "f4"}  # fmt: skip
REMEMBERED: Final[Mapping[str, tuple[str, tuple[int, ...]]]] = {
    field: (_KINDS.get(field, "i8"), (PLACES,)) for field in Encounters._fields
}
"""Fields for a detector's ``state``."""


@njit(cache=True, nogil=True, inline="always")
def pair_name(caller, called):  # type: ignore[no-untyped-def]
    """The name of a pair, never 0."""
    return mix(caller, called) | np.uint64(1)


@njit(cache=True, nogil=True)
def clear(pairs, s, p, key, t):  # type: ignore[no-untyped-def]
    """Give the place to the pair ``key``, of which nothing is known yet."""
    pairs.pair[s, p] = key
    pairs.met[s, p] = pairs.nameless[s, p] = pairs.login[s, p] = pairs.files[s, p] = NEVER
    pairs.refused[s, p] = NEVER
    pairs.last[s, p] = t
    pairs.met_port[s, p] = pairs.refused_port[s, p] = pairs.line_port[s, p] = 0
    pairs.line[s, p] = pairs.sent[s, p] = pairs.silent[s, p] = pairs.broken[s, p] = 0.0


@njit(cache=True, nogil=True)
def age(pairs, s, p, t, half_life):  # type: ignore[no-untyped-def]
    """Let evidence fade: by ``half_life`` µs, what was ``silent`` in a quarter, what ``broken`` in a sixtieth of it."""
    elapsed = t - pairs.last[s, p]
    if elapsed <= 0:
        return
    pairs.last[s, p] = t
    if pairs.line[s, p] + pairs.sent[s, p] + pairs.silent[s, p] + pairs.broken[s, p] <= 0.0:
        return  # as nearly always: exponentials cost more than all the rest
    kept = remaining(elapsed, half_life)
    pairs.line[s, p] *= kept
    pairs.sent[s, p] *= kept
    pairs.silent[s, p] *= kept**4
    pairs.broken[s, p] *= remaining(elapsed, half_life / 60.0)


@njit(cache=True, nogil=True, inline="always")
def find(pairs, s, key):  # type: ignore[no-untyped-def]
    """Place of a pair, -1 if it is not remembered."""
    p = np.int64(key >> np.uint64(1)) % PLACES
    return p if pairs.pair[s, p] == key else -1


@njit(cache=True, nogil=True)
def place_of(pairs, s, key, t, half_life):  # type: ignore[no-untyped-def]
    """Place of a pair, which is put there if need be; -1 if somebody's evidence is in the way."""
    p = np.int64(key >> np.uint64(1)) % PLACES
    age(pairs, s, p, t, half_life)
    if pairs.pair[s, p] != key:
        if pairs.line[s, p] + pairs.sent[s, p] + pairs.silent[s, p] + pairs.broken[s, p] > 1.0:
            return -1
        clear(pairs, s, p, key, t)
    return p

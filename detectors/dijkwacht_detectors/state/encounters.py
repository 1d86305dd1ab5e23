"""Encounters: what one machine lately did to another, of as many pairs as there are places.

A pair has one home in its site, and so one place. It gives way to another that needs it, unless it holds evidence.
Places are taken in turn, not where the home is: a page of memory is not begun for each pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean

PLACES: Final = 512
NEVER: Final = -(1 << 62)
_HELD = 1.0  # evidence that a newcomer does not push away


class Encounters(NamedTuple):
    """A site's pairs, by place: what is known, and evidence that fades. What belongs to one lies together.

    Of what is known times are event time µs, `NEVER` at first. ``home``: by home, its place and one, 0 for none;
    ``taken``: how many of the site's places are.
    """

    known: NDArray[np.int64]
    held: NDArray[np.float32]
    home: NDArray[np.uint16]
    taken: NDArray[np.int32]


PAIR, LAST, MET, MET_PORT, NAMELESS, LOGIN, FILES, REFUSED, REFUSED_PORT, LINE_PORT = range(
    10
)  # of known
LINE, SENT, SILENT, BROKEN = range(4)  # of held
REMEMBERED: Final[Mapping[str, tuple[str, tuple[int, ...]]]] = {
    "known": ("i8", (PLACES, 10)),
    "held": ("f4", (PLACES, 4)),
    "home": ("u2", (PLACES,)),
    "taken": ("i4", ()),
}
"""Fields for a detector's ``state``."""


@njit(cache=True, nogil=True, inline="always")
def pair_name(caller, called):  # type: ignore[no-untyped-def]
    """The name of a pair, never 0."""
    return mix(caller, called) | np.uint64(1)


@njit_lean
def clear(pairs, s, p, key, t):  # type: ignore[no-untyped-def]
    """Give the place to the pair ``key``, of which nothing is known yet."""
    pairs.known[s, p, PAIR] = np.int64(key)
    pairs.known[s, p, MET] = pairs.known[s, p, NAMELESS] = pairs.known[s, p, LOGIN] = pairs.known[
        s, p, FILES
    ] = NEVER
    pairs.known[s, p, REFUSED] = NEVER
    pairs.known[s, p, LAST] = t
    pairs.known[s, p, MET_PORT] = pairs.known[s, p, REFUSED_PORT] = pairs.known[s, p, LINE_PORT] = 0
    pairs.held[s, p, LINE] = pairs.held[s, p, SENT] = pairs.held[s, p, SILENT] = pairs.held[
        s, p, BROKEN
    ] = 0.0


@njit_lean
def clear_all(pairs, s):  # type: ignore[no-untyped-def]
    """Forget a site."""
    pairs.home[s, :] = 0
    pairs.taken[s] = 0


@njit_lean
def age(pairs, s, p, t, half_life):  # type: ignore[no-untyped-def]
    """Let evidence fade: by ``half_life`` µs, what was ``silent`` in a quarter, what ``broken`` in a sixtieth of it."""
    elapsed = t - pairs.known[s, p, LAST]
    if elapsed <= 0:
        return
    pairs.known[s, p, LAST] = t
    if (
        pairs.held[s, p, LINE]
        + pairs.held[s, p, SENT]
        + pairs.held[s, p, SILENT]
        + pairs.held[s, p, BROKEN]
        <= 0.0
    ):
        return  # as nearly always: exponentials cost more than all the rest
    kept = remaining(elapsed, half_life)
    pairs.held[s, p, LINE] *= kept
    pairs.held[s, p, SENT] *= kept
    pairs.held[s, p, SILENT] *= kept**4
    pairs.held[s, p, BROKEN] *= remaining(elapsed, half_life / 60.0)


@njit(cache=True, nogil=True, inline="always")
def _home_of(key):  # type: ignore[no-untyped-def]
    return np.int64(key >> np.uint64(1)) % PLACES


@njit(cache=True, nogil=True, inline="always")
def find(pairs, s, key):  # type: ignore[no-untyped-def]
    """Place of a pair, -1 if it is not remembered."""
    p = np.int64(pairs.home[s, _home_of(key)]) - 1
    return p if p >= 0 and pairs.known[s, p, PAIR] == np.int64(key) else -1


@njit_lean
def place_of(pairs, s, key, t, half_life):  # type: ignore[no-untyped-def]
    """Place of a pair, which is put there if need be; -1 if somebody's evidence is in the way."""
    home = _home_of(key)
    p = np.int64(pairs.home[s, home]) - 1
    if p < 0:
        p = np.int64(pairs.taken[s])
        pairs.taken[s] = pairs.home[s, home] = p + 1
        clear(pairs, s, p, key, t)
        return p
    age(pairs, s, p, t, half_life)
    if pairs.known[s, p, PAIR] != np.int64(key):
        known, held = pairs.known[s, p], pairs.held[s, p]
        # What is sent after a log-in is somebody's files: many who copy must be in nobody's way.
        sent = held[SENT] if known[NAMELESS] > max(known[LOGIN], known[FILES]) else 0.0
        if held[LINE] + sent + held[SILENT] + held[BROKEN] > _HELD:
            return -1
        clear(pairs, s, p, key, t)
    return p

"""A short list a site: as many names as there are places, of which the one longest unused gives way.

Fields of a site, ``samples_…`` of shape (places,): the names, ``u8``, of which 0 is nobody, and event
time of their last use, ``i8``, µs. Whoever keeps more of each name clears it where `place_of` says it is new.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean


@njit(cache=True, nogil=True, inline="always")
def name_of(high, low):  # type: ignore[no-untyped-def]
    """A name, uint64 and never 0, of what two halves tell apart."""
    return mix(high, low) | np.uint64(1)


@njit_lean
def find(names, site, name):  # type: ignore[no-untyped-def]
    """Place of ``name`` in the list of ``site``, -1 if it is not there."""
    for place in range(names.shape[1]):
        if names[site, place] == name:
            return place
    return -1


@njit_lean
def place_of(names, used, site, name, time):  # type: ignore[no-untyped-def]
    """Place of ``name``, which is put there if need be, and whether it is new; used at ``time``."""
    oldest = 0
    for place in range(names.shape[1]):
        if names[site, place] == name:
            used[site, place] = max(used[site, place], time)
            return place, False
        if names[site, place] == 0:
            oldest = place
            break
        if used[site, place] < used[site, oldest]:
            oldest = place
    names[site, oldest] = name
    used[site, oldest] = time
    return oldest, True

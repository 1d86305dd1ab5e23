"""Names of system metrics as numbers: a kernel compares numbers more cheaply than bytes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.state.naming import njit_lean


@lru_cache
def hashes_of(names: tuple[str, ...]) -> NDArray[np.uint64]:
    """Hashes of metrics' names, uint64[n]."""
    encoded = [np.frombuffer(name.encode(), np.uint8) for name in names]
    return np.array([hash_of(np.array([0, len(e)]), e, 0) for e in encoded], np.uint64)


@njit_lean
def hash_of(offsets, blob, row):  # type: ignore[no-untyped-def]
    """FNV-1a of the name in ``row``."""
    found = np.uint64(0xCBF29CE484222325)
    for at in range(offsets[row], offsets[row + 1]):
        found = (found ^ np.uint64(blob[at])) * np.uint64(0x100000001B3)
    return found


@njit_lean
def place_of(hashes, found):  # type: ignore[no-untyped-def]
    """Where ``found`` stands among ``hashes``, -1 for nowhere."""
    for place in range(len(hashes)):
        if hashes[place] == found:
            return place
    return -1

"""An open-addressed hash table of slots: where each is looked for, by its entity's key.

Buckets are int32, as long as a power of two: slot + 1, 0 is free. ``salt`` are two numbers of the table's own,
so that keys that were chosen to collide do not.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, inline="always")
def home(key, salt, mask):  # type: ignore[no-untyped-def]
    """Where a key is looked for first."""
    h = (key ^ salt[0]) * salt[1]
    h = (h ^ (h >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    return (h >> np.uint64(32)) & mask


@njit(cache=True, nogil=True, inline="always")
def stand(buckets, key, salt, slot):  # type: ignore[no-untyped-def]
    """Let ``slot`` stand where ``key`` is looked for, if it does not yet."""
    mask = np.uint64(len(buckets) - 1)
    at = home(key, salt, mask)
    while buckets[at] and buckets[at] != slot + 1:
        at = (at + np.uint64(1)) & mask
    buckets[at] = slot + 1


@njit(cache=True, nogil=True)
def remove(buckets, entities, salt, slot):  # type: ignore[no-untyped-def]
    """Take ``slot`` out of ``buckets``, if it is there; what stands behind it moves up."""
    mask = np.uint64(len(buckets) - 1)
    one = np.uint64(1)
    at = home(entities[slot].key, salt, mask)
    while buckets[at] != slot + 1:
        if not buckets[at]:
            return
        at = (at + one) & mask
    hole, probe = at, (at + one) & mask
    while buckets[probe]:
        begins = home(entities[buckets[probe] - 1].key, salt, mask)
        if ((probe - begins) & mask) >= ((probe - hole) & mask):
            buckets[hole] = buckets[probe]
            hole = probe
        probe = (probe + one) & mask
    buckets[hole] = 0


@njit(cache=True, nogil=True)
def find(buckets, entities, salt, key, site):  # type: ignore[no-untyped-def]
    """The slot of a site's ``key``, or -1."""
    mask = np.uint64(len(buckets) - 1)
    at = home(key, salt, mask)
    while buckets[at]:
        here = buckets[at] - 1
        if entities[here].key == key and entities[here].owner == site:
            return here
        at = (at + np.uint64(1)) & mask
    return -1

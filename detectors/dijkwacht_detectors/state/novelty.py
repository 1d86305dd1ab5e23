"""Was this seen before? Two small Bloom filters an entity, the older of which is dropped when full.

Answers "new" for a key that was seen long ago, and "seen" for some one in five that were not: counts
of new keys are a little low, which on a logarithmic scale is less than half a doubling.
State fields: ``seen`` ``("u8", (2, 16))`` and ``held`` ``("i4", ())``; both 0 when an entity is fresh.
"""

from __future__ import annotations

import numpy as np

from dijkwacht_detectors.state.naming import njit_lean

_PAGE = 256  # keys in a filter: then some two fifths of its 1024 bits are set


@njit_lean
def is_new(seen, held, entity, key):  # type: ignore[no-untyped-def]
    """Take ``key``, a well mixed uint64, into the memory of ``entity``; True if it was not there."""
    one = np.uint64(1)
    a, b = key & np.uint64(1023), (key >> np.uint64(10)) & np.uint64(1023)
    a_word, b_word = a >> np.uint64(6), b >> np.uint64(6)
    a_bit, b_bit = one << (a & np.uint64(63)), one << (b & np.uint64(63))
    for page in range(2):
        if seen[entity, page, a_word] & a_bit and seen[entity, page, b_word] & b_bit:
            return False
    if held[entity] >= _PAGE:
        for word in range(16):
            seen[entity, 1, word] = seen[entity, 0, word]
            seen[entity, 0, word] = 0
        held[entity] = 0
    seen[entity, 0, a_word] |= a_bit
    seen[entity, 0, b_word] |= b_bit
    held[entity] += 1
    return True

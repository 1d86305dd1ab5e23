"""Ports at which a service is looked for by UDP; at all others programs knock for their peers."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray


def _services() -> NDArray[np.bool_]:
    """Ports at which a scanner looks for something by UDP: the low ones, and what is known to be open above."""
    ports = np.zeros(1 << 16, np.bool_)
    ports[:1024] = True
    ports[[
        1434, 1604, 1645, 1701, 1812, 1900, 2049, 2123, 2152, 3283, 3671, 3702, 5004, 5060, 5061, 5093, 5351,
        5353, 5355, 5632, 5683, 5684, 6481, 9600, 10001, 10080, 11211, 17185, 20000, 30718, 32414, 33848, 34964,
        37777, 37810, 44818, 47808, 48899, 53413, 54321,
    ]] = True  # fmt: skip
    return ports


SERVICES: Final = _services()
"""By port, bool[65536]."""

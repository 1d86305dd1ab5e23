"""Kinds of addresses, as kernels see them: two uint64, IPv4 mapped (``::ffff:0:0/96``)."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, inline="always")
def is_v4(high, low):  # type: ignore[no-untyped-def]
    """An IPv4 address, which is then the low 32 bits of ``low``."""
    return high == np.uint64(0) and (low >> np.uint64(32)) == np.uint64(0xFFFF)


@njit(cache=True, nogil=True, inline="always")
def is_multicast(high, low):  # type: ignore[no-untyped-def]
    """Multicast, in IPv4 with all above it: reserved addresses and 255.255.255.255."""
    if is_v4(high, low):
        return (low & np.uint64(0xFFFFFFFF)) >= np.uint64(0xE0000000)
    return (high >> np.uint64(56)) == np.uint64(0xFF)


@njit(cache=True, nogil=True, inline="always")
def is_no_host(high, low):  # type: ignore[no-untyped-def]
    """No single host's: multicast, a subnet's broadcast as far as .255 shows it, or unspecified."""
    if is_v4(high, low):
        v4 = low & np.uint64(0xFFFFFFFF)
        return v4 >= np.uint64(0xE0000000) or v4 == 0 or (v4 & np.uint64(0xFF)) == np.uint64(0xFF)
    return (high >> np.uint64(56)) == np.uint64(0xFF) or (high == 0 and low == 0)


@njit(cache=True, nogil=True, inline="always")
def is_private(high, low):  # type: ignore[no-untyped-def]
    """One that no router of the internet knows: private or link-local, as a site's own are told as well."""
    if is_v4(high, low):
        v4 = low & np.uint64(0xFFFFFFFF)
        return (
            (v4 >> np.uint64(24)) == np.uint64(10)
            or (v4 >> np.uint64(20)) == np.uint64(0xAC1)
            or (v4 >> np.uint64(22)) == np.uint64(0x191)  # 100.64.0.0/10, behind a provider's NAT
            or (v4 >> np.uint64(16)) in (np.uint64(0xC0A8), np.uint64(0xA9FE))
        )
    return (high >> np.uint64(57)) == np.uint64(0x7E) or (high >> np.uint64(54)) == np.uint64(0x3FA)

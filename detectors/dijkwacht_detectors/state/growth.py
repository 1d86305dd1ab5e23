"""Arrays that grow where they are: a copy would write all that is known anew, and all rows would wait for it."""

from __future__ import annotations

import mmap
import sys
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_SMALL: Final = 1 << 16
"""Bytes up to which an array is copied: quicker than asking the system."""
_RESERVED: Final = 1 << 30
"""Addresses for an array that has outgrown that, in bytes; those never written to cost no memory."""
_LARGE: Final = 1 << 21
"""Bytes from which on memory comes in pages of 2 MiB, a third of the cost."""
_PAGE: Final = 4096
_NO_RESERVE: Final = 0x4000  # MAP_NORESERVE, which Python 3.13 knows
_FLAGS: Final = (
    mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE if sys.platform == "linux" else None
)

_map: Final = mmap.mmap


def grown(values: NDArray[Any], length: int) -> NDArray[Any]:
    """All of ``values``, and zeros up to ``length`` entries; where it can be the same memory, it is.

    ``values`` is what this returned before, whole, or an array of its own; of no use any more.
    """
    shape, size = values.shape[1:], prod(values.shape[1:])
    room = values.base
    if isinstance(room, np.ndarray) and _is_reserved(room) and length * size <= len(room):
        return room[: length * size].reshape(length, *shape)
    larger = zeros(length, values.dtype, shape)
    larger[: len(values)] = values
    return larger


def _is_reserved(room: NDArray[Any]) -> bool:
    """Whether `zeros` has made it; a copy of such an array, as of one that was pickled, is not."""
    base: Any = room.base
    return isinstance(base.obj if isinstance(base, memoryview) else base, mmap.mmap)


def zeros(length: int, dtype: np.dtype[Any], shape: tuple[int, ...] = ()) -> NDArray[Any]:
    """So many zeros, or entries of ``shape``, that can grow where they are if they are many."""
    each = dtype.itemsize * prod(shape)
    if _FLAGS is None or length * each <= _SMALL:
        return np.zeros((length, *shape), dtype)
    size = max(_RESERVED, 2 * length * each)
    try:
        reserved = _map(-1, size, flags=_FLAGS)
    except OSError:  # addresses are limited here, or counted as memory
        return np.zeros((length, *shape), dtype)
    # an entry of several pages is seldom written to in all of them
    if hasattr(mmap, "MADV_HUGEPAGE") and each <= _PAGE:
        reserved.madvise(mmap.MADV_HUGEPAGE, _LARGE, size - _LARGE)
    room: NDArray[Any] = np.frombuffer(reserved, dtype, size // dtype.itemsize)
    return room[: length * prod(shape)].reshape(length, *shape)

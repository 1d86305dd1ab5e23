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
_LARGE: Final = 1 << 22
"""Bytes from which on memory comes in pages of 2 MiB, a third of the cost; numpy begins at as many."""
_PAGE: Final = 4096
_NO_RESERVE: Final = 0x4000  # MAP_NORESERVE, which Python 3.13 knows
_FLAGS: Final = (
    mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE if sys.platform == "linux" else None
)


class Growing:
    """An array of entries of ``shape`` and ``dtype``, zero where nobody has written."""

    def __init__(self, dtype: str, shape: tuple[int, ...] = ()) -> None:
        self._room: NDArray[Any] = np.zeros((0, *shape), dtype)
        self._length = 0

    def up_to(self, length: int) -> NDArray[Any]:
        """Its first ``length`` entries, no copies. Those handed out before are good until it grows again."""
        room = self._room
        if length > len(room):
            self._room = _room(max(length, 2 * len(room)), room.shape[1:], room.dtype)
            self._room[: self._length] = room[: self._length]
        self._length = max(self._length, length)
        return self._room[:length]


def _room(length: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Zeros of ``length`` entries at least."""
    size = dtype.itemsize * prod(shape)
    if _FLAGS is None or not length * size > _SMALL:
        return np.zeros((length, *shape), dtype)
    wanted = max(_RESERVED, length * size)
    try:
        reserved = mmap.mmap(-1, wanted, flags=_FLAGS)
    except OSError:  # addresses are limited here, or counted as memory
        return np.zeros((length, *shape), dtype)
    # an entry of several pages is seldom written to in all of them
    if hasattr(mmap, "MADV_HUGEPAGE") and size <= _PAGE:
        reserved.madvise(mmap.MADV_HUGEPAGE, _LARGE, wanted - _LARGE)
    most = wanted // size
    return np.frombuffer(reserved, dtype, most * prod(shape)).reshape(most, *shape)

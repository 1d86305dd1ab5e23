"""Numbers as byte planes: first the lowest byte of every number, then the next one of every number.

What is alike lies side by side that way, and compresses to a half or less.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from typing import Final, TypeVar

from dijkwacht_records.errors import MalformedBatch

WIDTHS: Final = (0, 1, 2, 3, 4, 6, 8)
"""Bytes that a number may have."""
LIMIT: Final = 1 << 62
"""Integers of the contract lie from -2^62 up to here."""
_TYPECODE: Final = {1: "B", 2: "H", 3: "I", 4: "I", 6: "Q", 8: "Q"}
_LITTLE: Final = sys.byteorder == "little"
_Array = TypeVar("_Array", bound="array[int] | array[float]")


def width_of(top: int, widths: Sequence[int] = WIDTHS) -> int:
    """The least of ``widths`` whose bytes hold numbers up to ``top``."""
    for width in widths:
        if top < 1 << 8 * width:
            return width
    raise ValueError(f"{top} has more than 64 bits")


def split_planes(numbers: Sequence[int], width: int) -> bytes:
    """The planes of unsigned ``numbers``, which have at most ``width`` bytes."""
    return _split(array(_TYPECODE[width], numbers), width) if width else b""


def split_doubles(values: Sequence[float]) -> bytes:
    """The planes of IEEE doubles."""
    return _split(array("d", values), 8)


def join_planes(planes: bytes, width: int, rows: int) -> Sequence[int]:
    """The unsigned numbers of ``width`` planes of ``rows`` bytes each."""
    if width <= 1:
        return planes if width else bytes(rows)
    return _join(planes, width, rows, _TYPECODE[width])


def join_doubles(planes: bytes, rows: int) -> array[float]:
    """The doubles of 8 planes of ``rows`` bytes each."""
    return _join(planes, 8, rows, "d")  # type: ignore[return-value]  # by its type code


def pack_lengths(lengths: Sequence[int]) -> bytes:
    """Lengths of texts as u16, little-endian, one after the other."""
    return _in_order(array("H", lengths)).tobytes()


def pack_words(words: Sequence[int]) -> bytes:
    """64-bit numbers, little-endian, one after the other."""
    return _in_order(array("q", words)).tobytes()


def unpack_lengths(raw: bytes) -> Sequence[int]:
    """What `pack_lengths` packed. Raises `MalformedBatch` for half a length."""
    if len(raw) % 2:
        raise MalformedBatch("lengths are cut short")
    return _in_order(array("H", raw))


def check_range(least: int, most: int) -> None:
    """Raise ``ValueError`` for integers that no batch may hold, or that lie too far apart."""
    if least <= -LIMIT or most >= LIMIT:
        raise ValueError(f"integer outside ±2^62: {least} … {most}")
    if most - least >= LIMIT:
        raise ValueError(f"integers further apart than 2^62: {least} … {most}")


def _split(values: array[int] | array[float], width: int) -> bytes:
    size = values.itemsize
    raw = _in_order(values).tobytes()
    return raw if width == size == 1 else b"".join(raw[k::size] for k in range(width))


def _join(planes: bytes, width: int, rows: int, code: str) -> array[int]:
    size = array(code).itemsize
    raw = bytearray(size * rows)
    for k in range(width):
        raw[k::size] = planes[k * rows : (k + 1) * rows]
    return _in_order(array(code, bytes(raw)))


def _in_order(values: _Array) -> _Array:
    if not _LITTLE:
        values.byteswap()
    return values

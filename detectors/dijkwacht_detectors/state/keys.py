"""Keys of entities: columns of rows mixed into one 64-bit number a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Text
from dijkwacht_detectors.state.entities import mix

Begun = dict[tuple[str, ...], NDArray[np.uint64]]
"""Keys uint64[n] of some rows, by the columns that name them."""


class Names(NamedTuple):
    """By number, what stands for the names of sites and agents, uint64 each: their numbers are others elsewhere."""

    sites: NDArray[np.uint64]
    agents: NDArray[np.uint64]


def keys_of(
    named: tuple[str, ...],
    columns: Mapping[str, Any],
    site: NDArray[np.int32],
    agent: NDArray[np.int32],
    names: Names,
    begun: Begun,
) -> NDArray[np.uint64]:
    """What stands for the entity that these columns name in each row, uint64[n].

    ``begun``: what was made of the same rows, and what is made: of keys that begin alike the beginning is mixed once.
    """
    for many in range(len(named) + 1):
        if named[:many] in begun:
            continue
        if many:
            name = named[many - 1]
            key = begun[named[: many - 1]].copy()
            mix_values(key, names.agents[agent] if name == "agent" else columns[name])
        else:
            key = np.empty(len(site), np.uint64)
            mix_sites(key, site, names.sites)
        begun[named[:many]] = key
    return begun[named]


@njit(cache=True, nogil=True)
def mix_sites(key, site, names):  # type: ignore[no-untyped-def]
    """Begin each ``key`` uint64[n] with what stands for its site in ``names`` uint64[sites]."""
    last, mixed = np.int32(-1), np.uint64(0)
    for i in range(len(key)):
        if site[i] != last:  # a batch is of one site
            last = site[i]
            mixed = mix(np.uint64(0), names[last])
        key[i] = mixed


@njit(cache=True, nogil=True)
def mix_column(key, column):  # type: ignore[no-untyped-def]
    """Mix a column of n numbers into the running ``key`` uint64[n], in place."""
    for i in range(len(key)):
        key[i] = mix(key[i], column[i])


@njit(cache=True, nogil=True)
def mix_addresses(key, column):  # type: ignore[no-untyped-def]
    """The same with a column of addresses, uint64[n, 2]."""
    for i in range(len(key)):
        key[i] = mix(mix(key[i], column[i, 0]), column[i, 1])


@njit(cache=True, nogil=True)
def _mix_texts(key, offsets, blob):  # type: ignore[no-untyped-def]
    for i in range(len(key)):
        h = np.uint64(0xCBF29CE484222325)
        for j in range(offsets[i], offsets[i + 1]):
            h = (h ^ np.uint64(blob[j])) * np.uint64(0x100000001B3)
        key[i] = mix(key[i], h)


def mix_values(key: NDArray[np.uint64], column: Any) -> None:
    """Mix a column of any kind into the running ``key`` uint64[n], in place."""
    if isinstance(column, Text):
        _mix_texts(key, column.offsets, column.blob)
    else:
        (mix_column if column.ndim == 1 else mix_addresses)(key, column)

"""How kernels are compiled, and how arrays get into one with their names: picked outside, named again inside.

A kernel's rows and state are named tuples of its own, ``_Rows`` and ``_State``. They cross as plain
tuples, because numba reads every name of a named tuple at each call, which costs more than the rows
of a small step, and takes two of one name and the same fields for one type::

    _fold(_columns(rows), _memory(state), ...)        # in `fold`

    rows, state = _Rows(*columns), _State(*memory)    # in the kernel
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from numba import njit

from dijkwacht_detectors.api import Rows

Arrays = tuple[Any, ...]
_FREE = ("time", "slot", "fresh")


def row_picker(fields: tuple[str, ...]) -> Callable[[Rows], Arrays]:
    """Return what picks ``fields`` from rows: ``time``, ``slot``, ``fresh``, then columns.

    Raises ``ValueError`` if they do not begin with these three.
    """
    if fields[:3] != _FREE:
        raise ValueError(f"rows begin with {', '.join(_FREE)}, not with {', '.join(fields[:3])}")
    columns = picker(fields[3:])

    def pick(rows: Rows) -> Arrays:
        return (rows.time, rows.slot, rows.fresh, *columns(rows.columns))

    return pick


def picker(fields: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Arrays]:
    """Return what picks ``fields`` from a mapping, in their order."""
    if len(fields) > 1:
        return itemgetter(*fields)
    return lambda arrays: tuple(arrays[field] for field in fields)


def njit_lean(function: Callable[..., Any]) -> Any:
    """Compile a kernel that only reads and writes what it is handed: no ``np.zeros``, no slice = slice.

    Numba else counts references to every array of a tuple, atomically, each time that one is handed on
    within a row, which takes as long as all else. A kernel that allocates is refused when it is compiled.
    """
    return njit(cache=True, nogil=True, _nrt=False)(function)  # type: ignore[call-overload]

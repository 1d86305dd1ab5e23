"""Who is seen in whose company: of each entity its rows, its machines and its servers.

What several contexts of TLS hellos remember alike, each of entities of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import Rows, State
from dijkwacht_detectors.state.crowd import count, member
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker

COMPANY: Final[Mapping[str, tuple[str, tuple[int, ...]]]] = {
    "first": ("i8", ()),
    "rows": ("i8", ()),
    "machines": ("u8", ()),
    "dests": ("u8", ()),
}
"""State fields: event time of the first row, rows, and sets of originators and responders (`crowd`)."""


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    orig_h: NDArray[np.uint64]
    resp_h: NDArray[np.uint64]


class _State(NamedTuple):
    first: NDArray[np.int64]
    rows: NDArray[np.int64]
    machines: NDArray[np.uint64]
    dests: NDArray[np.uint64]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


def keep_company(rows: Rows, state: State, told: tuple[NDArray[Any], ...]) -> None:
    """Put what is known of each row's entity into ``told``, int64[n] each as `COMPANY`; then learn it."""
    _fold(_columns(rows), _memory(state), told)


@njit_lean
def _fold(columns, memory, told):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    first, seen, machines, dests = told
    for i in range(len(rows.time)):
        e = rows.slot[i]
        if rows.fresh[i]:
            state.first[e] = rows.time[i]
            state.rows[e] = 0
            state.machines[e] = state.dests[e] = np.uint64(0)
        first[i] = state.first[e]
        seen[i] = state.rows[e]
        machines[i] = count(state.machines[e])
        dests[i] = count(state.dests[e])
        state.rows[e] += 1
        state.machines[e] |= member(rows.orig_h[i, 0], rows.orig_h[i, 1])
        state.dests[e] |= member(rows.resp_h[i, 0], rows.resp_h[i, 1])

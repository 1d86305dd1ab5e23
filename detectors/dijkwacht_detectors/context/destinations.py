"""Where a site's connections go: how long it has known the other end, and how well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Rows, State
from dijkwacht_detectors.context_api import Context
from dijkwacht_detectors.state.naming import picker, row_picker


class Destinations(Context):
    """Whom the site has called before: its acquaintance with each flow's responder.

    ``dest_first`` is the event time, µs UTC, at which it met that address, the row's own if it is
    new; ``dest_rows`` is how many flows, counted at part 0, it had to it before this row.

    >>> from dijkwacht_detectors.harness import context_columns
    >>> calls = [{"time": t, "resp_h": host} for t, host in [(10, 7), (20, 7), (30, 8)]]
    >>> known = context_columns(Destinations(), calls)
    >>> known["dest_first"].tolist(), known["dest_rows"].tolist()
    ([10.0, 10.0, 30.0], [0.0, 1.0, 0.0])
    """

    name = "destinations"
    table = "flows"
    reads = ("part",)
    entity = "resp"
    columns = {"dest_first": "int", "dest_rows": "int"}  # noqa: RUF012  # as the contract has it
    state = {"first": ("i8", ()), "rows": ("i8", ())}  # noqa: RUF012

    entities_per_site = 16_384
    """An office of 250 meets some thousands of addresses a week; 131 kB a site and field at most."""
    forget_after_s = 30 * 24 * 3600
    """What is called once a month is still known."""

    def fold(self, rows: Rows, state: State, out: Mapping[str, NDArray[Any]]) -> None:
        """Say what is known of each responder, then count the flow."""
        _fold(_columns(rows), _memory(state), out["dest_first"], out["dest_rows"])


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    part: NDArray[np.int64]


class _State(NamedTuple):
    first: NDArray[np.int64]
    rows: NDArray[np.int64]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True)
def _fold(columns, memory, first, count):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e = rows.slot[i]
        if rows.fresh[i]:
            state.first[e] = rows.time[i]
            state.rows[e] = 0
        first[i] = state.first[e]
        count[i] = state.rows[e]
        if rows.part[i] == 0:
            state.rows[e] += 1

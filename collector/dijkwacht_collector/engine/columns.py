"""HOT  Batches → columns: what many agents sent, as one set of numpy arrays a table.

Rows stand in the order of the journal. Each gets its event time: the latest time its agent has
named so far, in which a time more than five minutes ahead of the batch's arrival counts as the
arrival. So event time never falls within an agent, whatever its clock did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_collector.unpacking import unpack
from dijkwacht_records.wire import Batch

TICK_US = 10_000_000
"""Windows begin and end, and quiet incidents close, at multiples of this much event time."""
LATE_US = 900_000_000
"""A row later than this is counted as late; a flow that ends by time-out is not."""
FUTURE_US = 300_000_000
"""A time further ahead of its arrival than this is not believed."""

ROW_BYTES: Final = 256
"""Bytes of a batch that cost what a row does, where it holds few rows for its size."""

Ticks = NDArray[np.int64]
"""int64[n, 3], a line (order, agent, time) each: before row ``order`` the event time of ``agent`` reached
``time``, a multiple of `TICK_US`."""


class Arrival(NamedTuple):
    """A batch with the engine's small numbers for its site and agent.

    ``rows``: in all tables that are known; ``cost``: what it costs to unpack, in rows.
    """

    batch: Batch
    site: int
    agent: int
    time: int
    rows: int
    cost: int

    @classmethod
    def of(cls, batch: Batch, site: int, agent: int, time: int) -> Self:
        """What ``agent`` of ``site`` sent, which arrived at that time."""
        planes = batch.planes
        rows = planes.rows - planes.unknown
        return cls(batch, site, agent, time, rows, max(rows, planes.size // ROW_BYTES))


@dataclass(frozen=True, slots=True)
class TableRows:
    """The rows of one table: ``order`` is each row's place among all rows of the step."""

    columns: dict[str, Any]
    time: NDArray[np.int64]
    site: NDArray[np.int32]
    agent: NDArray[np.int32]
    order: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Step:
    """All rows of some batches, by table number, with what happened to event time on the way.

    ``late`` and ``future`` count, per agent, rows whose own time was not used because it lay more than
    `LATE_US` before the agent's event time, or more than `FUTURE_US` behind their arrival. ``starts``: the
    order of the first row of each batch.
    """

    tables: dict[int, TableRows]
    ticks: Ticks
    late: NDArray[np.int64]
    future: NDArray[np.int64]
    rows: int
    starts: NDArray[np.int64]


def join_columns(
    arrivals: Sequence[Arrival], wanted: Mapping[int, frozenset[str]], clocks: NDArray[np.int64]
) -> Step:
    """Unpack the ``wanted`` columns of each table; ``clocks`` int64[agents] is read and moved on.

    Raises `MalformedBatch`; ``clocks`` are then as they were.
    """
    unpacked = unpack([arrival.batch.planes for arrival in arrivals], wanted)
    counts = unpacked.rows.sum(axis=0)
    numbers = np.flatnonzero(counts).tolist()
    first = np.cumsum(counts) - counts
    times = [unpacked.columns[number]["time"] for number in numbers]
    joined = np.concatenate(times) if times else np.zeros(0, np.int64)
    event, order = np.empty_like(joined), np.empty_like(joined)
    late, future = np.zeros(len(clocks), np.int64), np.zeros(len(clocks), np.int64)
    sizes = unpacked.rows.sum(axis=1)
    ends = np.cumsum(sizes)
    sites = np.array([arrival.site for arrival in arrivals], np.int32)
    agents = np.array([arrival.agent for arrival in arrivals], np.int32)
    batches = ends, agents, np.array([arrival.time for arrival in arrivals], np.int64)
    ticks = _walk(unpacked.order, batches, joined, first, clocks, event, order, late, future)
    tables = {}
    for number in numbers:
        span = slice(first[number], first[number] + counts[number])
        own = unpacked.rows[:, number]
        tables[number] = TableRows(
            unpacked.columns[number],
            event[span],
            np.repeat(sites, own),
            np.repeat(agents, own),
            order[span],
        )
    return Step(tables, ticks, late, future, len(joined), ends - sizes)


@njit(cache=True, nogil=True)
def _walk(  # type: ignore[no-untyped-def]
    table_of, batches, times, starts, clocks, event, order, late, future
):
    ends, agents, arrivals = batches
    cursor = starts.copy()
    ticks = []
    i = 0
    for b in range(len(ends)):
        agent, latest = agents[b], arrivals[b] + FUTURE_US
        clock = clocks[agent]
        while i < ends[b]:
            table = table_of[i]
            at = cursor[table]
            cursor[table] = at + 1
            t = times[at]
            if t > latest:
                t = arrivals[b]
                future[agent] += 1
            if t < clock:
                if clock - t > LATE_US:
                    late[agent] += 1
                t = clock
            elif t // TICK_US != clock // TICK_US:
                ticks.append((np.int64(i), np.int64(agent), t // TICK_US * TICK_US))
            clock = t
            event[at] = t
            order[at] = i
            i += 1
        clocks[agent] = clock
    out = np.empty((len(ticks), 3), np.int64)
    for j in range(len(ticks)):
        out[j, 0], out[j, 1], out[j, 2] = ticks[j]
    return out

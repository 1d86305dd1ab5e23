"""HOT  Batches → columns: what many agents sent, as one set of numpy arrays a table.

Rows stand in the order of the journal. Each gets its event time: the latest time its agent has
named so far, in which a time more than five minutes ahead of the batch's arrival counts as the
arrival. So event time never falls within an agent, whatever its clock did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Text
from dijkwacht_records.tables import TABLES
from dijkwacht_records.wire import Batch, PackedTable

TICK_US = 10_000_000
"""Windows begin and end, and quiet incidents close, at multiples of this much event time."""
LATE_US = 900_000_000
"""A row later than this is counted as late; a flow that ends by time-out is not."""
FUTURE_US = 300_000_000
"""A time further ahead of its arrival than this is not believed."""

Ticks = NDArray[np.int64]
"""int64[n, 3], a line (order, agent, time) each: before row ``order`` the event time of ``agent`` reached
``time``, a multiple of `TICK_US`."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A decoded batch with the engine's small numbers for its site and agent; ``rows``: in all its tables."""

    batch: Batch
    site: int
    agent: int
    time: int
    rows: int


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
    """Unpack the ``wanted`` columns of each table; ``clocks`` int64[agents] is read and moved on."""
    tables = {}
    counts = np.zeros(len(TABLES), np.int64)
    addresses = _Addresses(arrivals)
    parts: dict[int, list[tuple[Arrival, PackedTable]]] = {}
    for arrival in arrivals:
        for table in arrival.batch.tables:
            parts.setdefault(table.number, []).append((arrival, table))
    for number in sorted(parts):
        reads = wanted.get(number, frozenset())
        tables[number] = _join_table(number, parts[number], reads, addresses)
        counts[number] = len(tables[number].time)
    first = np.concatenate(([0], np.cumsum(counts)[:-1]))
    times = np.concatenate([t.time for t in tables.values()]) if tables else np.zeros(0, np.int64)
    event, order = np.empty_like(times), np.empty_like(times)
    late, future = np.zeros(len(clocks), np.int64), np.zeros(len(clocks), np.int64)
    table_of, agent_of, arrival_of = _sequence(arrivals)
    ticks = _walk(table_of, agent_of, arrival_of, times, first, clocks, event, order, late, future)
    for number, joined in tables.items():
        span = slice(first[number], first[number] + counts[number])
        tables[number] = TableRows(
            joined.columns, event[span], joined.site, joined.agent, order[span]
        )
    starts = np.cumsum([0, *(arrival.rows for arrival in arrivals[:-1])])
    return Step(tables, ticks, late, future, len(times), starts)


def _sequence(
    arrivals: Sequence[Arrival],
) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.int64]]:
    orders, sizes = [], []
    for arrival in arrivals:
        batch = arrival.batch
        sizes.append(arrival.rows)
        if batch.order:
            orders.append(np.frombuffer(batch.order, np.uint8))
        elif batch.tables:
            orders.append(np.full(arrival.rows, batch.tables[0].number, np.uint8))
    table_of = np.concatenate(orders) if orders else np.zeros(0, np.uint8)
    agents = np.array([a.agent for a in arrivals], np.int32)
    times = np.array([a.time for a in arrivals], np.int64)
    return table_of, np.repeat(agents, sizes), np.repeat(times, sizes)


def _join_table(
    number: int,
    parts: Sequence[tuple[Arrival, PackedTable]],
    wanted: frozenset[str],
    addresses: _Addresses,
) -> TableRows:
    """Unpack a table's columns in one call: a kernel's call costs more than a small batch's rows."""
    sizes = [table.rows for _, table in parts]
    chosen = [
        (index, column)
        for index, column in enumerate(TABLES[number].columns)
        if column.name in wanted or column.name == "time"
    ]
    packed = [table.columns[index] for index, _ in chosen for _, table in parts]
    n = len(parts)
    jobs = np.empty((len(packed), 6), np.int64)
    jobs[:, 0] = np.repeat(np.arange(len(chosen)), n)
    jobs[:, 1] = np.tile(np.cumsum([0, *sizes[:-1]]), len(chosen))
    jobs[:, 2] = np.tile(sizes, len(chosen))
    jobs[:, 4] = [one.width for one in packed]
    jobs[:, 5] = [one.base for one in packed]
    lengths = jobs[:, 2] * jobs[:, 4]
    jobs[:, 3] = np.cumsum(lengths) - lengths
    first = [addresses.first[id(arrival)] for arrival, _ in parts]
    for line, (_, column) in enumerate(chosen):
        if column.kind == "addr":
            jobs[line * n : (line + 1) * n, 5] += first
    planes = b"".join([one.planes for one in packed])
    out = np.empty((len(chosen), sum(sizes)), np.int64)
    _unpack(np.frombuffer(planes, np.uint8), jobs, out)
    columns: dict[str, Any] = {}
    for line, (index, column) in enumerate(chosen):
        if column.kind == "addr":
            columns[column.name] = addresses.places[out[line]]
        elif column.kind == "text":
            blob = b"".join(table.columns[index].blob for _, table in parts)
            columns[column.name] = _text(out[line], blob)
        else:
            columns[column.name] = (
                out[line].view(np.float64) if column.kind == "float" else out[line]
            )
    time = columns["time"]
    site = np.repeat(np.array([a.site for a, _ in parts], np.int32), sizes)
    agent = np.repeat(np.array([a.agent for a, _ in parts], np.int32), sizes)
    return TableRows(columns, time, site, agent, time)


class _Addresses:
    """The address tables of all batches end to end, uint64[n, 2], and where each begins."""

    def __init__(self, arrivals: Sequence[Arrival]) -> None:
        self.first: dict[int, int] = {}
        at = 0
        for arrival in arrivals:
            self.first[id(arrival)] = at
            at += len(arrival.batch.addresses) // 16
        joined = b"".join(arrival.batch.addresses for arrival in arrivals)
        self.places = np.frombuffer(joined, ">u8").reshape(-1, 2).astype(np.uint64)


def _text(lengths: NDArray[np.int64], blob: bytes) -> Text:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return Text(offsets, np.frombuffer(blob, np.uint8))


@njit(cache=True, nogil=True)
def _unpack(planes, jobs, out):  # type: ignore[no-untyped-def]
    for j in range(len(jobs)):
        line, row, n, byte, width, base = jobs[j]
        for i in range(n):
            out[line, row + i] = base
        for k in range(width):
            shift = np.int64(8 * k)
            for i in range(n):
                out[line, row + i] += np.int64(planes[byte + k * n + i]) << shift


@njit(cache=True, nogil=True)
def _walk(  # type: ignore[no-untyped-def]
    table_of, agent_of, arrival_of, times, starts, clocks, event, order, late, future
):
    cursor = starts.copy()
    ticks = []
    for i in range(len(table_of)):
        table, agent = table_of[i], agent_of[i]
        at = cursor[table]
        cursor[table] = at + 1
        t = times[at]
        if t > arrival_of[i] + FUTURE_US:
            t = arrival_of[i]
            future[agent] += 1
        clock = clocks[agent]
        if t < clock:
            if clock - t > LATE_US:
                late[agent] += 1
            t = clock
        elif t // TICK_US != clock // TICK_US:
            ticks.append((np.int64(i), np.int64(agent), t // TICK_US * TICK_US))
        clocks[agent] = t
        event[at] = t
        order[at] = i
    out = np.empty((len(ticks), 3), np.int64)
    for j in range(len(ticks)):
        out[j, 0], out[j, 1], out[j, 2] = ticks[j]
    return out

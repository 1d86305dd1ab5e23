"""HOT  The rows of one table or several, as one detector reads them: in the order of the journal.

A detector that reads one table is handed the table's own columns. Those of several are merged once a
step for all detectors that read alike; a column that a row's table does not have is 0, or empty, there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_collector.engine.columns import Step, TableRows
from dijkwacht_detectors.api import ROW_TABLE, Text
from dijkwacht_detectors.reading import Reading
from dijkwacht_detectors.state.memory import cut_column, pick_column
from dijkwacht_records.tables import TABLE, TABLES

_SHAPE: Final[Mapping[str, tuple[tuple[int, ...], type]]] = {
    "int": ((), np.int64), "float": ((), np.float64), "addr": ((2,), np.uint64),
    "text": ((), np.int64),
}  # fmt: skip


class View(NamedTuple):
    """Numbers of tables, and the columns of theirs that must be at hand: (name, kind) each."""

    tables: tuple[int, ...]
    columns: tuple[tuple[str, str], ...]

    @property
    def stored(self) -> tuple[str, ...]:
        """Names of the columns of its rows."""
        several = (ROW_TABLE,) if len(self.tables) > 1 else ()
        return (*(name for name, _ in self.columns), *several)


def view_of(reading: Reading, context: Mapping[str, str]) -> View:
    """The view of whoever reads so; ``context``: the kind of each column that is computed."""
    columns = [*reading.needed.items(), *((name, context[name]) for name in reading.context)]
    return View(tuple(TABLES.index(TABLE[name]) for name in reading.tables), tuple(columns))


class Views:
    """What one step shows; a column of the same tables is merged once, whoever reads it."""

    def __init__(self, step: Step) -> None:
        self._tables = step.tables
        self._merges: dict[tuple[int, ...], _Merge | None] = {}
        self._keys: dict[int, NDArray[np.uint64]] = {}

    def site_keys(self, table: TableRows, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Of each of its rows that of ``keys`` which stands for its site; ``keys`` are the same all step long."""
        column = id(table.site)  # all that are shown live as long as the step
        if column not in self._keys:
            self._keys[column] = keys[table.site]
        return self._keys[column]

    def rows(self, view: View) -> TableRows | None:
        """The rows of a view; None if the step has none."""
        if len(view.tables) == 1:
            return self._tables.get(view.tables[0])
        if view.tables not in self._merges:
            parts = [(place, self._tables[number]) for place, number in enumerate(view.tables)
                     if number in self._tables]  # fmt: skip
            self._merges[view.tables] = _Merge(parts) if parts else None
        merge = self._merges[view.tables]
        return None if merge is None else merge.rows(view.columns)

    def add(self, view: View, columns: Mapping[str, NDArray[Any]]) -> None:
        """Give the tables of a view ``columns`` that were computed for its rows."""
        if len(view.tables) == 1:
            self._tables[view.tables[0]].columns.update(columns)
        elif (merge := self._merges[view.tables]) is not None:
            merge.add(columns)


def cut_table(table: TableRows, begin: int, end: int) -> TableRows:
    """Some rows of ``table``, from ``begin`` to before ``end``."""
    return TableRows(
        {name: cut_column(column, begin, end) for name, column in table.columns.items()},
        table.time[begin:end],
        table.site[begin:end],
        table.agent[begin:end],
        table.order[begin:end],
    )


def pick_table(table: TableRows, places: NDArray[np.int64]) -> TableRows:
    """The rows of ``table`` that stand at ``places``."""
    return TableRows(
        {name: pick_column(column, places) for name, column in table.columns.items()},
        table.time[places],
        table.site[places],
        table.agent[places],
        table.order[places],
    )


class _Merge:
    """The rows of all ``parts``, each a table with its place among those of a view, in their order."""

    def __init__(self, parts: Sequence[tuple[int, TableRows]]) -> None:
        self._tables = [table for _, table in parts]
        self._columns: dict[str, Any] = {}
        sizes = [len(table.order) for table in self._tables]
        which = np.repeat(np.array([place for place, _ in parts], np.int8), sizes)
        if len(parts) == 1:  # of the other tables there are no rows now: nothing is copied
            self._places = [np.arange(sizes[0])]
            table = self._tables[0]
            self._free = table.time, table.site, table.agent, table.order
            self._columns[ROW_TABLE] = which
            return
        ranks = _ranks(np.concatenate([table.order for table in self._tables]))
        self._places = np.split(ranks, np.cumsum(sizes)[:-1])
        self._free = (
            self._spread([table.time for table in self._tables]),
            self._spread([table.site for table in self._tables]),
            self._spread([table.agent for table in self._tables]),
            self._spread([table.order for table in self._tables]),
        )
        self._columns[ROW_TABLE] = self._spread(np.split(which, np.cumsum(sizes)[:-1]))

    def rows(self, columns: Sequence[tuple[str, str]]) -> TableRows:
        """Its rows with these ``columns``, a name and a kind each."""
        for name, kind in columns:
            if name not in self._columns:
                self._columns[name] = self._merged(name, kind)
        names = (*(name for name, _ in columns), ROW_TABLE)
        return TableRows({name: self._columns[name] for name in names}, *self._free)

    def add(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Give its tables ``columns`` of its rows."""
        self._columns |= columns
        for table, places in zip(self._tables, self._places, strict=True):
            own = columns
            if len(self._tables) > 1:
                own = {name: values[places] for name, values in columns.items()}
            table.columns.update(own)

    def _merged(self, name: str, kind: str) -> Any:
        values = [table.columns.get(name) for table in self._tables]
        if len(values) == 1 and values[0] is not None:
            return values[0]
        if all(column is None for column in values):
            shape, dtype = _SHAPE[kind]
            nothing: NDArray[Any] = np.zeros((sum(map(len, self._places)), *shape), dtype)
            return Text(np.append(nothing, 0), np.zeros(0, np.uint8)) if kind == "text" else nothing
        return self._texts(values) if kind == "text" else self._spread(values)

    def _spread(self, values: Sequence[NDArray[Any] | None]) -> NDArray[Any]:
        """One column of all tables' ``values``, at least one of which has some."""
        known = next(column for column in values if column is not None)
        size = sum(map(len, self._places))
        make = np.zeros if any(column is None for column in values) else np.empty
        merged: NDArray[Any] = make((size, *known.shape[1:]), known.dtype)
        for column, places in zip(values, self._places, strict=True):
            if column is not None:
                (_put if column.ndim == 1 else _put_pairs)(column, places, merged)
        return merged

    def _texts(self, values: Sequence[Text | None]) -> Text:
        lengths = self._spread([None if column is None else np.diff(column.offsets)
                                for column in values])  # fmt: skip
        offsets = np.zeros(len(lengths) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        if values.count(None) == len(values) - 1:  # of one table alone: they stand in order already
            return Text(offsets, next(column.blob for column in values if column is not None))
        blob = np.empty(offsets[-1], np.uint8)
        for column, places in zip(values, self._places, strict=True):
            if column is not None:
                _put_texts(column.offsets, column.blob, places, offsets, blob)
        return Text(offsets, blob)


@njit(cache=True, nogil=True)
def _ranks(order):  # type: ignore[no-untyped-def]
    """Of places that differ, and lie close together, the how manieth each is, int64[n]."""
    first = order.min()
    counts = np.zeros(order.max() - first + 2, np.int64)
    for i in range(len(order)):
        counts[order[i] - first + 1] = 1
    for place in range(1, len(counts)):
        counts[place] += counts[place - 1]
    ranks = np.empty(len(order), np.int64)
    for i in range(len(order)):
        ranks[i] = counts[order[i] - first]
    return ranks


@njit(cache=True, nogil=True)
def _put(column, places, out):  # type: ignore[no-untyped-def]
    for i in range(len(places)):
        out[places[i]] = column[i]


@njit(cache=True, nogil=True)
def _put_pairs(column, places, out):  # type: ignore[no-untyped-def]
    for i in range(len(places)):
        at = places[i]
        out[at, 0], out[at, 1] = column[i, 0], column[i, 1]


@njit(cache=True, nogil=True)
def _put_texts(from_at, texts, places, at, out):  # type: ignore[no-untyped-def]
    for i in range(len(places)):
        begin, to = from_at[i], at[places[i]]
        for k in range(from_at[i + 1] - begin):
            out[to + k] = texts[begin + k]

"""HOT  The rows of one table or several, as one detector reads them: in the order of the journal.

A detector that reads one table is handed the table's own columns. Those of several are merged once a
step for all detectors that read alike; a column that a row's table does not have is 0, or empty, there.
Whoever passes over others' rows is handed the same rows as all who do: they are merged once for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_collector.engine.columns import Step, TableRows
from dijkwacht_detectors.api import ROW_TABLE, Text
from dijkwacht_detectors.reading import Reading
from dijkwacht_detectors.state.keys import Begun
from dijkwacht_detectors.state.memory import cut_column, pick_column
from dijkwacht_records.tables import TABLE, TABLES

_SHAPE: Final[Mapping[str, tuple[tuple[int, ...], type]]] = {
    "int": ((), np.int64), "float": ((), np.float64), "addr": ((2,), np.uint64),
    "text": ((), np.int64),
}  # fmt: skip


class View(NamedTuple):
    """Numbers of tables, and the columns of theirs that must be at hand: (name, kind) each.

    ``passes_over``: rows of other tables may come along, for which ``table`` is -1.
    """

    tables: tuple[int, ...]
    columns: tuple[tuple[str, str], ...]
    passes_over: bool = False

    @property
    def stored(self) -> tuple[str, ...]:
        """Names of the columns of its rows."""
        several = (ROW_TABLE,) if len(self.tables) > 1 else ()
        return (*(name for name, _ in self.columns), *several)


def view_of(reading: Reading, context: Mapping[str, str]) -> View:
    """The view of whoever reads so; ``context``: the kind of each column that is computed."""
    columns = [*reading.needed.items(), *((name, context[name]) for name in reading.context)]
    tables = tuple(TABLES.index(TABLE[name]) for name in reading.tables)
    return View(tables, tuple(columns), reading.passes_over)


def together_of(views: Iterable[View]) -> tuple[int, ...]:
    """The tables whose rows come along for whoever of ``views`` passes over others' rows."""
    return tuple(sorted({table for view in views if view.passes_over for table in view.tables}))


class Views:
    """What one step shows; a column of the same tables is merged once, whoever reads it.

    ``together`` as `together_of` has it, of all views that will be asked for.
    """

    def __init__(self, step: Step, together: Iterable[int] = ()) -> None:
        self._tables = step.tables
        self._together = tuple(number for number in together if number in self._tables)
        self._merges: dict[tuple[int, ...], _Merge] = {}
        self._begun: dict[tuple[int, ...], Begun] = {}

    def rows(self, view: View) -> TableRows | None:
        """The rows of a view; None if the step has none."""
        if len(view.tables) == 1:
            return self._tables.get(view.tables[0])
        shown = self._shown(view)
        return self._merge(shown).rows(view) if shown else None

    def among(self, view: View, other: View) -> NDArray[np.int32] | None:
        """Where the rows of a view stand among those of another, which has them all; None if there are no more."""
        mine, others = self._shown(view), self._shown(other)
        if mine == others:
            return None
        outer = self._merge(others).places
        if len(mine) == 1:
            return outer[mine[0]]
        inner = self._merge(mine)
        among = np.empty(inner.size, np.int32)
        for number, places in inner.places.items():
            among[places] = outer[number]
        return among

    def begun(self, view: View) -> Begun:
        """The keys that were made so far of the rows of a view."""
        return self._begun.setdefault(self._shown(view), {})

    def add(self, view: View, columns: Mapping[str, NDArray[Any]]) -> None:
        """Give the tables of a view ``columns`` that were computed for its rows."""
        if len(view.tables) == 1:
            self._tables[view.tables[0]].columns.update(columns)
        elif shown := self._shown(view):
            self._merge(shown).add(view, columns)

    def _shown(self, view: View) -> tuple[int, ...]:
        """The tables of which a view has rows; of those whose rows come along, too."""
        own = tuple(sorted(number for number in view.tables if number in self._tables))
        return self._together if own and view.passes_over else own

    def _merge(self, tables: tuple[int, ...]) -> _Merge:
        if tables not in self._merges:
            self._merges[tables] = _Merge({number: self._tables[number] for number in tables})
        return self._merges[tables]


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
    """The rows of all ``tables``, by number, in their order.

    ``places`` int32 are those that each table's rows have among them, by its number; ``size``: of how many.
    """

    def __init__(self, tables: Mapping[int, TableRows]) -> None:
        self._tables = [*tables.values()]
        self._columns: dict[str, Any] = {}
        self._which: dict[tuple[int, ...], NDArray[np.int8]] = {}
        self.size = size = sum(len(table.order) for table in self._tables)
        if len(tables) == 1:  # of the other tables there are no rows now: nothing is copied
            ((number, table),) = tables.items()
            self.places = {number: np.arange(size, dtype=np.int32)}
            self._free = table.time, table.site, table.agent, table.order
            self._numbers = np.full(size, number, np.int8)
            return
        begin = min(int(table.order[0]) for table in self._tables)
        end = max(int(table.order[-1]) for table in self._tables) + 1
        before = np.zeros(end - begin + 1, np.int32)
        for table in self._tables:
            _mark(table.order, begin, before)
        _count_up(before)
        self._free = (
            np.empty(size, np.int64), np.empty(size, np.int32), np.empty(size, np.int32),
            np.empty(size, np.int64),
        )  # fmt: skip
        self._numbers = np.empty(size, np.int8)
        self.places = {
            number: _place(
                (table.time, table.site, table.agent, table.order), before, begin, number,
                (*self._free, self._numbers),
            )
            for number, table in tables.items()
        }  # fmt: skip

    def rows(self, view: View) -> TableRows:
        """Its rows as a view has them."""
        for name, kind in view.columns:
            if name not in self._columns:
                self._columns[name] = self._merged(name, kind)
        columns = {name: self._columns[name] for name, _ in view.columns}
        return TableRows(columns | {ROW_TABLE: self._table(view.tables)}, *self._free)

    def add(self, view: View, columns: Mapping[str, NDArray[Any]]) -> None:
        """Give the tables of a view ``columns`` of all its rows."""
        self._columns |= columns
        for table, (number, places) in zip(self._tables, self.places.items(), strict=True):
            if number not in view.tables:
                continue
            own = columns
            if len(self._tables) > 1:
                own = {name: _pick(values, places) for name, values in columns.items()}
            table.columns.update(own)

    def _table(self, tables: tuple[int, ...]) -> NDArray[np.int8]:
        """Of each row the place of its table among ``tables``, -1 for none of them."""
        if tables not in self._which:
            place = np.full(len(TABLES), -1, np.int8)
            place[[*tables]] = np.arange(len(tables))
            self._which[tables] = _pick(place, self._numbers)
        return self._which[tables]

    def _merged(self, name: str, kind: str) -> Any:
        values = [table.columns.get(name) for table in self._tables]
        if len(values) == 1 and values[0] is not None:
            return values[0]
        if all(column is None for column in values):
            shape, dtype = _SHAPE[kind]
            nothing: NDArray[Any] = np.zeros((self.size, *shape), dtype)
            return Text(np.append(nothing, 0), np.zeros(0, np.uint8)) if kind == "text" else nothing
        return self._texts(values) if kind == "text" else self._spread(values)

    def _spread(self, values: Sequence[NDArray[Any] | None]) -> NDArray[Any]:
        """One column of all tables' ``values``, at least one of which has some."""
        known = [column for column in values if column is not None]
        few = len(known) < len(values) and 2 * sum(map(len, known)) < self.size
        make = np.zeros if few else np.empty
        merged: NDArray[Any] = make((self.size, *known[0].shape[1:]), known[0].dtype)
        for column, places in zip(values, self.places.values(), strict=True):
            if column is not None:
                (_put if column.ndim == 1 else _put_pairs)(column, places, merged)
            elif not few:
                _clear(places, merged)
        return merged

    def _texts(self, values: Sequence[Text | None]) -> Text:
        lengths = self._spread([None if column is None else np.diff(column.offsets)
                                for column in values])  # fmt: skip
        offsets = np.zeros(len(lengths) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        if values.count(None) == len(values) - 1:  # of one table alone: they stand in order already
            return Text(offsets, next(column.blob for column in values if column is not None))
        blob = np.empty(offsets[-1], np.uint8)
        for column, places in zip(values, self.places.values(), strict=True):
            if column is not None:
                _put_texts(column.offsets, column.blob, places, offsets, blob)
        return Text(offsets, blob)


@njit(cache=True, nogil=True)
def _mark(order, begin, before):  # type: ignore[no-untyped-def]
    for i in range(len(order)):
        before[order[i] - begin + 1] = 1


@njit(cache=True, nogil=True)
def _count_up(values):  # type: ignore[no-untyped-def]
    """Each becomes the sum of all before it and itself; numpy would take 64 bits for that."""
    total = np.int32(0)
    for i in range(len(values)):
        total += values[i]
        values[i] = total


@njit(cache=True, nogil=True)
def _place(free, before, begin, table, out):  # type: ignore[no-untyped-def]
    """The place of each row of a table, int32[n], where its columns that are free are put, and its number."""
    time, site, agent, order = free
    out_time, out_site, out_agent, out_order, out_table = out
    places = np.empty(len(order), np.int32)
    for i in range(len(order)):
        at = before[order[i] - begin]
        places[i] = at
        out_time[at], out_site[at], out_agent[at] = time[i], site[i], agent[i]
        out_order[at], out_table[at] = order[i], table
    return places


@njit(cache=True, nogil=True)
def _pick(column, places):  # type: ignore[no-untyped-def]
    """As an index does, which takes several times as long."""
    picked = np.empty(len(places), column.dtype)
    for i in range(len(places)):
        picked[i] = column[places[i]]
    return picked


@njit(cache=True, nogil=True)
def _clear(places, out):  # type: ignore[no-untyped-def]
    for i in range(len(places)):
        out[places[i]] = 0


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

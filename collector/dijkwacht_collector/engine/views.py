"""HOT  The rows of one table or several, as one detector reads them: in the order of the journal.

A detector that reads one table is handed the table's own columns. Those of several are merged once a
step for all detectors that read alike; a column that a row's table does not have is 0, or empty, there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.engine.columns import Step, TableRows
from dijkwacht_detectors.api import ROW_TABLE, Text
from dijkwacht_detectors.reading import Reading
from dijkwacht_detectors.state.memory import cut_column, pick_column
from dijkwacht_records.tables import TABLE, TABLES

_SHAPE: Final[Mapping[str, tuple[tuple[int, ...], type]]] = {
    "int": ((), np.int64), "float": ((), np.float64), "addr": ((2,), np.uint64),
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
    """What one step shows; ``rows`` of equal views are merged once."""

    def __init__(self, step: Step) -> None:
        self._tables = step.tables
        self._merged: dict[View, TableRows] = {}

    def rows(self, view: View) -> TableRows | None:
        """The rows of a view; None if the step has none."""
        if len(view.tables) == 1:
            return self._tables.get(view.tables[0])
        merged = self._merged.get(view)
        if merged is None:
            parts = [(place, self._tables[number]) for place, number in enumerate(view.tables)
                     if number in self._tables]  # fmt: skip
            if not parts:
                return None
            merged = self._merged[view] = _merge(parts, view.columns)
        return merged

    def add(self, view: View, columns: Mapping[str, NDArray[Any]]) -> None:
        """Give the tables of a view ``columns`` that were computed for its rows."""
        if len(view.tables) == 1:
            self._tables[view.tables[0]].columns.update(columns)
            return
        which = self._merged[view].columns[ROW_TABLE]
        for place, number in enumerate(view.tables):
            if number in self._tables:
                of_table = which == place
                own = self._tables[number].columns
                own.update({name: values[of_table] for name, values in columns.items()})


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


def _merge(parts: Sequence[tuple[int, TableRows]], columns: Sequence[tuple[str, str]]) -> TableRows:
    """The rows of all ``parts``, each with its table's place, in their order."""
    if len(parts) == 1:
        return _only(*parts[0], columns)
    order = np.concatenate([table.order for _, table in parts])
    picked = np.argsort(order)
    sizes = [len(table.order) for _, table in parts]
    merged: dict[str, Any] = {
        name: _merge_column([table.columns.get(name) for _, table in parts], sizes, kind, picked)
        for name, kind in columns
    }
    merged[ROW_TABLE] = np.repeat(np.array([place for place, _ in parts], np.int8), sizes)[picked]
    return TableRows(
        merged,
        np.concatenate([table.time for _, table in parts])[picked],
        np.concatenate([table.site for _, table in parts])[picked],
        np.concatenate([table.agent for _, table in parts])[picked],
        order[picked],
    )


def _only(place: int, table: TableRows, columns: Sequence[tuple[str, str]]) -> TableRows:
    """The rows of one table among several, of which the others have none now: nothing is copied."""
    size = len(table.order)
    own = table.columns
    shown: dict[str, Any] = {
        name: own[name] if name in own else _merge_column([None], [size], kind, np.arange(size))
        for name, kind in columns
    }
    shown[ROW_TABLE] = np.full(size, place, np.int8)
    return TableRows(shown, table.time, table.site, table.agent, table.order)


def _merge_column(
    values: Sequence[Any], sizes: Sequence[int], kind: str, picked: NDArray[np.int64]
) -> Any:
    if kind == "text":
        lengths = [np.zeros(size, np.int64) if column is None else np.diff(column.offsets)
                   for column, size in zip(values, sizes, strict=True)]  # fmt: skip
        blob = np.concatenate([column.blob for column in values if column is not None]
                              or [np.zeros(0, np.uint8)])  # fmt: skip
        offsets = np.zeros(len(picked) + 1, np.int64)
        np.cumsum(np.concatenate(lengths), out=offsets[1:])
        return pick_column(Text(offsets, blob), picked)
    shape, dtype = _SHAPE[kind]
    filled = [np.zeros((size, *shape), dtype) if column is None else column
              for column, size in zip(values, sizes, strict=True)]  # fmt: skip
    return np.concatenate(filled)[picked]

"""HOT  The slots of a step's rows: found once for all detectors that share a table of entities.

A table of entities is read with the rows of all tables that one of its detectors reads, in their order.
Each detector is told which entities are new to it: others may have met them in rows that it never sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_collector.engine.views import View, Views
from dijkwacht_detectors.api import ROW_TABLE
from dijkwacht_detectors.state.entities import NO_KINDS, Entities
from dijkwacht_detectors.state.keys import Names
from dijkwacht_detectors.state.memory import Memory
from dijkwacht_records.tables import TABLE, TABLES

Resolved = tuple[NDArray[np.int32], NDArray[np.uint64]]
"""Slots, and the readers to whom what stands there is new."""


class Shared(NamedTuple):
    """A table of entities and its detectors: the bits of all that read a table of the ``view``, by its place.

    ``alike`` are those of all that read the same tables. Last is nobody, who is handed all other rows.
    """

    view: View
    readers: NDArray[np.uint64]
    alike: Mapping[tuple[int, ...], np.uint64]
    one: Memory
    """Any of theirs."""


def shared_by(memories: Sequence[Memory]) -> dict[Entities, Shared]:
    """The tables of entities that ``memories`` share; each is itself alone, and so is a copy of it."""
    groups: dict[Entities, list[Memory]] = {}
    for memory in memories:
        groups.setdefault(memory.entities, []).append(memory)
    return {entities: _shared(members) for entities, members in groups.items()}


def _shared(members: Sequence[Memory]) -> Shared:
    alike: dict[tuple[int, ...], np.uint64] = {}
    for memory in members:
        read = tuple(TABLES.index(TABLE[name]) for name in memory.reading.tables)
        alike[read] = alike.get(read, np.uint64(0)) | memory.reader
    tables = tuple(dict.fromkeys(table for read in alike for table in read))
    readers = [sum(int(bits) for read, bits in alike.items() if table in read) for table in tables]
    reading = members[0].reading
    columns = tuple((name, reading.needed[name]) for name in reading.entity if name != "agent")
    passes_over = any(memory.reading.passes_over for memory in members)
    view = View(tables, columns, passes_over)
    return Shared(view, np.array([*readers, 0], np.uint64), alike, members[0])


class Slots:
    """Those of one step, found when the first of its detectors asks."""

    def __init__(self, views: Views, shared: Mapping[Entities, Shared], names: Names) -> None:
        self._views, self._shared, self._names = views, shared, names
        self._resolved: dict[Entities, Resolved] = {}
        self._picked: dict[tuple[Entities, tuple[int, ...], bool], _Picked] = {}

    def of(self, memory: Memory, view: View) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """The slot of each row of a detector's ``view``, and whether it is fresh to it."""
        at = memory.entities, view.tables, view.passes_over
        if at not in self._picked:
            self._picked[at] = self._pick(memory.entities, view)
        slot, fresh, new = self._picked[at]
        return slot, fresh if new is None else new & memory.reader != 0

    def _pick(self, entities: Entities, view: View) -> _Picked:
        shared = self._shared[entities]
        if entities not in self._resolved:
            self._resolved[entities] = self._resolve(shared)
        slot, new = self._resolved[entities]
        readers = shared.alike[view.tables]
        places = self._views.among(view, shared.view)
        if places is None:
            fresh, is_same = _fresh(new, readers)
            return _Picked(slot, fresh, None if is_same else new)
        slot, fresh, is_same = _pick(slot, new, places, readers)
        return _Picked(slot, fresh, None if is_same else new[places])

    def _resolve(self, shared: Shared) -> Resolved:
        view, readers, _, memory = shared
        table = self._views.rows(view)
        assert table is not None
        kind = table.columns[ROW_TABLE] if len(view.tables) > 1 else NO_KINDS
        begun = self._views.begun(view)
        key = memory.keys(table.columns, table.site, table.agent, self._names, begun)
        return memory.entities.resolve(table.site, key, table.time, readers, kind)


class _Picked(NamedTuple):
    """Of the rows of some tables; ``fresh`` is so to all that read the same tables if there is no ``new``."""

    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    new: NDArray[np.uint64] | None


@njit(cache=True, nogil=True)
def _pick(slot, new, places, readers):  # type: ignore[no-untyped-def]
    """As `_fresh`, of the rows that stand at ``places``, with their slots."""
    n = len(places)
    its_slot, fresh, is_same = np.empty(n, np.int32), np.empty(n, np.bool_), True
    for i in range(n):
        its_slot[i], to = slot[places[i]], new[places[i]] & readers
        fresh[i] = to != 0
        is_same &= to == readers or not fresh[i]
    return its_slot, fresh, is_same


@njit(cache=True, nogil=True)
def _fresh(new, readers):  # type: ignore[no-untyped-def]
    """Whether a row's entity is new to any of ``readers``, and whether it is so to all or none in all rows."""
    fresh, is_same = np.empty(len(new), np.bool_), True
    for i in range(len(new)):
        to = new[i] & readers
        fresh[i] = to != 0
        is_same &= to == readers or not fresh[i]
    return fresh, is_same

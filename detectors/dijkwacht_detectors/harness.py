"""Feed a detector or a context made-up rows, by way of the same `Memory` as the engine."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import (
    ROW_TABLE,
    AnyDetector,
    Explanation,
    RowDetector,
    Rows,
    Scores,
    State,
    Text,
    Who,
)
from dijkwacht_detectors.context import contexts_for
from dijkwacht_detectors.context_api import Context
from dijkwacht_detectors.reading import reads_of
from dijkwacht_detectors.state.keys import Names
from dijkwacht_detectors.state.memory import Memory, is_by_site
from dijkwacht_records.table import Kind
from dijkwacht_records.tables import TABLE

_INSIDE = 0x0A000000  # addresses given as small numbers become 10.0.0.n
_DEFAULTS: dict[str, Any] = {
    "state": 2, "proto": 6, "orig_h": 1, "resp_h": 2, "orig_pkts": 1, "rcode": 255, "local_orig": 1,
}  # fmt: skip
_NOTHING: dict[Kind, Any] = {"int": 0, "float": 0.0, "addr": bytes(16), "text": ""}
_NAMES_OF: dict[str, set[str]] = {t: {c.name for c in table.columns} for t, table in TABLE.items()}

Sample = Mapping[str, Any]
"""A made-up row: column → value."""


class Harness:
    """One detector and its `Memory`, fed with rows as the engine feeds them.

    Rows are mappings of column names to values; what is missing takes a plain default, and an
    address may be given as a small number, for 10.0.0.n. ``site`` is a number a site, ``agent`` a
    name within it. For a detector that reads several tables ``table`` names the row's.
    ``contexts`` compute what it asks for; those that are shipped, if None.
    """

    def __init__(self, detector: AnyDetector, contexts: Sequence[Context] | None = None) -> None:
        self.detector = detector
        self.memory = Memory(detector)
        asked = contexts_for(detector.context) if contexts is None else contexts
        self.contexts = list(asked)
        self._memories = [Memory(context) for context in asked]
        self._kinds = {name: kind for context in asked for name, kind in context.columns.items()}
        self.sites: dict[int, int] = {}

    def feed(self, rows: Sequence[Sample]) -> tuple[Scores, Scores]:
        """Score ``rows`` in order, and learn them; a score and the facts for each.

        Windows are cut by time for each agent, as far as these rows go.
        """
        detector = self.detector
        if isinstance(detector, RowDetector):
            return self.memory.score(self.rows(rows))
        rows = self._with_context(rows)
        scores = np.full(len(rows), np.nan)
        facts = np.full((len(rows), len(detector.facts)), np.nan)
        length = detector.window_s * 1_000_000
        windows: dict[tuple[int, int, str], list[int]] = {}
        for place, row in enumerate(rows):
            key = (row.get("time", 0) // length, row.get("site", 0), row.get("agent", "agent"))
            windows.setdefault(key, []).append(place)
        for _, places in sorted(windows.items()):
            window = self._handed(self.memory, [rows[place] for place in places])
            scores[places], facts[places] = self.memory.score(window, [len(places)])
        return scores, facts

    def rows(self, rows: Sequence[Sample]) -> Rows:
        """The rows as the detector is handed them; their entities are known from now on."""
        return self._handed(self.memory, self._with_context(rows))

    def moved(self) -> Harness:
        """All sites taken, and put into another harness, where they have other numbers and slots."""
        other = Harness(*pickle.loads(pickle.dumps((self.detector, self.contexts))))  # noqa: S301  # our own bytes
        pairs = [(self.memory, other.memory), *zip(self._memories, other._memories, strict=True)]
        for name, site in reversed(self.sites.items()):
            here = other.sites.setdefault(name, len(other.sites))
            for memory, its in pairs:
                slots, keys, seen = memory.entities.take(site)
                its.put(here, its.entities.put(here, keys, seen), *memory.take(site, slots))
        return other

    def samples(self) -> dict[str, NDArray[Any]]:
        """What is kept of each site, by field; sites in the order of their names."""
        order = [number for _, number in sorted(self.sites.items())]
        return {f: v[order] for f, v in self.memory.state.items() if is_by_site(f)}

    def _with_context(self, rows: Sequence[Sample]) -> Sequence[Sample]:
        """The rows with the columns that contexts compute from them, in their order."""
        if not self.contexts:
            return rows
        known = [dict(row) for row in rows]
        tables = self.memory.reading.tables
        for memory in self._memories:
            its_own = memory.reading.tables
            places = [n for n, row in enumerate(rows) if _table_of(row, tables) in its_own]
            its = memory.columns(self._handed(memory, [rows[n] for n in places]))
            for name, values in its.items():
                for n, value in zip(places, values.tolist(), strict=True):
                    known[n][name] = value
        return known

    def _handed(self, memory: Memory, rows: Sequence[Sample]) -> Rows:
        reading = memory.reading
        tables = [_table_of(row, self.memory.reading.tables) for row in rows]
        columns = {
            name: _column(
                [_value(*row, name, kind) for row in zip(rows, tables, strict=True)], kind
            )
            for name, kind in reading.needed.items()
        }
        for name in reading.context:
            columns[name] = _column([row.get(name, 0) for row in rows], self._kinds[name])
        columns[ROW_TABLE] = np.array([reading.tables.index(table) for table in tables], np.int8)
        time = np.array([row.get("time", 0) for row in rows], np.int64)
        names = [row.get("site", 0) for row in rows]
        site = np.array([self.sites.setdefault(n, len(self.sites)) for n in names], np.int32)
        agents = [zlib.crc32(row.get("agent", "agent").encode()) for row in rows]
        agent = np.arange(len(rows), dtype=np.int32)
        known = Names(np.array(list(self.sites), np.uint64), np.array(agents, np.uint64))
        slot, fresh = memory.resolve(columns, time, site, agent, known)
        return memory.rows(columns, time, site, slot, fresh)


class Shown(RowDetector):
    """A detector that shows a context's columns as its facts: what tries a detector tries a context."""

    kind, technique, entity = "other", "", "site"
    who, subject = Who("", "", ""), "agent"

    def __init__(self, context: Context) -> None:
        names = tuple(context.columns)
        reads = dict.fromkeys(reads_of(context), ())
        # What a class declares, an object of it may: nobody who asks can tell.
        vars(self).update(name=context.name, reads=reads, context=names, facts=names)

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:  # noqa: ARG002
        """Show each row's."""
        scores[:] = 0.0
        for place, name in enumerate(self.context):
            facts[:, place] = rows[name]

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Nobody is told."""
        raise NotImplementedError


def context_columns(context: Context, rows: Sequence[Sample]) -> dict[str, NDArray[np.float64]]:
    """What ``context`` makes of ``rows``, in a fresh memory; column → float64[n]."""
    _, facts = Harness(Shown(context), [context]).feed(rows)
    return dict(zip(context.columns, facts.T, strict=True))


def score_rows(detector: AnyDetector, rows: Sequence[Sample]) -> Scores:
    """Scores of ``rows``, float64[n], in a fresh memory."""
    return Harness(detector).feed(rows)[0]


def _table_of(row: Sample, tables: Sequence[str]) -> str:
    if len(tables) == 1:
        return tables[0]
    table: str = row.get(ROW_TABLE, "")
    if table not in tables:
        raise ValueError(f"row of table {table!r}: expected one of {', '.join(tables)}")
    return table


def _value(row: Sample, table: str, column: str, kind: Kind) -> Any:
    if column not in _NAMES_OF[table]:
        return _NOTHING[kind]
    return row.get(column, _DEFAULTS.get(column, "" if kind == "text" else 0))


def _column(values: list[Any], kind: str) -> Any:
    if kind == "text":
        texts = [str(value).encode() for value in values]
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(text) for text in texts], out=offsets[1:])
        return Text(offsets, np.frombuffer(b"".join(texts), np.uint8))
    if kind == "float":
        return np.array(values, np.float64)
    if kind == "addr":
        return np.array([_address(value) for value in values], np.uint64).reshape(-1, 2)
    return np.array(values, np.int64)


def _address(value: int | bytes) -> tuple[int, int]:
    if isinstance(value, bytes):
        return int.from_bytes(value[:8], "big"), int.from_bytes(value[8:], "big")
    return 0, (0xFFFF << 32) | (value if value > 0xFFFFFF else _INSIDE + value)

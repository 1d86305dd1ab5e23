"""What a detector or a context declares must fit the tables: checked at load, before it sees a row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from dijkwacht_detectors.api import ENTITY_COLUMNS, ROW_TABLE, AnyDetector, RowDetector
from dijkwacht_detectors.context import shipped_contexts
from dijkwacht_detectors.context_api import ENDS, Context
from dijkwacht_detectors.reading import entity_columns, kinds_of, reads_of
from dijkwacht_detectors.state.memory import Remembers, is_by_site, state_fields
from dijkwacht_records.tables import TABLE

WINDOW_STEP_S: Final = 10
"""Windows are cut at multiples of this much event time."""
_KINDS: Final = "biuf"
_MOST_VALUES: Final = 1 << 20
_MOST: Final = {"entities_per_site": 1 << 20, "forget_after_s": 366 * 86_400}
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_FREE: Final = ("time", "site", "slot", "fresh", ROW_TABLE)


def faults(detector: AnyDetector, contexts: Sequence[Context] | None = None) -> Iterator[str]:
    """What is wrong with the declaration of ``detector``, one plain line each; none if it is right.

    ``contexts`` are those there are; None: those that are shipped.
    """
    fatal = _what_is_missing(detector, ("kind", "technique")) or _fault_of_tables(detector)
    if fatal:
        yield fatal
        return
    tables = tuple(reads_of(detector))
    yield from _faults_of_name(detector.name)
    yield from _faults_of_columns(detector)
    yield from _faults_of_who(detector, tables)
    yield from _faults_of_context(
        detector.context, tables, shipped_contexts() if contexts is None else contexts
    )
    fields = state_fields(detector)
    if "samples" in fields and (
        len(fields["samples"][1]) != 2 or fields.get("samples_seen") != ("i8", ())
    ):
        yield 'state "samples": expected the shape (rows, columns), beside "samples_seen": ("i8", ())'
    yield from _faults_of_memory(detector)
    if not isinstance(detector.facts, tuple) or not all(isinstance(f, str) for f in detector.facts):
        yield f"facts {detector.facts!r}: expected a tuple of names"
    if not 0 <= detector.share <= 1:
        yield f"share {detector.share!r}: expected 0 to 1"
    if detector.interrupts not in (True, False):
        yield f"interrupts {detector.interrupts!r}: expected True or False"
    elif detector.share and not detector.interrupts:
        yield f"share {detector.share!r}: what never interrupts spends nothing; expected 0"
    if not isinstance(detector, RowDetector) and (
        detector.window_s <= 0 or detector.window_s % WINDOW_STEP_S
    ):
        yield f"window_s {detector.window_s!r}: expected a multiple of {WINDOW_STEP_S}"


def context_faults(context: Context) -> Iterator[str]:
    """What is wrong with the declaration of ``context``, as `faults`."""
    fatal = _what_is_missing(context, ("columns",)) or _fault_of_tables(context)
    if fatal:
        yield fatal
        return
    yield from _faults_of_name(context.name)
    yield from _faults_of_columns(context)
    yield from _faults_of_memory(context)
    taken = {*_FREE, *kinds_of(tuple(TABLE))}
    for name, kind in context.columns.items():
        if name in taken:
            yield f"columns has {name!r}, which is a table's, or comes free"
        if kind not in {"int", "float"}:
            yield f"column {name!r} is of kind {kind!r}: expected int or float"
    for field in filter(is_by_site, context.state):
        yield f"state {field!r}: a context keeps nothing to train on"


def _faults_of_memory(declared: Remembers) -> Iterator[str]:
    for name in ("entities_per_site", "forget_after_s"):
        number, most = getattr(declared, name), _MOST[name]
        if not isinstance(number, int) or not 1 <= number <= most:
            yield f"{name} {number!r}: expected 1 to {most}"
    for field, described in state_fields(declared).items():
        try:
            dtype, shape = described
            bytes_each = np.empty(shape, dtype).nbytes if np.prod(shape) < _MOST_VALUES else None
            sound = np.dtype(dtype).kind in _KINDS and bytes_each is not None
        except (TypeError, ValueError):
            sound = False
        if not sound:
            yield f'state {field!r} is {described!r}: expected a numeric type and a shape, as ("i8", ())'


def _what_is_missing(declared: Remembers, more: tuple[str, ...]) -> str:
    is_short = not isinstance(getattr(declared, "reads", None), Mapping)
    required = ("name", *(("table",) if is_short else ()), "reads", "entity", *more)
    missing = [name for name in required if not hasattr(declared, name)]
    return f"declares no {missing[0]}" if missing else ""


def _fault_of_tables(declared: Remembers) -> str:
    if isinstance(declared.reads, Mapping) and hasattr(declared, "table"):
        return f"table {declared.table!r}: reads names the tables already"
    tables = reads_of(declared)
    for table in tables:
        if table not in TABLE:
            return f"table {table!r}: expected one of {', '.join(TABLE)}"
    return "" if tables else "reads names no table"


def _faults_of_name(name: str) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield f"name {name!r}: expected small letters, digits and _"


def _faults_of_columns(declared: Remembers) -> Iterator[str]:
    reads = reads_of(declared)
    for table, columns in reads.items():
        known = kinds_of((table,))
        for name in columns:
            if name in _FREE:
                yield f"reads {name!r}, which comes free: it is rows.{name}"
            elif name not in known:
                yield f"reads {name!r}, no column of table {table}"
    kinds = kinds_of(tuple(reads))
    for table in reads:
        for name, kind in kinds_of((table,)).items():
            if kind != kinds[name]:
                yield f"reads {', '.join(reads)}, whose column {name!r} is not of one kind"
    yield from _faults_of_entity(declared, tuple(reads))


def _faults_of_entity(declared: Remembers, tables: tuple[str, ...]) -> Iterator[str]:
    entity = declared.entity
    if isinstance(entity, tuple):
        missing = [name for name in entity if name not in entity_columns(tables, entity)]
        if missing or not entity:
            yield f"entity {entity!r}: expected columns that {', '.join(tables)} have"
        return
    two = (ENDS,) if isinstance(declared, Context) else ()
    entities = ("site", *ENTITY_COLUMNS[tables[0]], *two)
    if entity not in entities:
        yield f"entity {entity!r}: expected one of {', '.join(entities)}"
    elif entity == ENDS and len(entity_columns(tables, entity)) < 2:
        yield f"entity {ENDS!r}: not all of {', '.join(tables)} have an orig_h and a resp_h"
    elif entity != "site" and not entity_columns(tables, entity):
        named = (f"{table} by {' and '.join(ENTITY_COLUMNS[table][entity])}" for table in tables)
        yield f"entity {entity!r} is named by different columns: {', '.join(named)}"


def _faults_of_who(detector: AnyDetector, tables: tuple[str, ...]) -> Iterator[str]:
    who, kinds = detector.who, kinds_of(tables)
    of = f"table {tables[0]}" if len(tables) == 1 else f"tables {', '.join(tables)}"
    for named, kind in (
        (who.src, "addr"), (who.dst, "addr"), (who.port, "int"), (who.mac, "int"), (who.name, "text"),
    ):  # fmt: skip
        if named and kinds.get(named) != kind:
            yield (
                f"who names {named!r}, no {kind} column of {of}: "
                "declare who = Who(...), with '' for what there is not"
            )
    needed = {"src": who.src, "dst": who.dst, "mac": who.mac, "agent": "agent"}
    if not needed.get(detector.subject):
        yield f"subject {detector.subject!r}: who names no such column"


def _faults_of_context(
    columns: Sequence[str], tables: Sequence[str], contexts: Sequence[Context]
) -> Iterator[str]:
    known = {column: context for context in contexts for column in context.columns}
    for name in columns:
        if name not in known:
            expected = ", ".join(known) or "none; there is no context"
            yield f"context {name!r}: expected one of {expected}"
        elif not reads_of(known[name]).keys() & {*tables}:
            its = ", ".join(reads_of(known[name]))
            yield f"context {name!r} is of {its}, which is not read"

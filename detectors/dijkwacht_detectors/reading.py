"""What a declaration reads, in one form: tables, their columns, and those that name an entity.

The short form of one table (``table``, and ``reads`` as a tuple) is known here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol

from dijkwacht_detectors.api import ENTITY_COLUMNS, ROW_TABLE, Detector, Entity, Reads, RowDetector
from dijkwacht_detectors.context_api import ENDS, Context
from dijkwacht_records.table import Kind
from dijkwacht_records.tables import TABLE


class Declared(Protocol):
    """Whatever declares what it reads; ``table`` need not be there where ``reads`` is a mapping."""

    table: ClassVar[str]
    reads: ClassVar[Reads]
    entity: ClassVar[Any]


@dataclass(frozen=True)
class Reading:
    """A declaration that fits the tables, in one form.

    ``columns`` are those it reads, of all its ``tables``, each name once and in their order;
    ``context`` those that are computed for it, and ``named`` those that name who and whom. ``passes_over``: it
    takes rows of other tables along.
    """

    tables: tuple[str, ...]
    columns: tuple[str, ...]
    entity: tuple[str, ...]
    context: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    passes_over: bool = False

    @cached_property
    def handed(self) -> tuple[str, ...]:
        """The columns of the `Rows` that it is given."""
        which = (ROW_TABLE,) if len(self.tables) > 1 else ()
        return (*self.columns, *self.context, *which)

    @cached_property
    def needed(self) -> dict[str, Kind]:
        """What must be at hand of its tables, with its kind: what it reads, its entity, who and whom."""
        kinds = kinds_of(self.tables)
        names = dict.fromkeys((*self.columns, *self.entity, *self.named))
        return {
            name: kinds[name] for name in names if name in kinds
        }  # an agent's name is no column

    def needed_of(self, table: str) -> tuple[str, ...]:
        """Which of `needed` one of its tables has."""
        return tuple(c.name for c in TABLE[table].columns if c.name in self.needed)


def reading_of(declared: Declared) -> Reading:
    """What ``declared`` reads of what there is; raises ``KeyError`` for a table that is none.

    Columns that no table has are left out: whoever looks for them finds out behind the fence.
    """
    reads = reads_of(declared)
    tables = tuple(reads)
    known = kinds_of(tables)
    named = dict.fromkeys(name for names in reads.values() for name in names)
    columns = tuple(name for name in named if name in known)
    entity = entity_columns(tables, declared.entity)
    passes_over = (
        len(tables) > 1 and isinstance(declared, RowDetector | Context) and declared.passes_over
    )
    if not isinstance(declared, Detector):
        return Reading(tables, columns, entity, passes_over=passes_over)
    return Reading(
        tables, columns, entity, tuple(declared.context), declared.who.columns, passes_over
    )


def reads_of(declared: Declared) -> dict[str, tuple[str, ...]]:
    """Table → the columns named for it, of either form."""
    reads = declared.reads
    if isinstance(reads, Mapping):
        return {table: tuple(columns) for table, columns in reads.items()}
    return {declared.table: tuple(reads)}


def entity_columns(tables: Sequence[str], entity: Entity | Literal["ends"]) -> tuple[str, ...]:
    """The columns that all ``tables`` name ``entity`` by; none for ``site``, or where they share none."""
    if entity == "site":
        return ()
    if isinstance(entity, tuple):
        known = [kinds_of((table,)) for table in tables]
        return tuple(name for name in entity if all(name in columns for columns in known))
    if entity == ENDS:
        return entity_columns(tables, ("orig_h", "resp_h"))
    first, *others = (ENTITY_COLUMNS[table][entity] for table in tables)
    return tuple(name for name in first if all(name in other for other in others))


def kinds_of(tables: Sequence[str]) -> dict[str, Kind]:
    """The kind of each column of ``tables`` but ``time``, which comes free."""
    kinds = {column.name: column.kind for table in tables for column in TABLE[table].columns}
    del kinds["time"]
    return kinds

"""Rows by the names of their columns, for tables that other sensors know only in part."""

from __future__ import annotations

from typing import Final

from dijkwacht_records.addresses import UNSPECIFIED
from dijkwacht_records.tables import MAX_TEXT_BYTES, TABLE, TABLES, Row, Value

NumberedRow = tuple[int, Row]
"""(table number, row)"""
NUMBER: Final = {table.name: TABLES.index(table) for table in TABLES}

_EMPTY: Final[dict[str, Value]] = {"int": 0, "float": 0.0, "addr": UNSPECIFIED, "text": ""}
_DEFAULTS: Final = {
    table.name: {
        column.name: _EMPTY[column.kind] if column.default is None else column.default
        for column in table.columns
    }
    for table in TABLES
}


def row_of(table: str, /, **values: Value) -> NumberedRow:
    """A row of ``table``: ``values`` by column, and the default of every other column.

    Raises ``KeyError`` for a column that the table lacks.

    >>> row_of("system", time=7, metric="cpu_ratio", value=0.5)
    (5, (7, 'cpu_ratio', 0.5))
    """
    row = _DEFAULTS[table] | values
    if len(row) != len(TABLE[table].columns):
        raise KeyError(f"{table} has no column {min(values.keys() - _DEFAULTS[table].keys())}")
    return NUMBER[table], tuple(row.values())


def text_of(text: str) -> str:
    """At most `MAX_TEXT_BYTES` of ``text``, and nothing that UTF-8 cannot carry: half a surrogate pair."""
    return text.encode("utf-8", "replace")[:MAX_TEXT_BYTES].decode("utf-8", "ignore")

"""Rows as the meter makes them, by table, until they are taken as columns."""

from __future__ import annotations

from typing import Final

from dijkwacht_records.columns import Columns
from dijkwacht_records.tables import TABLES, Row

_WIDTHS: Final = tuple(len(table.columns) for table in TABLES)


class MadeRows:
    """``tables``: the rows of each table, by number; ``order``: the number of each row's table.

    Whoever makes many rows may keep a table's list and append to both: they stay the same objects. Columns
    that a row lacks at its end have their defaults when it is taken.
    """

    def __init__(self) -> None:
        self.order = bytearray()
        self.tables: tuple[list[Row], ...] = tuple([] for _ in TABLES)

    def __len__(self) -> int:
        return len(self.order)

    def add(self, number: int, row: Row) -> None:
        """Append ``row`` of table ``number``."""
        self.order.append(number)
        self.tables[number].append(row)

    def take(self) -> Columns:
        """All rows, which are forgotten here."""
        held = {number: rows for number, rows in enumerate(self.tables) if rows}
        columns = Columns.of_tables(bytes(self.order), held).filled(_WIDTHS)
        self.order.clear()
        for rows in held.values():
            rows.clear()
        return columns

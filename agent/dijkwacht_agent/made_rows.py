"""Rows as the meter makes them, by table, until they are taken as columns."""

from __future__ import annotations

from dijkwacht_records.columns import Columns
from dijkwacht_records.tables import TABLES, Row


class MadeRows:
    """``tables``: the rows of each table, by number; ``order``: the number of each row's table.

    Whoever makes many rows may keep a table's list and append to both: they stay the same objects.
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
        columns = Columns.of_tables(bytes(self.order), held)
        self.order.clear()
        for rows in held.values():
            rows.clear()
        return columns

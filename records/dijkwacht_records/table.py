"""What a table of the contract is made of: its name, its meaning, and its columns."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["int", "float", "addr", "text"]
"""How a column is stored: signed 64-bit integer, IEEE double, 16-byte address, UTF-8 text."""


class Column(msgspec.Struct, frozen=True):
    """One field of a table.

    ``default``: what a row of an earlier contract has in it, for a number that came with a later one;
    an address or a text is then unspecified or empty.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    default: int | float | None = None


class Table(msgspec.Struct, frozen=True):
    """A named, ordered set of columns. Every table begins with ``time``."""

    name: str
    meaning: str
    columns: tuple[Column, ...]

    def index(self, column: str) -> int:
        """Position of ``column`` in a row. Raises ``KeyError`` for an unknown name."""
        for position, known in enumerate(self.columns):
            if known.name == column:
                return position
        raise KeyError(f"{self.name} has no column {column!r}")


def columns(
    *rows: tuple[str, Kind, str, str], later: tuple[Column, ...] = ()
) -> tuple[Column, ...]:
    """``rows`` of the table's first version, and what came ``later``."""
    return (
        Column("time", "int", "µs UTC", "when the row's last packet or sample was seen"),
        *(Column(*row) for row in rows),
        *later,
    )

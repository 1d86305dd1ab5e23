"""Rows of several tables as columns: what a meter hands over, privacy hides and a batch is made of.

Addresses and texts are kept once each, and columns hold their places, so that whoever hides or
encodes them touches each one once, however many rows name it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, repeat
from typing import Final, Self, TypeVar, cast

from dijkwacht_records.tables import DEFAULTS, TABLES, Row, Value

_T = TypeVar("_T")
Values = Sequence[int] | Sequence[float]
"""One column: numbers as they are, addresses and texts as places in `Columns.addresses` and `.texts`."""


class Columns:
    """Some rows in the order they were made; ``order`` holds the table number of each.

    ``tables``: number of a table → its columns in the contract's order, all of equal length.
    ``addresses``: 16 bytes each. All rows of a table may lack columns at its end: they have their defaults.
    """

    __slots__ = ("addresses", "order", "tables", "texts")

    def __init__(
        self,
        order: bytes = b"",
        tables: Mapping[int, Sequence[Values]] | None = None,
        addresses: Sequence[bytes] = (),
        texts: Sequence[str] = (),
    ) -> None:
        self.order, self.tables = order, tables or {}
        self.addresses, self.texts = addresses, texts

    @classmethod
    def of(cls, rows: Iterable[tuple[int, Row]]) -> Self:
        """From (table number, row) pairs.

        >>> from dijkwacht_records.tables import TABLE, TABLES
        >>> metrics = Columns.of([(TABLES.index(TABLE["system"]), (7, "cpu_ratio", 0.5))])
        >>> list(metrics.tables.values()), metrics.texts
        ([[(7,), [0], (0.5,)]], ['cpu_ratio'])
        """
        order, by_table = bytearray(), dict[int, list[Row]]()
        for number, row in rows:
            order.append(number)
            by_table.setdefault(number, []).append(row)
        return cls.of_tables(bytes(order), by_table)

    @classmethod
    def of_tables(cls, order: bytes, rows: Mapping[int, Sequence[Row]]) -> Self:
        """The same, from the rows of each table and the order they were made in."""
        addresses: dict[bytes, int] = {}
        texts: dict[str, int] = {}
        tables: dict[int, list[Values]] = {}
        for number, own in rows.items():
            columns = _across(number, own)
            for place, kind in PLACED[number]:
                if place >= len(columns):
                    break
                places = cast("dict[Value, int]", addresses if kind == "addr" else texts)
                unique = dict.fromkeys(columns[place])
                fresh = [v for v in unique if v not in places] if places else unique
                places.update(zip(fresh, count(len(places)), strict=False))
                columns[place] = list(map(places.__getitem__, columns[place]))
            tables[number] = cast("list[Values]", columns)
        return cls(order, tables, list(addresses), list(texts))

    def __len__(self) -> int:
        return len(self.order)

    def rows(self) -> Iterator[tuple[int, Row]]:
        """(table number, row) pairs, in the order they were made."""
        rows = {
            number: zip(
                *map(self._plain, repeat(number), range(len(columns)), columns), strict=True
            )
            for number, columns in self.tables.items()
        }
        for number in self.order:
            yield number, next(rows[number])

    def cut(self, begin: int, end: int) -> Columns:
        """Rows ``begin`` to ``end``, with no more addresses and texts than they name."""
        if begin <= 0 and end >= len(self):
            return self
        tables = {}
        for number, columns in self.tables.items():
            span = slice(*(self.order.count(number, 0, at) for at in (begin, end)))
            if span.start < span.stop:
                tables[number] = [column[span] for column in columns]
        return _gather([Columns(self.order[begin:end], tables, self.addresses, self.texts)])

    @staticmethod
    def join(parts: Sequence[Columns]) -> Columns:
        """The rows of all ``parts``, one after the other."""
        if len(parts) == 1:
            return parts[0]
        numbers = range(len(TABLES))
        widest = [max(len(part.tables.get(n, ())) for part in parts) for n in numbers]
        return _gather([part.shaped(widest) for part in parts])

    def shaped(self, counts: Sequence[int]) -> Columns:
        """The rows of tables below ``len(counts)``, each with as many columns as ``counts`` says.

        What is too much is left out with the addresses and texts that it alone names; what is missing
        has its default.
        """
        known = range(len(counts))
        if all(n in known and len(own) == counts[n] for n, own in self.tables.items()):
            return self
        addresses, texts = list(self.addresses), list(self.texts)
        tables = {n: list(own[: counts[n]]) for n, own in self.tables.items() if n in known}
        for number, own in tables.items():
            fill(number, own, counts[number], addresses, texts)
        order = self.order.translate(None, bytes(range(len(counts), 256)))
        return _gather([Columns(order, tables, addresses, texts)])

    def filled(self, counts: Sequence[int]) -> Columns:
        """The same rows, where those of table n that lack columns up to ``counts[n]`` have their defaults."""
        if all(len(own) >= counts[n] for n, own in self.tables.items()):
            return self
        addresses, texts = list(self.addresses), list(self.texts)
        tables = {n: list(own) for n, own in self.tables.items()}
        for number, own in tables.items():
            fill(number, own, counts[number], addresses, texts)
        return Columns(self.order, tables, addresses, texts)

    def _plain(self, number: int, place: int, column: Values) -> Iterable[Value]:
        kind = TABLES[number].columns[place].kind
        if kind == "addr":
            return map(self.addresses.__getitem__, cast("Sequence[int]", column))
        if kind == "text":
            return map(self.texts.__getitem__, cast("Sequence[int]", column))
        return column


def fill(
    number: int, own: list[Values], count: int, addresses: list[bytes], texts: list[str]
) -> None:
    """Give the ``own`` columns of a table, with rows, the defaults of those they lack up to ``count``."""
    for column in TABLES[number].columns[len(own) : count]:
        default = column.default or 0
        if column.kind == "addr":
            default = _place(bytes(16), addresses)
        elif column.kind == "text":
            default = _place("", texts)
        own.append(cast("Values", [default] * len(own[0])))


def _across(number: int, rows: Sequence[Row]) -> list[Sequence[Value]]:
    """The columns of a table's ``rows``, those that some of them lack at their end with defaults there."""
    try:
        return list(zip(*rows, strict=True))
    except ValueError:
        longest = max(map(len, rows))
        whole = (row + DEFAULTS[number][len(row) : longest] for row in rows)
        return list(zip(*whole, strict=True))


def _place(value: _T, values: list[_T]) -> int:
    if value not in values:
        values.append(value)
    return values.index(value)


def _gather(parts: Sequence[Columns]) -> Columns:
    """The rows of all ``parts``, in which a table has the same columns everywhere."""
    addresses: dict[bytes, int] = {}
    texts: dict[str, int] = {}
    pieces: dict[int, list[Sequence[Values]]] = {}
    for part in parts:
        for number, columns in part.tables.items():
            own = list(columns)
            for place, kind in PLACED[number]:
                if place < len(own):
                    column = cast("Sequence[int]", own[place])
                    if kind == "addr":
                        own[place] = _places(column, part.addresses, addresses)
                    else:
                        own[place] = _places(column, part.texts, texts)
            pieces.setdefault(number, []).append(own)
    tables = {
        number: [list(chain.from_iterable(column)) for column in zip(*own, strict=True)]
        for number, own in pieces.items()
    }
    order = b"".join(part.order for part in parts)
    return Columns(order, tables, list(addresses), list(texts))


def _places(column: Sequence[int], values: Sequence[_T], places: dict[_T, int]) -> list[int]:
    """The same column, whose values have other places."""
    moved = {
        place: places.setdefault(values[place], len(places)) for place in dict.fromkeys(column)
    }
    return list(map(moved.__getitem__, column))


PLACED: Final = tuple(
    tuple((place, c.kind) for place, c in enumerate(table.columns) if c.kind in {"addr", "text"})
    for table in TABLES
)
"""By table number: which columns hold places, and of what."""

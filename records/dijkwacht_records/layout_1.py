"""Contract 1 on the wire: a list of tables, each a list of packed columns.

::

    msgpack [site, agent, boot, seq, sent, addresses, order, tables]

Integers are offsets from the column's smallest value, cut to 0, 1, 2, 4 or 8 bytes and laid out as
byte planes; addresses are places in one table a batch; texts are lengths and one blob a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, cast

import msgspec

from dijkwacht_records.byte_planes import (
    LIMIT,
    check_range,
    join_planes,
    pack_lengths,
    pack_words,
    split_doubles,
    split_planes,
    width_of,
)
from dijkwacht_records.columns import Columns, Values
from dijkwacht_records.contracts import CONTRACTS
from dijkwacht_records.errors import MalformedBatch
from dijkwacht_records.planes import BITS, COUNT, MAX_ROWS, OFFSET, Planes
from dijkwacht_records.tables import MAX_TEXT_BYTES, TABLES

_WIDTHS: Final = (0, 1, 2, 4, 8)
_COLUMNS: Final = CONTRACTS[1].columns
_KINDS: Final = tuple(
    tuple(column.kind for column in table.columns[:count])
    for table, count in zip(TABLES, _COLUMNS, strict=False)
)
_MODES: Final = {"int": OFFSET, "addr": OFFSET, "float": BITS, "text": COUNT}
_ENTRIES: Final = tuple(
    tuple(
        (number | place << 8 | _MODES[kind] << 16, kind == "text")
        for place, kind in enumerate(kinds)
    )
    for number, kinds in enumerate(_KINDS)
)
"""By table and column: the first half of its entry in the index, all but width and rows; whether of texts."""


class Packed(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """One column.

    ``int``: value i is ``base`` + the unsigned little-endian number whose byte k is
    ``planes[k × rows + i]``, for k below ``width``; ``width`` 0 means every value is ``base``.
    ``addr``: the same, as an index into the batch's addresses. ``float``: width 8, the planes of
    IEEE doubles. ``text``: the same as ``int``, as the lengths of UTF-8 texts laid end to end in
    ``blob``.
    """

    base: int
    width: int
    planes: bytes
    blob: bytes = b""


class PackedTable(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """The rows of one table: ``columns`` in the order of the contract."""

    number: int
    rows: int
    columns: Annotated[list[Packed], msgspec.Meta(max_length=max(_COLUMNS))]


class Layout(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What is compressed. Lists that are too long are refused before anything is made of them."""

    site: str
    agent: str
    boot: bytes
    seq: int
    sent: int
    addresses: bytes
    order: bytes
    tables: Annotated[list[PackedTable], msgspec.Meta(max_length=len(_COLUMNS))]


def lay_out(head: tuple[str, str, bytes, int, int], rows: Columns) -> Layout:
    """``rows``, which have this contract's tables and columns, under ``head`` (site, agent, boot, seq, sent).

    Raises ``ValueError`` for a value outside its column's range.
    """
    places: dict[int, int] = {}
    texts = [text.encode("utf-8", "replace") for text in rows.texts]
    tables = []
    for number, columns in sorted(rows.tables.items()):
        packed = [
            _pack(kind, values, texts, places)
            for kind, values in zip(_KINDS[number], columns, strict=True)
        ]
        tables.append(PackedTable(number, len(columns[0]), packed))
    order = rows.order if len(tables) > 1 else b""
    addresses = b"".join(map(rows.addresses.__getitem__, places))
    return Layout(*head, addresses, order, tables)


def read(layout: Layout) -> Planes:
    """The same rows with all columns in one index. Raises `MalformedBatch` where lengths do not agree.

    What the values are is left to `planes.check`.
    """
    index, planes, lengths, texts = list[int](), list[bytes](), list[bytes](), list[bytes]()
    seen, named = -1, 0
    if (total := sum(table.rows for table in layout.tables)) > MAX_ROWS:
        raise MalformedBatch(f"{total} rows, at most {MAX_ROWS}")
    for table in layout.tables:
        number, rows = table.number, table.rows
        if not seen < number < len(_KINDS):
            raise MalformedBatch(f"table number {number} unknown or out of order")
        entries, seen = _ENTRIES[number], number
        if len(table.columns) != len(entries) or not 1 <= rows <= MAX_ROWS:
            raise MalformedBatch(f"{TABLES[number].name}: rows or columns out of range")
        for (entry, is_text), one in zip(entries, table.columns, strict=True):
            width, base = one.width, one.base
            if len(one.planes) != rows * width or width not in _WIDTHS:
                raise MalformedBatch(f"{len(one.planes)} bytes for {rows} × {width}")
            if not -LIMIT < base < LIMIT:
                raise MalformedBatch("base out of range")
            if is_text:
                lengths.append(_lengths(one, rows))
                texts.append(one.blob)
                width, base, named = 0, named, named + rows
            elif one.blob:
                raise MalformedBatch("text in a column of numbers")
            else:
                planes.append(one.planes)
            index.append(entry | width << 24 | rows << 32)
            index.append(base)
    return Planes(
        1,
        pack_words(index),
        b"".join(planes),
        layout.addresses,
        b"".join(lengths),
        b"".join(texts),
        layout.order,
    )


def _lengths(one: Packed, rows: int) -> bytes:
    """The lengths of a column of texts; they fill its own blob, which later is one among others."""
    try:
        lengths = [one.base + n for n in join_planes(one.planes, one.width, rows)]
        packed = pack_lengths(lengths)
    except OverflowError:
        raise MalformedBatch("a text of a length out of range") from None
    if sum(lengths) != len(one.blob):
        raise MalformedBatch("lengths do not fill the texts")
    return packed


def _pack(kind: str, values: Values, texts: Sequence[bytes], places: dict[int, int]) -> Packed:
    if kind == "float":
        return Packed(0, 8, split_doubles(values))
    # The column's kind fixes the type of its values, which the type checker cannot know.
    numbers = cast("Sequence[int]", values)
    if kind == "int":
        return _pack_integers(numbers)
    if kind == "addr":
        # In the order in which columns name them, whatever that of the rows' own list.
        moved = {place: places.setdefault(place, len(places)) for place in dict.fromkeys(numbers)}
        return _pack_integers([moved[place] for place in numbers])
    own = [texts[place] for place in numbers]
    if max(map(len, own)) > MAX_TEXT_BYTES:
        raise ValueError(f"a text longer than {MAX_TEXT_BYTES} bytes")
    lengths = _pack_integers([len(text) for text in own])
    return Packed(lengths.base, lengths.width, lengths.planes, b"".join(own))


def _pack_integers(values: Sequence[int]) -> Packed:
    base, top = min(values), max(values)
    check_range(base, top)
    width = width_of(top - base, _WIDTHS)
    return Packed(base, width, split_planes([v - base for v in values], width))

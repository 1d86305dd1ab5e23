"""Contract 1 on the wire: a list of tables, each a list of packed columns.

::

    msgpack [site, agent, boot, seq, sent, addresses, order, tables]

Integers are offsets from the column's smallest value, cut to 0, 1, 2, 4 or 8 bytes and laid out as
byte planes; addresses are places in one table a batch; texts are lengths and one blob a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Final, cast

import msgspec

from dijkwacht_records.byte_planes import (
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
from dijkwacht_records.head import Head
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


Packed = tuple[int, int, bytes, bytes]
"""One column: base, width, planes, blob. Plain tuples, of which a batch has fifty.

``int``: value i is ``base`` + the unsigned little-endian number whose byte k is ``planes[k × rows + i]``,
for k below ``width``; ``width`` 0 means every value is ``base``. ``addr``: the same, as an index into the
batch's addresses. ``float``: width 8, the planes of IEEE doubles. ``text``: the same as ``int``, as the
lengths of UTF-8 texts laid end to end in ``blob``, which otherwise is empty.
"""


class PackedTable(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """The rows of one table: ``columns`` in the order of the contract."""

    number: int
    rows: int
    columns: Annotated[list[Packed], msgspec.Meta(max_length=max(_COLUMNS))]


class Layout(Head):
    """What is compressed. Lists that are too long are refused before anything is made of them."""

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
    word, plane = index.append, planes.append  # a loop that a live engine walks for each column
    seen, total, named = -1, 0, 0
    for table in layout.tables:
        number, rows = table.number, table.rows
        if not seen < number < len(_KINDS):
            raise MalformedBatch(f"table number {number} unknown or out of order")
        entries, seen, total = _ENTRIES[number], number, total + rows
        if len(table.columns) != len(entries) or rows < 1 or total > MAX_ROWS:
            raise MalformedBatch(f"{TABLES[number].name}: rows or columns out of range")
        counted = rows << 32
        columns = zip(entries, table.columns, strict=False)
        for (entry, is_text), (base, width, own, blob) in columns:
            if len(own) != rows * width or width not in _WIDTHS:
                raise MalformedBatch(f"{len(own)} bytes for {rows} × {width}")
            if is_text:
                lengths.append(_lengths((base, width, own, blob), rows))
                texts.append(blob)
                word(entry | counted)
                word(named)  # the next texts of the batch, one a row
                named += rows
            elif blob:
                raise MalformedBatch("text in a column of numbers")
            else:
                plane(own)
                word(entry | width << 24 | counted)
                word(base)
    try:
        packed = pack_words(index)
    except OverflowError:
        raise MalformedBatch("base out of range") from None
    return Planes(
        1,
        packed,
        b"".join(planes),
        layout.addresses,
        b"".join(lengths),
        b"".join(texts),
        layout.order,
    )


def _lengths(one: Packed, rows: int) -> bytes:
    """The lengths of a column of texts; they fill its own blob, which later is one among others."""
    base, width, planes, blob = one
    top = base + (max(planes) if width == 1 else 0)
    if width <= 1 and base >= 0 and top < 256:  # as nearly all: no number is made of any
        own = planes.translate(_raised(base)) if width else bytes([base]) * rows
        total, packed = sum(own), bytearray(2 * rows)
        packed[::2] = own
    else:
        lengths = [base + n for n in join_planes(planes, width, rows)]
        try:
            total, packed = sum(lengths), bytearray(pack_lengths(lengths))
        except OverflowError:
            raise MalformedBatch("a text of a length out of range") from None
    if total != len(blob):
        raise MalformedBatch("lengths do not fill the texts")
    return bytes(packed)


@cache
def _raised(base: int) -> bytes:
    """What `bytes.translate` adds ``base`` by."""
    return bytes((n + base) % 256 for n in range(256))


def _pack(kind: str, values: Values, texts: Sequence[bytes], places: dict[int, int]) -> Packed:
    if kind == "float":
        return 0, 8, split_doubles(values), b""
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
    base, width, planes, _ = _pack_integers([len(text) for text in own])
    return base, width, planes, b"".join(own)


def _pack_integers(values: Sequence[int]) -> Packed:
    base, top = min(values), max(values)
    check_range(base, top)
    width = width_of(top - base, _WIDTHS)
    return base, width, split_planes([v - base for v in values], width), b""

"""How the rows of a batch lie in memory, whatever version it came in: byte planes with an index.

Each column is one entry of ``index`` (`ENTRY`: table, column, mode, width, rows, base), sorted by
(table, column), and ``rows × width`` bytes of ``planes``, right behind those of the entry before
(`byte_planes`). What its unsigned number u in row i stands for:

==========  ===========================================================================
`OFFSET`    base + u; for an address or a text, that is its place in the batch
`DELTA`     base + the sum of the zigzag numbers up to here: 0, 1, 2, 3 are 0, -1, 1, -2
`BEFORE`    the row's ``time`` - base - u
`BITS`      an IEEE double; width 8, base 0
`COUNT`     base + i, a text's place; not on the wire, contract 1 is read into it
==========  ===========================================================================

``addresses``: 16 bytes each. ``texts``: UTF-8, end to end; ``lengths``: of each, as u16. ``order``
holds the table number of each row, and nothing where all rows are of one table.

This is the plain reader: `check` says of hostile bytes whether they hold what they claim, `columns`
reads them. The collector's engine reads the same with a kernel.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from struct import Struct
from typing import Final, NamedTuple, cast

import msgspec

from dijkwacht_records.byte_planes import (
    LIMIT,
    WIDTHS,
    join_doubles,
    join_planes,
    unpack_lengths,
)
from dijkwacht_records.columns import Columns, Values, fill
from dijkwacht_records.contracts import CONTRACTS, Contract
from dijkwacht_records.errors import MalformedBatch
from dijkwacht_records.table import Kind
from dijkwacht_records.tables import MAX_TEXT_BYTES, TABLES

ENTRY: Final = Struct("<BBBBIq")
_SIZES: Final = Struct("<3xBI8x")
"""Of an entry: width, rows."""
OFFSET, DELTA, BEFORE, BITS, COUNT = range(5)
MAX_ROWS: Final = 65_535
MAX_NAMED_BYTES: Final = 8 * 1024 * 1024
"""What the texts of a column may have together, row by row: one may stand in every row."""
_MODES: Final[dict[Kind, tuple[int, ...]]] = {
    "int": (OFFSET, DELTA, BEFORE),
    "float": (BITS,),
    "addr": (OFFSET,),
    "text": (OFFSET, COUNT),
}


class Planes(msgspec.Struct, frozen=True, gc=False):
    """The rows of one batch, see the module; ``contract``: the version whose columns they have."""

    contract: int
    index: bytes
    planes: bytes
    addresses: bytes
    lengths: bytes
    texts: bytes
    order: bytes

    @property
    def rows(self) -> int:
        """Rows in all tables together, those of tables that are not known among them."""
        if self.order or not self.index:
            return len(self.order)
        return cast("int", ENTRY.unpack_from(self.index)[4])

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        columns = len(self.index) + len(self.planes) + len(self.order)
        return columns + len(self.addresses) + len(self.lengths) + len(self.texts)

    @property
    def tables(self) -> bytes:
        """The table number of each entry of the index."""
        return self.index[:: ENTRY.size]

    @property
    def unknown(self) -> int:
        """Rows of tables that this code does not know; they are skipped."""
        known = len(CONTRACTS[self.contract].columns)
        last = (len(self.index) - 1) // ENTRY.size * ENTRY.size
        if not self.index or self.index[last] < known:  # they are sorted by table
            return 0
        if not self.order:
            return self.rows
        return len(self.order.translate(None, bytes(range(known))))

    def known_among(self, rows: int) -> int:
        """How many of the first ``rows`` are of tables that this code knows."""
        if not self.unknown:
            return rows
        known = bytes(range(len(CONTRACTS[self.contract].columns)))
        return rows - len(self.order[:rows].translate(None, known)) if self.order else 0

    def rows_up_to(self, known: int) -> int:
        """How many rows there are up to the ``known``-th that this code knows, which is the last of them."""
        return bisect_left(range(self.rows), known, key=self.known_among) if self.unknown else known


class Part(NamedTuple):
    """One column: its entry in the index, and where its planes begin."""

    table: int
    column: int
    mode: int
    width: int
    rows: int
    base: int
    at: int


def parts(planes: Planes) -> Iterator[Part]:
    """The columns in the order of the index."""
    at = 0
    for entry in ENTRY.iter_unpack(planes.index):
        yield Part._make((*entry, at))
        at += entry[3] * entry[4]


def parts_of(planes: Planes, table: int) -> list[Part]:
    """Those of one table; for planes whose index `check` let pass. Others cost as good as nothing."""
    first = planes.tables.find(table)
    if first < 0:
        return []
    begin = first * ENTRY.size
    end = begin + planes.tables.count(table) * ENTRY.size
    at = sum(width * rows for width, rows in _SIZES.iter_unpack(planes.index[:begin]))
    own = []
    for entry in ENTRY.iter_unpack(planes.index[begin:end]):
        own.append(Part._make((*entry, at)))
        at += entry[3] * entry[4]
    return own


def columns(planes: Planes) -> Columns:
    """The rows of known tables, each with all of today's columns; for planes that `check` let pass."""
    tables: dict[int, list[Values]] = {}
    known = len(CONTRACTS[planes.contract].columns)
    for part in parts(planes):
        if part.table < known:
            own = tables.setdefault(part.table, [])
            own.append(_decode(planes, part, own))
    texts, at = [], 0
    for length in unpack_lengths(planes.lengths):
        texts.append(planes.texts[at : at + length].decode())
        at += length
    addresses = [planes.addresses[at : at + 16] for at in range(0, len(planes.addresses), 16)]
    for number, own in tables.items():
        fill(number, own, len(TABLES[number].columns), addresses, texts)
    order = planes.order or bytes(n for n in tables for _ in range(len(tables[n][0])))
    return Columns(order.translate(None, bytes(range(known, 256))), tables, addresses, texts)


def check(planes: Planes) -> None:
    """Raise `MalformedBatch` for planes that contradict themselves or their contract."""
    if len(planes.index) % ENTRY.size or len(planes.addresses) % 16:
        raise MalformedBatch("index or addresses are cut short")
    lengths = unpack_lengths(planes.lengths)
    _check_texts(lengths, planes.texts)
    contract = CONTRACTS[planes.contract]
    found: dict[int, list[Part]] = {}
    end = 0
    for part in parts(planes):
        _check_entry(part, found, contract)
        end = part.at + part.rows * part.width
        if end > len(planes.planes):
            break
    if end != len(planes.planes):
        raise MalformedBatch(f"{len(planes.planes)} bytes of planes, not what the index says")
    places = {"addr": range(len(planes.addresses) // 16), "text": lengths}
    for number, own in found.items():
        if number < len(contract.columns):
            if len(own) != contract.columns[number]:
                raise MalformedBatch(f"{TABLES[number].name}: {len(own)} columns")
            _check_table(planes, own, places)
    _check_order(planes.order, {number: own[0].rows for number, own in found.items()})


def _check_texts(lengths: Sequence[int], texts: bytes) -> None:
    """Raise `MalformedBatch` unless texts of these ``lengths`` lie end to end in ``texts``, as UTF-8."""
    if sum(lengths) != len(texts) or max(lengths, default=0) > MAX_TEXT_BYTES:
        raise MalformedBatch("lengths do not fill the texts, or one is too long")
    if texts.isascii():
        return
    at = 0
    try:
        for length in lengths:
            texts[at : at + length].decode()
            at += length
    except UnicodeDecodeError:
        raise MalformedBatch("a text is not UTF-8") from None


def _check_entry(part: Part, found: dict[int, list[Part]], contract: Contract) -> None:
    """One entry against those before it, which ``found`` has by table; it is added to them."""
    number, place = part.table, part.column
    known = number < len(contract.columns)
    if found and number < next(reversed(found)):
        raise MalformedBatch("the index is not sorted")
    if not known and not contract.open:
        raise MalformedBatch(f"table number {number} unknown")
    own = found.setdefault(number, [])
    if (known and place != len(own)) or (own and place <= own[-1].column):
        raise MalformedBatch("a column twice, or missing")
    if not 1 <= part.rows <= MAX_ROWS or (own and part.rows != own[0].rows):
        raise MalformedBatch("rows out of range, or of another number than in the column before")
    if part.width not in WIDTHS or not -LIMIT < part.base < LIMIT:
        raise MalformedBatch("width or base out of range")
    own.append(part)


def _check_table(planes: Planes, own: Sequence[Part], places: dict[str, Sequence[int]]) -> None:
    table = TABLES[own[0].table]
    time: Values = ()
    for column, part in zip(table.columns, own, strict=False):
        try:
            _check_mode(planes, part, column.kind)
            if part.column == 0:
                time = _decode(planes, part, ())
            _check_values(planes, part, time, places.get(column.kind))
        except MalformedBatch as error:
            raise MalformedBatch(f"{table.name}.{column.name}: {error}") from None


def _check_mode(planes: Planes, part: Part, kind: Kind) -> None:
    mode = part.mode
    unfit = (mode == COUNT and planes.contract != 1) or (mode == BEFORE and part.column == 0)
    if mode not in _MODES[kind] or unfit:
        raise MalformedBatch(f"mode {mode}")
    if mode == BITS and (part.width != 8 or part.base):
        raise MalformedBatch("doubles have width 8 and base 0")
    if mode in {OFFSET, BEFORE} and part.width == 8:
        last = planes.planes[part.at + 7 * part.rows : part.at + 8 * part.rows]
        if max(last) >= 0x40:
            raise MalformedBatch("offset out of range")


def _check_values(planes: Planes, part: Part, time: Values, places: Sequence[int] | None) -> None:
    """``places``: one number for each address, or the length of each text, for a column of either."""
    if places is None:
        if part.mode in {DELTA, BEFORE}:
            values = time if part.column == 0 else _decode(planes, part, [time])
            if min(values) < -LIMIT or max(values) >= LIMIT:
                raise MalformedBatch("a value out of range")
        return
    least, most, numbers = part.base, part.base, join_planes(b"", 0, part.rows)
    if part.mode == COUNT:
        most += part.rows - 1  # each text once
    elif part.width:
        numbers = join_planes(_span(planes, part), part.width, part.rows)
        least, most = least + min(numbers), most + max(numbers)
    if least < 0 or most >= len(places):
        raise MalformedBatch(f"place {most} of {len(places)}")
    texts = not isinstance(places, range) and part.mode != COUNT
    if texts and sum(places[part.base + n] for n in numbers) > MAX_NAMED_BYTES:
        raise MalformedBatch("texts that are too long together")


def _check_order(order: bytes, rows: dict[int, int]) -> None:
    total = sum(rows.values())
    if total > MAX_ROWS:
        raise MalformedBatch(f"{total} rows, at most {MAX_ROWS}")
    if len(rows) <= 1 and not order:
        return
    if len(order) != total:
        raise MalformedBatch("order does not name every row")
    for number, count in rows.items():
        if order.count(number) != count:
            raise MalformedBatch("order and tables disagree")


def _span(planes: Planes, part: Part) -> bytes:
    return planes.planes[part.at : part.at + part.rows * part.width]


def _decode(planes: Planes, part: Part, before: Sequence[Values]) -> Values:
    """The values of a column; ``before``: the table's columns so far, ``time`` first."""
    if part.mode == COUNT:
        return range(part.base, part.base + part.rows)
    span = _span(planes, part)
    if part.mode == BITS:
        return join_doubles(span, part.rows)
    numbers = join_planes(span, part.width, part.rows)
    if part.mode == DELTA:
        steps = ((n >> 1) ^ -(n & 1) for n in numbers)
        return list(accumulate(steps, initial=part.base))[1:]
    if part.mode == BEFORE:
        times = cast("Sequence[int]", before[0])
        return [time - part.base - n for time, n in zip(times, numbers, strict=True)]
    return [part.base + n for n in numbers] if part.base else numbers

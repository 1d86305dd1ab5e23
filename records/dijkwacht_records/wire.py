"""Encode and decode a batch: rows of several tables, as columns, compressed.

Layout of contract version 1 (`docs/decisions/0002-wire-format.md` has the measurements)::

    b"DWB" version | zstd( msgpack [site, agent, boot, seq, sent, addresses, order, tables] )

Integers are offsets from the column's smallest value, cut to the fewest bytes and laid out as byte
planes; addresses are indices into one table a batch; texts are lengths and one blob. ``order``
holds the table number of each row in the order the agent made them, so that cutting a stream into
other batches changes nothing.

The decoder reads hostile bytes: the declared size is checked before anything is decompressed, every
length must be exactly ``rows × width``, every index and every text must be in range. It raises
`MalformedBatch` or `UnknownContract`, nothing else.
"""

from __future__ import annotations

import re
import sys
import threading
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, cast

import msgspec
import zstandard

from dijkwacht_records.errors import MalformedBatch, UnknownContract
from dijkwacht_records.tables import MAX_TEXT_BYTES, TABLES, Column, Row, Value

CONTRACT: Final = 1
"""The contract version that this code writes."""
MAX_WIRE_BYTES: Final = 256 * 1024
MAX_PLAIN_BYTES: Final = 8 * 1024 * 1024
MAX_ROWS: Final = 65_535
MAGIC: Final = b"DWB"
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
"""What a site or an agent may be called: a DNS label."""

_LIMIT = 1 << 62
_WIDTHS = (1, 2, 4, 8)
_TYPECODE = {1: "B", 2: "H", 4: "I", 8: "Q"}
_LITTLE = sys.byteorder == "little"
_MAX_WINDOW = 8 * 1024 * 1024


class Packed(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """One column on the wire.

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
    columns: list[Packed]


class Batch(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """One decoded batch, its columns still packed.

    ``boot`` is 16 random bytes an agent draws at start; ``seq`` rises by one a batch within a boot;
    ``sent`` is the agent's clock in µs UTC. Resending the same (site, agent, boot, seq) is harmless.
    """

    site: str
    agent: str
    boot: bytes
    seq: int
    sent: int
    addresses: bytes
    order: bytes
    tables: list[PackedTable]

    @property
    def rows(self) -> int:
        """Rows in all tables together."""
        return sum(table.rows for table in self.tables)


class _Local(threading.local):
    """A decompressor for each thread: making one costs more than a small batch, sharing is unsafe."""

    def __init__(self) -> None:
        self.decompressor = zstandard.ZstdDecompressor()


_local = _Local()
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Batch)


def encode(
    site: str,
    agent: str,
    boot: bytes,
    seq: int,
    sent: int,
    rows: Sequence[tuple[int, Row]],
    level: int = 1,
) -> bytes:
    """Return the wire bytes of ``rows``: (table number, row) pairs in the order they were made.

    The result may exceed `MAX_WIRE_BYTES`; the caller then cuts its rows in two.
    Raises ``ValueError`` for more than `MAX_ROWS` rows or a value outside its column's range.
    """
    if len(rows) > MAX_ROWS:
        raise ValueError(f"{len(rows)} rows in one batch, at most {MAX_ROWS}")
    by_table: dict[int, list[Row]] = {}
    for number, row in rows:
        by_table.setdefault(number, []).append(row)
    places: dict[bytes, int] = {}
    packed = []
    for number in sorted(by_table):
        columns = zip(TABLES[number].columns, zip(*by_table[number], strict=True), strict=True)
        packed.append(
            PackedTable(
                number,
                len(by_table[number]),
                [_pack(column, values, places) for column, values in columns],
            )
        )
    order = bytes(number for number, _ in rows) if len(packed) > 1 else b""
    batch = Batch(site, agent, boot, seq, sent, b"".join(places), order, packed)
    plain = _encoder.encode(batch)
    return MAGIC + bytes([CONTRACT]) + zstandard.ZstdCompressor(level=level).compress(plain)


def decode(wire: bytes | memoryview) -> Batch:
    """Read one batch from bytes that anybody may have sent.

    Raises `UnknownContract` for a version this code does not read and `MalformedBatch` for
    everything else that is wrong. A batch that is returned has columns whose lengths, indices and
    texts are all in range.
    """
    if len(wire) > MAX_WIRE_BYTES:
        raise MalformedBatch(f"{len(wire)} bytes, at most {MAX_WIRE_BYTES}")
    batch = read_checked(wire)
    _check_head(batch)
    seen = -1
    for table in batch.tables:
        if table.number <= seen or table.number >= len(TABLES):
            raise MalformedBatch(f"table number {table.number} unknown or out of order")
        seen = table.number
        _check_table(table, len(batch.addresses) // 16)
    _check_order(batch)
    return batch


def read_checked(wire: bytes | memoryview) -> Batch:
    """Read bytes that `decode` has accepted before, as the journal holds them.

    Skips the checks of columns; bytes from anywhere else belong to `decode`.
    """
    if len(wire) < 5 or bytes(wire[:3]) != MAGIC:
        raise MalformedBatch("not a batch: it does not begin with DWB")
    if wire[3] != CONTRACT:
        raise UnknownContract(wire[3], [CONTRACT])
    return _decode_plain(_decompress(bytes(wire[4:])))


def unpack_rows(batch: Batch) -> Iterator[tuple[int, Row]]:
    """Yield (table number, row) in the order the agent made them; the plain reading of a batch."""
    tables = {
        table.number: zip(
            *(
                _unpack(column, packed, table.rows, batch.addresses)
                for column, packed in zip(TABLES[table.number].columns, table.columns, strict=True)
            ),
            strict=True,
        )
        for table in batch.tables
    }
    order: Iterable[int] = batch.order
    if not batch.order and batch.tables:
        order = [batch.tables[0].number] * batch.rows
    for number in order:
        yield number, next(tables[number])


def unpack_row(batch: Batch, table: PackedTable, at: int) -> Row:
    """Row ``at`` of one of the batch's tables; the others stay packed, whatever their number."""
    columns = zip(TABLES[table.number].columns, table.columns, strict=True)
    return tuple(
        next(iter(_unpack(column, _cut(column, packed, table.rows, at), 1, batch.addresses)))
        for column, packed in columns
    )


def plain_size(wire: bytes) -> int:
    """Bytes that `decode` may unpack ``wire`` to, by its frame's own head; 0 if it has none and is refused."""
    try:
        declared = zstandard.frame_content_size(wire[4:32])
    except zstandard.ZstdError:
        return 0
    return MAX_PLAIN_BYTES if declared < 0 else min(declared, MAX_PLAIN_BYTES)


def _pack(column: Column, values: Sequence[Value], places: dict[bytes, int]) -> Packed:
    # The column's kind fixes the type of its values, which the type checker cannot know.
    if column.kind == "int":
        return _pack_integers(cast("Sequence[int]", values))
    if column.kind == "addr":
        keys = cast("Sequence[bytes]", values)
        return _pack_integers([places.setdefault(key, len(places)) for key in keys])
    if column.kind == "float":
        return Packed(0, 8, _planes(array("d", cast("Sequence[float]", values)), 8))
    texts = [text.encode("utf-8", "replace") for text in cast("Sequence[str]", values)]
    if max(map(len, texts)) > MAX_TEXT_BYTES:
        raise ValueError(f"{column.name}: a text longer than {MAX_TEXT_BYTES} bytes")
    lengths = _pack_integers([len(text) for text in texts])
    return Packed(lengths.base, lengths.width, lengths.planes, b"".join(texts))


def _pack_integers(values: Sequence[int]) -> Packed:
    base, top = min(values), max(values)
    if base <= -_LIMIT or top >= _LIMIT:
        raise ValueError(f"integer outside ±2^62: {base} … {top}")
    span = top - base
    if span >= _LIMIT:
        raise ValueError(f"integers further apart than 2^62: {base} … {top}")
    if span == 0:
        return Packed(base, 0, b"")
    width = 1 if span < 1 << 8 else 2 if span < 1 << 16 else 4 if span < 1 << 32 else 8
    return Packed(base, width, _planes(array(_TYPECODE[width], [v - base for v in values]), width))


def _planes(values: array[int] | array[float], width: int) -> bytes:
    if not _LITTLE:
        values.byteswap()
    raw = values.tobytes()
    return raw if width == 1 else b"".join(raw[k::width] for k in range(width))


def _unpack(column: Column, packed: Packed, rows: int, addresses: bytes) -> Iterable[Value]:
    if column.kind == "float":
        return array("d", _join_planes(packed.planes, 8, rows, "d"))
    numbers = _unpack_integers(packed, rows)
    if column.kind == "int":
        return numbers
    if column.kind == "addr":
        return [addresses[16 * n : 16 * n + 16] for n in numbers]
    texts, at = [], 0
    for length in numbers:
        texts.append(packed.blob[at : at + length].decode())
        at += length
    return texts


def _cut(column: Column, packed: Packed, rows: int, at: int) -> Packed:
    """The same column with row ``at`` alone."""
    blob = b""
    if column.kind == "text":
        lengths = _unpack_integers(packed, rows)
        begin = sum(lengths[:at])
        blob = packed.blob[begin : begin + lengths[at]]
    return Packed(packed.base, packed.width, packed.planes[at::rows], blob)


def _unpack_integers(packed: Packed, rows: int) -> list[int]:
    if packed.width == 0:
        return [packed.base] * rows
    code = _TYPECODE[packed.width]
    return [packed.base + v for v in _join_planes(packed.planes, packed.width, rows, code)]


def _join_planes(planes: bytes, width: int, rows: int, code: str) -> array[int]:
    raw = bytearray(len(planes))
    for k in range(width):
        raw[k::width] = planes[k * rows : (k + 1) * rows]
    values = array(code, bytes(raw))
    if not _LITTLE:
        values.byteswap()
    return values


def _decompress(frame: bytes) -> bytes:
    try:
        declared = zstandard.get_frame_parameters(frame)
        # The library obeys max_output_size only for frames that do not declare their size.
        if declared.content_size > MAX_PLAIN_BYTES or declared.window_size > _MAX_WINDOW:
            raise MalformedBatch(f"declares {declared.content_size} bytes or too large a window")
        return _local.decompressor.decompress(
            frame, max_output_size=MAX_PLAIN_BYTES, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise MalformedBatch(f"not a zstd frame: {error}") from None


def _decode_plain(plain: bytes) -> Batch:
    try:
        return _decoder.decode(plain)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBatch(f"not a batch: {error}") from None


def _check_head(batch: Batch) -> None:
    for what, name in (("site", batch.site), ("agent", batch.agent)):
        if not NAME.fullmatch(name):
            raise MalformedBatch(f"{what} is not a name")
    if len(batch.boot) != 16 or not 0 <= batch.seq < _LIMIT or not 0 <= batch.sent < _LIMIT:
        raise MalformedBatch("boot, seq or sent out of range")
    if len(batch.addresses) % 16:
        raise MalformedBatch("addresses are not 16 bytes each")


def _check_table(table: PackedTable, addresses: int) -> None:
    columns = TABLES[table.number].columns
    if not 1 <= table.rows <= MAX_ROWS or len(table.columns) != len(columns):
        raise MalformedBatch(f"{TABLES[table.number].name}: rows or columns out of range")
    for column, packed in zip(columns, table.columns, strict=True):
        try:
            _check_column(column, packed, table.rows, addresses)
        except MalformedBatch as error:
            raise MalformedBatch(f"{TABLES[table.number].name}.{column.name}: {error}") from None


def _check_column(column: Column, packed: Packed, rows: int, addresses: int) -> None:
    if packed.width and packed.width not in _WIDTHS:
        raise MalformedBatch(f"width {packed.width}")
    if len(packed.planes) != rows * packed.width:
        raise MalformedBatch(f"{len(packed.planes)} bytes for {rows} × {packed.width}")
    if not -_LIMIT < packed.base < _LIMIT:
        raise MalformedBatch("base out of range")
    if column.kind != "text" and packed.blob:
        raise MalformedBatch("text in a column of numbers")
    if column.kind == "float":
        if packed.width != 8 or packed.base:
            raise MalformedBatch("doubles have width 8 and base 0")
    else:
        _check_numbers(column, packed, rows, addresses)


def _check_numbers(column: Column, packed: Packed, rows: int, addresses: int) -> None:
    if packed.width == 8 and max(packed.planes[7 * rows :]) >= 0x40:
        raise MalformedBatch("offset out of range")
    if column.kind == "addr":
        least, most, _ = _measure(packed, rows)
        if least < 0 or most >= addresses:
            raise MalformedBatch("address index out of range")
    elif column.kind == "text":
        least, most, total = _measure(packed, rows)
        if least < 0 or most > MAX_TEXT_BYTES or total != len(packed.blob):
            raise MalformedBatch("lengths do not fill the texts")
        if not packed.blob.isascii():
            _check_utf8(_unpack_integers(packed, rows), packed.blob)


def _measure(packed: Packed, rows: int) -> tuple[int, int, int]:
    """Least, most and sum of a column of numbers, without a list where one byte holds each."""
    if packed.width == 0:
        return packed.base, packed.base, packed.base * rows
    if packed.width == 1:
        base, planes = packed.base, packed.planes
        return base + min(planes), base + max(planes), base * rows + sum(planes)
    numbers = _unpack_integers(packed, rows)
    return min(numbers), max(numbers), sum(numbers)


def _check_utf8(lengths: list[int], blob: bytes) -> None:
    at = 0
    try:
        for length in lengths:
            blob[at : at + length].decode()
            at += length
    except UnicodeDecodeError:
        raise MalformedBatch("a text is not UTF-8") from None


def _check_order(batch: Batch) -> None:
    if batch.rows > MAX_ROWS:
        raise MalformedBatch(f"{batch.rows} rows, at most {MAX_ROWS}")
    if len(batch.tables) <= 1 and not batch.order:
        return
    if len(batch.order) != batch.rows:
        raise MalformedBatch("order does not name every row")
    for table in batch.tables:
        if batch.order.count(table.number) != table.rows:
            raise MalformedBatch("order and tables disagree")

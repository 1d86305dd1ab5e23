"""Batches that are small to send and dear to take: what a token that was stolen would be used for."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

import msgspec
import zstandard

from dijkwacht_records.contracts import CONTRACTS
from dijkwacht_records.layout_1 import Layout, Packed, PackedTable
from dijkwacht_records.planes import MAX_ROWS
from dijkwacht_records.table import Column, Table
from dijkwacht_records.tables import TABLE, TABLES
from dijkwacht_records.wire import MAGIC

NOW: Final = 1_790_000_000_000_000
_COLUMNS: Final = CONTRACTS[1].columns
_EXPLAINED: Final = 190_000
"""Numbers of a batch that contradicts itself, of which the reader looks at each to say where."""


def beats(site: str, seq: int) -> bytes:
    """65,535 heartbeats in some 600 bytes, 7 MB unpacked."""
    return _wire(site, seq, [_table(TABLE["agent"], MAX_ROWS, 8)])


def flows(site: str, seq: int) -> bytes:
    """65,535 flow rows in some 400 bytes, 5 MB unpacked."""
    return _wire(site, seq, [_table(TABLE["flows"], MAX_ROWS, 4)])


def names(site: str, seq: int) -> bytes:
    """65,535 DNS rows with wide columns, each with texts of no length."""
    return _wire(site, seq, [_table(TABLE["dns"], MAX_ROWS, 8)])


def every_table(site: str, seq: int) -> bytes:
    """As many rows as a batch may have, of all tables in turn; few heartbeats among them."""
    tables_of_1 = TABLES[: len(_COLUMNS)]
    others = (MAX_ROWS - 100) // (len(tables_of_1) - 1)
    rows = [100 if table.name == "agent" else others for table in tables_of_1]
    tables = [_table(t, count, 2) for t, count in zip(tables_of_1, rows, strict=True)]
    order = b"".join(bytes([number]) * count for number, count in enumerate(rows))
    return _wire(site, seq, tables, order)


def contradiction(site: str, seq: int) -> bytes:
    """A batch whose last column says something else than the first."""
    table = TABLE["flows"]
    rows = _EXPLAINED // _COLUMNS[TABLES.index(table)]
    return _wire(site, seq, [_table(table, rows, 1, place=7)])


KINDS: Final[tuple[Callable[[str, int], bytes], ...]] = (
    beats,
    flows,
    names,
    every_table,
    contradiction,
)


def _wire(site: str, seq: int, tables: list[PackedTable], order: bytes = b"") -> bytes:
    layout = Layout(site, "agent-1", secrets.token_bytes(16), seq, NOW, bytes(16), order, tables)
    plain = msgspec.msgpack.encode(layout)
    return MAGIC + b"\x01" + zstandard.ZstdCompressor(level=1).compress(plain)


def _table(table: Table, rows: int, width: int, place: int = 0) -> PackedTable:
    """``rows`` times the same row, in columns of ``width`` bytes; addresses are in ``place``, of one."""
    number = TABLES.index(table)
    known = table.columns[: _COLUMNS[number]]
    return PackedTable(number, rows, [_column(column, rows, width, place) for column in known])


def _column(column: Column, rows: int, width: int, place: int) -> Packed:
    if column.kind == "float":
        return 0, 8, bytes(8 * rows), b""
    base = {"int": NOW if column.unit == "µs UTC" else 0, "addr": place}.get(column.kind, 0)
    return base, width, bytes(width * rows), b""

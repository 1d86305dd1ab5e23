"""``dijkwacht flows``: meter a recording and write its rows, and nothing else."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, cast

from dijkwacht.extras import install_command
from dijkwacht.progress import report, report_problems
from dijkwacht.recording import PATHS, NumberedRow, Recorded, add_local
from dijkwacht.terminal import json_line
from dijkwacht_records.addresses import format_address, format_mac
from dijkwacht_records.closed_lists import is_named, name
from dijkwacht_records.community_id import community_id
from dijkwacht_records.errors import SettingsError
from dijkwacht_records.table import Table
from dijkwacht_records.tables import FLOWS, HARDWARE_ADDRESSES, TABLE, TABLES, Row, Value

SUMMARY = "meter a recording into JSON lines, Parquet or Arrow"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK: Final = 65_536
_COMMUNITY_ID: Final = "community_id"
_NAMING: Final = tuple(map(FLOWS.index, ("orig_h", "resp_h", "orig_p", "resp_p", "proto")))
"""Where a flow's row holds what its Community ID is made of."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help=PATHS)
    parser.add_argument(
        "--to", type=Path, metavar="FILE", help="write here: .parquet, .arrow, else JSON lines"
    )
    parser.add_argument(
        "--table", default="flows", choices=sorted(TABLE), help="which rows (default: flows)"
    )
    add_local(parser)


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if anything was readable, 2 if nothing was."""
    recorded = Recorded(args.paths, args.local)
    report(recorded.inside.describe())
    table: Table = TABLE[args.table]
    number = TABLES.index(table)
    held: Counter[int] = Counter()
    written = write(table, _of_table(recorded.rows(), number, held), args.to)
    report_problems(recorded)
    report(f"{written:,} rows of {table.name} from {recorded.packets:,} packets")
    if not written and held:
        # Most logs make rows of one table, and it is seldom the one that is written unasked.
        report(
            f"its rows are of other tables: --table {' or '.join(TABLES[k].name for k in sorted(held))}"
        )
    return 0 if recorded.readable else 2


def _of_table(rows: Iterable[NumberedRow], wanted: int, held: Counter[int]) -> Iterator[Row]:
    """The rows of one table; all are counted by table in ``held``."""
    for number, row in rows:
        held[number] += 1
        if number == wanted:
            yield row


def write(table: Table, rows: Iterable[Row], to: Path | None) -> int:
    """Write ``rows`` by the ending of ``to`` (standard output if None); how many there were."""
    if to is None:
        return _write_json(table, rows, sys.stdout.buffer)
    if to.suffix in (".parquet", ".arrow", ".feather"):
        return _write_arrow(table, rows, to)
    with to.open("wb") as file:
        return _write_json(table, rows, file)


def readable(table: Table, row: Row) -> dict[str, Any]:
    """A row for people: addresses and times as text, numbers of closed lists as words; a flow with its Community ID."""
    found = {
        c.name: _readable(c.name, c.unit, value)
        for c, value in zip(table.columns, row, strict=True)
    }
    return found | {_COMMUNITY_ID: _community_id(row)} if table is FLOWS else found


def _community_id(row: Row) -> str:
    orig_h, resp_h, *numbers = (row[place] for place in _NAMING)
    ends, ports = cast("tuple[bytes, bytes]", (orig_h, resp_h)), cast("list[int]", numbers)
    return community_id(*ends, *ports)


def _readable(column: str, unit: str, value: Value) -> Any:
    if isinstance(value, bytes):
        return format_address(value)
    if unit == "µs UTC" and isinstance(value, int):
        return (_EPOCH + timedelta(microseconds=value)).isoformat(timespec="microseconds")
    if column in HARDWARE_ADDRESSES and isinstance(value, int):
        return format_mac(value)
    if is_named(unit) and isinstance(value, int):
        word = name(unit, value)
        return word.lower() if column == "state" else word
    return value


def _write_json(table: Table, rows: Iterable[Row], file: IO[bytes]) -> int:
    count = 0
    for row in rows:
        file.write(json_line(readable(table, row)))
        count += 1
    file.flush()
    return count


def _write_arrow(table: Table, rows: Iterable[Row], to: Path) -> int:
    try:
        import pyarrow as pa  # noqa: PLC0415  # optional: only these endings need it
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise SettingsError(
            f"--to {to}: {to.suffix} needs pyarrow: {install_command('lab')}"
        ) from None
    kinds = {"int": pa.int64(), "float": pa.float64(), "addr": pa.string(), "text": pa.string()}
    fields = [
        pa.field(
            c.name,
            pa.timestamp("us", tz="UTC") if c.unit == "µs UTC"
            else pa.string() if is_named(c.unit) or c.name in HARDWARE_ADDRESSES
            else kinds[c.kind],
            metadata={"unit": c.unit, "meaning": c.meaning},
        )
        for c in table.columns
    ]  # fmt: skip
    if table is FLOWS:
        meaning = "the flow's name in every tool, of either direction (Community ID 1, seed 0)"
        fields.append(pa.field(_COMMUNITY_ID, pa.string(), metadata={"meaning": meaning}))
    schema = pa.schema(fields)
    count = 0
    parquet = to.suffix == ".parquet"
    with pq.ParquetWriter(to, schema) if parquet else pa.ipc.new_file(to, schema) as writer:
        for chunk in _chunks(rows):
            columns = [
                [
                    value if c.unit == "µs UTC" else _readable(c.name, c.unit, value)
                    for value in values
                ]
                for c, values in zip(table.columns, zip(*chunk, strict=True), strict=True)
            ]
            if table is FLOWS:
                columns.append([_community_id(row) for row in chunk])
            arrays = [pa.array(v, field.type) for v, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            count += len(chunk)
    return count


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk

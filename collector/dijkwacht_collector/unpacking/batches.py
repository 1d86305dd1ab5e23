"""HOT  Byte planes of many batches → numbers: first what they claim is checked, then it is read.

The same as `dijkwacht_records.planes` says in plain Python, on the batches of a step together. It
refuses what the plain reader refuses, in bytes from anywhere: no length and no place is used before
it was looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.unpacking.kernels import (
    ADDRESS,
    DOUBLE,
    NUMBER,
    TEXT,
    check_batch,
    check_large,
    copy_texts,
    measure,
    read,
    sequence,
)
from dijkwacht_detectors.api import Text
from dijkwacht_records.contracts import CONTRACTS, READS
from dijkwacht_records.errors import MalformedBatch
from dijkwacht_records.planes import ENTRY, MAX_ROWS, Planes
from dijkwacht_records.planes import check as plain_check
from dijkwacht_records.table import Column, Kind
from dijkwacht_records.tables import TABLES
from dijkwacht_records.wire import Batch
from dijkwacht_records.wire import read as read_wire

_WIDEST: Final = max(len(table.columns) for table in TABLES)
_KIND_NUMBERS: Final[dict[Kind, int]] = {
    "int": NUMBER,
    "float": DOUBLE,
    "addr": ADDRESS,
    "text": TEXT,
}


def _kinds() -> NDArray[np.int64]:
    kinds = np.full((len(TABLES), _WIDEST), -1, np.int64)
    for number, table in enumerate(TABLES):
        kinds[number, : len(table.columns)] = [_KIND_NUMBERS[c.kind] for c in table.columns]
    return kinds


def _defaults() -> NDArray[np.int64]:
    """The default of each column as its line holds it; the place of what is unspecified or empty is 0."""
    defaults = np.zeros((len(TABLES), _WIDEST), np.int64)
    for number, table in enumerate(TABLES):
        for place, column in enumerate(table.columns):
            if column.kind == "float":
                defaults[number, place] = np.float64(column.default or 0).view(np.int64)
            elif column.kind == "int":
                defaults[number, place] = column.default or 0
    return defaults


def _known() -> NDArray[np.int64]:
    """int64[contracts, 257]: columns of each table, 0 where it is unknown; last, whether there may be others."""
    known = np.zeros((max(CONTRACTS) + 1, 257), np.int64)
    for number, contract in CONTRACTS.items():
        known[number, : len(contract.columns)] = contract.columns
        known[number, 256] = contract.open
    return known


_COLUMNS: Final = _kinds(), _defaults()
_KNOWN: Final = _known()
_LARGE_BYTES: Final = 128 * 1024
_EXPLAINED_NUMBERS: Final = 20_000
"""A batch of more numbers is refused without saying where it is wrong: a look at each takes plain Python too long."""
_NOWHERE: Final = np.full((len(TABLES), _WIDEST), -1, np.int64)
"""No column is wanted."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Numbers of many batches, by table: first all of the first batch, then all of the next.

    ``rows`` int64[batches, tables]. ``order`` uint8[all rows]: the table of each, batch after batch.
    ``columns``: table → name → values as in `dijkwacht_detectors.api.Rows`.
    """

    rows: NDArray[np.int64]
    order: NDArray[np.uint8]
    columns: dict[int, dict[str, Any]]


class _Joined:
    """The bytes of all batches end to end, and where each one's begin: ``*_at`` int64[batches + 1]."""

    def __init__(self, batches: Sequence[Planes]) -> None:
        self.contracts = np.array([one.contract for one in batches], np.int64)
        index, self.entries_at = _end_to_end([one.index for one in batches], ENTRY.size)
        self.index = np.frombuffer(index, "<i8").reshape(-1, 2)
        planes, self.planes_at = _end_to_end([one.planes for one in batches])
        self.planes = np.frombuffer(planes, np.uint8)
        addresses, self.addresses_at = _end_to_end([one.addresses for one in batches], 16)
        self.addresses = np.frombuffer(addresses, ">i8").reshape(-1, 2).astype(np.int64)
        # Place 0 is what a row of an earlier contract has: nothing.
        lengths, at = _end_to_end([bytes(2), *(one.lengths for one in batches)], 2)
        self.lengths, self.lengths_at = np.frombuffer(lengths, "<u2"), at[1:]
        self.texts, self.texts_at = _end_to_end([one.texts for one in batches])
        order, self.order_at = _end_to_end([one.order for one in batches])
        self.order = np.frombuffer(order, np.uint8)


def _end_to_end(pieces: Sequence[bytes], size: int = 1) -> tuple[bytes, NDArray[np.int64]]:
    """``pieces`` of items of ``size`` bytes, and the number of the first item of each, and of the end."""
    sizes = list(map(len, pieces))
    if size > 1 and any(length % size for length in sizes):
        raise MalformedBatch("index, addresses or lengths are cut short")
    at = np.fromiter(accumulate(sizes, initial=0), np.int64, len(sizes) + 1)
    return b"".join(pieces), at // size if size > 1 else at


def unpack(batches: Sequence[Planes], wanted: Mapping[int, frozenset[str]]) -> Unpacked:
    """The ``wanted`` columns of each table, and ``time``. Raises `MalformedBatch`."""
    joined = _Joined(batches)
    rows = np.zeros((len(batches), len(TABLES)), np.int64)
    claims = joined.contracts, joined.index, joined.entries_at, joined.planes_at
    texts = joined.lengths, joined.lengths_at, joined.texts_at
    if measure(claims, texts, (joined.order, joined.order_at), _KNOWN, rows) >= 0:
        raise MalformedBatch("lengths that contradict each other")
    if not _are_texts(joined.lengths, joined.texts):
        raise MalformedBatch("a text is not UTF-8")
    totals = rows.sum(axis=0)
    lines = _Lines(totals, wanted)
    most = int(rows.max(initial=0))
    out = np.empty(lines.size + 2 * most, np.int64)
    rooms = lines.size, lines.size + most
    places = joined.addresses, joined.addresses_at, joined.lengths_at, joined.lengths
    if read(claims, joined.planes, places, _KNOWN, _COLUMNS, lines.at, out, rooms) >= 0:
        raise MalformedBatch("a mode, a place or a value out of range")
    order = np.empty(totals.sum(), np.uint8)
    sequence(joined.order, joined.order_at, rows, order)
    return Unpacked(rows, order, lines.columns(joined, out))


def decode(wire: bytes | memoryview, reads: Collection[int] = READS) -> Batch:
    """What `dijkwacht_records.wire.decode` returns or raises, in a tenth of its time.

    A `MalformedBatch` whose head could be read says how many rows that claims.
    """
    batch = read_wire(wire, reads)
    try:
        check(batch.planes)
    except MalformedBatch as error:
        whole = batch.planes.order or len(batch.planes.index) >= ENTRY.size
        error.rows = min(batch.rows, MAX_ROWS) if whole else 0
        raise
    return batch


def prepare() -> None:
    """Load what `check` and `unpack` need, or compile it, before anybody waits for that. Blocks."""
    nothing = Planes(1, b"", b"", b"", b"", b"", b"")
    check(nothing)
    with suppress(MalformedBatch):  # zeros that no index names
        check(Planes(1, b"", bytes(_LARGE_BYTES + 1), b"", b"", b"", b""))
    unpack([nothing], {})


def check(planes: Planes) -> None:
    """Raise `MalformedBatch` as `dijkwacht_records.planes.check` does, in a tenth of its time."""
    whole = not (
        len(planes.index) % ENTRY.size or len(planes.addresses) % 16 or len(planes.lengths) % 2
    )
    kernel = check_large if planes.size > _LARGE_BYTES else check_batch
    fits = whole and kernel(
        (planes.contract, len(planes.texts)),
        np.frombuffer(planes.index, "<i8").reshape(-1, 2),
        np.frombuffer(planes.planes, np.uint8),
        np.frombuffer(planes.addresses, "<i8").reshape(-1, 2),
        np.frombuffer(planes.lengths, "<u2"),
        np.frombuffer(planes.order, np.uint8),
        _KNOWN,
        _COLUMNS,
        _NOWHERE,
    )
    if fits and _are_texts(np.frombuffer(planes.lengths, "<u2"), planes.texts):
        return
    if _numbers(planes) <= _EXPLAINED_NUMBERS:
        plain_check(planes)  # says what is wrong
    raise MalformedBatch("a batch that contradicts itself")


def _are_texts(lengths: NDArray[np.uint16], texts: bytes) -> bool:
    """Whether texts of these ``lengths``, which fill ``texts``, are UTF-8: together, and none begins in a character."""
    if texts.isascii():
        return True
    try:
        texts.decode()
    except UnicodeDecodeError:
        return False
    begins = np.cumsum(lengths, dtype=np.int64)
    firsts = np.frombuffer(texts, np.uint8)[begins[begins < len(texts)]]
    return not np.any(firsts & 0xC0 == 0x80)


def _numbers(planes: Planes) -> int:
    """How many numbers `plain_check` might look at, one by one."""
    index = np.frombuffer(planes.index, np.uint8, len(planes.index) // ENTRY.size * ENTRY.size)
    rows = index.view("<u4")[1::4]
    named = len(rows) + int(rows.sum(dtype=np.int64))
    return named + len(planes.lengths) // 2 + len(planes.order)


class _Lines:
    """Where each wanted column stands in one flat array. ``at`` int64[tables, columns]: -1 if nowhere."""

    def __init__(self, totals: NDArray[np.int64], wanted: Mapping[int, frozenset[str]]) -> None:
        self.at = _NOWHERE.copy()
        self.size = 0
        self._chosen: list[tuple[int, Column, slice]] = []
        for number in np.flatnonzero(totals).tolist():
            reads = wanted.get(number, frozenset())
            rows = int(totals[number])
            for place, column in enumerate(TABLES[number].columns):
                if place == 0 or column.name in reads:
                    self.at[number, place] = begin = self.size
                    self.size += 2 * rows if column.kind == "addr" else rows
                    self._chosen.append((number, column, slice(begin, self.size)))

    def columns(self, joined: _Joined, out: NDArray[np.int64]) -> dict[int, dict[str, Any]]:
        """The numbers in ``out`` as what they stand for."""
        columns: dict[int, dict[str, Any]] = {}
        texts_at = np.zeros(len(joined.lengths) + 1, np.int64)
        np.cumsum(joined.lengths, out=texts_at[1:])
        for number, column, span in self._chosen:
            line: Any = out[span]
            if column.kind == "addr":
                line = line.view(np.uint64).reshape(-1, 2)
            elif column.kind == "text":
                line = _pick_texts(line, texts_at, np.frombuffer(joined.texts, np.uint8))
            elif column.kind == "float":
                line = line.view(np.float64)
            columns.setdefault(number, {})[column.name] = line
        return columns


def _pick_texts(
    places: NDArray[np.int64], texts_at: NDArray[np.int64], texts: NDArray[np.uint8]
) -> Text:
    offsets = np.zeros(len(places) + 1, np.int64)
    np.cumsum(texts_at[places + 1] - texts_at[places], out=offsets[1:])
    blob = np.empty(offsets[-1], np.uint8)
    copy_texts(places, texts_at, texts, offsets, blob)
    return Text(offsets, blob)

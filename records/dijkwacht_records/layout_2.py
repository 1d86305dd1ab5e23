"""Contract 2 on the wire: the planes of `planes.Planes` as they are.

::

    msgpack [site, agent, boot, seq, sent, made, index, planes, addresses, lengths, texts, order]

Of `OFFSET`, `DELTA` and `BEFORE` a column has what compresses best, where that differs by traffic;
each long plane is a block of its own, so that it is compressed by its own statistics.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple, cast

import msgspec
import zstandard

from dijkwacht_records.byte_planes import (
    LIMIT,
    check_range,
    pack_lengths,
    split_doubles,
    split_planes,
    width_of,
)
from dijkwacht_records.columns import Columns, Values
from dijkwacht_records.head import Head
from dijkwacht_records.planes import BEFORE, BITS, DELTA, ENTRY, MAX_NAMED_BYTES, OFFSET, Planes
from dijkwacht_records.table import Column
from dijkwacht_records.tables import MAX_TEXT_BYTES, TABLES

_TRIALS: Final = {
    "time": (DELTA,),
    "start": (DELTA, BEFORE),
    "flow_id": (DELTA,),
    "orig_p": (DELTA,),
}
"""Columns for which other modes than `OFFSET` are tried."""
_TRIED_ROWS: Final = 16
"""With fewer rows no mode is worth a trial."""
_LONG: Final = 768
"""A plane of so many bytes is worth a block of its own; shorter ones share what is between."""
_SHORT: Final = 256
"""Fewer bytes between two blocks belong to the next: a head of their own would cost more than it spares."""
_PARAMETERS: Final = zstandard.ZstdCompressionParameters(
    strategy=zstandard.STRATEGY_BTOPT,
    min_match=6,
    search_log=6,
    window_log=18,
    hash_log=14,
    chain_log=14,
    target_length=32,
)
_encode = msgspec.msgpack.Encoder().encode


class Layout(Head):
    """What is compressed. ``made``: rows the agent has made since its boot, up to the last of these."""

    made: int
    index: bytes
    planes: bytes
    addresses: bytes
    lengths: bytes
    texts: bytes
    order: bytes


class Packed(NamedTuple):
    """One column: the ``base``, ``width`` and planes that ``mode`` gives it."""

    mode: int
    base: int
    width: int
    planes: bytes


def lay_out(head: tuple[str, str, bytes, int, int], made: int, rows: Columns) -> Layout:
    """``rows``, which have the contract's tables and columns, under ``head`` (site, agent, boot, seq, sent).

    Raises ``ValueError`` for a value outside its column's range.
    """
    texts = [text.encode("utf-8", "replace") for text in rows.texts]
    lengths = [len(text) for text in texts]
    if max(lengths, default=0) > MAX_TEXT_BYTES:
        raise ValueError(f"a text longer than {MAX_TEXT_BYTES} bytes")
    index, planes = [], []
    for number, columns in sorted(rows.tables.items()):
        own = zip(TABLES[number].columns, columns, strict=False)
        for place, (column, values) in enumerate(own):
            packed = _pack(column, values, columns[0])
            mode, base, width, _ = packed
            index.append(ENTRY.pack(number, place, mode, width, len(values), base))
            planes.append(packed.planes)
            if column.kind == "text":
                _check_named(lengths, cast("Sequence[int]", values))
    return Layout(
        *head,
        made,
        b"".join(index),
        b"".join(planes),
        b"".join(rows.addresses),
        pack_lengths(lengths),
        b"".join(texts),
        rows.order if len(rows.tables) > 1 else b"",
    )


def compress(layout: Layout) -> bytes:
    """One zstd frame, which declares its size."""
    plain = memoryview(_encode(layout))
    tail = (layout.addresses, layout.lengths, layout.texts, layout.order)
    end = len(plain) - sum(len(_encode(part)) for part in tail)
    stream = zstandard.ZstdCompressor(compression_params=_PARAMETERS).compressobj(size=len(plain))
    cuts = [0, *_cuts(layout.index, end - len(layout.planes)), len(plain)]
    compressed = []
    for begin, cut in pairwise(cuts):
        compressed.append(stream.compress(plain[begin:cut]))
        if cut < len(plain):
            compressed.append(stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
    return b"".join([*compressed, stream.flush()])


def read(layout: Layout, contract: int) -> Planes:
    """The same rows; what is in them is left to `planes.check`."""
    return Planes(
        contract,
        layout.index,
        layout.planes,
        layout.addresses,
        layout.lengths,
        layout.texts,
        layout.order,
    )


def _cuts(index: bytes, at: int) -> Iterator[int]:
    """Where blocks end: around each long plane; the planes begin ``at``."""
    begun = 0
    for _, _, _, width, rows, _ in ENTRY.iter_unpack(index):
        for _ in range(width if rows >= _LONG else 0):
            if at - begun >= _SHORT:
                yield at
            at += rows
            yield at
            begun = at
        if rows < _LONG:
            at += rows * width
    if begun and at - begun >= _SHORT:
        yield at


def _pack(column: Column, values: Values, time: Values) -> Packed:
    if column.kind == "float":
        return Packed(BITS, 0, 8, split_doubles(values))
    # The column's kind fixes the type of its values, which the type checker cannot know.
    numbers = cast("Sequence[int]", values)
    base, top = min(numbers), max(numbers)
    check_range(base, top)
    plain = _offsets(OFFSET, base, top, [n - base for n in numbers])
    modes = _TRIALS.get(column.name, ())
    if not modes or len(numbers) < _TRIED_ROWS or not plain.width:
        return plain
    tried = [plain, _deltas(numbers)]
    if BEFORE in modes:
        ages = [t - n for t, n in zip(cast("Sequence[int]", time), numbers, strict=True)]
        base, top = min(ages), max(ages)
        if -LIMIT < base < LIMIT and top - base < LIMIT:
            tried.append(_offsets(BEFORE, base, top, [n - base for n in ages]))
    return min(tried, key=_compressed_size)


def _check_named(lengths: Sequence[int], places: Sequence[int]) -> None:
    named = sum(map(lengths.__getitem__, places))
    if named > MAX_NAMED_BYTES:
        raise ValueError(f"{named} bytes of texts in a column, at most {MAX_NAMED_BYTES}")


def _offsets(mode: int, base: int, top: int, offsets: Sequence[int]) -> Packed:
    width = width_of(top - base)
    return Packed(mode, base, width, split_planes(offsets, width))


def _deltas(numbers: Sequence[int]) -> Packed:
    steps = [0, *(after - before for before, after in pairwise(numbers))]
    zigzag = [step << 1 if step >= 0 else ~(step << 1) for step in steps]
    width = width_of(max(zigzag))
    return Packed(DELTA, numbers[0], width, split_planes(zigzag, width))


def _compressed_size(packed: Packed) -> int:
    return len(_trial.compress(packed.planes))


_trial: Final = zstandard.ZstdCompressor(level=1)

"""HOT  Byte planes → numbers: first whether lengths agree, then what they hold, value by value.

A batch is its ``entries`` int64[n, 2] (the index), its ``planes`` uint8[], and ``places``: first and end
of its addresses, first and end of its texts, among those of all batches, and the lengths of the texts. ``claims``: contract of each
batch, all entries, where each batch's begin, where its planes begin (one more at the end).
``known`` int64[contracts, 257]: how many columns of each table a contract has, 0 where it knows none;
last, whether there may be others. ``columns``: kind and default of each column, int64[tables, columns].
``lines``: where each column's line begins in ``out`` or -1, how many rows of each table came before,
``out``, and room for a column that nobody wants.

All are in one file: a cached kernel does not notice that one it calls in another file has changed.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dijkwacht_records.byte_planes import LIMIT
from dijkwacht_records.planes import (
    BEFORE,
    BITS,
    COUNT,
    DELTA,
    MAX_NAMED_BYTES,
    MAX_ROWS,
    OFFSET,
)
from dijkwacht_records.tables import MAX_TEXT_BYTES

NUMBER, DOUBLE, ADDRESS, TEXT = range(4)
"""Kinds of a column."""


@njit(cache=True)  # keeps the GIL: the intake would wait longer to get it back than this takes
def check_batch(sizes, index, planes, lengths, order, known, columns, nowhere):  # type: ignore[no-untyped-def]
    """Whether one batch is what it claims to be."""
    contract, addresses, texts = sizes
    counts = np.zeros(256, np.int64)
    if not _claims_fit(index, known[contract], len(planes), lengths, texts, order, counts):
        return False
    cursor = np.zeros(len(nowhere), np.int64)
    places = (0, addresses, 0, len(lengths), lengths)
    aside = np.empty(counts.max(), np.int64)
    lines = nowhere, cursor, aside, aside
    return _read_batch(contract, index, planes, places, known[contract], columns, lines)


@njit(cache=True, nogil=True)
def check_large(sizes, index, planes, lengths, order, known, columns, nowhere):  # type: ignore[no-untyped-def]
    """As `check_batch`, of one that takes milliseconds: meanwhile others have the interpreter."""
    return check_batch(sizes, index, planes, lengths, order, known, columns, nowhere)


@njit(cache=True, nogil=True)
def measure(claims, texts, orders, known, rows_out):  # type: ignore[no-untyped-def]
    """The first batch whose lengths do not agree, or -1; rows by batch and known table otherwise."""
    contracts, index, entries_at, planes_at = claims
    lengths, lengths_at, texts_at = texts
    order, order_at = orders
    counts = np.zeros(256, np.int64)
    for b in range(len(contracts)):
        columns_of = known[contracts[b]]
        if not _claims_fit(
            index[entries_at[b] : entries_at[b + 1]],
            columns_of,
            planes_at[b + 1] - planes_at[b],
            lengths[lengths_at[b] : lengths_at[b + 1]],
            texts_at[b + 1] - texts_at[b],
            order[order_at[b] : order_at[b + 1]],
            counts,
        ):
            return b
        for table in range(rows_out.shape[1]):
            if columns_of[table]:
                rows_out[b, table] = counts[table]
    return -1


@njit(cache=True, nogil=True)
def read(claims, planes, places_at, known, columns, line_at, out):  # type: ignore[no-untyped-def]
    """The first batch with a value that may not be, or -1. `measure` has let all of them pass."""
    contracts, index, entries_at, planes_at = claims
    addresses_at, lengths_at, lengths = places_at
    cursor = np.zeros(len(line_at), np.int64)
    lines = line_at, cursor, out, np.empty(MAX_ROWS, np.int64)
    for b in range(len(contracts)):
        first, last = lengths_at[b], lengths_at[b + 1]
        places = addresses_at[b], addresses_at[b + 1], first, last, lengths
        entries = index[entries_at[b] : entries_at[b + 1]]
        own = planes[planes_at[b] : planes_at[b + 1]]
        contract = contracts[b]
        if not _read_batch(contract, entries, own, places, known[contract], columns, lines):
            return b
    return -1


@njit(cache=True, nogil=True)
def sequence(order, order_at, rows, out):  # type: ignore[no-untyped-def]
    """The table of each row of a known table, batch after batch."""
    at = 0
    for b in range(len(rows)):
        begin, end = order_at[b], order_at[b + 1]
        for i in range(begin, end):
            if order[i] < rows.shape[1] and rows[b, order[i]]:
                out[at] = order[i]
                at += 1
        if begin == end:
            for table in range(rows.shape[1]):
                for _ in range(rows[b, table]):
                    out[at] = table
                    at += 1


@njit(cache=True, nogil=True)
def copy_texts(places, texts_at, texts, offsets, blob):  # type: ignore[no-untyped-def]
    """The texts at ``places``, end to end: ``blob`` and ``offsets`` of a `Text`."""
    for i in range(len(places)):
        begin, to = texts_at[places[i]], offsets[i]
        for k in range(offsets[i + 1] - to):
            blob[to + k] = texts[begin + k]


@njit(cache=True, nogil=True)
def _claims_fit(entries, columns_of, room, lengths, texts, order, counts):  # type: ignore[no-untyped-def]
    """Whether one batch's lengths agree; then ``counts`` int64[256]: rows by table.

    ``entries`` int64[n, 2], ``columns_of`` int64[257]: see the module; ``room``, ``texts``: bytes of its
    planes and its texts.
    """
    return (
        _texts_fit(lengths, texts)
        and _index_fits(entries, columns_of, room, counts)
        and _order_fits(order, counts)
    )


@njit(cache=True, nogil=True)
def _texts_fit(lengths, size):  # type: ignore[no-untyped-def]
    for length in lengths:
        if length > MAX_TEXT_BYTES:
            return False
        size -= length
    return size == 0


@njit(cache=True, nogil=True)
def _index_fits(entries, columns_of, room, counts):  # type: ignore[no-untyped-def]
    """Whether the index is sorted, whole, and as long as the planes; then ``counts``: rows by table."""
    counts[:] = 0
    last, last_column, last_rows = -1, -1, 0
    for e in range(len(entries)):
        table, column, _, width, rows = _split_entry(entries[e, 0])
        if table != last:
            ends = last < 0 or not columns_of[last] or last_column + 1 == columns_of[last]
            if table < last or not ends or not (columns_of[table] or columns_of[256]):
                return False
            last, last_column, last_rows = table, -1, rows
            counts[table] = rows
        skipped = column - last_column - 1
        if skipped < 0 or (skipped and columns_of[table]) or rows != last_rows:
            return False
        if not 1 <= rows <= MAX_ROWS or not -LIMIT < entries[e, 1] < LIMIT:
            return False
        if width > 8 or width in (5, 7):  # sets are slow here
            return False
        last_column = column
        room -= rows * width
        if room < 0:
            return False
    return room == 0 and (last < 0 or not columns_of[last] or last_column + 1 == columns_of[last])


@njit(cache=True, nogil=True)
def _order_fits(order, counts):  # type: ignore[no-untyped-def]
    """Whether ``order`` names as many rows of each table as there are."""
    if counts.sum() > MAX_ROWS:
        return False
    if not len(order) and np.count_nonzero(counts) <= 1:
        return True
    named = np.zeros(256, np.int64)
    for table in order:
        named[table] += 1
    return np.array_equal(named, counts)


@njit(cache=True, nogil=True)
def _split_entry(entry):  # type: ignore[no-untyped-def]
    """Table, column, mode, width and rows of the first half of an entry."""
    return (
        entry & 0xFF,
        (entry >> 8) & 0xFF,
        (entry >> 16) & 0xFF,
        (entry >> 24) & 0xFF,
        (entry >> 32) & 0xFFFFFFFF,
    )


@njit(cache=True, nogil=True)
def _read_batch(contract, entries, planes, places, columns_of, columns, lines):  # type: ignore[no-untyped-def]
    """Read every column of known tables, also those that nobody wants; whether all is in range."""
    first_address, end_address, first_text, end_text, lengths = places
    kinds, defaults = columns
    line_at, cursor, out, aside = lines
    at = 0
    times = aside
    for e in range(len(entries)):
        table, column, mode, width, rows = _split_entry(entries[e, 0])
        base = entries[e, 1]
        begin, at = at, at + rows * width
        if not columns_of[table]:
            continue
        kind = kinds[table, column]
        if not _fits(kind, mode, width, base, column, contract):
            return False
        line = line_at[table, column]
        to = aside[:rows]
        if line >= 0:
            to = out[line + cursor[table] : line + cursor[table] + rows]
        _join(planes[begin:at], width, to)
        if not _decode(mode, base, width, times, to):
            return False
        if column == 0:  # the room for columns that nobody wants is soon that of the next one
            times = to if line >= 0 else to.copy()
        if kind == ADDRESS and not _place(to, first_address, end_address):
            return False
        if kind == TEXT and not (_place(to, first_text, end_text) and _are_few(to, lengths)):
            return False
        if column + 1 == columns_of[table]:
            for missing in range(column + 1, kinds.shape[1]):
                line = line_at[table, missing]
                if line >= 0:
                    line += cursor[table]
                    out[line : line + rows] = defaults[table, missing]
            cursor[table] += rows
    return True


@njit(cache=True, nogil=True)
def _fits(kind, mode, width, base, column, contract):  # type: ignore[no-untyped-def]
    """Whether a column of that kind may have that mode."""
    if mode == BITS or kind == DOUBLE:
        return mode == BITS and kind == DOUBLE and width == 8 and base == 0
    if mode == COUNT:
        return kind == TEXT and contract == 1
    if mode == OFFSET:
        return True
    return kind == NUMBER and (mode == DELTA or (mode == BEFORE and column > 0))


@njit(cache=True, nogil=True)
def _join(planes, width, to):  # type: ignore[no-untyped-def]
    """Unsigned numbers from their planes."""
    rows = len(to)
    if not width:
        to[:] = 0
        return
    for i in range(rows):
        to[i] = np.int64(planes[i])
    for k in range(1, width):
        shift, begin = np.int64(8 * k), k * rows
        for i in range(rows):
            to[i] |= np.int64(planes[begin + i]) << shift


@njit(cache=True, nogil=True)
def _decode(mode, base, width, times, to):  # type: ignore[no-untyped-def]
    """Make of unsigned numbers what they stand for; whether all are in range."""
    if mode == COUNT:
        to[:] = np.arange(base, base + len(to))
    if mode in (COUNT, BITS):  # sets are slow here
        return True
    if mode == DELTA:
        return _sum_up(base, to)
    if width == 8:
        for u in to:
            if not 0 <= u < LIMIT:
                return False
    if mode == BEFORE:
        return _from_time(base, times, to)
    if base:
        to += base
    return True


@njit(cache=True, nogil=True)
def _sum_up(value, to):  # type: ignore[no-untyped-def]
    for i in range(len(to)):
        u = to[i]
        # No step from a value in range reaches another one by wrapping around.
        value += ((u >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(u & 1)
        if not -LIMIT <= value < LIMIT:
            return False
        to[i] = value
    return True


@njit(cache=True, nogil=True)
def _from_time(base, times, to):  # type: ignore[no-untyped-def]
    for i in range(len(to)):
        to[i] = times[i] - base - to[i]
        if not -LIMIT <= to[i] < LIMIT:
            return False
    return True


@njit(cache=True, nogil=True)
def _place(to, first, end):  # type: ignore[no-untyped-def]
    """From places in the batch to places among those of all batches; whether there are such."""
    for i in range(len(to)):
        if not 0 <= to[i] < end - first:
            return False
        to[i] += first
    return True


@njit(cache=True, nogil=True)
def _are_few(places, lengths):  # type: ignore[no-untyped-def]
    """Whether the texts at ``places`` have few enough bytes: one may stand in every row."""
    named = 0
    for place in places:
        named += lengths[place]
    return named <= MAX_NAMED_BYTES

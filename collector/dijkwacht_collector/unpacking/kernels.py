"""HOT  Byte planes → numbers: first whether lengths agree, then what they hold, value by value.

A batch is its ``entries`` int64[n, 2] (the index), its ``planes`` uint8[], and ``places``: its ``addresses``
int64[n, 2], first and end of its texts among those of all batches, and the lengths of the texts. ``claims``: contract of each
batch, all entries, where each batch's begin, where its planes begin (one more at the end).
``known`` int64[contracts, 257]: how many columns of each table a contract has, 0 where it knows none;
last, whether there may be others. ``columns``: kind and default of each column, int64[tables, columns].
``lines``: where each column's line begins in ``out`` or -1, how many rows of each table came before,
``out``, and where in it is room for times, and for another column, that nobody wants. The line of
addresses has two numbers for each row.

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
def check_batch(sizes, index, planes, addresses, lengths, order, known, columns, nowhere):  # type: ignore[no-untyped-def]
    """Whether one batch is what it claims to be."""
    contract, texts = sizes
    counts = np.zeros(256, np.int64)
    if not _claims_fit(index, known[contract], len(planes), lengths, texts, order, counts):
        return False
    cursor = np.zeros(len(nowhere), np.int64)
    places = addresses, 0, len(lengths), lengths
    most = counts.max()
    lines = nowhere, cursor, np.empty(2 * most, np.int64), 0, most
    return _read_batch(contract, index, planes, places, known[contract], columns, lines)


@njit(cache=True, nogil=True)
def check_large(sizes, index, planes, addresses, lengths, order, known, columns, nowhere):  # type: ignore[no-untyped-def]
    """As `check_batch`, of one that takes milliseconds: meanwhile others have the interpreter."""
    return check_batch(sizes, index, planes, addresses, lengths, order, known, columns, nowhere)


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
def read(claims, planes, places_at, known, columns, line_at, out, rooms):  # type: ignore[no-untyped-def]
    """The first batch with a value that may not be, or -1. `measure` has let all of them pass."""
    contracts, index, entries_at, planes_at = claims
    addresses, addresses_at, lengths_at, lengths = places_at
    cursor = np.zeros(len(line_at), np.int64)
    lines = line_at, cursor, out, rooms[0], rooms[1]
    for b in range(len(contracts)):
        named = addresses[addresses_at[b] : addresses_at[b + 1]]
        places = named, lengths_at[b], lengths_at[b + 1], lengths
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
    """Read every column of known tables, of those that nobody wants what may be wrong; whether all is in range."""
    addresses, first_text, end_text, lengths = places
    kinds, _ = columns
    line_at, cursor, out, time_room, room = lines
    at = 0
    times = time_room
    for e in range(len(entries)):
        table, column, mode, width, rows = _split_entry(entries[e, 0])
        base = entries[e, 1]
        begin, at = at, at + rows * width
        if not columns_of[table]:
            continue
        kind = kinds[table, column]
        if not _fits(kind, mode, width, base, column, contract):
            return False
        line, done = line_at[table, column], cursor[table]
        if line >= 0 or not column or not _is_sure(kind, mode, width):
            to = room if column else time_room
            if line >= 0 and kind != ADDRESS:
                to = line + done
            if not column:
                times = to
            if not _decode(planes, begin, mode, width, base, rows, out, times, to):
                return False
            if kind == TEXT and not _place_texts(out, to, rows, first_text, end_text, lengths):
                return False
            if kind == ADDRESS:
                first = line + 2 * done if line >= 0 else -1
                if not _place_addresses(out, to, rows, addresses, first):
                    return False
        if column + 1 == columns_of[table]:
            _fill(table, column + 1, rows, columns, lines)
            cursor[table] = done + rows
    return True


@njit(cache=True, nogil=True)
def _fill(table, column, rows, columns, lines):  # type: ignore[no-untyped-def]
    """Give ``rows`` their defaults in the columns that their contract lacks, those from ``column`` on."""
    kinds, defaults = columns
    line_at, cursor, out, _, _ = lines
    for missing in range(column, kinds.shape[1]):
        line = line_at[table, missing]
        if line >= 0:
            size = 2 if kinds[table, missing] == ADDRESS else 1
            line += size * cursor[table]
            out[line : line + size * rows] = defaults[table, missing]


@njit(cache=True, nogil=True)
def _is_sure(kind, mode, width):  # type: ignore[no-untyped-def]
    """Whether any planes hold numbers that may be: a base in range and at most 48 bits, or any double."""
    return mode == BITS or (kind == NUMBER and mode == OFFSET and width < 8)


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
def _join(planes, begin, width, base, rows, out, to):  # type: ignore[no-untyped-def]
    """``base`` + the unsigned numbers of these planes. The widths that are frequent in one go each."""
    # An index that may be negative costs half as much again.
    at, to, rows = np.uint64(begin), np.uint64(to), np.uint64(rows)
    if width == 0:
        for i in range(rows):
            out[to + i] = base
    elif width == 1:
        for i in range(rows):
            out[to + i] = base + np.int64(planes[at + i])
    else:
        second = at + rows
        for i in range(rows):
            out[to + i] = base + (np.int64(planes[at + i]) | np.int64(planes[second + i]) << 8)
        for k in range(2, width):
            shift, plane = np.int64(8 * k), at + np.uint64(k) * rows
            for i in range(rows):
                out[to + i] += np.int64(planes[plane + i]) << shift


@njit(cache=True, nogil=True)
def _decode(planes, begin, mode, width, base, rows, out, times, to):  # type: ignore[no-untyped-def]
    """What the numbers of these planes stand for; whether all are in range."""
    if mode == COUNT:
        for i in range(rows):
            out[to + i] = base + i
        return True
    _join(planes, begin, width, base if mode == OFFSET and width < 8 else 0, rows, out, to)
    if mode == BITS:
        return True
    if mode == DELTA:
        return _sum_up(base, rows, out, to)
    if width == 8:
        for i in range(rows):
            if not 0 <= out[to + i] < LIMIT:
                return False
            if mode == OFFSET:
                out[to + i] += base
    return mode == OFFSET or _from_time(base, rows, out, times, to)


@njit(cache=True, nogil=True)
def _sum_up(value, rows, out, to):  # type: ignore[no-untyped-def]
    for i in range(to, to + rows):
        u = out[i]
        # No step from a value in range reaches another one by wrapping around.
        value += ((u >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(u & 1)
        if not -LIMIT <= value < LIMIT:
            return False
        out[i] = value
    return True


@njit(cache=True, nogil=True)
def _from_time(base, rows, out, times, to):  # type: ignore[no-untyped-def]
    for i in range(rows):
        value = out[times + i] - base - out[to + i]
        if not -LIMIT <= value < LIMIT:
            return False
        out[to + i] = value
    return True


@njit(cache=True, nogil=True)
def _are_places(out, to, rows, count):  # type: ignore[no-untyped-def]
    """Whether all these are places among ``count``."""
    least, most = 0, 0
    for i in range(np.uint64(to), np.uint64(to + rows)):
        least, most = min(least, out[i]), max(most, out[i])
    return least >= 0 and most < count


@njit(cache=True, nogil=True)
def _place_addresses(out, places, rows, addresses, to):  # type: ignore[no-untyped-def]
    """From places to addresses, at ``to`` if that is any; whether there are such places."""
    if not _are_places(out, places, rows, len(addresses)):
        return False
    if to >= 0:
        first, line = np.uint64(places), np.uint64(to)
        for i in range(np.uint64(rows)):
            place = np.uint64(out[first + i])
            out[line + i + i] = addresses[place, 0]
            out[line + i + i + np.uint64(1)] = addresses[place, 1]
    return True


@njit(cache=True, nogil=True)
def _place_texts(out, to, rows, first, end, lengths):  # type: ignore[no-untyped-def]
    """From places in the batch to places among those of all batches; whether there are such texts.

    And whether they have few enough bytes: one may stand in every row.
    """
    if not _are_places(out, to, rows, end - first):
        return False
    named = 0
    for i in range(to, to + rows):
        out[i] += first
        named += lengths[out[i]]
    return named <= MAX_NAMED_BYTES

"""Columns hold the rows they were made of, however they are cut, joined and written."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_records import wire
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.columns import PLACED, Columns
from dijkwacht_records.tables import DEFAULTS, TABLES

VALUES = {
    "int": st.integers(0, 9),
    "float": st.floats(allow_nan=False),
    "addr": st.sampled_from([pack_address(f"192.0.2.{n}") for n in range(5)]),
    "text": st.sampled_from(["", "a", "b.example", "é"]),
}


def _row(number: int):
    return st.tuples(st.just(number), st.tuples(*(VALUES[c.kind] for c in TABLES[number].columns)))


ROWS = st.lists(st.integers(0, len(TABLES) - 1).flatmap(_row), max_size=12)
CUTS = st.lists(st.integers(0, 12), max_size=4)


def _assert_sound(columns: Columns) -> None:
    """Every address and text stands there once, and is named."""
    for values, kind in ((columns.addresses, "addr"), (columns.texts, "text")):
        named = {
            place
            for number, own in columns.tables.items()
            for at, which in PLACED[number]
            if which == kind and at < len(own)
            for place in own[at]
        }
        assert named == set(range(len(values)))
        assert len(set(values)) == len(values)


@given(ROWS, CUTS)
def test_what_is_cut_and_joined_is_as_it_was(rows, cuts):
    whole = Columns.of(rows)
    assert list(whole.rows()) == rows
    _assert_sound(whole)
    bounds = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    parts = [whole.cut(begin, end) for begin, end in itertools.pairwise(bounds)]
    for part, (begin, end) in zip(parts, itertools.pairwise(bounds), strict=True):
        assert list(part.rows()) == rows[begin:end]
        _assert_sound(part)
    if parts:
        again = Columns.join(parts)
        assert list(again.rows()) == rows
        _assert_sound(again)


COUNTS = st.tuples(*(st.integers(1, len(table.columns)) for table in TABLES))


@given(ROWS, st.integers(0, len(TABLES)), COUNTS)
def test_tables_and_columns_of_a_later_version_are_left_out(rows, tables, counts):
    whole = Columns.of(rows)
    cut = whole.shaped(counts[:tables])
    assert list(cut.rows()) == [(n, row[: counts[n]]) for n, row in rows if n < tables]
    _assert_sound(cut)
    assert whole.shaped([len(table.columns) for table in TABLES]) is whole


@given(ROWS, COUNTS)
def test_rows_that_lack_columns_have_their_defaults(rows, counts):
    """Also beside rows that have them."""
    full = [len(table.columns) for table in TABLES]
    short = [(n, row[: counts[n]]) for n, row in rows]
    expected = [(n, row + DEFAULTS[n][counts[n] :]) for n, row in short]
    columns = Columns.of(short)
    _assert_sound(columns)
    _assert_sound(columns.shaped(full))
    assert list(columns.shaped(full).rows()) == expected
    assert list(columns.filled(full).rows()) == expected
    _assert_sound(columns.filled(full))
    assert (whole := Columns.of(rows)).filled(full) is whole
    known = {n for n, _ in rows}
    joined = Columns.join([columns, Columns.of(rows)])
    assert list(joined.shaped(full).rows()) == [*expected, *rows]
    assert all(len(joined.tables[n]) == full[n] for n in known)
    _assert_sound(joined)


@given(ROWS, st.lists(st.integers(1, 30), max_size=12))
def test_rows_of_one_table_may_be_of_different_lengths(rows, lengths):
    short = [(n, row[:length]) for (n, row), length in zip(rows, lengths, strict=False)]
    columns = Columns.of(short)
    longest = {n: max(len(row) for m, row in short if m == n) for n, _ in short}
    assert list(columns.rows()) == [
        (n, row + DEFAULTS[n][len(row) : longest[n]]) for n, row in short
    ]
    _assert_sound(columns)


@given(ROWS, st.sampled_from([1, 2]))
def test_columns_and_rows_are_written_alike(rows, contract):
    head = ("site", "agent", bytes(16), 0, 1)
    assert wire.encode(*head, Columns.of(rows), contract) == wire.encode(*head, rows, contract)

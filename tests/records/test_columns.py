"""Columns hold the rows they were made of, however they are cut, joined and written."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_records import wire
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.columns import PLACED, Columns
from dijkwacht_records.tables import TABLES

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
            if which == kind
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


@given(ROWS, st.integers(0, len(TABLES)))
def test_rows_of_later_tables_are_left_out(rows, tables):
    known = Columns.of(rows).below(tables)
    assert list(known.rows()) == [row for row in rows if row[0] < tables]
    _assert_sound(known)


@given(ROWS, st.sampled_from([1, 2]))
def test_columns_and_rows_are_written_alike(rows, contract):
    head = ("site", "agent", bytes(16), 0, 1)
    assert wire.encode(*head, Columns.of(rows), contract) == wire.encode(*head, rows, contract)

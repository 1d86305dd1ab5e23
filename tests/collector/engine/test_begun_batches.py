"""A batch that one release has folded in part is gone on with by another, which knows other tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.journal import Entry, partition_of
from dijkwacht_collector.unpacking import batches
from dijkwacht_records.contracts import CONTRACTS, Contract
from dijkwacht_records.tables import TABLES
from dijkwacht_records.wire import decode, encode

NOW = 1_790_000_000_000_000
NOTHING = {"int": 0, "float": 0.0, "addr": bytes(16), "text": ""}
FLOWS, SYSTEM, AGENT = 0, 5, 6


def body(numbers):
    """Rows of these tables, in contract 2, told apart by their time."""
    kinds = [[column.kind for column in TABLES[number].columns[1:]] for number in numbers]
    rows = [
        (number, (NOW + n, *map(NOTHING.get, own)))
        for n, (number, own) in enumerate(zip(numbers, kinds, strict=True))
    ]
    return encode("bakery", "desk", bytes(16), 0, NOW, rows, 2)


@pytest.fixture
def know(monkeypatch):
    """Makes this the release that knows so many tables in contract 2."""

    def know(tables):
        contract = Contract(2, tuple(len(table.columns) for table in TABLES[:tables]))
        monkeypatch.setitem(CONTRACTS, 2, contract)
        monkeypatch.setattr(batches, "_KNOWN", batches._known())

    return know


@given(st.lists(st.sampled_from([FLOWS, SYSTEM, AGENT]), max_size=30), st.integers(5, 7))
def test_places_are_counted_in_all_rows_and_in_those_that_are_known(numbers, tables):
    planes = decode(body(numbers), CONTRACTS).planes
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CONTRACTS, 2, Contract(2, CONTRACTS[2].columns[:tables]))
        known = [number < tables for number in numbers]
        assert planes.unknown == known.count(False)
        for rows in range(len(numbers) + 1):
            assert planes.known_among(rows) == sum(known[:rows])
        for count in range(1, sum(known) + 1):
            place = planes.rows_up_to(count)
            assert known[place - 1]
            assert sum(known[:place]) == count


@pytest.mark.parametrize(("first", "second"), [(6, 6), (6, 7), (7, 6), (7, 7)])
def test_no_row_is_folded_twice_and_none_is_missed(know, first, second):
    numbers = [AGENT, AGENT, SYSTEM, AGENT, FLOWS, SYSTEM, AGENT, SYSTEM, AGENT, FLOWS, AGENT]
    entry = Entry(1, "batch", partition_of("bakery"), NOW, "bakery", body(numbers))
    for most in range(1, len(numbers)):
        folded = []
        know(first)
        engine = Engine([])
        engine.reads = CONTRACTS
        fold = engine.join([entry])
        folded += times(fold.cut(most, engine.clocks))
        begun = 0 if fold.finished else fold.rows
        know(second)
        fold = engine.join([entry], begun)
        if begun:
            folded += times(fold.cut(None, engine.clocks))
        known = {NOW + n for n, number in enumerate(numbers) if number < min(first, second)}
        assert len(set(folded)) == len(folded)
        if begun:
            assert known <= set(folded)


def times(step):
    return [time for table in step.tables.values() for time in table.columns["time"].tolist()]

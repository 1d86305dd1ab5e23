import random

from dijkwacht_agent.batches import CUT_ROWS, MAX_AGE_US, Batcher
from dijkwacht_agent.privacy import Clear
from dijkwacht_records import wire
from dijkwacht_records.columns import Columns
from dijkwacht_records.contracts import CONTRACTS
from dijkwacht_records.tables import DEFAULTS


class Clock:
    now = 1_000_000_000

    def __call__(self):
        return self.now


def system_row(n, value=1.0):
    return 5, (n, "cpu_ratio", value)


def make(clock):
    return Batcher("bakery", "agent-1", Clear(), clock)


def rows_of(parcels):
    return [row for parcel in parcels for row in wire.unpack_rows(wire.decode(parcel.wire))]


def test_young_rows_wait_and_old_ones_leave():
    clock = Clock()
    batcher = make(clock)
    batcher.add(Columns.of([system_row(1)]))
    assert batcher.take() == []
    clock.now += MAX_AGE_US
    (parcel,) = batcher.take()
    assert rows_of([parcel]) == [system_row(1)]
    assert batcher.take() == []


def test_a_clock_set_back_holds_nothing_up():
    clock = Clock()
    batcher = make(clock)
    batcher.add(Columns.of([system_row(1)]))
    clock.now -= 3_600_000_000
    assert len(batcher.take()) == 1


def test_cutting_keeps_order_and_numbers_rise_by_one():
    batcher = make(Clock())
    rows = [system_row(n) for n in range(2 * CUT_ROWS + 5)]
    batcher.add(Columns.of(rows))
    parcels = batcher.take() + batcher.take(everything=True)
    assert [parcel.seq for parcel in parcels] == [0, 1, 2]
    assert rows_of(parcels) == rows
    assert batcher.rows_made == len(rows) == sum(parcel.rows for parcel in parcels)
    assert {wire.decode(parcel.wire).boot for parcel in parcels} == {batcher.boot}


def test_what_does_not_compress_is_cut_smaller():
    random.seed(1)
    batcher = make(Clock())
    noise = [(5, (n, random.randbytes(500).hex(), random.random())) for n in range(1000)]
    batcher.add(Columns.of(noise))
    parcels = batcher.take(everything=True)
    assert len(parcels) > 1
    assert max(len(parcel.wire) for parcel in parcels) <= wire.MAX_WIRE_BYTES
    assert [parcel.seq for parcel in parcels] == list(range(len(parcels)))
    assert rows_of(parcels) == noise


def test_a_row_that_the_contract_cannot_hold_is_counted_and_costs_no_other():
    batcher = make(Clock())
    rows = [system_row(n) for n in range(100)]
    batcher.add(Columns.of([*rows[:50], system_row(1 << 70), *rows[50:]]))
    parcels = batcher.take(everything=True)
    assert batcher.rows_refused == 1
    assert rows_of(parcels) == rows


RPC = len(CONTRACTS[1].columns), DEFAULTS[len(CONTRACTS[1].columns)]


def test_rows_of_tables_that_the_contract_lacks_are_not_made():
    told = []
    batcher = Batcher("bakery", "agent-1", Clear(), Clock(), on_refused=told.append)
    batcher.contract = 1
    batcher.add(Columns.of([RPC, system_row(1), RPC]))
    batcher.add(Columns.of([RPC]))
    assert (batcher.rows_made, batcher.rows_waiting) == (1, 1)
    (parcel,) = batcher.take(everything=True)
    assert (parcel.rows, rows_of([parcel])) == (1, [system_row(1)])
    batcher.contract = 2
    batcher.add(Columns.of([RPC, system_row(2)]))
    (parcel,) = batcher.take(everything=True)
    assert (parcel.rows, rows_of([parcel])) == (2, [RPC, system_row(2)])
    assert wire.decode(parcel.wire).made == batcher.rows_made == 3
    assert told == []


def test_rows_that_waited_when_their_table_went_are_refused_and_counted():
    """They were told as made already."""
    told = []
    batcher = Batcher("bakery", "agent-1", Clear(), Clock(), on_refused=told.append)
    batcher.add(Columns.of([RPC, system_row(1)]))
    batcher.add(Columns.of([RPC]))
    batcher.contract = 1
    assert told == [batcher.rows_refused] == [2]
    (parcel,) = batcher.take(everything=True)
    assert rows_of([parcel]) == [system_row(1)]
    assert batcher.rows_made == parcel.rows + batcher.rows_refused
    batcher.contract = 2
    batcher.add(Columns.of([system_row(2)]))
    (parcel,) = batcher.take(everything=True)
    assert wire.decode(parcel.wire).made == batcher.rows_made == 4


def test_a_change_of_contract_with_nothing_waiting_is_nothing():
    batcher = make(Clock())
    for contract in (1, 2, 1):
        batcher.contract = contract
        assert batcher.take(everything=True) == []
    assert (batcher.rows_made, batcher.rows_refused) == (0, 0)

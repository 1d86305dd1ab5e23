import random

from dijkwacht_agent.batches import CUT_ROWS, MAX_AGE_US, Batcher
from dijkwacht_agent.privacy import Clear
from dijkwacht_records import wire
from dijkwacht_records.columns import Columns


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

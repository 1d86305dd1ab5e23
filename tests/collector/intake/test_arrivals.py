"""Of a batch the intake keeps who sent it and the agent's last counters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.intake.arrivals import MOST_BEATS, last_beat, read_arrival
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.contracts import CONTRACTS
from dijkwacht_records.errors import MalformedBatch
from dijkwacht_records.planes import columns, parts, parts_of
from dijkwacht_records.tables import AGENT, TABLES
from dijkwacht_records.wire import decode, encode

NOW = 1_790_000_000_000_000
BEAT = TABLES.index(AGENT)
NAMES = [column.name for column in AGENT.columns]


def a_batch(beats, contract, flows=0):
    rows = [(BEAT, beat) for beat in beats]
    flow = tuple({"int": 0, "float": 0.0, "addr": bytes(16)}[c.kind] for c in TABLES[0].columns)
    rows += [(0, (NOW, *flow[1:]))] * flows
    return encode("bakery", "desk", bytes(16), 7, NOW, rows, contract)


beats = st.tuples(
    st.integers(NOW, NOW + 10**9),
    *(st.integers(-(2**40), 2**60) for _ in AGENT.columns[1:]),
)


@given(st.lists(beats, min_size=1, max_size=40), st.sampled_from(sorted(CONTRACTS)))
def test_the_last_row_is_what_the_plain_reader_reads_last(rows, contract):
    planes = decode(a_batch(rows, contract, flows=3), CONTRACTS).planes
    own = columns(planes).tables[BEAT]
    known = CONTRACTS[planes.contract].columns[BEAT]
    assert list(last_beat(planes).values()) == [values[-1] for values in own[:known]]
    assert list(last_beat(planes).values()) == list(rows[-1])[:known]
    assert list(last_beat(planes)) == NAMES[:known]


@pytest.mark.parametrize("contract", sorted(CONTRACTS))
def test_the_columns_of_a_table_are_those_among_all(contract):
    rows = list(office_rows(3, 6, WORKING_MORNING, 600_000_000))
    rows += [(BEAT, (NOW, *range(1, len(AGENT.columns))))] * 3
    planes = decode(encode("bakery", "desk", bytes(16), 7, NOW, rows, contract), CONTRACTS).planes
    assert len(set(planes.tables)) > 3
    for table in range(len(TABLES) + 1):
        own = [part for part in parts(planes) if part.table == table]
        assert parts_of(planes, table) == own


@pytest.mark.parametrize("contract", sorted(CONTRACTS))
def test_an_arrival_is_who_and_how_many(contract):
    beat = (NOW, *range(1, len(AGENT.columns)))
    arrived = read_arrival(a_batch([beat], contract, flows=2), CONTRACTS)
    assert arrived[:6] == ("bakery", "desk", bytes(16), 7, 3, 0)
    assert arrived.batch == decode(a_batch([beat], contract, flows=2), CONTRACTS)
    light = read_arrival(a_batch([beat], contract, flows=2), CONTRACTS, keep=False)
    assert light == arrived._replace(batch=None)
    known = CONTRACTS[contract].columns[BEAT]
    assert arrived.beat == dict(zip(NAMES[:known], beat, strict=False))
    assert read_arrival(a_batch([], contract, flows=2), CONTRACTS).beat == {}


@pytest.mark.parametrize("contract", sorted(CONTRACTS))
def test_heartbeats_of_a_batch_are_bounded(contract):
    beat = (NOW, *range(1, len(AGENT.columns)))
    assert read_arrival(a_batch([beat] * MOST_BEATS, contract), CONTRACTS).rows == MOST_BEATS
    with pytest.raises(MalformedBatch, match="heartbeats"):
        read_arrival(a_batch([beat] * (MOST_BEATS + 1), contract), CONTRACTS)

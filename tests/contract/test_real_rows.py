"""A flow row costs at most 20 bytes on the wire when the rows come from real traffic.

In contract 2 that holds for each recording alone, however it differs from an office: the second test.
Some eighty applications' captures, each begun at a random moment of the same ten minutes, stand for
an office: an agent's rows, with other people's sizes, servers and habits.
"""

import random
from itertools import pairwise

import pytest

from dijkwacht.recording import Recorded
from dijkwacht_records import wire
from dijkwacht_records.tables import FLOWS

TEN_MINUTES = 600_000_000
TIME, START, FLOW_ID = (FLOWS.index(name) for name in ("time", "start", "flow_id"))


@pytest.fixture(scope="module")
def office(captures):
    draw = random.Random(1)
    rows = []
    for path in sorted(captures.glob("benign/*.pcap*")):
        own = [list(row) for number, row in Recorded([path]).rows() if number == 0]
        own = [row for row in own if row[TIME] - own[0][TIME] < TEN_MINUTES]
        if not 0 < len(own) <= 400:  # one application must not be most of the office
            continue
        shift = 1_700_000_000_000_000 + draw.randrange(TEN_MINUTES) - min(r[START] for r in own)
        for row in own:
            row[TIME] += shift
            row[START] += shift
            row[FLOW_ID] = (row[START], path.name, row[FLOW_ID])
        rows += own
    numbers = {key: n for n, key in enumerate(sorted({row[FLOW_ID] for row in rows}))}
    for row in rows:
        row[FLOW_ID] = numbers[row[FLOW_ID]]
    rows.sort(key=lambda row: row[TIME])
    return [(0, tuple(row)) for row in rows]


@pytest.mark.captures
@pytest.mark.parametrize("size", [1_000, 2_000])
def test_a_real_flow_row_costs_at_most_twenty_bytes(office, size):
    assert len(office) >= 2_000
    for at in range(0, len(office) - size + 1, size):
        body = wire.encode("site", "agent", bytes(16), 0, 1, office[at : at + size])
        assert len(body) / size <= 20.0


@pytest.mark.captures
def test_in_contract_2_it_does_so_in_every_recording(captures):
    paths = [*captures.rglob("*"), *captures.with_name("captures-quiet").rglob("*")]
    sizes = {}
    for path in (path for path in paths if path.is_file() and path.name[0] != "."):
        rows = [pair for pair in Recorded([path]).rows() if pair[0] == 0]
        batches = len(rows) // 1_000
        bounds = [len(rows) * n // batches for n in range(batches + 1)] if batches else []
        wires = [
            wire.encode("site", "agent", bytes(16), 0, 1, rows[begin:end], contract=2)
            for begin, end in pairwise(bounds)
        ]
        if wires:
            sizes[path] = sum(map(len, wires)) / len(rows)
    assert len(sizes) >= 15
    assert {path: size for path, size in sizes.items() if size > 20} == {}

"""What `bench engine` measures: offices' rows in the mix of tables that captures have."""

from collections import defaultdict
from itertools import chain, islice

import pytest

from dijkwacht_lab.bench.mixed_rows import CAPTURED_SHARES, mixed_rows
from dijkwacht_lab.traffic.table_shares import shares_of_counts, table_shares
from dijkwacht_records import wire
from dijkwacht_records.tables import TABLES

NUMBER = {table.name: number for number, table in enumerate(TABLES)}


@pytest.fixture(scope="module")
def sites():
    return [list(islice(mixed_rows(seed), 1_000)) for seed in range(20)]


def test_shares_are_those_of_the_captures(sites):
    shares = table_shares(chain.from_iterable(sites))
    for table, captured in CAPTURED_SHARES.items():
        assert shares[table] == pytest.approx(captured, rel=0.03, abs=0.2)
    assert set(shares) - set(CAPTURED_SHARES) == {"system", "agent"}
    assert shares["system"] + shares["agent"] < 0.7


def test_rows_are_what_an_agent_may_send(sites):
    for rows in sites:
        for at in range(0, len(rows), 100):
            batch = wire.encode("site", "agent", bytes(16), 1, 1, rows[at : at + 100], 2)
            assert list(wire.unpack_rows(wire.decode(batch))) == rows[at : at + 100]


def test_flows_are_whole_and_questions_are_answered(sites):
    for rows in sites:
        parts, asked = defaultdict(list), defaultdict(int)
        for number, row in rows:
            if number == NUMBER["flows"]:
                parts[row[2]].append(row[3])
            elif number == NUMBER["dns"] and row[3] == 53:
                asked[row[1], row[4], row[5]] += 1 if row[6] else -1
        assert all(each == list(range(len(each))) for each in parts.values())
        assert sum(map(abs, asked.values())) <= 2  # the last may still wait


def test_the_same_site_has_the_same_rows_and_another_others(sites):
    assert list(islice(mixed_rows(3), 1_000)) == sites[3]
    assert sites[3] != sites[4]


def test_shares_of_counts_are_percent_largest_first():
    assert shares_of_counts({1: 1, 0: 3}) == {"flows": 75.0, "dns": 25.0}
    assert list(shares_of_counts({1: 1, 0: 3})) == ["flows", "dns"]

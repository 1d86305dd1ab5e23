"""The columns of each contract, written down: what a version has been read and written with stays.

``golden/vN/columns.json`` is added when version N is first read or written. From then on only whole
tables are added to it, and none to that of version 1.
"""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from dijkwacht_detectors.api import ENTITY_COLUMNS
from dijkwacht_records.contracts import CONTRACTS, READS, WRITES
from dijkwacht_records.tables import TABLE, TABLES

GOLDEN = Path(__file__).parent / "golden"


def has_columns(contract):
    """Table → name and kind of each of its columns in ``contract``, in the order of the wire."""
    tables = zip(TABLES, contract.columns, strict=False)
    return {table.name: [[c.name, c.kind] for c in table.columns[:n]] for table, n in tables}


@pytest.mark.parametrize("number", sorted({1, *READS, *WRITES}))
def test_a_version_in_use_has_the_columns_that_it_had(number):
    frozen = json.loads((GOLDEN / f"v{number}" / "columns.json").read_text("utf-8"))
    assert list(has_columns(CONTRACTS[number]).items()) == list(frozen.items())


def test_what_is_written_down_is_in_use_or_has_been():
    written = {int(path.parent.name[1:]) for path in GOLDEN.glob("v*/columns.json")}
    assert written == set(range(1, max(*READS, *WRITES) + 1))
    assert written <= CONTRACTS.keys()


def test_a_later_version_only_adds_at_the_end():
    ordered = [CONTRACTS[number] for number in sorted(CONTRACTS)]
    assert [contract.number for contract in ordered] == list(CONTRACTS)
    for before, after in pairwise(ordered):
        assert len(before.columns) <= len(after.columns)
        assert all(a <= b for a, b in zip(before.columns, after.columns, strict=False))
    assert [contract.open for contract in ordered] == [False, *[True] * (len(ordered) - 1)]


def test_the_latest_version_has_every_table_and_every_column():
    latest = CONTRACTS[max(CONTRACTS)]
    assert latest.columns == tuple(len(table.columns) for table in TABLES)


def test_a_number_that_came_with_a_later_version_says_what_earlier_rows_have():
    for number, table in enumerate(TABLES):
        first = next(c.columns[number] for c in CONTRACTS.values() if number < len(c.columns))
        early, late = table.columns[:first], table.columns[first:]
        assert {column.default for column in early} == {None}
        numbers = [column for column in late if column.kind in {"int", "float"}]
        assert None not in {column.default for column in numbers}
        assert {column.default for column in late if column not in numbers} <= {None}


def test_every_table_says_which_of_its_columns_name_whom():
    assert ENTITY_COLUMNS.keys() == TABLE.keys()
    for name, entities in ENTITY_COLUMNS.items():
        assert entities.keys() == {"orig", "resp", "pair"}
        columns = {"agent", *(column.name for column in TABLE[name].columns)}
        assert all(columns.issuperset(named) for named in entities.values())

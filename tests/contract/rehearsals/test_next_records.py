"""Bytes between this version and the next: what is missing has its default, what is unknown is skipped."""

from itertools import chain

import pytest

from dijkwacht_records.contracts import CONTRACTS
from dijkwacht_records.tables import DEFAULTS, TABLE, TABLES

ADDED = {
    "flows": {"odd": 7},
    "dhcp": {"vendor": "", "relay_h": bytes(16).hex(), "lease": -3_600},
    "system": {"scale": 0.5},
}
"""The columns that the next version adds, and what it says of them where they are missing."""
SEEDS = range(6)


def nothing(number):
    """A row of this version in which nothing is known, as `speak.py` describes it."""
    values = (value.hex() if isinstance(value, bytes) else value for value in DEFAULTS[number])
    return dict(zip((column.name for column in TABLES[number].columns), values, strict=True))


def carried(rows, contract, reader):
    """What ``reader`` knows of ``rows`` that came in ``contract``."""
    found = []
    for table, row in rows:
        if table == "knocks":
            found += [[table, row]] if contract > 1 and reader == "next" else []
            continue
        number = TABLES.index(TABLE[table])
        if number >= len(CONTRACTS[min(contract, 2)].columns):
            continue
        known = nothing(number)
        names = list(known)[: CONTRACTS[min(contract, 2)].columns[number]]
        added = ADDED.get(table, {}) if reader == "next" else {}
        if contract == 3:
            names += added
        found.append([table, known | added | {name: row[name] for name in names if name in row}])
    return found


def assert_read(answers, expected):
    """Both readers of a release say so of each batch."""
    for answer, rows in zip(answers, expected, strict=True):
        assert answer["plain"] == rows
        assert answer["fast"] == rows


@pytest.fixture(scope="module")
def exchange(new, coming):
    """What a writer meant with its batches of a contract, and what a reader reads in them."""
    versions = {"new": new, "next": coming}
    written = {
        (name, contract, columns): [("write", contract, seed, columns) for seed in SEEDS]
        for name, contracts in (("new", (1, 2)), ("next", (1, 2, 3)))
        for contract in contracts
        for columns in ("now", "first")
    }
    for name, version in versions.items():
        own = [questions for (writer, *_), questions in written.items() if writer == name]
        answers = version.speak(*chain.from_iterable(own))
        for questions in own:
            questions[:], answers = answers[: len(SEEDS)], answers[len(SEEDS) :]
    wires = [one["wire"] for batches in written.values() for one in batches]
    said = {
        name: dict(zip(wires, version.speak(*(("read", wire) for wire in wires)), strict=True))
        for name, version in versions.items()
    }

    def exchange(writer, reader, contract, columns="now"):
        batches = written[writer, contract, columns]
        return [one["rows"] for one in batches], [said[reader][one["wire"]] for one in batches]

    return exchange


@pytest.mark.parametrize("contract", [1, 2])
def test_the_next_version_reads_what_this_one_writes(exchange, contract):
    meant, answers = exchange("new", "next", contract)
    assert_read(answers, [carried(rows, contract, "next") for rows in meant])
    assert {answer["unknown"] for answer in answers} == {0}


def test_this_version_reads_what_the_next_one_writes_for_it(exchange):
    """An agent writes the highest version that both know, without what that version lacks."""
    meant, answers = exchange("next", "new", 1)
    assert_read(answers, [carried(rows, 1, "new") for rows in meant])


def test_rows_of_the_next_versions_table_are_skipped_and_counted(exchange):
    meant, answers = exchange("next", "new", 2)
    assert_read(answers, [carried(rows, 2, "new") for rows in meant])
    for answer, rows in zip(answers, meant, strict=True):
        assert answer["rows"] == len(rows)
        assert 0 < answer["unknown"] == len(rows) - len(carried(rows, 2, "new"))


def test_the_next_version_has_its_table_in_the_contract_before_it(exchange):
    meant, answers = exchange("next", "next", 2)
    assert_read(answers, [carried(rows, 2, "next") for rows in meant])
    assert {answer["unknown"] for answer in answers} == {0}


@pytest.mark.parametrize("contract", [2, 3])
def test_columns_that_the_next_versions_meter_lacks_have_their_defaults(exchange, contract):
    meant, answers = exchange("next", "next", contract, columns="first")
    assert_read(answers, [carried(rows, contract, "next") for rows in meant])


def test_the_next_contract_is_whole_for_the_next_version_and_named_by_this_one(exchange):
    meant, answers = exchange("next", "next", 3)
    assert_read(answers, meant)
    _, answers = exchange("next", "new", 3)
    assert answers == [{"version": 3, "reads": [1, 2]}] * len(SEEDS)


@pytest.mark.parametrize("contract", [1, 2])
def test_an_earlier_contract_gets_no_address_of_a_later_column(exchange, contract):
    """What is hidden in no column that is sent would be sent for nobody."""
    meant, answers = exchange("next", "next", contract)
    for answer, rows in zip(answers, meant, strict=True):
        tables = [table.name for table in TABLES[: len(CONTRACTS[contract].columns)]]
        tables += ["knocks"] * (contract > 1)
        sent = [row for row in rows if row[0] in tables]
        named = {
            v for _, row in sent for n, v in row.items() if n.endswith("_h") and n != "relay_h"
        }
        assert set(answer["addresses"]) == named
        assert len(answer["addresses"]) == len(named)

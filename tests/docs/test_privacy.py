"""Whoever asks what leaves a site finds every column of every table on the page that says so."""

import re

import pytest

from dijkwacht_records.tables import TABLES

LINE = re.compile(r"^\| (`[^|]*) \|", re.MULTILINE)
NAME = re.compile(r"`(?:(\w+|\*)\.)?(\w+|\*)`")


@pytest.fixture(scope="module")
def told(root):
    """(table, column) pairs of the page's lists; ``*`` stands for all. A name without a table is of the one before it."""
    found = set()
    for cell in LINE.findall((root / "docs/privacy.md").read_text("utf-8")):
        table = ""
        for named, column in NAME.findall(cell):
            table = named or table
            if table:
                found.add((table, column))
    return found


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_has_its_line(told, table):
    missing = [
        column.name
        for column in table.columns
        if told.isdisjoint({(table.name, column.name), (table.name, "*"), ("*", column.name)})
    ]
    assert missing == []


def test_every_line_is_of_a_column_that_is_sent(told):
    columns = {(t.name, c.name) for t in TABLES for c in t.columns}
    everywhere = {name for _, name in columns}
    for table, column in told:
        if table == "*":
            assert column in everywhere
        elif column == "*":
            assert table in {t.name for t in TABLES}
        else:
            assert (table, column) in columns

"""Numbers of closed lists have names, and every column that holds them says of which list they are."""

import re

import pytest

from dijkwacht_records.closed_lists import HINTS, LISTS, is_named, name
from dijkwacht_records.hints import FIELDS
from dijkwacht_records.tables import TABLES

UNITS = {column.unit for table in TABLES for column in table.columns}


def test_every_list_is_some_columns():
    packed = {values.__name__ for _, values in FIELDS.values() if values is not bool}
    assert LISTS.keys() <= UNITS
    assert not LISTS.keys() & packed
    named = {unit for unit in UNITS if re.fullmatch(r"(?:[A-Z][a-z]+){2,}|Alpn", unit)}
    assert named == LISTS.keys()


@pytest.mark.parametrize("unit", sorted({*LISTS, HINTS}))
def test_every_number_has_a_name_known_or_not(unit):
    assert is_named(unit)
    found = {name(unit, number) for number in (*range(300), 2**62, -1)}
    assert all(isinstance(word, str) and "None" not in word for word in found)


@pytest.mark.parametrize("unit", sorted(LISTS))
def test_members_keep_their_names(unit):
    assert [name(unit, member) for member in LISTS[unit]] == [member.name for member in LISTS[unit]]


def test_fields_do_not_overlap():
    taken = [place.put((1 << place.width) - 1) for place, _ in FIELDS.values()]
    assert sum(taken) == (1 << sum(taken).bit_length()) - 1
    for place, values in FIELDS.values():
        assert len(values) <= 1 << place.width if values is not bool else place.width == 1

"""Arrays are handed to kernels by name, whatever order they stand in."""

from __future__ import annotations

import numpy as np
import pytest

from dijkwacht_detectors.api import Rows
from dijkwacht_detectors.state.naming import picker, row_picker

TIME, SLOT, FRESH = np.zeros(1, np.int64), np.zeros(1, np.int32), np.ones(1, np.bool_)


def rows(**columns):
    return Rows(columns, TIME, np.zeros(1, np.int32), SLOT, FRESH)


def test_fields_come_in_the_order_asked_for():
    assert picker(("b", "a"))({"a": 1, "c": 3, "b": 2}) == (2, 1)
    assert picker(("a",))({"a": 1}) == (1,)
    assert picker(())({"a": 1}) == ()


def test_a_field_that_is_not_there_is_named():
    with pytest.raises(KeyError, match="lost"):
        picker(("a", "lost"))({"a": 1})


@pytest.mark.parametrize("names", [("part", "proto"), ("proto", "part"), ("part",)])
def test_rows_begin_with_what_comes_free(names):
    part, proto = np.zeros(1), np.ones(1)
    picked = row_picker(("time", "slot", "fresh", *names))(rows(part=part, proto=proto))
    assert picked[:3] == (TIME, SLOT, FRESH)
    assert [id(column) for column in picked[3:]] == [
        id({"part": part, "proto": proto}[n]) for n in names
    ]


def test_rows_that_begin_otherwise_are_refused():
    with pytest.raises(ValueError, match="time, slot, fresh"):
        row_picker(("slot", "fresh", "part"))

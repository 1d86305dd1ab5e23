"""Arrays that grow keep what was written, are zero beyond it, and move only while they are small."""

from __future__ import annotations

import mmap
import pickle
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.state import growth
from dijkwacht_detectors.state.growth import grown

lengths = st.lists(st.integers(0, 50_000), min_size=1, max_size=8)


@settings(max_examples=50)
@given(lengths=lengths, field=st.sampled_from([("f4", (24,)), ("i8", ()), ("u1", (3,))]))
def test_what_was_written_stays_and_the_rest_is_zero(lengths, field):
    dtype, shape = field
    values = model = np.zeros((0, *shape), dtype)
    for number, length in enumerate(sorted(lengths)):
        values = grown(values, length)
        assert values.shape == (length, *shape)
        assert values.dtype == np.dtype(dtype)
        assert values.flags.c_contiguous
        known = np.zeros((length, *shape), dtype)
        known[: len(model)] = model
        assert np.array_equal(values, known)
        if length:
            values[-1] = known[length - 1] = number + 1
        model = known


def test_a_large_array_stays_where_it_is():
    before = grown(np.zeros((0, 4), "i8"), 3_000)
    after = grown(before, 1_000_000)
    before[7] = 5
    assert (after[7] == 5).all()


def test_what_was_pickled_is_no_longer_than_it_was_and_grows_on():
    before = grown(np.zeros(0, "i8"), 20_000)
    before[:] = 2
    pickled = pickle.dumps(before)
    assert len(pickled) < 200_000
    after = grown(pickle.loads(pickled), 40_000)
    assert after.sum() == 40_000


@pytest.mark.parametrize("system", ["refuses", "is another"])
def test_without_addresses_to_reserve_it_is_copied(monkeypatch, system):
    if system == "refuses":
        refuse = Mock(side_effect=OSError("cannot allocate memory"), spec=mmap.mmap)
        monkeypatch.setattr(growth, "_map", refuse)
    else:
        monkeypatch.setattr(growth, "_FLAGS", None)
    array = grown(np.zeros(0, "i8"), 20_000)
    array[:] = 1
    array = grown(array, 90_000)
    assert array.sum() == 20_000
    assert array.base is None


def test_more_than_was_reserved_is_copied_into_more(monkeypatch):
    monkeypatch.setattr(growth, "_RESERVED", 1 << 20)
    monkeypatch.setattr(growth, "_LARGE", 1 << 18)
    array = grown(np.zeros(0, "i8"), 100_000)
    array[:] = 3
    array = grown(array, 1_000_000)
    assert array[:100_000].sum() == 300_000
    assert not array[100_000:].any()

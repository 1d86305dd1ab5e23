"""Arrays that grow keep what was written, are zero beyond it, and move only while they are small."""

from __future__ import annotations

import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.state import growth
from dijkwacht_detectors.state.growth import Growing

lengths = st.lists(st.integers(0, 50_000), min_size=1, max_size=8)


@settings(max_examples=50)
@given(lengths=lengths, field=st.sampled_from([("f4", (24,)), ("i8", ()), ("u1", (3,))]))
def test_what_was_written_stays_and_the_rest_is_zero(lengths, field):
    dtype, shape = field
    array, model = Growing(dtype, shape), np.zeros((0, *shape), dtype)
    for number, length in enumerate(lengths):
        values = array.up_to(length)
        assert values.shape == (length, *shape)
        assert values.dtype == np.dtype(dtype)
        assert values.flags.c_contiguous
        known = np.zeros((max(length, len(model)), *shape), dtype)
        known[: len(model)] = model
        assert np.array_equal(values, known[:length])
        if length:
            values[-1] = known[length - 1] = number + 1
        model = known


def test_a_large_array_stays_where_it_is():
    array = Growing("i8", (4,))
    before = array.up_to(3_000)
    after = array.up_to(1_000_000)
    before[7] = 5
    assert (after[7] == 5).all()


@pytest.mark.parametrize("system", ["refuses", "is another"])
def test_without_addresses_to_reserve_it_is_copied(monkeypatch, system):
    if system == "refuses":

        def refuse(*_args, **_named):
            raise OSError("cannot allocate memory")

        monkeypatch.setattr(mmap, "mmap", refuse)
    else:
        monkeypatch.setattr(growth, "_FLAGS", None)
    array = Growing("i8")
    array.up_to(20_000)[:] = 1
    assert array.up_to(90_000).sum() == 20_000
    assert array.up_to(10**7)[-1] == 0


def test_more_than_was_reserved_is_copied_into_more(monkeypatch):
    monkeypatch.setattr(growth, "_RESERVED", 1 << 20)
    monkeypatch.setattr(growth, "_LARGE", 1 << 18)
    array = Growing("i8")
    array.up_to(100_000)[:] = 3
    grown = array.up_to(1_000_000)
    assert grown[:100_000].sum() == 300_000
    assert not grown[100_000:].any()

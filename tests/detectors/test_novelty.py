"""The memory of what was seen: right at once, wrong rarely, and forgetting in the end."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.novelty import is_new


def memory():
    return np.zeros((2, 2, 16), np.uint64), np.zeros(2, np.int32)


def key(number):
    return np.uint64(mix(np.uint64(number), np.uint64(1)))


@given(st.lists(st.integers(0, 2**64 - 1), max_size=200))
def test_what_was_just_seen_is_not_new(numbers):
    seen, held = memory()
    for number in numbers:
        is_new(seen, held, 0, key(number))
    for number in numbers:
        assert not is_new(seen, held, 0, key(number))


def test_little_is_mistaken_for_seen():
    seen, held = memory()
    fresh = sum(is_new(seen, held, 0, key(n)) for n in range(2000))
    assert 1500 < fresh <= 2000


def test_entities_do_not_share_a_memory():
    seen, held = memory()
    assert is_new(seen, held, 0, key(7))
    assert is_new(seen, held, 1, key(7))


def test_it_forgets_what_was_long_ago():
    seen, held = memory()
    is_new(seen, held, 0, key(0))
    for n in range(1, 3000):
        is_new(seen, held, 0, key(n))
    forgotten = sum(is_new(seen, held, 0, key(n)) for n in range(100))
    assert forgotten > 60

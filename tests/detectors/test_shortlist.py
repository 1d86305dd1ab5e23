"""A short list a site: against a plain list, whatever is put there."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_detectors.state.shortlist import find, name_of, place_of

PLACES = 4


class Plain:
    """The same, in plain Python: whoever was used longest ago gives way, the first of equals."""

    def __init__(self):
        self.names, self.used = [], []

    def place_of(self, name, time):
        if name in self.names:
            place, is_new = self.names.index(name), False
            self.used[place] = max(self.used[place], time)
            return place, is_new
        if len(self.names) < PLACES:
            self.names.append(name)
            self.used.append(time)
            return len(self.names) - 1, True
        place = self.used.index(min(self.used))
        self.names[place], self.used[place] = name, time
        return place, True


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 20)), max_size=60))
def test_it_is_a_list_whose_longest_unused_gives_way(steps):
    names, used = np.zeros((2, PLACES), np.uint64), np.zeros((2, PLACES), np.int64)
    plain = Plain()
    for name, time in steps:
        place, is_new = plain.place_of(name, time)
        assert find(names, 1, np.uint64(name)) == (-1 if is_new else place)
        assert place_of(names, used, 1, np.uint64(name), time) == (place, is_new)
        assert find(names, 1, np.uint64(name)) == place
    assert not names[0].any(), "sites do not share a list"


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_nobody_is_named_0(high, low):
    assert name_of(np.uint64(high), np.uint64(low)) != 0

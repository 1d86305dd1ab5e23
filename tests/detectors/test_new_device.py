"""Kinds of devices: what is new to a site that is known, told once, and never by a device's own address."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_detectors.checks import Harness, score_rows
from dijkwacht_detectors.new_device import NewDevice
from dijkwacht_records.addresses import HASHED_MAC

DAY = 86_400_000_000
START = 20_000 * DAY
INTEL, RASPBERRY = 0x001B21, 0xB827EB


def asks(day, maker, own=1, options=4711, **values):
    return {"time": START + round(day * DAY), "client_mac": maker << 24 | own, "msg_type": 1,
            "options_hash": options} | values  # fmt: skip


def told(rows):
    scores, facts = Harness(NewDevice()).feed(rows)
    return [(n, *facts[n, :2].tolist()) for n in np.flatnonzero(~np.isnan(scores))]


def test_what_came_in_the_first_week_is_known_and_a_new_maker_is_told_once():
    known = [asks(0, INTEL), asks(6.9, RASPBERRY)]
    assert told([*known, *(asks(8 + n / 4, RASPBERRY) for n in range(40))]) == []
    late = [asks(0, INTEL), *(asks(8 + n / 4, RASPBERRY, n) for n in range(40))]
    assert told(late) == [(1, 1.0, 0.0)]


def test_a_new_system_of_a_known_maker_is_told_and_both_count_more():
    rows = [asks(0, INTEL), asks(9, INTEL, 2, options=815), asks(10, RASPBERRY, 3, options=9)]
    assert told(rows) == [(1, 0.0, 1.0), (2, 1.0, 1.0)]
    assert score_rows(NewDevice(), rows)[1:].tolist() == pytest.approx([1.0, np.log2(3)])


def test_a_hashed_address_keeps_its_maker():
    hashed = [HASHED_MAC | maker << 32 | n for n, maker in enumerate((INTEL, INTEL, RASPBERRY))]
    rows = [asks(4.5 * n, 0) | {"client_mac": mac} for n, mac in enumerate(hashed)]
    assert told(rows) == [(2, 1.0, 0.0)]


@given(st.lists(st.tuples(st.integers(0, 0xFFFFFF), st.integers(1, 99)), max_size=40))
def test_who_draws_an_address_by_chance_is_never_told(drawn):
    rows = [asks(0, INTEL)]
    rows += [
        asks(9 + n / 8, maker | 0x020000, options=options)
        for n, (maker, options) in enumerate(drawn)
    ]
    rows += [asks(20, INTEL) | {"client_mac": HASHED_MAC | 5, "options_hash": 3}]
    assert told(rows) == []


def test_what_servers_say_and_empty_messages_are_nothing():
    quiet = [{"msg_type": 2}, {"msg_type": 5}, {"client_mac": 0, "options_hash": 0}]
    assert told([asks(0, INTEL), *(asks(9, RASPBERRY) | values for values in quiet)]) == []


def test_a_kind_that_was_away_for_a_season_is_new_again():
    rows = [asks(n, INTEL) for n in range(0, 130, 10)]
    rows = sorted([*rows, asks(1, RASPBERRY), asks(120, RASPBERRY)], key=lambda r: r["time"])
    assert told(rows) == [(len(rows) - 1, 1.0, 0.0)]


def test_many_makers_are_told_once_each_and_past_its_room_none_is_told_twice():
    rows = [asks(0, INTEL)]
    rows += [asks(9 + n / 1000, 4 * n + 0x100000) for n in range(200)]
    first = told(rows)
    assert 120 <= len(first) <= 128
    again = [asks(9.5 + n / 1000, 4 * n + 0x100000) for n in range(200)]
    assert told([*rows, *again]) == first


def test_words_say_what_is_new():
    numbers = {"score": 1.0, "new_maker": 1.0, "new_options": 0.0, "site_days": 9.0}
    texts = {
        NewDevice().explain(numbers | {"new_maker": m, "new_options": o}).title_en
        for m, o in ((1, 0), (0, 1), (1, 1))
    }
    assert len(texts) == 3

"""Pings that carry a conversation, against all the others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_detectors.checks import Harness, score_rows
from dijkwacht_detectors.icmp_tunnel import IcmpTunnel
from dijkwacht_records.addresses import pack_address

SECOND = 1_000_000
OUTSIDE = 0x30000001
TALK = {"proto": 1, "resp_h": OUTSIDE, "turns": 60, "orig_turns": 30, "orig_size": 56, "orig_share": 100,
        "orig_sizes": 1, "resp_size": 56, "resp_share": 100, "resp_sizes": 1, "gap": 500}  # fmt: skip
VARIED = {"orig_sizes": 4, "orig_share": 80, "resp_sizes": 3}


def talks(count, **values):
    return [TALK | values | {"time": n * 15 * SECOND} for n in range(count)]


def top(rows):
    return float(np.nanmax(score_rows(IcmpTunnel(), rows)))


def test_replies_that_repeat_no_request_are_a_tunnel():
    assert top(talks(1, unlike=13, **VARIED)) > 5.5
    assert top(talks(1, proto=58, unlike=13, **VARIED)) > 5.5
    assert np.isnan(score_rows(IcmpTunnel(), talks(1, proto=17, unlike=13, **VARIED))).all()


@pytest.mark.parametrize(
    "values",
    [
        {},  # a router that checks its line, twice a second, for hours
        {"orig_turns": 3000, "gap": 5, "resp_h": 9, "orig_size": 1400},  # a cable is tested
        {
            "unlike": 15,
            "orig_turns": 15,
            "gap": 1000,
            "orig_size": 1000,
            "resp_size": 68,
        },  # cut short
        {"unlike": 30, "resp_size": 0},  # no payload in replies
        {"unlike": 30},  # as long, but zeroes
        {"orig_turns": 15, "gap": 1000, "orig_size": 1400},
    ],
)
def test_a_monitor_is_all_alike_however_long(values):
    assert top(talks(2000, **values)) == 0.0


def test_a_search_for_the_mtu_has_many_sizes_few_pings_and_true_replies():
    search = {"orig_turns": 23, "orig_sizes": 8, "orig_share": 13, "resp_sizes": 8, "gap": 202}
    assert 3.0 < top(talks(2, **search)) < 3.6
    cut_short = search | {"resp_sizes": 1, "resp_size": 68, "unlike": 23}
    assert top(talks(2, **cut_short)) < 3.6


def test_large_pings_at_a_pace_for_minutes_are_data_and_for_a_minute_a_test():
    paced = {"orig_size": 1000, "resp_size": 1000, "orig_turns": 60, "gap": 250}
    for where in (OUTSIDE, 0xC0A80105):
        assert top(talks(4, resp_h=where, **paced)) < 4.2
        assert top(talks(16, resp_h=where, **paced)) > 4.8
    by_the_second = paced | {"orig_turns": 15, "gap": 1001}
    assert top(talks(500, **by_the_second)) == 0.0
    assert top(talks(500, **(paced | {"orig_size": 56}))) == 0.0


def test_much_in_large_pings_to_outside_is_data_though_it_is_returned():
    large = {"orig_size": 1400, "orig_turns": 1500, "gap": 10}
    assert top(talks(1, **large)) < 3.6
    assert top(talks(10, **large)) > 5.5
    assert top(talks(10, **large, resp_h=0xC0A80105)) == 0.0


ROW = st.fixed_dictionaries(
    {
        "later": st.sampled_from([0, 15 * SECOND, 300 * SECOND]),
        "resp_h": st.sampled_from([OUTSIDE, 0xC0A80105, 0xA9FE0101, 0xAC1F0001, 5]),
        "orig_turns": st.integers(0, 300),
        "orig_size": st.sampled_from([0, 56, 255, 256, 1400]),
        "orig_share": st.integers(0, 100),
        "orig_sizes": st.integers(1, 8),
        "resp_size": st.sampled_from([0, 47, 48, 1400]),
        "resp_sizes": st.integers(1, 8),
        "gap": st.integers(0, 1500),
        "unlike": st.integers(0, 300),
    }
)


@given(st.lists(ROW, max_size=15))
def test_scores_are_what_the_model_says(made):
    now, rows, wanted, known = 0, [], [], {}
    for one in made:
        now += one["later"]
        rows.append({"time": now, "proto": 1, **one})
        last, unlike, sizes, varied, sent, paced = known.get(one["resp_h"], (now, 0, 0, 0, 0, 0))
        kept = 0.5 ** ((now - last) / (300 * SECOND))
        own_way = one["resp_sizes"] == 1 and (one["orig_sizes"] == 1 or one["resp_size"] >= 48)
        beyond = one["orig_turns"] * max(0.0, 1 - one["gap"] / 1000)
        alike = one["orig_share"] / 100
        unlike = unlike * kept + (0 if own_way else one["unlike"])
        sizes = max(sizes * kept, one["orig_sizes"] - 1)
        varied = varied * kept + beyond * (1 - alike)
        large = one["orig_size"] >= 256
        abroad = large and one["resp_h"] == OUTSIDE
        sent = sent * kept + abroad * beyond * alike * one["orig_size"] / 1e6
        seconds = beyond * alike * min(one["gap"], 1000) / 1000
        paced = paced * kept + (min(seconds, 60.0) if large and one["gap"] >= 20 else 0)
        known[one["resp_h"]] = (now, unlike, sizes, varied, sent, paced)
        odd = 4 * unlike + sizes + varied / 10 + 4 * sent + paced / 3
        wanted.append(math.log2(1 + odd))
    assert score_rows(IcmpTunnel(), rows).tolist() == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize(
    ("host", "inside"),
    [("fd00::1", True), ("fe80::5", True), ("2001:db8::1", False), ("172.32.0.1", False)],
)
def test_large_pings_count_to_addresses_of_the_internet(host, inside):

    rows = talks(5, resp_h=pack_address(host), orig_size=1400, orig_turns=1500, gap=10)
    assert (top(rows) == 0.0) is inside


def test_an_explanation_speaks_of_what_was_seen():
    for values, seen in (
        ({"unlike": 40, **VARIED}, "differ"),
        ({"orig_size": 1400, "gap": 1}, "large ones"),
    ):
        _, facts = Harness(IcmpTunnel()).feed(talks(1, **values))
        words = IcmpTunnel().explain(dict(zip(IcmpTunnel.facts, facts[-1].tolist(), strict=True)))
        assert seen in words.desc_en

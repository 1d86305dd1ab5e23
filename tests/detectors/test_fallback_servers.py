"""Servers tried one after the other: a trojan's list against those that belong to a program."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.checks import score_rows
from dijkwacht_detectors.fallback_servers import FallbackServers
from dijkwacht_records.hints import (
    NAMED,
    OPTIONS,
    SPEECH,
    WINDOW,
    Named,
    Speech,
    SynOptions,
    SynWindow,
)

SECOND, DAY = 1_000_000, 86_400_000_000
OPEN, UPDATE, END = 0, 1, 2
S0, SF = 1, 3
WINDOWS = OPTIONS.put(SynOptions.TWELVE) | WINDOW.put(SynWindow.LARGE)
SILENT = {"conn_state": SF, "orig_bytes": 648, "resp_pkts": 4}
EMPTY = {"conn_state": SF, "resp_pkts": 2}
CLOSED = {"conn_state": S0}
ALIKE = SILENT | {"resp_bytes": 300}


def at_home(network, host=9):
    """An address outside: 45.network.0.host, mapped."""
    return (0xFFFF << 32) | (45 << 24) | (network << 16) | host


def hints(named=Named.NOBODY, speech=Speech.BYTES, system=WINDOWS):
    return NAMED.put(named) | SPEECH.put(speech) | system


def tries(hosts, kind=SILENT, every=20.0, at=0.0, **values):
    return [
        {"time": round((at + n * every) * SECOND), "flow_id": 1000 + n, "resp_h": host, "resp_p": 7000,
         "hints": hints()} | kind | values
        for n, host in enumerate(hosts)
    ]  # fmt: skip


def top(rows):
    scores = score_rows(FallbackServers(), rows)
    return 0.0 if np.isnan(scores).all() else float(np.nanmax(scores))


def evidence(rows):
    return 2.0 ** top(rows) - 1.0


FOUR = [at_home(n) for n in range(4)]


def test_each_two_networks_count_once():
    for many in range(2, 6):
        rows = tries([at_home(n) for n in range(many)], every=0.001)
        assert evidence(rows) == pytest.approx(3.0 * math.comb(many, 2), rel=0.02)


def test_the_flow_of_another_agent_that_has_the_same_number_is_another():
    asked = [
        row | {"state": OPEN, "orig_bytes": 0, "resp_pkts": 1} for row in tries(FOUR, every=0.001)
    ]
    ends = [
        row | {"time": row["time"] + SECOND, "part": 1, "hints": 0}
        for row in tries(FOUR, every=0.001)
    ]
    assert evidence([*asked, *ends]) == pytest.approx(18.0, rel=0.02)
    elsewhere = [row | {"resp_h": at_home(50 + n)} for n, row in enumerate(ends)]
    assert top([*asked, *elsewhere]) == 0.0


def test_one_network_is_one_server():
    assert top(tries([at_home(1, host) for host in range(1, 9)])) == 0.0
    assert top(tries([at_home(1)] * 20)) == 0.0
    near = [at_home(1, 256 * network + 9) for network in range(4)]
    assert evidence(tries(near)) == pytest.approx(evidence(tries(FOUR)) / 2)


def test_other_words_are_another_manner():
    rows = tries(FOUR)
    for n, row in enumerate(rows):
        row["orig_bytes"] += n
    assert top(rows) == 0.0


@pytest.mark.parametrize("kind", [EMPTY, CLOSED, ALIKE], ids=["empty", "closed", "alike"])
def test_servers_that_are_gone_or_measured_are_bounded(kind):
    many = [at_home(n) for n in range(12)]
    assert 1.0 < evidence(tries(many, kind)) <= 2.0
    assert evidence(tries(many)) > 20.0


def test_a_conversation_takes_away():
    searched = tries(FOUR)
    talk = tries([at_home(50)], SILENT | {"orig_bytes": 5000, "resp_bytes": 90_000}, at=-10)
    assert evidence(talk + searched) == pytest.approx(evidence(searched) / 2, rel=0.05)
    talk[0]["hints"] = hints(speech=Speech.HTTP)
    assert evidence(talk + searched) == pytest.approx(evidence(searched), rel=0.1)


def test_a_conversation_in_parts_takes_away():
    searched = tries(FOUR)
    talk = [
        {"time": -9 * SECOND + n * SECOND, "flow_id": 5, "part": n, "state": UPDATE, "conn_state": 2,
         "resp_h": at_home(50), "resp_p": 7000, "resp_pkts": 3, "orig_bytes": 40, "resp_bytes": 400,
         "hints": hints() if n == 0 else 0}
        for n in range(4)
    ]  # fmt: skip
    assert evidence(talk + searched) == pytest.approx(evidence(searched) / 2, rel=0.05)


def test_the_parts_of_a_call_are_one():
    parts = []
    for row in tries(FOUR):
        first = row | {"state": OPEN, "orig_bytes": 600}
        last = row | {"time": row["time"] + SECOND, "part": 1, "orig_bytes": 48, "hints": 0}
        parts += [first, last]
    assert evidence(parts) == pytest.approx(evidence(tries(FOUR)), rel=0.01)


def test_names_friends_acquaintance_and_systems_weigh():
    plain = evidence(tries(FOUR))
    assert evidence(tries(FOUR, hints=hints(Named.UNKNOWN))) == pytest.approx(plain / 2, rel=0.01)
    assert evidence(tries(FOUR, hints=hints(system=0))) == pytest.approx(plain / 2, rel=0.01)
    assert top(tries(FOUR, hints=hints(Named.BY_ORIG))) == 0.0
    known = tries(FOUR, at=-4 * 86_400) + tries(FOUR)
    assert evidence(tries(FOUR)) > 2 * (2 ** score_rows(FallbackServers(), known)[-1] - 1)
    others = [row | {"orig_h": host} for host in (5, 6) for row in tries(FOUR, at=-100 * host)]
    last = score_rows(FallbackServers(), others + tries(FOUR))[-1]
    assert 2.0**last - 1.0 == pytest.approx(plain / 2, rel=0.02)


def test_ports_that_have_lists_by_design_are_nothing():
    assert top(tries(FOUR, resp_p=25)) < 1.5
    assert top(tries(FOUR, resp_p=5222)) < 1.5
    assert top(tries(FOUR, resp_p=443)) > top(tries(FOUR)) + 0.5  # no TLS


def test_whoever_shares_files_is_nothing():
    peers = tries([at_home(n % 200, n) for n in range(300)], SILENT | {"orig_bytes": 68}, every=2.0)
    for n, row in enumerate(peers):
        row["resp_p"] = 10_000 + 77 * n
    assert top(peers) < 2.2


def test_the_same_post_to_named_sites_is_a_list_too():
    posted = {"conn_state": SF, "orig_bytes": 57_700, "resp_pkts": 7}
    named = hints(Named.BY_ORIG, Speech.HTTP)
    rows = tries([at_home(n) for n in range(6)], posted, resp_p=80, hints=named)
    for n, row in enumerate(rows):
        row["orig_bytes"] += 3 * n
    assert evidence(rows) == pytest.approx(0.75 * 15, rel=0.05)
    assert top([row | {"resp_bytes": 200} for row in rows]) == 0.0
    assert top([row | {"orig_bytes": row["orig_bytes"] - 50_000} for row in rows]) == 0.0
    for n, row in enumerate(rows):
        row["orig_bytes"] += 1000 * n
    assert top(rows) == 0.0


def test_another_office_and_the_inside_are_no_list():
    private = [(0xFFFF << 32) | (10 << 24) | (n << 16) | 3 for n in range(5)]
    assert top(tries(private)) == 0.0
    assert top(tries(FOUR, local_resp=1)) == 0.0
    assert top(tries(FOUR, local_orig=0)) == 0.0


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5), st.integers(1, 3), st.sampled_from([105, 648]), st.integers(0, 3000)
        ),
        min_size=1,
        max_size=14,
    )
)
def test_the_sum_is_that_of_all_pairs(calls):
    """Against plain Python: pairs of different networks, the same words, as old and as strange as one is."""
    rows: list[dict[str, object]] = []
    tried: dict[tuple[int, int, int], tuple[int, float]] = {}
    expected: list[float] = []
    met: dict[int, int] = {}
    nameless, before = 0.0, 0
    by_time = sorted(calls, key=lambda call: call[3])
    for n, (network, narrow, said, at) in enumerate(by_time):
        host = at_home(network, 256 * narrow + 9)
        rows += tries([host], SILENT | {"orig_bytes": said}, at=at, flow_id=n)
        strange = 3.0 / (1.0 + (at - met.get(host, at)) / 86_400.0)
        key = network, narrow, said
        tried[key] = at, max(strange, tried[key][1] if key in tried else 0.0)
        nameless *= 0.5 ** ((at - before) / 86_400.0)
        before = at
        total, alike = 0.0, False
        for one, first in tried.items():
            for other, second in tried.items():
                strange = min(first[1], second[1])
                if one < other and one[2] == other[2] and one[:2] != other[:2]:
                    near = 0.5 if one[0] == other[0] else 1.0
                    total += strange * near / (1.0 + (at - min(first[0], second[0])) / 3600.0)
            alike = alike or (one[2] == said and one[:2] != (network, narrow))
        total /= 1.0 + (nameless / 12.0) ** 4
        expected.append(total if alike else math.nan)
        nameless += host not in met
        met.setdefault(host, at)
    got = 2.0 ** score_rows(FallbackServers(), rows) - 1.0
    assert got == pytest.approx(expected, rel=1e-3, nan_ok=True)

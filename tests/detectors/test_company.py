"""Contexts of TLS hellos, and the sets of 64 bits they count with, against plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_detectors.context.client_fingerprints import ClientFingerprints
from dijkwacht_detectors.context.server_fingerprints import ServerFingerprints
from dijkwacht_detectors.context.server_names import ServerNames
from dijkwacht_detectors.harness import context_columns
from dijkwacht_detectors.state.crowd import count, member

CONTEXTS = [ClientFingerprints(), ServerFingerprints(), ServerNames()]
WORD = (1 << 64) - 1
HALF = st.integers(0, WORD)


def mixed(high, low):
    h = high ^ (low * 0x9E3779B97F4A7C15 & WORD)
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD & WORD
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 & WORD
    return h ^ h >> 33


@given(bits=HALF)
def test_a_crowd_counts_its_bits(bits):
    assert count(np.uint64(bits)) == bits.bit_count()


@given(halves=st.lists(st.tuples(HALF, HALF), max_size=20))
def test_a_crowd_has_one_bit_for_each_address(halves):
    bits = 0
    for high, low in halves:
        bit = int(member(np.uint64(high), np.uint64(low)))
        assert bit == 1 << (mixed(high, low) & 63)
        bits |= bit
    assert count(np.uint64(bits)) == len({mixed(*pair) & 63 for pair in halves})


def test_a_crowd_of_twenty_is_about_twenty():
    of_twenty = []
    for start in range(0, 4000, 20):
        bits = np.uint64(0)
        for host in range(start, start + 20):
            bits |= member(np.uint64(0), np.uint64(0xFFFF0A000000 + host))
        of_twenty.append(count(bits))
    assert 16.5 < np.mean(of_twenty) < 18.5
    assert max(of_twenty) <= 20


MADE = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 10**9, 31 * 86_400 * 10**6]),
        st.integers(0, 1),
        st.integers(0, 2),
        st.integers(1, 4),
        st.integers(1, 4),
    ),
    max_size=30,
)


def crowd(hosts):
    return len({mixed(0, 0xFFFF0A000000 + host) & 63 for host in hosts})


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: context.name)
@given(made=MADE)
def test_a_hello_is_told_who_was_in_its_company(context, made):
    (column,) = context.entity
    now, rows, known, wanted = 0, [], {}, []
    for later, site, mark, orig, resp in made:
        now += later
        value = mark if column == "server_fp" else f"n{mark}"
        rows.append({"time": now, "site": site, column: value, "orig_h": orig, "resp_h": resp})
        seen = known.get((site, mark))
        if seen is None or now - seen["last"] > context.forget_after_s * 1_000_000:
            seen = known[site, mark] = {"first": now, "rows": 0, "machines": set(), "dests": set()}
        wanted.append((seen["first"], seen["rows"], crowd(seen["machines"]), crowd(seen["dests"])))
        seen["last"] = now
        seen["rows"] += 1
        seen["machines"].add(orig)
        seen["dests"].add(resp)
    told = context_columns(context, rows)
    assert list(zip(*(told[name] for name in context.columns), strict=True)) == wanted

"""Who asks for a pool's server, against those who read a pool's pages and those who resolve for others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_detectors.checks import Harness, score_rows
from dijkwacht_detectors.knowledge.mining_pools import POOLS
from dijkwacht_detectors.pool_names import PoolNames
from dijkwacht_records.addresses import pack_address

SECOND, DAY = 1_000_000, 86_400_000_000
START = 20_000 * DAY
LINE = 2.0 + 0.5 * math.log(0.1 / PoolNames.share)
"""Where what is expected is as rare as an interruption may be."""
ASKS = pack_address("192.168.1.20")
OUTSIDE, INSIDE = pack_address("9.9.9.9"), pack_address("192.168.1.1")


def asks(at, name, **values):
    return {"table": "dns", "time": START + round(at * SECOND), "orig_h": ASKS, "resp_h": INSIDE, "resp_p": 53,
            "query": name, "question": 1} | values  # fmt: skip


def calls(at, name, **values):
    return {"table": "tls", "time": START + round(at * SECOND), "orig_h": ASKS, "resp_h": OUTSIDE, "resp_p": 443,
            "server_name": name} | values  # fmt: skip


def top(rows):
    scores = score_rows(PoolNames(), rows)
    return float(np.nan_to_num(scores).max(initial=0.0))


@pytest.mark.parametrize("domain", POOLS)
def test_the_first_question_for_a_server_of_a_pool_is_told(domain):
    for server in (f"pool.{domain}", f"xmr-eu1.{domain}", f"donate.v2.{domain}"):
        assert top([asks(1, server)]) > LINE
        assert top([calls(1, server)]) > LINE, "where DNS is not seen, the hello says it"
    assert top([asks(1, f"www.{domain}"), asks(2, domain), asks(3, f"api.{domain}")]) < 0.5


@pytest.mark.parametrize(
    "row",
    [
        asks(1, "pool.nanopool.org", question=0),
        asks(1, "pool.nanopool.org.example"),
        asks(1, "notnanopool.org"),
        asks(1, "pool.notnanopool.org"),
        asks(1, "org"),
        asks(1, ""),
        asks(1, "0.pool.ntp.org"),
        calls(1, "nanopool.com"),
    ],
    ids=["answer", "longer", "other", "below another", "top", "none", "time", "other top"],
)
def test_what_is_no_question_for_a_pool_is_nothing(row):
    assert top([row]) == 0.0


def test_who_reads_a_pools_pages_now_and_then_is_quiet():
    visits = [asks(1_800 * n, f"{page}nanopool.org") for n in range(20) for page in ("", "www.")]
    assert 0.0 < top(visits) < LINE


def test_who_resolves_for_others_is_not_told():
    asked = asks(1, "pool.nanopool.org")
    passed_on = asks(1.01, "pool.nanopool.org", orig_h=INSIDE, resp_h=OUTSIDE)
    again = asks(1.02, "pool.nanopool.org", orig_h=INSIDE, resp_h=pack_address("1.1.1.1"))
    scores = score_rows(PoolNames(), [asked, passed_on, again])
    assert scores[0] > LINE
    assert np.isnan(scores[1:]).all()
    later = {"time": START + 300 * SECOND}
    assert score_rows(PoolNames(), [asked, passed_on | later])[1] > LINE, "but when nobody asked it"
    assert score_rows(PoolNames(), [asked, passed_on | {"site": 1}])[1] > LINE
    other = asks(1.01, "pool.nanopool.org", orig_h=pack_address("192.168.1.30"))
    assert score_rows(PoolNames(), [asked, other])[1] > LINE, "a second machine that mines"


ASKED = st.tuples(
    st.floats(0.0, 80_000.0),
    st.sampled_from(["pool.minexmr.com", "minexmr.com", "example.com"]),
    st.booleans(),
)


@given(st.lists(ASKED, max_size=30))
def test_scores_are_what_the_model_says(made):
    rows, wanted = [], []
    at, last, servers, pages = 0.0, 0.0, 0.0, 0.0
    for later, name, over_tls in made:
        at = round(at + later, 6)
        rows.append((calls if over_tls else asks)(at, name))
        known = servers if name.startswith("pool") else pages
        if name == "example.com" or (known > 0 and at - last < 60):
            wanted.append(math.nan)
            continue
        kept = 0.5 ** ((at - last) / 86_400)
        servers, pages, last = servers * kept, pages * kept, at
        servers, pages = (servers + 1, pages) if name.startswith("pool") else (servers, pages + 1)
        wanted.append(math.log2(1 + 8 * servers + pages / 4))
    scores = score_rows(PoolNames(), rows)
    assert scores.tolist() == pytest.approx(wanted, abs=1e-3, nan_ok=True)


def test_an_explanation_says_what_was_looked_for():
    for name, words in (("pool.zpool.ca", "servers"), ("zpool.ca", "website")):
        _, facts = Harness(PoolNames()).feed([asks(1, name)])
        told = dict(zip(PoolNames.facts, facts[-1].tolist(), strict=True))
        assert words in PoolNames().explain(told).title_en

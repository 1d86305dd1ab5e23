"""What a site knows of both ends of a flow, against a model in plain Python."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.context.hosts import Hosts
from dijkwacht_detectors.harness import Harness, Shown, context_columns
from dijkwacht_detectors.state.crowd import member
from dijkwacht_records.hints import NAMED, Named

HOUR = 3_600_000_000
DAY = 24 * HOUR
MONTH = Hosts.forget_after_s * 1_000_000
INSIDE = 0xFFFF0A000000


class Host:
    """One host as the model knows it."""

    def __init__(self, now):
        self.first = self.seen = now
        self.rows = 0
        self.callers, self.served = set(), set()
        self.met = []
        self.nameless = []
        self.awake = set()


def crowd(hosts):
    return len({int(member(np.uint64(0), np.uint64(INSIDE + host))) for host in hosts})


def lately(times, now):
    return sum(0.5 ** ((now - t) / DAY) for t in times)


def model(rows):
    hosts, told = {}, []
    for row in rows:
        now, ends, fresh = row["time"], [], []
        for end in ("orig_h", "resp_h"):
            key = row["site"], row[end]
            fresh.append(key not in hosts or now - hosts[key].seen > MONTH)
            if fresh[-1]:
                hosts[key] = Host(now)
            hosts[key].seen = now
            ends.append(hosts[key])
        orig, resp = ends
        day, hour = now // DAY, now // HOUR % 24
        earlier = {(d, h) for d, h in orig.awake if d < day}
        awake = -1
        if len({d for d, _ in earlier}) >= 3:
            awake = int(hour in {h for _, h in earlier})
        told.append(
            (
                resp.first, resp.rows, crowd(resp.callers), crowd(resp.served),
                orig.first, crowd(orig.served), lately(orig.met, now), lately(orig.nameless, now),
                lately(orig.nameless, now), awake,
            )
        )  # fmt: skip
        orig.awake.add((day, hour))
        if row["table"] == "flows":
            learn(row, orig, resp, is_new=fresh[1])
    return told


def learn(row, orig, resp, *, is_new):
    if row["part"] == 0:
        resp.rows += 1
        if is_new:
            orig.met.append(row["time"])
            if NAMED.get(row["hints"]) == Named.NOBODY and not row["local_resp"]:
                orig.nameless.append(row["time"])
    if row["local_orig"]:
        if row["part"] == 0:
            resp.callers.add(row["orig_h"])
        if row["resp_bytes"] > 0:
            resp.served.add(row["orig_h"])


LATER = st.sampled_from([0, 1, HOUR // 2, 5 * HOUR, DAY, DAY + HOUR, MONTH, MONTH + 1])
MADE = st.lists(
    st.fixed_dictionaries(
        {
            "later": LATER,
            "site": st.integers(0, 1),
            "table": st.sampled_from(["flows", "flows", "flows", "rpc", "auth", "tls"]),
            "orig_h": st.integers(1, 4),
            "resp_h": st.integers(1, 4),
            "part": st.integers(0, 1),
            "local_orig": st.integers(0, 1),
            "local_resp": st.integers(0, 1),
            "hints": st.sampled_from([NAMED.put(named) | 63 for named in Named]),
            "resp_bytes": st.integers(0, 1),
        }
    ),
    max_size=40,
)


def rows_of(made):
    now, rows = 1_700_000_000_000_000, []
    for one in made:
        now += one["later"]
        rows.append({"time": now, **one})
    return rows


@given(made=MADE)
def test_hosts_are_what_the_model_says(made):
    rows = rows_of(made)
    told = context_columns(Hosts(), rows)
    names = tuple(Hosts.columns)[:10]  # habits have a model of their own, in test_habits
    wanted = dict(zip(names, np.array(model(rows)).reshape(-1, 10).T, strict=True))
    for name, values in wanted.items():
        about = 1e-4 if name in {"orig_news", "orig_nameless", "orig_strangers"} else 0
        assert told[name].tolist() == pytest.approx(values.tolist(), abs=about), name


class Few(Hosts):
    entities_per_site = 2


class One(Hosts):
    entities_per_site = 1


@pytest.mark.parametrize("context", [Hosts(), Few(), One()], ids=["all", "two", "one"])
@settings(max_examples=40)
@given(made=MADE, cuts=st.sets(st.integers(1, 39)))
def test_steps_change_nothing_however_few_are_remembered(context, made, cuts):
    rows = rows_of(made)
    whole = context_columns(context, rows)
    harness = Harness(Shown(context), [context])
    bounds = sorted({0, *(c for c in cuts if c < len(rows)), len(rows)})
    facts = [harness.feed(rows[a:b])[1] for a, b in pairwise(bounds)]
    cut = np.concatenate([np.zeros((0, len(context.columns))), *facts])
    for place, name in enumerate(context.columns):
        assert cut[:, place].tolist() == whole[name].tolist(), name
        assert np.isfinite(whole[name]).all()
    assert (whole["dest_machines"] <= 4).all()


def test_a_responder_not_called_for_a_month_is_new():
    rows = [{"time": time, "table": "flows", "resp_h": 9} for time in (1, MONTH + 1, 2 * MONTH + 2)]
    told = context_columns(Hosts(), rows)
    assert told["dest_first"].tolist() == [1, 1, 2 * MONTH + 2]
    assert told["dest_rows"].tolist() == [0, 1, 0]


def test_one_that_calls_itself_is_one_host():
    rows = [
        {"time": t, "table": "flows", "orig_h": 5, "resp_h": 5, "resp_bytes": 9} for t in (1, 2)
    ]
    told = context_columns(Hosts(), rows)
    assert told["orig_first"].tolist() == told["dest_first"].tolist() == [1, 1]
    assert told["dest_rows"].tolist() == [0, 1]
    assert told["orig_serves"].tolist() == [0, 1]
    assert told["orig_news"].tolist() == [0, 0]


def test_a_midnight_at_which_rows_of_two_agents_mix_is_one():
    midnight = 20_000 * DAY
    rows = [
        {"time": midnight + later, "table": "flows", "orig_h": 1, "resp_h": 2}
        for later in (-1, 1, -1, 1, -1, 1, 5 * HOUR)
    ]
    assert context_columns(Hosts(), rows)["orig_awake"].tolist() == [-1] * len(rows)

"""Whom a machine called that nobody had named, against a model in plain Python."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_detectors.context.hosts import Hosts
from dijkwacht_detectors.harness import context_columns
from dijkwacht_records.hints import NAMED, Named

DAY = 86_400_000_000


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "time": st.integers(0, 3 * DAY),
                "orig_h": st.integers(1, 2),
                "resp_h": st.integers(11, 18),
                "part": st.integers(0, 1),
                "local_resp": st.integers(0, 1),
                "resp_p": st.sampled_from([80, 443, 53, 6881]),
                "named": st.sampled_from(Named),
            }
        ),
        max_size=40,
    )
)
def test_strangers_are_new_unnamed_and_at_no_web_port(made):
    rows, met, strange, wanted = [], set(), {1: [], 2: []}, []
    for row in sorted(made, key=lambda row: row["time"]):
        rows.append(row | {"table": "flows", "hints": NAMED.put(row["named"])})
        mine = strange[row["orig_h"]]
        wanted.append(sum(0.5 ** ((row["time"] - time) / DAY) for time in mine))
        odd = row["named"] == Named.NOBODY and row["resp_p"] in (53, 6881)
        if row["part"] == 0 and row["resp_h"] not in met and odd and not row["local_resp"]:
            mine.append(row["time"])
        met.add(row["resp_h"])
    told = context_columns(Hosts(), rows)["orig_strangers"].tolist()
    assert told == pytest.approx(wanted, abs=1e-4)

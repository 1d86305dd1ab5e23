"""What both ends of an upload are used to, against a model in plain Python."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_detectors.context.hosts import Hosts
from dijkwacht_detectors.harness import context_columns

DAY = 86_400_000_000
START = 20_000 * DAY
BULK = 16_384
MAIL = {443, 25, 465, 587, 993, 995}


def model(rows):
    sent, told = {}, []

    def most(key, today):
        earlier = {day: much for (k, day), much in sent.items() if k == key and day < today}
        return max((much * 0.95 ** (today - day) for day, much in earlier.items()), default=0.0)

    for row in rows:
        bulk = row["orig_bytes"] - BULK
        if bulk <= 0 or not row["local_orig"] or row["local_resp"]:
            told.append((0.0, 0.0))
            continue
        day = row["time"] // DAY
        way = "own" if row["proto"] == 6 and row["resp_p"] not in MAIL else "usual"
        ends = [("orig", row["orig_h"], way), ("dest", row["resp_h"], way)]
        told.append((sum(most(("dest", row["resp_h"], w), day) for w in ("own", "usual")),
                     most(ends[0], day)))  # fmt: skip
        for key in ends:
            sent[key, day] = sent.get((key, day), 0.0) + bulk
    return told


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "later": st.sampled_from([0, 1, DAY // 3, DAY, 5 * DAY]),
                "orig_h": st.integers(1, 2),
                "resp_h": st.integers(3, 4),
                "orig_bytes": st.sampled_from([-5, 0, BULK, BULK + 1, 10**6, 10**9]),
                "resp_p": st.sampled_from([22, 80, 443, 587]),
                "proto": st.sampled_from([6, 17]),
                "local_orig": st.integers(0, 1),
                "local_resp": st.integers(0, 1),
            }
        ),
        max_size=25,
    )
)
def test_a_habit_is_the_most_of_an_earlier_day(made):
    now, rows = START, []
    for one in made:
        now += one["later"]
        rows.append({"time": now, "table": "flows", **one})
    told = context_columns(Hosts(), rows)
    for place, name in enumerate(("dest_habit", "orig_habit")):
        assert told[name].tolist() == pytest.approx([w[place] for w in model(rows)], rel=1e-4)


def test_a_weekly_backup_is_a_habit_still_and_one_of_last_season_is_not():
    backup = {"table": "flows", "resp_h": 9, "resp_p": 22, "orig_bytes": 10**9 + BULK}
    rows = [backup | {"time": START + day * DAY} for day in (0, 7, 45)]
    assert context_columns(Hosts(), rows)["dest_habit"].tolist() == pytest.approx(
        [0.0, 0.95**7 * 1e9, 0.0], rel=1e-4
    )

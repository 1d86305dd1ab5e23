"""Calls that nobody answers: a trojan without its master against servers that are merely gone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.checks import score_rows
from dijkwacht_detectors.futile_calls import FutileCalls
from dijkwacht_detectors.harness import Harness
from dijkwacht_records.hints import NAMED, Named

SECOND, DAY = 1_000_000, 86_400_000_000
S0, SF, REJ, S3 = 1, 3, 4, 6
SPOKEN = {"conn_state": SF, "orig_bytes": 69, "resp_pkts": 4}
EMPTY = {"conn_state": SF, "resp_pkts": 3}
REFUSED = {"conn_state": REJ, "resp_pkts": 1}


def calls(count, every=0.6, kind=SPOKEN, lasts=0.5, at=0.0, **values):
    rows = []
    for n in range(count):
        start = round((at + n * every) * SECOND)
        rows.append(
            {"time": start + round(lasts * SECOND), "start": start, "flow_id": 1000 + n,
             "orig_p": 40_000 + n, "resp_p": 3396} | kind | values
        )  # fmt: skip
    return rows


def top(rows):
    scores = score_rows(FutileCalls(), rows)
    return 0.0 if np.isnan(scores).all() else float(np.nanmax(scores))


def test_the_less_there_is_to_hear_the_weaker():
    spoken, empty, refused = (top(calls(40, kind=kind)) for kind in (SPOKEN, EMPTY, REFUSED))
    assert spoken == pytest.approx(empty + np.log2(3), abs=0.1)
    assert empty == pytest.approx(refused + 1, abs=0.1)
    assert spoken > 5.0


def test_a_server_that_is_gone_says_no_more_by_the_day():
    a_minute, an_hour = top(calls(120, kind=REFUSED)), top(calls(6000, kind=REFUSED))
    assert an_hour - a_minute < 0.1
    assert top(calls(6000, kind=EMPTY)) - top(calls(120, kind=EMPTY)) < 0.1


@pytest.mark.parametrize(
    ("every", "lasts"),
    [(3.3, 0.0), (10.0, 0.1), (21.0, 21.0), (60.0, 0.1)],
    ids=["a lock", "a program that waits", "one that waits for an answer", "a monitor"],
)
def test_programs_that_take_their_time_are_nothing(every, lasts):
    for kind in (SPOKEN, EMPTY, REFUSED):
        rows = calls(400, every, kind, lasts, hints=NAMED.put(Named.BY_ORIG))
        assert top(rows) < 3.0


def test_a_burst_at_once_is_a_web_page():
    assert top(calls(60, every=0.01, kind=REFUSED)) < 1.0


def test_the_systems_own_repetitions_are_one_call():
    once = calls(20, every=1.5, kind=REFUSED, lasts=0.1)
    scores = score_rows(FutileCalls(), thrice(once))
    assert (~np.isnan(scores)).sum() == 20


def thrice(rows):
    """As Windows takes a refusal: two more from the same port."""
    return [
        row | {"start": row["start"] + k * 500_000, "time": row["time"] + k * 500_000, "flow_id": 3 * n + k}
        for n, row in enumerate(rows)
        for k in range(3)
    ]  # fmt: skip


def test_a_machine_of_windows_that_calls_a_bare_address_weighs_twice():
    bare = calls(1500, 2.1, REFUSED, 0.02, hints=NAMED.put(Named.NOBODY))
    assert top(thrice(bare)) == pytest.approx(top(bare) + 1, abs=0.05)
    for values in ({"hints": NAMED.put(Named.BY_ORIG)}, {"resp_p": 443}):
        insisting = thrice([row | values for row in bare])
        assert top(insisting) < top([row | values for row in bare]) + 0.05


def test_one_answer_halves_it():
    answer = calls(1, at=-5, kind=SPOKEN, resp_bytes=10)
    silent = calls(40)
    # which also shows that somebody serves there
    assert top([*answer, *silent]) == pytest.approx(top(silent) - 3, abs=0.2)


def test_an_answer_may_come_in_a_later_part():
    [row] = calls(1)
    opened = row | {"state": 0, "orig_bytes": 0}
    closed = row | {"part": 1, "state": 2, "resp_bytes": 50, "time": row["time"] + SECOND}
    assert np.isnan(score_rows(FutileCalls(), [opened, closed])).all()
    silent = closed | {"resp_bytes": 0}
    assert np.isnan(score_rows(FutileCalls(), [opened, silent])).tolist() == [True, False]


def test_a_server_that_hangs_up_has_said_what_it_will():
    opened = [
        row | {"state": 0} for row in calls(80, 0.4, {"conn_state": S3, "resp_pkts": 2}, 0.38)
    ]
    closed = [row | {"part": 1, "state": 2, "time": 100 * SECOND} for row in opened]
    scores = score_rows(FutileCalls(), [*opened, *closed])
    assert np.nanmax(scores) > 4.5
    assert np.isnan(scores[80:]).all(), "each is judged once"


def test_half_a_conversation_is_not_judged():
    one_sided = {"conn_state": S0, "orig_bytes": 300, "resp_pkts": 0}
    assert top(calls(60, kind=one_sided)) == 0.0
    assert top(calls(60, kind={"conn_state": 0, "resp_pkts": 2})) == 0.0
    assert top(calls(60, kind={"conn_state": SF, "resp_pkts": 0})) == 0.0


def test_inside_the_site_and_from_outside_there_is_no_opinion():
    for values in ({"local_resp": 1}, {"local_orig": 0}, {"proto": 17}):
        assert np.isnan(score_rows(FutileCalls(), calls(40, **values))).all()


def test_saying_something_else_each_time_is_less_strange():
    varied = [row | {"orig_bytes": 100 + n} for n, row in enumerate(calls(40))]
    assert top(varied) == pytest.approx(top(calls(40)) - 2, abs=0.2)


@pytest.mark.parametrize(
    ("named", "bits"), [(Named.NOBODY, 1), (Named.BY_OTHER, -1), (Named.BY_ORIG, -1)]
)
def test_a_name_explains_much(named, bits):  # fmt: skip
    assert top(calls(40, hints=NAMED.put(named))) == pytest.approx(top(calls(40)) + bits, abs=0.1)


def test_what_many_call_or_is_known_is_a_service_that_is_gone():
    alone = top(calls(40, kind=REFUSED))
    others = [row | {"orig_h": 50 + n} for n, row in enumerate(calls(4, at=-9, kind=REFUSED))]
    assert top([*others, *calls(40, kind=REFUSED)]) < alone - 1
    assert top([*calls(1, at=-1 * DAY / SECOND), *calls(40, kind=REFUSED)]) < alone - 0.8


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 30), st.floats(0, 3), st.sampled_from([SPOKEN, EMPTY, REFUSED])),
        min_size=1, max_size=25,
    )
)  # fmt: skip
def test_scores_are_those_of_a_plain_model(sequence):
    rows, wanted = [], []
    silence = {"refused": 0.0, "empty": 0.0, "spoken": 0.0}
    start = decayed_at = 0.0
    began = ended = -3600.0
    said = None
    for n, (gap, lasts, kind) in enumerate(sequence):
        start = round(start + gap, 6)
        [row] = calls(1, kind=kind, lasts=lasts, at=start, flow_id=n, orig_p=5000 + n)
        t, s = row["time"] / SECOND, row["start"] / SECOND
        rows.append(row)
        if n == 0:
            began = ended = t - 3600.0
            first = decayed_at = t
        since, pause = max(0.0, s - began), max(0.0, s - ended)
        began, ended = max(began, s), max(ended, t)
        worth = min(2 * since, 1) / ((1 + (pause / 1.5) ** 4) * (1 + (since / 4) ** 4))
        if t > decayed_at:
            silence = {k: v * 0.5 ** ((t - decayed_at) / 600) for k, v in silence.items()}
            decayed_at = t
        if kind is SPOKEN:
            silence["spoken"] += worth if said == 69 else worth / 4
            said = 69
        else:
            silence["empty" if kind is EMPTY else "refused"] += worth
        found = (
            0.5 * min(silence["refused"], 64) + min(silence["empty"], 64) + 3 * silence["spoken"]
        )
        found *= 0.5 / (1 + max(0.0, t - first) / 86_400)
        wanted.append(np.log2(1 + found))
    rows = sorted(zip(rows, wanted, strict=True), key=lambda pair: pair[0]["start"])
    scores = score_rows(FutileCalls(), [row for row, _ in rows])
    np.testing.assert_allclose(scores, [value for _, value in rows], rtol=1e-3, atol=1e-3)


def test_the_text_says_what_came_of_the_calls():
    detector = FutileCalls()
    for kind, words in (
        (SPOKEN, "no word back"),
        (EMPTY, "nothing was said"),
        (REFUSED, "refused"),
    ):
        _, facts = Harness(detector).feed(calls(20, kind=kind))
        said = detector.explain(dict(zip(detector.facts, facts[-1], strict=True)))
        assert words in said.title_en
        assert "about 20 times" in said.title_en
        for text in (said.title_en, said.title_nl):
            assert "{src}" in text
            assert "{dst}" in text

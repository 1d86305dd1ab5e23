"""A log-in that is accepted behind many refusals is told, and who errs before getting it right hardly."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.checks import score_rows
from dijkwacht_detectors.guessed_logon import GuessedLogon
from dijkwacht_detectors.harness import Harness, Sample
from dijkwacht_records.hints import SPEECH, Speech
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
OUTSIDE, INSIDE = 0xC6336407, 20
SSH, RDP, SMB, IMAP = AuthService.SSH, AuthService.RDP, AuthService.SMB, AuthService.IMAP


def row(at: float, *, good: bool = False, **values: object) -> Sample:
    """A log-in on a connection of its own."""
    made = {"table": "auth", "time": int(at), "flow_id": int(at), "orig_h": OUTSIDE, "service": SSH,
            "resp_p": 22, "failed": int(not good), "succeeded": int(good),
            "status": AuthStatus.NONE if good else AuthStatus.REFUSED}  # fmt: skip
    return made | values


def evenly(count: int, gap: float) -> list[float]:
    return [n * gap for n in range(count)]


def unevenly(count: int, gap: float) -> list[float]:
    draw = np.random.default_rng(7)
    return np.cumsum(gap * draw.uniform(0.3, 1.7, count)).tolist()


def guessed(times: Iterable[float], after: float = 30 * SECOND, **values: object) -> list[Sample]:
    """A refusal at each of ``times``, and then one that is accepted."""
    tries = [row(at, **values) for at in times]
    return [*tries, row(tries[-1]["time"] + after, good=True, **values)]


def last(rows: list[Sample]) -> float:
    score = float(score_rows(GuessedLogon(), rows)[-1])
    return 0.0 if math.isnan(score) else score


@pytest.mark.parametrize("gap", [SECOND, MINUTE, 10 * MINUTE, HOUR])
def test_ten_refusals_in_a_day_and_then_in(gap):
    found = last(guessed(unevenly(20, gap)))
    assert found > 4.5
    assert found > last(guessed(unevenly(3, gap))) + 2.0


def test_only_what_is_accepted_says_anything():
    scores = score_rows(GuessedLogon(), guessed(unevenly(30, MINUTE)))
    assert np.isnan(scores[:-1]).all()


def test_it_is_told_once():
    rows = guessed(unevenly(30, MINUTE))
    again = [row(rows[-1]["time"] + n * MINUTE, good=True) for n in range(1, 5)]
    assert np.isnan(score_rows(GuessedLogon(), [*rows, *again])[-4:]).all()


def test_refusals_fade_within_days():
    fresh, old = (last(guessed(unevenly(12, MINUTE), after)) for after in (MINUTE, 35 * HOUR))
    assert old < fresh - 1.5
    assert last(guessed(unevenly(12, MINUTE), 37 * HOUR)) == 0.0


def test_from_inside_it_weighs_less():
    assert (
        last(guessed(unevenly(30, MINUTE), orig_h=INSIDE))
        < last(guessed(unevenly(30, MINUTE))) - 2.0
    )


def test_many_accounts_weigh_more():
    how = {"service": SMB, "resp_p": 445, "method": AuthMethod.NTLM, "orig_h": INSIDE}
    one, many = (last(guessed(unevenly(40, MINUTE), accounts=n, **how)) for n in (1, 12))
    assert many > one + 1.0


@pytest.mark.parametrize(
    ("who", "service", "port"), [(INSIDE, SMB, 445), (INSIDE, SSH, 22), (OUTSIDE, IMAP, 143)]
)
@pytest.mark.parametrize("gap", [30 * SECOND, MINUTE, 15 * MINUTE])
def test_an_old_password_that_is_mended_is_hardly_noticed(who, service, port, gap):
    how = {
        "orig_h": who,
        "service": service,
        "resp_p": port,
        "accounts": 0 if service == SSH else 1,
    }
    assert last(guessed(evenly(300, gap), gap, **how)) < 2.5
    assert last(guessed(unevenly(300, gap), gap, **how)) > 4.0


def test_who_was_let_in_before_errs_more_lightly():
    before = [row(at, good=True) for at in evenly(3, HOUR)]
    rows = guessed([at + 4 * HOUR for at in unevenly(12, MINUTE)])
    assert last([*before, *rows]) < last(rows) - 2.0


def test_keys_offered_before_the_right_one_are_no_guesses():
    rows: list[Sample] = []
    for n in range(40):
        at = n * HOUR
        rows += [row(at, failed=5, flow_id=n), row(at + SECOND, good=True, flow_id=n)]
    assert np.isnan(score_rows(GuessedLogon(), rows)).all()


@pytest.mark.parametrize(
    "values",
    [
        {"method": AuthMethod.ANONYMOUS},
        {"method": AuthMethod.KERBEROS_TGS},
        {"method": AuthMethod.KERBEROS},
    ],
)
def test_what_needs_no_password_is_not_guessed(values):
    assert last(guessed(unevenly(50, MINUTE), service=SMB, resp_p=445, **values)) == 0.0


def session(at: float, **values: object) -> Sample:
    """A short session of SSH, of which only the flow is seen."""
    made = {"table": "flows", "time": int(at), "start": int(at) - 2 * SECOND, "flow_id": int(at) + 1,
            "orig_h": OUTSIDE, "resp_p": 22, "orig_bytes": 1080, "resp_bytes": 1557, "local_orig": 0,
            "local_resp": 1, "hints": SPEECH.put(Speech.SSH)}  # fmt: skip
    return made | values


def stays(at: float, minutes: int = 2) -> list[Sample]:
    """A session that goes on."""
    parts = range(4 * minutes + 1)
    return [
        session(at + n * 15 * SECOND, start=int(at), flow_id=7, part=n, state=1, orig_bytes=300)
        for n in parts
    ]


def test_without_log_ins_a_session_that_stays_behind_many_that_did_not_is_told_within_a_minute():
    tries = [session(at) for at in unevenly(30, MINUTE)]
    begun = tries[-1]["time"] + MINUTE
    harness = Harness(GuessedLogon())
    scores, facts = harness.feed([*tries, *stays(begun)])
    (told,) = np.flatnonzero(~np.isnan(scores))
    assert scores[told] > 4.5
    assert told - len(tries) <= 4  # parts of 15 s
    words = GuessedLogon().explain(dict(zip(GuessedLogon.facts, facts[told], strict=True)))
    assert "were not seen" in words.desc_en
    assert "niet gezien" in words.desc_nl


def test_so_is_one_that_is_told_much():
    tries = [session(at) for at in unevenly(30, MINUTE)]
    much = session(tries[-1]["time"] + MINUTE, part=1, state=1, resp_bytes=60_000)
    assert last([*tries, much]) > 4.5
    assert last([*tries, much | {"resp_bytes": 5_000}]) == 0.0


def test_where_log_ins_are_read_the_shape_says_nothing():
    rows: list[Sample] = []
    for n in range(40):
        at = n * 5 * MINUTE
        rows += [session(at), row(at + 1, good=True)]
    rows += stays(41 * 5 * MINUTE)
    assert np.isnan(score_rows(GuessedLogon(), rows)).all()


def test_it_says_from_where_and_after_how_many():
    _, facts = Harness(GuessedLogon()).feed(guessed(unevenly(30, SECOND), accounts=8))
    told = dict(zip(GuessedLogon.facts, facts[-1], strict=True))
    assert told["from_outside"] == 1.0
    assert told["refused"] == pytest.approx(30, abs=0.5)
    words = GuessedLogon().explain(told)
    assert "8 different accounts" in words.title_en
    assert "8 verschillende accounts" in words.title_nl
    assert "inside your network" in GuessedLogon().explain(told | {"from_outside": 0.0}).desc_en


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 40 * HOUR), st.booleans(), st.integers(0, 1 << 40)), max_size=60
    )
)
def test_a_score_is_finite_and_bounded(seen):
    rows = [row(at, good=good, failed=0 if good else n) for at, good, n in sorted(seen)]
    scores = score_rows(GuessedLogon(), rows)
    told = scores[~np.isnan(scores)]
    assert ((told > 0.0) & (told < 30.0)).all()

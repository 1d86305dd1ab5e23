"""Refusals add up where somebody guesses, and hardly where somebody or something errs."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.checks import score_rows
from dijkwacht_detectors.guessing import Guessing
from dijkwacht_detectors.harness import Harness, Sample
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus, EtypeClass

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
SSH, SMB, KERBEROS, RDP = (
    AuthService.SSH,
    AuthService.SMB,
    AuthService.KERBEROS,
    AuthService.RDP,
)
REFUSED = AuthStatus.REFUSED
OUTSIDE = bytes(10) + b"\xff\xff\xc6\x33\x64\x07"


def tries(times: Iterable[float], **values: object) -> list[Sample]:
    """A refusal at each of ``times`` (µs), each on a connection of its own."""
    row = {"service": SMB, "method": AuthMethod.NTLM, "status": REFUSED, "failed": 1, "accounts": 1}
    return [row | {"time": int(at), "flow_id": n + 1} | values for n, at in enumerate(times)]


def evenly(count: int, gap: float) -> list[float]:
    return [n * gap for n in range(count)]


def unevenly(count: int, gap: float) -> list[float]:
    draw = np.random.default_rng(7)
    return np.cumsum(gap * draw.uniform(0.3, 1.7, count)).tolist()


def top(rows: list[Sample]) -> float:
    scores = score_rows(Guessing(), sorted(rows, key=lambda row: row["time"]))
    return 0.0 if np.isnan(scores).all() else float(np.nanmax(scores))


@pytest.mark.parametrize("gap", [2 * SECOND, 30 * SECOND, MINUTE, 5 * MINUTE])
def test_one_password_on_many_accounts_adds_up_at_any_of_these_paces(gap):
    rows = [row | {"accounts": min(n + 1, 12)} for n, row in enumerate(tries(evenly(120, gap)))]
    assert top(rows) > 6.5


@pytest.mark.parametrize("gap", [30 * SECOND, MINUTE, 5 * MINUTE, HOUR])
@pytest.mark.parametrize("service", [SSH, SMB, RDP])
def test_an_old_password_is_bounded_however_long_it_is_repeated(gap, service):
    accounts = 0 if service == SSH else 1
    assert top(tries(evenly(2000, gap), service=service, accounts=accounts)) < 4.0


def test_an_old_password_hides_in_no_sum_over_targets():
    old = tries(evenly(400, MINUTE), service=AuthService.HTTP, resp_p=5000)
    slip = tries([200 * MINUTE], accounts=2, resp_h=7, flow_id=9999)
    assert top(old + slip) < top(old) + 0.5


def test_the_same_from_outside_is_no_program_of_ones_own():
    rows = tries(evenly(120, MINUTE), service=SSH, accounts=0)
    assert top([row | {"orig_h": OUTSIDE} for row in rows]) > top(rows) + 2.0


def test_a_guess_a_minute_on_one_account_tells_by_its_uneven_pace():
    assert top(tries(unevenly(240, MINUTE))) > top(tries(evenly(240, MINUTE))) + 1.5


def test_who_mistypes_is_hardly_noticed():
    typed = tries(evenly(5, 8 * SECOND), service=KERBEROS, method=AuthMethod.KERBEROS_AS)
    assert top(typed) < 2.0


def test_keys_offered_before_the_right_one_are_forgiven():
    rows: list[Sample] = []
    for n in range(200):
        [refused] = tries([n * 30 * SECOND], service=SSH, accounts=0, failed=5)
        refused = {**refused, "flow_id": n}
        rows += [refused, {**refused, "failed": 0, "succeeded": 1, "status": AuthStatus.NONE}]
    assert top(rows) < 2.0


def test_a_gateway_that_logs_everybody_in_is_not_the_one_who_guesses():
    old = tries(evenly(600, MINUTE), accounts=40)
    good = tries(evenly(3600, 10 * SECOND), accounts=40, failed=0, succeeded=1)
    for n, row in enumerate(good):
        row.update(flow_id=10_000 + n)  # type: ignore[attr-defined]
    assert top(old + good) < 4.0 < top(old) - 3.0


def test_a_log_in_behind_many_refusals_is_told_and_counts_twice():
    rows = tries(unevenly(60, 20 * SECOND), service=SSH, accounts=0)
    last = rows[-1]["time"]
    entered = tries([last + MINUTE], service=SSH, accounts=0, failed=0, succeeded=1, flow_id=999)
    scores, facts = Harness(Guessing()).feed([*rows, *entered])
    told = dict(zip(Guessing.facts, facts[-1], strict=True))
    assert told["let_in"] == 1.0
    assert scores[-1] > scores[-2] + 0.5
    assert "got in" in Guessing().explain(told).title_en


@pytest.mark.parametrize(
    "values",
    [
        {"method": AuthMethod.ANONYMOUS},
        {"method": AuthMethod.KERBEROS_TGS, "status": AuthStatus.UNKNOWN_SERVICE},
        {"service": RDP, "status": AuthStatus.RESTRICTED},
        {"failed": 0, "unknown": 1, "status": AuthStatus.PREAUTH_REQUIRED,
         "service": KERBEROS, "method": AuthMethod.KERBEROS_AS},
    ],
)  # fmt: skip
def test_no_password_is_guessed(values):
    assert top(tries(unevenly(300, SECOND), **values)) == 0.0


def tickets(count: int, etype: EtypeClass, **values: object) -> list[Sample]:
    row = {"service": KERBEROS, "method": AuthMethod.KERBEROS_TGS, "etype": etype, "succeeded": 1}
    return [row | {"time": n * SECOND, "accounts": 1} | values for n in range(count)]


def test_a_burst_of_weak_tickets_where_strong_ones_are_usual():
    strong, weak = tickets(6, EtypeClass.AES), tickets(20, EtypeClass.RC4)
    both = strong + [{**row, "time": row["time"] + HOUR} for row in weak]
    assert top(both) > 7.0
    assert top(both) > top(weak) + 1.5, "an old domain knows no others"
    assert top(strong * 20) == 0.0
    scores, facts = Harness(Guessing()).feed(both)
    told = dict(zip(Guessing.facts, facts[int(np.nanargmax(scores))], strict=True))
    assert "tickets" in Guessing().explain(told).title_en


def test_where_nobody_is_given_strong_tickets_a_sign_in_may_bring_forty_weak_ones():
    strong = [row | {"orig_h": 50} for row in tickets(3, EtypeClass.AES)]
    weak = [row | {"time": row["time"] + HOUR} for row in tickets(40, EtypeClass.RC4)]
    assert top(weak) < 4.5
    assert top(strong + weak) > 6.0, "somebody else's are enough to know that there are some"


def test_weak_tickets_are_a_custom_where_several_machines_are_given_as_many():
    server = tickets(1, EtypeClass.AES, orig_h=99, time=1)

    def office(each):
        return server + [
            row | {"orig_h": 100 + pc, "time": row["time"] + pc * 6 * 60 * SECOND}
            for pc in range(8)
            for row in tickets(each, EtypeClass.RC4)
        ]

    scores = score_rows(Guessing(), office(30))
    assert scores[30] > 5.5, "the first is not known to be one of several"
    assert np.nanmax(scores[1 + 30 * 4 :]) < 4.5
    other = {"service": AuthService.SSH, "failed": 1, "orig_h": 107, "time": 47 * 60 * SECOND}
    assert score_rows(Guessing(), [*office(30), other])[-1] < 4.5, "whatever the last row is of"
    late = [row | {"orig_h": 50, "time": row["time"] + HOUR} for row in tickets(30, EtypeClass.RC4)]
    assert np.nanmax(score_rows(Guessing(), office(7) + late)[-30:]) > 5.5


def test_accounts_that_need_no_proof_count_where_several_are_asked_for():
    asked = tickets(10, EtypeClass.RC4, method=AuthMethod.KERBEROS_AS, status=AuthStatus.NO_PREAUTH)
    many = [row | {"accounts": n + 1} for n, row in enumerate(asked)]
    assert top(many) > 5.5
    assert top(asked) == 0.0, "one account is somebody's old program"


def modelled(times: list[float], accounts: int) -> list[float]:
    """Scores of uneven refusals at one target, of more accounts than an old password has."""
    slow, fast, last, scores = 0.0, 0.0, times[0], []
    for at in times:
        slow = slow * 0.5 ** ((at - last) / (8 * HOUR)) + 1.0
        fast = fast * 0.5 ** ((at - last) / (0.5 * HOUR)) + 1.0
        last = at
        once = min(max(3.0 - fast / accounts, 0.0), 1.0)
        spread = 1.0 + 2.0 * min(max((accounts - 4) / 8, 0.0), 1.0) * once
        at_target = slow**2 / (slow + 4.0)
        scores.append(math.log2(1.0 + at_target * spread))
    return scores


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 2 * HOUR), min_size=1, max_size=60),
    st.integers(5, 64),
)
def test_as_a_plain_model_says(gaps, accounts):
    times = np.cumsum(gaps).tolist()
    scores = score_rows(Guessing(), tries(times, accounts=accounts))
    assert scores == pytest.approx(modelled(times, accounts), abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, HOUR), st.integers(1, 9)), min_size=2, max_size=40),
    st.integers(0, 39),
)
def test_a_log_in_never_makes_a_refusal_before_it_weigh_more(steps, at):
    times = np.cumsum([gap for gap, _ in steps]).tolist()
    rows = [{**row, "failed": n} for row, (_, n) in zip(tries(times), steps, strict=True)]
    place = min(at, len(rows) - 1)
    entered = {**rows[place], "failed": 0, "succeeded": 1, "status": AuthStatus.NONE}
    before, _ = Harness(Guessing()).feed(rows[: place + 1])
    both, _ = Harness(Guessing()).feed([*rows[: place + 1], entered])
    assert both[:-1].tolist() == before.tolist()


def test_a_source_of_many_targets_stays_bounded():
    rows = [row | {"resp_h": 100 + n} for n, row in enumerate(tries(evenly(500, SECOND)))]
    assert top(rows) < 3.0, "one account once at each is a neighbourhood being looked at"

"""First sessions between machines inside, against the visits of a technician."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.admin_logon import AdminLogon
from dijkwacht_detectors.checks import score_rows
from dijkwacht_records.hints import CALLED_BACK, CalledBack

SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
BEGIN = 20_000 * DAY
SSH, RDP, VNC, WINRM = 22, 3389, 5900, 5985
PC = 11


def session(port, resp, at=0, orig=PC, **values):
    return {"time": BEGIN + at, "start": BEGIN + at, "orig_h": orig, "resp_h": resp, "resp_p": port,
            "proto": 6, "state": 2, "conn_state": 3, "orig_bytes": 9000, "resp_bytes": 30_000,
            "local_orig": 1, "local_resp": 1} | values  # fmt: skip


def scores_of(rows):
    return score_rows(AdminLogon(), sorted(rows, key=lambda row: row["time"]))


def top(rows):
    return float(np.nan_to_num(scores_of(rows)).max(initial=0.0))


@pytest.mark.parametrize("port", [SSH, RDP, VNC])
def test_a_single_first_session_is_one(port):
    assert top([session(port, 20)]) == pytest.approx(1.0)
    long = [session(port, 20, n * 15 * SECOND, part=n) for n in range(500)]
    assert top(long) == pytest.approx(1.0), "however long it lasts"


@given(st.integers(1, 12), st.integers(0, 3000))
@settings(max_examples=20, deadline=None)
def test_several_at_once_count_as_many(machines, gap):
    rows = [session(SSH, 20 + n, n * gap * 1000) for n in range(machines)]
    assert top(rows) == pytest.approx(math.log2(1 + machines), abs=0.02)


def test_three_exchanges_by_powershell_weigh_as_a_command_and_four_count():
    rows = [session(WINRM, 20, n * 15 * SECOND) for n in range(100)]
    assert top(rows[:1]) == pytest.approx(math.log2(1 + 8 / 3))
    assert top(rows[:3]) == pytest.approx(math.log2(1 + 8), abs=0.05)
    assert 3.4 < top(rows) <= math.log2(1 + 32 / 3)


@pytest.mark.parametrize(
    "other",
    [
        {"resp_p": 443},
        {"proto": 17},
        {"local_orig": 0},
        {"local_resp": 0},
        {"resp_bytes": 0},
        {"orig_bytes": -5},
    ],
)
def test_what_is_no_session_inside_is_nothing(other):
    assert np.isnan(scores_of([session(RDP, 20, **other)])).all()


def test_a_greeting_is_no_session():
    greetings = [session(SSH, 20 + n, n * SECOND, orig_bytes=22, resp_bytes=41) for n in range(50)]
    assert top(greetings) < 0.1


def test_who_was_reached_before_counts_three_times():
    into = session(RDP, PC, 0, orig=30)
    assert top([into, session(SSH, 20, HOUR)]) == pytest.approx(2.0)
    assert top([into, session(SSH, 20, 5 * HOUR)]) == pytest.approx(1.0)
    commanded = CALLED_BACK.put(CalledBack.COMMANDED)
    assert top([session(SSH, 20, hints=commanded)]) == pytest.approx(2.0)


def test_what_was_called_before_somebody_came_is_not_the_visitor_s_doing():
    into = session(RDP, PC, HOUR, orig=30)
    polled = [session(WINRM, 20, n * 1000 * SECOND) for n in range(6)]
    assert top([into, *polled]) == top(polled)
    stays = [session(RDP, PC, n * 15 * SECOND, orig=30, part=n) for n in range(40)]
    command = [session(WINRM, 20, (100 + 20 * n) * SECOND) for n in range(3)]
    assert top(stays + command) > top(command) + 1.3, "who came before, and stays, may have done it"


def test_the_second_day_of_a_pair_is_nothing():
    days = [session(WINRM, 20, n * DAY + HOUR * n) for n in range(20)]
    scores = scores_of(days)
    assert scores[0] > 1.0
    assert np.isnan(scores[1:]).all()


def test_old_acquaintances_that_never_did_this_count_twice():
    chat = [session(443, 20, n * DAY) for n in range(5)]
    assert top([*chat, session(RDP, 20, 4 * DAY + HOUR)]) == pytest.approx(math.log2(3))


def test_at_a_server_it_weighs_a_third():
    visits = [session(443, 20, n, orig=40 + n) for n in range(6)]
    assert top([*visits, session(SSH, 20, SECOND)]) == pytest.approx(math.log2(1 + 1 / 3))


def test_who_opens_new_ones_each_day_may_do_so():
    days = [session(SSH, 20 + n, n * DAY) for n in range(6)]
    scores = scores_of(days)
    assert scores[0] == pytest.approx(1.0)
    assert scores[-1] < 0.5


def test_words_name_the_way_and_how_many():
    numbers = {"service": 3.0, "machines": 3.1, "led": 1.0, "evidence": 9.0, "score": 3.3}
    words = AdminLogon().explain(numbers)
    assert "2 other machines" in words.title_en
    assert "WinRM" in words.title_nl
    assert "{src} had itself been reached" in words.desc_en
    alone = AdminLogon().explain(numbers | {"machines": 0.4, "led": 0.0})
    assert "other machine" not in alone.title_en
    assert "reached" not in alone.desc_en

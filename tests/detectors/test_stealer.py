"""Who asks for its own address and then hands something in, against all who do one of the two."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dijkwacht_detectors.checks import Harness, score_rows
from dijkwacht_detectors.knowledge.own_address import TELLERS
from dijkwacht_detectors.stealer import Stealer
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.vocabulary import AuthMethod, AuthService

SECOND, DAY = 1_000_000, 86_400_000_000
START = 20_000 * DAY
OUTSIDE = pack_address("203.0.113.9")
LINE = math.log2(1 + 4.4)
"""Where what is expected is as rare as an interruption may be."""


def asks(at, name="api.ipify.org", **values):
    return {"table": "dns", "time": START + round(at * SECOND), "query": name, "question": 1} | values  # fmt: skip


def hands_in(at, **values):
    logged_in = {"table": "auth", "time": START + round(at * SECOND), "resp_h": OUTSIDE, "succeeded": 1,
                 "service": AuthService.SMTP, "method": AuthMethod.PASSWORD}  # fmt: skip
    return logged_in | values


def fetches(at, **values):
    return hands_in(at, service=AuthService.IMAP, **values)


def top(rows):
    scores = score_rows(Stealer(), sorted(rows, key=lambda row: row["time"]))
    return float(np.nan_to_num(scores).max(initial=0.0))


@pytest.mark.parametrize("name", TELLERS)
def test_a_delivery_behind_any_of_the_questions_is_told(name):
    assert top([asks(1, name), hands_in(20)]) > 3.5


@pytest.mark.parametrize(
    "delivery",
    [
        hands_in(30),
        hands_in(30, service=AuthService.FTP),
        hands_in(30, service=AuthService.FTP, succeeded=0, unknown=1),
        {"table": "tls", "time": START + 30 * SECOND, "resp_h": OUTSIDE,
         "server_name": "api.telegram.org"},
    ],
)  # fmt: skip
def test_by_mail_by_ftp_and_to_a_bot(delivery):
    assert top([asks(1), delivery]) > LINE
    over_tls = {"table": "tls", "time": START + SECOND, "server_name": "api.ipify.org"}
    assert top([over_tls, delivery]) > LINE, "where DNS is not seen, the hello says it"
    assert top([delivery]) == 0.0


@pytest.mark.parametrize(
    "rows",
    [
        [asks(1, "www.ipify.example"), hands_in(5)],
        [asks(1, "ipify.org"), hands_in(5)],
        [asks(1, question=0), hands_in(5)],
        [hands_in(1), asks(2)],
        [asks(1), hands_in(5, resp_h=pack_address("192.168.1.5"))],
        [asks(1), hands_in(5, method=AuthMethod.ANONYMOUS)],
        [asks(1), hands_in(5, succeeded=0, failed=3)],
        [asks(1), fetches(5)],
    ],
    ids=[
        "another name",
        "the service's own page",
        "an answer",
        "the other way round",
        "a server inside",
        "no account",
        "refused",
        "mail that is fetched",
    ],
)
def test_what_is_no_question_or_no_delivery_is_nothing(rows):
    assert top(rows) == 0.0


def test_mail_goes_where_it_always_went():
    assert 0.0 < top([fetches(0), asks(1), hands_in(20)]) <= 1.0
    assert top([asks(1), fetches(2), hands_in(20)]) > LINE, "unless that was met just now"


@given(st.floats(60.0, 900.0), st.floats(1.0, 3600.0))
def test_what_asks_by_the_clock_may_mail_its_reports(period, mails):
    asked = [asks(n * period) for n in range(60)]
    assert top([*asked, hands_in(40 * period + mails)]) < 1.0


def test_an_ordinary_mail_after_it_is_not_named_for_it():
    provider = pack_address("198.51.100.25")
    rows = [fetches(0, resp_h=provider), asks(1), hands_in(9), hands_in(11, resp_h=provider)]
    scores = score_rows(Stealer(), rows)
    assert scores[2] > LINE
    assert np.isnan(scores[3]), "its mail server had nothing of what was stolen"
    again = score_rows(Stealer(), [*rows[:3], hands_in(11)])
    assert again[3] > again[2], "while the same again is"


def test_what_was_long_ago_is_no_matter():
    assert top([asks(1), hands_in(3600)]) < 0.1
    assert top([asks(1), hands_in(901)]) < LINE / 10


ROW = st.one_of(
    st.fixed_dictionaries(
        {"later": st.floats(0.0, 500.0), "name": st.sampled_from(["ip-api.com", "example.com"])}
    ),
    st.fixed_dictionaries(
        {
            "later": st.floats(0.0, 500.0),
            "sure": st.sampled_from([0.0, 0.5, 1.0]),
            "known": st.booleans(),
        }
    ),
)


@given(st.lists(ROW, max_size=20))
def test_scores_are_what_the_model_says(made):
    known = pack_address("203.0.113.1")
    at, rows, wanted = 0.0, [fetches(-1, resp_h=known)], [math.nan]
    asked, questions, last, delivered = 0.0, 0.0, 0.0, 0.0
    for one in made:
        at = round(at + one["later"], 6)
        if "name" in one:
            rows.append(asks(at, one["name"]))
            wanted.append(math.nan)
            if one["name"] == "example.com" or (questions and at - asked < 2.0):
                continue
            questions = questions * 0.5 ** ((at - asked) / 86_400) + 1
            asked = at
            continue
        server = known if one["known"] else pack_address(f"198.51.100.{1 + len(rows)}")
        sure = {"succeeded": int(one["sure"] == 1.0), "unknown": int(one["sure"] == 0.5)}
        rows.append(hands_in(at, resp_h=server, **sure))
        if not one["sure"]:
            wanted.append(math.nan)
            continue
        delivered *= 0.5 ** ((at - last) / 3600)
        last = at
        worth = 0.0
        if questions:
            worth = 16 * one["sure"] * 0.5 ** ((at - asked) / 120) / max(questions, 1)
            worth *= 1 / 16 if one["known"] else 1
        delivered += worth
        assume(abs(worth - delivered / 4) > 1e-5 or not delivered)
        wanted.append(math.log2(1 + delivered) if worth >= delivered / 4 else math.nan)
    scores = score_rows(Stealer(), rows)
    assert scores.tolist() == pytest.approx(wanted, abs=1e-3, nan_ok=True)


def test_an_explanation_says_which_way_it_went():
    for service, words in ((AuthService.SMTP, "send mail"), (AuthService.FTP, "file server")):
        rows = [asks(1), hands_in(5, service=service)]
        _, facts = Harness(Stealer()).feed(rows)
        told = dict(zip(Stealer.facts, facts[-1].tolist(), strict=True))
        assert words in Stealer().explain(told).title_en

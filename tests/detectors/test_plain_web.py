"""Downloads and words in the clear: what a script fetches against what a browser, a thing or Windows does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.checks import Harness, score_rows
from dijkwacht_detectors.plain_web import PlainWeb
from dijkwacht_records.hints import (
    NAMED,
    OPTIONS,
    SPEECH,
    WINDOW,
    Named,
    Speech,
    SynOptions,
    SynWindow,
)

SECOND, DAY = 1_000_000, 86_400_000_000
OPEN, UPDATE, END = 0, 1, 2
WINDOWS = OPTIONS.put(SynOptions.TWELVE) | WINDOW.put(SynWindow.LARGE)
LINUX = OPTIONS.put(SynOptions.TWENTY) | WINDOW.put(SynWindow.LARGE)
GADGET = OPTIONS.put(SynOptions.FOUR)


def host(number):
    """An address outside: 45.0.0.number, mapped."""
    return (0xFFFF << 32) | (45 << 24) | number


def hints(named=Named.NOBODY, system=WINDOWS, speech=Speech.HTTP):
    return NAMED.put(named) | SPEECH.put(speech) | system


def fetch(at=0.0, **values):
    """One download of 360 kB at port 80, asked for in 270 bytes, over at once."""
    begun = round(at * SECOND)
    return {
        "table": "flows", "time": begun, "start": begun, "flow_id": 1 + begun, "resp_h": host(9), "resp_p": 80,
        "state": END, "orig_bytes": 270, "resp_bytes": 360_000, "hints": hints(),
    } | values  # fmt: skip


def words(at=0.0, **values):
    """A short question and a short answer."""
    return fetch(at, resp_bytes=300, **values)


def evidence(*rows):
    """What is said of the last row."""
    score = float(score_rows(PlainWeb(), list(rows))[-1])
    return 0.0 if np.isnan(score) else 2.0**score - 1.0


def test_a_bare_address_at_an_odd_port_weighs_most():
    odd, web = evidence(fetch(resp_p=12345)), evidence(fetch())
    assert odd == pytest.approx(2 * web, rel=0.01)
    assert evidence(fetch(resp_p=443)) == pytest.approx(odd, rel=0.01)
    assert evidence(fetch(resp_p=22)) < web
    assert evidence(fetch(hints=hints(Named.BY_ORIG))) < web / 20
    assert evidence(fetch(hints=hints(Named.BY_OTHER))) < web / 20
    assert evidence(fetch(hints=hints(Named.UNKNOWN))) < web / 10


def test_what_is_no_http_or_stays_inside_is_not_looked_at():
    assert evidence(fetch(hints=hints(speech=Speech.TLS))) == 0.0
    assert evidence(fetch(local_resp=1)) == 0.0
    assert evidence(fetch(local_orig=0)) == 0.0
    assert evidence(fetch(proto=17)) == 0.0
    assert evidence(fetch(resp_h=(0xFFFF << 32) | (10 << 24) | 9)) == 0.0  # another office's


def test_browsers_need_more_words_than_programs():
    web = evidence(fetch())
    assert evidence(fetch(orig_bytes=320)) == pytest.approx(web, rel=0.01)
    assert evidence(fetch(orig_bytes=640)) == pytest.approx(web / 8, rel=0.01)
    assert evidence(fetch(orig_bytes=640, resp_p=443)) > web / 2  # there no browser is at all


def test_a_script_that_says_nothing_of_itself_is_seen_behind_any_name():
    named = hints(Named.BY_ORIG)
    curt = evidence(fetch(orig_bytes=80, hints=named))
    assert curt > 6.0
    assert evidence(fetch(orig_bytes=122, hints=named)) < curt / 10  # Windows' list of certificates
    assert evidence(fetch(orig_bytes=80, hints=hints(Named.BY_ORIG, LINUX))) < curt / 50


def test_sizes_weigh():
    web = evidence(fetch())
    assert evidence(fetch(resp_bytes=8000)) == 0.0  # neither a download nor few words
    assert 0.0 < evidence(fetch(resp_bytes=20_000)) < web / 2
    assert evidence(fetch(resp_bytes=200_000_000)) < web / 10
    assert evidence(fetch(orig_bytes=60_000)) == 0.0  # a talk


def test_things_telephones_and_streams_without_a_beginning_weigh_less():
    web = evidence(fetch())
    assert evidence(fetch(hints=hints(system=LINUX))) == pytest.approx(web / 2, rel=0.01)
    assert evidence(fetch(hints=hints(system=GADGET))) == pytest.approx(web / 4, rel=0.01)
    late = fetch(hints=hints(Named.UNKNOWN, system=0))
    dns = {"table": "flows", "time": 0, "flow_id": 9, "resp_h": host(1), "resp_p": 53, "proto": 17,
           "hints": NAMED.put(Named.NOBODY)}  # fmt: skip
    assert evidence(dns, late) < web / 50


def test_dns_that_is_seen_only_later_is_nearly_as_good():
    begun = fetch(state=OPEN, resp_bytes=80_000, hints=hints(Named.UNKNOWN))
    other = fetch(
        30, flow_id=7, resp_h=host(20), resp_p=443, hints=hints(Named.BY_ORIG, speech=Speech.TLS)
    )
    over = fetch(60, flow_id=1, part=1, orig_bytes=0, resp_bytes=280_000, hints=0)
    assert evidence(begun, other, over) == pytest.approx(0.75 * evidence(fetch()), rel=0.01)
    assert evidence(begun, over) < evidence(fetch()) / 10


def test_the_parts_of_a_connection_are_one_and_told_at_its_end():
    whole = evidence(fetch())
    parts = [
        fetch(state=OPEN, orig_bytes=270, resp_bytes=10_000),
        fetch(15, flow_id=1, part=1, state=UPDATE, orig_bytes=0, resp_bytes=300_000, hints=0),
        fetch(30, flow_id=1, part=2, orig_bytes=0, resp_bytes=50_000, hints=0),
    ]
    scores = score_rows(PlainWeb(), parts)
    assert np.isnan(scores[:2]).all()
    assert 2.0 ** scores[2] - 1.0 == pytest.approx(whole, rel=0.01)


def test_the_flow_of_another_agent_that_has_the_same_number_is_another():
    begun = fetch(state=OPEN, resp_bytes=0)
    other = fetch(60, flow_id=1, part=1, resp_h=host(77), resp_p=993, resp_bytes=360_000, hints=0)
    assert evidence(begun, other) == 0.0, "nobody fetched anything there in the clear"
    assert evidence(begun, other, fetch(61, flow_id=1, part=1, orig_bytes=0, hints=0)) > 6.0


def test_pages_share_one_weight_and_repetitions_fade():
    web = evidence(fetch())
    page = [fetch(0.2 * n, state=OPEN, resp_bytes=0) for n in range(4)]
    ends = [fetch(1 + n, flow_id=row["flow_id"], part=1, orig_bytes=0, hints=0)
            for n, row in enumerate(page)]  # fmt: skip
    assert evidence(*page, ends[0]) == pytest.approx(web / 4, rel=0.05)
    again = [fetch(60 * n) for n in range(40)]
    assert evidence(*again) < 1.7 * web
    assert evidence(*(fetch(60 * n, resp_h=host(n)) for n in range(2))) > 1.5 * web


def test_words_add_up_to_a_bound():
    one = evidence(words(resp_p=12345))
    assert one == pytest.approx(0.25, rel=0.01)
    for many, expected in ((8, 2.0), (16, 4.0), (60, 4.0)):
        rows = [words(20 * n, resp_p=12345) for n in range(many)]
        total = np.nanmax(score_rows(PlainWeb(), rows))
        assert 2.0**total - 1.0 == pytest.approx(expected, rel=0.15)
    named = hints(Named.BY_ORIG)
    assert evidence(words(hints=named)) == 0.0
    assert evidence(words(hints=named, resp_p=443)) == pytest.approx(1.0, rel=0.01)
    assert evidence(words(hints=hints(system=LINUX), resp_p=12345)) < one / 4


def asks(at=0.0, name="api.ipify.org", **values):
    """A question to DNS for a service that tells who asks its address."""
    return {"table": "dns", "time": round(at * SECOND), "query": name, "question": 1} | values


def named_call(at, number=20, **values):
    return words(at, resp_h=host(number), hints=hints(Named.BY_ORIG), **values)


def reports(begins, count=7, **values):
    """Words to one server with a name, every two minutes."""
    return [named_call(begins + 120 * n, **values) for n in range(count)]


def strongest(rows):
    rising = sorted(rows, key=lambda row: row["time"])
    return 2.0 ** float(np.nan_to_num(score_rows(PlainWeb(), rising)).max(initial=0.0)) - 1.0


TELLER = named_call(0.5, 8)


def test_who_asks_for_its_own_address_and_then_reports_by_name_is_told():
    asked = [asks(), TELLER, *reports(4)]
    assert strongest(asked) > 4.6
    assert strongest([TELLER, *reports(4)]) == 0.0
    assert strongest([asks(name="www.example.org"), TELLER, *reports(4)]) == 0.0
    assert strongest([asks(question=0), TELLER, *reports(4)]) == 0.0
    assert strongest([asks(orig_h=99), TELLER, *reports(4)]) == 0.0


def test_one_exchange_and_the_answer_itself_say_nothing():
    assert strongest([asks(), TELLER, named_call(4)]) == 0.0
    assert strongest([asks(), *reports(0.5)]) == 0.0  # a program that keeps asking where it is
    assert strongest([asks(), TELLER, named_call(4), named_call(64, 21), named_call(90, 22)]) == 0.0


def test_what_was_known_before_or_is_asked_by_the_clock_weighs_little():
    asked = strongest([asks(), TELLER, *reports(4)])
    known = [*reports(-1800), asks(), TELLER, *reports(4)]
    assert strongest(known) < asked / 50
    clock = [asks(300 * n - 7200) for n in range(24)]
    assert strongest([*clock, asks(), TELLER, *reports(4)]) < asked / 12
    assert strongest([asks(), TELLER, *reports(3600)]) < asked / 6


def test_who_asks_once_a_day_is_no_clock():
    asked = strongest([asks(), TELLER, *reports(4)])
    daily = [asks(-86_000 * n) for n in range(1, 30)]
    assert strongest([*daily, asks(), TELLER, *reports(4)]) > asked / 2.5


def test_pages_things_and_browsers_weigh_less_after_the_question_too():
    asked = strongest([asks(), TELLER, *reports(4)])
    assert strongest([asks(), TELLER, *reports(4, orig_bytes=640)]) < asked / 6
    linux = [row | {"hints": hints(Named.BY_ORIG, LINUX)} for row in reports(4)]
    assert strongest([asks(), TELLER, *linux]) < asked / 6
    page = [named_call(4 + 0.3 * n) for n in range(12)]
    assert strongest([asks(), TELLER, *page]) < asked


def test_two_types_asked_at_once_are_one_question():
    once, twice = [asks()], [asks(), asks(0.01, qtype=28)]
    assert strongest([*twice, TELLER, *reports(4)]) == pytest.approx(
        strongest([*once, TELLER, *reports(4)]), rel=0.02
    )


def test_a_script_without_a_word_about_itself_may_be_small():
    named = hints(Named.BY_ORIG)
    small = evidence(fetch(orig_bytes=70, resp_bytes=16_000, hints=named))
    assert small > 0.6 * evidence(fetch(orig_bytes=70, hints=named))
    assert evidence(fetch(orig_bytes=200, resp_bytes=16_000, hints=named)) < small / 20


def test_acquaintance_and_company_take_away():
    web = evidence(fetch())
    known = [fetch(-4 * 86_400, resp_bytes=100, hints=hints(Named.BY_ORIG)), fetch()]
    assert evidence(*known) < web / 2
    others = [fetch(-10 * n, orig_h=40 + n, hints=hints(Named.BY_ORIG)) for n in (3, 2, 1)]
    assert evidence(*others, fetch()) < web / 2
    wanderer = [words(-100 + n, resp_h=host(100 + n), resp_p=7000, state=OPEN) for n in range(60)]
    assert evidence(*wanderer, fetch()) < web / 4


def test_who_said_little_is_not_named_for_what_others_said():
    named = hints(Named.BY_ORIG)
    strong = fetch(resp_p=12345)
    weak = fetch(40, resp_h=host(20), hints=named)
    assert evidence(weak) > 0.05
    assert evidence(strong, weak) == 0.0
    assert evidence(strong, fetch(40, resp_h=host(20))) > evidence(strong)


def test_half_is_forgotten_in_two_hours():
    now = evidence(fetch(), fetch(resp_h=host(7), flow_id=2))
    later = evidence(fetch(), fetch(7200, resp_h=host(7)))
    assert later == pytest.approx(0.75 * now, rel=0.02)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.integers(0, 400), st.sampled_from([OPEN, UPDATE, END]),
            st.integers(-5, 1 << 62), st.integers(-5, 1 << 62), st.sampled_from([0, hints()]),
        ),
        max_size=40,
    )
)  # fmt: skip
def test_any_rows_give_bounded_scores(told):
    rows = [
        {"table": "flows", "time": at * SECOND, "start": at * SECOND, "flow_id": flow, "resp_h": host(flow), "state": state,
         "part": 0 if shown else 1, "orig_bytes": sent, "resp_bytes": heard, "hints": shown}
        for flow, at, state, sent, heard, shown in sorted(told, key=lambda one: one[1])
    ]  # fmt: skip
    scores = score_rows(PlainWeb(), rows)
    opinions = scores[~np.isnan(scores)]
    assert (opinions >= 0.0).all()
    assert (opinions < 8.0).all()
    ends = np.array([row["state"] == END for row in rows], bool)
    assert np.isnan(scores[~ends]).all()


def test_what_an_owner_reads_is_true_of_what_was_seen():
    told = PlainWeb().explain(
        {"fetched_kb": 362.9, "asked_bytes": 275.0, "calls": 0.0, "unnamed": 1.0, "odd_port": 1.0,
         "asked_itself": 0.0, "evidence": 14.0, "fetched_before": 0.0, "score": 3.9}
    )  # fmt: skip
    assert "363 kB" in told.title_en
    assert "not looked up" in told.desc_en
    assert "fewer words" in told.desc_en
    called = PlainWeb().explain(
        {"fetched_kb": 0.0, "asked_bytes": 500.0, "calls": 7.0, "unnamed": 0.0, "odd_port": 1.0,
         "asked_itself": 1.0, "evidence": 6.0, "fetched_before": 0.0, "score": 2.8}
    )  # fmt: skip
    assert "7 times" in called.desc_en
    assert "7 keer" in called.desc_nl
    assert "which address it has" in called.desc_en
    assert "welk adres" in called.desc_nl
    assert "which address it has" not in told.desc_en
    assert "looked up" not in called.desc_en
    large = PlainWeb().explain(
        {"fetched_kb": 2_345.0, "asked_bytes": 500.0, "calls": 0.0, "unnamed": 0.0, "odd_port": 0.0,
         "asked_itself": 0.0, "evidence": 6.0, "fetched_before": 0.0, "score": 2.8}
    )  # fmt: skip
    assert "2,3 MB" in large.title_nl
    assert "words" not in large.desc_en


def test_words_with_a_server_that_something_was_fetched_from_do_not_hide_that():
    detector = PlainWeb()
    rows = [fetch(resp_p=12345), words(50, resp_p=12345), words(90, resp_p=12345, resp_h=host(7))]
    _, facts = Harness(detector).feed(rows[:2])
    told = detector.explain(dict(zip(detector.facts, facts[-1].tolist(), strict=True)))
    assert "fetched something" in told.title_en
    assert "een kort bericht" in told.title_nl
    assert not told.technique
    _, facts = Harness(detector).feed(rows[1:])
    told = detector.explain(dict(zip(detector.facts, facts[-1].tolist(), strict=True)))
    assert "fetched" not in told.title_en
    assert "It did so once." in told.desc_en
    assert told.technique == "T1071.001"

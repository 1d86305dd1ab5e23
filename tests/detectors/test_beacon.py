"""Beacons: who calls by the clock and has a reason, and who has none."""

from __future__ import annotations

import numpy as np
import pytest

from dijkwacht_detectors.beacon import Beacon
from dijkwacht_detectors.beacon_names import BeaconNames
from dijkwacht_detectors.checks import Harness, score_rows
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
from dijkwacht_records.tables import ConnState

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
OUTSIDE = 0xC6336409
BARE, BY_NAME = (NAMED.put(named) for named in (Named.NOBODY, Named.BY_ORIG))
MICROCONTROLLER = OPTIONS.put(SynOptions.FOUR) | WINDOW.put(SynWindow.SMALL)
WINDOWS = OPTIONS.put(SynOptions.TWELVE) | WINDOW.put(SynWindow.LARGE)


def calls(gaps, **values):
    row = {"resp_p": 4444, "resp_h": OUTSIDE, "orig_bytes": 300, "resp_bytes": 200, "resp_pkts": 4,
           "conn_state": ConnState.SF, "hints": BARE} | values  # fmt: skip
    starts = np.cumsum(np.array(gaps) * SECOND).astype(int).tolist()
    return [row | {"time": at, "start": at} for at in starts]


def top(rows, detector=None):
    scores = score_rows(detector or Beacon(), rows)
    return float(np.nanmax(scores)) if not np.isnan(scores).all() else 0.0


def test_the_regular_is_odd_and_chance_is_not():
    draw = np.random.default_rng(1)
    even = top(calls([60.0] * 100))
    half = top(calls(60 * draw.uniform(0.5, 1.5, 100)))
    assert even >= half > even - 0.7
    assert half > top(calls(draw.exponential(60, 100))) + 2.0


def test_it_grows_with_the_hours():
    of = [top(calls([600.0] * (6 * hours))) for hours in (2, 8, 24)]
    assert of == sorted(of)
    assert of[2] > of[0] + 1.5


def test_what_has_no_name_is_odder_but_at_443_less_and_not_where_nothing_has():
    by_name, bare = top(calls([30.0] * 60, hints=BY_NAME)), top(calls([30.0] * 60))
    assert bare > by_name + 3.0
    assert top(calls([30.0] * 60, resp_p=443)) < bare - 0.8
    unseen = [
        {"time": n, "start": n, "resp_h": OUTSIDE + 9 + n, "resp_p": 443, "hints": BARE}
        for n in range(60)
    ]
    assert top([*unseen, *calls([30.0] * 60, resp_p=443)]) < top(calls([30.0] * 60, resp_p=443)) - 3


def test_where_dns_is_not_seen_the_web_counts_at_a_pace_of_seconds_only():
    paces = [top(calls([gap] * 200, resp_p=443, hints=0)) for gap in (1.0, 2.0, 5.0, 15.0, 60.0)]
    assert paces == sorted(paces, reverse=True)
    assert paces[1] > 5.7
    assert paces[3] < 3.0


def test_a_name_holds_though_it_is_asked_for_once():
    rows = calls([30.0] * 60)
    rows[0]["hints"] = BY_NAME
    assert top(rows) == top(calls([30.0] * 60, hints=BY_NAME))


INNOCENT = {
    "telemetry by name": ([3.0] * 28_000, {"resp_p": 443, "hints": BY_NAME}),
    "an updater": ([300.0] * 288, {"resp_p": 443, "hints": BY_NAME}),
    "clocks": ([64.0] * 1300, {"resp_p": 123, "proto": 17}),
    "a lock whose server is gone": (
        [3.3] * 20_000,
        {"resp_p": 9999, "hints": BY_NAME, "conn_state": ConnState.S0, "resp_bytes": 0, "resp_pkts": 0},
    ),
    "refused by a bare address": (
        [3.3] * 20_000,
        {"resp_p": 9999, "conn_state": ConnState.REJ, "resp_bytes": 0},
    ),
    "reports to its maker": ([30.0] * 2800, {"resp_p": 8088, "hints": BY_NAME}),
    "a camera keeps its NAT open": ([20.0] * 4000, {"resp_p": 32_100, "proto": 17}),
    "a hub asks a lamp": ([10.0] * 8000, {"resp_p": 80, "resp_h": 7, "local_resp": 1}),
    "monitoring inside": ([60.0] * 1400, {"resp_p": 5432, "resp_h": 7, "local_resp": 1}),
    "an inverter": ([60.0] * 1400, {"resp_p": 10_000, "hints": BARE | MICROCONTROLLER}),
    "mail": ([120.0] * 700, {"resp_p": 993}),
}  # fmt: skip


@pytest.mark.parametrize("who", INNOCENT)
def test_the_innocent_stay_low_all_day(who):
    gaps, values = INNOCENT[who]
    assert top(calls(gaps, **values)) < 5.3


@pytest.mark.parametrize(
    "values",
    [
        {"resp_h": 0xE00000FB, "resp_p": 5000, "proto": 17},
        {"resp_h": 0x0A0000FF, "resp_p": 5000, "proto": 17, "local_resp": 1},
        {"resp_h": bytes([0xFF, 2]) + bytes(13) + b"\2", "proto": 58, "resp_p": 133},
        {"local_orig": 0, "local_resp": 1},
        {"part": 1},
    ],
    ids=["a group", "everybody", "a router solicitation", "from outside", "no first part"],
)
def test_what_is_no_call_has_no_score(values):
    assert np.isnan(score_rows(Beacon(), calls([30.0] * 40, **values))).all()


def test_a_line_that_is_renewed_whenever_it_ends_is_no_timer():
    paused = calls([600.0] * 48, resp_p=443, part=0)
    renewed = []
    for row in paused:
        renewed.append(row)
        renewed += [
            row | {"part": part, "time": row["start"] + part * 99 * SECOND} for part in range(1, 7)
        ]
    assert top(renewed) < top(paused) - 2.5
    assert top([row for row in renewed if row["part"] < 2]) > top(paused) - 0.1, "there is a pause"


def test_a_messenger_that_comes_back_soon_after_its_line_ended_is_no_timer():
    held, short = [], []
    day = [1800.0] * 16 + [16 * 3600.0]
    for row in calls(day * 3, resp_p=8080):
        held += [row, row | {"part": 1, "time": row["start"] + 1710 * SECOND}]
        short += [row, row | {"part": 1, "time": row["start"] + 60 * SECOND}]
    assert top(held) < 4.6, "nor is it one in the morning"
    assert top(short) > top(held) + 2.0


def test_only_a_microcontroller_is_excused_by_how_it_opens():
    rows = [30.0] * 60
    assert top(calls(rows, hints=BARE | WINDOWS)) == top(calls(rows))
    assert top(calls(rows, hints=BARE | MICROCONTROLLER)) < top(calls(rows)) - 3.0
    large = OPTIONS.put(SynOptions.FOUR) | WINDOW.put(SynWindow.LARGE)
    assert top(calls(rows, hints=BARE | large)) == top(calls(rows))


def test_http_in_the_clear_from_a_workstation_counts_twice_where_dns_is_not_seen_too():
    web = {"resp_p": 80, "resp_bytes": 200}
    plain = SPEECH.put(Speech.HTTP) | WINDOWS
    for named in (0, BARE):
        twice = top(calls([5.0] * 200, **web, hints=named | plain))
        assert twice == pytest.approx(top(calls([5.0] * 200, **web, hints=named)) + 1.0, abs=0.05)
    named = top(calls([5.0] * 200, **web, hints=BY_NAME | plain))
    assert named == top(calls([5.0] * 200, **web, hints=BY_NAME))


def test_a_call_a_second_that_is_accepted_and_never_answered_is_odd_anywhere():
    mute = {"resp_p": 443, "hints": BY_NAME, "resp_bytes": 0}
    assert top(calls([0.4] * 60, **mute)) > 6.0
    assert top(calls([0.4] * 60, resp_p=443, hints=BY_NAME)) < 3.0
    assert top(calls([5.0] * 60, **mute)) < 3.0


def test_who_answers_late_is_not_called_silent():
    begun = [row | {"resp_bytes": 0, "flow_id": n} for n, row in enumerate(calls([60.0] * 30))]
    ended = [
        row | {"time": row["time"] + 3 * SECOND, "part": 1, "resp_bytes": 154} for row in begun
    ]
    detector = Beacon()
    at = detector.facts.index("unanswered")
    _, facts = Harness(detector).feed(begun)
    assert facts[-1, at] > 0.9
    rows = [row for both in zip(begun, ended, strict=True) for row in both]
    _, facts = Harness(detector).feed(rows)
    assert facts[-2, at] == 0.0


def test_what_many_use_or_is_known_for_days_is_odd_for_nobody():
    alone = top(calls([60.0] * 200))
    rows = sorted(
        (row for host in range(1, 9) for row in calls([60.0] * 200, orig_h=host)),
        key=lambda row: row["time"],
    )
    assert top(rows) < alone - 1.0
    met = {"time": 1, "start": 1, "resp_h": OUTSIDE, "resp_p": 80, "hints": BARE}
    later = calls([10.0 * 86_400] + [60.0] * 200)
    assert top([met, *later]) < alone - 1.5


def test_a_device_that_begins_to_call_a_stranger_is_odder_than_on_its_first_day():
    rows = calls([3600.0] * 96, resp_h=OUTSIDE + 1, hints=BY_NAME, resp_p=443)
    begin = rows[-1]["time"]
    later = [
        row | {"time": row["time"] + begin, "start": row["start"] + begin}
        for row in calls([60.0] * 40)
    ]
    assert top([*rows, *later]) > top(calls([60.0] * 40)) + 1.5


@pytest.mark.parametrize("unanswered", [0.0, 1.0])
@pytest.mark.parametrize("unnamed", [0.0, 1.0])
def test_its_words_say_what_is_odd(unanswered, unnamed):
    facts = {"interval_s": 61.0, "calls": 40.0, "unnamed": unnamed, "unanswered": unanswered}
    words = Beacon().explain(facts)
    assert ("says nothing" in words.desc_en) == bool(unanswered)
    assert ("by name" in words.desc_en) == bool(unnamed and not unanswered)
    assert "61 seconden" in words.title_nl


def hellos(gaps, begin=0, **values):
    row = {"server_name": "a.example", "ja4": "common"} | values
    times = (begin + np.cumsum(np.array(gaps) * SECOND)).astype(int).tolist()
    return [row | {"time": at} for at in times]


def test_names_are_followed_over_their_addresses_and_nameless_hellos_are_not():
    rows = hellos([30.0] * 40)
    moved = [row | {"resp_h": 100 + n % 7} for n, row in enumerate(rows)]
    assert top(moved, BeaconNames()) == top(rows, BeaconNames()) > 2.0
    assert np.isnan(score_rows(BeaconNames(), hellos([30.0] * 40, server_name=""))).all()


def test_telemetry_by_name_stays_low_from_the_first_day_on():
    assert top(hellos([3.0] * 28_000), BeaconNames()) < 5.0


def test_a_name_that_is_new_to_one_known_machine_is_odd_the_more_with_a_program_of_its_own():
    def known(ja4):
        # what its browser does for days, to many servers
        return [
            row | {"resp_h": 10 + n % 9, "server_name": f"w{n % 9}.example", "ja4": ja4}
            for n, row in enumerate(hellos([3600.0] * 100))
        ]

    first_day = top(hellos([60.0] * 200), BeaconNames())
    begin = 101 * HOUR
    new = top([*known("common"), *hellos([60.0] * 200, begin)], BeaconNames())
    own = top([*known("common"), *hellos([60.0] * 200, begin, ja4="own")], BeaconNames())
    assert new > first_day + 2.0
    assert own > new + 1.0
    others = [
        row
        for host in range(1, 6)
        for row in hellos([60.0] * 200, begin + host * SECOND, orig_h=host)
    ]
    shared = [*known("common"), *sorted(others, key=lambda row: row["time"])]
    assert np.nanmax(score_rows(BeaconNames(), shared)[-200:]) < new - 2.0


def test_the_words_of_names_say_since_when_only_while_it_is_new():
    facts = {"interval_s": 1200.0, "calls": 90.0, "known_days": 0.5}
    assert "two days" in BeaconNames().explain(facts).desc_en
    assert "twee dagen" not in BeaconNames().explain(facts | {"known_days": 4.0}).desc_nl

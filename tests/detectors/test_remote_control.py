"""A line that a stranger holds against the lines that ordinary programs hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.checks import score_rows
from dijkwacht_detectors.remote_control import RemoteControl
from dijkwacht_records.hints import NAMED, RESP_FIRST, SPEECH, Named, Speech
from dijkwacht_records.tables import FlowState

SECOND = 1_000_000
DAY = 86_400 * SECOND
OPEN, UPDATE, END = FlowState.OPEN, FlowState.UPDATE, FlowState.END


def top(rows):
    scores = score_rows(RemoteControl(), rows)
    return float(np.nanmax(scores)) if not np.isnan(scores).all() else 0.0


def flow(time, **values):
    return {"table": "flows", "time": time, "start": 0, "state": UPDATE, "part": 1} | values


def line(minutes=60, pause=20, *, named=Named.NOBODY, speech=Speech.BYTES, first=0, **values):
    """A line with an exchange every ``pause`` seconds, told every eight turns."""
    ends = {"resp_h": 77, "resp_p": 5200, "local_orig": 1} | values
    begun = ends.pop("begun", 0)
    sizes = {"orig_size": 52, "orig_share": 100, "resp_size": 12, "resp_share": 100}
    sizes = {name: ends.pop(name, usual) for name, usual in sizes.items()}
    moved = {"orig_bytes": ends.pop("orig_bytes", 208), "resp_bytes": ends.pop("resp_bytes", 48)}
    hints = NAMED.put(named) | SPEECH.put(speech) | RESP_FIRST.put(first)
    rows = [flow(begun, start=begun, part=0, state=OPEN, hints=hints, **ends)]
    talk = {"table": "talks", "turns": 8, "orig_turns": 4, "gap": 1000 * pause} | sizes
    for n in range(1, round(minutes * 60 / (4 * pause)) + 1):
        time = begun + 4 * n * pause * SECOND
        rows.append(flow(time, start=begun, part=n, **moved, **ends))
        rows.append(talk | {"time": time} | ends)
    return rows


def acquaintance(days, news_a_day=0):
    """A site that has known the machine for so long, and what it calls beside."""
    rows = [flow(0, part=0, state=END, resp_h=77, resp_p=443, local_orig=1)]
    for n in range(days * news_a_day):
        at = (n + 1) * DAY // news_a_day
        rows.append(flow(at, start=at, part=0, state=END, resp_h=1000 + n, resp_p=443))
    return rows


def test_a_line_to_a_stranger_stands_out():
    assert top(line()) > 7.0
    assert top(line(pause=60)) > 6.5


@pytest.mark.parametrize(
    "values",
    [
        {"resp_p": 443, "speech": Speech.TLS},  # everything
        {"resp_p": 443, "first": 1},  # messengers that pass firewalls
        {"resp_p": 5222, "pause": 30},
        {"resp_p": 5228, "speech": Speech.TLS, "named": Named.UNKNOWN},
        {"resp_p": 8883, "speech": Speech.TLS, "pause": 60},  # telemetry
        {"resp_p": 1883, "pause": 30, "named": Named.BY_ORIG},
        {"resp_p": 5938},  # remote support
        {"resp_p": 22, "speech": Speech.SSH},  # an administrator
        {"resp_p": 27_020},  # games
        {"resp_p": 9999, "pause": 240, "named": Named.BY_ORIG},  # a lock's hub
        {"local_resp": 1},  # inside, devices keep lines of all kinds
        {"resp_p": 7533, "speech": Speech.TLS, "named": Named.BY_ORIG},  # a device's cloud
        {"resp_p": 80, "speech": Speech.HTTP, "pause": 30},  # a device that reports
        {"proto": 17},
        {"resp_p": 8100, "pause": 5, "named": Named.BY_ORIG},  # a device's line to its maker
        {"resp_p": 8100, "pause": 5, "named": Named.UNKNOWN, "orig_bytes": 5000},
        {"resp_p": 80, "pause": 1, "speech": Speech.HTTP, "named": Named.BY_ORIG},
    ],
)
def test_lines_that_ordinary_programs_hold_are_quiet(values):
    assert top(line(**values)) < 5.8 < top(line())


def test_what_the_site_has_known_for_weeks_is_quiet():
    late = line(begun=14 * DAY)
    assert top(acquaintance(14) + late) < top(late) - 3.5


def test_a_device_calls_nothing_new_and_a_person_does():
    late = {"begun": 8 * DAY, "resp_h": 78}
    device, person = acquaintance(8), acquaintance(8, news_a_day=30)
    assert top(person + line(**late)) > top(device + line(**late)) + 0.5
    assert top(person + line(**late)) > top(line()) + 0.5  # what is new to an old site
    assert top(device + line(**late)) > top(device + line(begun=8 * DAY)) + 1.0
    named = {"named": Named.BY_ORIG, "first": 1}
    assert top(person + line(**late, **named)) > 5.8 > top(device + line(**late, **named)) + 1.5


def test_a_copy_of_hours_is_no_line_that_somebody_steers():
    def copied(bytes_a_minute):
        rows = line(minutes=120, resp_p=31_536, orig_bytes=bytes_a_minute * 4 // 3)
        return [row for row in rows if row["table"] == "flows"]

    assert top(copied(40_000_000)) < top(copied(2_000)) - 3.0
    talked = line(minutes=120, resp_p=31_536, orig_bytes=40_000_000)
    assert top(talked) > top(line(minutes=120, resp_p=31_536)) - 0.1, "a screen that is watched is"


def test_peers_of_file_sharing_weigh_little():
    unnamed = NAMED.put(Named.NOBODY)
    peers = [
        flow(n, start=n, part=0, state=END, resp_h=1000 + n, resp_p=6881, hints=unnamed)
        for n in range(150)
    ]
    late = line(begun=SECOND)
    assert top(peers + late) < top(late) - 3.0


def test_polling_within_a_connection_counts_where_it_repeats():
    polls = {
        "resp_p": 80,
        "speech": Speech.HTTP,
        "named": Named.UNKNOWN,
        "minutes": 2,
        "pause": 0.5,
    }
    assert top(line(**polls)) > 6.0
    assert top(line(**polls, orig_share=25, resp_share=25)) == 0.0
    assert top(line(**polls, resp_size=4000)) < top(line(**polls)) - 3.0


def test_a_person_who_types_counts_for_less_than_a_program_and_what_leaves_for_more():
    typed = {"speech": Speech.TEXT, "orig_share": 25, "resp_share": 25, "minutes": 10, "pause": 10}
    into = {"orig_bytes": 50, "resp_bytes": 5000}
    assert top(line(minutes=10, pause=10)) > top(line(**typed, **into)) > 4.0
    assert top(line(**typed, orig_bytes=5000)) > top(line(**typed, **into)) + 0.7


def test_words_and_orders_count_where_nobody_knows_the_name():
    unknown = {"named": Named.UNKNOWN}
    assert top(line(**unknown)) < 5.0
    assert top(line(**unknown, first=1)) > top(line(**unknown)) + 1.0
    assert top(line(**unknown, speech=Speech.TEXT)) > 5.8
    assert top(line(**unknown, speech=Speech.TEXT, resp_p=5222)) < 2.0
    assert top(line(**unknown, speech=Speech.SSH, first=1)) < 4.0
    named = line(named=Named.BY_ORIG, speech=Speech.TEXT)
    assert top(named) < top(line(**unknown, speech=Speech.TEXT)) - 2.0


SHELL = {
    "local_resp": 1, "resp_p": 4444, "speech": Speech.TEXT, "first": 1, "minutes": 10, "pause": 10,
    "orig_share": 25, "resp_share": 25, "orig_bytes": 5000, "resp_bytes": 60,
}  # fmt: skip


def test_a_shell_that_called_back_inside_stands_out():
    assert top(line(**SHELL)) > 5.8


@pytest.mark.parametrize(
    "values",
    [
        {"first": 0},  # whoever reports
        {"orig_bytes": 60, "resp_bytes": 5000},  # a technician at a device's console
        {"orig_bytes": 60, "resp_bytes": 60},
        {"speech": Speech.BYTES},  # desks that share a mouse
        {"resp_p": 5900},
        {"resp_p": 8080},
        {"named": Named.BY_ORIG},
    ],
)
def test_what_else_speaks_first_inside_is_quiet(values):
    assert top(line(**SHELL | values)) < 5.0


def test_a_server_inside_that_several_call_and_speaks_first_is_quiet():
    others = [
        flow(n, start=n, part=0, state=END, orig_h=900 + n, resp_h=77, resp_p=4444, local_resp=1)
        for n in range(6)
    ]
    assert top(others + line(**SHELL, begun=SECOND)) < top(line(**SHELL)) - 2.0


def calls(count, **values):
    hints = NAMED.put(Named.BY_ORIG) | SPEECH.put(Speech.HTTP)
    row = {"resp_p": 443, "resp_h": 78, "hints": hints, "orig_bytes": 300, "resp_bytes": 150}
    return [
        flow(n * 30 * SECOND, start=n * 30 * SECOND, flow_id=n, part=0, state=END, **row | values)
        for n in range(count)
    ]


def test_plain_http_where_tls_is_at_home_counts_by_small_calls():
    assert top(calls(2)) < 4.6 < top(calls(4)) < 5.8 < top(calls(7))
    assert top(calls(300)) == pytest.approx(math.log2(161), abs=0.1)
    assert top(calls(7, orig_bytes=9000)) < 2.5, "a proxy's"
    assert top(calls(7, resp_p=80)) == top(calls(7, resp_p=8080)) == 0.0
    assert top(calls(7, local_resp=1)) == 0.0
    tls = NAMED.put(Named.BY_ORIG) | SPEECH.put(Speech.TLS)
    assert top(calls(7, hints=tls)) == 0.0


def test_two_sizes_repeat_and_three_do_not():
    def of(sizes):
        rows = line(minutes=5, pause=20, orig_share=50, resp_share=50)
        return [row | {"orig_sizes": sizes, "resp_sizes": sizes} for row in rows]

    assert top(of(2)) > top(of(3)) + 0.3


def test_a_line_of_a_finished_flow_export_counts_too():
    done = flow(3600 * SECOND, part=0, state=END, resp_p=1337, orig_bytes=100_000, resp_bytes=2_900)
    brief = done | {"start": 3599 * SECOND}
    assert 3.0 > top([done]) > 1.5  # without hints, there is no more to it
    assert top([brief]) == 0.0


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.integers(6, 400), st.integers(0, 40), st.integers(0, 40), st.integers(0, 100),
            st.integers(0, 100), st.integers(0, 2000), st.integers(0, 900), st.integers(0, 900),
        ),
        min_size=1, max_size=20,
    )
)  # fmt: skip
def test_the_count_is_what_a_plain_model_says(made):
    now, held, sent, received = 0, 0.0, 0, 0.0
    hints = NAMED.put(Named.NOBODY) | SPEECH.put(Speech.BYTES)
    rows, wanted = [flow(0, part=0, state=OPEN, resp_p=5200, hints=hints)], [math.nan]
    for later, ours, theirs, our_share, their_share, size, out, back in made:
        now += later
        kept = 0.5 ** (later / 3600)
        sent, received = sent * kept + out, received * kept + back
        shares = [
            min(max((share / 100 - 1 / n) / (1 - 1 / n), 0), 1) if n > 1 else 0.0
            for share, n in ((our_share, ours), (their_share, theirs))
        ]
        alike = math.sqrt(shares[0] * shares[1])
        held = held * kept + 0.25 * later / 60
        rows.append(flow(now * SECOND, resp_p=5200, orig_bytes=out, resp_bytes=back))
        shift = 2 * sent / (sent + received) - 1 if sent + received else 0.0
        days = now / 86_400
        odd = 4 * (1 + days / 7 / (1 + days * days)) * (1 + max(0, shift))
        odd /= (1 + days / 2) * (1 + days / 5) * (1 + 1 / 16)
        wanted.append(math.log2(1 + 64 * held / (64 + held) * odd))
        rows.append(
            {
                "table": "talks", "time": now * SECOND, "resp_p": 5200, "turns": ours + theirs,
                "orig_turns": ours, "orig_size": size, "orig_share": our_share, "resp_size": 10,
                "resp_share": their_share, "gap": 1000,
            }
        )  # fmt: skip
        held += min(ours, theirs) / (1 + (max(size, 10) / 600) ** 2) * (0.25 + 0.75 * alike)
        wanted.append(math.log2(1 + 64 * held / (64 + held) * odd))
    scores = score_rows(RemoteControl(), rows)
    told = ~np.isnan(scores)
    assert scores[told].tolist() == pytest.approx(np.array(wanted)[told].tolist(), abs=0.01)
    assert (np.array(wanted)[~told][1:] < 0.4).all()


def test_it_says_how_long_and_only_then_that_nobody_named_it():
    detector = RemoteControl()
    facts = dict.fromkeys(detector.facts, 0.0) | {"minutes": 95.0, "exchanges": 41.2}
    assert "95 minutes" in detector.explain(facts).desc_en
    assert "No name" not in detector.explain(facts).desc_en
    unnamed = detector.explain(facts | {"unnamed": 1.0, "minutes": 600.0})
    assert "10 hours" in unnamed.desc_en
    assert "No name" in unnamed.desc_en
    assert "10 uur" in unnamed.desc_nl
    assert "geen naam" in unnamed.desc_nl


def test_it_says_what_is_misplaced_and_what_is_inside():
    detector = RemoteControl()
    facts = dict.fromkeys(detector.facts, 0.0) | {"evidence": 70.0}
    misplaced = detector.explain(facts | {"misplaced": 7.1})
    assert "in the clear" in misplaced.title_en
    assert "7 times" in misplaced.desc_en
    assert "7 keer" in misplaced.desc_nl
    inside = detector.explain(facts | {"inside": 1.0, "minutes": 12.0})
    assert "inside your network" in inside.title_en
    assert "12 minuten" in inside.desc_nl

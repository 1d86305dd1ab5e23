"""What leaves a site against what it usually sends, in scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_collector.policy import load_calibration
from dijkwacht_detectors.checks import Harness, score_rows
from dijkwacht_detectors.exfiltration import Exfiltration
from dijkwacht_records.hints import NAMED, SPEECH, Named, Speech
from dijkwacht_records.tables import FlowState

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
MORNING = 20_000 * DAY + 9 * HOUR
MB = 10**6
BULK = 16_384
LINE = next(
    score
    for score, rate in zip(
        load_calibration("exfiltration").scores,
        load_calibration("exfiltration").per_week,
        strict=True,
    )
    if rate <= Exfiltration.share
)


def told(speech, named=Named.BY_ORIG):
    return SPEECH.put(speech) | NAMED.put(named)


def upload(mb, *, at=MORNING, seconds=60, **values):
    """Parts of one flow that sends ``mb``, every 15 s."""
    parts = max(seconds // 15, 1)
    row = {
        "resp_h": 0x30000001,
        "resp_p": 80,
        "hints": told(Speech.HTTP),
        "resp_bytes": 100,
    } | values
    row["orig_bytes"] = int(mb * MB) // parts
    return [row | {"time": at + n * 15 * SECOND, "part": n} for n in range(parts)]


def top(rows):
    scores = score_rows(Exfiltration(), sorted(rows, key=lambda row: row["time"]))
    return float(np.nanmax(scores)) if not np.isnan(scores).all() else 0.0


def weekdays(days, **values):
    """A machine that is seen each day from nine to five, and does little."""
    row = {"resp_h": 0x30000002, "resp_p": 443, "orig_bytes": 900, "resp_bytes": 9000}
    return [
        row | {"time": MORNING + day * DAY + hour * HOUR} | values
        for day in range(days)
        for hour in range(9)
    ]


PARTS = st.lists(
    st.tuples(
        st.sampled_from([0, SECOND // 2, 20 * SECOND, HOUR]),
        st.sampled_from([-1, 0, BULK, BULK + 1, 60_000, MB, 300 * MB, 2**62]),
        st.sampled_from([-1, 0, 4095, 4096, 200_000]),
        st.sampled_from([(1, 0), (1, 1), (0, 1)]),
        st.sampled_from(
            [(0, FlowState.OPEN), (0, FlowState.END), (1, FlowState.END), (2, FlowState.END)]
        ),
    ),
    max_size=20,
)


SERVED = [
    {"time": MORNING, "orig_h": 20 + n, "resp_h": 1, "resp_bytes": 5000, "local_resp": 1}
    for n in range(3)
]
"""Three machines are answered by the one that uploads: it is no camera."""


VISITS = [
    {"time": MORNING + n * SECOND, "resp_h": 0x30000100 + n, "resp_p": 443} for n in range(30)
]
"""A person's machine calls thirty that the site has not met."""


@given(PARTS)
def test_a_cold_start_is_what_the_model_says(made):
    now = last = MORNING
    sent = received = 0.0
    rows, wanted = [], []
    for later, out, back, (local_orig, local_resp), (part, state) in made:
        now += later
        rows.append(
            {"time": now, "resp_h": 0x30000001, "resp_p": 80, "hints": told(Speech.HTTP), "part": part,
             "state": state, "orig_bytes": out, "resp_bytes": back, "local_orig": local_orig, "local_resp": local_resp}
        )  # fmt: skip
        wanted.append(math.nan)
        if not local_orig or local_resp or (out <= BULK and back < 4096):
            continue
        if now - last > SECOND:
            kept = 0.5 ** ((now - last) / (7200 * SECOND))
            sent, received, last = sent * kept, received * kept, now
        received += max(back, 0)
        goes_on = part == 2 or state != FlowState.END
        bulk = out - BULK - (512 * back if back >= 4096 and goes_on else 0)
        if bulk > 0:
            sent += min(bulk, 1e15)
            wanted[-1] = math.log2(1 + max(sent - 4 * received, 0.0) / MB / 0.125)
    scores = score_rows(Exfiltration(), SERVED + rows)[len(SERVED) :]
    assert scores.tolist() == pytest.approx(wanted, abs=2e-3, nan_ok=True)


def test_a_few_megabytes_without_encryption_reach_the_line_and_with_it_do_not():
    assert top(upload(2)) > LINE
    assert top(upload(2, hints=told(Speech.TLS), resp_p=443)) < 0.1
    assert top(upload(2000, seconds=3600, hints=told(Speech.TLS), resp_p=443)) < 1.0


def test_more_is_stranger_and_as_much_in_more_parts_is_as_strange():
    assert top(upload(8)) > top(upload(4)) > top(upload(2)) > top(upload(0.5))
    assert top(VISITS + upload(4, seconds=60)) == pytest.approx(
        top(VISITS + upload(4, seconds=300)), abs=0.15
    )


def clips(number, **values):
    """A clip of 4 MB every half hour, without encryption."""
    return [row for n in range(number) for row in upload(4, at=MORNING + n * HOUR // 2, **values)]


def test_a_device_may_post_its_clips_and_a_person_s_machine_may_not():
    quiet = [row | {"resp_h": 0x30000100} for row in VISITS]
    later = upload(4, at=MORNING + 8 * HOUR)
    assert top(quiet + later) < 1.0 < LINE < top(VISITS + later)
    assert top(clips(1)) > LINE
    assert float(score_rows(Exfiltration(), clips(20))[-4]) < 1.0


def test_what_a_device_posts_to_a_new_place_after_its_first_day_counts_in_full():
    days = weekdays(3)
    at = MORNING + 2 * DAY + 8 * HOUR
    assert top(days + upload(4, at=at)) > LINE
    assert top(days + upload(4, at=at, resp_h=0x30000002)) < 1.0


def test_who_gets_as_much_back_has_sent_nothing():
    assert top(upload(40, resp_bytes=3 * MB)) == 0.0


def test_it_does_not_matter_what_was_polled():
    """A till that reports 3 kB every ten seconds for a day."""
    row = {"resp_h": 0x30000001, "resp_p": 80, "hints": told(Speech.HTTP), "orig_bytes": 3000}
    assert top([row | {"time": MORNING + n * 10 * SECOND} for n in range(8640)]) == 0.0


@pytest.mark.parametrize(
    "values",
    [
        {"local_orig": 0, "local_resp": 1, "resp_bytes": 10**9},  # our own web server answers
        {"local_resp": 1},
        {"resp_h": 0xE00000FB, "proto": 17},  # multicast
        {"proto": 50},  # an encrypted tunnel
    ],
)
def test_what_is_not_sent_out_has_no_score(values):
    assert np.isnan(score_rows(Exfiltration(), upload(900, **values))).all()


@pytest.mark.parametrize(
    ("speech", "port", "times"),
    [
        (Speech.BYTES, 4444, 4),
        (Speech.SSH, 22, 8),
        (Speech.TLS, 9443, 8),
        (Speech.TLS, 443, 2),
        (Speech.HTTP, 8000, 2),
        (Speech.TEXT, 587, 1),
    ],
)
def test_an_address_that_nobody_looked_up_weighs_more_and_on_the_web_little(speech, port, times):
    by_name, by_none = (
        2 ** top(upload(300, hints=told(speech, named), resp_p=port)) - 1
        for named in (Named.BY_ORIG, Named.NOBODY)
    )
    assert by_none == pytest.approx(times * by_name)


@pytest.mark.parametrize(
    ("mb", "seconds", "values"),
    [
        (450, 3600, {"resp_p": 8443, "hints": told(Speech.TLS)}),
        (27_000, 10_800, {"resp_p": 443, "hints": told(Speech.TLS)}),  # a first backup to a cloud
        (40, 600, {"resp_p": 587, "hints": told(Speech.TEXT)}),  # a large mail
        (110, 900, {"resp_p": 8666, "hints": told(Speech.BYTES, Named.NOBODY)}),  # a camera's relay
        (1800, 3600, {"resp_p": 1935, "hints": told(Speech.BYTES)}),  # a broadcast
        (900, 3600, {"resp_p": 5938, "hints": told(Speech.BYTES), "resp_bytes": 100_000}),
        (
            150,
            60,
            {"resp_p": 443, "hints": told(Speech.BYTES, Named.NOBODY)},
        ),  # a film by messenger
        (3000, 7200, {"resp_p": 51820, "proto": 17, "hints": told(Speech.BYTES, Named.NOBODY)}),
        (0.5, 30, {}),  # a crash report in the clear
        (250, 60, {"resp_p": 50_100, "hints": told(Speech.BYTES)}),  # a website, by FTP
    ],
)
def test_what_offices_do_stays_below_the_line_on_the_first_morning(mb, seconds, values):
    assert top(upload(mb, seconds=seconds, **values)) < LINE


def screen(rate, hand, minutes, speech, **values):
    """Parts of a connection in which a screen goes out and a mouse comes in, bytes a second of each."""
    row = {"resp_h": 0x30000001, "resp_p": 80, "hints": told(speech, Named.NOBODY),
           "orig_bytes": int(rate * 15), "resp_bytes": int(hand * 15), "conn_state": 3} | values  # fmt: skip
    parts = int(4 * minutes)
    return [
        row | {"time": MORNING + n * 15 * SECOND, "part": n,
               "state": FlowState.END if n == parts - 1 else FlowState.UPDATE}
        for n in range(parts)
    ]  # fmt: skip


@given(
    st.floats(2e3, 2e5), st.floats(300, 5e3), st.floats(1, 240),
    st.sampled_from([(80, Speech.HTTP), (8041, Speech.BYTES), (7070, Speech.TEXT), (8200, Speech.NOTHING)]),
)  # fmt: skip
def test_a_screen_that_somebody_steers_is_shown_not_stolen(rate, hand, minutes, way):
    port, speech = way
    rows = screen(rate, max(hand, rate / 512), minutes, speech, resp_p=port)
    assert top(rows) < LINE
    unanswered = [row | {"resp_bytes": 0} for row in rows]
    if speech == Speech.HTTP and rate * minutes * 60 > 2 * MB:
        assert top(VISITS + unanswered) > LINE, "what nobody steers is an upload, at whatever pace"


@pytest.mark.parametrize("speech", [Speech.SSH, Speech.TLS])
def test_acknowledgements_of_what_is_encrypted_vouch_for_nothing(speech):
    rows = screen(1e6, 2e3, 20, speech, resp_p=22)
    assert top(rows) == pytest.approx(top([row | {"resp_bytes": 0} for row in rows]), abs=0.1)
    assert top(rows) > LINE


def test_a_page_that_thanks_for_an_upload_does_not_hide_it():
    thanks = {"state": FlowState.END, "resp_bytes": 9000}
    assert top([row | thanks for row in upload(2, seconds=15)]) > LINE
    parts = upload(2, seconds=120)
    assert top([*parts[:-1], parts[-1] | thanks]) > LINE


def test_pings_that_nobody_answers_count_from_the_first_byte():
    def pings(number, size, back=0, gap=1, **values):
        row = {"resp_h": 0x30000001, "resp_p": 0, "orig_p": 8, "proto": 1, "hints": 0,
               "orig_bytes": size, "resp_bytes": back} | values  # fmt: skip
        return [row | {"time": MORNING + n * gap * SECOND} for n in range(number)]

    assert top(pings(4000, 1000)) > LINE, "each a flow of its own"
    assert top(pings(4000, 1000, proto=58, orig_p=128)) > LINE
    assert top(pings(4000, 1000, back=1000)) == 0.0
    assert top(pings(40_000, 56)) < LINE, "a machine that is gone"
    assert top(pings(4000, 1000, orig_p=3)) == 0.0, "errors are no pings"


def test_what_the_site_knows_of_the_hour_and_the_place_multiplies():
    ssh = {"hints": told(Speech.SSH), "resp_p": 22, "resp_h": 0x30000009}
    night, noon = MORNING + 8 * DAY + 16 * HOUR, MORNING + 8 * DAY
    by_day, by_night = (top(weekdays(8) + upload(50, at=at, **ssh)) for at in (noon, night))
    assert 2**by_night - 1 == pytest.approx(4 * (2**by_day - 1), rel=1e-3)
    met = [{**row, "orig_bytes": 90} for row in upload(1, at=MORNING, seconds=15, **ssh)]
    known = top(weekdays(8) + met + upload(50, at=noon, **ssh))
    assert 2**by_day - 1 == pytest.approx(2 * (2**known - 1), rel=1e-3)


def test_a_place_where_several_go_is_less_strange():
    ssh = {"hints": told(Speech.SSH), "resp_p": 22, "resp_h": 0x30000009}
    others = [{"time": MORNING - HOUR, "orig_h": 50 + n, **ssh} for n in range(6)]
    assert 2 ** top(upload(500, **ssh)) - 1 == pytest.approx(
        4 * (2 ** top(others + upload(500, **ssh)) - 1)
    )


def test_a_backup_is_told_on_its_first_night_only():
    night = {"hints": told(Speech.SSH, Named.NOBODY), "resp_p": 22, "seconds": 900, "orig_h": 9}
    rows = [row for day in range(5) for row in upload(3000, at=MORNING + day * DAY, **night)]
    scores = score_rows(Exfiltration(), rows)
    by_night = [float(np.nanmax(part)) for part in np.array_split(scores, 5)]
    assert by_night[0] > LINE
    assert max(by_night[1:]) < 1.1


def test_a_server_may_have_a_backup_that_the_site_does_not_know_yet():
    night = {"hints": told(Speech.SSH, Named.NOBODY), "resp_p": 22, "seconds": 3600, "orig_h": 9}
    asked = [
        {"time": MORNING - HOUR, "orig_h": 20 + n, "resp_h": 9, "resp_bytes": 5000, "local_resp": 1}
        for n in range(3)
    ]
    assert top(upload(8000, **night)) > LINE
    assert top(asked + upload(8000, **night)) < LINE
    assert top(asked + weekdays(4, orig_h=9) + upload(8000, at=MORNING + 4 * DAY, **night)) > LINE


def test_a_habit_of_the_cloud_hides_no_upload_by_another_way():
    cloud = [
        row
        for day in range(4)
        for row in upload(4000, at=MORNING + day * DAY, hints=told(Speech.TLS), resp_p=443, resp_h=0x30000005)
    ]  # fmt: skip
    assert top(cloud) < 1.5
    assert top(cloud + upload(3, at=MORNING + 4 * DAY)) > LINE


def test_an_explanation_says_what_is_so():
    harness = Harness(Exfiltration())
    _, facts = harness.feed(upload(1234.5, seconds=600, hints=told(Speech.HTTP, Named.NOBODY)))
    words = Exfiltration().explain(dict(zip(Exfiltration.facts, facts[-1].tolist(), strict=True)))
    assert "1.2 GB" in words.title_en
    assert "1,2 GB" in words.title_nl
    for en, nl in (
        ("without encryption", "onversleuteld"),
        ("looked this address up", "opgezocht"),
    ):
        assert en in words.desc_en
        assert nl in words.desc_nl
    assert "earlier day" not in words.desc_en
    assert "silent" not in words.desc_en

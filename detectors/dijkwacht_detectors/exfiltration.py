"""Exfiltration: a machine sends much to one address outside, and gets next to nothing back.

Looks at what a machine sent to one service outside in the last few hours. Of each part of a flow the
first 16 KiB are talk and do not count, unless they are pings, and four times what came back is taken off, so that
calls, speed tests and browsing have nothing left. Whoever is shown a screen moves a mouse: a connection that goes on,
and in which kilobytes come back in every part, may send 512 times as much, but over SSH and TLS, which acknowledge as
much of any upload. The rest is compared with what would pass unminded there:
an eighth of a megabyte over HTTP without encryption, which hardly any program does today, but up to
64 MB from a device that calls next to nobody, to a place that has been called for hours, as of a camera
that posts clips, gigabytes over TLS to a cloud, and in between what file transfers, mail, messengers and remote support move. It
takes less where nobody had looked the address up by name, and where a machine that the site has known
for three days never sent so. What the machine sent in the same way, or the site sent there, on its
strongest earlier day, whichever is more, is added to what passes. The score is log₂(1 + how many times that); four times
as much at an hour of the day at which the machine is never awake, twice as much to an address that the site met
within a week, if it knows the machine for longer, and less where several machines go.

Limits: what is asked for from outside is an answer, and not looked at. So is what stays inside. What hides in
the ordinary, under a habit, within mail, or inside HTTPS by day, is not seen, nor is a few kilobytes
of passwords (see `stealer`), nor a file of half a megabyte in pings, nor thousands of small files by FTP, each over a connection of its own. A backup to a new place is told
once, unless it is a server's in the site's first three days, and so is a camera that posts film without encryption in its first hours.

>>> from dijkwacht_detectors.checks import score_rows
>>> from dijkwacht_records.hints import SPEECH, Speech
>>> post = {"resp_h": bytes([9] * 16), "resp_p": 80, "orig_bytes": 2_000_000, "resp_bytes": 200}
>>> plain, tls = SPEECH.put(Speech.HTTP), SPEECH.put(Speech.TLS)
>>> [float(score_rows(Exfiltration(), [post | {"hints": hints}])[0].round(1)) for hints in (plain, tls)]
[4.1, 0.0]
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.addresses import is_no_host
from dijkwacht_detectors.knowledge.hinted import named_by, speech_of
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_records.hints import Named, Speech
from dijkwacht_records.tables import FlowState

_TCP, _UDP = 6, 17
_PINGS = (1, 58)
_ECHO_REQUESTS = (8, 128)
_END: Final = int(FlowState.END)
_MB = 1e6
_BULK = 16_384.0
_MOST = 1e15
_INPUT: Final = 4096.0
"""Bytes of mouse and keyboard in a quarter of a minute. What is uploaded is acknowledged by less, or file by file."""
_WATCHED: Final = 512.0
"""Bytes of a screen that one of these vouches for."""
_WEEK_US = 7 * 86_400_000_000
_HOUR_US, _DAY_US = 3_600e6, 86_400e6
_NOBODY: Final = int(Named.NOBODY)
_NOTHING, _TLS, _HTTP, _SSH, _RDP, _TEXT, _BYTES = (
    int(speech)
    for speech in (
        Speech.NOTHING, Speech.TLS, Speech.HTTP, Speech.SSH, Speech.RDP, Speech.TEXT, Speech.BYTES,
    )
)  # fmt: skip


class Exfiltration(RowDetector):
    """Much sent by one machine to one service outside, next to nothing received."""

    name = "exfiltration"
    table = "flows"
    reads = (
        "part", "state", "resp_h", "orig_p", "resp_p", "proto", "orig_bytes", "resp_bytes",
        "local_orig", "local_resp", "hints",
    )  # fmt: skip
    context = (
        "dest_first", "dest_machines", "dest_habit", "orig_first", "orig_serves", "orig_news",
        "orig_awake", "orig_habit",
    )  # fmt: skip
    entity: ClassVar[Entity] = "pair"
    kind = "exfil"
    technique = "T1048"
    facts = ("sent_mb", "habit_mb", "plain", "unnamed", "asleep")
    entities_per_site = 2048
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "sent": ("f4", ()),
        "received": ("f4", ()),
        "speech": ("u1", ()),
        "named": ("u1", ()),
    }

    share = 3 / 80
    expected = (1.0, 2.0)
    """By the choice of what passes unminded: some ten kinds, each of them reached once in five weeks."""
    half_life_s = 7200.0
    """What was sent three hours ago still counts for a third."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each part of a flow that sends more than it would to talk."""
        _fold(_columns(rows), _memory(state), self.half_life_s * 1e6, scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how much went out, and why that is odd."""
        sent, verstuurd = _amount(facts["sent_mb"])
        odd, vreemd = _why(facts)
        return Explanation(
            f"{{src}} sent {sent} to {{dst}}, outside your network, and got much less back.",
            f"{{src}} stuurde {verstuurd} naar {{dst}}, buiten uw netwerk, en kreeg veel minder terug.",
            f"{odd}Ask whoever uses {{src}} whether they sent this. If nobody did, someone may be copying "
            "your data: disconnect {src}, leave it switched on, and ask your IT supplier which files it "
            "can reach. If those hold personal data, a data leak may have to be reported within 72 hours.",
            f"{vreemd}Vraag wie {{src}} gebruikt of die dit heeft verstuurd. Deed niemand dat, dan kopieert "
            "mogelijk iemand uw gegevens: koppel {src} los, laat het aan staan, en vraag uw IT-leverancier "
            "bij welke bestanden het kan. Gaat het om persoonsgegevens, dan moet een datalek mogelijk "
            "binnen 72 uur worden gemeld.",
        )


def _amount(mb: float) -> tuple[str, str]:
    """Rounded, in English and Dutch."""
    if mb >= 1000.0:
        english = f"{mb / 1000.0:.1f} GB"
    else:
        english = f"{mb:.0f} MB" if mb >= 10.0 else f"{mb:.1f} MB"
    return english, english.replace(".", ",")


def _why(facts: Mapping[str, float]) -> tuple[str, str]:
    english, dutch = [], []
    if facts["habit_mb"] >= 0.1:
        usual, gewoon = _amount(facts["habit_mb"])
        english.append(f"On no earlier day was it more than {usual}. ")
        dutch.append(f"Op geen eerdere dag was het meer dan {gewoon}. ")
    if facts["plain"] > 0.0:
        english.append("It went without encryption, which few programs do today. ")
        dutch.append("Het ging onversleuteld, wat nog maar weinig programma's doen. ")
    if facts["unnamed"] > 0.0:
        english.append("Nobody had looked this address up by a name. ")
        dutch.append("Niemand had dit adres onder een naam opgezocht. ")
    if facts["asleep"] > 0.0:
        english.append("At this hour {src} is usually silent. ")
        dutch.append("Op dit uur is {src} gewoonlijk stil. ")
    return "".join(english), "".join(dutch)


@njit_lean
def _passes_web(proto, speech, unnamed, known):  # type: ignore[no-untyped-def]
    if proto == _TCP and speech in (_BYTES, _TEXT):
        return 100.0 if known else 200.0  # messengers have protocols of their own
    return (1000.0 if known else 8000.0) * (0.5 if unnamed else 1.0)


@njit_lean
def _passes_elsewhere(port, speech, unnamed, known):  # type: ignore[no-untyped-def]
    if port in (25, 110, 143, 465, 587, 993, 995):
        return 100.0  # a few large attachments
    if port in (80, 5222, 5223, 5228, 8080):
        return 1.0 if port == 80 and speech == _NOTHING else 200.0
    if speech == _RDP or port in (554, 1935, 3389, 5938, 6568, 7070, 7680, 8801, 21116, 21117):
        return 400.0  # a screen or a meeting that is watched, a broadcast, updates for neighbours
    if speech in (_SSH, _TLS) or port == 22:
        return (50.0 if known else 200.0) * (0.125 if unnamed else 1.0)
    # a camera that is watched by way of its maker's relay, of an address that no name leads to
    return (8.0 if known else 64.0) * (0.25 if unnamed else 1.0)


@njit_lean
def _is_device(rows, i):  # type: ignore[no-untyped-def]
    """In 0-1: a machine that calls hardly anything new, as no person's does, calls what it has called for hours.

    On its own first day it is enough that the machine is known for hours: a person's has by then called many.
    """
    known, met = float(rows.time[i] - rows.orig_first[i]), float(rows.time[i] - rows.dest_first[i])
    hours = max(met, known if known < _DAY_US else 0.0) / _HOUR_US
    hours, news = min(max(hours, 0.0), 1e3) / 2.0, rows.orig_news[i] / 4.0
    return hours**3 / (1.0 + hours**3) / (1.0 + news**4)


@njit_lean
def _passes(port, proto, speech, unnamed, known, serves, device):  # type: ignore[no-untyped-def]
    """MB to one service within hours that nobody would mind; ``known`` machines would have shown more."""
    if proto not in (_TCP, _UDP):
        return 0.25  # a ping a second to a machine that is gone, all day
    if speech == _HTTP:
        clips = 0.0 if serves else 64.0 * device  # servers have few to call, too
        return (0.125 + clips) * (0.5 if unnamed else 1.0)
    if serves and not known:
        # a server's first backup is all that it has, by whatever way and to a bare address too
        return 32_000.0
    if port in (443, 8443) or (port == 80 and speech == _TLS):
        return _passes_web(proto, speech, unnamed, known)
    if proto == _UDP:
        return 4000.0  # calls, tunnels and cameras are as large as they last
    return _passes_elsewhere(port, speech, unnamed, known)


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    part: NDArray[np.int64]
    state: NDArray[np.int64]
    resp_h: NDArray[np.uint64]
    orig_p: NDArray[np.int64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    orig_bytes: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]
    local_orig: NDArray[np.int64]
    local_resp: NDArray[np.int64]
    hints: NDArray[np.int64]
    dest_first: NDArray[np.int64]
    dest_machines: NDArray[np.int64]
    dest_habit: NDArray[np.float64]
    orig_first: NDArray[np.int64]
    orig_serves: NDArray[np.int64]
    orig_news: NDArray[np.float64]
    orig_awake: NDArray[np.int64]
    orig_habit: NDArray[np.float64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    sent: NDArray[np.float32]
    received: NDArray[np.float32]
    speech: NDArray[np.uint8]
    named: NDArray[np.uint8]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _oddness(rows, i):  # type: ignore[no-untyped-def]
    """How much more an upload means for when it comes, where it goes, and who else goes there."""
    t, odd = rows.time[i], 1.0
    if rows.orig_awake[i] == 0:
        odd *= 4.0
    # on a site's first days everything is new, and that says nothing
    if t - rows.orig_first[i] >= _WEEK_US and t - rows.dest_first[i] < _WEEK_US:
        odd *= 2.0
    return odd / min(max(float(rows.dest_machines[i]), 1.0), 4.0)


@njit_lean
def _fold(columns, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            state.last[e] = t
            state.sent[e] = state.received[e] = 0.0
            state.speech[e] = state.named[e] = 0
        if rows.local_orig[i] == 0 or rows.local_resp[i] != 0:
            continue
        hints = rows.hints[i]
        if hints != 0:
            speech = speech_of(hints)
            if speech != _NOTHING:
                state.speech[e] = speech
            named = named_by(hints)
            if named != 0:
                state.named[e] = named
        proto = rows.proto[i]
        bulk, received = float(rows.orig_bytes[i]), float(rows.resp_bytes[i])
        if proto in (_TCP, _UDP) or rows.orig_p[i] not in _ECHO_REQUESTS:
            bulk -= _BULK
        if bulk <= 0.0 and received < 4096.0:
            continue
        elapsed = t - state.last[e]
        if elapsed > 1_000_000:
            kept = remaining(elapsed, half_life)
            state.sent[e] *= kept
            state.received[e] *= kept
            state.last[e] = t
        state.received[e] += min(max(received, 0.0), _MOST)
        goes_on = rows.part[i] >= 2 or rows.state[i] != _END
        if received >= _INPUT and goes_on and state.speech[e] not in (_SSH, _TLS):
            bulk -= _WATCHED * received
        if bulk <= 0.0:
            continue
        state.sent[e] += min(bulk, _MOST)
        if proto not in (_TCP, _UDP) and proto not in _PINGS:
            continue
        if is_no_host(rows.resp_h[i, 0], rows.resp_h[i, 1]):
            continue
        one_way = max(float(state.sent[e]) - 4.0 * float(state.received[e]), 0.0) / _MB
        speech, unnamed = state.speech[e], state.named[e] == _NOBODY
        # the larger, not both: mostly they are the same bytes, and who teaches a site would be paid twice
        habit = max(rows.dest_habit[i], rows.orig_habit[i]) / _MB
        known, serves = rows.orig_awake[i] >= 0, rows.orig_serves[i] >= 2
        device = _is_device(rows, i)
        passes = _passes(rows.resp_p[i], proto, speech, unnamed, known, serves, device)
        scores[i] = math.log2(1.0 + one_way * _oddness(rows, i) / (passes + habit))
        facts[i, 0], facts[i, 1] = state.sent[e] / _MB, habit
        facts[i, 2] = 1.0 if speech == _HTTP else 0.0
        facts[i, 3] = 1.0 if unnamed else 0.0
        facts[i, 4] = 1.0 if rows.orig_awake[i] == 0 else 0.0

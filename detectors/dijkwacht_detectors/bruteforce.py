"""Password guessing by its shape: one client connects to one service again and again, each time briefly.

Looks at the TCP connections between two machines to one port, of any number. A guess is a
connection that carries little, both ways, and ends soon; guessing tools make many of them in quick
succession, each as large as the last. The score is log₂ of the guesses of the last minutes, counted
in full where people log in (by the port, or by how the first packet speaks: SSH, remote desktop, a
server that greets in words), and for far less elsewhere.

Innocents: programs that poll. They ask at an even pace, one connection at a time: such are bounded.
What tells a guess at an unknown port is what polls lack: several connections at once, as tools
run several tasks, or requests that differ by a few bytes with answers that do not, as of a list of
words; without, all of them together stay bounded. Web, TLS, messaging and monitoring are polled by design and count for a hundredth. Who asks a database anything
moves more than a refusal does, and web servers that ask one for each page get answers that differ, and are themselves called by others. A pair that has
kept its pace for half a day is left alone. Each pair takes some 140 bytes.

Limits: guessing over web forms or inside one long connection looks like ordinary use from here: replies
of one size in turn are as well a dashboard's. At an unknown port a patient tool, one connection after the
other with requests of one size, is a poll. Fewer than some five guesses in a minute do not add up;
where log-ins can be read, `guessing` sees slower ones. A new program that asks a database of a server that nobody
calls may, on its first day, be taken for a guesser.

>>> from dijkwacht_detectors.checks import score_rows
>>> tries = [{"time": i * 500_000, "start": i * 500_000 - 300_000, "resp_p": 22,
...           "orig_bytes": 1500, "resp_bytes": 1700} for i in range(64)]
>>> float(score_rows(Bruteforce(), tries)[-1].round(1))
5.7
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.hinted import began_at_resp, speech_of
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.pace import UNEVEN, keep_pace
from dijkwacht_records.hints import Speech

_TCP = 6
_END = 2
_SIZES = 6  # sizes of the last connections, to compare the next one with
_LAST, _BEGAN, _BUSY_UNTIL = range(3)  # marks: event times
_CALLS, _ENDED, _CARRIED, _ALIKE, _SAME, _GAP, _UNEVEN, _AT_ONCE, _HABIT = range(9)  # amounts
_ENDS, _FIRSTS, _SPEECH = range(3)  # counts, and what was spoken
_SIZE, _ASKED, _TOLD = range(3)  # of the latest connections
_REFUSED_BY_A_STORE = 3000.0  # bytes both ways of a log-in that a database refuses, TLS and all
_ROW_OF_WORDS = 32.0  # bytes by which passwords of a list differ in length, names included

_NOTHING, _SSH, _RDP, _SMB = (
    int(Speech.NOTHING), int(Speech.SSH), int(Speech.RDP), int(Speech.SMB),
)  # fmt: skip
_TEXT, _BYTES = int(Speech.TEXT), int(Speech.BYTES)
_GREETING = 100  # text that the server begins with


class Bruteforce(RowDetector):
    """Many brief, small, alike connections of one client to one service."""

    name = "bruteforce"
    table = "flows"
    reads = (
        "part", "state", "start", "resp_p", "proto", "orig_bytes", "resp_bytes", "hints",
    )  # fmt: skip
    context = ("orig_serves",)
    entity: ClassVar[Entity] = "pair"
    kind = "bruteforce"
    technique = "T1110"
    facts = ("guesses", "bytes_each", "alike", "per_minute", "at_once", "poll")
    entities_per_site = 2048
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "marks": ("i8", (3,)),
        "amounts": ("f4", (9,)),
        "counts": ("i4", (3,)),
        "latest": ("f4", (3, _SIZES)),
    }

    share = 7 / 240
    expected = (3.0, 0.25)
    """Seven guesses that count: a program that asks an unknown service several things at once."""
    half_life_s = 180.0
    """Guessing lasts minutes, a page load seconds."""
    small_bytes = 8000.0
    """A login takes a few kilobytes at most, keys and banners included."""
    brief_s = 30.0
    habit_half_life_s = 12 * 3600.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each connection as it ends."""
        _fold(
            _columns(rows), _memory(state),
            self.half_life_s * 1e6, self.small_bytes, self.brief_s * 1e6,
            self.habit_half_life_s * 1e6, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how often it was tried."""
        many = round(facts["guesses"])
        return Explanation(
            f"{{src}} keeps trying to log in at {{dst}} (port {{port}}): at least {many} times in a few minutes.",
            f"{{src}} probeert steeds weer in te loggen op {{dst}} (poort {{port}}): minstens {many} keer in enkele minuten.",
            "It looks like a program that tries one password after the other. Make sure that the log-in of {dst} "
            "cannot be reached from the internet, and that its password is long and used nowhere else. If "
            "{src} is your own device and nobody can say which program does this, disconnect it: someone may be using it.",
            "Het lijkt op een programma dat het ene wachtwoord na het andere probeert. Zorg dat inloggen op "
            "{dst} niet vanaf internet kan, en dat het wachtwoord lang is en nergens anders "
            "voor dient. Is {src} uw eigen apparaat en weet niemand welk programma dit doet, koppel het dan "
            "los: mogelijk gebruikt iemand het.",
        )


_POLLED = 0.01


@njit(cache=True, nogil=True, inline="always")
def _holds_data(port):  # type: ignore[no-untyped-def]
    return port in (1433, 1521, 3306, 5432, 6379, 27017)


@njit(cache=True, nogil=True, inline="always")
def _login(port):  # type: ignore[no-untyped-def]
    """Weight of a port: 1 where people log in, far below where programs poll by design, 0 if unknown."""
    if _holds_data(port) or port in (21, 22, 23, 2222, 2323, 3389, 5900):
        return 1.0
    if port in (25, 110, 143, 445, 465, 587, 993, 995):
        return 0.5
    if port in (5985, 5986):
        return 0.35  # management asks there too
    if port in (389, 636):
        return 0.05  # so many programs ask a directory that its own log-ins must tell
    if port in (
        53, 80, 88, 102, 123, 443, 502, 631, 853, 1080, 1883, 2869, 3128, 4840, 5060, 5061, 5222, 5228, 5357,
        8000, 8008, 8009, 8080, 8081, 8086, 8123, 8443, 8883, 8888, 9090, 9100, 9182, 10050, 10051, 44818,
    ):  # fmt: skip
        return _POLLED
    return 0.0


@njit(cache=True, nogil=True, inline="always")
def _spoken(speech):  # type: ignore[no-untyped-def]
    """Weight of a service at an unknown port, by what its first packet looks like; 0 if it looks like nothing."""
    if speech in (_SSH, _RDP):
        return 1.0
    if speech == _GREETING:
        return 0.7
    if speech == _SMB:
        return 0.5
    return 0.0 if speech in (_NOTHING, _TEXT, _BYTES) else _POLLED


@njit_lean
def _weigh(service, paces, words, same, orig_serves):  # type: ignore[no-untyped-def]
    """How much a connection to this service counts as a guess, and 0 to 1 how far the pair polls."""
    port, speech = service
    gap, uneven, at_once = paces
    known = _login(port) or _spoken(speech)
    even = min(max((0.15 - uneven) / 0.1, 0.0), 1.0)
    poll = even * (1.0 - at_once)
    if known == 0.0:  # only what polls never do speaks against it
        return 0.05 + 0.3 * max(at_once, words), (1.0 - at_once) * (1.0 - words)
    if known == _POLLED:
        return _POLLED + 0.04 * words * at_once, 1.0 - at_once
    if _holds_data(
        port
    ):  # refusals are of one size, results are not; who is called asks for others
        return same**2 / (1.0 + min(max(orig_serves, 0), 3)), poll * (1.0 - words)
    if known >= 0.7:  # nobody logs in every second to see whether it works
        poll *= min(max((math.exp(gap) - 2.0) / 8.0, 0.0), 1.0)
    return known, poll * (1.0 - words)


@njit_lean
def _note(latest, e, place, sent, received):  # type: ignore[no-untyped-def]
    """Keep what a connection asked and was told; 1 if one of the last was told as much, else 0."""
    answer, near = min(max(received, 0), 1 << 40), 0.0
    for k in range(_SIZES):
        if abs(latest[e, _TOLD, k] - answer) <= 2.0:
            near = 1.0
    latest[e, _TOLD, place], latest[e, _ASKED, place] = answer, min(max(sent, 0), 1 << 40)
    return near


@njit_lean
def _words(latest, e):  # type: ignore[no-untyped-def]
    """1 if the last requests, of six at least, differ by a few bytes and their answers do not, else 0."""
    least = most = latest[e, _ASKED, 0]
    few = much = latest[e, _TOLD, 0]
    kinds = 0
    for k in range(_SIZES):
        asked, told = latest[e, _ASKED, k], latest[e, _TOLD, k]
        least, most = min(least, asked), max(most, asked)
        few, much = min(few, told), max(much, told)
        new = 1
        for before in range(k):
            if latest[e, _ASKED, before] == asked:
                new = 0
        kinds += new
    return 1.0 if kinds >= 3 and most - least <= _ROW_OF_WORDS and much - few <= 2.0 else 0.0


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    part: NDArray[np.int64]
    state: NDArray[np.int64]
    start: NDArray[np.int64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    orig_bytes: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]
    hints: NDArray[np.int64]
    orig_serves: NDArray[np.int64]


class _State(NamedTuple):
    marks: NDArray[np.int64]
    amounts: NDArray[np.float32]
    counts: NDArray[np.int32]
    latest: NDArray[np.float32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _forget(state, e, t):  # type: ignore[no-untyped-def]
    state.marks[e], state.amounts[e], state.counts[e], state.latest[e] = 0, 0.0, 0, -1000.0
    state.marks[e, _LAST] = t
    state.amounts[e, _ALIKE] = state.amounts[e, _SAME] = 0.5
    state.amounts[e, _UNEVEN] = UNEVEN


@njit_lean
def _fold(columns, memory, half_life, small, brief, habit_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    marks, amounts, counts, latest = state.marks, state.amounts, state.counts, state.latest
    for i in range(len(rows.time)):
        if rows.proto[i] != _TCP:
            continue
        e, t, start = rows.slot[i], rows.time[i], rows.start[i]
        if rows.fresh[i]:
            _forget(state, e, t)
        elapsed = t - marks[e, _LAST]
        if elapsed > 100_000:
            kept = remaining(elapsed, half_life)
            amounts[e, _CALLS] *= kept
            amounts[e, _ENDED] *= kept
            amounts[e, _CARRIED] *= kept
            amounts[e, _HABIT] *= remaining(elapsed, habit_life)
            marks[e, _LAST] = t
        sent, received, first = rows.orig_bytes[i], rows.resp_bytes[i], rows.part[i] == 0
        moved = min(max(sent + received, 0), 1_000_000_000_000)
        amounts[e, _CARRIED] += moved
        if first:
            amounts[e, _CALLS] += 1.0
            amounts[e, _HABIT] += 1.0
            speech = speech_of(rows.hints[i])
            # a recording may leave out what was said, and then only who began is known
            if speech in (_NOTHING, _TEXT) and began_at_resp(rows.hints[i]):
                speech = _GREETING
            if speech != _NOTHING:
                counts[e, _SPEECH] = speech
            if sent > 0 or received > 0:
                n = min(counts[e, _FIRSTS], 15)
                place = counts[e, _FIRSTS] % _SIZES
                near = _note(latest, e, place, sent, received)
                if n > 0:
                    gap = min(max(start - marks[e, _BEGAN], 1_000), 1 << 50) / 1e6
                    amounts[e, _GAP], amounts[e, _UNEVEN] = keep_pace(
                        gap, n, amounts[e, _GAP], amounts[e, _UNEVEN]
                    )
                    amounts[e, _SAME] += (near - amounts[e, _SAME]) / n
                marks[e, _BEGAN] = start
                counts[e, _FIRSTS] = min(counts[e, _FIRSTS] + 1, 1 << 30)
        if rows.state[i] != _END:
            continue
        if marks[e, _BUSY_UNTIL] > 0:  # a moment's overlap is one closing while the next opens
            together = 1.0 if start + 20_000 < marks[e, _BUSY_UNTIL] else 0.0
            amounts[e, _AT_ONCE] += (together - amounts[e, _AT_ONCE]) / min(
                2.0 + counts[e, _ENDS], 12.0
            )
        marks[e, _BUSY_UNTIL] = max(marks[e, _BUSY_UNTIL], t)
        if first and (sent <= 0 or received <= 0):
            continue
        if t - start < brief:
            amounts[e, _ENDED] += 1.0
        # was one of the last as large? What is compared is the last part of each
        size = math.log(16.0 + moved)
        near = 0.0
        for k in range(_SIZES):
            if abs(latest[e, _SIZE, k] - size) < 0.1:
                near = 1.0
        latest[e, _SIZE, counts[e, _ENDS] % _SIZES] = size
        counts[e, _ENDS] = min(counts[e, _ENDS] + 1, 1 << 30)
        amounts[e, _ALIKE] += (near - amounts[e, _ALIKE]) / min(4.0 + counts[e, _ENDS], 16.0)
        # what it does all day it does now, too
        news = amounts[e, _ENDED] - 2.0 * amounts[e, _HABIT] * half_life / habit_life
        if news <= 0.0:
            continue
        each = amounts[e, _CARRIED] / max(amounts[e, _CALLS], amounts[e, _ENDED])
        most = _REFUSED_BY_A_STORE if _holds_data(rows.resp_p[i]) else small
        little = 1.0 / (1.0 + (each / most) ** 2)
        words = _words(latest, e) if counts[e, _FIRSTS] >= _SIZES else 0.0
        service = rows.resp_p[i], counts[e, _SPEECH]
        paces = amounts[e, _GAP], amounts[e, _UNEVEN], amounts[e, _AT_ONCE]
        weight, poll = _weigh(service, paces, words, amounts[e, _SAME], rows.orig_serves[i])
        guesses = news * little * amounts[e, _ALIKE] * weight
        guesses = guesses * (1.0 - poll) + min(guesses, 6.0) * poll
        scores[i] = math.log2(1.0 + guesses)
        facts[i, 0] = amounts[e, _ENDED]
        facts[i, 1] = each
        facts[i, 2] = amounts[e, _ALIKE]
        facts[i, 3] = amounts[e, _ENDED] * 60e6 * 0.693 / half_life
        facts[i, 4] = amounts[e, _AT_ONCE]
        facts[i, 5] = poll

"""Remote control: one connection kept open outwards, through which somebody steers a machine.

Looks at how two ends of a TCP connection take turns, and where it goes. A program that is steered
calls its master once and then waits: it says that it is still there, in small messages of a few
sizes, and answers each message as it comes; or it asks again and again within one connection
whether there is something to do. What is counted is such exchanges (half-life an hour), in full
where both sides' sizes repeat, or are two, and for a quarter where they differ, as when a person
types; and a quarter for each minute that the connection stays open, less where nothing but a copy
goes through it. Beyond some twenty minutes more of the same says little. More sent than received weighs up to twice: what a stranger fetches flows outwards.

That count weighs by how odd the line is. One to a port that no ordinary program uses, where neither
TLS, HTTP nor SSH is spoken, weighs four times where no DNS answer had named the address, since
programs of makers look up names. Where one had, it weighs an eighth, and up to three on a machine
that calls many others, as people's do and devices do not. Where that is not known, a device's line to
its maker looks like this too, and it weighs a quarter; but it counts in full where words are spoken,
which makers' programs hardly do, or where the one called began, as a stranger does who gives orders
and a maker's cloud does not, which wants to know first who calls.
Ports where messengers, mail, databases, push messages, remote support and games keep lines open
weigh a thirty-second, and so does anything but words at the web's ports, which messengers use to
pass firewalls. Plain HTTP weighs by exchanges that repeat within seconds, and only for what repeats;
at port 443, where it does not belong, each call counts ten, up to sixteen calls, the less the more it
moves: malware goes out where firewalls let everything pass, and need not encrypt for that. Proxies,
and boxes that play television from there, move much.

Between two machines of the site devices keep odd lines by the dozen: with licence servers, screens,
scales, clocks. There only a shell that was called back counts: the one who called is spoken to first,
in words, at a port that no ordinary program uses, and then says most itself. It weighs half of what it
does outside without a name, an eighth of that where the one called had one, hardly anything in bytes,
and by how much more it says than it hears. Who serves a room is called by several.

All of it weighs up to twice where a machine that the site has known for a week calls one that is
new to it, and less the longer the site knows the one called, the more of its machines call it, and
where the machine has for days called hardly anything new: an alarm panel, a till or a lock has one
line, for years.

Limits: a line in TLS at 443, over UDP, or to a port of the list is left to others, or not seen. Inside
the site a trojan that speaks first, or whose master sent it a large program, is not seen, and a clock
or scale that calls a PC and is asked in words is told once. A connection of a few exchanges says too
little; one to an address that had a name is told only of a machine that people use, once the site knows it; and one to a new device's maker that is called by
number looks the same from here as a stranger's. Machines that share files call strangers by the
hundred; on them it is nearly blind.

>>> from dijkwacht_detectors.checks import score_rows
>>> from dijkwacht_records.hints import NAMED, SPEECH, Named, Speech
>>> hints = NAMED.put(Named.NOBODY) | SPEECH.put(Speech.BYTES)
>>> line = {"table": "flows", "resp_p": 5200, "proto": 6, "local_orig": 1, "orig_bytes": 40, "resp_bytes": 30}
>>> turns = {"table": "talks", "resp_p": 5200, "proto": 6, "turns": 8, "orig_turns": 4, "orig_size": 40,
...          "orig_share": 100, "resp_size": 12, "resp_share": 100, "gap": 20_000}
>>> rows = [line | {"time": 1, "start": 1, "state": 0, "hints": hints}]
>>> for n in range(1, 15):
...     rows += [row | {"time": n * 80_000_000, "start": 1, "part": n, "state": 1} for row in (turns, line)]
>>> float(score_rows(RemoteControl(), rows)[-1].round(1))
7.0
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, Reads, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.hinted import LASTING, named_by, speech_of
from dijkwacht_detectors.knowledge.odd_lines import like_a_shell, oddness, strangeness
from dijkwacht_detectors.state.acquaintance import unexplained
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_records.hints import Named, Speech

_TCP = 6
_END = 2
_TALKS = 1  # the place of this table in ``reads``
_MOMENT_US = 5e6  # within it nothing fades
_NEXT_TO_NOTHING = 0.25  # nearly all lines are ordinary, and each opinion costs the policy time
_A_COPY = 1e6  # bytes a minute: ten times a screen that is looked at now and then
_LONGEST_PART_US = 900e6  # keepalives come at least so often; a longer silence proves no line
_LONGEST_FLOW_US = 7200e6  # of one told at its end alone; what was before has faded
_NOBODY = int(Named.NOBODY)
_DAY_US = 86_400e6
_INSIDE = 1  # beside hints, in a bit that LASTING leaves free: the one called is of the site
_A_FEW_WORDS = 2048.0  # bytes of a call that asks for orders, or reports
_HTTP = int(Speech.HTTP)


class RemoteControl(RowDetector):
    """A line kept open to somewhere odd, on which two ends take turns as steered programs do."""

    name = "remote_control"
    reads: ClassVar[Reads] = {
        "flows": (
            "part", "state", "start", "resp_p", "proto", "orig_bytes", "resp_bytes", "local_resp", "hints",
        ),
        "talks": (
            "resp_p", "proto", "turns", "orig_turns", "orig_size", "orig_share", "orig_sizes",
            "resp_size", "resp_share", "resp_sizes", "gap",
        ),
    }  # fmt: skip
    context = ("dest_first", "dest_machines", "orig_first", "orig_news", "orig_strangers")
    entity: ClassVar[Entity] = "pair"
    passes_over = True
    kind = "c2"
    technique = "T1095"
    facts = (
        "exchanges", "minutes", "alike", "sent_share", "unnamed", "oddness", "misplaced", "inside",
        "evidence",
    )  # fmt: skip
    entities_per_site = 2048
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "part_at": ("i8", ()),
        "begun": ("i8", ()),
        "rounds": ("f4", ()),
        "alike": ("f4", ()),
        "polls": ("f4", ()),
        "held": ("f4", ()),
        "sent": ("f4", ()),
        "received": ("f4", ()),
        "base": ("f4", ()),
        "odd": ("f4", ()),
        "hints": ("i4", ()),
        "misplaced": ("f4", ()),
    }
    """64 bytes an entity."""

    share = 1 / 24
    expected = (4.2, 1.0)
    half_life_s = 3600.0
    """Steering lasts minutes to hours, and what was said yesterday is no line today."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Count exchanges as they are told, and score the line as it goes on."""
        _fold(
            _columns(rows), _memory(state), rows.table, self.half_life_s * 1e6, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say what stays open, or what is where it does not belong, and what to do about it."""
        many = round(min(facts["exchanges"], 1e6))
        calls = max(1, round(min(facts["misplaced"], 1e6)))
        if 10.0 * facts["misplaced"] > 0.5 * facts["evidence"]:
            times, keren = (
                ("once", "een keer") if calls == 1 else (f"{calls} times", f"{calls} keer")
            )
            return Explanation(
                "{src} speaks to {dst} in the clear at a door that is for encrypted web traffic.",
                "{src} praat onversleuteld met {dst} via een deur die voor versleuteld webverkeer is.",
                f"It did so about {times} of late, with small messages. Hardly any program does this, but "
                f"malware does, because every network lets that door pass. {_WHAT_TO_DO}",
                f"Dat gebeurde de laatste tijd ongeveer {keren}, met kleine berichten. Vrijwel geen "
                "programma doet dit, maar kwaadaardige programma's wel, omdat elk netwerk die deur "
                f"openlaat. {_WAT_TE_DOEN}",
            )
        long, lang = _told(facts["minutes"])
        if facts["inside"] > 0.5:
            return Explanation(
                "{src} called {dst} (port {port}) inside your network and does as it is told from there.",
                "{src} belde {dst} (poort {port}) binnen uw netwerk en doet wat daar gezegd wordt.",
                f"The line has been open for {long}. Someone who has got into one machine steers others "
                "in this way. A clock, a scale or a scanner that reports to a computer can look the same. "
                f"{_WHAT_TO_DO} Have {{dst}} looked at as well.",
                f"De lijn staat {lang} open. Wie een apparaat is binnengedrongen, bestuurt zo andere. Een "
                "klok, weegschaal of scanner die zich bij een computer meldt, kan er net zo uitzien. "
                f"{_WAT_TE_DOEN} Laat ook {{dst}} nakijken.",
            )
        nobody = " No name was looked up for it." if facts["unnamed"] >= 1.0 else ""
        niemand = " Er is geen naam voor opgezocht." if facts["unnamed"] >= 1.0 else ""
        return Explanation(
            "{src} keeps a line open to {dst} (port {port}), as a machine does that a stranger steers.",
            "{src} houdt een lijn open met {dst} (poort {port}), zoals een apparaat dat een vreemde bestuurt.",
            f"The line has been open for {long}, with about {many} short exchanges of late.{nobody} Alarm "
            f"panels, remote support and some games do this too. {_WHAT_TO_DO}",
            f"De lijn staat {lang} open, met de laatste tijd ongeveer {many} korte uitwisselingen.{niemand} "
            f"Alarminstallaties, hulp op afstand en sommige spellen doen dit ook. {_WAT_TE_DOEN}",
        )


_WHAT_TO_DO = (
    "If you do not know which program it is, take {src} off the network, leave it switched on, and ask "
    "your IT supplier to look at what calls {dst}."
)
_WAT_TE_DOEN = (
    "Weet u niet welk programma het is, haal {src} dan van het netwerk, laat het aanstaan, en vraag uw "
    "IT-leverancier na te gaan wat met {dst} belt."
)


def _told(minutes: float) -> tuple[str, str]:
    if minutes < 1.5:
        return "a minute", "een minuut"
    if minutes < 120:
        return f"{minutes:.0f} minutes", f"{minutes:.0f} minuten"
    if minutes < 48 * 60:
        return f"{minutes / 60:.0f} hours", f"{minutes / 60:.0f} uur"
    return "days", "dagen"


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
    local_resp: NDArray[np.int64]
    hints: NDArray[np.int64]
    turns: NDArray[np.int64]
    orig_turns: NDArray[np.int64]
    orig_size: NDArray[np.int64]
    orig_share: NDArray[np.int64]
    orig_sizes: NDArray[np.int64]
    resp_size: NDArray[np.int64]
    resp_share: NDArray[np.int64]
    resp_sizes: NDArray[np.int64]
    gap: NDArray[np.int64]
    dest_first: NDArray[np.int64]
    dest_machines: NDArray[np.int64]
    orig_first: NDArray[np.int64]
    orig_news: NDArray[np.float64]
    orig_strangers: NDArray[np.float64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    part_at: NDArray[np.int64]
    begun: NDArray[np.int64]
    rounds: NDArray[np.float32]
    alike: NDArray[np.float32]
    polls: NDArray[np.float32]
    held: NDArray[np.float32]
    sent: NDArray[np.float32]
    received: NDArray[np.float32]
    base: NDArray[np.float32]
    odd: NDArray[np.float32]
    hints: NDArray[np.int32]
    misplaced: NDArray[np.float32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _few(amount):  # type: ignore[no-untyped-def]
    return float(min(max(amount, 0), 1_000_000_000_000))


@njit(cache=True, nogil=True, inline="always")
def _is_misplaced(rows, i):  # type: ignore[no-untyped-def]
    """HTTP in the clear where TLS is at home, outside."""
    return rows.resp_p[i] == 443 and speech_of(rows.hints[i]) == _HTTP and not rows.local_resp[i]


@njit(cache=True, nogil=True, inline="always")
def _repeats(share, sizes, turns):  # type: ignore[no-untyped-def]
    """How much of one side's turns has the commonest size, or one of two, in 0-1: 0 if each has its own."""
    if turns < 2:
        return 0.0
    least = 1.0 / turns
    # shares are rounded down to whole percents
    commonest = min(max((0.01 * share - least) / (1.0 - least), 0.0), 1.0)
    return max(commonest, 1.0 - 1.0 / (turns - 1.0)) if sizes == 2 else commonest


@njit(cache=True, nogil=True, inline="always")
def _up_to(most, count):  # type: ignore[no-untyped-def]
    """A count that tells less the higher it is: half of ``most`` at ``most``."""
    return most * count / (most + count)


@njit(cache=True, nogil=True, inline="always")
def _is_news(met, known):  # type: ignore[no-untyped-def]
    """In 1-2: a machine that the site has known for days calls what it has not."""
    days = max(met, 0.0) / _DAY_US
    return 1.0 + min(max(known, 0.0) / _DAY_US / 7.0, 1.0) / (1.0 + days * days)


@njit_lean
def _fold(columns, memory, table, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        if table[i] < 0:
            continue
        if rows.proto[i] != _TCP:
            continue
        e, t, talk = rows.slot[i], rows.time[i], table[i] == _TALKS
        if rows.fresh[i]:
            state.last[e] = state.part_at[e] = state.begun[e] = t
            state.rounds[e] = state.alike[e] = state.polls[e] = state.held[e] = 0.0
            state.sent[e] = state.received[e] = state.base[e] = state.odd[e] = 0.0
            state.hints[e] = 0
            state.misplaced[e] = 0.0
        if not talk:
            # a part without hints is one of those after the first
            seen = rows.hints[i] & LASTING
            lasted = max(float(t) - float(rows.start[i]), 0.0)
            if rows.part[i] == 0:
                if rows.state[i] == _END and lasted < 60e6 and not _is_misplaced(rows, i):
                    continue
                state.hints[e] = _INSIDE if rows.local_resp[i] else 0
            if seen or rows.part[i] == 0 or state.base[e] == 0.0:
                state.hints[e] |= seen
                state.base[e] = oddness(rows.resp_p[i], state.hints[e])
            if (
                rows.local_resp[i] and speech_of(state.hints[e])
                and like_a_shell(rows.resp_p[i], state.hints[e]) == 0.0
            ):  # fmt: skip
                continue
        since = float(t) - float(state.last[e])
        if since > _MOMENT_US:
            state.last[e] = t
            kept = remaining(since, half_life)
            state.rounds[e] *= kept
            state.alike[e] *= kept
            state.polls[e] *= kept
            state.misplaced[e] *= kept
            state.held[e] *= kept
            state.sent[e] *= kept
            state.received[e] *= kept
        if talk:
            turns = min(max(rows.turns[i], 0), 1_000_000)
            ours = min(max(rows.orig_turns[i], 0), turns)
            theirs = turns - ours
            exchanges = float(min(ours, theirs))
            if exchanges > 0.0:
                alike = math.sqrt(
                    _repeats(rows.orig_share[i], rows.orig_sizes[i], ours)
                    * _repeats(rows.resp_share[i], rows.resp_sizes[i], theirs)
                )
                largest = min(max(rows.orig_size[i], rows.resp_size[i], 0), 1_000_000_000)
                small = 1.0 / (1.0 + (largest / 600.0) ** 2)
                state.rounds[e] += exchanges
                state.alike[e] += exchanges * alike
                # asking again and again is within seconds, a device's report is not
                pace = 1.0 / (1.0 + min(max(rows.gap[i], 0), 1_000_000_000) / 3000.0)
                state.polls[e] += exchanges * small * pace * max(0.0, 2.0 * alike - 1.0)
                state.held[e] += exchanges * small * (0.25 + 0.75 * alike)
        else:
            state.begun[e] = rows.start[i]
            if rows.part[i]:
                lasted = min(max(float(t) - float(state.part_at[e]), 0.0), _LONGEST_PART_US)
            state.held[e] += 0.25 * min(lasted, _LONGEST_FLOW_US) / 60e6
            state.part_at[e] = max(state.part_at[e], t)
            state.sent[e] += _few(rows.orig_bytes[i])
            state.received[e] += _few(rows.resp_bytes[i])
            met, known = float(t) - float(rows.dest_first[i]), float(t) - float(rows.orig_first[i])
            news = rows.orig_news[i]
            strange = _is_news(met, known) * unexplained(
                met, rows.dest_machines[i], known, news, rows.orig_strangers[i]
            )
            if rows.part[i] == 0 and _is_misplaced(rows, i):
                moves = _few(rows.orig_bytes[i]) + _few(rows.resp_bytes[i])
                state.misplaced[e] += strange / (1.0 + (moves / _A_FEW_WORDS) ** 2)
            if rows.part[i] == 0 and rows.state[i] != _END:
                continue
            if state.hints[e] & _INSIDE:
                state.odd[e] = strange * like_a_shell(rows.resp_p[i], state.hints[e])
            else:
                called = strangeness(rows.resp_p[i], state.hints[e], news)
                state.odd[e] = strange * state.base[e] * called
        moved = state.sent[e] + state.received[e]
        out = state.sent[e] / moved if moved > 0.0 else 0.5
        held = state.held[e]
        if state.rounds[e] < 1.0 and held > 0.0:
            # nothing is said and much moves: a copy, which lasts as long as its size
            held /= 1.0 + moved / (held * 4.0) / _A_COPY
        inside = 1.0 if state.hints[e] & _INSIDE else 0.0
        if speech_of(state.hints[e]) == _HTTP:
            counted = _up_to(512.0, state.polls[e])
        else:
            counted = _up_to(64.0, held) * (1.0 - inside + max(0.0, 2.0 * out - 1.0))
        evidence = counted * state.odd[e] + 10.0 * min(state.misplaced[e], 16.0)
        if evidence < _NEXT_TO_NOTHING:
            continue
        scores[i] = math.log2(1.0 + evidence)
        facts[i, 0] = state.rounds[e]
        facts[i, 1] = max(float(t) - float(state.begun[e]), 0.0) / 60e6
        facts[i, 2] = state.alike[e] / state.rounds[e] if state.rounds[e] > 0.0 else 0.0
        facts[i, 3] = out
        facts[i, 4] = 1.0 if named_by(state.hints[e]) == _NOBODY else 0.0
        facts[i, 5] = state.odd[e]
        facts[i, 6] = state.misplaced[e]
        facts[i, 7] = inside
        facts[i, 8] = evidence

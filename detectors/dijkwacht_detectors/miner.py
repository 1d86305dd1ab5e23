"""Coin mining: a machine works for a pool, and reports each result over one connection.

Looks at how a pool and its worker speak (stratum, and what is like it): the worker reports a result
whenever it happens to find one, which is as irregular as chance and as long as the last, for the
numbers in it have a fixed length; each is answered with a few words; and in between the pool hands
out new work, unasked. Reports are counted (half-life two hours) as far as their sizes repeat, have
the size of a report (some 100 to 400 bytes), and come at random times; and as far as the server also
speaks unasked. A timer is regular, a person's words differ in size, what is told to a telemetry
broker is acknowledged and no more, and an acknowledgement is shorter than any report. Solutions of
Equihash (Zcash and its kin) have 2,688 digits, a length that hardly anything else has: they count
eight times, and need no work handed out.

A weak machine finds nothing for hours, and is handed work all the same. What the server says in words
of one size (150 to 1,500 bytes), to nobody's question, and at no timer's pace, counts like reports:
messages to people differ in size, prices too, signs of life come by the clock. More of it says less
and less: 128 pieces of work count half, and 128 is the most.

The count weighs by the line: in full in readable words at a port that no ordinary program uses, as
pools have it; twice that where no DNS answer had named the address, half more where that is not
known; a quarter inside TLS there, an eighth in bytes. It weighs less where the site has long known the address, several machines call it,
or the machine calls hardly anything new, as devices do that report events in words of their own.

Limits: in TLS at 443, or at a port where chat or telemetry is at home, a miner cannot be told from
those by this, and weighs next to nothing; `pool_names` knows some by name. It takes a quarter of an hour and more to tell, except
by Equihash. Who is sent news of one length, as chance will have it, looks the same. What a miner does to a machine's processor, `system` sees where an agent runs on it.

>>> from dijkwacht_detectors.checks import score_rows
>>> from dijkwacht_records.hints import SPEECH, Speech
>>> line = {"table": "flows", "resp_p": 3333, "orig_bytes": 900, "resp_bytes": 1100, "start": 1}
>>> turns = {"table": "talks", "resp_p": 3333, "turns": 10, "orig_turns": 4, "orig_size": 190, "orig_share": 75,
...          "resp_size": 63, "resp_share": 66, "gap": 15_000, "gap_spread": 90}
>>> rows = [line | {"time": 1, "state": 0, "hints": SPEECH.put(Speech.TEXT)}]
>>> for n in range(1, 61):
...     rows += [row | {"time": n * 60_000_000, "part": n, "state": 1} for row in (line, turns)]
>>> float(score_rows(Miner(), rows)[-1].round(1))
7.6
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
from dijkwacht_detectors.knowledge.ports import FREE, WEB, WEB_TOO, port_use
from dijkwacht_detectors.state.acquaintance import unexplained
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_records.hints import Named, Speech

_TCP = 6
_END = 2
_TALKS = 1  # the place of this table in ``reads``
_MOMENT_US = 5e6  # within it nothing fades
_NEXT_TO_NOTHING = 0.25  # nearly all lines are ordinary, and each opinion costs the policy time
_NOBODY, _UNKNOWN = int(Named.NOBODY), int(Named.UNKNOWN)
_TLS, _HTTP, _TEXT = int(Speech.TLS), int(Speech.HTTP), int(Speech.TEXT)
_BYTES = int(Speech.BYTES)
_SOLUTION = (2_750, 2_950)
"""Bytes of a message with 2,688 hexadecimal digits: Equihash's 1,344 bytes, and who found it for which work."""
_MOST_WORK = 128.0


class Miner(RowDetector):
    """Reports of one size at random times, each answered, and work handed out unasked."""

    name = "miner"
    reads: ClassVar[Reads] = {
        "flows": ("part", "state", "start", "resp_p", "proto", "local_resp", "hints"),
        "talks": (
            "resp_p", "proto", "turns", "orig_turns", "orig_size", "orig_share", "resp_size",
            "resp_share", "gap", "gap_spread",
        ),
    }  # fmt: skip
    context = ("dest_first", "dest_machines", "orig_first", "orig_news", "orig_strangers")
    entity: ClassVar[Entity] = "pair"
    passes_over = True
    kind = "c2"
    technique = "T1496"
    facts = ("reports", "minutes", "unasked", "oddness", "work")
    entities_per_site = 2048
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "begun": ("i8", ()),
        "reports": ("f4", ()),
        "turns": ("f4", ()),
        "unasked": ("f4", ()),
        "solved": ("f4", ()),
        "work": ("f4", ()),
        "told": ("i8", ()),
        "each": ("f4", ()),
        "odd": ("f4", ()),
        "hints": ("i4", ()),
    }
    """56 bytes an entity."""

    share = 1 / 60
    expected = (4.0, 0.5)
    half_life_s = 7200.0
    """A pool lets a worker find something every few seconds to minutes, and that for days."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Count reports as turns are told, and score the line as it goes on."""
        _fold(_columns(rows), _memory(state), rows.table, self.half_life_s * 1e6, scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say what mining costs, and that somebody put it there."""
        many = max(2, round(min(facts["reports"], 1e6)))
        handed = max(2, round(min(facts["work"], 1e6)))
        what = f"It reported a result about {many} times of late, as mining programs do."
        wat = f"Het meldde de laatste tijd ongeveer {many} keer een resultaat, zoals delfprogramma's doen."
        if handed > many:
            what = f"It was handed work about {handed} times of late without asking, as mining programs are."
            wat = (
                f"Het kreeg de laatste tijd ongeveer {handed} keer ongevraagd werk, zoals delfprogramma's "
                "dat krijgen."
            )
        return Explanation(
            "{src} seems to be mining digital coins for {dst} (port {port}).",
            "{src} lijkt digitale munten te delven voor {dst} (poort {port}).",
            f"{what} Mining uses up the machine and a good deal of electricity, and is often installed by "
            "someone who broke in. If nobody here does this on purpose, take {src} off the network and have it found out how "
            "the program got there.",
            f"{wat} Delven vergt veel van het apparaat en veel stroom, en wordt vaak geïnstalleerd door iemand "
            "die heeft ingebroken. Doet niemand hier dit met opzet, haal {src} dan van het netwerk en "
            "laat uitzoeken hoe het programma erop kwam.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    part: NDArray[np.int64]
    state: NDArray[np.int64]
    start: NDArray[np.int64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    local_resp: NDArray[np.int64]
    hints: NDArray[np.int64]
    turns: NDArray[np.int64]
    orig_turns: NDArray[np.int64]
    orig_size: NDArray[np.int64]
    orig_share: NDArray[np.int64]
    resp_size: NDArray[np.int64]
    resp_share: NDArray[np.int64]
    gap: NDArray[np.int64]
    gap_spread: NDArray[np.int64]
    dest_first: NDArray[np.int64]
    dest_machines: NDArray[np.int64]
    orig_first: NDArray[np.int64]
    orig_news: NDArray[np.float64]
    orig_strangers: NDArray[np.float64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    begun: NDArray[np.int64]
    reports: NDArray[np.float32]
    turns: NDArray[np.float32]
    unasked: NDArray[np.float32]
    solved: NDArray[np.float32]
    work: NDArray[np.float32]
    told: NDArray[np.int64]
    each: NDArray[np.float32]
    odd: NDArray[np.float32]
    hints: NDArray[np.int32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _pool_like(port, hints):  # type: ignore[no-untyped-def]
    """How much a line to this port that is spoken so is like one to a pool, in 0-2."""
    named, speech, use = named_by(hints), speech_of(hints), port_use(port)
    if use in (FREE, WEB_TOO):
        if speech == _TEXT:
            like = 1.0
        elif speech == _TLS:
            like = 1 / 4 if use == FREE else 1 / 64
        elif speech == _BYTES:
            like = 1 / 8
        else:
            like = 1 / 16
    elif speech == _TEXT and use == WEB:
        like = 1 / 2  # words at 80, 443 or 8080, where pools listen so that firewalls let them pass
    else:
        like = 1 / 64
    if named == _NOBODY:
        return 2.0 * like
    return 1.5 * like if named == _UNKNOWN else like


@njit(cache=True, nogil=True, inline="always")
def _repeats(share, turns):  # type: ignore[no-untyped-def]
    """How much of a side's turns has the commonest size, in 0-1: 0 if each has its own."""
    if turns < 2:
        return 0.0
    least = 1.0 / turns
    return min(max((0.01 * share - least) / (1.0 - least), 0.0), 1.0)


@njit(cache=True, nogil=True, inline="always")
def _differs(each, before):  # type: ignore[no-untyped-def]
    """In 0-1: how much longer or shorter turns took than the last ones did; a timer's vary by some percents."""
    return min(max(4.0 * abs(math.log2(each / before)) - 0.4, 0.0), 1.0)


@njit(cache=True, nogil=True, inline="always")
def _is_solution(size, share):  # type: ignore[no-untyped-def]
    return _SOLUTION[0] <= size <= _SOLUTION[1] and share >= 75


@njit(cache=True, nogil=True, inline="always")
def _handed_out(ours, theirs, size, share, irregular):  # type: ignore[no-untyped-def]
    """How many of the responder's turns hand out work that nobody asked for."""
    if theirs <= ours:
        return 0.0
    off = math.log2(max(size, 1) / 475.0)  # half at 150 and 1,500 bytes
    alike = max(0.0, 2.0 * _repeats(share, theirs) - 1.0)  # prices are alike by chance
    return (theirs - ours) * alike * irregular / (1.0 + (off / 1.66) ** 8)


@njit(cache=True, nogil=True, inline="always")
def _reports(ours, size, share, gap, spread):  # type: ignore[no-untyped-def]
    """How many of so many turns of the originator are reports of results."""
    alike = _repeats(share, ours)
    # of a report's length: two fall to half at 100 and 400 bytes, in bits either way
    off = math.log2(max(size, 1) / 200.0)
    fits = 1.0 if _is_solution(size, share) else 1.0 / (1.0 + off**4)
    # intervals of chance spread by their mean; a timer's hardly do
    chance = min(max((spread - 25.0) / 50.0, 0.0), 1.0)
    paced = 1.0 if gap >= 1500 else max(gap, 0) / 1500.0
    return ours * alike * fits * chance * paced


@njit_lean
def _fold(columns, memory, table, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        if table[i] < 0:
            continue
        if rows.proto[i] != _TCP:
            continue
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            state.last[e] = state.begun[e] = t
            state.reports[e] = state.turns[e] = state.unasked[e] = state.odd[e] = 0.0
            state.solved[e] = state.work[e] = state.each[e] = 0.0
            state.told[e] = t
            state.hints[e] = 0
        if table[i] != _TALKS:
            if rows.local_resp[i]:
                continue
            seen = rows.hints[i] & LASTING
            if rows.part[i] == 0:
                if rows.state[i] == _END:
                    continue
                state.hints[e] = seen
                state.told[e], state.each[e] = t, 0.0
            elif seen:
                state.hints[e] |= seen
            state.begun[e] = rows.start[i]
            if state.reports[e] + state.work[e] <= 0.0:
                continue
            state.odd[e] = _pool_like(rows.resp_p[i], state.hints[e]) * unexplained(
                float(t) - float(rows.dest_first[i]), rows.dest_machines[i],
                float(t) - float(rows.orig_first[i]), rows.orig_news[i], rows.orig_strangers[i],
            )  # fmt: skip
            continue
        since = float(t) - float(state.last[e])
        if since > _MOMENT_US:
            state.last[e] = t
            kept = remaining(since, half_life)
            state.reports[e] *= kept
            state.turns[e] *= kept
            state.unasked[e] *= kept
            state.solved[e] *= kept
            state.work[e] *= kept
        turns = min(max(rows.turns[i], 1), 1_000_000)
        ours = min(max(rows.orig_turns[i], 0), turns)
        reports = _reports(
            float(ours), rows.orig_size[i], rows.orig_share[i], rows.gap[i], rows.gap_spread[i]
        )
        found = _is_solution(rows.orig_size[i], rows.orig_share[i])
        state.reports[e] += reports
        state.solved[e] += reports if found else 0.0
        state.turns[e] += turns
        state.unasked[e] += turns if found else turns - 2 * ours
        if state.turns[e] <= 0.0:
            continue
        # so many turns take a timer equally long each time
        each = max(float(t) - float(state.told[e]), 1.0) / turns
        before = state.each[e]
        irregular = _differs(each, before) if before > 0.0 else 0.0
        state.told[e], state.each[e] = max(state.told[e], t), each
        if speech_of(state.hints[e]) == _TEXT:
            state.work[e] += _handed_out(
                float(ours), float(turns - ours), rows.resp_size[i], rows.resp_share[i], irregular
            )
        # one turn in twenty that nobody asked for is work handed out
        unasked = min(max(20.0 * state.unasked[e] / state.turns[e], 0.0), 1.0)
        work = _MOST_WORK * state.work[e] / (_MOST_WORK + state.work[e])
        evidence = (state.reports[e] * unasked + 7.0 * state.solved[e] + work) * state.odd[e]
        if evidence < _NEXT_TO_NOTHING:
            continue
        scores[i] = math.log2(1.0 + evidence)
        facts[i, 0] = state.reports[e]
        facts[i, 1] = max(float(t) - float(state.begun[e]), 0.0) / 60e6
        facts[i, 2] = unasked
        facts[i, 3] = state.odd[e]
        facts[i, 4] = state.work[e]

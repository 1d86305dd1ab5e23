"""Futile calls: a machine calls an outside server over and over, without a pause, and gets no word back.

Looks at TCP connections of one machine to one service outside, of which the server never said anything.
Programs written with care wait longer after each failure, and people give up; a trojan whose master is
away, or was taken down, often just tries again. Each call counts by the pause since the last one failed:
fully within a second, hardly after three; and not in a burst at once, as browsers open. Calls that were
refused or unanswered weigh 0.5: a server that is gone explains them. They weigh 1 if the caller's system
takes no refusal for an answer and tries twice more from the same port, as Windows does and locks, hubs and
sensors do not, and the address is a bare one at no port of the web. Accepted, yet nothing said by
either: 1, because a client that is let in has something to say. Accepted, and the caller says equally
much every time into silence: 3. What does not speak is bounded: some minutes of it say as much as a day.
The score is log₂ of that, less where DNS named the address, where it ever answered, where several
machines call it, and by how many days it is known.

Innocents: a cloud service that is gone, filters that lead blocked names to an address that refuses, broken
IPv6, locks and sensors without their server: they are named, or wait, or are known by tomorrow. Inside the
site machines are switched off all the time; calls there have no score.

Limits: a trojan that waits some seconds between its calls is left to `beacon`; several servers that are tried
in turn are seen one by one; calls in half of a conversation (one-sided captures) are not judged. The system's
own repetitions of a refused call come from one port and count once. Scanning of many targets is left
to `scan`. 100 B an entity.

>>> from dijkwacht_detectors.checks import score_rows
>>> calls = [{"time": n * 600_000, "start": n * 600_000, "flow_id": n, "orig_p": 50_000 + n, "resp_p": 3396,
...           "conn_state": 3, "orig_bytes": 69, "resp_pkts": 4} for n in range(40)]
>>> float(score_rows(FutileCalls(), calls)[-1].round(1))
5.8
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.hinted import named_by
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_records.hints import Named

_TCP = 6
_END = 2
_S0, _S1, _SF, _REJ, _S2, _S3, _RSTO, _RSTR, _RSTOS0, _SH = 1, 2, 3, 4, 5, 6, 7, 8, 9, 11
_BY_ORIG, _BY_OTHER, _NOBODY = int(Named.BY_ORIG), int(Named.BY_OTHER), int(Named.NOBODY)
_DAY_US = 86_400e6
_AT_ONCE_S = 1.0
"""Windows repeats a refused call after half a second."""
_MOST_SILENT = 64.0
"""Calls without a word beyond which more of them say no more."""


class FutileCalls(RowDetector):
    """Calls of one machine to one service outside that never says anything, a second apart or less."""

    name = "futile_calls"
    table = "flows"
    reads = (
        "part", "state", "flow_id", "start", "orig_p", "resp_p", "proto", "conn_state",
        "orig_bytes", "resp_bytes", "resp_pkts", "local_orig", "local_resp", "hints",
    )  # fmt: skip
    context = ("dest_first", "dest_machines", "dest_serves")
    entity: ClassVar[Entity] = "pair"
    kind = "c2"
    technique = "T1008"
    facts = ("calls", "refused", "empty", "spoken", "interval_s")
    entities_per_site = 2048
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "marks": ("i8", (8,)),
        "amounts": ("f4", (6,)),
        "traits": ("i4", (3,)),
    }

    share = 3 / 80
    expected = (3.2, 0.3)
    """A named service that is gone, called by a program that tries again within the second."""
    half_life_s = 600.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each call that the other side ends, or leaves, without a word."""
        _fold(_columns(rows), _memory(state), self.half_life_s * 1e6, scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how often it called, and what came of it."""
        many = max(2, round(facts["calls"]))
        what = (
            "Programs do this when the server they belong to is gone. Malware does too, when the server that "
            "steers it was taken down or is away, and such a machine is still infected. If you do not know what on {src} "
            "belongs to {dst}, have {src} scanned for viruses, and have your supplier block {dst}."
        )
        wat = (
            "Programma's doen dit als de server waar ze bij horen verdwenen is. Kwaadaardige programma's "
            "ook, als de server die ze bestuurt is uitgeschakeld of even weg is; het apparaat is dan nog besmet. Weet u "
            "niet wat er op {src} bij {dst} hoort, laat {src} dan op virussen nakijken en uw leverancier "
            "{dst} blokkeren."
        )
        began = f"{{src}} called {{dst}} (port {{port}}) about {many} times within minutes"
        begon = f"{{src}} belde {{dst}} (poort {{port}}) ongeveer {many} keer binnen enkele minuten"
        if facts["spoken"] >= max(facts["empty"], facts["refused"]):
            return Explanation(
                f"{began}, said the same each time, and got no word back.",
                f"{begon}, zei elke keer hetzelfde en kreeg geen woord terug.",
                what,
                wat,
            )
        if facts["empty"] >= facts["refused"]:
            return Explanation(
                f"{began}, was let in, and nothing was said.",
                f"{begon}, werd binnengelaten, en er werd niets gezegd.",
                what,
                wat,
            )
        return Explanation(
            f"{began}, and was refused or not answered.",
            f"{begon}, en werd geweigerd of kreeg geen gehoor.",
            what,
            wat,
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    part: NDArray[np.int64]
    state: NDArray[np.int64]
    flow_id: NDArray[np.int64]
    start: NDArray[np.int64]
    orig_p: NDArray[np.int64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    conn_state: NDArray[np.int64]
    orig_bytes: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]
    resp_pkts: NDArray[np.int64]
    local_orig: NDArray[np.int64]
    local_resp: NDArray[np.int64]
    hints: NDArray[np.int64]
    dest_first: NDArray[np.int64]
    dest_machines: NDArray[np.int64]
    dest_serves: NDArray[np.int64]


class _State(NamedTuple):
    """Few arrays, because each costs a cache line a row."""

    marks: NDArray[np.int64]
    amounts: NDArray[np.float32]
    traits: NDArray[np.int32]


_LAST, _BEGAN, _ENDED, _FLOW, _SENT, _HEARD, _PACKETS, _SAID = range(8)  # of marks
_CALLS, _REFUSED, _EMPTY, _SPOKEN, _ANSWERED, _INTERVAL = range(6)  # of amounts
_PORT, _NAMED_BY, _INSISTS = range(3)  # of traits

_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _forget(marks, amounts, traits, e, t):  # type: ignore[no-untyped-def]
    marks[e, _LAST] = t
    marks[e, _BEGAN] = marks[e, _ENDED] = t - 3_600_000_000  # long before
    marks[e, _FLOW] = marks[e, _SENT] = marks[e, _HEARD] = marks[e, _PACKETS] = 0
    marks[e, _SAID] = traits[e, _PORT] = -1
    amounts[e, _CALLS] = amounts[e, _REFUSED] = amounts[e, _EMPTY] = amounts[e, _SPOKEN] = 0.0
    amounts[e, _ANSWERED] = amounts[e, _INTERVAL] = 0.0
    traits[e, _NAMED_BY] = traits[e, _INSISTS] = 0


@njit(cache=True, nogil=True, inline="always")
def _pace(gap_s, pause_s):  # type: ignore[no-untyped-def]
    """How much a call counts so long after the one before began, and after it ended.

    Nothing at once, 0.8 after a pause of a second, 0.06 of three. One that takes long to fail is slow, too.
    """
    apart = min(2.0 * gap_s, 1.0)
    return apart / ((1.0 + (pause_s / 1.5) ** 4) * (1.0 + (gap_s / 4.0) ** 4))


@njit(cache=True, nogil=True, inline="always")
def _knowledge(named):  # type: ignore[no-untyped-def]
    """What DNS says against the address."""
    if named == _NOBODY:
        return 1.0
    return 0.25 if named in (_BY_ORIG, _BY_OTHER) else 0.5


@njit(cache=True, nogil=True, inline="always")
def _of_refusal(traits, e, port):  # type: ignore[no-untyped-def]
    """What a refused call weighs: filters refuse at ports of the web, and named services go away."""
    named = traits[e, _NAMED_BY] in (_BY_ORIG, _BY_OTHER)
    return 1.0 if traits[e, _INSISTS] and not named and port not in (80, 443) else 0.5


@njit(cache=True, nogil=True, inline="always")
def _few(amount):  # type: ignore[no-untyped-def]
    return min(max(amount, 0), 1_000_000_000_000)


@njit(cache=True, nogil=True, inline="always")
def _judge(conn, marks, amounts, e, worth):  # type: ignore[no-untyped-def]
    """Count a call that ended without a word; whether it was one."""
    if conn in (_S0, _REJ, _RSTOS0, _SH):
        if marks[e, _SENT] > 0:
            return False  # half of a conversation
        amounts[e, _REFUSED] += worth
    elif conn in (_S1, _SF, _S2, _S3, _RSTO, _RSTR):
        if marks[e, _PACKETS] == 0:
            return False
        if marks[e, _SENT] == 0:
            amounts[e, _EMPTY] += worth
        else:
            amounts[e, _SPOKEN] += worth if marks[e, _SENT] == marks[e, _SAID] else 0.25 * worth
            marks[e, _SAID] = marks[e, _SENT]
    else:
        return False
    return True


@njit_lean
def _fold(columns, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    marks, amounts, traits = state.marks, state.amounts, state.traits
    for i in range(len(rows.time)):
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            _forget(marks, amounts, traits, e, t)
        if rows.proto[i] != _TCP or rows.local_resp[i] or not rows.local_orig[i]:
            continue
        heard = _few(rows.resp_bytes[i])
        if rows.part[i] == 0:
            marks[e, _FLOW] = rows.flow_id[i]
            marks[e, _SENT] = marks[e, _HEARD] = marks[e, _PACKETS] = 0
            named = named_by(rows.hints[i])
            if named and traits[e, _NAMED_BY] != _BY_ORIG:
                traits[e, _NAMED_BY] = named
        in_hand = marks[e, _FLOW] == rows.flow_id[i]
        if heard > 0 and not (in_hand and marks[e, _HEARD] > 0):
            amounts[e, _ANSWERED] += 1.0
        if not in_hand:
            continue  # of another call than the last that began
        marks[e, _SENT] += _few(rows.orig_bytes[i])
        marks[e, _HEARD] += heard
        marks[e, _PACKETS] += _few(rows.resp_pkts[i])
        if marks[e, _HEARD] > 0:
            continue
        conn, start, port = rows.conn_state[i], rows.start[i], rows.orig_p[i] & 0xFFFF
        if rows.state[i] != _END and conn not in (_S3, _RSTR):
            continue  # it may yet say something; unless it has hung up
        marks[e, _FLOW] = -1
        gap = max(0.0, (float(start) - float(marks[e, _BEGAN])) / 1e6)
        pause = max(0.0, (float(start) - float(marks[e, _ENDED])) / 1e6)
        marks[e, _ENDED] = max(marks[e, _ENDED], t)
        if conn == _REJ and port == traits[e, _PORT]:
            if pause < _AT_ONCE_S:
                traits[e, _INSISTS] = 1
            continue  # the system repeats one call
        traits[e, _PORT] = port
        marks[e, _BEGAN] = max(marks[e, _BEGAN], start)
        if t > marks[e, _LAST]:
            kept = remaining(t - marks[e, _LAST], half_life)
            amounts[e, _CALLS] *= kept
            amounts[e, _REFUSED] *= kept
            amounts[e, _EMPTY] *= kept
            amounts[e, _SPOKEN] *= kept
            marks[e, _LAST] = t
        if not _judge(conn, marks, amounts, e, _pace(gap, pause)):
            continue
        share = 0.25 if amounts[e, _CALLS] > 1.5 else 1.0
        amounts[e, _INTERVAL] += share * (min(gap, 3600.0) - amounts[e, _INTERVAL])
        amounts[e, _CALLS] += 1.0
        refused, empty, spoken = amounts[e, _REFUSED], amounts[e, _EMPTY], amounts[e, _SPOKEN]
        closed = _of_refusal(traits, e, rows.resp_p[i]) * min(refused, _MOST_SILENT)
        evidence = closed + min(empty, _MOST_SILENT) + 3.0 * spoken
        evidence *= _knowledge(traits[e, _NAMED_BY]) / (1.0 + amounts[e, _ANSWERED])
        evidence /= min(max(rows.dest_machines[i], 1), 64)
        evidence /= 1.0 + max(float(t) - float(rows.dest_first[i]), 0.0) / _DAY_US
        if rows.dest_serves[i] > 0:
            evidence *= 0.25
        scores[i] = math.log2(1.0 + evidence)
        facts[i, 0], facts[i, 1], facts[i, 2] = amounts[e, _CALLS], refused, empty
        facts[i, 3], facts[i, 4] = spoken, amounts[e, _INTERVAL]

"""Forged floods: unanswered flows between two outside addresses, whose sources are spoofed.

Whoever floods from inside often spoofs the source address, and sometimes the target's too; the
sensor then sees attempts between two addresses that are both outside. No ordinary traffic looks like
that. Looks at unanswered first parts between two outside addresses, within seconds, a site at a
time, each pair counted once. The score is log₂ of their number.

Limits: if what is inside was declared wrongly, all traffic is between outside addresses; what is answered does not
count, so little of it does.

>>> from dijkwacht_detectors.checks import score_rows
>>> syns = [{"time": n * 1000, "orig_h": 5000 * n, "resp_h": 7000 * n, "conn_state": 1, "orig_pkts": 1,
...          "local_orig": 0, "table": "flows"} for n in range(1, 257)]
>>> float(score_rows(ForgedFlood(), syns)[-1].round(1))
7.9
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, Reads, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.addresses import is_v4
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.novelty import is_new

_MANY = 64
"""Most distinct addresses that a row of `floods` counts."""


class ForgedFlood(RowDetector):
    """Unanswered attempts between outside addresses, of many senders."""

    name = "forged_flood"
    reads: ClassVar[Reads] = {
        "flows": (
            "part", "orig_h", "resp_h", "resp_pkts", "resp_bytes", "local_orig", "local_resp",
        ),
        "floods": ("orig_h", "resp_h", "flows", "origs", "resps", "local_orig", "local_resp"),
    }  # fmt: skip
    entity: ClassVar[Entity] = "site"
    kind = "dos"
    technique = "T1498.001"
    subject: ClassVar[Literal["src", "dst", "mac", "agent"]] = "agent"
    facts = ("attempts", "senders")
    entities_per_site = 1
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "attempts": ("f4", ()),
        "senders": ("f4", ()),
        "seen": ("u8", (2, 16)),
        "held": ("i4", ()),
    }

    share = 6 / 240
    expected = (3.0, 1.0)
    half_life_s = 5.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each unanswered attempt between outside addresses."""
        _fold(_columns(rows), _memory(state), self.half_life_s * 1e6, scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say that source addresses are forged."""
        many = round(facts["senders"])
        return Explanation(
            f"Traffic with forged senders floods from your network: {many} false addresses in seconds.",
            f"Uit uw netwerk stroomt verkeer met vervalste afzenders: {many} valse adressen in enkele seconden.",
            "A device of yours probably takes part in an attack on others. Unplug devices one by one, "
            "cameras and recorders first, until it stops, and have the culprit cleaned.",
            "Waarschijnlijk doet een van uw apparaten mee aan een aanval op anderen. Trek apparaten één "
            "voor één los, camera's en recorders eerst, tot het stopt, en laat de dader schoonmaken.",
        )


@njit(cache=True, nogil=True, inline="always")
def _is_public(high, low):  # type: ignore[no-untyped-def]
    """Any IPv4 address but those of 0.0.0.0/8; in IPv6, global unicast."""
    if is_v4(high, low):
        return np.uint64(0x01000000) <= (low & np.uint64(0xFFFFFFFF))
    return (high >> np.uint64(61)) == np.uint64(1)


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    part: NDArray[np.int64]
    orig_h: NDArray[np.uint64]
    resp_h: NDArray[np.uint64]
    resp_pkts: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]
    local_orig: NDArray[np.int64]
    local_resp: NDArray[np.int64]
    flows: NDArray[np.int64]
    origs: NDArray[np.int64]
    resps: NDArray[np.int64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    attempts: NDArray[np.float32]
    senders: NDArray[np.float32]
    seen: NDArray[np.uint64]
    held: NDArray[np.int32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _fold(columns, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            state.last[e] = t
            state.attempts[e] = state.senders[e] = 0.0
            state.seen[e] = 0
            state.held[e] = 0
        inside = rows.local_orig[i] or rows.local_resp[i]
        answered = rows.resp_pkts[i] or rows.resp_bytes[i]
        if inside or answered or rows.part[i] != 0:
            continue
        high, low = rows.orig_h[i, 0], rows.orig_h[i, 1]
        # a row of `floods` names no address where it stands for several
        several, whoever = rows.origs[i] > 1, rows.resps[i] > 1
        if not several and not _is_public(high, low):
            continue
        if not whoever and not _is_public(rows.resp_h[i, 0], rows.resp_h[i, 1]):
            continue
        many = min(max(rows.flows[i], 1), 1_000_000)
        kept = remaining(t - state.last[e], half_life)
        state.last[e] = t
        state.senders[e] *= kept
        state.attempts[e] = state.attempts[e] * kept + many
        if several:  # beyond so many they are not told apart: forged, none comes twice
            state.senders[e] += many if rows.origs[i] >= _MANY else min(many, rows.origs[i])
        elif is_new(state.seen, state.held, e, mix(high, low)):
            state.senders[e] += 1.0
        scores[i] = math.log2(1.0 + state.senders[e])
        facts[i, 0], facts[i, 1] = state.attempts[e], state.senders[e]

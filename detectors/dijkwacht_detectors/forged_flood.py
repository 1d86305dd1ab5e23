"""Forged floods: flows pass by of which neither end is inside, and nobody answers.

Whoever floods from inside often forges the sender, and sometimes the target too; what passes the
sensor then are attempts between addresses that both lie elsewhere. Nothing ordinary looks like
that. Looks at unanswered first parts between two outside addresses, within seconds, a site at a
time, each pair counted once. The score is log₂ of their number.

Limits: if what is inside was declared wrongly, all traffic is foreign; what is answered does not
count, so little of it does.

>>> from dijkwacht_detectors.checks import score_rows
>>> syns = [{"time": n * 1000, "orig_h": 5000 * n, "resp_h": 7000 * n, "conn_state": 1, "orig_pkts": 1,
...          "local_orig": 0} for n in range(1, 257)]
>>> float(score_rows(ForgedFlood(), syns)[-1].round(1))
7.9
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from numba import njit

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.addresses import is_v4
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.novelty import is_new


class ForgedFlood(RowDetector):
    """Unanswered attempts between outside addresses, of many senders."""

    name = "forged_flood"
    table = "flows"
    reads = (
        "part", "orig_h", "resp_h", "resp_pkts", "resp_bytes",
        "local_orig", "local_resp",
    )  # fmt: skip
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

    share = 1 / 12
    expected = (3.0, 1.0)
    half_life_s = 5.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each unanswered attempt between strangers."""
        _fold(
            rows.time, rows.slot, rows.fresh, rows["part"], rows["orig_h"], rows["resp_h"],
            rows["resp_pkts"], rows["resp_bytes"], rows["local_orig"],
            rows["local_resp"], state["last"], state["attempts"], state["senders"],
            state["seen"], state["held"], self.half_life_s * 1e6, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say that senders are forged."""
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


@njit(cache=True, nogil=True)
def _fold(  # type: ignore[no-untyped-def]
    time, slot, fresh, part, orig_h, resp_h, resp_pkts, resp_bytes, local_orig, local_resp,
    last, attempts, senders, seen, held, half_life, scores, facts,
):  # fmt: skip
    for i in range(len(time)):
        e = slot[i]
        if fresh[i]:
            last[e] = time[i]
            attempts[e] = senders[e] = 0.0
            seen[e] = 0
            held[e] = 0
        if local_orig[i] or local_resp[i] or part[i] != 0 or resp_pkts[i] or resp_bytes[i]:
            continue
        if not _is_public(orig_h[i, 0], orig_h[i, 1]) or not _is_public(resp_h[i, 0], resp_h[i, 1]):
            continue
        kept = remaining(time[i] - last[e], half_life)
        last[e] = time[i]
        senders[e] *= kept
        attempts[e] = attempts[e] * kept + 1.0
        if is_new(seen, held, e, mix(orig_h[i, 0], orig_h[i, 1])):
            senders[e] += 1.0
        scores[i] = math.log2(1.0 + senders[e])
        facts[i, 0], facts[i, 1] = attempts[e], senders[e]

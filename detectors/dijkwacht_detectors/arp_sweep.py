"""Sweeping: one machine sends ARP requests for address after address of the local network.

Looks at ARP requests: how many different addresses did one hardware address ask for in the last
minutes? A machine asks for those it communicates with; a sweep asks for all of them, most of which
are not in use. The score is log₂ of the number of different addresses.

Limits: a router or a monitoring server asks for every machine of its network, so a network of many
machines has a higher baseline; probes for an address of one's own do not count.

>>> from dijkwacht_detectors.checks import score_rows
>>> asks = [{"op": 1, "sender_mac": 7, "sender_h": 1, "target_h": n} for n in range(2, 130)]
>>> float(score_rows(ArpSweep(), asks)[-1].round(1))
7.0
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import picker, row_picker
from dijkwacht_detectors.state.novelty import is_new


class ArpSweep(RowDetector):
    """Different addresses asked for by one hardware address."""

    name = "arp_sweep"
    table = "arp"
    reads = ("op", "sender_h", "target_h")
    entity: ClassVar[Entity] = "orig"
    kind = "scan"
    technique = "T1018"
    facts = ("addresses",)
    who = Who(src="sender_h", mac="sender_mac", dst="target_h", port="")
    entities_per_site = 1024
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "asked": ("f4", ()),
        "seen": ("u8", (2, 16)),
        "held": ("i4", ()),
    }

    share = 1 / 24
    expected = (4.7, 1.0)
    half_life_s = 600.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each address that is asked for the first time."""
        _fold(_columns(rows), _memory(state), self.half_life_s * 1e6, scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how many addresses were tried."""
        many = round(facts["addresses"])
        return Explanation(
            f"{{src}} asked the network for about {many} addresses, one after the other.",
            f"{{src}} vroeg het netwerk naar ongeveer {many} adressen, het ene na het andere.",
            "It makes a map of which machines there are. Scanners of IT suppliers do so too, and some "
            "printers and apps when they are installed. If nobody you know is doing this now, "
            "disconnect {src} and have it looked at.",
            "Het brengt in kaart welke apparaten er zijn. Scanners van IT-leveranciers doen dat ook, en "
            "sommige printers en apps bij het installeren. Is niemand die u kent hier nu mee bezig, "
            "koppel {src} dan los en laat er iemand naar kijken.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    op: NDArray[np.int64]
    sender_h: NDArray[np.uint64]
    target_h: NDArray[np.uint64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    asked: NDArray[np.float32]
    seen: NDArray[np.uint64]
    held: NDArray[np.int32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True)
def _fold(columns, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            state.last[e] = t
            state.asked[e] = 0.0
            state.seen[e] = 0
            state.held[e] = 0
        sender, target = rows.sender_h[i, 1], rows.target_h[i, 1]
        if rows.op[i] != 1 or sender == target or (sender & np.uint64(0xFFFFFFFF)) == 0:
            continue
        if not is_new(state.seen, state.held, e, mix(rows.target_h[i, 0], target)):
            continue
        state.asked[e] = state.asked[e] * remaining(t - state.last[e], half_life) + 1.0
        state.last[e] = t
        scores[i] = math.log2(1.0 + state.asked[e])
        facts[i, 0] = state.asked[e]

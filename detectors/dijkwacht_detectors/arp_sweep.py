"""Sweeping: one machine sends ARP requests for address after address of the local network.

Looks at ARP requests: how many different addresses did one hardware address ask for in the last
minutes? A machine asks for those it communicates with; a sweep asks for all of them, most of which
are not in use. The score is log₂ of the number of different addresses, of which there count half where the
site saw a sweep not long before, whoever made it, a third after two, and so on (half-life a week): programs
that look for devices come with a supplier's agent, on one machine after the other and day after day. Who
carries the site's traffic to the outside looks for all machines by trade, and is not counted.

Limits: a monitoring server asks for every machine of its network, so a network of many machines has a higher
baseline; probes for an address of one's own do not count. A search for devices is told of the first time,
for it is the same thing; an intruder's soon after it is left to `scan`.

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
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.novelty import is_new

_WEEK_US = 7 * 86_400e6
_SWEEP, _OVER = 64.0, 32.0
"""From so many addresses on it is a sweep; with so few left of them it is over."""


class ArpSweep(RowDetector):
    """Different addresses asked for by one hardware address."""

    name = "arp_sweep"
    table = "arp"
    reads = ("op", "sender_h", "target_h", "from_gateway")
    entity: ClassVar[Entity] = "orig"
    kind = "scan"
    technique = "T1018"
    facts = ("addresses", "sweeps_before")
    who = Who(src="sender_h", mac="sender_mac", dst="target_h", port="")
    entities_per_site = 1024
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "asked": ("f4", ()),
        "seen": ("u8", (2, 16)),
        "held": ("i4", ()),
        "sweeps": ("u1", ()),
        "before": ("f4", ()),
        "samples_sweeps": ("f4", ()),
        "samples_swept": ("i8", ()),
    }

    share = 6 / 240
    expected = (5.2, 1.0)
    """In a week one machine asks for three dozen: it is new, or was moved, or looks for a printer."""
    half_life_s = 600.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each address that is asked for the first time."""
        _fold(
            _columns(rows), rows.site, _memory(state), self.half_life_s * 1e6, scores, facts
        )  # fmt: skip

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
    from_gateway: NDArray[np.int64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    asked: NDArray[np.float32]
    seen: NDArray[np.uint64]
    held: NDArray[np.int32]
    sweeps: NDArray[np.uint8]
    before: NDArray[np.float32]
    samples_sweeps: NDArray[np.float32]
    samples_swept: NDArray[np.int64]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _begin(state, e, site, t):  # type: ignore[no-untyped-def]
    """A sweep begins: it weighs less for those that the site has seen before, and counts for later ones."""
    known = state.samples_sweeps[site]
    known *= remaining(max(t - state.samples_swept[site], 0), _WEEK_US)
    state.sweeps[e], state.before[e] = 1, known
    state.samples_sweeps[site], state.samples_swept[site] = known + 1.0, t


@njit_lean
def _fold(columns, sites, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            state.last[e] = t
            state.asked[e] = state.before[e] = 0.0
            state.seen[e] = 0
            state.held[e] = state.sweeps[e] = 0
        sender, target = rows.sender_h[i, 1], rows.target_h[i, 1]
        if rows.op[i] != 1 or sender == target or (sender & np.uint64(0xFFFFFFFF)) == 0:
            continue
        if rows.from_gateway[i] or not is_new(
            state.seen, state.held, e, mix(rows.target_h[i, 0], target)
        ):
            continue
        state.asked[e] = state.asked[e] * remaining(t - state.last[e], half_life) + 1.0
        state.last[e] = t
        if state.sweeps[e] == 0 and state.asked[e] >= _SWEEP:
            _begin(state, e, sites[i], t)
        elif state.asked[e] < _OVER:
            state.sweeps[e], state.before[e] = 0, 0.0
        scores[i] = math.log2(1.0 + state.asked[e] / (1.0 + state.before[e]))
        facts[i, 0], facts[i, 1] = state.asked[e], state.before[e]

"""ARP spoofing: one machine claims the address of another, to intercept its traffic.

Looks at who claims which address on the local network, and whether anyone asked. An address that
alternates between two hardware addresses within seconds has two claimants; unsolicited replies,
again and again, rewrite the ARP caches of others; a machine that sends them for several addresses
impersonates several machines. The score is log₂ of that. Of two claimants only the impostor is scored:
the one that sends unsolicited replies, and where neither does, the one that came later. A claim that
is made by asking counts a quarter: so a lease that moves between a cable and the wireless network is nothing.

Innocents: machines that are bridged through another's card, and addresses behind a proxy, whose one hardware address
was always theirs, count as one address however many are announced; a spare router takes its addresses over at once and
announces them to all, which counts once; those of VRRP keep their hardware address; a re-lease of an address
comes hours later; probes from 0.0.0.0 claim nothing.

Limits: who announces another's address to all is told only while that other goes on to use it. Requests that the sensor
cannot see, such as unicast ones on a switch without a mirror port, make their replies look unsolicited. A server
that answers for each of its addresses from each of its cards disputes them with itself.

>>> from dijkwacht_detectors.checks import score_rows
>>> claims = [{"time": i * 10**6, "op": 2, "sender_mac": 5 + i % 2, "sender_h": 1, "target_h": 9}
...           for i in range(16)]
>>> float(score_rows(ArpSpoof(), claims)[-1].round(1))
5.9
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.knowledge.addresses import is_v4
from dijkwacht_detectors.knowledge.held_address import HELD_ADDRESS
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker

_PLACES = 256  # addresses remembered a site: a whole /24
_PROBES = 8
_SETTLED = 1 / 16  # a dispute that has decayed to less is over: the last claimant holds the address
_BY_ASKING = 0.25
"""Weight of a claim that a request makes: a machine that got an address asks under it, a thief answers."""


_TO_ALL = 0.25
"""Weight of what a machine announces to all, however often: more comes only of who disputes it. Exact as float32."""


class ArpSpoof(RowDetector):
    """Addresses claimed by two machines, and unsolicited replies."""

    name = "arp_spoof"
    table = "arp"
    reads = ("op", "sender_mac", "sender_h", "target_h")
    entity: ClassVar[Entity] = "site"
    kind = "arp"
    technique = "T1557.002"
    facts = ("changed_hands", "unasked", "addresses_claimed", HELD_ADDRESS)
    who = Who(src="sender_h", mac="sender_mac", dst="target_h", port="")
    subject: ClassVar[Literal["src", "dst", "mac", "agent"]] = "mac"
    entities_per_site = 1
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "address": ("u8", (_PLACES,)),
        "mac": ("i8", (_PLACES,)),
        "claimed": ("i8", (_PLACES,)),
        "asked": ("i8", (_PLACES,)),
        "asker": ("i8", (_PLACES,)),
        "flips": ("f4", (_PLACES,)),
        "unasked": ("f4", (_PLACES,)),
        "holder": ("i8", (_PLACES,)),
        "pusher": ("i8", (_PLACES,)),
        "v4": ("u4", (_PLACES,)),
    }

    share = 7 / 240
    expected = (1.0, 1.0)
    half_life_s = 120.0
    quick_s = 60.0
    """A claimant that is replaced within this is still active."""
    answer_s = 3.0
    """A reply that comes later than this after the last request is unsolicited."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each claim."""
        _fold(
            _columns(rows), _memory(state),
            self.half_life_s * 1e6, self.quick_s * 1e6, self.answer_s * 1e6, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:  # noqa: ARG002  # no number helps here
        """Say who is impersonated."""
        return Explanation(
            "A device on your network pretends to be {src}.",
            "Een apparaat in uw netwerk doet zich voor als {src}.",
            "It can read and change what others send by way of {src}. Do no banking and enter no "
            "passwords on this network until the device is found; unplug visitors' devices first. "
            "If a router or server was replaced just now, this is normal.",
            "Het kan meelezen met wat anderen via {src} versturen, en dat veranderen. Bankier niet en "
            "typ geen wachtwoorden op dit netwerk tot het apparaat gevonden is; begin met apparaten "
            "van bezoekers. Is er zojuist een router of server vervangen, dan is dit normaal.",
        )


@njit_lean
def _place(address, claimed, asked, key):  # type: ignore[no-untyped-def]
    """The place of ``key``, or of the least recently seen among those it may take."""
    oldest = np.int64(-1)
    for k in range(_PROBES):
        at = np.int64((key + np.uint64(k)) % np.uint64(_PLACES))
        if address[at] == key:
            return at, True
        if address[at] == 0:
            return at, False
        if oldest < 0 or max(claimed[at], asked[at]) < max(claimed[oldest], asked[oldest]):
            oldest = at
    return oldest, False


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    op: NDArray[np.int64]
    sender_mac: NDArray[np.int64]
    sender_h: NDArray[np.uint64]
    target_h: NDArray[np.uint64]


class _State(NamedTuple):
    address: NDArray[np.uint64]
    mac: NDArray[np.int64]
    claimed: NDArray[np.int64]
    asked: NDArray[np.int64]
    asker: NDArray[np.int64]
    flips: NDArray[np.float32]
    unasked: NDArray[np.float32]
    holder: NDArray[np.int64]
    pusher: NDArray[np.int64]
    v4: NDArray[np.uint32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _fold(columns, memory, half_life, quick, answer, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    never = np.int64(-(1 << 62))
    for i in range(len(rows.time)):
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            state.address[e] = 0
        if rows.op[i] == 1 and rows.target_h[i, 1] != rows.sender_h[i, 1]:
            key = mix(rows.target_h[i, 0], rows.target_h[i, 1]) | np.uint64(1)
            at, known = _place(state.address[e], state.claimed[e], state.asked[e], key)
            if not known:
                state.address[e, at] = key
                state.mac[e, at] = state.asker[e, at] = state.pusher[e, at] = 0
                state.claimed[e, at] = never
                state.flips[e, at] = state.unasked[e, at] = 0.0
            state.asked[e, at] = t
            state.asker[e, at] = rows.sender_mac[i]
        if rows.sender_mac[i] == 0 or (rows.sender_h[i, 1] & np.uint64(0xFFFFFFFF)) == 0:
            continue
        key = mix(rows.sender_h[i, 0], rows.sender_h[i, 1]) | np.uint64(1)
        at, known = _place(state.address[e], state.claimed[e], state.asked[e], key)
        if not known:
            state.address[e, at] = key
            state.mac[e, at] = state.asker[e, at] = state.pusher[e, at] = 0
            state.claimed[e, at] = state.asked[e, at] = never
            state.flips[e, at] = state.unasked[e, at] = 0.0
        state.v4[e, at] = 0
        if is_v4(rows.sender_h[i, 0], rows.sender_h[i, 1]):
            state.v4[e, at] = np.uint32(rows.sender_h[i, 1] & np.uint64(0xFFFFFFFF))
        who = rows.sender_mac[i]
        if state.claimed[e, at] == never:
            state.holder[e, at] = who
        else:
            elapsed = t - state.claimed[e, at]
            kept = remaining(elapsed, half_life)
            state.flips[e, at] *= kept
            state.unasked[e, at] *= kept
            if state.flips[e, at] < _SETTLED:
                state.holder[e, at] = state.mac[e, at]
            if state.mac[e, at] != who:
                flip = remaining(elapsed, quick)
                to_one = rows.op[i] == 2 and rows.target_h[i, 1] != rows.sender_h[i, 1]
                state.flips[e, at] += flip if to_one else _BY_ASKING * flip
        asked = state.asked[e, at]
        if rows.op[i] == 2 and (asked == never or t - asked > answer):
            if rows.target_h[i, 1] == rows.sender_h[i, 1]:
                # gratuitous: to all, and several times, as after a change of link
                push = 0.0
                if state.pusher[e, at] == who:
                    push = max(_TO_ALL - float(state.unasked[e, at]), 0.0)
                elif state.unasked[e, at] <= _TO_ALL:
                    push = _TO_ALL
            else:  # to one machine, whose ARP cache it rewrites
                push = 1.0
                other = mix(rows.target_h[i, 0], rows.target_h[i, 1]) | np.uint64(1)
                to, met = _place(state.address[e], state.claimed[e], state.asked[e], other)
                if met and state.asker[e, to] == who and t - state.asked[e, to] < quick:
                    push += 2.0  # it asked for its victim's address first
            if state.pusher[e, at] == who:
                state.unasked[e, at] += push
            elif push > 0.0 and push >= state.unasked[e, at]:
                state.pusher[e, at] = who
                state.unasked[e, at] = push
        state.mac[e, at] = who
        state.claimed[e, at] = t
        others, quiet, strongest = 0, 0, 0.0
        held, held_at = np.uint32(0), never
        for k in range(_PLACES):
            if state.mac[e, k] != who or state.address[e, k] == 0:
                continue  # nearly all, and what they are the address of is not fetched
            claimed = state.claimed[e, k]
            kept = remaining(t - claimed, half_life)
            pushed_here = state.unasked[e, k] * kept if state.pusher[e, k] == who else 0.0
            is_disputed = pushed_here > _TO_ALL or state.flips[e, k] * kept > _SETTLED
            if k != at and not is_disputed and state.holder[e, k] == who and claimed > held_at:
                held, held_at = state.v4[e, k], claimed
            if claimed > t - half_life * 5:
                if is_disputed:
                    others += 1
                else:  # always its own, and announced at most: one, or those of machines behind it
                    quiet = 1
                if k != at:
                    strongest = max(strongest, pushed_here)
        others += quiet
        own = state.unasked[e, at] if state.pusher[e, at] == who else 0.0
        pushed = max(own, strongest) * (2.0 * min(others, 5) - 1.0)
        impostor = own > 0.0 if state.unasked[e, at] >= 1.0 else who != state.holder[e, at]
        weight = pushed + (4.0 * state.flips[e, at] if impostor else 0.0)
        if weight > 0.05:
            scores[i] = math.log2(1.0 + weight)
            facts[i, 0], facts[i, 1], facts[i, 2] = state.flips[e, at], own, others
            facts[i, 3] = held

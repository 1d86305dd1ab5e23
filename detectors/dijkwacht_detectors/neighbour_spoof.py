"""Neighbour spoofing (IPv6): a machine claims the address of another that is still there, to intercept its traffic.

Looks at which hardware address claims which IPv6 address: by advertising it, by asking under it, or as a router. The first
that does holds it, unless it presses it on others, and the other does not; whoever claims it after and is answered by
silence has taken it over, as a spare router does. Counts, and halves in two minutes:

- *turns*: holder and other claimed it within seconds of each other, in turn; three for each but the first, a quarter of it by
  asking alone;
- *pushes*: advertisements that override what others know and that nobody asked for, sent to one machine (one each) or to
  all (a tenth), and a half for each answer to what the holder has answered itself. They count four times once the
  holder has been heard again.

All of it is multiplied by the number of addresses that the other claims in this way, four at most. Only the other is
scored, for its advertisements; the score is log₂ of one more than that.

Innocents: questions whether an address is free; telephones with a new hardware address and a new address for each network;
pairs that stand in for each other (VRRP); anycast and proxies, whose advertisements do not override; a machine
that goes from cable to wireless; a bridge or virtual switch that sends all of a guest's frames on under its own hardware
address, its questions too, within a twentieth of a second.

Limits: thousands of made-up addresses a minute push out the true ones, of which 256 are remembered. Where only one direction is seen answers look unasked, but then nobody is contradicted. An address that its owner never used
before the claim belongs to whoever claims it; nor is it seen who denies machines each address that they ask for. A site
takes 17 kB.

>>> from dijkwacht_detectors.checks import score_rows
>>> router = {"kind": 136, "flags": 7, "target_h": 1, "eth_src": 1, "resp_h": 9}
>>> claims = [router | {"time": n * 10**6, "eth_src": 1 + n % 2} for n in range(1, 17)]
>>> float(score_rows(NeighbourSpoof(), claims)[-1].round(1))
6.1
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_records.vocabulary import NdpFlag, NdpKind

_PLACES: Final = 256  # addresses remembered a site; most machines have two or three
_PROBES: Final = 8
_ASKS, _CLAIMS = int(NdpKind.NEIGHBOUR_SOLICITATION), int(NdpKind.NEIGHBOUR_ADVERTISEMENT)
_REDIRECTS: Final = int(NdpKind.REDIRECT)
_OVERRIDE: Final = int(NdpFlag.OVERRIDE)

_SECOND: Final = 1_000_000
_AT_ONCE: Final = 50_000
"""A bridge passes a frame on within this."""
_ANSWERS: Final = 3 * _SECOND
"""An answer comes within this; machines ask three times, a second apart (RFC 4861)."""
_QUICK: Final = 10 * _SECOND
_ALIVE: Final = 600 * _SECOND
"""A holder that was not heard for so long may have gone."""
_SETTLED: Final = 1 / 16

_TURN, _BY_ASKING = 3.0, 0.25
_TO_ALL, _TO_ONE, _AS_WELL = 0.1, 1.0, 0.5
_HEARD_AGAIN: Final = 4.0
_MOST_ADDRESSES: Final = 4
_LITTLE: Final = 0.05
_GROUP: Final = 0xFF


class NeighbourSpoof(RowDetector):
    """Addresses that a machine claims while another still uses them."""

    name = "neighbour_spoof"
    table = "ndp"
    reads = ("kind", "eth_src", "orig_h", "resp_h", "target_h", "link_mac", "flags")
    entity: ClassVar[Entity] = "site"
    kind = "arp"
    technique = "T1557"
    facts = ("changed_hands", "unasked", "addresses_claimed", "heard_again")
    who = Who(src="target_h", mac="eth_src", dst="resp_h", port="")
    subject: ClassVar[Literal["src", "dst", "mac", "agent"]] = "mac"
    entities_per_site = 1
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "address": ("u8", (_PLACES,)),
        "holder": ("i8", (_PLACES,)),
        "held": ("i8", (_PLACES,)),
        "rival": ("i8", (_PLACES,)),
        "rivalled": ("i8", (_PLACES,)),
        "asked": ("i8", (_PLACES,)),
        "relay": ("i8", (_PLACES,)),
        "since": ("i8", (_PLACES,)),
        "turns": ("f4", (_PLACES,)),
        "pushes": ("f4", (_PLACES,)),
        "again": ("f4", (_PLACES,)),
        "last": ("u1", (_PLACES,)),
    }

    share = 1 / 120
    expected = (2.0, 0.1)
    """A pair that stands in for each other and goes back and forth within minutes, at a site of ten in two years."""
    half_life_s = 120.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each advertisement of an address that another holds."""
        _fold(_columns(rows), _memory(state), self.half_life_s * _SECOND, scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:  # noqa: ARG002  # no number helps here
        """Say who is impersonated."""
        return Explanation(
            "A device on your network pretends to be {src} (IPv6).",
            "Een apparaat in uw netwerk doet zich voor als {src} (IPv6).",
            "It can read and change what others send by way of {src}. Do no banking and enter no passwords on this network "
            "until the device {mac} is found; unplug visitors' devices first. If a router or server was replaced just "
            "now, this is normal.",
            "Het kan meelezen met wat anderen via {src} versturen, en dat veranderen. Bankier niet en typ geen wachtwoorden "
            "op dit netwerk tot het apparaat {mac} gevonden is; begin met apparaten van bezoekers. Is er zojuist een router "
            "of server vervangen, dan is dit normaal.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    kind: NDArray[np.int64]
    eth_src: NDArray[np.int64]
    orig_h: NDArray[np.uint64]
    resp_h: NDArray[np.uint64]
    target_h: NDArray[np.uint64]
    link_mac: NDArray[np.int64]
    flags: NDArray[np.int64]


class _State(NamedTuple):
    address: NDArray[np.uint64]
    holder: NDArray[np.int64]
    held: NDArray[np.int64]
    rival: NDArray[np.int64]
    rivalled: NDArray[np.int64]
    asked: NDArray[np.int64]
    relay: NDArray[np.int64]
    since: NDArray[np.int64]
    turns: NDArray[np.float32]
    pushes: NDArray[np.float32]
    again: NDArray[np.float32]
    last: NDArray[np.uint8]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _key_of(address):  # type: ignore[no-untyped-def]
    """A number for an address of two halves, never 0."""
    return mix(address[0], address[1]) | np.uint64(1)


@njit_lean
def _place(address, since, key):  # type: ignore[no-untyped-def]
    """The place of ``key``, or of the least recently seen among those it may take, and whether it is there."""
    oldest = np.int64(-1)
    for k in range(_PROBES):
        at = np.int64((key + np.uint64(k)) % np.uint64(_PLACES))
        if address[at] == key:
            return at, True
        if address[at] == 0:
            return at, False
        if oldest < 0 or since[at] < since[oldest]:
            oldest = at
    return oldest, False


@njit_lean
def _begin(memory, e, at, key, t):  # type: ignore[no-untyped-def]
    """An address that was not remembered, and that nobody holds yet."""
    state = _State(*memory)
    state.address[e, at] = key
    state.holder[e, at] = state.rival[e, at] = state.relay[e, at] = 0
    state.held[e, at] = state.rivalled[e, at] = state.asked[e, at] = 0
    state.since[e, at] = t
    state.turns[e, at] = state.pushes[e, at] = state.again[e, at] = 0.0
    state.last[e, at] = 0


@njit_lean
def _yield_to_rival(memory, e, at, t):  # type: ignore[no-untyped-def]
    """Who presses an address on others, while a rival of it does not, is the rival, though it was heard first."""
    state = _State(*memory)
    if (
        state.rival[e, at] == 0
        or t - state.rivalled[e, at] > _ALIVE
        or state.pushes[e, at] >= _AS_WELL
    ):
        return
    state.holder[e, at], state.rival[e, at] = state.rival[e, at], state.holder[e, at]
    state.held[e, at], state.rivalled[e, at] = state.rivalled[e, at], state.held[e, at]
    state.last[e, at] = 1 - state.last[e, at]
    state.pushes[e, at] = 0.0


@njit_lean
def _claim(memory, e, at, card, t, by_asking, half_life):  # type: ignore[no-untyped-def]
    """``card`` claims the address at ``at``: whether it is its rival."""
    state = _State(*memory)
    if state.holder[e, at] == 0:
        state.holder[e, at] = card
        state.held[e, at] = t
        return False
    kept = remaining(t - state.since[e, at], half_life)
    state.since[e, at] = t
    state.turns[e, at] *= kept
    state.pushes[e, at] *= kept
    state.again[e, at] *= kept
    if state.turns[e, at] < _SETTLED and state.pushes[e, at] < _SETTLED and state.last[e, at]:
        state.holder[e, at] = state.rival[e, at]  # it was taken over
        state.held[e, at] = state.rivalled[e, at]
        state.last[e, at] = 0
    if card == state.holder[e, at]:
        if state.last[e, at]:
            turn = remaining(t - state.rivalled[e, at], _QUICK)
            state.turns[e, at] += turn * (_BY_ASKING if by_asking else 1.0)
            state.again[e, at] += turn
            state.last[e, at] = 0
        state.held[e, at] = t
        return False
    since_held = t - state.held[e, at]
    if since_held > _ALIVE:
        state.holder[e, at] = card
        state.held[e, at] = t
        state.last[e, at] = 0
        state.turns[e, at] = state.pushes[e, at] = state.again[e, at] = 0.0
        return False
    if since_held <= _AT_ONCE:
        if by_asking:
            state.relay[e, at] = card
        if state.relay[e, at] == card:
            return False  # it passes on what the holder says
    if not state.last[e, at]:
        turn = remaining(since_held, _QUICK)
        state.turns[e, at] += turn * (_BY_ASKING if by_asking else 1.0)
        state.last[e, at] = 1
    if card != state.rival[e, at]:
        state.rival[e, at] = card
        state.pushes[e, at] = 0.0
    state.rivalled[e, at] = t
    return True


@njit_lean
def _fold(columns, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t, kind = rows.slot[i], rows.time[i], rows.kind[i]
        if rows.fresh[i]:
            for k in range(_PLACES):
                state.address[e, k] = 0
        card = rows.link_mac[i] if rows.link_mac[i] != 0 else rows.eth_src[i]
        advertises = kind == _CLAIMS
        if kind == _ASKS:
            key = _key_of(rows.target_h[i])
            at, met = _place(state.address[e], state.since[e], key)
            if not met:
                _begin(memory, e, at, key, t)
            state.asked[e, at] = t
        claimed = rows.target_h[i] if advertises else rows.orig_h[i]
        if card == 0 or kind == _REDIRECTS or (claimed[0] == 0 and claimed[1] == 0):
            continue  # of a redirect the hardware address is another's
        key = _key_of(claimed)
        at, met = _place(state.address[e], state.since[e], key)
        if not met:
            _begin(memory, e, at, key, t)
        overrides = rows.flags[i] & _OVERRIDE != 0
        if advertises and not overrides and card != state.holder[e, at] != 0:
            continue  # a proxy, or one of several that share an address
        unasked = advertises and (state.asked[e, at] == 0 or t - state.asked[e, at] > _ANSWERS)
        to_all = rows.resp_h[i, 0] >> np.uint64(56) == np.uint64(_GROUP)
        if unasked and overrides and not to_all and card == state.holder[e, at]:
            _yield_to_rival(memory, e, at, t)
        if not _claim(memory, e, at, card, t, not advertises, half_life) or not advertises:
            continue
        if unasked:
            state.pushes[e, at] += _TO_ALL if to_all else _TO_ONE
        elif state.held[e, at] >= state.asked[e, at]:
            state.pushes[e, at] += _AS_WELL
        many = 0
        for k in range(_PLACES):
            if state.rival[e, k] == card and state.address[e, k] != 0:
                many += state.pushes[e, k] > _SETTLED and t - state.rivalled[e, k] <= _ALIVE
        again = min(float(state.again[e, at]), 1.0)
        weight = _TURN * max(float(state.turns[e, at]) - 1.0, 0.0)  # one is a take-over
        weight += state.pushes[e, at] * (1.0 + (_HEARD_AGAIN - 1.0) * again)
        weight *= max(1, min(many, _MOST_ADDRESSES))
        if weight > _LITTLE:
            scores[i] = math.log2(1.0 + weight)
            facts[i, 0], facts[i, 1] = state.turns[e, at], state.pushes[e, at]
            facts[i, 2], facts[i, 3] = many, again

"""A rogue router (IPv6): a machine that says it is the way out, beside a router that does its work.

Machines believe whoever sends a router advertisement. Looks at each that makes itself a way out (a lifetime, or
a route to all outside) or gives resolvers, and comes from a router that the site did not know. It weighs 16 if

- it was *absent*: not heard in half an hour that was watched, or silent each time that machines asked for routers and
  others answered, of which one leaves a half, two a quarter of the doubt. Where more than half is left it was there before;
- a known router is *alive*: heard in the last minute, by whatever message, or since the newcomer came. A quarter if it is
  only not yet due again, or if another one went within a day; an eighth if it is due, or did not answer: then it was
  replaced. Where the site has
  none, the whole if another machine carries its traffic meanwhile (IPv4), else a quarter.

It weighs double if it ranks above the known ones (an eighth if below), half more if it gives resolvers, a quarter less
if that is all it does, an eighth if it carried the site's traffic before, and more with each other newcomer of the last two minutes.
An advertisement of a known router's address from another card weighs 16 if it withdraws that router, as a redirect
does; else 2 for each time that both have spoken in turn. The score is log₂ of one more than that.

Innocents: border routers of home automation (no lifetime, one route), a router that is replaced or restarts, one with
two addresses of one card, pairs that stand in for each other, and a spare router that ranks low.

Limits: a second router, set up beside the first, is told once, and so is a computer that shares its line with the whole
network, which is what it says. Whoever forges the hardware address too, or was there before the agent, is not
seen. Who stays for a day is known. A site takes 1.1 kB.

>>> from dijkwacht_detectors.checks import score_rows
>>> says = {"kind": 134, "lifetime": 1800}
>>> known = [says | {"time": n * 300 * 10**6, "orig_h": 1, "eth_src": 1} for n in range(8)]
>>> rogue = says | {"time": 2130 * 10**6, "orig_h": 6, "eth_src": 6}
>>> float(score_rows(RogueRouter(), [*known, rogue])[-1].round(1))
4.1
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

_ROUTERS: Final = 16
_SOLICITS, _ADVERTISES = int(NdpKind.ROUTER_SOLICITATION), int(NdpKind.ROUTER_ADVERTISEMENT)
_REDIRECTS: Final = int(NdpKind.REDIRECT)
_OUTSIDE: Final = int(NdpFlag.OUTSIDE)
_BESIDE_GATEWAY: Final = int(NdpFlag.BESIDE_GATEWAY)
_NOBODY, _NEWCOMER, _KNOWN = 0, 1, 2

_SECOND: Final = 1_000_000
_ANSWERS: Final = 4 * _SECOND
"""Who is asked answers within half a second, and where it has just spoken, three later (RFC 4861, 6.2.6)."""
_WATCHED: Final = 1800 * _SECOND
"""The longest interval that RFC 4861 lets a router keep silent for."""
_INTERVAL: Final = 600 * _SECOND
"""What most routers have, while a router's own is not known."""
_RECENT: Final = 60 * _SECOND
_GONE: Final = 3600 * _SECOND
_STAYED: Final = 24 * 3600 * _SECOND

_BESIDE: Final = 16.0
_ALONE = _PERHAPS = 0.25
_UNLIKELY: Final = 1 / 8
_IN_TURN: Final = 2.0
_AS_LIKELY: Final = 0.5
"""Who was absent with less certainty was there before, as far as anybody knows."""
_LITTLE: Final = 0.25
_MANY: Final = 1000


class RogueRouter(RowDetector):
    """Router advertisements of routers that were not there, beside one that is."""

    name = "rogue_router"
    table = "ndp"
    reads = ("kind", "eth_src", "orig_h", "flags", "lifetime", "preference", "resolvers", "from_gateway")  # fmt: skip
    entity: ClassVar[Entity] = "site"
    kind = "arp"
    technique = "T1557"
    facts = ("router_alive", "absent_before", "outranks", "resolvers_given", "forged")
    who = Who(src="orig_h", mac="eth_src", dst="resp_h", port="")
    subject: ClassVar[Literal["src", "dst", "mac", "agent"]] = "mac"
    entities_per_site = 1
    forget_after_s = 7 * 24 * 3600
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "begun": ("i8", ()),
        "asked": ("i8", ()),
        "asked_before": ("i8", ()),
        "answered": ("u1", ()),
        "calls": ("i4", ()),
        "comers": ("f4", ()),
        "came": ("i8", ()),
        "standing": ("u1", (_ROUTERS,)),
        "router": ("u8", (_ROUTERS,)),
        "card": ("i8", (_ROUTERS,)),
        "since": ("i8", (_ROUTERS,)),
        "absent": ("f4", (_ROUTERS,)),
        "heard": ("i8", (_ROUTERS,)),
        "said": ("i8", (_ROUTERS,)),
        "gap": ("i8", (_ROUTERS,)),
        "rank": ("i1", (_ROUTERS,)),
        "answers": ("u1", (_ROUTERS,)),
        "other": ("u1", (_ROUTERS,)),
        "turns": ("f4", (_ROUTERS,)),
        "turned": ("i8", (_ROUTERS,)),
    }

    share = 1 / 120
    expected = (2.0, 0.1)
    """A second router that is set up beside the first, at a site of ten in two years."""
    half_life_s = 120.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each advertisement of a newcomer, and each that another card sends for a known router."""
        _fold(_columns(rows), _memory(state), self.half_life_s * _SECOND, scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say who is the way out now, or who speaks in the router's name."""
        names, namen = ",", ";"
        if facts["resolvers_given"] >= 0.5:
            names = ", or ask the name servers that it gives where to find it,"
            namen = ", of vragen aan de naamservers die het noemt waar dat te vinden is;"
        if facts["forged"] >= 0.5:
            return Explanation(
                "A device on your network speaks in the name of your router {src} (IPv6).",
                "Een apparaat in uw netwerk spreekt namens uw router {src} (IPv6).",
                "It can send what others send by way of itself, or cut them off. Do no banking and enter no passwords on "
                "this network until the device {mac} is found; unplug visitors' devices first. If a router was "
                "replaced just now, this is normal.",
                "Het kan wat anderen versturen via zichzelf leiden, of hen afsluiten. Bankier niet en typ geen "
                "wachtwoorden op dit netwerk tot het apparaat {mac} gevonden is; begin met apparaten van bezoekers. Is er "
                "zojuist een router vervangen, dan is dit normaal.",
            )
        return Explanation(
            "A device that was not a router on your network says that it is one (IPv6): {src}.",
            "Een apparaat dat in uw netwerk geen router was, zegt dat het er een is (IPv6): {src}.",
            f"Computers then send what goes to the internet by way of it{names} so that it can be read and changed. If nobody "
            "installed a router just now, find the device with the hardware address {mac} and unplug it; it may also be a "
            "computer or telephone that shares its internet connection by mistake. Until then, do no banking and enter no "
            "passwords on this network.",
            f"Computers sturen dan wat naar internet gaat via dat apparaat{namen} zo kan het gelezen en veranderd worden. Heeft "
            "niemand zojuist een router geplaatst, zoek dan het apparaat met het hardwareadres {mac} en haal het los; het "
            "kan ook een computer of telefoon zijn die per ongeluk zijn internetverbinding deelt. Bankier tot dan niet en "
            "typ geen wachtwoorden op dit netwerk.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    kind: NDArray[np.int64]
    eth_src: NDArray[np.int64]
    orig_h: NDArray[np.uint64]
    flags: NDArray[np.int64]
    lifetime: NDArray[np.int64]
    preference: NDArray[np.int64]
    resolvers: NDArray[np.int64]
    from_gateway: NDArray[np.int64]


class _State(NamedTuple):
    begun: NDArray[np.int64]
    asked: NDArray[np.int64]
    asked_before: NDArray[np.int64]
    answered: NDArray[np.uint8]
    calls: NDArray[np.int32]
    comers: NDArray[np.float32]
    came: NDArray[np.int64]
    standing: NDArray[np.uint8]
    router: NDArray[np.uint64]
    card: NDArray[np.int64]
    since: NDArray[np.int64]
    absent: NDArray[np.float32]
    heard: NDArray[np.int64]
    said: NDArray[np.int64]
    gap: NDArray[np.int64]
    rank: NDArray[np.int8]
    answers: NDArray[np.uint8]
    other: NDArray[np.uint8]
    turns: NDArray[np.float32]
    turned: NDArray[np.int64]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _find(standing, router, key):  # type: ignore[no-untyped-def]
    """The place of the router ``key``, -1 if it has none."""
    for k in range(_ROUTERS):
        if standing[k] != _NOBODY and router[k] == key:
            return k
    return -1


@njit(cache=True, nogil=True, inline="always")
def _room(standing, heard):  # type: ignore[no-untyped-def]
    """A free place, or that of whoever was not heard for longest: a newcomer, as long as there is one."""
    worst = 0
    for k in range(_ROUTERS):
        if standing[k] == _NOBODY:
            return k
        if standing[k] < standing[worst] or (
            standing[k] == standing[worst] and heard[k] < heard[worst]
        ):
            worst = k
    return worst


@njit(cache=True, nogil=True, inline="always")
def _alive(t, came, missed, heard, gap):  # type: ignore[no-untyped-def]
    """How surely a known router does its work beside one that came at ``came``, in 0-1."""
    silent = t - heard
    if silent <= _RECENT or heard > came:
        return 1.0
    usual = min(gap + gap // 2, _WATCHED) if gap > 0 else _INTERVAL
    return _PERHAPS if missed <= heard and silent <= usual else _UNLIKELY


@njit(cache=True, nogil=True, inline="always")
def _any_known(standing):  # type: ignore[no-untyped-def]
    found = False
    for k in range(_ROUTERS):
        found = found or standing[k] == _KNOWN
    return found


@njit_lean
def _fold(columns, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t, kind = rows.slot[i], rows.time[i], rows.kind[i]
        if rows.fresh[i]:
            state.begun[e] = t
            state.asked[e] = state.asked_before[e] = state.came[e] = 0
            state.answered[e] = 0
            state.calls[e] = 0
            state.comers[e] = 0.0
            for k in range(_ROUTERS):
                state.standing[e, k] = _NOBODY
        if kind == _SOLICITS:
            if t - state.asked[e] > _ANSWERS:
                state.asked_before[e] = state.asked[e]
                state.calls[e] = min(state.calls[e] + state.answered[e], 100)
                state.asked[e] = t
                state.answered[e] = 0 if _any_known(state.standing[e]) else 1
            continue
        key = mix(rows.orig_h[i, 0], rows.orig_h[i, 1])
        at = _find(state.standing[e], state.router[e], key)
        card = rows.eth_src[i]
        if at >= 0 and (card == state.card[e, at] or card == 0 or state.card[e, at] == 0):
            state.heard[e, at] = t
            state.other[e, at] = 0
        elif at >= 0 and state.standing[e, at] == _KNOWN and kind in (_ADVERTISES, _REDIRECTS):
            if t - state.heard[e, at] > _GONE:  # another has taken its place
                state.card[e, at] = card
                state.heard[e, at] = t
                continue
            state.turns[e, at] *= remaining(t - state.turned[e, at], half_life)
            state.turned[e, at] = t
            if not state.other[e, at]:
                state.turns[e, at] += remaining(t - state.heard[e, at], _RECENT)
                state.other[e, at] = 1
            weight = _IN_TURN * state.turns[e, at]
            if kind == _REDIRECTS or (rows.lifetime[i] <= 0 and not rows.flags[i] & _OUTSIDE):
                weight += _BESIDE
            weight *= min(1.0, (t - state.since[e, at]) / _WATCHED)
            if weight > _LITTLE:
                scores[i] = math.log2(1.0 + weight)
                facts[i, 0] = facts[i, 4] = 1.0
                facts[i, 1] = facts[i, 2] = 0.0
                facts[i, 3] = min(max(rows.resolvers[i], 0), _MANY)
            continue
        if kind != _ADVERTISES:
            continue
        way_out = rows.lifetime[i] > 0 or rows.flags[i] & _OUTSIDE != 0
        if at >= 0 and not way_out and rows.resolvers[i] <= 0:
            state.heard[e, at] = t - _GONE  # it withdraws
        if not way_out and rows.resolvers[i] <= 0:
            continue
        known, alive, rank, same, vacant = False, 0.0, -2, False, False
        asked = state.asked[e] > 0 and t - state.asked[e] <= _ANSWERS
        missed = state.asked_before[e] if asked else state.asked[e]
        for k in range(_ROUTERS):
            if state.standing[e, k] != _KNOWN or k == at:
                continue
            known = True
            same = same or (state.card[e, k] == card and card != 0)
            rank = max(rank, state.rank[e, k])
            # One that was never seen to answer may do so unseen.
            silent = missed if state.answers[e, k] else np.int64(0)
            came = state.since[e, at] if at >= 0 else t
            lives = _alive(t, came, silent, state.heard[e, k], state.gap[e, k])
            vacant = vacant or (lives == _UNLIKELY and came - state.heard[e, k] < _STAYED)
            alive = max(alive, lives)
        if at < 0:
            calls = state.calls[e] + (state.answered[e] if state.asked[e] > 0 and not asked else 0)
            absent = max(1.0 - 0.5**calls, min(1.0, (t - state.begun[e]) / _WATCHED))
            carries = rows.from_gateway[i] > 0
            at = _room(state.standing[e], state.heard[e])
            was_there = absent < _AS_LIKELY or same or (carries and not known)
            state.standing[e, at] = _KNOWN if was_there else _NEWCOMER
            state.router[e, at] = key
            state.card[e, at] = card
            state.since[e, at] = state.heard[e, at] = state.turned[e, at] = t
            state.absent[e, at] = absent * (_UNLIKELY if carries else 1.0)
            state.said[e, at] = state.gap[e, at] = 0
            state.answers[e, at] = state.other[e, at] = 0
            state.turns[e, at] = 0.0
            if not was_there:
                state.comers[e] = state.comers[e] * remaining(t - state.came[e], half_life) + 1.0
                state.came[e] = t
        elif t - state.since[e, at] >= _STAYED:
            state.standing[e, at] = _KNOWN
        if state.said[e, at] > 0:
            gap = state.gap[e, at]
            state.gap[e, at] = max(min(t - state.said[e, at], _WATCHED), gap - gap // 8)
        state.said[e, at] = t
        ranks = min(max(rows.preference[i], -1), 1)
        state.rank[e, at] = ranks
        if state.standing[e, at] == _KNOWN:
            if asked:
                state.answered[e] = state.answers[e, at] = 1
            continue
        if not known:
            alive = 1.0 if rows.flags[i] & _BESIDE_GATEWAY else _ALONE
        weight = _BESIDE * (min(alive, _PERHAPS) if vacant else alive) * state.absent[e, at]
        if known and ranks != rank:
            weight *= 2.0 if ranks > rank else _UNLIKELY
        if rows.resolvers[i] > 0:
            weight *= 1.5 if way_out else 0.75
        comers = state.comers[e] * remaining(t - state.came[e], half_life)
        weight *= min(max(1.0, 0.5 + 0.5 * comers), 4.0)
        if weight > _LITTLE:
            scores[i] = math.log2(1.0 + weight)
            facts[i, 0] = alive
            facts[i, 1] = state.absent[e, at]
            facts[i, 2] = 1.0 if known and ranks > rank else 0.0
            facts[i, 3] = min(max(rows.resolvers[i], 0), _MANY)
            facts[i, 4] = 0.0

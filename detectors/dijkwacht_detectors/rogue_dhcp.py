"""A second DHCP server on the link: it hands out addresses, and itself as router and resolver.

Looks at which servers answer, which is also heard where clients say to all whose offer they take. The server that a
site hears first is its own, also on the first day. One that comes later is weighed by three things. Was it really not
there before? That is as sure as many requests were answered without it: log₂ of them, eight bits at most. Does it
answer the same requests as an older one (four points each), or clients of an older one of its own network that still
answers others (two points each, as far as the older one was heard since)? All other clients together are three
quarters of a point, and all points twelve at most. The score is log₂ of one more than bits times points; it fades by
half with each day that the server is known.

Innocents: a pair for fail-over, and servers behind a relay, are there from the beginning; of a replaced router the
old one is silent; guests' networks and those of virtual machines have clients of their own; a boot server gives no
address.

Limits: one that is on the link before the agent is taken for the site's own. One that takes the place of a
silenced server is not told, nor one that bears the address of the site's own, which then is a claim by ARP.
A second server that somebody sets up on purpose is told once.

>>> from dijkwacht_detectors.checks import score_rows
>>> rows = [{"time": n * 10**7, "client_mac": n, "msg_type": 2, "client_h": 99, "server_h": 7, "xid": n} for n in range(1, 17)]
>>> rows.append({**rows[-1], "time": 161 * 10**6, "server_h": 8})
>>> float(score_rows(RogueDhcp(), rows)[-1].round(1))
4.1
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.shortlist import find, name_of, place_of

_SERVERS: Final = 8  # bits of a mask
_CLIENTS: Final = 256
_OFFER, _REQUEST, _ACK, _NAK = 2, 3, 5, 6
_DUEL, _MOVED, _STRANGERS, _MOST, _MOST_BITS = 4.0, 2.0, 0.75, 12.0, 8.0
_ONE_EXCHANGE_US: Final = 60_000_000
"""A number of a transaction that comes back later is another: some devices have one for all."""


class RogueDhcp(RowDetector):
    """A DHCP server that the site did not have, beside the one it has."""

    name = "rogue_dhcp"
    table = "dhcp"
    reads = ("client_mac", "msg_type", "client_h", "server_h", "xid")
    entity: ClassVar[Entity] = "site"
    kind = "dhcp"
    technique = "T1557.003"
    facts = ("answered_as_well", "clients_taken", "answered_before")
    who = Who(src="server_h", dst="client_h", port="")
    entities_per_site = 1
    forget_after_s = 30 * 86_400
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "total": ("i8", ()),
        "server": ("u8", (_SERVERS,)),
        "heard": ("i8", (_SERVERS,)),
        "first": ("i8", (_SERVERS,)),
        "net": ("u8", (_SERVERS,)),
        "before": ("i8", (_SERVERS,)),
        "answered": ("i8", (_SERVERS,)),
        "duels": ("f4", (_SERVERS,)),
        "moved": ("f4", (_SERVERS,)),
        "strangers": ("f4", (_SERVERS,)),
        "echoes": ("f4", (_SERVERS,)),
        "client": ("u8", (_CLIENTS,)),
        "client_heard": ("i8", (_CLIENTS,)),
        "exchange": ("i8", (_CLIENTS,)),
        "answerers": ("u1", (_CLIENTS,)),
        "served_by": ("u1", (_CLIENTS,)),
    }

    share = 1 / 120
    expected = (2.5, 0.1)
    """A network for guests, with clients of its own, is set up where the agent hears it."""
    youth_s = 86_400.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each answer, and each client's choice, of a server that is not the oldest."""
        _fold(_columns(rows), _memory(state), self.youth_s * 1e6, scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:  # noqa: ARG002  # no number helps here
        """Say what a second server can do, and how it gets there by mistake."""
        return Explanation(
            "A second device, {src}, hands out addresses on your network.",
            "Een tweede apparaat, {src}, deelt adressen uit in uw netwerk.",
            "Whoever gets an address from it may send all traffic by way of it. Often it is a router or Wi-Fi box that "
            "somebody plugged in the wrong way; it may also be somebody who wants to read along. If you did not set it "
            "up yourself just now, find {src}, unplug it, and restart the devices that took an address from it.",
            "Wie er een adres van krijgt, stuurt mogelijk al het verkeer erlangs. Vaak is het een router of wifi-kastje "
            "dat iemand verkeerd heeft aangesloten; het kan ook iemand zijn die wil meelezen. Hebt u het niet zelf net "
            "neergezet, zoek {src} dan op, trek de stekker eruit en herstart de apparaten die er een adres van kregen.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    client_mac: NDArray[np.int64]
    msg_type: NDArray[np.int64]
    client_h: NDArray[np.uint64]
    server_h: NDArray[np.uint64]
    xid: NDArray[np.int64]


class _State(NamedTuple):
    total: NDArray[np.int64]
    server: NDArray[np.uint64]
    heard: NDArray[np.int64]
    first: NDArray[np.int64]
    net: NDArray[np.uint64]
    before: NDArray[np.int64]
    answered: NDArray[np.int64]
    duels: NDArray[np.float32]
    moved: NDArray[np.float32]
    strangers: NDArray[np.float32]
    echoes: NDArray[np.float32]
    client: NDArray[np.uint64]
    client_heard: NDArray[np.int64]
    exchange: NDArray[np.int64]
    answerers: NDArray[np.uint8]
    served_by: NDArray[np.uint8]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _says_who_serves(rows, i):  # type: ignore[no-untyped-def]
    """Whether row ``i`` names a server that gives, or refuses, an address; a boot server gives none."""
    if rows.server_h[i, 1] & np.uint64(0xFFFFFFFF) == 0:
        return False
    kind = rows.msg_type[i]
    if kind in (_OFFER, _ACK):
        return rows.client_h[i, 1] & np.uint64(0xFFFFFFFF) != 0
    return kind in (_REQUEST, _NAK)


@njit_lean
def _seat_of(state, e, name, t):  # type: ignore[no-untyped-def]
    """Place of the server ``name``; a new one takes that of the server which answered least, then oldest."""
    p = find(state.server, e, name)
    if p >= 0:
        state.heard[e, p] = max(state.heard[e, p], t)
        return p, False
    p = 0
    for k in range(_SERVERS):
        if state.server[e, k] == 0:
            p = k
            break
        fewer = state.answered[e, k] - state.answered[e, p]
        if fewer < 0 or (fewer == 0 and state.heard[e, k] < state.heard[e, p]):
            p = k
    state.server[e, p] = name
    state.heard[e, p] = state.first[e, p] = t
    state.answered[e, p] = 0
    state.duels[e, p] = state.moved[e, p] = state.strangers[e, p] = state.echoes[e, p] = 0.0
    others = np.uint8(255 ^ (1 << p))
    for c in range(_CLIENTS):
        state.answerers[e, c] &= others
        state.served_by[e, c] &= others
    return p, True


@njit_lean
def _take(state, e, c, p):  # type: ignore[no-untyped-def]
    """Server ``p`` is one more that answers this request of client ``c``."""
    bit = np.uint8(1 << p)
    contested = False
    mine = False
    for k in range(_SERVERS):
        if k == p or state.server[e, k] == 0:
            continue
        older = state.first[e, k] < state.first[e, p]
        if state.answerers[e, c] >> k & 1:
            state.duels[e, p if older else k] += 1.0
            contested = True
        if not older:
            state.echoes[e, k] += 1.0
        elif state.served_by[e, c] >> k & 1 and state.net[e, k] == state.net[e, p]:
            mine = True
    if not contested and not state.served_by[e, c] & bit:
        if mine:
            state.moved[e, p] += 1.0
        else:
            state.strangers[e, p] += 1.0
    state.answerers[e, c] |= bit
    state.served_by[e, c] |= bit
    state.answered[e, p] += 1


@njit_lean
def _has_older(state, e, p):  # type: ignore[no-untyped-def]
    for k in range(_SERVERS):
        if state.server[e, k] != 0 and state.first[e, k] < state.first[e, p]:
            return True
    return False


@njit_lean
def _fold(columns, memory, youth, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            state.total[e] = 0
            state.server[e] = 0
            state.client[e] = 0
        if not _says_who_serves(rows, i):
            continue
        name = name_of(rows.server_h[i, 0], rows.server_h[i, 1])
        who = name_of(np.uint64(rows.client_mac[i]), np.uint64(0))
        c = find(state.client, e, who)
        again = (
            c >= 0
            and state.exchange[e, c] == rows.xid[i]
            and rows.xid[i] != 0
            and t - state.client_heard[e, c] < _ONE_EXCHANGE_US
        )
        p, new = _seat_of(state, e, name, t)
        if new:
            state.net[e, p] = rows.server_h[i, 1] >> np.uint64(8)
            # nobody can have failed to answer the request that is being answered
            state.before[e, p] = state.total[e] - (1 if again else 0)
        c, unknown = place_of(state.client, state.client_heard, e, who, t)
        if unknown:
            state.served_by[e, c] = 0
        if not again:
            state.exchange[e, c] = rows.xid[i]
            state.answerers[e, c] = 0
            # a lease that is renewed is a matter between two: another server does not hear of it
            state.total[e] += 1 if rows.msg_type[i] != _ACK else 0
        if not state.answerers[e, c] >> p & 1:
            _take(state, e, c, p)
        if not _has_older(state, e, p):
            continue
        duels, moved = float(state.duels[e, p]), float(state.moved[e, p])
        proven = min(moved, float(state.echoes[e, p]))
        rest = min(_STRANGERS, float(state.strangers[e, p]) + moved - proven)
        points = min(_MOST, _DUEL * duels + _MOVED * proven + rest)
        bits = min(_MOST_BITS, math.log2(max(1.0, float(state.before[e, p]))))
        weight = bits * points * remaining(float(t - state.first[e, p]), youth)
        if weight > 0.05:
            scores[i] = math.log2(1.0 + weight)
            facts[i, 0], facts[i, 1] = duels, moved
            facts[i, 2] = float(state.before[e, p])

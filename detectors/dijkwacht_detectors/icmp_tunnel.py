"""ICMP tunnel: two machines talk inside pings, past firewalls that let every ping through.

Looks at the pings of two machines, fifteen seconds at a time. A reply must repeat its request, byte
for byte (RFC 792), so replies that do not are what a tunnel cannot avoid; each counts for four. Beside that
count the sizes beyond the first, of which seven are told apart; a tenth of the pings beyond
one a second, as far as their sizes vary; to outside addresses, each quarter of a megabyte that
goes out in large pings faster than one a second; and, to whichever address, every three seconds of large pings that
come faster than programs send them by themselves and slower than they are answered: whoever looks for a fault
sends one a second, or all that the cable takes, but a file is sent at a pace. All of it halves in five minutes; the score is
log₂ of one more.

Innocents: monitoring, with pings however large, keeps to one a second; ``ping -f`` is as fast as it goes; a test by hand at a
pace in between is over in a minute; a search for the path's MTU has many sizes, few pings
and true replies; a device that cuts its replies short, or answers with what it likes, answers each time alike, and
such replies count for nothing.

Limits: a tunnel whose replies are all of one size, as long as a plain ping's or while its requests are too, is
not told from such a device. A ping a second with a kilobyte of data is a test of the line. Data in few small pings that the other end answers truly, a few bytes a
second, looks like monitoring. Where nobody answers, see `exfiltration`.

>>> from dijkwacht_detectors.checks import score_rows
>>> talk = {"proto": 1, "first": 1, "turns": 148, "orig_turns": 74, "orig_size": 0, "orig_share": 85,
...         "orig_sizes": 4, "resp_share": 97, "resp_sizes": 3, "gap": 203}
>>> [float(score_rows(IcmpTunnel(), [talk | {"unlike": n}])[0].round(1)) for n in (13, 0)]
[5.8, 2.3]
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.addresses import is_no_host, is_private
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker

_ICMP, _ICMPV6 = 1, 58
_PLAIN = 48  # bytes: what a ping has by itself, and devices that cut replies short leave
_LARGE = 256
_AS_FAST_AS_ANSWERED_MS = 20
_LONGEST_S = 60.0  # that one row stands for
_MOST = 1_000_000_000


class IcmpTunnel(RowDetector):
    """Pings that carry a conversation."""

    name = "icmp_tunnel"
    table = "talks"
    reads = (
        "resp_h", "proto", "orig_turns", "orig_size", "orig_share", "orig_sizes", "resp_size",
        "resp_sizes", "gap", "unlike",
    )  # fmt: skip
    entity: ClassVar[Entity] = "pair"
    kind = "c2"
    technique = "T1095"
    facts = ("unlike", "pings", "sizes", "sent_mb")
    entities_per_site = 1024
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "unlike": ("f4", ()),
        "pings": ("f4", ()),
        "sizes": ("f4", ()),
        "varied": ("f4", ()),
        "sent": ("f4", ()),
        "paced": ("f4", ()),
    }

    share = 1 / 30
    expected = (3.3, 0.5)
    """A search for the path's MTU by hand, with replies that are true."""
    half_life_s = 300.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each row of pings."""
        _fold(_columns(rows), _memory(state), self.half_life_s * 1e6, scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say what is odd about the pings."""
        unlike, pings = round(facts["unlike"]), round(facts["pings"])
        if unlike > 0:
            title = "{src} and {dst} seem to exchange data that is hidden in pings."
            titel = "{src} en {dst} lijken gegevens uit te wisselen die in pings verstopt zijn."
            answers, verschillen = (
                f"{unlike} answers differ",
                f"verschillen zeker {unlike} antwoorden",
            )
            if unlike == 1:
                answers, verschillen = "one answer differs", "verschilt zeker één antwoord"
            seen = f"An answer to a ping repeats what was asked. Here at least {answers} from it. "
            gezien = f"Een antwoord op een ping herhaalt de vraag. Hier {verschillen} ervan. "
        else:
            title = "{src} pings {dst} far more than it takes to see whether a machine is there."
            titel = "{src} pingt {dst} veel meer dan nodig is om te zien of een apparaat er is."
            seen = f"About {pings} pings in a few minutes, large ones or of many sizes: data can be in them. "
            gezien = f"Ongeveer {pings} pings in enkele minuten, grote of van allerlei formaat: daar kunnen gegevens in zitten. "
        return Explanation(
            title,
            titel,
            seen
            + "Someone may be steering a machine this way, or taking data out past your firewall. If nobody "
            "is testing the network now, disconnect whichever of the two is yours and ask your IT supplier "
            "to look at it.",
            gezien
            + "Mogelijk bestuurt iemand zo een apparaat, of gaan er langs uw firewall gegevens naar buiten. "
            "Test niemand nu het netwerk, koppel dan los wat van de twee van u is en vraag uw IT-leverancier "
            "ernaar te kijken.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    resp_h: NDArray[np.uint64]
    proto: NDArray[np.int64]
    orig_turns: NDArray[np.int64]
    orig_size: NDArray[np.int64]
    orig_share: NDArray[np.int64]
    orig_sizes: NDArray[np.int64]
    resp_size: NDArray[np.int64]
    resp_sizes: NDArray[np.int64]
    gap: NDArray[np.int64]
    unlike: NDArray[np.int64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    unlike: NDArray[np.float32]
    pings: NDArray[np.float32]
    sizes: NDArray[np.float32]
    varied: NDArray[np.float32]
    sent: NDArray[np.float32]
    paced: NDArray[np.float32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _within(value, most):  # type: ignore[no-untyped-def]
    return float(min(max(value, 0), most))


@njit_lean
def _fold(columns, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            state.last[e] = t
            state.unlike[e] = state.pings[e] = state.sizes[e] = 0.0
            state.varied[e] = state.sent[e] = state.paced[e] = 0.0
        if rows.proto[i] not in (_ICMP, _ICMPV6):
            continue
        outside = rows.resp_h[i]
        if is_no_host(outside[0], outside[1]):
            continue
        elapsed = t - state.last[e]
        if elapsed > 0:
            kept = remaining(elapsed, half_life)
            state.unlike[e] *= kept
            state.pings[e] *= kept
            state.sizes[e] *= kept
            state.varied[e] *= kept
            state.sent[e] *= kept
            state.paced[e] *= kept
            state.last[e] = t
        pings, large = _within(rows.orig_turns[i], _MOST), rows.orig_size[i] >= _LARGE
        beyond = pings * max(0.0, 1.0 - _within(rows.gap[i], 1000) / 1000.0)
        alike = _within(rows.orig_share[i], 100) / 100.0
        asked, told = _within(rows.orig_sizes[i], 8), _within(rows.resp_sizes[i], 8)
        own_way = told <= 1.0 and (asked <= 1.0 or rows.resp_size[i] >= _PLAIN)
        if not own_way:
            state.unlike[e] += _within(rows.unlike[i], _MOST)
        state.pings[e] += pings
        state.sizes[e] = max(float(state.sizes[e]), asked - 1.0)
        state.varied[e] += beyond * (1.0 - alike)
        if large and not is_private(outside[0], outside[1]):
            state.sent[e] += beyond * alike * _within(rows.orig_size[i], 1_000_000) / 1e6
        if large and rows.gap[i] >= _AS_FAST_AS_ANSWERED_MS:
            state.paced[e] += min(beyond * alike * _within(rows.gap[i], 1000) / 1000.0, _LONGEST_S)
        odd = 4.0 * state.unlike[e] + state.sizes[e] + state.varied[e] / 10.0
        odd += 4.0 * state.sent[e] + state.paced[e] / 3.0
        scores[i] = math.log2(1.0 + odd)
        facts[i, 0], facts[i, 1] = state.unlike[e], state.pings[e]
        facts[i, 2], facts[i, 3] = state.sizes[e], state.sent[e]

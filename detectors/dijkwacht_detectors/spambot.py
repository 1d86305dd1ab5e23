"""Spam: a machine that is nobody's mail server hands mail to one mail server after the other.

People's programs hand all mail to one server, their provider's, which delivers it. A program that sends spam, or
mails itself on, has no provider: it calls the mail servers of all those it writes to (port 25), or logs in to many
providers with accounts that were stolen (465, 587), dozens in a minute. Counts networks (/24, IPv6 /48) that answer the
machine at these ports for the first time; one at 465 or 587 counts half. What was counted halves in ten minutes; 128
count half of what they are, and 128 is the most. One provider's many addresses are a network or two. It weighs half if
the machine answers another one inside, an eighth if it answers two, a 32nd from three on: mail servers and web servers
deliver by trade. The score is log₂ of one more than what is left.

Innocents: people with several accounts; a service that looks each minute whether customers' mail servers still
answer, which are the same ones each time; an office's own mail server, and the newsletter it sends.

Limits: a mail server, or such a service, on the agent's first morning, before anybody was seen to use it, and a newsletter
or a test of many addresses by a program on a PC that delivers by itself look the same. Who answers three machines may send
what he likes; nor is it seen what goes out by way of a provider, at a person's pace, or from a web page. Where port 25 is
blocked nobody answers: that is left to `scan`. An entity takes 276 bytes.

>>> from dijkwacht_detectors.checks import score_rows
>>> servers = [bytes(10) + bytes((255, 255, 203, 0, n, 25)) for n in range(12)]
>>> calls = [{"time": n * 10**6, "resp_h": at, "resp_p": 25, "resp_pkts": 9} for n, at in enumerate(servers)]
>>> float(score_rows(Spambot(), calls)[-1].round(1))
3.6
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.addresses import is_no_host, is_private, is_v4
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.novelty import is_new
from dijkwacht_records.tables import ConnState

_TCP: Final = 6
_REFUSED: Final = int(ConnState.REJ)
_RELAY: Final = 25
_SUBMISSION: Final = (465, 587)
_MOST: Final = 128.0
_NEXT_TO_NOTHING: Final = 0.25


class Spambot(RowDetector):
    """Networks of mail servers that a machine calls for the first time."""

    name = "spambot"
    table = "flows"
    reads = ("part", "resp_h", "resp_p", "proto", "conn_state", "resp_pkts", "local_resp")
    context = ("orig_serves",)
    entity: ClassVar[Entity] = "orig"
    kind = "c2"
    technique = "T1496"
    facts = ("mail_servers", "by_account", "serves")
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "relays": ("f4", ()),
        "providers": ("f4", ()),
        "seen": ("u8", (2, 16)),
        "held": ("i4", ()),
    }

    share = 1 / 60
    expected = (2.0, 0.1)
    """A person with three accounts at providers of many addresses, or one letter to five firms by a server of one's own."""
    half_life_s = 600.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each network of mail servers that is called for the first time."""
        _fold(_columns(rows), _memory(state), self.half_life_s * 1e6, scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how many mail servers, and what becomes of a firm that sends spam."""
        many = max(2, round(min(facts["mail_servers"], 1e6)))
        return Explanation(
            f"{{src}} called about {many} mail servers of others in a short time, {{dst}} among them.",
            f"{{src}} belde kort na elkaar ongeveer {many} mailservers van anderen, waaronder {{dst}}.",
            "Only a mail server does that: everybody else hands all mail to one and the same. Programs that send spam, or "
            "that mail themselves to the people you know, work this way, and soon nobody accepts mail from you any more. "
            "If {src} is not a mail server, and nobody sends a newsletter from it, disconnect {src}, leave it "
            "switched on, and ask your IT supplier to look at it. Change, from another machine, the passwords of the mail "
            "accounts that were used on it.",
            "Alleen een mailserver doet dat: ieder ander geeft alle mail aan een en dezelfde. Programma's die spam "
            "versturen, of die zichzelf doormailen aan wie u kent, werken zo, en al gauw neemt niemand nog mail van u aan. "
            "Is {src} geen mailserver, en verstuurt niemand er een nieuwsbrief mee, koppel {src} dan los, laat het "
            "aanstaan en laat uw IT-leverancier ernaar kijken. Wijzig vanaf een ander apparaat de wachtwoorden van de "
            "mailaccounts die erop gebruikt zijn.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    part: NDArray[np.int64]
    resp_h: NDArray[np.uint64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    conn_state: NDArray[np.int64]
    resp_pkts: NDArray[np.int64]
    local_resp: NDArray[np.int64]
    orig_serves: NDArray[np.int64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    relays: NDArray[np.float32]
    providers: NDArray[np.float32]
    seen: NDArray[np.uint64]
    held: NDArray[np.int32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _network_of(high, low):  # type: ignore[no-untyped-def]
    """A key for the /24 of an IPv4 address, the /48 of any other."""
    if is_v4(high, low):
        return mix(high, low >> np.uint64(8))
    return mix(high >> np.uint64(16), np.uint64(1))


@njit(cache=True, nogil=True, inline="always")
def _as_no_server(serves):  # type: ignore[no-untyped-def]
    """How little it is a machine's trade to deliver mail, in 0-1, if it answers so many others."""
    if serves <= 0:
        return 1.0
    return 1 / 2 if serves == 1 else 1 / 8 if serves == 2 else 1 / 32


@njit_lean
def _fold(columns, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e = rows.slot[i]
        if rows.fresh[i]:
            state.last[e] = rows.time[i]
            state.relays[e] = state.providers[e] = 0.0
            state.seen[e] = 0
            state.held[e] = 0
        port = rows.resp_p[i]
        if port != _RELAY and port not in _SUBMISSION:
            continue
        if rows.part[i] != 0 or rows.proto[i] != _TCP or rows.local_resp[i]:
            continue
        if rows.resp_pkts[i] <= 0 or rows.conn_state[i] == _REFUSED:
            continue
        high, low = rows.resp_h[i, 0], rows.resp_h[i, 1]
        if is_private(high, low) or is_no_host(high, low):
            continue
        if not is_new(state.seen, state.held, e, _network_of(high, low)):
            continue
        since = float(rows.time[i]) - float(state.last[e])
        if since > 0.0:
            kept = remaining(since, half_life)
            state.relays[e] *= kept
            state.providers[e] *= kept
            state.last[e] = rows.time[i]
        if port == _RELAY:
            state.relays[e] += 1.0
        else:
            state.providers[e] += 1.0
        called = float(state.relays[e]) + float(state.providers[e])
        worth = called - 0.5 * float(state.providers[e])
        evidence = _MOST * worth / (_MOST + worth) * _as_no_server(rows.orig_serves[i])
        if evidence < _NEXT_TO_NOTHING:
            continue
        scores[i] = math.log2(1.0 + evidence)
        facts[i, 0] = called
        facts[i, 1] = float(state.providers[e]) / called
        facts[i, 2] = float(rows.orig_serves[i])

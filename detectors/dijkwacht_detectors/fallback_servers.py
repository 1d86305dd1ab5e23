"""Fallback servers: a machine tries one bare address after the other in the same manner, and gets nowhere.

Malware carries a list of servers, because they are taken down one by one: rented and stolen machines all
over the world. It says the same first words to each until one answers. Looks at TCP connections of each
machine to addresses outside that DNS named for nobody (half, where DNS is not seen), which came to
nothing, and compares the last 16: each two of different networks at which the machine did the same thing
count as one, so that three count thrice and four six times. The same thing is

- to say equally many bytes and hear nothing, 3, or be turned away in a few bytes, 2;
- to say equally many and be told equally many, less than 1 KiB, 1; to be let in and say nothing, at one
  port, 0.5; to be refused there, or not answered, 0.25. These three are not more than 2 in all, because
  servers that are gone, and those whose distance is measured, are found in lists of all kinds; and
- more than 16 KiB in plain HTTP that nobody answers, alike but for some bytes of a name: 3. Named sites,
  too, for a quarter: who hides its server among strangers' sites posts the same to each.

Two servers of one /16 count half, of one /24 are one: whoever has many servers has them together. Words
that are neither TLS nor HTTP at a port of the web weigh 1.5, and so does TLS at an odd one. The score is
log₂ of the sum; what was tried an hour ago counts half.

Innocents: messengers, calls, tunnels and remote support try several bare addresses and are answered
by one: each such conversation in the same language takes away from the rest. Whoever shares files
calls hundreds (many nameless addresses weigh little, and ports of each peer's own next to nothing);
ports where mail, name services and telephony are spoken; servers that several machines call or that the
site knows for days; and what does not open connections as Windows does, half: apps and things.

Limits: two servers that were tried in vain are not much; one that answers ends the search; lists of
names are not looked at; nor datagrams. A messenger that a filter lets connect and not speak looks the same.
A flow longer than its first part is followed if it is one of the last four. 0.8 KB an entity.

>>> from dijkwacht_detectors.checks import score_rows
>>> from dijkwacht_records.hints import NAMED, OPTIONS, SPEECH, WINDOW, Named, Speech, SynOptions, SynWindow
>>> hints = NAMED.put(Named.NOBODY) | SPEECH.put(Speech.BYTES)
>>> hints |= OPTIONS.put(SynOptions.TWELVE) | WINDOW.put(SynWindow.LARGE)
>>> tries = [{"time": n * 20_000_000, "flow_id": n + 1, "resp_h": (0xFFFF << 32) + ((40 + 7 * n) << 24),
...           "resp_p": 443, "state": 2, "conn_state": 3, "orig_bytes": 648, "resp_pkts": 4, "hints": hints}
...          for n in range(4)]
>>> score_rows(FallbackServers(), tries).round(1).tolist()
[nan, 2.5, 3.8, 4.8]
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.addresses import is_private
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.tries import (
    ANSWERED,
    CLOSED,
    EMPTY,
    PLACES,
    POSTED,
    SILENT,
    add_up,
    keep,
    networks_of,
    others,
)
from dijkwacht_records.hints import (
    NAMED,
    OPTIONS,
    SPEECH,
    WINDOW,
    Named,
    Speech,
    SynOptions,
    SynWindow,
)
from dijkwacht_records.tables import ConnState, FlowState

_TCP: Final = 6
_END: Final = int(FlowState.END)
_REFUSED: Final = tuple(
    int(c) for c in (ConnState.S0, ConnState.REJ, ConnState.RSTOS0, ConnState.SH)
)
_MET: Final = tuple(
    int(c)
    for c in (
        ConnState.S1,
        ConnState.SF,
        ConnState.S2,
        ConnState.S3,
        ConnState.RSTO,
        ConnState.RSTR,
    )
)
_HUNG_UP: Final = (int(ConnState.S3), int(ConnState.RSTR))
_BY_ORIG, _BY_OTHER, _NOBODY = int(Named.BY_ORIG), int(Named.BY_OTHER), int(Named.NOBODY)
_NAMED_SHIFT, _NAMED_MASK = NAMED.shift, (1 << NAMED.width) - 1
_SPEECH_SHIFT, _SPEECH_MASK = SPEECH.shift, (1 << SPEECH.width) - 1
_SYSTEM_MASK = OPTIONS.put((1 << OPTIONS.width) - 1) | WINDOW.put((1 << WINDOW.width) - 1)
_WINDOWS = OPTIONS.put(SynOptions.TWELVE) | WINDOW.put(SynWindow.LARGE)
_TLS, _HTTP = int(Speech.TLS), int(Speech.HTTP)
_MAIL: Final = (25, 110, 143, 465, 587, 993, 995)
_ASKED: Final = (22, 53, 853, 3478, 5060, 5061, 5222, 5223, 5228, 5229, 5230, 5349, 7680, 8883)
"""Where programs have lists by design: name services, telephony, push messages, shared updates."""
_CURT: Final = 8
"""A refusal of TLS has seven bytes."""
_TALK: Final = 1024
_BULK: Final = 16_384
_DAY_US: Final = 86_400e6

_NAMELESS: Final = 12.0
"""Nameless addresses of late from which on a machine is one that calls such: it shares files, or asks
where nobody sees it."""
_NOTHING_LEFT: Final = 4 * _NAMELESS
"""From here on not even a full list would be anything, so that it need not be kept."""

_HANDS: Final = 4


class FallbackServers(RowDetector):
    """Bare addresses outside that one machine tries in the same manner, in vain."""

    name = "fallback_servers"
    table = "flows"
    reads = (
        "part", "state", "flow_id", "resp_h", "resp_p", "proto", "conn_state", "orig_bytes",
        "resp_bytes", "resp_pkts", "local_orig", "local_resp", "hints",
    )  # fmt: skip
    context = ("dest_first", "dest_machines", "orig_nameless")
    entity: ClassVar[Entity] = "orig"
    kind = "c2"
    technique = "T1008"
    facts = ("servers", "said", "refused", "posted", "evidence")
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "tried": ("i8", (PLACES, 4)),
        "worth": ("f4", (PLACES,)),
        "hand": ("i8", (_HANDS, 6)),
        "held": ("f4", (_HANDS,)),
        "talks": ("f4", (3,)),
        "talked": ("i8", ()),
    }

    share = 3 / 80
    expected = (2.0, 0.1)
    """A new program on a PC with a server and a spare one in two networks, both of which take its calls
    and keep silent."""
    half_life_s = 3600.0
    """Lists are worked off within minutes; some wait a quarter of an hour between two."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each call that came to nothing, as another did elsewhere."""
        _fold(_columns(rows), _memory(state), self.half_life_s * 1e6, scores, facts)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how many servers it tried, and what came of it."""
        many = max(2, round(facts["servers"]))
        if facts["posted"] > 0.5:
            return Explanation(
                f"{{src}} sent the same to {many} web sites, {{dst}} among them, and none answered.",
                f"{{src}} stuurde hetzelfde naar {many} websites, waaronder {{dst}}, en niemand antwoordde.",
                f"Malware hides the server it reports to among strangers' sites in this way. {_WHAT_TO_DO}",
                "Kwaadaardige programma's verbergen zo de server waaraan ze melden tussen sites van "
                f"anderen. {_WAT_TE_DOEN}",
            )
        fate, lot = "and got no proper answer", "en kreeg geen echt antwoord"
        if facts["refused"] > 0.5:
            fate, lot = "and got through to none", "en kwam er niet door"
        return Explanation(
            f"{{src}} tried {many} unknown servers in the same way, {{dst}} (port {{port}}) among them, "
            f"{fate}.",
            f"{{src}} probeerde {many} onbekende servers op dezelfde manier, waaronder {{dst}} (poort "
            f"{{port}}), {lot}.",
            "Malware often carries a list of servers that it can take orders from, and goes through it until "
            f"one answers. {_WHAT_TO_DO}",
            "Kwaadaardige programma's hebben vaak een lijst van servers waar ze opdrachten kunnen halen, en "
            f"lopen die langs tot er een antwoordt. {_WAT_TE_DOEN}",
        )


_WHAT_TO_DO = (
    "A messenger or a tunnel that is blocked can look the same. If nobody at {src} uses such a program, "
    "disconnect {src} from the network and have it scanned for viruses."
)
_WAT_TE_DOEN = (
    "Een berichtenprogramma of VPN dat geblokkeerd wordt, kan er net zo uitzien. Gebruikt niemand op {src} "
    "zo'n programma, koppel {src} dan los van het netwerk en laat het op virussen nakijken."
)


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    part: NDArray[np.int64]
    state: NDArray[np.int64]
    flow_id: NDArray[np.int64]
    resp_h: NDArray[np.uint64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    conn_state: NDArray[np.int64]
    orig_bytes: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]
    resp_pkts: NDArray[np.int64]
    local_orig: NDArray[np.int64]
    local_resp: NDArray[np.int64]
    hints: NDArray[np.int64]
    dest_first: NDArray[np.int64]
    dest_machines: NDArray[np.int64]
    orig_nameless: NDArray[np.float64]


class _State(NamedTuple):
    tried: NDArray[np.int64]
    worth: NDArray[np.float32]
    hand: NDArray[np.int64]
    held: NDArray[np.float32]
    talks: NDArray[np.float32]
    talked: NDArray[np.int64]


_FLOW, _WHERE, _SENT, _HEARD, _PACKETS, _SPOKE = range(6)  # of hand

_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _few(amount):  # type: ignore[no-untyped-def]
    return min(max(amount, 0), 1_000_000_000)


@njit(cache=True, nogil=True, inline="always")
def _language(speech):  # type: ignore[no-untyped-def]
    if speech == _TLS:
        return 0
    return 1 if speech == _HTTP else 2


@njit(cache=True, nogil=True, inline="always")
def _forget(state, e, t):  # type: ignore[no-untyped-def]
    state.tried[e] = 0
    state.hand[e] = 0
    state.talks[e] = 0.0
    state.talked[e] = t


@njit_lean
def _converse(state, e, t, speech, half_life):  # type: ignore[no-untyped-def]
    """Somebody without a name has much to say."""
    if t > state.talked[e]:
        kept = remaining(t - state.talked[e], half_life)
        for language in range(3):
            state.talks[e, language] *= kept
        state.talked[e] = t
    state.talks[e, _language(speech)] += 1.0


@njit_lean
def _stranger(rows, i, named):  # type: ignore[no-untyped-def]
    """How little is known of whom the row calls, and how odd it is that such a caller does."""
    worth = 1.0 if named == _NOBODY else 0.25 if named in (_BY_ORIG, _BY_OTHER) else 0.5
    worth /= min(max(rows.dest_machines[i], 1), 64)
    worth /= 1.0 + max(float(rows.time[i]) - float(rows.dest_first[i]), 0.0) / _DAY_US
    if rows.hints[i] & _SYSTEM_MASK != _WINDOWS:
        worth *= 0.5
    port = rows.resp_p[i]
    if port in _MAIL or port in _ASKED:
        worth *= 0.1
    return worth


@njit_lean
def _oddity(speech, port):  # type: ignore[no-untyped-def]
    """How odd it is to speak so at this port."""
    if port in (80, 443):
        return 1.0 if speech in (_TLS, _HTTP) else 1.5
    return 1.5 if speech == _TLS and port not in _MAIL and port != 8443 else 1.0


@njit_lean
def _come_to(conn, sent, heard, packets, port):  # type: ignore[no-untyped-def]
    """What a call came to: its manner, 0 if it is none to compare, and what that weighs."""
    if conn in _REFUSED:
        if sent > 0 or heard > 0:
            return 0, 0.0  # half of a conversation
        return port << 3 | CLOSED, 0.25
    if conn not in _MET or packets <= 0:
        return 0, 0.0
    if sent == 0:
        return (port << 3 | EMPTY, 0.5) if heard == 0 else (0, 0.0)
    if heard <= _CURT:
        return sent << 3 | SILENT, 3.0 if heard == 0 else 2.0
    return (sent * 2048 + heard) << 3 | ANSWERED, 1.0


@njit_lean
def _hand_of(state, e, flow, where):  # type: ignore[no-untyped-def]
    for h in range(_HANDS):  # flows of another agent, or after its restart, have the same numbers
        if state.hand[e, h, _FLOW] == flow and state.hand[e, h, _WHERE] == where:
            return h
    return -1


@njit_lean
def _free_hand(state, e):  # type: ignore[no-untyped-def]
    """An empty one; else the first, after the others moved up."""
    for h in range(_HANDS):
        if state.hand[e, h, _WHERE] == 0:
            return h
    for h in range(_HANDS - 1):
        for field in range(state.hand.shape[2]):
            state.hand[e, h, field] = state.hand[e, h + 1, field]
        state.held[e, h] = state.held[e, h + 1]
    return _HANDS - 1


@njit_lean
def _begin(rows, state, i, named):  # type: ignore[no-untyped-def]
    """Take a call in hand; returns which."""
    e = rows.slot[i]
    h = _free_hand(state, e)
    state.hand[e, h] = 0
    state.hand[e, h, _FLOW] = rows.flow_id[i]
    state.hand[e, h, _WHERE] = networks_of(rows.resp_h[i, 0], rows.resp_h[i, 1]) | 1
    state.held[e, h] = _stranger(rows, i, named)
    return h


@njit_lean
def _fold(columns, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            _forget(state, e, t)
        if rows.proto[i] != _TCP or rows.local_resp[i] or not rows.local_orig[i]:
            continue
        sent, heard, port = (
            _few(rows.orig_bytes[i]),
            _few(rows.resp_bytes[i]),
            rows.resp_p[i] & 0xFFFF,
        )
        speech = (rows.hints[i] >> _SPEECH_SHIFT) & _SPEECH_MASK
        whole = rows.state[i] == _END or rows.conn_state[i] in _HUNG_UP
        manner, weight = 0, 0.0
        if rows.part[i] == 0:
            named = (rows.hints[i] >> _NAMED_SHIFT) & _NAMED_MASK
            bare = named not in (_BY_ORIG, _BY_OTHER)
            if whole and sent > _BULK and heard == 0 and speech == _HTTP and rows.resp_pkts[i] > 0:
                manner, weight = sent << 3 | POSTED, 3.0
            elif not bare:
                continue
            elif heard > _TALK:
                _converse(state, e, t, speech, half_life)
                continue
            if rows.orig_nameless[i] > _NOTHING_LEFT:
                continue
            if is_private(rows.resp_h[i, 0], rows.resp_h[i, 1]):
                continue  # of another office, where a laptop was before
            h = _begin(rows, state, i, named)
        else:
            where = networks_of(rows.resp_h[i, 0], rows.resp_h[i, 1]) | 1
            h = _hand_of(state, e, rows.flow_id[i], where)
            if h < 0:
                continue
        hand = state.hand[e, h]
        hand[_SENT] += sent
        hand[_HEARD] += heard
        hand[_PACKETS] += _few(rows.resp_pkts[i])
        if hand[_SPOKE] == 0:
            hand[_SPOKE] = speech
        where, speech = hand[_WHERE], hand[_SPOKE]
        if hand[_HEARD] > _TALK:
            hand[_WHERE] = 0
            _converse(state, e, t, speech, half_life)
            continue
        if not whole:
            continue
        hand[_WHERE] = 0
        if manner == 0:
            manner, weight = _come_to(
                rows.conn_state[i], _few(hand[_SENT]), hand[_HEARD], hand[_PACKETS], port
            )
            if manner == 0:
                continue
        worth = weight * float(state.held[e, h]) * _oddity(speech, port)
        keep((state.tried, state.worth), e, where, t, manner, port, worth)
        alike = others(state.tried, e, manner, where)
        if alike == 0:
            continue
        evidence = add_up(state.tried, state.worth, e, t, half_life)
        evidence /= 1.0 + (max(rows.orig_nameless[i], 0.0) / _NAMELESS) ** 4
        talks = state.talks[e, _language(speech)] * remaining(t - state.talked[e], half_life)
        evidence /= 1.0 + talks
        if evidence <= 0.0:
            continue
        scores[i] = math.log2(1.0 + evidence)
        facts[i, 0], facts[i, 1] = 1.0 + alike, hand[_SENT]
        facts[i, 2] = 1.0 if manner & 7 in (CLOSED, EMPTY) else 0.0
        facts[i, 3] = 1.0 if manner & 7 == POSTED else 0.0
        facts[i, 4] = evidence

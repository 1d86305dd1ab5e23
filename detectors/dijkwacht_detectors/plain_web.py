"""The web in the clear, as scripts and malware use it: a download that no browser makes, words to a bare address.

Programs encrypt today, and what they still fetch in the clear they fetch by name. What gets a foothold
often does neither: the document that was opened fetches the program behind it, a loader its next module,
an intruder's script its tools, and what runs then reports by plain HTTP. Looks at TCP connections of a
machine to outside whose first words are HTTP, at their end. Each gives the machine some evidence:

- a download: more than 8 KiB and eight times what was asked with. It weighs 16 at a port of no service
  or where TLS is spoken, else 8, from an address that DNS named for nobody; three quarters where the
  machine's DNS was first seen while the connection lasted, because it may have looked before; next to
  nothing from a server with a name, or where DNS is not seen. It weighs by how few words it was asked for:
  browsers need 400 bytes and more, programs that download 60 to 320. Less than 108 are so few that even
  Windows' own lists are asked for with more: what scripts send that name no program. From Windows that
  weighs 8 whatever the name;
- an exchange of less than 2 KiB each way, sixteen of them with one address at most: ⅛ with a bare address,
  ¼ at a port of no service; and 1 where TLS is spoken, by name, because HTTP in the clear is there
  to pass a filter, and half of that by number, as messengers do to pass one. By name at any other port it says nothing,
  unless the machine has just asked a service for its own address on the internet, as loaders and bots do to tell their
  masters whose they are. From the second exchange with one server on, but for the one that was asked, each then weighs 2,
  by how few its words are; half for each quarter of an hour since, for each two minutes that the site knew the
  server before, and by how often the machine has asked within a day.

Large downloads weigh more, until some megabytes, where streams and updates are: half of it at 32 kB, but at 8 for what
names no program, because scripts that run in memory are small. The second from the same address a
quarter, the third a ninth. Connections that begin within seconds of each other are a page's, and share
one weight. What does not open connections as Windows does is a thing or a telephone, and weighs half or
less. Less, too, where several machines of the site go, where the site has gone for days, and for a machine that calls
many nameless addresses; up to twice as much where a machine that the site has known for a week calls what
is new to it. The score is log₂(1 + evidence); what was two hours ago counts half.

Innocents: pages at a supplier's bare address, streams, players and signs, old programs that update
themselves, lists of void certificates, caches of providers, messengers that fall back to HTTP, firmware. Storage and routers ask
for their own address by the clock, programs for weather and news too, and call a server that was known before.

Limits: downloads by name that are asked for as a browser would, and everything over TLS, are not seen.
A script of the office that fetches from a bare address is told once. Reports in the clear to a server
with a name look like a device's, unless the question for its own address is seen: by DNS, and from the machine itself.
0.7 KB an entity.

>>> from dijkwacht_detectors.checks import score_rows
>>> from dijkwacht_records.hints import NAMED, OPTIONS, SPEECH, WINDOW, Named, Speech, SynOptions, SynWindow
>>> hints = SPEECH.put(Speech.HTTP) | OPTIONS.put(SynOptions.TWELVE) | WINDOW.put(SynWindow.LARGE)
>>> row = {"table": "flows", "resp_h": (0xFFFF << 32) + (45 << 24) + 9, "state": 2,
...        "orig_bytes": 270, "resp_bytes": 360_000}
>>> ports = [(12345, Named.NOBODY), (80, Named.NOBODY), (80, Named.BY_ORIG)]
>>> [float(score_rows(PlainWeb(), [row | {"resp_p": port, "hints": hints | NAMED.put(named)}])[0].round(1))
...  for port, named in ports]
[3.9, 3.0, 0.2]
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, Reads, RowDetector, Rows, Scores, State
from dijkwacht_detectors.knowledge.addresses import is_private
from dijkwacht_detectors.knowledge.hinted import named_by, speech_of
from dijkwacht_detectors.knowledge.own_address import TELLERS, beginnings_of, hashes_of, is_among
from dijkwacht_detectors.knowledge.plain_http import (
    as_programs_ask,
    as_scripts_ask,
    of_acquaintance,
    of_company,
    of_download,
    of_size,
    of_system,
    of_words,
)
from dijkwacht_detectors.knowledge.plain_web_words import (
    WAT_TE_DOEN,
    WHAT_TO_DO,
    amount_of,
    oddities_of,
    words_of,
)
from dijkwacht_detectors.knowledge.ports import FREE, port_use
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.question import (
    QUESTION,
    after_question,
    note_question,
    note_teller,
)
from dijkwacht_records.hints import OPTIONS, Named, Speech, SynOptions
from dijkwacht_records.tables import FlowState

_DNS: Final = 1  # the place of this table in ``reads``
_TELLERS, _BEGINNINGS = hashes_of(TELLERS), beginnings_of(TELLERS)
_TCP: Final = 6
_END: Final = int(FlowState.END)
_HTTP: Final = int(Speech.HTTP)
_UNKNOWN, _NOBODY, _BY_ORIG = int(Named.UNKNOWN), int(Named.NOBODY), int(Named.BY_ORIG)
_OPTIONS: Final = OPTIONS.put((1 << OPTIONS.width) - 1)
_UNSEEN: Final = OPTIONS.put(SynOptions.UNSEEN)
_BURST_US: Final = 5e6
_FETCHED_BYTES: Final = 8192.0
_WORDS: Final = 2048.0
_MOST_CALLS: Final = 16.0
_LEAST: Final = 0.05
"""Evidence of a connection that is worth an opinion: the policy's time is dear."""
_ITS_PART: Final = 0.25
"""Of a machine's evidence: what an address must have said to be named for it."""

_HANDS: Final = 6
_PLACES: Final = 8


class PlainWeb(RowDetector):
    """Downloads and words over HTTP in the clear, as scripts and malware use it."""

    name = "plain_web"
    reads: ClassVar[Reads] = {
        "flows": (
            "part", "state", "start", "flow_id", "resp_h", "resp_p", "proto", "orig_bytes", "resp_bytes",
            "local_orig", "local_resp", "hints",
        ),
        "dns": ("query", "question"),
    }  # fmt: skip
    context = ("dest_first", "dest_machines", "orig_first", "orig_nameless", "orig_strangers")
    entity: ClassVar[Entity] = "orig"
    passes_over = True
    kind = "c2"
    technique = "T1105"
    facts = (
        "fetched_kb", "asked_bytes", "calls", "unnamed", "odd_port", "asked_itself", "evidence",
        "fetched_before",
    )  # fmt: skip
    entities_per_site = 4096
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "marks": ("u1", (3,)),
        "question": QUESTION,
        "hand": ("i8", (_HANDS, 6)),
        "place": ("i8", (_PLACES, 4)),
        "counts": ("f4", (_PLACES, 3)),
        "last": ("i8", ()),
    }

    share = 3 / 80
    expected = (2.0, 0.1)
    """A large file that somebody opens in a browser at a supplier's bare address."""
    half_life_s = 7200.0
    """What is fetched reports within minutes; what was this morning belongs to the same intrusion, hardly more."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each connection in the clear at its end."""
        query = rows["query"]
        _fold(
            _columns(rows), rows.table, (query.offsets, query.blob), _memory(state),
            self.half_life_s * 1e6, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say what was fetched or said, and what is odd about it."""
        odd, vreemd = oddities_of(facts)
        if facts["fetched_kb"] > 0.0:
            much, veel = amount_of(facts["fetched_kb"])
            return Explanation(
                f"{{src}} fetched {much} from {{dst}} (port {{port}}) without encryption, as malware does.",
                f"{{src}} haalde onversleuteld {veel} op bij {{dst}} (poort {{port}}), zoals kwaadaardige "
                "programma's doen.",
                odd + WHAT_TO_DO,
                vreemd + WAT_TE_DOEN,
            )
        title, titel, often, vaak = words_of(facts)
        return Explanation(
            title,
            titel,
            f"{often}{odd}{WHAT_TO_DO}",
            f"{vaak}{vreemd}{WAT_TE_DOEN}",
            technique="" if facts["fetched_before"] > 0.0 else "T1071.001",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    part: NDArray[np.int64]
    state: NDArray[np.int64]
    start: NDArray[np.int64]
    flow_id: NDArray[np.int64]
    resp_h: NDArray[np.uint64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    orig_bytes: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]
    local_orig: NDArray[np.int64]
    local_resp: NDArray[np.int64]
    hints: NDArray[np.int64]
    question: NDArray[np.int64]
    dest_first: NDArray[np.int64]
    dest_machines: NDArray[np.int64]
    orig_first: NDArray[np.int64]
    orig_nameless: NDArray[np.float64]
    orig_strangers: NDArray[np.float64]


class _State(NamedTuple):
    marks: NDArray[np.uint8]
    question: NDArray[np.int64]
    hand: NDArray[np.int64]
    place: NDArray[np.int64]
    counts: NDArray[np.float32]
    last: NDArray[np.int64]


_ASKS, _BUSY, _WAITS = range(3)
"""Of marks: its DNS is seen; something may be in hand; it has asked for its own address, and not called yet."""
_FLOW, _KEY, _AT, _SENT, _HEARD, _FIRST = range(6)  # of hand
_WHERE, _BEGAN, _TOGETHER, _SEEN = range(4)  # of place
_FETCHED, _CALLED, _SAYS = range(3)  # of counts; the last is the evidence of an address

_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _few(amount):  # type: ignore[no-untyped-def]
    return min(max(amount, 0), 1_000_000_000_000)


@njit_lean
def _forget(state, e, t):  # type: ignore[no-untyped-def]
    state.marks[e] = 0
    state.question[e] = 0
    state.hand[e] = 0
    state.place[e] = 0
    state.counts[e] = 0.0
    state.last[e] = t


@njit_lean
def _place_of(state, e, key, t):  # type: ignore[no-untyped-def]
    """Where this address is remembered, or will be, instead of the one that was longest not called."""
    oldest = 0
    for p in range(_PLACES):
        if state.place[e, p, _WHERE] == key:
            return p
        if state.place[e, p, _WHERE] == 0:  # so are all after it
            oldest = p
            break
        if state.place[e, p, _SEEN] < state.place[e, oldest, _SEEN]:
            oldest = p
    place = state.place[e, oldest]
    place[_WHERE], place[_SEEN], place[_TOGETHER] = key, t, 0
    state.counts[e, oldest] = 0.0
    return oldest


@njit(cache=True, nogil=True, inline="always")
def _key_of(rows, i):  # type: ignore[no-untyped-def]
    mixed = rows.resp_h[i, 1] ^ (rows.resp_h[i, 0] * np.uint64(0x9E3779B97F4A7C15))
    return np.int64(mixed * np.uint64(2)) | 1


@njit_lean
def _begin(rows, state, i):  # type: ignore[no-untyped-def]
    """Take a connection in hand, in the place of the oldest if all are full; returns which."""
    e, t = rows.slot[i], rows.time[i]
    h = 0
    for k in range(_HANDS):
        if state.hand[e, k, _KEY] == 0:
            h = k
            break
        if state.hand[e, k, _AT] < state.hand[e, h, _AT]:
            h = k
    key = _key_of(rows, i)
    hand = state.hand[e, h]
    hand[_FLOW], hand[_KEY], hand[_AT], hand[_FIRST] = rows.flow_id[i], key, t, rows.hints[i]
    hand[_SENT] = hand[_HEARD] = 0
    place = state.place[e, _place_of(state, e, key, t)]
    apart = abs(float(rows.start[i]) - float(place[_BEGAN]))
    place[_TOGETHER] = min(place[_TOGETHER] + 1, 1000) if apart < _BURST_US else 1
    place[_BEGAN], place[_SEEN] = rows.start[i], t
    state.marks[e, _BUSY] = 1
    return h


@njit_lean
def _hand_of(state, e, flow, key):  # type: ignore[no-untyped-def]
    for h in range(_HANDS):  # another agent, or one that began anew, counts its flows from one, too
        if state.hand[e, h, _KEY] == key and state.hand[e, h, _FLOW] == flow:
            return h
    return -1


@njit_lean
def _worth(state, e, p, hand, port, behind):  # type: ignore[no-untyped-def]
    """What one connection says by itself, in 0-24, and whether it was a download; counts it.

    ``behind``: how likely the machine's question for its own address led to it, in 0-1.
    """
    sent, heard, first = float(hand[_SENT]), float(hand[_HEARD]), hand[_FIRST]
    named, together = named_by(first), float(max(state.place[e, p, _TOGETHER], 1))
    fetched = heard > _FETCHED_BYTES and heard > 8.0 * sent
    if sent <= 0.0 or (not fetched and (heard <= 0.0 or max(sent, heard) > _WORDS)):
        return 0.0, False
    nameless = 1.0 if named == _NOBODY else 0.0
    if named == _UNKNOWN and state.marks[e, _ASKS] and first & _OPTIONS != _UNSEEN:
        nameless = 0.75
    seen, tls, use = named != _UNKNOWN, port in (443, 8443), port_use(port)
    system = of_system(first, fetched)
    if not fetched:
        state.counts[e, p, _CALLED] += 1.0
        called = state.counts[e, p, _CALLED]
        if called > _MOST_CALLS:
            return 0.0, False
        weight = of_words(nameless, seen, tls, use)
        if called > 1.0:
            weight = max(weight, 2.0 * behind * as_programs_ask(sent, tls))
        return weight * system / together, False
    weight = (
        of_download(nameless, seen, tls, use) * as_programs_ask(sent, tls) * of_size(heard, 32e3)
    )
    if system == 1.0:
        weight = max(weight, 8.0 * as_scripts_ask(sent) * of_size(heard, 8e3))
    before = float(state.counts[e, p, _FETCHED])
    state.counts[e, p, _FETCHED] = min(before + 1.0, 1000.0)
    return weight * system / together / (1.0 + before) ** 2, True


@njit_lean
def _add(state, e, p, t, worth, half_life):  # type: ignore[no-untyped-def]
    """Take what a connection says to what its address said; returns what all of them say."""
    kept = 1.0
    if t > state.last[e]:
        kept = remaining(t - state.last[e], half_life)
        state.last[e] = t
    evidence = 0.0
    for k in range(_PLACES):
        state.counts[e, k, _SAYS] = kept * state.counts[e, k, _SAYS] + (worth if k == p else 0.0)
        evidence += float(state.counts[e, k, _SAYS])
    return evidence


@njit_lean
def _fold(columns, table, query, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        if table[i] < 0:
            continue
        e, t, hints = rows.slot[i], rows.time[i], rows.hints[i]
        if rows.fresh[i]:
            _forget(state, e, t)
        if table[i] == _DNS:
            if rows.question[i] > 0 and is_among(_TELLERS, _BEGINNINGS, query[0], query[1], i):
                note_question(state.question[e], t)
                state.marks[e, _WAITS] = 1
            continue
        if rows.local_orig[i] == 0:
            continue
        if hints and named_by(hints) in (_NOBODY, _BY_ORIG):
            state.marks[e, _ASKS] = 1
        if rows.proto[i] != _TCP or rows.local_resp[i]:
            continue
        if state.marks[e, _WAITS] and note_teller(
            state.question[e], _key_of(rows, i), rows.start[i]
        ):
            state.marks[e, _WAITS] = 0
        if speech_of(hints) == _HTTP:
            if is_private(rows.resp_h[i, 0], rows.resp_h[i, 1]):
                continue  # of another office, where a laptop was before
            h = _begin(rows, state, i)
        elif rows.part[i] > 0 and state.marks[e, _BUSY]:
            h = _hand_of(state, e, rows.flow_id[i], _key_of(rows, i))
            if h < 0:
                continue
        else:
            continue
        hand = state.hand[e, h]
        hand[_SENT] = _few(hand[_SENT] + _few(rows.orig_bytes[i]))
        hand[_HEARD] = _few(hand[_HEARD] + _few(rows.resp_bytes[i]))
        if rows.state[i] != _END:
            continue
        p, port = _place_of(state, e, hand[_KEY], t), rows.resp_p[i]
        behind = after_question(state.question[e], hand[_KEY], rows.start[i], rows.dest_first[i])
        hand[_KEY] = 0
        worth, fetched = _worth(state, e, p, hand, port, behind)
        worth *= of_acquaintance(float(t), float(rows.dest_first[i]), float(rows.orig_first[i]))
        worth *= of_company(rows.dest_machines[i], rows.orig_nameless[i], rows.orig_strangers[i])
        if worth < _LEAST:
            continue
        evidence = _add(state, e, p, t, worth, half_life)
        if state.counts[e, p, _SAYS] < _ITS_PART * evidence:
            continue
        scores[i] = math.log2(1.0 + evidence)
        facts[i, 0] = hand[_HEARD] / 1000.0 if fetched else 0.0
        facts[i, 1], facts[i, 2] = hand[_SENT], state.counts[e, p, _CALLED]
        facts[i, 3] = named_by(hand[_FIRST]) == _NOBODY
        facts[i, 4] = port_use(port) == FREE or port in (443, 8443)
        facts[i, 5] = behind > 0.05 and not fetched
        facts[i, 6] = evidence
        facts[i, 7] = 0.0 if fetched else state.counts[e, p, _FETCHED]

"""Private resolvers: a machine alone asks an outside server for names that are no hosts.

Machines ask the resolver that their network tells them, or one of the public ones, for hosts. A program
that talks to its master over DNS and does not want to depend on anybody, or be noticed by a resolver, sends
its questions straight to a server of its own. Looks at port 53 of outside addresses other than the
public resolvers', and at what is asked there: for each machine and server, questions under new names and answers with
data, of types that no host needs. A text (TXT) or a mail server (MX) is worth one, a type that only tunnels use two;
a name that could itself be data, at most half; an answer one more for 256 bytes. What was counted halves in two hours.
Each two domains below which hosts are asked for make it one part less: who is asked for all and sundry is a resolver.
It weighs a quarter if one other machine of the site asks the same server, next to nothing from two on, and less
the more such servers the machine asks: a resolver of one's own asks hundreds. The score is log₂ of one more than that.

Innocents: a provider's resolver, own resolvers, tests of zones at their name servers (which ask for the
domain itself), policies of mail (below a label that begins with ``_``), block lists.

Limits: a server that is also asked for twenty ordinary domains, or by three machines, is taken for a resolver, and
what passes through the site's own resolver is left to `dns_tunnel` and `slow_tunnel`. A guard that asks its maker's
name servers directly about files looks the same. A program that asks for hosts only, or every few hours, is not seen.
An entity takes 400 bytes, a site 768.

>>> from dijkwacht_detectors.checks import score_rows
>>> server = bytes(10) + bytes((255, 255, 203, 0, 113, 9))
>>> row = {"resp_h": server, "resp_p": 53, "query": "7.tasks.example.com", "qtype": 16, "question": 1}
>>> told = row | {"rcode": 0, "answers": 1, "answer_bytes": 128}
>>> polls = [told | {"time": n * 10**6} for n in range(20)]
>>> float(score_rows(PrivateResolver(), polls)[-1].round(1))
5.0
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.knowledge.addresses import is_no_host, is_private
from dijkwacht_detectors.knowledge.data_bearing_domains import (
    hash_name,
    is_data_bearing,
    known_hashes,
)
from dijkwacht_detectors.knowledge.public_resolvers import (
    is_near,
    is_public_resolver,
    resolver_names,
)
from dijkwacht_detectors.knowledge.query_names import (
    dissect,
    has_service,
    holds_address,
    is_local,
    payload,
)
from dijkwacht_detectors.knowledge.query_types import PTR, SOA, oddity
from dijkwacht_detectors.state.crowd import count, member
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.novelty import is_new
from dijkwacht_detectors.state.shortlist import name_of, place_of

_SERVERS: Final = 4  # servers remembered an originator
_SITES_SERVERS: Final = 32
_FOUND: Final = 0
_NEXT_TO_NOTHING: Final = 1.0
_DAY_US: Final = 86_400e6
_KNOWN, _PUBLIC = known_hashes(), resolver_names()


class PrivateResolver(RowDetector):
    """Names that are no hosts, asked of an outside server that nobody else asks."""

    name = "private_resolver"
    table = "dns"
    reads = (
        "orig_h", "resp_h", "resp_p", "query", "qtype", "question", "rcode", "answers", "answer_bytes",
    )  # fmt: skip
    entity: ClassVar[Entity] = "orig"
    kind = "dns"
    technique = "T1071.004"
    facts = ("odd_questions", "host_domains", "resolver_users", "own_resolvers")
    who = Who(name="query")
    entities_per_site = 1024
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "server": ("u8", (_SERVERS,)),
        "asked": ("i8", (_SERVERS,)),
        "odd": ("f4", (_SERVERS,)),
        "odd_at": ("i8", (_SERVERS,)),
        "plain": ("f4", (_SERVERS,)),
        "servers": ("f4", ()),
        "servers_at": ("i8", ()),
        "seen": ("u8", (2, 16)),
        "held": ("i4", ()),
        "samples_server": ("u8", (_SITES_SERVERS,)),
        "samples_used": ("i8", (_SITES_SERVERS,)),
        "samples_askers": ("u8", (_SITES_SERVERS,)),
    }

    share = 1 / 120
    expected = (3.0, 0.25)
    """A guard that asks its maker's name server about files; a program that keeps its settings in texts."""
    half_life_s = 7200.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each odd question to an outside server, and each answer."""
        query = rows["query"]
        _fold(
            _columns(rows), rows.site, query.offsets, query.blob, _memory(state),
            self.half_life_s * 1e6, _KNOWN, _PUBLIC, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say that it talks to a name server of somebody's own."""
        many = max(1, round(min(facts["odd_questions"], 1e6)))
        nobody, niemand = "No other machine", "Geen ander apparaat"
        if facts["resolver_users"] > 1.0:
            nobody, niemand = "Hardly any other machine", "Haast geen ander apparaat"
        return Explanation(
            f"{{src}} exchanged about {many} messages with an unknown name server, {{dst}}, past the office's own.",
            f"{{src}} wisselde ongeveer {many} berichten met een onbekende naamserver, {{dst}}, buiten die van het "
            "kantoor om.",
            f"{nobody} here asks that server, and what is asked for are no websites. Some malware gets its orders "
            "this way. If nobody set this up on purpose, disconnect {src}, leave it switched on, and have it looked at.",
            f"{niemand} hier vraagt die server iets, en wat gevraagd wordt zijn geen websites. Sommige "
            "kwaadaardige programma's krijgen zo hun opdrachten. Stelde niemand dit met opzet in, koppel {src} dan los, "
            "laat het aanstaan en laat er iemand naar kijken.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    orig_h: NDArray[np.uint64]
    resp_h: NDArray[np.uint64]
    resp_p: NDArray[np.int64]
    qtype: NDArray[np.int64]
    question: NDArray[np.int64]
    rcode: NDArray[np.int64]
    answers: NDArray[np.int64]
    answer_bytes: NDArray[np.int64]


class _State(NamedTuple):
    server: NDArray[np.uint64]
    asked: NDArray[np.int64]
    odd: NDArray[np.float32]
    odd_at: NDArray[np.int64]
    plain: NDArray[np.float32]
    servers: NDArray[np.float32]
    servers_at: NDArray[np.int64]
    seen: NDArray[np.uint64]
    held: NDArray[np.int32]
    samples_server: NDArray[np.uint64]
    samples_used: NDArray[np.int64]
    samples_askers: NDArray[np.uint64]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _is_outside(rows, i, public):  # type: ignore[no-untyped-def]
    """Whether row ``i`` went to a server outside that is no public resolver."""
    high, low = rows.resp_h[i, 0], rows.resp_h[i, 1]
    if is_private(high, low) or is_no_host(high, low):
        return False
    if is_near(high, low, rows.orig_h[i, 0], rows.orig_h[i, 1]):
        return False
    return not is_public_resolver(public, name_of(high, low))


@njit_lean
def _meet(state, e, t, server):  # type: ignore[no-untyped-def]
    """Place of ``server`` among those that the originator asks; a new one is counted."""
    at, new = place_of(state.server, state.asked, e, server, t)
    if new:
        state.odd[e, at] = state.plain[e, at] = 0.0
        state.servers[e] = state.servers[e] * remaining(t - state.servers_at[e], _DAY_US) + 1.0
        state.servers_at[e] = t
    return at


@njit_lean
def _worth(rows, i, new, chars, mixed):  # type: ignore[no-untyped-def]
    """What a row adds: its question if the name is ``new``, its answer if it has data in it."""
    odd = 0.0 if rows.qtype[i] == SOA else min(2.0, 2.0 * oddity(rows.qtype[i]))
    worth = 0.0
    if rows.question[i] > 0 and new:
        worth += odd if odd > 0.0 else 0.5 * min(1.0, max(0.0, (chars - 8.0) / 24.0)) * mixed
    if rows.rcode[i] == _FOUND and rows.answers[i] > 0:
        worth += odd * (1.0 + min(1.0, max(rows.answer_bytes[i], 0) / 256.0))
    return worth


@njit_lean
def _others(rows, state, s, i, server):  # type: ignore[no-untyped-def]
    """How many other machines of the site ask ``server``; this one does, from now on."""
    at, new = place_of(state.samples_server, state.samples_used, s, server, rows.time[i])
    if new:
        state.samples_askers[s, at] = 0
    state.samples_askers[s, at] |= member(rows.orig_h[i, 0], rows.orig_h[i, 1])
    return count(state.samples_askers[s, at]) - 1


@njit(cache=True, nogil=True, inline="always")
def _as_private(others, own):  # type: ignore[no-untyped-def]
    """How far a server is one's own, in 0-1, if so many others ask it, and its asker so many such servers."""
    alone = 1.0 if others == 0 else 1 / 4 if others == 1 else 1 / 32
    return alone * min(1.0, 2.0 / max(own, 1.0))


@njit_lean
def _fold(columns, sites, offsets, blob, memory, half_life, data_bearing, public, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            state.server[e] = 0
            state.asked[e] = state.odd_at[e] = 0
            state.odd[e] = state.plain[e] = 0.0
            state.servers[e] = 0.0
            state.servers_at[e] = t
            state.seen[e] = 0
            state.held[e] = 0
        if rows.resp_p[i] != 53 or not _is_outside(rows, i, public):
            continue
        begin, end = offsets[i], offsets[i + 1]
        base, kind = dissect(blob, begin, end)
        if kind == 2 or rows.qtype[i] == PTR or is_local(blob, begin, end):
            continue
        server = name_of(rows.resp_h[i, 0], rows.resp_h[i, 1])
        at = _meet(state, e, t, server)
        own, others = float(state.servers[e]), 0
        if own < 2 * _SERVERS:  # what a resolver of one's own asks would push out all others
            others = _others(rows, state, sites[i], i, server)
        parent = hash_name(blob, base, end)
        bare = kind == 0 and base == begin
        ordinary = oddity(rows.qtype[i]) == 0.0 or bare
        if ordinary and rows.question[i] > 0 and is_new(state.seen, state.held, e, parent ^ server):
            state.plain[e, at] += 1.0
        if bare or has_service(blob, begin, base) or holds_address(blob, begin, base):
            continue
        new = False
        if rows.question[i] > 0:
            whole = hash_name(blob, begin, end) ^ np.uint64(rows.qtype[i]) << np.uint64(32)
            new = is_new(state.seen, state.held, e, whole ^ server)
        chars, _, mixed = payload(blob, begin, base if kind == 0 else end)
        worth = _worth(rows, i, new, chars, mixed)
        if worth <= 0.0:
            continue
        if kind == 0 and is_data_bearing(data_bearing, parent):
            worth *= 0.125
        state.odd[e, at] = state.odd[e, at] * remaining(t - state.odd_at[e, at], half_life) + worth
        state.odd_at[e, at] = t
        odd, plain = float(state.odd[e, at]), float(state.plain[e, at])
        evidence = odd / (1.0 + 0.5 * plain) * _as_private(others, own)
        if evidence < _NEXT_TO_NOTHING:
            continue
        scores[i] = math.log2(1.0 + evidence)
        facts[i, 0], facts[i, 1], facts[i, 2], facts[i, 3] = odd, plain, 1.0 + others, own

"""Slow tunnels: one domain under which ever new names carry more, in days, than names of hosts ever do.

Data that leaves through DNS, however slowly, needs a new name for each piece, because an old one would be answered from
a cache. So the information in the *distinct* names below a domain grows, and goes on growing; the names of a
site's hosts are soon all known. Keeps, for each site, the 64 registered domains whose names held most (heavy
hitters), and of each a bit for 512 hashed names: a name whose bit is not set yet is new, and counts for all those that fell on
set ones, as by linear counting. A new name weighs what could be data in it: its characters below the domain beyond six, 24 of which
are one, at most four, as far as they are mixed; half as much again if a type is asked for that hosts do not need, twice if the last label
can be no top-level domain. What a domain gathered halves in a day. It weighs a quarter if two machines ask for new names
there, a sixteenth from three on: programs that half the office has, and pages, are asked for by several. Names of one
length, none longer than a hash, are look-ups of hashes and weigh a hundredth. The score is log₂ of one more than that.

The idea is that of information-based heavy hitters (Ozery, Nadler, Shabtai, NDSS 2024); what is kept, and how it is weighed, is not.

Innocents: content networks, guards and lists of spammers (`knowledge.data_bearing_domains`, a thirty-second each);
backward addresses, services and policies do not count.

Limits: some 150 names of 60 characters in a day are told, fewer are not; nor is a tunnel that asks as long as a hash for addresses,
one that three machines use, or one below a domain that is known for such names. A single machine's program that makes a
new name for each of its many reports looks the same. A site takes 6.9 kB.

>>> from dijkwacht_detectors.checks import score_rows
>>> names = [f"{n * 0x9E3779B97F4A7C15 % 2**64:0{40 + n % 9}x}.t.example.com" for n in range(200)]
>>> asked = [{"time": n * 300 * 10**6, "query": name, "question": 1, "resp_p": 53} for n, name in enumerate(names)]
>>> float(score_rows(SlowTunnel(), asked)[-1].round(1))
7.8
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.knowledge.data_bearing_domains import (
    hash_name,
    is_data_bearing,
    known_hashes,
)
from dijkwacht_detectors.knowledge.inner_suffixes import INNER, is_inner
from dijkwacht_detectors.knowledge.query_names import (
    dissect,
    has_service,
    holds_address,
    is_local,
    payload,
)
from dijkwacht_detectors.knowledge.query_types import PTR, oddity, of_data, type_bit
from dijkwacht_detectors.state.crowd import count, member
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker

_DOMAINS: Final = 64  # domains remembered a site
_WORDS: Final = 8
_BITS: Final = 64 * _WORDS
_FULL: Final = _BITS // 4
"""Of a domain's bits: with fewer left all are cleared, as linear counting gets coarse."""
_SHORTEST: Final = 10
_BEARS_DATA: Final = 1 / 32
_PASSED_ON_US: Final = 5_000_000
_A_FEW: Final = 16.0  # new names over which it is remembered how alike their lengths are
_NEXT_TO_NOTHING: Final = 4.0
_KNOWN: Final = known_hashes()


class SlowTunnel(RowDetector):
    """Domains below which a site's machines ask for ever new names."""

    name = "slow_tunnel"
    table = "dns"
    reads = ("orig_h", "resp_p", "query", "qtype", "question")
    entity: ClassVar[Entity] = "orig"
    kind = "dns"
    technique = "T1572"
    facts = ("weight_of_names", "name_askers", "length")
    who = Who(name="query")
    entities_per_site = 1024
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "samples_domain": ("u8", (_DOMAINS,)),
        "samples_rank": ("f8", (_DOMAINS,)),
        "samples_asked": ("i8", (_DOMAINS,)),
        "samples_askers": ("u8", (_DOMAINS,)),
        "samples_bits": ("u8", (_DOMAINS, _WORDS)),
        "samples_left": ("i4", (_DOMAINS,)),
        "samples_types": ("u1", (_DOMAINS,)),
        "samples_length": ("u2", (_DOMAINS,)),
        "samples_alike": ("f4", (_DOMAINS,)),
    }

    share = 1 / 120
    expected = (6.2, 0.3)
    """One machine's program, of a maker that nobody knows, with a new name for each of its reports."""
    half_life_s = 86_400.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each new name that could hold data."""
        query = rows["query"]
        _fold(
            _columns(rows), rows.site, query.offsets, query.blob, _memory(state),
            self.half_life_s * 1e6, _KNOWN, INNER, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say that names go on carrying something."""
        length = max(1, round(min(facts["length"], 255)))
        return Explanation(
            "{src} seems to send data out slowly, hidden in internet names such as {name}.",
            "{src} lijkt langzaam gegevens naar buiten te sturen, verstopt in internetnamen zoals {name}.",
            f"It keeps asking for new names of about {length} characters at one and the same domain, as only programs do that "
            "hide something, or report very much. If nobody knows the program that does so, disconnect {src}, leave it "
            "switched on, and have it looked at.",
            f"Het vraagt bij één en hetzelfde domein steeds nieuwe namen van zo'n {length} tekens op; dat doen alleen "
            "programma's die iets verbergen of heel veel melden. Kent niemand het programma dat dit doet, koppel {src} dan "
            "los, laat het aanstaan en laat er iemand naar kijken.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    orig_h: NDArray[np.uint64]
    resp_p: NDArray[np.int64]
    qtype: NDArray[np.int64]
    question: NDArray[np.int64]


class _State(NamedTuple):
    samples_domain: NDArray[np.uint64]
    samples_rank: NDArray[np.float64]
    samples_asked: NDArray[np.int64]
    samples_askers: NDArray[np.uint64]
    samples_bits: NDArray[np.uint64]
    samples_left: NDArray[np.int32]
    samples_types: NDArray[np.uint8]
    samples_length: NDArray[np.uint16]
    samples_alike: NDArray[np.float32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _weight(qtype, chars, strange, mixed, is_name):  # type: ignore[no-untyped-def]
    """What could be data in a name of so many characters below its domain."""
    weight = min(4.0, (chars - 6.0) / 24.0) * mixed
    if oddity(qtype) > 0.0:
        weight *= 1.5
    return weight if is_name and strange <= 2 else 2.0 * weight


@njit_lean
def _place(state, s, domain):  # type: ignore[no-untyped-def]
    """Place of ``domain`` in the site's list, for which the one that gathered least gives way."""
    least = 0
    for d in range(_DOMAINS):
        if state.samples_domain[s, d] == domain:
            return d
        if state.samples_domain[s, d] == 0:
            least = d
            break
        if state.samples_rank[s, d] < state.samples_rank[s, least]:
            least = d
    state.samples_domain[s, least] = domain
    state.samples_rank[s, least] = -np.inf
    state.samples_asked[s, least] = 0
    state.samples_askers[s, least] = 0
    state.samples_left[s, least] = 0
    state.samples_types[s, least] = 0
    state.samples_length[s, least] = 0
    state.samples_alike[s, least] = 0.0
    return least


@njit_lean
def _counts(state, s, d, name):  # type: ignore[no-untyped-def]
    """For how many new names ``name`` stands, 0 if it is known."""
    if state.samples_left[s, d] < _FULL:
        for w in range(_WORDS):
            state.samples_bits[s, d, w] = 0
        state.samples_left[s, d] = _BITS
    at = name & np.uint64(_BITS - 1)
    word, bit = at >> np.uint64(6), np.uint64(1) << (at & np.uint64(63))
    if state.samples_bits[s, d, word] & bit:
        return 0.0
    stands_for = _BITS / state.samples_left[s, d]
    state.samples_bits[s, d, word] |= bit
    state.samples_left[s, d] -= 1
    return stands_for


@njit(cache=True, nogil=True, inline="always")
def _alone(askers):  # type: ignore[no-untyped-def]
    """How far so many machines speak for a tunnel, in 0-1."""
    return 1.0 if askers <= 1 else 1 / 4 if askers == 2 else 1 / 16


@njit_lean
def _fold(columns, sites, offsets, blob, memory, half_life, data_bearing, inner, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        if rows.question[i] <= 0 or rows.resp_p[i] in (137, 5353, 5355):
            continue
        qtype, begin, end = rows.qtype[i], offsets[i], offsets[i + 1]
        if end - begin < _SHORTEST or qtype == PTR:
            continue
        base, kind = dissect(blob, begin, end)
        if kind == 2 or (kind == 0 and base - begin < _SHORTEST) or is_local(blob, begin, end):
            continue
        below = base if kind == 0 else end
        if has_service(blob, begin, below) or holds_address(blob, begin, below):
            continue
        chars, strange, mixed = payload(blob, begin, below)
        weight = _weight(qtype, chars, strange, mixed, kind == 0)
        if chars < _SHORTEST or weight <= 0.0 or is_inner(inner, blob, begin, end):
            continue
        domain = np.uint64(1) if kind == 1 else hash_name(blob, base, end) | np.uint64(2)
        if kind == 0 and is_data_bearing(data_bearing, hash_name(blob, base, end)):
            weight *= _BEARS_DATA
        s, t = sites[i], rows.time[i]
        d = _place(state, s, domain)
        stands_for = _counts(state, s, d, mix(hash_name(blob, begin, end), domain))
        asker = member(rows.orig_h[i, 0], rows.orig_h[i, 1])
        if stands_for > 0.0 or t - state.samples_asked[s, d] > _PASSED_ON_US:
            state.samples_askers[s, d] |= asker  # else a resolver that asks for somebody
        state.samples_asked[s, d] = max(t, state.samples_asked[s, d])
        if stands_for == 0.0:
            continue
        # the domain's own clock: a row of a spool that drains is older, and must not make the rest new again
        ages = float(state.samples_asked[s, d]) / half_life
        gathered = 2.0 ** min(state.samples_rank[s, d] - ages, 40.0) + weight * stands_for
        state.samples_rank[s, d] = math.log2(gathered) + ages
        same = 1.0 if chars == state.samples_length[s, d] else 0.0
        state.samples_alike[s, d] += (same - state.samples_alike[s, d]) / _A_FEW
        state.samples_length[s, d] = min(chars, 65_535)
        state.samples_types[s, d] |= type_bit(qtype)
        askers = count(state.samples_askers[s, d])
        evidence = gathered * _alone(askers)
        if kind == 0:
            evidence *= (
                of_data(state.samples_types[s, d], chars, state.samples_alike[s, d], 1.0) ** 2
            )
        if evidence < _NEXT_TO_NOTHING:
            continue
        scores[i] = math.log2(1.0 + evidence)
        facts[i, 0], facts[i, 1], facts[i, 2] = gathered, askers, chars

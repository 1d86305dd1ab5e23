"""Generated names: a program guesses registered domains until one belongs to its master.

Domain generation algorithms draw names by the hundred a day, of which nearly none exists. People's misses are words with a
letter wrong, and old links. Looks at answers that a registered domain itself, or its ``www``, does not exist (NXDOMAIN); each
domain once. It weighs what its letters say: names of words tell some 4 bits a pair of letters, drawn ones some 6
(`knowledge.letter_pairs`), and a short one proves less. Names that can be spoken count little,
and only where the machine misses others of like length under the same last label as well: a generator repeats both.
What was counted halves in six hours. One such name that exists after a row of misses is worth eight: it was found.
A machine that asks for mail servers weighs a quarter, one that others ask for names an eighth. The score is log₂ of one more than that.

Innocents: browsers that try whether somebody lies (one label, or below the network's own suffix), names below domains
that exist, block lists, suffixes that networks make up; typing errors, dead links and crawlers, whose
names are words; mail servers, which look up what spammers invent.

Limits: generators of whole words are left to `dns_tunnel`, which sees them in numbers; so are those that hardly miss, or
ask below one domain of a provider. A person who looks for free names of few letters by a program looks the same. An entity
takes 448 bytes, a site 128.

>>> from dijkwacht_detectors.checks import score_rows
>>> drawn = ["".join(chr(97 + (n + 1) * 0x9E3779B97F4A7C15 % 2**64 // 26**k % 26) for k in range(12)) for n in range(60)]
>>> misses = [{"time": n * 60 * 10**6, "query": f"{name}.com", "qtype": 1, "rcode": 3} for n, name in enumerate(drawn)]
>>> float(score_rows(GeneratedNames(), misses)[-1].round(1))
5.7
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.knowledge.addresses import is_private
from dijkwacht_detectors.knowledge.data_bearing_domains import hash_name
from dijkwacht_detectors.knowledge.inner_suffixes import INNER, is_inner
from dijkwacht_detectors.knowledge.letter_pairs import letter_pairs, surprise
from dijkwacht_detectors.knowledge.query_names import dissect, is_local
from dijkwacht_detectors.knowledge.query_types import AAAA, MX, A
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.novelty import is_new
from dijkwacht_detectors.state.shortlist import find, name_of, place_of

_GROUPS: Final = 8  # lengths and last labels remembered an originator
_RESOLVERS: Final = 8  # machines of a site that are asked for names
_FOUND, _NX = 0, 3
_DNS: Final = 53
_REGULAR: Final = 8.0
"""Names of one group from which on it is a generator's rule."""
_SPOKEN: Final = 0.25
_CAME_TRUE: Final = 8.0
_A_ROW: Final = 8.0
"""Evidence after which a name that exists is one that was looked for."""
_NEXT_TO_NOTHING: Final = 1.0
_PAIRS: Final = letter_pairs()


class GeneratedNames(RowDetector):
    """Registered domains that do not exist, and whose letters are drawn by chance or by one rule."""

    name = "generated_names"
    table = "dns"
    reads = ("orig_h", "resp_h", "resp_p", "query", "qtype", "question", "rcode", "answers")
    entity: ClassVar[Entity] = "orig"
    kind = "dns"
    technique = "T1568.002"
    facts = ("random_names", "surprise", "alike_names", "came_true")
    who = Who(name="query")
    entities_per_site = 1024
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "missing": ("f4", ()),
        "missed": ("i8", ()),
        "found": ("f4", ()),
        "group": ("u8", (_GROUPS,)),
        "group_at": ("i8", (_GROUPS,)),
        "group_names": ("f4", (_GROUPS,)),
        "mails": ("f4", ()),
        "mailed": ("i8", ()),
        "seen": ("u8", (2, 16)),
        "held": ("i4", ()),
        "samples_resolver": ("u8", (_RESOLVERS,)),
        "samples_asked": ("i8", (_RESOLVERS,)),
    }

    share = 1 / 120
    expected = (3.8, 0.25)
    """Somebody tries by a program which short names are free."""
    half_life_s = 21_600.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each registered domain that does not exist, once."""
        query = rows["query"]
        _fold(
            _columns(rows), rows.site, query.offsets, query.blob, _memory(state), self.half_life_s * 1e6,
            _PAIRS, INNER, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say that names are guessed, and whether one was found."""
        many = max(2, round(min(facts["random_names"], 1e6)))
        found, gevonden = "", ""
        if facts["came_true"] > 0.0:
            found, gevonden = ", and found one: {name}", ", en vond er een: {name}"
        return Explanation(
            f"{{src}} is guessing internet names: at least {many} that nobody has{found}.",
            f"{{src}} raadt internetnamen: minstens {many} die niemand heeft{gevonden}.",
            "Their letters look drawn by chance, as malware does that looks for its master under a new name each day. "
            "Disconnect {src}, leave it switched on, and have it looked at.",
            "De letters ervan lijken geloot; dat doen kwaadaardige programma's die hun meester elke dag onder een nieuwe "
            "naam zoeken. Koppel {src} los, laat het aanstaan en laat er iemand naar kijken.",
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


class _State(NamedTuple):
    missing: NDArray[np.float32]
    missed: NDArray[np.int64]
    found: NDArray[np.float32]
    group: NDArray[np.uint64]
    group_at: NDArray[np.int64]
    group_names: NDArray[np.float32]
    mails: NDArray[np.float32]
    mailed: NDArray[np.int64]
    seen: NDArray[np.uint64]
    held: NDArray[np.int32]
    samples_resolver: NDArray[np.uint64]
    samples_asked: NDArray[np.int64]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _registered(inner, blob, begin, end):  # type: ignore[no-untyped-def]
    """Where the domain begins, its label ends, and its last label begins, if a name is one or its www; else -1."""
    base, kind = dissect(blob, begin, end)
    if kind != 0 or is_local(blob, begin, end):
        return -1, -1, -1
    www = base - begin == 4 and blob[begin] == 119 and blob[begin + 1] == 119
    if base != begin and not (www and blob[begin + 2] == 119):
        return -1, -1, -1
    first, last = end, base
    for k in range(base, end):
        if blob[k] == 46:
            first = min(first, k)
            last = k + 1
    if is_inner(inner, blob, base, end):
        return -1, -1, -1
    return base, first, last


@njit_lean
def _age(state, e, t, half_life):  # type: ignore[no-untyped-def]
    """Let what was counted fade."""
    kept = remaining(t - state.missed[e], half_life)
    state.missed[e] = max(t, state.missed[e])
    state.missing[e] *= kept
    state.found[e] *= kept
    for g in range(_GROUPS):
        state.group_names[e, g] *= kept


@njit_lean
def _alike(state, e, t, rule):  # type: ignore[no-untyped-def]
    """Count a name of this ``rule``, its length and last label; how many there were lately, it among them."""
    g, new = place_of(state.group, state.group_at, e, rule, t)
    if new:
        state.group_names[e, g] = 0.0
    state.group_names[e, g] += 1.0
    return float(state.group_names[e, g])


@njit(cache=True, nogil=True, inline="always")
def _drawn(bits, length):  # type: ignore[no-untyped-def]
    """How far a label of so many characters and bits a pair was drawn by chance, and may at least be a rule's, 0-1."""
    sure = min(1.0, max(0.0, (length - 4.0) / 6.0))
    chance = min(1.0, max(0.0, (bits - 4.6) / 1.2))
    spoken = min(1.0, max(0.0, bits - 3.8))
    return sure * chance, sure * spoken


@njit_lean
def _as_itself(rows, state, i, s, half_life):  # type: ignore[no-untyped-def]
    """How far a machine asks for itself, in 0-1: not one that delivers mail or resolves for others."""
    e = rows.slot[i]
    mails = state.mails[e] * remaining(rows.time[i] - state.mailed[e], half_life)
    asked = find(state.samples_resolver, s, name_of(rows.orig_h[i, 0], rows.orig_h[i, 1])) >= 0
    return (0.25 if mails > 2.0 else 1.0) * (0.125 if asked else 1.0)


@njit_lean
def _fold(columns, sites, offsets, blob, memory, half_life, pairs, inner, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t, s = rows.slot[i], rows.time[i], sites[i]
        if rows.fresh[i]:
            state.missing[e] = state.found[e] = state.mails[e] = 0.0
            state.missed[e] = state.mailed[e] = t
            state.group[e] = 0
            state.group_at[e] = 0
            state.group_names[e] = 0.0
            state.seen[e] = 0
            state.held[e] = 0
        qtype = rows.qtype[i]
        if rows.question[i] > 0 and rows.resp_p[i] == _DNS:
            if is_private(rows.resp_h[i, 0], rows.resp_h[i, 1]):
                asked = name_of(rows.resp_h[i, 0], rows.resp_h[i, 1])
                place_of(state.samples_resolver, state.samples_asked, s, asked, t)
            if qtype == MX:
                state.mails[e] *= remaining(t - state.mailed[e], half_life)
                state.mails[e] += 1.0
                state.mailed[e] = t
        missed = rows.rcode[i] == _NX
        found = rows.rcode[i] == _FOUND and rows.answers[i] > 0 and state.missing[e] > _A_ROW
        if (
            (not missed and not found)
            or (qtype not in (A, AAAA))
            or rows.resp_p[i] in (137, 5353, 5355)
        ):
            continue
        begin, end = offsets[i], offsets[i + 1]
        base, first, last = _registered(inner, blob, begin, end)
        if base < 0 or not is_new(state.seen, state.held, e, hash_name(blob, base, end)):
            continue
        bits = surprise(pairs, blob, base, first)
        chance, spoken = _drawn(bits, first - base)
        rule = (hash_name(blob, last, end) ^ np.uint64((first - base) // 4)) | np.uint64(1)
        _age(state, e, t, half_life)
        if missed:
            alike = _alike(state, e, t, rule)
            weight = max(chance, _SPOKEN * spoken * min(1.0, alike / _REGULAR))
        else:
            g = find(state.group, e, rule)
            alike = float(state.group_names[e, g]) if g >= 0 else 0.0
            weight = _CAME_TRUE * chance * min(1.0, alike / _REGULAR)
        if weight <= 0.0:
            continue
        state.missing[e] += weight
        state.found[e] += 0.0 if missed else weight
        evidence = float(state.missing[e]) * _as_itself(rows, state, i, s, half_life)
        if evidence < _NEXT_TO_NOTHING:
            continue
        scores[i] = math.log2(1.0 + evidence)
        facts[i, 0], facts[i, 1] = float(state.missing[e]) - float(state.found[e]), bits
        facts[i, 2], facts[i, 3] = alike, 0.0 if missed else 1.0

"""DNS tunnels and generated names: queries that carry data, or search for a command-and-control server.

Looks at the queries of each machine, domain by domain. Data that leaves through DNS shows as one
domain under which name after name is new, long and mixed; data that comes in, as record types that
a workstation never asks for (NULL, CNAME, private ones), or rarely (TXT, MX), under names that are
no mail domain. A name whose last label can be no top-level domain goes to a tunnel's own server.
The score is log₂ of the odd names of the last minutes. Names that do not exist, each in another
domain, count as well: domain generation algorithms (DGA) make them, and hardly a name of theirs exists;
so they count by the square of their share in the domains that were asked for: a page with dead advertisers
and a program that checks links ask for more that exist.

Names of one length below a domain, none longer than a hash (64), are look-ups of hashes: so guards ask about
files. They count a tenth where addresses are asked for, a seventh where texts are; data is cut into pieces, which
are longer, or of many lengths.

Limits: security products and content networks put data into names too, mostly as A or AAAA, which
therefore count for less, and least under domains known for it; a slow tunnel that asks for addresses
only, or whose pieces are as long as a hash, stays among them. Reverse look-ups, service discovery and block lists do not count.

>>> from dijkwacht_detectors.checks import score_rows
>>> names = [f"{n * 0x9E3779B97F4A7C15 % 2**64:0{30 + n % 9}x}.t.example.com" for n in range(64)]
>>> asked = [{"query": name, "qtype": 16, "question": 1, "resp_p": 53} for name in names]
>>> float(score_rows(DnsTunnel(), asked)[-1].round(1))
6.2
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.knowledge.data_bearing_domains import (
    hash_name,
    is_data_bearing,
    known_hashes,
)
from dijkwacht_detectors.knowledge.query_names import dissect, holds_address, is_local, payload
from dijkwacht_detectors.knowledge.query_types import PTR, oddity, of_data, type_bit
from dijkwacht_detectors.state.crowd import count
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.novelty import is_new

_DOMAINS = 8  # domains remembered an originator
_FOUND, _NX = 0, 3

_KNOWN = known_hashes()


class DnsTunnel(RowDetector):
    """Domains under which a machine asks for many odd names."""

    name = "dns_tunnel"
    table = "dns"
    reads = ("query", "qtype", "question", "rcode", "resp_p")
    entity: ClassVar[Entity] = "orig"
    kind = "dns"
    technique = "T1071.004"
    facts = ("odd_names", "names", "missing_domains", "length")
    who = Who(name="query")
    entities_per_site = 1024
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "domain": ("u8", (_DOMAINS,)),
        "asked": ("i8", (_DOMAINS,)),
        "odd": ("f4", (_DOMAINS,)),
        "names": ("f4", (_DOMAINS,)),
        "types": ("u1", (_DOMAINS,)),
        "length": ("u2", (_DOMAINS,)),
        "alike": ("f4", (_DOMAINS,)),
        "rare": ("f4", ()),
        "rare_at": ("i8", ()),
        "rare_types": ("u1", ()),
        "missing": ("f4", ()),
        "missed": ("i8", ()),
        "seen": ("u8", (2, 16)),
        "held": ("i4", ()),
        "found": ("f4", ()),
        "found_at": ("i8", ()),
        "met": ("u8", (2, 16)),
        "met_held": ("i4", ()),
    }

    share = 1 / 24
    expected = (2.8, 0.5)
    half_life_s = 600.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each query, and each answer that there is no such name (NXDOMAIN)."""
        query = rows["query"]
        _fold(
            _columns(rows), query.offsets, query.blob, _memory(state),
            self.half_life_s * 1e6, _KNOWN, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say whether names carry data or do not exist."""
        if facts["missing_domains"] > facts["odd_names"]:
            many = round(facts["missing_domains"])
            return Explanation(
                f"{{src}} asked for about {many} internet names that do not exist, such as {{name}}.",
                f"{{src}} vroeg naar ongeveer {many} internetnamen die niet bestaan, zoals {{name}}.",
                "Some malware guesses names until one belongs to its master. Run a virus scan on "
                "{src}; if it finds nothing and this goes on, have it looked at.",
                "Sommige kwaadaardige programma's raden namen tot er een van hun meester is. Doe een "
                "virusscan op {src}; vindt die niets en houdt dit aan, laat er dan iemand naar kijken.",
            )
        return Explanation(
            "{src} seems to move data hidden in internet names, such as {name}.",
            "{src} lijkt gegevens te versturen, verstopt in internetnamen zoals {name}.",
            "Looking up names always works, also where other traffic is blocked, so malware uses it "
            "as a back door. Disconnect {src} from the network and have it looked at.",
            "Namen opzoeken mag altijd, ook waar ander verkeer wordt tegengehouden; daarom gebruiken "
            "kwaadaardige programma's het als achterdeur. Koppel {src} los van het netwerk en laat "
            "er iemand naar kijken.",
        )


@njit_lean
def _place(domain, asked, key):  # type: ignore[no-untyped-def]
    oldest = 0
    for k in range(_DOMAINS):
        if domain[k] == key:
            return k, True
        if asked[k] < asked[oldest]:
            oldest = k
    return oldest, False


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    qtype: NDArray[np.int64]
    question: NDArray[np.int64]
    rcode: NDArray[np.int64]
    resp_p: NDArray[np.int64]


class _State(NamedTuple):
    domain: NDArray[np.uint64]
    asked: NDArray[np.int64]
    odd: NDArray[np.float32]
    names: NDArray[np.float32]
    types: NDArray[np.uint8]
    length: NDArray[np.uint16]
    alike: NDArray[np.float32]
    rare: NDArray[np.float32]
    rare_at: NDArray[np.int64]
    rare_types: NDArray[np.uint8]
    missing: NDArray[np.float32]
    missed: NDArray[np.int64]
    seen: NDArray[np.uint64]
    held: NDArray[np.int32]
    found: NDArray[np.float32]
    found_at: NDArray[np.int64]
    met: NDArray[np.uint64]
    met_held: NDArray[np.int32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _exists(state, e, t, key, half_life):  # type: ignore[no-untyped-def]
    """A domain answered: count it, once."""
    if is_new(state.met, state.met_held, e, key):
        kept = remaining(t - state.found_at[e], half_life)
        state.found[e] = state.found[e] * kept + 1.0
        state.found_at[e] = t


@njit_lean
def _misses(state, e, t, key, half_life):  # type: ignore[no-untyped-def]
    """Score of a domain in which a name does not exist; no number if it was counted before."""
    if not is_new(state.seen, state.held, e, key):
        return np.nan
    kept = remaining(t - state.missed[e], half_life)
    state.missing[e] = state.missing[e] * kept + 1.0
    state.missed[e] = t
    missing = float(state.missing[e])
    found = state.found[e] * remaining(t - state.found_at[e], half_life)
    return math.log2(1.0 + missing * (missing / (missing + found)) ** 2)


@njit_lean
def _fold(columns, offsets, blob, memory, half_life, data_bearing, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.time)):
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            state.domain[e] = 0
            state.asked[e] = 0
            state.odd[e] = 0.0
            state.names[e] = 0.0
            state.types[e] = 0
            state.length[e] = 0
            state.alike[e] = 0.0
            state.rare[e] = state.missing[e] = state.found[e] = 0.0
            state.rare_types[e] = 0
            state.rare_at[e] = state.missed[e] = state.found_at[e] = t
            state.seen[e] = state.met[e] = 0
            state.held[e] = state.met_held[e] = 0
        begin, end = offsets[i], offsets[i + 1]
        qtype, port = rows.qtype[i], rows.resp_p[i]
        if port in (137, 5353, 5355) or end - begin < 2:
            continue
        base, kind = dissect(blob, begin, end)
        if kind == 2:
            continue
        score, missing = np.nan, 0.0
        local = is_local(blob, begin, end)
        parent = np.uint64(0)
        if kind == 0 and not local:
            parent = hash_name(blob, base, end)
            if rows.rcode[i] == _NX:
                score = _misses(state, e, t, parent ^ np.uint64(_NX), half_life)
                missing = facts[i, 2] = state.missing[e]
            elif rows.rcode[i] == _FOUND:
                _exists(state, e, t, parent, half_life)
        innocuous = qtype == PTR or local
        bare = base == begin and kind == 0
        if rows.question[i] == 0 or innocuous or bare:
            scores[i] = score
            continue
        chars, strange, mixed = payload(blob, begin, base if kind == 0 else end)
        if chars == 0 or blob[begin] == 95 or holds_address(blob, begin, base):  # _service, _dmarc
            scores[i] = score
            continue
        key = np.uint64(1) if kind == 1 else parent | np.uint64(2)
        at, known = _place(state.domain[e], state.asked[e], key)
        if not known:
            state.domain[e, at] = key
            state.odd[e, at] = state.names[e, at] = 0.0
            state.types[e, at] = 0
            state.length[e, at] = 0
            state.alike[e, at] = 0.0
        elif state.asked[e, at] < t:
            kept = remaining(t - state.asked[e, at], half_life)
            state.odd[e, at] *= kept
            state.names[e, at] *= kept
            state.alike[e, at] *= kept
        state.asked[e, at] = t
        whole = hash_name(blob, begin, end)
        new = is_new(state.seen, state.held, e, whole ^ (np.uint64(qtype) << np.uint64(32)))
        length = min(2.0, max(0.0, (chars - 8.0) / 24.0))
        type_odd = oddity(qtype)
        state.types[e, at] |= type_bit(qtype)
        if type_odd > 0.0:  # a tunnel tries which types come through; a product knows its one
            tried = count(state.types[e, at])
            weight = (type_odd + length + mixed) * min(2.0, 0.5 * tried)
        else:
            weight = 0.4 * length * mixed
        if kind == 1 or strange > 2:
            weight += 2.0
        if not new:
            weight *= 0.25
        if kind == 0 and is_data_bearing(data_bearing, parent):
            weight *= 0.25
        state.odd[e, at] += weight
        if new:
            state.names[e, at] += 1.0
            state.alike[e, at] += chars == state.length[e, at]
            state.length[e, at] = min(chars, 65_535)
        total = state.odd[e, at]
        if kind == 0:
            total *= of_data(state.types[e, at], chars, state.alike[e, at], state.names[e, at])
        if type_odd > 0.0:  # the same, spread over domains: a machine that asks for many types
            state.rare[e] *= remaining(t - state.rare_at[e], half_life)
            if state.rare[e] < 0.3:
                state.rare_types[e] = 0
            state.rare[e] += type_odd
            state.rare_at[e] = t
            state.rare_types[e] |= type_bit(qtype)
            total = max(total, state.rare[e] * 0.5 * max(0, count(state.rare_types[e]) - 1))
        found = math.log2(1.0 + total)
        scores[i] = found if not score > found else score
        facts[i, 0], facts[i, 1] = total, state.names[e, at]
        facts[i, 2], facts[i, 3] = missing, chars

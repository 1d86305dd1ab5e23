"""Coin mining, by name: a machine asks for a server of a public pool.

Most of those who mine on machines of others do not run a pool, but have the coins paid out by a public one, as
whoever mines at home does; and their program says its name, over DNS and in its TLS hello, also where the line itself
is sealed and at a web server's port, of which `miner` sees nothing. Looks for names under the registered domains
of some forty public pools. A name at which a pool takes work is worth eight, a page of the pool (``www``, ``api``, the
bare domain) a quarter; all names within a minute are one question; what was asked halves in a day. The score is
log₂ of one more than that. Who was asked for such a name itself within the last minute asks for somebody else, and is not counted.

Innocents: who reads a pool's pages; an office whose own machines mine, which is told once; a resolver.

Limits: pools of which we know nothing, those that intruders run themselves, and addresses without a name. Some
pools take work at the bare domain: that takes some thirty questions in a day. Some show their pages at the name of a server: who reads
them looks the same. Where only a resolver's own questions are seen, it is what is told. An entity takes 16 bytes.

>>> from dijkwacht_detectors.checks import score_rows
>>> asks = {"table": "dns", "time": 10**6, "query": "pool.supportxmr.com", "question": 1}
>>> reads = {"table": "tls", "time": 10**6, "server_name": "www.nicehash.com"}
>>> [float(score_rows(PoolNames(), [row])[-1].round(1)) for row in (asks, reads)]
[3.2, 0.3]
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import (
    Entity,
    Explanation,
    Reads,
    RowDetector,
    Rows,
    Scores,
    State,
    Who,
)
from dijkwacht_detectors.knowledge.mining_pools import NO_POOL, SERVER, pool_of
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.shortlist import name_of

_DNS: Final = 0  # the place of this table in ``reads``
_WORTH, _PAGE_WORTH = 8.0, 0.25
_ONE_QUESTION_US: Final = 60e6


class PoolNames(RowDetector):
    """Names of public mining pools, asked for or called."""

    name = "pool_names"
    reads: ClassVar[Reads] = {
        "dns": ("orig_h", "resp_h", "query", "question"),
        "tls": ("server_name",),
    }
    entity: ClassVar[Entity] = "orig"
    kind = "c2"
    technique = "T1496"
    facts = ("pool_servers", "pool_pages")
    who = Who(dst="", port="")
    entities_per_site = 1024
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "servers": ("f4", ()),
        "pages": ("f4", ()),
        "samples_asked": ("u8", ()),
        "samples_at": ("i8", ()),
    }

    share = 1 / 80
    expected = (2.0, 0.1)
    """Somebody looks each hour at the pages of a pool that he mines for at home."""
    half_life_s = 86_400.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each question for a pool."""
        query, server = rows["query"], rows["server_name"]
        _fold(
            _columns(rows), rows.site, rows.table, (query.offsets, query.blob, server.offsets, server.blob),
            _memory(state), self.half_life_s * 1e6, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say what a pool is, and that somebody put a program there."""
        if facts["pool_servers"] > 0.0:
            what = "{src} looked for the servers of a group that mines digital coins."
            wat = "{src} zocht de servers van een groep die digitale munten delft."
        else:
            what = "{src} looked many times for the website of a group that mines digital coins."
            wat = "{src} zocht vele keren de website van een groep die digitale munten delft."
        return Explanation(
            what,
            wat,
            "Programs do so that mine coins together with others. Mining uses up the machine and a good deal of "
            "electricity, and such a program is often installed by someone who broke in. If nobody here does this on "
            "purpose, or only looks at a website, take {src} off the network and have it found out how the program got there.",
            "Dat doen programma's die samen met anderen munten delven. Delven vergt veel van het apparaat en veel "
            "stroom, en zo'n programma wordt vaak geïnstalleerd door iemand die heeft ingebroken. Doet niemand hier dit "
            "met opzet, en bekijkt ook niemand zo'n website, haal {src} dan van het netwerk en laat uitzoeken hoe het "
            "programma erop kwam.",
        )


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    orig_h: NDArray[np.uint64]
    resp_h: NDArray[np.uint64]
    question: NDArray[np.int64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    servers: NDArray[np.float32]
    pages: NDArray[np.float32]
    samples_asked: NDArray[np.uint64]
    samples_at: NDArray[np.int64]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _is_for_another(rows, state, i, s):  # type: ignore[no-untyped-def]
    """Whether row ``i``, a question for a pool, passes on what was asked; and remember who is asked now."""
    since = float(rows.time[i]) - float(state.samples_at[s])
    asker = name_of(rows.orig_h[i, 0], rows.orig_h[i, 1])
    passed_on = state.samples_asked[s] == asker and since < _ONE_QUESTION_US
    if not passed_on:
        state.samples_asked[s] = name_of(rows.resp_h[i, 0], rows.resp_h[i, 1])
        state.samples_at[s] = rows.time[i]
    return passed_on


@njit_lean
def _fold(columns, sites, tables, texts, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    asked, asked_blob, called, called_blob = texts
    for i in range(len(rows.time)):
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            state.last[e] = t
            state.servers[e] = state.pages[e] = 0.0
        if tables[i] == _DNS:
            if rows.question[i] <= 0:
                continue
            found = pool_of(asked_blob, asked[i], asked[i + 1])
        else:
            found = pool_of(called_blob, called[i], called[i + 1])
        if found == NO_POOL:
            continue
        if tables[i] == _DNS and _is_for_another(rows, state, i, sites[i]):
            continue
        since = float(t) - float(state.last[e])
        known = state.servers[e] > 0.0 if found == SERVER else state.pages[e] > 0.0
        if known and since < _ONE_QUESTION_US:
            continue
        if since > 0.0:
            kept = remaining(since, half_life)
            state.servers[e] *= kept
            state.pages[e] *= kept
            state.last[e] = t
        if found == SERVER:
            state.servers[e] += 1.0
        else:
            state.pages[e] += 1.0
        evidence = _WORTH * float(state.servers[e]) + _PAGE_WORTH * float(state.pages[e])
        scores[i] = math.log2(1.0 + evidence)
        facts[i, 0], facts[i, 1] = float(state.servers[e]), float(state.pages[e])

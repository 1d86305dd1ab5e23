"""Name poisoning: one machine answers whatever names others ask for on the link, and is called instead.

Looks at who answers names asked of everybody (LLMNR, NetBIOS, mDNS), that is, of somebody else than the one who
answers. An honest machine answers for its own name, in some spellings, and is silent on all others; so names that
were asked for before, and left without an answer for three seconds, betray who now has one: three points each. The
name by which programs look for a web proxy (``wpad``) is worth six, any other name one. Machines do speak for others
over mDNS: there a name that had an owner or was not waited for is a quarter, and all such names together are three at
most, with those of a machine that tells services too. The best of all names but ``wpad`` is the machine's own and free.
Points halve in six hours; each name counts once. The score is log₂ of one more than that.

Innocents: a name's own machine, which asked for it itself when it started; a NetBIOS name server, which is asked
directly; sleep proxies and reflectors of mDNS; a server with some names, which comes on in the morning.

Limits: answers by LLMNR and NetBIOS go to the asker alone, so they are seen at a mirror port, on a bridge, or by who
asked. Who answers for four names that nobody had, or for ``wpad`` and two, is not told yet, however many machines
asked; six, or ``wpad`` and four, are. Who poisons mDNS alone and tells services as well is not told. A name that is answered from the address of
another is that one's. Behind privacy ``wpad`` is known bare only.

>>> from dijkwacht_detectors.checks import score_rows
>>> asks = [{"time": n * 10**7 + 1, "orig_h": 1, "resp_h": 2, "resp_p": 5355, "query": f"n{n % 6}", "qtype": 1, "question": 1,
...          "rcode": 255} for n in range(12)]
>>> tells = [{**row, "time": row["time"] + 10**4, "resp_h": 3, "question": 0, "rcode": 0, "answers": 1} for row in asks[6:]]
>>> rows = sorted(asks + tells, key=lambda row: row["time"])
>>> float(score_rows(NamePoisoning(), rows)[-1].round(1))
4.0
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.knowledge.link_names import is_for_all, label_of, seeks_proxy
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker
from dijkwacht_detectors.state.novelty import is_new
from dijkwacht_detectors.state.shortlist import find, name_of, place_of

_NAMES: Final = 128
_MDNS: Final = 5353
_ANY: Final = 255
_NO_ANSWER: Final = 255
_ANSWERS_US: Final = 5_000_000
"""What comes later after the question is said unasked."""
_MISSED_US: Final = 3_000_000
"""All that repeat a question have done so by then."""
_PROXY, _MISSED, _PLAIN, _ON_BEHALF = 6.0, 3.0, 1.0, 0.25
_MOST_ON_BEHALF: Final = 3.0


class NamePoisoning(RowDetector):
    """Answers on the link for names that are not the answerer's."""

    name = "name_poisoning"
    table = "dns"
    reads = ("orig_h", "resp_h", "resp_p", "query", "qtype", "question", "rcode", "answers")
    entity: ClassVar[Entity] = "resp"
    kind = "dns"
    technique = "T1557.001"
    facts = ("names_answered", "nobodys_names", "proxy_asked")
    who = Who(src="resp_h", dst="orig_h", port="resp_p", name="query")
    entities_per_site = 256
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "points": ("f4", ()),
        "best": ("f4", ()),
        "on_behalf": ("f4", ()),
        "names": ("f4", ()),
        "missed": ("f4", ()),
        "proxy": ("f4", ()),
        "speaks": ("u1", ()),
        "seen": ("u8", (2, 16)),
        "held": ("i4", ()),
        "samples_name": ("u8", (_NAMES,)),
        "samples_used": ("i8", (_NAMES,)),
        "samples_asked": ("i8", (_NAMES,)),
        "samples_waits": ("i8", (_NAMES,)),
        "samples_asker": ("u8", (_NAMES,)),
        "samples_of": ("u8", (_NAMES,)),
        "samples_owner": ("u8", (_NAMES,)),
    }

    share = 1 / 120
    expected = (2.4, 0.1)
    """A server that bears the names of two that it replaced comes on after a weekend."""
    half_life_s = 6 * 3600.0

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each answer to a question that went to others."""
        query = rows["query"]
        _fold(
            _columns(rows), rows.site, (query.offsets, query.blob), _memory(state),
            self.half_life_s * 1e6, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how many names, and what callers hand over."""
        many = round(facts["names_answered"])
        return Explanation(
            f"{{src}} pretends to be other devices: it answers for {many} names on your network.",
            f"{{src}} doet zich voor als andere apparaten: het antwoordt op {many} namen in uw netwerk.",
            "Computers that believe it log in to it, and it keeps their passwords in a form that can be guessed. Take "
            "{src} off the network and find out whose it is, and let everyone who worked here meanwhile change their "
            "password. If it is a server that was just given the names of others, this is normal; if it is another machine of "
            "yours, somebody else is using it.",
            "Computers die het geloven melden zich erbij aan, en het bewaart hun wachtwoorden in een vorm die te raden "
            "is. Haal {src} van het netwerk, zoek uit van wie het is, en laat wie hier intussen werkte zijn wachtwoord wijzigen. "
            "Is het een server die zojuist de namen van andere kreeg, dan is dit normaal; is het een ander apparaat van u, "
            "dan gebruikt iemand anders het.",
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
    last: NDArray[np.int64]
    points: NDArray[np.float32]
    best: NDArray[np.float32]
    on_behalf: NDArray[np.float32]
    names: NDArray[np.float32]
    missed: NDArray[np.float32]
    proxy: NDArray[np.float32]
    speaks: NDArray[np.uint8]
    seen: NDArray[np.uint64]
    held: NDArray[np.int32]
    samples_name: NDArray[np.uint64]
    samples_used: NDArray[np.int64]
    samples_asked: NDArray[np.int64]
    samples_waits: NDArray[np.int64]
    samples_asker: NDArray[np.uint64]
    samples_of: NDArray[np.uint64]
    samples_owner: NDArray[np.uint64]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _clear(state, e, t):  # type: ignore[no-untyped-def]
    state.last[e] = t
    state.points[e] = state.best[e] = state.on_behalf[e] = 0.0
    state.names[e] = state.missed[e] = state.proxy[e] = 0.0
    state.speaks[e] = 0
    state.seen[e] = 0
    state.held[e] = 0


@njit_lean
def _note_question(rows, state, i, s, label):  # type: ignore[no-untyped-def]
    """Take the question of row ``i`` for ``label``."""
    t = rows.time[i]
    at, new = place_of(state.samples_name, state.samples_used, s, label, t)
    asker = name_of(rows.orig_h[i, 0], rows.orig_h[i, 1])
    if new:
        state.samples_waits[s, at] = 0
        state.samples_owner[s, at] = 0
    if state.samples_waits[s, at] == 0:
        state.samples_waits[s, at] = t
    if rows.qtype[i] == _ANY and state.samples_owner[s, at] == 0:
        state.samples_owner[s, at] = asker  # who is about to take a name asks for all of it
    state.samples_asked[s, at] = t
    state.samples_asker[s, at] = asker
    state.samples_of[s, at] = name_of(rows.resp_h[i, 0], rows.resp_h[i, 1])


@njit_lean
def _note_answer(rows, state, i, s, label):  # type: ignore[no-untyped-def]
    """Take the answer of row ``i``: whether it counts, had been waited for, and whether another owned the name."""
    t = rows.time[i]
    who = name_of(rows.resp_h[i, 0], rows.resp_h[i, 1])
    at = find(state.samples_name, s, label)
    asked = (
        at >= 0 and state.samples_waits[s, at] != 0 and t - state.samples_asked[s, at] < _ANSWERS_US
    )
    # the second to answer a question finds nobody waiting any more
    late = at >= 0 and not asked and t - state.samples_asked[s, at] < _ANSWERS_US
    if at < 0:
        at, _ = place_of(state.samples_name, state.samples_used, s, label, t)
        state.samples_asked[s, at] = t - 2 * _ANSWERS_US
        state.samples_asker[s, at] = state.samples_of[s, at] = np.uint64(0)
        state.samples_waits[s, at] = 0
        state.samples_owner[s, at] = who
        return False, False, False
    owner = state.samples_owner[s, at]
    waited = asked and t - state.samples_waits[s, at] >= _MISSED_US
    state.samples_used[s, at] = max(state.samples_used[s, at], t)
    state.samples_waits[s, at] = 0
    if owner == 0:
        state.samples_owner[s, at] = who
    if who in (owner, state.samples_asker[s, at], state.samples_of[s, at]):
        return False, False, False
    return asked or late, waited, owner != 0


@njit_lean
def _worth(rows, i, waited, owned, speaks):  # type: ignore[no-untyped-def]
    """Points of a name that is no proxy's, and whether one may have it on behalf of another."""
    on_behalf = rows.resp_p[i] == _MDNS and (speaks or owned or not waited)
    if waited and not owned:
        return _MISSED, on_behalf
    return (_ON_BEHALF, True) if on_behalf else (_PLAIN, False)


@njit_lean
def _fold(columns, sites, text, memory, half_life, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    begins, blob = text
    for i in range(len(rows.time)):
        e, t, s = rows.slot[i], rows.time[i], sites[i]
        if rows.fresh[i]:
            _clear(state, e, t)
        if not is_for_all(rows.resp_p[i], rows.qtype[i]):
            if rows.resp_p[i] == _MDNS and rows.answers[i] > 0:
                state.speaks[e] = 1
            continue
        begin, end = begins[i], begins[i + 1]
        label = label_of(blob, begin, end)
        if label == 0:
            continue
        if rows.rcode[i] == _NO_ANSWER:
            if rows.question[i] > 0:
                _note_question(rows, state, i, s, label)
            continue
        if rows.rcode[i] != 0 or rows.answers[i] == 0:
            continue
        counts, waited, owned = _note_answer(rows, state, i, s, label)
        if not counts or not is_new(state.seen, state.held, e, mix(label, np.uint64(0))):
            continue
        kept = remaining(float(t - state.last[e]), half_life)
        state.last[e] = max(t, state.last[e])
        state.points[e] *= kept
        state.best[e] *= kept
        state.on_behalf[e] *= kept
        state.names[e] += 1.0
        if seeks_proxy(blob, begin, end):
            state.points[e] += _PROXY
            state.proxy[e] = 1.0
        else:
            worth, on_behalf = _worth(rows, i, waited, owned, state.speaks[e] != 0)
            if on_behalf:
                state.on_behalf[e] += worth
            else:
                state.points[e] += worth
                state.best[e] = max(float(state.best[e]), worth)
            state.missed[e] += 1.0 if worth == _MISSED else 0.0
        evidence = float(state.points[e]) - float(state.best[e])
        evidence += min(_MOST_ON_BEHALF, float(state.on_behalf[e]))
        if evidence > 0.05:
            scores[i] = math.log2(1.0 + evidence)
            facts[i, 0], facts[i, 1] = float(state.names[e]), float(state.missed[e])
            facts[i, 2] = float(state.proxy[e])

"""Unusual volume: a machine sends out far more than its baseline, in flows unlike others.

Looks at each part of each flow: what moved, how fast, where to, and how that compares with what its
originator sent in the last ten minutes and on an ordinary day. An isolation forest, trained by
scikit-learn in a process of its own on rows of all sites that it will not score, says how anomalous
such a row is among its own site's. What the machine sent out in the same way, or the site to that address, on
its strongest earlier day belongs to the baseline, and for a server, which is backed up at night, four
gigabytes. The score is how many doublings of the machine's baseline have gone
out lately (log₂; one baseline is nothing), in full where at most one of a hundred rows of the site is as anomalous, less where
more are.

Limits: it scores nothing before a forest has been trained and the site has sent 512 rows. What leaves
slowly, within the baseline, or inside the site is not scored.

>>> from dijkwacht_detectors.checks import score_rows
>>> bool(np.isnan(score_rows(Volume(), [{"time": i, "orig_bytes": 10**9} for i in range(9)])).all())
True
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.forest import Forest, flatten
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker

_FEATURES = 9
_KEPT, _APART = 384, 128
"""Rows kept of a site, 18 KB: of each four, three to learn what is ordinary there, and the fourth, which
no tree has seen, to tell how rare that is. 128 are the fewest that tell one in a hundred."""
_TREES = 64
_DEPTH = 8  # of trees that see 256 rows each
_BEYOND = np.array([40.0, 40.0, 30.0, 30.0, 17.0, 24.0, 20.0, 3.0, 4.0])
"""What no flow's features reach: a terabyte, a day and a half, and so on; as log₂, but for the last two."""
_MIB = 1048576.0
_OF_A_SERVER = 4096.0
"""MiB that a server sends out within minutes for a backup, by whatever way."""
_LITTLE = 1.0
"""Of a baseline: so much goes out on an ordinary day, and scores 0; a forest is asked about what goes beyond it."""


class Volume(RowDetector):
    """Anomalous flows of a machine that sends out more than its baseline."""

    name = "volume"
    table = "flows"
    reads = (
        "part", "start", "resp_p", "proto", "orig_pkts", "resp_pkts", "orig_bytes", "resp_bytes",
        "local_orig", "local_resp",
    )  # fmt: skip
    context = ("dest_habit", "orig_habit", "orig_serves")
    entity: ClassVar[Entity] = "orig"
    kind = "exfil"
    technique = "T1048"
    facts = ("sent_mib", "habit_mib", "rarity")
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "short": ("f4", ()),
        "long": ("f4", ()),
        "begun": ("f4", ()),
        "samples": ("f4", (_KEPT, _FEATURES)),
        "samples_seen": ("i8", ()),
        "samples_apart": ("f4", (_APART, _FEATURES)),
        "samples_apart_seen": ("i8", ()),
        # Where they lie in the forest that the stamp is of: depths by leaf, and of those apart.
        "samples_stamp": ("i8", ()),
        "samples_lies": ("u1", (_TREES, 1 << _DEPTH)),
        "samples_depths": ("u2", (_APART,)),
    }

    share = 1 / 30
    expected = (4.0, 1.0)
    short_s = 600.0
    long_s = 86400.0
    least_mib = 20.0
    """Added to the baseline, so that twice as much of very little scores little."""
    fewest_rows = 1 << _DEPTH
    seed = 20210418

    def __init__(self) -> None:
        self.forest: Forest | None = None

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each part of a flow, once there is a forest."""
        n, begin = len(rows), 0
        forest = self.forest
        asks, features = np.empty(n, np.int64), np.empty((n, _FEATURES), np.float32)
        columns, memory = _columns(rows), _memory(state)
        lives = self.short_s * 1e6, self.long_s * 1e6
        while begin < n:
            end, many = _features(
                columns, rows.site, memory, begin, forest.stamp if forest else 0,
                lives, self.least_mib, asks, features, scores, facts,
            )  # fmt: skip
            if forest is not None and many:
                much = asks[:many]
                site = rows.site[much]
                depths = forest.depths(features[:many], site, state["samples_lies"])
                _rarity(depths, much, site, state["samples_depths"], scores, facts)
            if forest is not None and end < n:
                self._settle(forest, int(rows.site[end]), state)
            begin = end

    def train(self, samples: NDArray[np.float64]) -> bytes | None:
        """Fit a forest; only where it cuts is kept.

        A quarter of what it sees is drawn from all that a flow can be: there must be cuts where no
        site has been yet, or a row from there would fall in with the outermost that are known.
        """
        from sklearn.ensemble import IsolationForest  # noqa: PLC0415  # heavy, and only needed here

        known = samples[np.isfinite(samples).all(axis=1)].astype(np.float32)
        if len(known) < self.fewest_rows:
            return None
        anything = np.random.default_rng(self.seed).random((len(known) // 3, _FEATURES)) * _BEYOND
        model = IsolationForest(
            n_estimators=_TREES, max_samples=1 << _DEPTH, random_state=self.seed
        ).fit(np.concatenate((known, anything.astype(np.float32))))
        return flatten(model).encode()

    def activate(self, bundle: bytes) -> None:
        """Take a forest that `train` made."""
        forest = Forest.decode(bundle)
        shape = (forest.features, len(forest.feature))
        if shape != (_FEATURES, _TREES) or forest.depth > _DEPTH:
            raise ValueError(f"a forest of {shape} features and trees, {forest.depth} deep")
        self.forest = forest

    def _settle(self, forest: Forest, site: int, state: State) -> None:
        """Let a site settle before a row that asks the forest: a new one, or with as much again sent.

        What is settled on depends on the site's own rows alone, and on where the forest's entry lies.
        """
        state["samples_depths"][site] = forest.settle(
            state["samples"][site], state["samples_apart"][site], state["samples_lies"][site]
        )
        state["samples_stamp"][site] = forest.stamp

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how much went out, and what is usual."""
        sent, habit = f"{facts['sent_mib']:.0f}", f"{facts['habit_mib']:.0f}"
        return Explanation(
            f"{{src}} sent {sent} MB out of your network in ten minutes; {habit} MB is usual.",
            f"{{src}} stuurde in tien minuten {sent} MB naar buiten; gewoonlijk is dat {habit} MB.",
            "A backup or sending large files does this. If nobody did so now, someone may be "
            "copying your data: disconnect {src} and ask your IT supplier what went to {dst}.",
            "Een back-up of het versturen van grote bestanden doet dit. Deed niemand dat nu, dan "
            "kopieert mogelijk iemand uw gegevens: koppel {src} los en vraag uw IT-leverancier wat er "
            "naar {dst} ging.",
        )


_LOGS = np.array([math.log2(1.0 + n) for n in range(2048)], np.float32)
"""Of most numbers of packets, and many of bytes: to look one up takes a fifth of the time."""


@njit(cache=True, nogil=True, inline="always")
def _log(value):  # type: ignore[no-untyped-def]
    return math.log2(1.0 + max(0.0, float(value)))


@njit(cache=True, nogil=True, inline="always")
def _log_of_count(value):  # type: ignore[no-untyped-def]
    return _LOGS[value] if 0 <= value < len(_LOGS) else np.float32(_log(value))


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    part: NDArray[np.int64]
    start: NDArray[np.int64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    orig_pkts: NDArray[np.int64]
    resp_pkts: NDArray[np.int64]
    orig_bytes: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]
    local_orig: NDArray[np.int64]
    local_resp: NDArray[np.int64]
    dest_habit: NDArray[np.float64]
    orig_habit: NDArray[np.float64]
    orig_serves: NDArray[np.int64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    short: NDArray[np.float32]
    long: NDArray[np.float32]
    begun: NDArray[np.float32]
    samples: NDArray[np.float32]
    samples_seen: NDArray[np.int64]
    samples_apart: NDArray[np.float32]
    samples_apart_seen: NDArray[np.int64]
    samples_stamp: NDArray[np.int64]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _place(n, kept):  # type: ignore[no-untyped-def]
    return n if n < kept else np.int64(mix(np.uint64(n), np.uint64(n)) % np.uint64(n + 1))


@njit_lean
def _features(  # type: ignore[no-untyped-def]
    columns, site, memory, begin, forest, lives, least, asks, out, scores, facts
):
    """Go on until a row wants to ask ``forest``, a stamp, and its site has not settled; where that is.

    Rows that ask nothing are scored; of those that do, ``asks`` says which they are, ``facts`` has an
    excess and ``out`` the features, one row after another; also returns how many. Features cost more
    than all the rest: other rows have some only where they are kept.
    """
    rows, state = _Rows(*columns), _State(*memory)
    short_life, long_life = lives
    many = 0
    for i in range(begin, len(rows.time)):
        e, t = rows.slot[i], rows.time[i]
        if rows.fresh[i]:
            state.last[e] = t
            state.short[e] = state.long[e] = state.begun[e] = 0.0
        elapsed = t - state.last[e]
        if elapsed > 1_000_000:
            quickly = remaining(elapsed, short_life)
            state.short[e] *= quickly
            state.begun[e] *= quickly
            state.long[e] *= remaining(elapsed, long_life)
            state.last[e] = t
        # a day's sum, as ten minutes' part of it
        habit = state.long[e] * (short_life / long_life)
        outward = rows.local_orig[i] != 0 and rows.local_resp[i] == 0
        sent = min(max(float(rows.orig_bytes[i]), 0.0), 1e15)
        passes = least + _OF_A_SERVER if rows.orig_serves[i] >= 2 else least
        passes += habit + (rows.dest_habit[i] + rows.orig_habit[i]) / _MIB
        excess = (state.short[e] + sent / _MIB) / passes - _LITTLE if outward else 0.0
        s = site[i]
        known = forest != 0 and state.samples_apart_seen[s] >= _APART
        if known and excess > 0.0 and state.samples_stamp[s] != forest:
            return i, many
        if known:
            scores[i] = 0.0  # most rows, whatever else is odd about them
        if outward:
            state.short[e] += sent / _MIB
            state.long[e] += sent / _MIB
        if rows.part[i] == 0:
            state.begun[e] += 1.0
        if known:
            facts[i, 0], facts[i, 1], facts[i, 2] = state.short[e], habit, max(excess, 0.0)
        # two reservoirs: each row so far is as likely to be kept, and which is decided by its number
        n, apart = state.samples_seen[s], state.samples_apart_seen[s]
        common = n < 3 * (apart + 1)
        place = _place(n, _KEPT) if common else _place(apart, _APART)
        keeps = place < (_KEPT if common else _APART)
        if keeps or (known and excess > 0.0):
            lasted = (float(t) - float(rows.start[i])) / 1e6
            out[many, 0] = _log_of_count(rows.orig_bytes[i])
            out[many, 1] = _log_of_count(rows.resp_bytes[i])
            out[many, 2] = _log_of_count(rows.orig_pkts[i])
            out[many, 3] = _log_of_count(rows.resp_pkts[i])
            out[many, 4] = _log(lasted)
            out[many, 5] = _log(state.short[e])
            out[many, 6] = _log(state.begun[e])
            port = rows.resp_p[i]
            out[many, 7] = 0.0 if port in (53, 80, 123, 443) else (1.0 if port < 1024 else 2.0)
            out[many, 8] = (2.0 if outward else 0.0) + (1.0 if rows.proto[i] == 6 else 0.0)
        if common:
            state.samples_seen[s] = n + 1
        else:
            state.samples_apart_seen[s] = apart + 1
        for k in range(_FEATURES if keeps else 0):
            if common:
                state.samples[s, place, k] = out[many, k]
            else:
                state.samples_apart[s, place, k] = out[many, k]
        if known and excess > 0.0:
            asks[many] = i
            many += 1
        if not common and apart + 1 >= _APART and (apart + 1) & apart == 0:
            state.samples_stamp[s] = 0  # twice as much: it settles anew
    return len(rows.time), many


@njit_lean
def _rarity(depths, places, site, held, scores, facts):  # type: ignore[no-untyped-def]
    m = held.shape[1]
    for k in range(len(depths)):
        i, s = places[k], site[k]
        if math.isnan(scores[i]):
            continue  # it has sent too few rows
        above = np.searchsorted(held[s], depths[k], side="right")
        rare = -math.log10((above + 0.5) / (m + 0.5))
        # as many doublings above the baseline, if the row itself is anomalous
        scores[i] = math.log2(1.0 + facts[i, 2]) * min(1.0, 0.5 * rare)
        facts[i, 2] = rare

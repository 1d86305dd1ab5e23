"""Beaconing: a machine connects to one outside address at regular times, as malware does to its C2.

Looks at when flows between two machines begin. The last 24 intervals of a pair are compared with
their median: a program on a timer, even one that varies its interval by half, stays close to it;
people and applications connect in bursts with long pauses. The score is log₂ of the number of
intervals times how much more regular they are than chance, counted for less where sizes differ,
inside the site, and at ports where programs poll by design (time, names, mail, push messages).

Limits: updaters, telemetry and cloud storage poll too; so this is weak evidence by itself, and
only long, even series at unusual ports score high. A beacon that keeps one connection open, or
hides among ordinary connections to the same server, is not seen. Fewer than six connections have no
score.

>>> from dijkwacht_detectors.checks import score_rows
>>> calls = [{"time": i * 30_000_000, "start": i * 30_000_000, "resp_p": 4444, "orig_bytes": 300,
...           "resp_bytes": 200} for i in range(20)]
>>> float(score_rows(Beacon(), calls)[-1].round(1))
6.0
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, Rows, Scores, State, WindowDetector
from dijkwacht_detectors.state.naming import picker, row_picker

_KEPT = 24
_END = 2
_UDP = 17


class Beacon(WindowDetector):
    """Connections of one machine to one service outside, at regular intervals."""

    name = "beacon"
    table = "flows"
    reads = ("part", "state", "start", "resp_p", "proto", "orig_bytes", "resp_bytes", "local_resp")
    entity: ClassVar[Entity] = "pair"
    kind = "c2"
    technique = "T1071"
    facts = ("interval_s", "jitter", "calls", "alike")
    entities_per_site = 2048
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "last": ("i8", ()),
        "calls": ("i4", ()),
        "gaps": ("f4", (_KEPT,)),
        "sizes": ("f4", (2,)),
    }

    share = 1 / 12
    expected = (5.5, 2.0)
    least_gap_s = 1.0
    """Connections closer together than this count as one."""
    fewest = 6

    def score(self, window: Rows, state: State) -> tuple[Scores, Scores]:
        """Score each connection of the window by all connections up to it."""
        before = {field: state[field][window.slot] for field in self.state}
        try:
            return self._walk(window, state)
        finally:
            for field, values in before.items():
                state[field][window.slot] = values

    def learn(self, window: Rows, state: State) -> None:
        """Remember when the connections began."""
        self._walk(window, state)

    def _walk(self, window: Rows, state: State) -> tuple[Scores, Scores]:
        scores = np.full(len(window), np.nan)
        facts = np.full((len(window), len(self.facts)), np.nan)
        _walk(_columns(window), _memory(state), self.least_gap_s * 1e6, self.fewest, scores, facts)
        return scores, facts

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say how often it connects."""
        gap = facts["interval_s"]
        often = f"{gap:.0f} seconds" if gap < 120 else f"{gap / 60:.0f} minutes"
        vaak = f"{gap:.0f} seconden" if gap < 120 else f"{gap / 60:.0f} minuten"
        if gap < 1.5:
            often, vaak = "second", "seconde"
        return Explanation(
            f"{{src}} calls {{dst}} about every {often}, as regularly as a clock.",
            f"{{src}} belt ongeveer elke {vaak} met {{dst}}, zo regelmatig als een klok.",
            "Programs that update themselves do this, and so do programs that let a stranger steer "
            "your machine. If you do not know {dst}, run a virus scan on {src} and ask your IT "
            "supplier which program makes these calls.",
            "Programma's die zichzelf bijwerken doen dit, en programma's waarmee een vreemde uw "
            "apparaat bestuurt ook. Kent u {dst} niet, doe dan een virusscan op {src} en vraag uw "
            "IT-leverancier welk programma dit doet.",
        )


@njit(cache=True, nogil=True, inline="always")
def _weight(port, proto, inside, median):  # type: ignore[no-untyped-def]
    """How odd a timer is at this port: programs poll these by design."""
    if inside:
        return 0.05
    if port in (53, 67, 68, 123, 137, 138, 161, 853, 1900, 3478, 3702, 5349, 5350, 5353, 5355):
        return 0.02
    if port in (25, 110, 143, 465, 500, 587, 993, 995, 1883, 4500, 5222, 5223, 5228, 8883):
        return 0.03
    if port in (80, 443):
        # updaters, clouds and telemetry are as regular, but poll every few minutes at most
        return max(0.05, min(0.5, 1.0 / median))
    if proto == _UDP:
        return 0.1  # calls, games and tunnels keep their NAT mappings alive
    return 1.0


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    part: NDArray[np.int64]
    state: NDArray[np.int64]
    start: NDArray[np.int64]
    resp_p: NDArray[np.int64]
    proto: NDArray[np.int64]
    orig_bytes: NDArray[np.int64]
    resp_bytes: NDArray[np.int64]
    local_resp: NDArray[np.int64]


class _State(NamedTuple):
    last: NDArray[np.int64]
    calls: NDArray[np.int32]
    gaps: NDArray[np.float32]
    sizes: NDArray[np.float32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True)
def _walk(columns, memory, least_gap, fewest, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.slot)):
        e = rows.slot[i]
        if rows.fresh[i]:
            state.last[e] = 0
            state.calls[e] = 0
            state.gaps[e] = 0.0
            state.sizes[e] = 0.0
        if rows.part[i] != 0:
            continue
        begun = rows.start[i]
        moved = max(0.0, float(rows.orig_bytes[i]) + float(rows.resp_bytes[i]))
        if state.calls[e] == 0:
            state.last[e] = begun
            state.calls[e] = 1
            state.sizes[e, 0] = math.log(1.0 + moved)
            continue
        gap = float(begun) - float(state.last[e])
        if gap < least_gap:
            continue
        state.last[e] = begun
        state.gaps[e, (state.calls[e] - 1) % _KEPT] = gap / 1e6
        state.calls[e] = min(state.calls[e] + 1, 1 << 30)
        if rows.state[i] == _END:
            off = math.log(1.0 + moved) - state.sizes[e, 0]
            state.sizes[e, 0] += 0.2 * off
            state.sizes[e, 1] += 0.2 * (off * off - state.sizes[e, 1])
        if state.calls[e] < fewest:
            continue
        n = min(state.calls[e] - 1, _KEPT)
        ordered = np.sort(state.gaps[e, :n])
        median = float(ordered[n // 2])
        away = 0.0
        for k in range(n):
            away += min(abs(float(state.gaps[e, k]) - median), 3.0 * median)
        jitter = away / n / median
        # a constant interval with 50 % of jitter has 0.25 here, random arrivals about 0.9
        regular = max(0.0, math.log(0.6 / max(jitter, 0.02)))
        alike = 1.0 / (1.0 + state.sizes[e, 1] / 0.25)
        series = min(state.calls[e] - 1, 300)  # a longer one is no stronger evidence
        odd = _weight(rows.resp_p[i], rows.proto[i], rows.local_resp[i], median)
        weight = series * regular * alike * odd
        scores[i] = math.log2(1.0 + weight)
        facts[i, 0], facts[i, 1], facts[i, 2], facts[i, 3] = median, jitter, state.calls[e], alike

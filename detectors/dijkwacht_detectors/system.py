"""Unusual system metrics: a metric rises far above its own usual level, and stays there.

Looks at the metrics in `System.alone` of each machine, each against its own usual level and spread, both
learned slowly and without trusting extremes. What a metric said within ten seconds is one reading, its
mean, however often an agent samples. A reading far above the usual adds to a sum, an ordinary one takes
away from it (a CUSUM chart: Page, 1954), so that one peak scores little and minutes of peaks much. How
far a metric rose for minutes at this hour yesterday, or a week ago, is usual now and adds nothing.
The score is log₂ of that sum; it stands at the first sample after the ten seconds.

Limits: it scores nothing before some forty readings, and a load that grows over days becomes the
usual level, as does one that was there at the same hour before; a load of an hour or two is told only
where hardly any job takes so long. Drops below the usual level are not scored. Metrics that rise with ordinary use (sockets, packets,
switches, processes started, waits for a disk) are left to detectors that look at several together.

>>> from dijkwacht_detectors.checks import score_rows
>>> cpu = [{"time": i * 10**7, "metric": "cpu_ratio", "value": 0.1 + 0.02 * (i % 3)} for i in range(99)]
>>> mining = [{"time": i * 10**7, "metric": "cpu_ratio", "value": 0.98} for i in range(99, 131)]
>>> float(score_rows(System(), cpu + mining)[-1].round(1))
8.0
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.knowledge.metric_names import hash_of, hashes_of, place_of
from dijkwacht_detectors.state.hour_of_week import HOUR_US, HOURS, learn_rise, usual_rise
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker

_DUTCH: Final = str.maketrans(",.", ".,")
_READING_US: Final = 10_000_000
_SMOOTH: Final = 0.05
"""Of the newest reading, in what an hour is remembered by: minutes, no single peak."""
_MOST: Final = 40.0
_LAGS: Final = 1.2
"""What an hour is remembered by is smoothed, and stays so far below what it was."""
_DOUBTED, _HIGHEST = 256.0, 32_768.0
"""The sum at which learning has slowed to a half, and the highest: a day later it is forgotten."""


class System(RowDetector):
    """A metric that stays far above its own usual level."""

    name = "system"
    table = "system"
    reads = ("metric", "value")
    entity: ClassVar[Entity] = "pair"
    kind = "host"
    technique = "T1496"
    facts = ("value", "usual", "times_spread")
    who = Who(src="", dst="", port="", name="metric")
    subject: ClassVar[Literal["src", "dst", "mac", "agent"]] = "agent"
    entities_per_site = 1024
    forget_after_s = 15 * 86400
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "observed": ("i4", ()),
        "level": ("f8", ()),
        "spread": ("f8", ()),
        "sum": ("f8", ()),
        "mean": ("f8", ()),
        "held": ("i4", ()),
        "reading": ("i8", ()),
        "smooth": ("f4", ()),
        "peak": ("f4", ()),
        "usual": ("f4", ()),
        "habit": ("i1", (HOURS,)),
    }

    share = 5 / 240
    expected = (4.0, 1.0)
    warm_up = 40
    memory = 600
    """Readings after which what was learned before them counts for a third."""
    allowance = 4.0
    """Spreads above the usual level that add nothing to the sum."""
    alone: ClassVar[tuple[str, ...]] = (
        "cpu_ratio",
        "load_ratio",
        "memory_used_ratio",
        "swap_used_ratio",
        "disk_used_ratio",
        "disk_read_bytes",
        "disk_write_bytes",
        "net_in_bytes",
        "net_out_bytes",
        "processes_total",
        "file_handles_total",
    )
    """Metrics that mean something one by one; the calibration is of these."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each reading after the warm-up, at the first sample behind it."""
        metric = rows["metric"]
        _fold(
            _columns(rows), metric.offsets, metric.blob, hashes_of(self.alone), _memory(state),
            self.warm_up, self.memory, self.allowance, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Name the metric, its value and its usual level."""
        now, usual = _amount(facts["value"]), _amount(facts["usual"])
        nu, anders = now.translate(_DUTCH), usual.translate(_DUTCH)
        return Explanation(
            f"A machine works much harder than usual: {{name}} stays at {now}, usually {usual}.",
            f"Een computer werkt veel harder dan anders: {{name}} blijft op {nu}, gewoonlijk {anders}.",
            "An update, a backup or a new program can do this; so can a hidden program that mines "
            "money or locks your files. If nobody started something heavy, look which program is "
            "busy, and disconnect the machine if you do not know it.",
            "Een update, een back-up of een nieuw programma kan dit doen; een verborgen programma dat "
            "geld delft of uw bestanden vergrendelt ook. Heeft niemand iets zwaars gestart, kijk dan "
            "welk programma bezig is, en koppel de computer los als u het niet kent.",
        )


def _amount(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


@njit(cache=True, nogil=True, inline="always")
def _is_ratio(offsets, blob, row):  # type: ignore[no-untyped-def]
    end = offsets[row + 1]
    if end - offsets[row] < 5:
        return False
    return (
        blob[end - 5] == 114 and blob[end - 4] == 97 and blob[end - 3] == 116
        and blob[end - 2] == 105 and blob[end - 1] == 111
    )  # fmt: skip


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    value: NDArray[np.float64]


class _State(NamedTuple):
    observed: NDArray[np.int32]
    level: NDArray[np.float64]
    spread: NDArray[np.float64]
    sum: NDArray[np.float64]
    mean: NDArray[np.float64]
    held: NDArray[np.int32]
    reading: NDArray[np.int64]
    smooth: NDArray[np.float32]
    peak: NDArray[np.float32]
    usual: NDArray[np.float32]
    habit: NDArray[np.int8]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _fold(columns, offsets, blob, known, memory, warm_up, remembered, allowance, scores, facts):  # type: ignore[no-untyped-def]
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.slot)):
        e = rows.slot[i]
        if rows.fresh[i]:
            state.observed[e] = 0
            state.sum[e] = 0.0
            state.held[e] = 0
            state.smooth[e] = state.peak[e] = state.usual[e] = 0.0
            for hour in range(HOURS):
                state.habit[e, hour] = 0
        v = rows.value[i]
        if not np.isfinite(v) or place_of(known, hash_of(offsets, blob, i)) < 0:
            continue
        reading = rows.time[i] // _READING_US
        if state.held[e] > 0 and reading != state.reading[e]:
            ratio = _is_ratio(offsets, blob, i)
            _take(state, e, ratio, warm_up, remembered, allowance, scores, facts, i)
            _turn_hour(state, e, state.reading[e] * _READING_US, reading * _READING_US)
            state.held[e] = 0
        if state.held[e] == 0:
            state.reading[e] = reading
            state.mean[e] = 0.0
        state.held[e] += 1
        state.mean[e] += (max(v, 0.0) - state.mean[e]) / state.held[e]


@njit_lean
def _take(state, e, ratio, warm_up, remembered, allowance, scores, facts, i):  # type: ignore[no-untyped-def]
    """Score, at row ``i``, the reading that is over, then learn it."""
    v = state.mean[e]
    # amounts spread by factors, ratios by differences
    x = min(v, 64.0) if ratio else math.log1p(v)
    least = 0.02 if ratio else 0.3
    if state.observed[e] == 0:
        state.level[e] = x
        state.spread[e] = least
    off = x - state.level[e]
    z = off / max(state.spread[e], least)
    if state.observed[e] >= warm_up:
        beyond = min(z, _MOST) - _LAGS * state.usual[e] if z > 0.0 else z
        state.sum[e] = max(0.0, min(_HIGHEST, state.sum[e] + min(beyond, 12.0) - allowance))
        scores[i] = math.log2(1.0 + state.sum[e])
        facts[i, 0] = v
        facts[i, 1] = state.level[e] if ratio else math.expm1(state.level[e])
        facts[i, 2] = z
    state.smooth[e] += _SMOOTH * (max(-_MOST, min(_MOST, z)) - state.smooth[e])
    state.peak[e] = max(state.peak[e], state.smooth[e])
    state.observed[e] = min(state.observed[e] + 1, remembered)
    # what goes on strangely for long is learned ever more slowly, or hours would become usual in one
    rate = 1.0 / (state.observed[e] * (1.0 + state.sum[e] / _DOUBTED))
    bound = 3.0 * max(state.spread[e], least)
    trusted = max(-bound, min(bound, off)) if state.observed[e] > 5 else off
    state.level[e] += rate * trusted
    state.spread[e] += rate * (1.25 * abs(trusted) - state.spread[e])


@njit_lean
def _turn_hour(state, e, before, now):  # type: ignore[no-untyped-def]
    if before // HOUR_US != now // HOUR_US:
        learn_rise(state.habit, e, 0, before, state.peak[e])
        state.usual[e] = usual_rise(state.habit, e, 0, now)
        state.peak[e] = state.smooth[e]

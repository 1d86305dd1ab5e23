"""Unusual load: many metrics of one machine are strange together, for minutes.

Looks at all metrics in `METRICS` of a machine at once, each in spreads above its own usual level, both
learned slowly and without trusting extremes: amounts by their logarithm, ratios as they are, memory by
how it changes. What was as high at this hour yesterday or a week ago is taken off. What is left is
smoothed (an EWMA: Lowry and others, 1992) and measured by how such metrics move together on this
machine (T²: Hotelling, 1931), so that an unheard-of combination counts for more than one that comes with
each backup. What lies beyond the ordinary adds to a sum, ordinary minutes take away from it (CUSUM:
Page, 1954). The score is log₂ of that sum and of the reading's own T²; it stands at the first sample
after each ten seconds.

Limits: it says nothing in a machine's first week, nor of a machine that does less than usual. A first
long job at an hour that is new to it looks like an attack; one that came a week ago does not, and
neither does an attack that waits for that hour and is no heavier.

>>> from dijkwacht_detectors.checks import score_rows
>>> def minute(n, cpu, written):
...     known = {"cpu_ratio": cpu + 0.01 * (n % 3), "disk_write_bytes": written * (1 + n % 4)}
...     return [{"time": n * 60 * 10**6, "metric": m, "value": v} for m, v in known.items()]
>>> week = [row for n in range(0, 10_200, 3) for row in minute(n, 0.05, 1e5)]
>>> locked = [row for n in range(10_200, 10_260) for row in minute(n, 0.9, 5e7)]
>>> scores = score_rows(HostLoad(), week + locked)
>>> bool(scores[len(week) - 2] < 1), bool(scores[-2] > 12)
(True, True)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import Entity, Explanation, RowDetector, Rows, Scores, State, Who
from dijkwacht_detectors.knowledge.metric_names import hash_of, hashes_of, place_of
from dijkwacht_detectors.state.distance import learn_moments, squared_distance, triangle
from dijkwacht_detectors.state.hour_of_week import HOUR_US, HOURS, learn_rise, usual_rise
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker


class Metric(NamedTuple):
    """How a metric is measured: ``scale`` is the unit in which it is looked at, 0 for its logarithm.

    ``least`` is the smallest spread that is believed, ``moves`` says that its changes count and not
    where it stands, ``part`` is the place among `PARTS` of what it is about.
    """

    scale: float
    least: float
    moves: bool
    part: int


PARTS: Final = ("processor", "memory", "disk", "network", "programs")
"""What metrics are about; facts tell the strangest of each."""


def _ratio(part: int) -> Metric:
    return Metric(1.0, 0.02, moves=False, part=part)


def _degrees(part: int) -> Metric:
    return Metric(0.01, 0.02, moves=False, part=part)


def _amount(part: int) -> Metric:
    return Metric(0.0, 0.3, moves=False, part=part)


def _filled(part: int) -> Metric:
    return Metric(1.0, 0.002, moves=True, part=part)


METRICS: Final[Mapping[str, Metric]] = {
    "cpu_ratio": _ratio(0),
    "load_ratio": _ratio(0),
    "cpu_busiest_process_ratio": _ratio(0),
    "cpu_temperature_celsius": _degrees(0),
    "cpu_power_watts": _amount(0),
    "gpu_ratio": _ratio(0),
    "gpu_temperature_celsius": _degrees(0),
    "gpu_memory_used_ratio": _filled(1),
    "memory_used_ratio": _filled(1),
    "swap_used_ratio": _filled(1),
    "cpu_iowait_ratio": _ratio(2),
    "disk_read_bytes": _amount(2),
    "disk_write_bytes": _amount(2),
    "blocked_processes": _amount(2),
    "net_bytes": _amount(3),
    "net_in_bytes": _amount(3),
    "net_out_bytes": _amount(3),
    "net_in_packets": _amount(3),
    "net_out_packets": _amount(3),
    "tcp_established_sockets": _amount(3),
    "tcp_syn_recv_sockets": _amount(3),
    "tcp_time_wait_sockets": _amount(3),
    "tcp_passive_opens": _amount(3),
    "context_switches": _amount(4),
    "started_processes": _amount(4),
    "running_processes": _amount(4),
    "processes_total": _amount(4),
    "file_handles_total": _amount(4),
}
"""What is looked at together: our own agent's, and what other samplers add (graphics, power)."""
_MANY: Final = len(METRICS)
_PAUSE = 30
"""Readings without a sample that are no gap: some agents sample once in minutes."""
_DOUBTED, _HIGHEST = 8192.0, 262_144.0
"""The sum at which learning has slowed to a half, and the highest: half a day later it is forgotten."""
_CLIPPED, _STRANGEST = 24.0, 12.0
"""Spreads beyond which a reading, and what is left of it, count no further."""


class HostLoad(RowDetector):
    """A machine whose metrics are strange together."""

    name = "host_load"
    table = "system"
    reads = ("metric", "value")
    entity: ClassVar[Entity] = "orig"
    kind = "host"
    technique = "T1496"
    facts = ("distance", *PARTS)
    who = Who(src="", dst="", port="")
    subject: ClassVar[Literal["src", "dst", "mac", "agent"]] = "agent"
    entities_per_site = 64
    forget_after_s = 15 * 86400
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "reading": ("i8", ()),
        "since": ("i8", ()),
        "readings": ("i4", ()),
        "sum": ("f8", ()),
        "mean": ("f8", (_MANY,)),
        "held": ("i4", (_MANY,)),
        "before": ("f4", (_MANY,)),
        "observed": ("i4", (_MANY,)),
        "level": ("f4", (_MANY,)),
        "spread": ("f4", (_MANY,)),
        "smooth": ("f4", (_MANY,)),
        "peak": ("f4", (_MANY,)),
        "usual": ("f4", (_MANY,)),
        "moments": ("f4", (triangle(_MANY),)),
        "habit": ("i1", (_MANY * HOURS,)),
    }

    share = 1 / 60
    expected = (10.0, 0.1)
    reading_us = 10_000_000
    warm_up_s = 7 * 86400
    """A machine's first week is watched only: each of its hours is new, and so is each of its jobs."""
    fewest = 40
    memory = 17_280
    """Readings after which what was learned of a metric counts for a third: two days."""
    remembered = 120_960
    """Of metrics together: two weeks."""
    believed = 0.1
    """How far each metric is taken to stray before anything is learned (spreads², smoothed)."""
    weight = 0.05
    """Of the newest reading in the EWMA, which forgets in three minutes."""
    allowance = 60.0
    """T² that adds nothing to the sum: known jobs at a new hour stay about there."""
    most = 500.0
    """T² beyond which a reading adds no more: minutes count, not one reading."""

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each reading after the first day, at the first sample behind it."""
        metric = rows["metric"]
        room = np.zeros((_MANY, _MANY)), np.zeros(_MANY), np.zeros(_MANY)
        settings = (
            self.reading_us, int(self.warm_up_s * 1e6), self.fewest, self.memory, self.remembered, self.believed,
            self.weight, self.allowance, self.most,
        )  # fmt: skip
        _fold(
            _columns(rows), metric.offsets, metric.blob, hashes_of(tuple(METRICS)), _HOW,
            _memory(state), settings, room, scores, facts,
        )  # fmt: skip

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Name what of the machine is strange, and what does that."""
        parts = {part: facts[part] for part in PARTS}
        told = [part for part in PARTS if parts[part] >= _TOLD] or [
            max(parts, key=parts.__getitem__)
        ]
        english = _joined([_WORDS[part][0] for part in told], "and")
        dutch = _joined([_WORDS[part][1] for part in told], "en")
        return Explanation(
            f"A machine has been working in an unusual way for minutes: {english}.",
            f"Een computer werkt al minuten op een ongewone manier: {dutch}.",
            "An update, a backup or a virus scan at a new hour can do this; so can a hidden program "
            "that locks your files or mines money, or visitors who keep a server busy. If nobody "
            "started something heavy, look which program is busy, and disconnect the machine if "
            "you do not know it.",
            "Een update, een back-up of een virusscan op een nieuw tijdstip kan dit doen; een "
            "verborgen programma dat uw bestanden vergrendelt of geld delft ook, of bezoekers die "
            "een server bezighouden. Heeft niemand iets zwaars gestart, kijk dan welk programma "
            "bezig is, en koppel de computer los als u het niet kent.",
            _technique(parts),
        )


_TOLD: Final = 2.0
_WORDS: Final = {
    "processor": ("the processor", "de processor"),
    "memory": ("the memory", "het geheugen"),
    "disk": ("the disk", "de schijf"),
    "network": ("the network", "het netwerk"),
    "programs": ("running programs", "draaiende programma's"),
}


def _joined(words: list[str], last: str) -> str:
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else words[0]


def _technique(parts: Mapping[str, float]) -> str:
    """Which kind of attack moves such parts most: files are locked on a disk, floods come by the network."""
    if parts["network"] >= max(_TOLD, parts["disk"], parts["processor"]):
        return "T1499"
    return "T1486" if parts["disk"] >= max(_TOLD, parts["processor"]) else ""


_HOW: Final = np.array([(m.scale, m.least, m.moves, m.part) for m in METRICS.values()])


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    value: NDArray[np.float64]


class _State(NamedTuple):
    reading: NDArray[np.int64]
    since: NDArray[np.int64]
    readings: NDArray[np.int32]
    sum: NDArray[np.float64]
    mean: NDArray[np.float64]
    held: NDArray[np.int32]
    before: NDArray[np.float32]
    observed: NDArray[np.int32]
    level: NDArray[np.float32]
    spread: NDArray[np.float32]
    smooth: NDArray[np.float32]
    peak: NDArray[np.float32]
    usual: NDArray[np.float32]
    moments: NDArray[np.float32]
    habit: NDArray[np.int8]


class _Settings(NamedTuple):
    reading_us: int
    warm_up_us: int
    fewest: int
    memory: int
    remembered: int
    believed: float
    weight: float
    allowance: float
    most: float


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit_lean
def _fold(columns, offsets, blob, hashes, how, memory, settings, room, scores, facts):  # type: ignore[no-untyped-def]
    rows, state, given = _Rows(*columns), _State(*memory), _Settings(*settings)
    for i in range(len(rows.slot)):
        e, v = rows.slot[i], rows.value[i]
        if rows.fresh[i]:
            _begin(state, e)
        k = place_of(hashes, hash_of(offsets, blob, i)) if np.isfinite(v) else -1
        if k < 0:
            continue
        reading = rows.time[i] // given.reading_us
        if state.since[e] < 0:
            state.since[e] = rows.time[i]
            state.reading[e] = reading
        if reading != state.reading[e]:
            _take(state, e, how, given, reading, room, scores, facts, i)
            state.reading[e] = reading
        state.held[e, k] += 1
        state.mean[e, k] += (max(v, 0.0) - state.mean[e, k]) / state.held[e, k]


@njit_lean
def _begin(state, e):  # type: ignore[no-untyped-def]
    state.since[e] = -1
    state.readings[e] = 0
    state.sum[e] = 0.0
    for k in range(state.level.shape[1]):
        state.mean[e, k] = 0.0
        state.held[e, k] = state.observed[e, k] = 0
        state.level[e, k] = state.spread[e, k] = state.before[e, k] = 0.0
        state.smooth[e, k] = state.peak[e, k] = state.usual[e, k] = 0.0
    for k in range(state.moments.shape[1]):
        state.moments[e, k] = 0.0
    for k in range(state.habit.shape[1]):
        state.habit[e, k] = 0


@njit_lean
def _take(state, e, how, given, reading, room, scores, facts, i):  # type: ignore[no-untyped-def]
    """Score, at row ``i``, the reading that is over, then learn it; ``reading`` is the one that begins."""
    time = state.reading[e] * given.reading_us
    # a reading stands for the time until the next: how often an agent samples is no matter
    long = min(reading - state.reading[e], _PAUSE)
    gap = max(0, reading - state.reading[e] - _PAUSE)
    fade = (1.0 - given.weight) ** min(gap, 400)
    factors, solved, strange = room
    # what goes on strangely for long is learned ever more slowly, or an attack would explain itself
    trusted = 1.0 / (1.0 + state.sum[e] / _DOUBTED)
    size, many = 0.0, 0
    for k in range(len(strange)):
        z = (
            _spreads_above(state, e, k, how, given.memory, long, trusted)
            if state.held[e, k] > 0
            else 0.0
        )
        state.held[e, k] = 0
        state.mean[e, k] = 0.0
        smooth = state.smooth[e, k] + given.weight * (z - state.smooth[e, k])
        state.smooth[e, k] = smooth
        state.peak[e, k] = max(state.peak[e, k], smooth)
        strange[k] = min(max(smooth - state.usual[e, k], 0.0), _STRANGEST)
        size += strange[k] * strange[k]
        many += strange[k] > 0.0
    # T² is never more than by what is believed alone: most readings need no root
    size /= given.believed
    if size > given.allowance:
        size = squared_distance(state.moments, e, strange, many, given.believed, factors, solved)
    state.readings[e] = min(state.readings[e] + long, given.remembered)
    learn_moments(
        state.moments,
        e,
        state.smooth,
        _STRANGEST,
        trusted * long / (state.readings[e] + given.fewest),
    )
    if state.readings[e] > given.fewest and time - state.since[e] >= given.warm_up_us:
        grown = state.sum[e] + min(size, given.most) - given.allowance
        state.sum[e] = max(0.0, min(_HIGHEST, grown))
        scores[i] = math.log2(1.0 + state.sum[e] + size)
        for n in range(facts.shape[1]):
            facts[i, n] = 0.0
        facts[i, 0] = math.sqrt(size)
        for k in range(len(strange)):
            part = 1 + int(how[k, 3])
            facts[i, part] = max(facts[i, part], strange[k])
    state.sum[e] = max(0.0, state.sum[e] - given.allowance * gap)
    now = reading * given.reading_us
    turns = now // HOUR_US != time // HOUR_US
    for k in range(len(strange)):
        if turns:
            learn_rise(state.habit, e, k * 168, time, state.peak[e, k])
            state.usual[e, k] = usual_rise(state.habit, e, k * 168, now)
        state.smooth[e, k] *= fade
        if turns:
            state.peak[e, k] = state.smooth[e, k]


@njit_lean
def _spreads_above(state, e, k, how, remembered, long, believed):  # type: ignore[no-untyped-def]
    """How far a metric's reading is above its level; the reading is learned, as far as ``believed``."""
    scale, least = how[k, 0], how[k, 1]
    v = state.mean[e, k]
    x = math.log1p(v) if scale == 0.0 else min(v * scale, 64.0)
    if how[k, 2] != 0.0:
        moved = x - state.before[e, k] if state.observed[e, k] > 0 else 0.0
        state.before[e, k] = x
        x = moved
    if state.observed[e, k] == 0:
        state.level[e, k] = x
        state.spread[e, k] = least
    off = x - state.level[e, k]
    spread = max(state.spread[e, k], least)
    state.observed[e, k] = min(state.observed[e, k] + long, remembered)
    rate = believed * long / state.observed[e, k]
    trusted = max(-3.0 * spread, min(3.0 * spread, off)) if state.observed[e, k] > 5 else off
    state.level[e, k] += rate * trusted
    state.spread[e, k] += rate * (1.25 * abs(trusted) - state.spread[e, k])
    return max(-_CLIPPED, min(_CLIPPED, off / spread))

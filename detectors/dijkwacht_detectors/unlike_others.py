"""Unlike others: a machine departs from what it usually does in a way that no machine is known to.

Looks at `METRICS` of a machine together, as means of ten seconds, each by how far it departs from the
machine's own level, learned within minutes. What departures are ordinary is learned from all machines of
all sites: a Gaussian mixture, trained by scikit-learn in a process of its own, knows that a machine that
works also gets warm and switches between programs, that an update writes and a backup reads. So a
machine is judged in its first quarter of an hour, of whose own habits nothing is known yet. A reading
that lies far from everything that machines do adds to a sum, which halves in five minutes; the score is
log₂ of one more than that sum, where 1 is ten seconds at twice the squared distance that one reading in a
thousand passes.

Limits: it scores nothing before a model has been trained (machines have been watched for ten days, all
together), nor a machine's first minute. What many machines do at times (full processors, long uploads) is ordinary,
however long it lasts. What only one site of four or more does, or one machine where there are fewer sites, is
not, as long as others teach something else; with fewer than four machines, all that they did is ordinary.

>>> from dijkwacht_detectors.checks import score_rows
>>> cpu = [{"time": i * 10**7, "metric": "cpu_ratio", "value": 0.1 + 0.02 * (i % 3)} for i in range(99)]
>>> bool(np.isnan(score_rows(UnlikeOthers(), cpu)).all())
True
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
from dijkwacht_detectors.state.decay import remaining
from dijkwacht_detectors.state.entities import mix
from dijkwacht_detectors.state.mixture import Mixture, filled, nearest
from dijkwacht_detectors.state.naming import njit_lean, picker, row_picker

METRICS: Final[Mapping[str, tuple[float, float]]] = {
    "cpu_ratio": (0.0, 0.02),
    "cpu_iowait_ratio": (0.0, 0.02),
    "cpu_temperature_celsius": (4.0, 0.0),
    "memory_used_ratio": (0.125, 0.0),
    "context_switches": (0.0, 50.0),
    "started_processes": (0.0, 1.0),
    "net_in_packets": (0.0, 5.0),
    "net_out_packets": (0.0, 5.0),
    "net_in_bytes": (0.0, 1000.0),
    "net_out_bytes": (0.0, 1000.0),
    "disk_read_bytes": (0.0, 1000.0),
    "disk_write_bytes": (0.0, 1000.0),
}
"""Metric → its unit, or 0 if doublings are looked at, and then how little is as good as nothing."""
_MANY: Final = len(METRICS)
_CPU, _HEAT, _MEMORY = 0, 2, 3
_KEPT: Final = 384
"""Departures kept of a site, 21 KB: of each the metrics, and what stands for the site and the machine."""
_FADES: Final = 16 * _KEPT
"""After so many offered of a site, each new one takes the place of another at this rate: what machines did
a month and a half of one machine ago counts for a third."""
_CLOUDS: Final = 4
_ROWS_A_CLOUD: Final = 96
_FEWEST_OTHERS: Final = 4
"""Sites, or else machines, of which none may hold more than three of four departures in a cloud: what one alone
does is not ordinary, and whoever owns one of many sites cannot make his attack so."""
_SMALLEST: Final = 0.01
"""Variance added to each metric: a tenth of a doubling is nothing."""
_SEED: Final = 20210418
_READING_US: Final = 10_000_000


class UnlikeOthers(RowDetector):
    """A machine that departs from its own level as none does."""

    name = "unlike_others"
    table = "system"
    reads = ("metric", "value")
    entity: ClassVar[Entity] = "orig"
    kind = "host"
    technique = "T1496"
    facts = (
        "oddness", "minutes", "cpu_share", "usual_cpu_share", "celsius", "usual_celsius",
        "memory_share", "usual_memory_share",
    )  # fmt: skip
    who = Who(src="", dst="", port="")
    subject: ClassVar[Literal["src", "dst", "mac", "agent"]] = "agent"
    entities_per_site = 256
    forget_after_s = 7 * 86400
    state: ClassVar[Mapping[str, tuple[str, tuple[int, ...]]]] = {
        "reading": ("i8", ()),
        "offered": ("i8", ()),
        "since": ("i8", ()),
        "sum": ("f8", ()),
        "most": ("i4", ()),
        "whose": ("f4", ()),
        "mean": ("f8", (_MANY,)),
        "held": ("i4", (_MANY,)),
        "level": ("f8", (_MANY,)),
        "learned": ("i8", (_MANY,)),
        "known": ("i4", (_MANY,)),
        "samples": ("f4", (_KEPT, _MANY + 2)),
        "samples_seen": ("i8", ()),
        "samples_whose": ("f4", ()),
    }

    share = 1 / 80
    expected = (4.0, 0.2)
    fewest = 128
    """Departures to learn from."""

    def __init__(self) -> None:
        self.mixture: Mixture | None = None

    def fold(self, rows: Rows, state: State, scores: Scores, facts: Scores) -> None:
        """Score each reading, at the first sample behind it; learn it."""
        metric, model = rows["metric"], self.mixture
        centres, spreads = (model.centres, model.spreads) if model else _NOTHING
        room = np.zeros(_MANY), np.zeros(_MANY, np.int64), np.zeros((_MANY, _MANY + 1))
        _fold(
            _columns(rows), metric.offsets, metric.blob, hashes_of(tuple(METRICS)), _HOW, rows.site,
            _memory(state), centres, spreads, room, scores, facts,
        )  # fmt: skip

    def train(self, samples: NDArray[np.float64]) -> bytes | None:
        """Fit a mixture to departures of machines of all sites, as many of each."""
        from sklearn.mixture import GaussianMixture  # noqa: PLC0415  # heavy, and only needed here

        known = samples[np.isfinite(samples[:, :_MANY]).sum(axis=1) >= _FEWEST]
        if len(known) < self.fewest:
            return None
        clouds = max(1, min(_CLOUDS, len(known) // _ROWS_A_CLOUD))
        departures = filled(known[:, :_MANY], _SEED)
        found = GaussianMixture(clouds, reg_covar=_SMALLEST, random_state=_SEED).fit(departures)
        kept = _shared(found.predict(departures), known[:, _MANY:], clouds)
        spreads = found.covariances_[kept]
        return Mixture(found.means_[kept], (spreads + spreads.swapaxes(1, 2)) / 2).encode()

    def activate(self, bundle: bytes) -> None:
        """Take a mixture that `train` made."""
        self.mixture = Mixture.decode(bundle, _MANY)

    def explain(self, facts: Mapping[str, float]) -> Explanation:
        """Say what it does, and did before."""
        told, tekst = [], []
        for name, word, woord, unit, times in _TOLD:
            if facts[name] > 0.0:
                now, was = (f"{facts[n] * times:.0f}" for n in (name, f"usual_{name}"))
                told.append(f"{word} {now} {unit} (usually {was})")
                tekst.append(f"{woord} {now} {unit} (gewoonlijk {was})")
        return Explanation(
            f"A machine works as no other does{': ' * bool(told)}{', '.join(told)}.",
            f"Een computer werkt zoals geen andere{': ' * bool(tekst)}{', '.join(tekst)}.",
            "Heavy use of the graphics card does this; so does a hidden program that mines money, or "
            "one that locks your files. If nobody plays or draws on it, look which program is busy, and "
            "disconnect the machine if you do not know it.",
            "Zwaar gebruik van de grafische kaart doet dit; een verborgen programma dat geld delft of "
            "uw bestanden vergrendelt ook. Speelt of tekent er niemand op, kijk dan welk programma "
            "bezig is, en koppel de computer los als u het niet kent.",
        )


def _shared(cloud: NDArray[np.int64], whose: NDArray[np.float64], clouds: int) -> NDArray[np.int64]:
    """Which clouds are no one's alone, of departures in ``cloud`` of sites and machines ``whose``."""
    number = np.bincount(cloud, minlength=clouds)
    largest = np.array([int(number.argmax())])
    for names in whose.T:
        owners, of = np.unique(names, return_inverse=True)
        if len(owners) >= _FEWEST_OTHERS:
            held = np.zeros((clouds, len(owners)), np.int64)
            np.add.at(held, (cloud, of), 1)
            kept = np.flatnonzero((4 * held.max(axis=1) <= 3 * number) & (number > 0))
            return kept if len(kept) else largest
    return np.flatnonzero(number)


_TOLD: Final = (
    ("cpu_share", "processor", "processor", "%", 100.0),
    ("celsius", "temperature", "temperatuur", "°C", 1.0),
    ("memory_share", "memory", "geheugen", "%", 100.0),
)
_HOW: Final = np.array(list(METRICS.values()))
_NOTHING: Final = (np.zeros((0, _MANY)), np.zeros((0, _MANY, _MANY)))
_WARM_UP: Final = 6
"""Readings of a metric before it may depart."""
_FEWEST: Final = 3
"""Metrics that say something together."""
_FARTHEST: Final = 16.0
"""Units or doublings beyond which a departure counts no more."""
_LEVEL_US: Final = 3_600_000_000.0
"""In which a level becomes what a metric stays at."""
_PAUSE_US: Final = 60_000_000
"""A reading stands for the time since the one before, a minute at most: agents differ in pace."""
_ONE_IN_A_THOUSAND: Final = 3.09
"""Spreads of a normal law that one reading in a thousand passes."""
_COUNTS: Final = 8.0
"""Evidence of ten seconds, at most: minutes count."""
_HALF_LIFE_US: Final = 300_000_000.0
_WARIEST: Final = 16.0
"""A level follows what is told at a sixteenth of its pace at least: what goes on for a day becomes it."""
_LEARNED: Final = 7.0
"""A machine whose sum is larger teaches nothing: what may be an attack does not become ordinary."""
_OFFERED_US: Final = 600_000_000
"""Between two departures offered of a machine: a site's first model has seen days, not a quiet hour."""


class _Rows(NamedTuple):
    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    value: NDArray[np.float64]


class _State(NamedTuple):
    reading: NDArray[np.int64]
    offered: NDArray[np.int64]
    since: NDArray[np.int64]
    sum: NDArray[np.float64]
    most: NDArray[np.int32]
    whose: NDArray[np.float32]
    mean: NDArray[np.float64]
    held: NDArray[np.int32]
    level: NDArray[np.float64]
    learned: NDArray[np.int64]
    known: NDArray[np.int32]
    samples: NDArray[np.float32]
    samples_seen: NDArray[np.int64]
    samples_whose: NDArray[np.float32]


_columns, _memory = row_picker(_Rows._fields), picker(_State._fields)


@njit(cache=True, nogil=True, inline="always")
def _where(value, how):  # type: ignore[no-untyped-def]
    """A metric's place on its axis."""
    if how[0] > 0.0:
        return min(value, 1e3) / how[0]
    return math.log2(value + how[1])


@njit(cache=True, nogil=True, inline="always")
def _value_at(place, how):  # type: ignore[no-untyped-def]
    return place * how[0] if how[0] > 0.0 else max(0.0, 2.0**place - how[1])


@njit(cache=True, nogil=True, inline="always")
def _reaches(axes):  # type: ignore[no-untyped-def]
    """The squared distance an axis that one reading in a thousand of a cloud passes (Wilson, Hilferty, 1931)."""
    spread = 2.0 / (9.0 * axes)
    return (1.0 - spread + _ONE_IN_A_THOUSAND * math.sqrt(spread)) ** 3


@njit(cache=True, nogil=True, inline="always")
def _name(time):  # type: ignore[no-untyped-def]
    """What stands for who was first heard at a time: a site's own number changes when it moves."""
    return np.float32(mix(np.uint64(time), np.uint64(1)) >> np.uint64(40))


@njit_lean
def _fold(  # type: ignore[no-untyped-def]
    columns, offsets, blob, hashes, how, site, memory, centres, spreads, room, scores, facts
):
    rows, state = _Rows(*columns), _State(*memory)
    for i in range(len(rows.slot)):
        e, v, reading = rows.slot[i], rows.value[i], rows.time[i] // _READING_US
        if rows.fresh[i]:
            _begin(state, e, rows.time[i])
        k = place_of(hashes, hash_of(offsets, blob, i)) if np.isfinite(v) else -1
        if k < 0:
            continue
        if reading != state.reading[e]:
            _take(state, e, how, centres, spreads, room, scores, facts, i)
            _keep(state, e, site[i], room[0])
            state.reading[e] = reading
        state.held[e, k] += 1
        state.mean[e, k] += (min(max(v, 0.0), 1e15) - state.mean[e, k]) / state.held[e, k]


@njit_lean
def _begin(state, e, time):  # type: ignore[no-untyped-def]
    state.reading[e] = time // _READING_US
    state.offered[e] = time
    state.whose[e] = _name(time)
    state.since[e] = -1
    state.sum[e] = 0.0
    state.most[e] = 0
    for k in range(state.mean.shape[1]):
        state.mean[e, k] = state.level[e, k] = 0.0
        state.held[e, k] = state.known[e, k] = 0
        state.learned[e, k] = 0


@njit_lean
def _take(state, e, how, centres, spreads, room, scores, facts, i):  # type: ignore[no-untyped-def]
    """Score, at row ``i``, the reading that is over, and let the machine's level follow it."""
    off, axes, work = room
    now = state.reading[e] * _READING_US
    last, many = np.int64(0), 0
    for k in range(len(off)):
        off[k] = np.nan
        last = max(last, state.learned[e, k])
        if state.held[e, k] > 0 and state.known[e, k] >= _WARM_UP:
            departs = _where(state.mean[e, k], how[k]) - state.level[e, k]
            off[k] = max(-_FARTHEST, min(_FARTHEST, departs))
            axes[many] = k
            many += 1
    trust = 1.0
    if len(centres) > 0 and many >= _FEWEST:
        far = nearest(centres, spreads, off, axes, many, work) / _reaches(many)
        passed = min(max(now - last, 0), _PAUSE_US)
        beyond = min(_COUNTS, max(0.0, far - 1.0)) * (passed / _READING_US)
        state.sum[e] = state.sum[e] * remaining(now - last, _HALF_LIFE_US) + beyond
        trust = min(1.0, 1.0 / max(far, 1e-9)) / min(1.0 + state.sum[e], _WARIEST)
        if state.sum[e] < 1.0:
            state.since[e] = -1
        elif state.since[e] < 0:
            state.since[e] = now
        _tell(state, e, how, far, now, scores, facts, i)
    for k in range(len(off)):
        if state.held[e, k] > 0:
            place = _where(state.mean[e, k], how[k])
            passed = min(max(now - state.learned[e, k], 0), 10 * _PAUSE_US)
            rate = max(1.0 / (state.known[e, k] + 1.0), passed / _LEVEL_US)
            if state.known[e, k] >= _WARM_UP:
                rate *= trust
            state.level[e, k] += rate * (place - state.level[e, k])
            state.known[e, k] = min(state.known[e, k] + 1, 1 << 20)
            state.learned[e, k] = now
            state.held[e, k] = 0
            state.mean[e, k] = 0.0
    state.most[e] = max(state.most[e], many)


@njit_lean
def _tell(state, e, how, far, now, scores, facts, i):  # type: ignore[no-untyped-def]
    scores[i] = math.log2(1.0 + state.sum[e])
    facts[i, 0] = math.sqrt(far)
    facts[i, 1] = (now - state.since[e]) / 60e6 if state.since[e] >= 0 else 0.0
    for at in range(3):
        k = (_CPU, _HEAT, _MEMORY)[at]
        facts[i, 2 + 2 * at] = state.mean[e, k]
        facts[i, 3 + 2 * at] = _value_at(state.level[e, k], how[k]) if state.known[e, k] else 0.0


@njit_lean
def _keep(state, e, s, off):  # type: ignore[no-untyped-def]
    """Offer the reading to what the site keeps, if it is time for one, and the machine is not told of."""
    now = state.reading[e] * _READING_US
    waited = now - state.offered[e]
    many = 0
    for k in range(len(off)):
        many += not np.isnan(off[k])
    # some metrics come with each sample, others once a minute: a reading with all, unless there is none
    if waited < _OFFERED_US or many < _FEWEST or state.sum[e] > _LEARNED:
        return
    if many < state.most[e] and waited < 2 * _OFFERED_US:
        return
    state.offered[e] = now
    state.most[e] = many
    n, kept = state.samples_seen[s], state.samples.shape[1]
    if n == 0:
        state.samples_whose[s] = state.whose[e]
    if n < kept:
        place = n
    else:
        place = np.int64(mix(np.uint64(n), np.uint64(n)) % np.uint64(min(n + 1, _FADES)))
    state.samples_seen[s] = n + 1
    if place < kept:
        for k in range(len(off)):
            state.samples[s, place, k] = off[k]
        state.samples[s, place, len(off)] = state.samples_whose[s]
        state.samples[s, place, len(off) + 1] = state.whose[e]

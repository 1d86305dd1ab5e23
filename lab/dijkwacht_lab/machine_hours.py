"""Hours of generated machines, for the detectors that read a machine's own metrics.

A machine's rows are many (two million a week), so they go to a detector's memory as columns, a day at a
time, without a wire between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import AnyDetector, Text
from dijkwacht_detectors.reading import reads_of
from dijkwacht_detectors.state.keys import Names
from dijkwacht_detectors.state.memory import Memory
from dijkwacht_lab.traffic.machine_days import NAMES, Day, Machine

MACHINE_DETECTORS: Final = ("system", "host_load", "unlike_others")
"""Shipped detectors that nothing but a machine's metrics calibrates."""
COHORT: Final = range(201, 221)
"""Machines that a model is trained on, for detectors that have one: others than it is then asked about."""
COHORT_DAYS: Final = 5
_ENCODED: Final = [name.encode() for name in NAMES]


def reads_machines(detector: AnyDetector) -> bool:
    """Whether it looks at a machine's metrics and at nothing else."""
    return set(reads_of(detector)) == {"system"}


class Opinions(NamedTuple):
    """Of one day's rows those that have a score: columns of one length n, facts float64[n, k]."""

    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    scores: NDArray[np.float64]
    facts: NDArray[np.float64]


def opinions(detector: AnyDetector, days: Iterable[Day]) -> Iterator[Opinions]:
    """What ``detector`` thinks of a machine, day by day, from a cold start."""
    yield from _opinions(Memory(detector), days)


@lru_cache
def cohort_model(detector: type[AnyDetector], seeds: Sequence[int] = COHORT) -> bytes | None:
    """A model of ``detector`` of machines by their ``seeds``, each a site of its own; None if it has none."""
    rows = []
    for seed in seeds:
        memory = Memory(detector())
        days = Machine(seed).days(COHORT_DAYS, first=seed % 7)
        # no two machines are heard first in the same microsecond
        for _ in _opinions(memory, (Day(day.time + seed, day.values) for day in days)):
            pass
        if (kept := memory.kept()) is None:
            return None
        rows.append(kept.samples[0, : kept.seen[0]])
    return detector().train(np.concatenate(rows, dtype=np.float64))


def with_model(detector: AnyDetector, seeds: Sequence[int] = COHORT) -> AnyDetector:
    """``detector``, with a model of the cohort if it has one."""
    if (bundle := cohort_model(type(detector), seeds)) is not None:
        detector.activate(bundle)
    return detector


def _opinions(memory: Memory, days: Iterable[Day]) -> Iterator[Opinions]:
    names = Names(np.ones(1, np.uint64), np.ones(1, np.uint64))
    for day in days:
        many = len(day.time) * len(NAMES)
        time = np.repeat(day.time, len(NAMES))
        columns: dict[str, Any] = {"metric": _metrics(len(day.time)), "value": day.values.ravel()}
        site, agent = np.zeros(many, np.int32), np.zeros(many, np.int32)
        slot, fresh = memory.resolve(columns, time, site, agent, names)
        scores, facts = memory.score(memory.rows(columns, time, site, slot, fresh))
        told = ~np.isnan(scores) | fresh
        yield Opinions(time[told], slot[told], fresh[told], scores[told], facts[told])


def _metrics(readings: int) -> Text:
    lengths = np.tile([len(name) for name in _ENCODED], readings)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    return Text(offsets, np.frombuffer(b"".join(_ENCODED) * readings, np.uint8))


def strongest(found: Sequence[Opinions]) -> float:
    """The strongest score of all, 0 if there is none."""
    return max((float(np.nanmax(o.scores)) for o in found if len(o.scores)), default=0.0)

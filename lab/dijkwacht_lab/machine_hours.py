"""Hours of generated machines, for the detectors that read a machine's own metrics.

A machine's rows are many (two million a week), so they go to a detector's memory as columns, a day at a
time, without a wire between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import AnyDetector, Text
from dijkwacht_detectors.state.memory import Memory, Names
from dijkwacht_lab.traffic.machine_days import NAMES, Day

MACHINE_DETECTORS: Final = ("system", "host_load")
"""Detectors that nothing but a machine's metrics calibrates."""
_ENCODED: Final = [name.encode() for name in NAMES]


class Opinions(NamedTuple):
    """Of one day's rows those that have a score: columns of one length n, facts float64[n, k]."""

    time: NDArray[np.int64]
    slot: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    scores: NDArray[np.float64]
    facts: NDArray[np.float64]


def opinions(detector: AnyDetector, days: Iterable[Day]) -> Iterator[Opinions]:
    """What ``detector`` thinks of a machine, day by day, from a cold start."""
    memory = Memory(detector)
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

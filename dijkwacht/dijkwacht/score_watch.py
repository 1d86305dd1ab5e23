"""What some detectors of an engine make of a recording: how many rows they score, and the strongest."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from dijkwacht.progress import clock_text
from dijkwacht.strangest import parties
from dijkwacht_collector.engine import DetectorSet
from dijkwacht_collector.engine.findings import evidence_of
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.policy import Scored
from dijkwacht_detectors.api import AnyDetector


@dataclass(slots=True)
class Heard:
    """What one detector said: rows with a score, the strongest, when (µs UTC) and on whom."""

    rows: int = 0
    strongest: float = math.nan
    time: int = 0
    whom: str = ""

    def __str__(self) -> str:
        """In a few words."""
        if not self.rows:
            return "no row got a score"
        rows = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        when = clock_text(self.time)
        return f"{rows} scored, the strongest {self.strongest:.4g} at {when} on {self.whom}"


class ScoreWatch:
    """Watches the detectors ``names`` of engines of ``detectors``; call it with each step's opinions.

    ``cpu_s``: what watching took, which is no cost of what is watched.
    """

    def __init__(self, detectors: DetectorSet, names: Iterable[str]) -> None:
        self.cpu_s = 0.0
        self.heard: Final = {name: Heard() for name in names}
        self._watched = {
            number: detector
            for number, detector in enumerate(detectors.detectors())
            if detector.name in self.heard
        }

    def __call__(self, scored: Sequence[Scored], numbering: Numbering) -> None:
        """Count, and keep the strongest; of equals the first."""
        began = time.thread_time()
        for one in scored:
            detector = self._watched.get(one.detector)
            if detector is None or not len(rows := np.flatnonzero(~np.isnan(one.scores))):
                continue
            heard = self.heard[detector.name]
            heard.rows += len(rows)
            row = int(rows[np.argmax(one.scores[rows])])
            if not one.scores[row] <= heard.strongest:
                heard.strongest, heard.time = float(one.scores[row]), int(one.time[row])
                heard.whom = _whom(one, row, detector, numbering)
        self.cpu_s += time.thread_time() - began


def _whom(scored: Scored, row: int, detector: AnyDetector, numbering: Numbering) -> str:
    named = parties(evidence_of(scored, row, detector))
    return named or numbering.agents[int(scored.agent[row])][1]

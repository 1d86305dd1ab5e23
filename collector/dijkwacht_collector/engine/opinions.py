"""HOT  Room for what a detector makes of a step's rows, which is the next step's again: most rows have no score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.policy import said_of
from dijkwacht_detectors.api import Scores
from dijkwacht_detectors.state.growth import grown


class Opinions:
    """Scores, NaN at first, and as many rows of ``facts``, zero at first."""

    def __init__(self, facts: int) -> None:
        self._scores, self._facts = np.full(0, np.nan), np.zeros((0, facts))
        self._last = self._scores, self._facts
        self._said: NDArray[np.int64] | None = None

    def blank(self, rows: int) -> tuple[Scores, Scores]:
        """Of so many rows, float64[n] and float64[n, k]; what was handed out before is blank by that."""
        said = said_of(self._last[0]) if self._said is None else self._said
        if len(said):
            scores, facts = self._last
            scores[said], facts[said] = np.nan, 0.0
        if rows > len(self._scores):
            room = max(rows, 2 * len(self._scores))
            self._scores, self._facts = np.full(room, np.nan), grown(self._facts, room)
        self._last, self._said = (self._scores[:rows], self._facts[:rows]), None
        return self._last

    def said(self, scores: Scores) -> NDArray[np.int64]:
        """The rows that have a score, looked for once: if these were handed out, nothing is written to them any more."""
        said = said_of(scores)
        if scores is self._last[0]:
            self._said = said
        return said

"""HOT  Room for what a detector makes of a step's rows, which is the next step's again: most rows have no score."""

from __future__ import annotations

import numpy as np
from numba import njit

from dijkwacht_detectors.api import Scores
from dijkwacht_detectors.state.growth import grown


class Opinions:
    """Scores, NaN at first, and as many rows of ``facts``, zero at first."""

    def __init__(self, facts: int) -> None:
        self._scores, self._facts = np.full(0, np.nan), np.zeros((0, facts))
        self._last = self._scores, self._facts

    def blank(self, rows: int) -> tuple[Scores, Scores]:
        """Of so many rows, float64[n] and float64[n, k]; what was handed out before is blank by that."""
        _wipe(*self._last)
        if rows > len(self._scores):
            room = max(rows, 2 * len(self._scores))
            self._scores, self._facts = np.full(room, np.nan), grown(self._facts, room)
        self._last = self._scores[:rows], self._facts[:rows]
        return self._last


@njit(cache=True, nogil=True)
def _wipe(scores, facts):  # type: ignore[no-untyped-def]
    for i in range(len(scores)):
        if not np.isnan(scores[i]):
            scores[i] = np.nan
            for k in range(facts.shape[1]):
                facts[i, k] = 0.0

"""HOT  Room for what a detector makes of a step's rows, which is the next step's again: most rows have no score."""

from __future__ import annotations

import numpy as np
from numba import njit

from dijkwacht_detectors.api import Scores
from dijkwacht_detectors.state.growth import Growing


class Opinions:
    """Scores, NaN at first, and as many rows of ``facts``, zero at first."""

    def __init__(self, facts: int) -> None:
        self._room, self._growing = np.full(0, np.nan), Growing("f8", (facts,))
        self._last = self._room, self._growing.up_to(0)

    def blank(self, rows: int) -> tuple[Scores, Scores]:
        """Of so many rows, float64[n] and float64[n, k]; what was handed out before is blank by that."""
        _wipe(*self._last)
        if rows > len(self._room):
            self._room = np.full(max(rows, 2 * len(self._room)), np.nan)
        self._last = self._room[:rows], self._growing.up_to(rows)
        return self._last


@njit(cache=True, nogil=True)
def _wipe(scores, facts):  # type: ignore[no-untyped-def]
    for i in range(len(scores)):
        if not np.isnan(scores[i]):
            scores[i] = np.nan
            for k in range(facts.shape[1]):
                facts[i, k] = 0.0

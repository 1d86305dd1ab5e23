"""HOT  Room for what detectors make of a step's rows, which is the next step's again: most rows have no score.

Most detectors say nothing of a whole step. Their scores are of one room, that goes from one to the next
while it is in the processor's cache, and stays with the first that says something.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_collector.policy import said_of
from dijkwacht_detectors.api import Scores
from dijkwacht_detectors.state.growth import grown


class BlankScores:
    """Scores that are all NaN, for one detector at a time."""

    def __init__(self) -> None:
        self._free: list[Scores] = []
        self._silence = np.full(0, np.nan)

    def take(self, rows: int) -> Scores:
        """Some with room for so many rows, or more."""
        while self._free:
            if len(blank := self._free.pop()) >= rows:
                return blank
        return np.full(2 * rows, np.nan)

    def give_back(self, blank: Scores) -> None:
        """Nobody writes to these any more, and they are all NaN."""
        self._free.append(blank)

    def silence(self, rows: int) -> Scores:
        """Those of a detector that said nothing; nobody writes to them."""
        if rows > len(self._silence):
            self._silence = np.full(2 * rows, np.nan)
        return self._silence[:rows]


class Opinions:
    """Scores, NaN at first, and as many rows of ``facts``, zero at first; ``blank`` may be shared with others."""

    def __init__(self, facts: int, blank: BlankScores | None = None) -> None:
        self._blank = blank or BlankScores()
        self._room: Scores | None = None
        self._facts = np.zeros((0, facts))
        self._last: Scores = np.zeros(0)
        self._said: NDArray[np.int64] | None = None

    def blank(self, rows: int) -> tuple[Scores, Scores]:
        """Of so many rows, float64[n] and float64[n, k]; what was handed out before is blank by that."""
        if self._room is not None:
            said = said_of(self._last) if self._said is None else self._said
            _wipe(said, self._last, self._facts)
            self._blank.give_back(self._room)
        if rows > len(self._facts):
            self._facts = grown(self._facts, max(rows, 2 * len(self._facts)))
        self._room, self._said = self._blank.take(rows), None
        self._last = self._room[:rows]
        return self._last, self._facts[:rows]

    def heard(self, scores: Scores) -> tuple[Scores, NDArray[np.int64]]:
        """Scores that nobody writes to any more, good until the next are asked for, and the rows that have one."""
        said = said_of(scores)
        if scores is not self._last or self._room is None:
            return scores, said
        self._said = said
        if len(said):
            return scores, said
        self._blank.give_back(self._room)
        self._room = None
        return self._blank.silence(len(scores)), said


@njit(cache=True, nogil=True)
def _wipe(said, scores, facts):  # type: ignore[no-untyped-def]
    for i in said:
        scores[i] = np.nan
        for k in range(facts.shape[1]):
            facts[i, k] = 0.0

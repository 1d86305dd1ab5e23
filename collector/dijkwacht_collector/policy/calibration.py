"""Shipped calibration: how often benign traffic reaches a score. Numbers learned, not thresholds.

One JSON file a detector, made by ``python -m dijkwacht_lab.calibrate``, which writes beside the
numbers how they were made.
"""

from __future__ import annotations

from importlib.resources import files

import msgspec
import numpy as np
from numpy.typing import NDArray


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many hours of a benign site-week reach a score.

    ``per_week[i]`` hours have a strongest score of at least ``scores[i]``. Scores rise, rates fall.
    ``made`` says from what and when.
    """

    detector: str
    version: int
    made: str
    scores: list[float]
    per_week: list[float]

    @property
    def grid(self) -> NDArray[np.float64]:
        """Scores, float64[bins], rising."""
        return np.array(self.scores)

    @property
    def rates(self) -> NDArray[np.float64]:
        """Hours a week, float64[bins], falling."""
        return np.array(self.per_week)

    @property
    def known(self) -> bool:
        """Whether it was learned from anything."""
        return self.version > 0


def load_calibration(detector: str) -> Calibration:
    """The shipped table, or one that knows nothing: every hour reaches every score."""
    source = files(__package__) / "tables" / f"{detector}.json"
    if source.is_file():
        return msgspec.json.decode(source.read_bytes(), type=Calibration)
    grid = np.concatenate((-np.logspace(3, -3, 24), np.logspace(-3, 6, 72)))
    return Calibration(detector, 0, "unknown detector", grid.tolist(), [168.0] * len(grid))

"""Calibration: how often benign traffic reaches a score. Numbers learned, not thresholds.

One JSON file a detector, made by ``python -m dijkwacht_lab.calibrate``, which writes beside the
numbers how they were made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from dijkwacht_detectors.api import AnyDetector
from dijkwacht_records.errors import SettingsError

OWN_SHARE: Final = 1 / 30
"""What a detector of one's own with a calibration table has of the alert budget, on top of those shipped."""
FUSION: Final = "fusion"
"""What several detectors say of one machine together is judged as a detector of this name is."""
FUSION_SHARE: Final = 12 / 240
_FEWEST: Final = 2
_MOST: Final = 1000
_WEEK_H: Final = 168.0


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
    return _knows_nothing(detector)


def read_calibration(path: Path, detector: str) -> Calibration:
    """The table of ``detector`` in a file. Raises `SettingsError`, in one line, if it is none."""
    try:
        table = msgspec.json.decode(path.read_bytes(), type=Calibration)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: no calibration table: {error}") from None
    for fault in _faults(table, detector):
        raise SettingsError(f"{path}: {fault}")
    return table


def _faults(table: Calibration, detector: str) -> Iterator[str]:
    if table.detector != detector:
        yield f"detector {table.detector!r}: expected {detector!r}"
    if not table.known:
        yield f"version {table.version}: expected 1 or more"
    if not _FEWEST <= len(table.scores) <= _MOST:
        yield f"{len(table.scores)} scores: expected {_FEWEST} to {_MOST}"
    if len(table.per_week) != len(table.scores):
        yield f"{len(table.per_week)} per_week: expected {len(table.scores)}, as there are scores"
    if not all(a < b for a, b in pairwise(table.scores)):
        yield "scores: expected to rise"
    if not all(a >= b for a, b in pairwise(table.per_week)):
        yield "per_week: expected not to rise"
    if not all(0 <= rate <= _WEEK_H for rate in table.per_week):
        yield f"per_week: expected hours of a week, 0 to {_WEEK_H:.0f}"


@dataclass(frozen=True)
class Calibrations:
    """The table and the budget share of each detector: those shipped, and ``own``.

    ``own``: name → table of each detector of one's own, None where it has none. What is shipped is
    not asked about these: a share is not theirs to declare.
    """

    own: Mapping[str, Calibration | None] = field(default_factory=dict)

    def table(self, detector: AnyDetector) -> Calibration:
        """Its table, or one that knows nothing, as that of one that never interrupts."""
        if not detector.interrupts:
            return _knows_nothing(detector.name)
        if detector.name in self.own:
            return self.own[detector.name] or _knows_nothing(detector.name)
        return load_calibration(detector.name)

    def share(self, detector: AnyDetector) -> float:
        """What it has of a site's alert budget, 0 to 1: nothing without a table, or if it never interrupts."""
        if not detector.interrupts or not self.table(detector).known:
            return 0.0
        return OWN_SHARE if detector.name in self.own else detector.share

    @property
    def fusion(self) -> tuple[Calibration, float]:
        """Table and share of what several detectors say together; no share without a table."""
        table = load_calibration(FUSION)
        return table, FUSION_SHARE if table.known else 0.0

    def in_shadow(self, detectors: Sequence[AnyDetector]) -> list[str]:
        """Names of those that would interrupt and have no share: they score and learn, and say nothing."""
        return [d.name for d in detectors if d.interrupts and not self.share(d)]


def _knows_nothing(detector: str) -> Calibration:
    grid = np.concatenate((-np.logspace(3, -3, 24), np.logspace(-3, 6, 72)))
    return Calibration(detector, 0, "unknown detector", grid.tolist(), [_WEEK_H] * len(grid))

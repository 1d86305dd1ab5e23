"""The detectors that an engine runs: those shipped, and any of one's own, each with its calibration."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from dijkwacht_collector.engine.engine import Engine, Watch
from dijkwacht_collector.engine.succession import History
from dijkwacht_collector.journal import Bundles, BundlesInHand
from dijkwacht_collector.policy import FUSION, Calibrations, read_calibration
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_detectors.discover import own_detectors, shipped_detectors
from dijkwacht_records.errors import SettingsError

MOST_OWN: Final = 13
"""Detectors of one's own: each has series of metrics on every site, of which there are only so many."""


@dataclass(frozen=True)
class DetectorSet:
    """Detectors by class: every engine gets instances of its own. The default: those shipped.

    ``without``: names of those shipped that are left out, to see what they are worth; `FUSION` among them
    leaves out what several say together.
    """

    own: tuple[AnyDetector, ...] = ()
    calibrations: Calibrations = field(default_factory=Calibrations)
    without: frozenset[str] = frozenset()

    @classmethod
    def with_own(cls, paths: Sequence[Path], without: Iterable[str] = ()) -> Self:
        """Those shipped, but for some, and those in ``paths``, files or folders; a table lies beside as ``NAME.json``.

        Raises `SettingsError`, in one line, for what cannot be used. Load once a process: what a
        detector remembers is of the class that was loaded.
        """
        found = own_detectors(paths)
        if len(found) > MOST_OWN:
            raise SettingsError(f"{len(found)} detectors: at most {MOST_OWN} of one's own")
        tables = {}
        for file, detector in found:
            beside = file.with_name(f"{detector.name}.json")
            has_table = beside.exists()
            tables[detector.name] = read_calibration(beside, detector.name) if has_table else None
        left_out = frozenset(without)
        shipped = {FUSION, *(detector.name for detector in shipped_detectors())}
        if unknown := left_out - shipped:
            raise SettingsError(f"without {min(unknown)}: one of {' '.join(sorted(shipped))}")
        return cls(tuple(detector for _, detector in found), Calibrations(tables), left_out)

    def detectors(self) -> list[AnyDetector]:
        """New instances; one's own come last, so that those shipped keep their order."""
        return [*self._shipped(), *(type(detector)() for detector in self.own)]

    def _shipped(self) -> list[AnyDetector]:
        return [d for d in shipped_detectors() if d.name not in self.without]

    def engine(
        self,
        watch: Watch | None = None,
        bundles: Bundles | BundlesInHand | None = None,
        history: History | None = None,
    ) -> Engine:
        """A new engine of them; see `Engine`."""
        fuses = FUSION not in self.without
        return Engine(self.detectors(), self.calibrations, watch, bundles, history, fuses=fuses)

    def own_files(self) -> dict[str, Path]:
        """Where one's own are, by name."""
        return {d.name: Path(inspect.getfile(type(d))) for d in self.own}

    def shadow(self) -> list[str]:
        """Names of those that score and learn, and never interrupt."""
        return self.calibrations.in_shadow([*self._shipped(), *self.own])

"""Detectors in shadow: every command that runs detectors names those that will never interrupt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dijkwacht.progress import report as report_line
from dijkwacht_collector.policy import Calibrations
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_detectors.discover import shipped_detectors


def report_shadow(
    detectors: Sequence[AnyDetector] | None = None, report: Callable[[str], None] = report_line
) -> None:
    """One line for each of ``detectors`` (those shipped, if None) that runs in shadow."""
    for name in Calibrations().in_shadow(shipped_detectors() if detectors is None else detectors):
        report(
            f"{name}: runs in shadow, it is scored and never interrupts: "
            "it has no calibration table, or no share of the alert budget"
        )

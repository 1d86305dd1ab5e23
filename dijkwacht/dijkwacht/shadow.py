"""Who interrupts and who does not: every command that runs detectors says so aloud."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Final

from dijkwacht.progress import report as report_line
from dijkwacht_collector.engine import DetectorSet
from dijkwacht_collector.policy import OWN_SHARE
from dijkwacht_detectors.api import AnyDetector

_PART: Final = Fraction(OWN_SHARE).limit_denominator(999)


def report_shadow(
    chosen: DetectorSet | None = None,
    detectors: Sequence[AnyDetector] | None = None,
    report: Callable[[str], None] = report_line,
) -> None:
    """One line for each of `remarks`."""
    for name, remark in remarks(chosen or DetectorSet(), detectors):
        report(f"{name}: {remark}")


def remarks(
    chosen: DetectorSet, detectors: Sequence[AnyDetector] | None = None
) -> Iterator[tuple[str, str]]:
    """(name, remark) of each of ``detectors`` (all ``chosen``, if None) of which a person must know.

    Those are the ones in shadow, and one's own that have a part of the budget.
    """
    running = chosen.detectors() if detectors is None else detectors
    files, shadow = chosen.own_files(), chosen.calibrations.in_shadow(running)
    for detector in running:
        name = detector.name
        if name in shadow:
            why = "it has no calibration table, or no share of the alert budget"
            if name in files:
                why = f"no calibration table {name}.json lies beside {files[name].name}"
            yield name, f"runs in shadow, it is scored and never interrupts: {why}"
        elif name in files and not detector.interrupts:
            yield (
                name,
                "never interrupts: what it says is kept as context, without a table or a budget",
            )
        elif name in files:
            remark = (
                f"interrupts by {name}.json beside it, with {_PART} of the alert budget on top: "
                f"the promise of false interruptions a week grows by {_PART} of the budget"
            )
            yield name, remark

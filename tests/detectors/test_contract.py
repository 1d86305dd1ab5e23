"""Every shipped detector keeps the contract, and the suite notices one that does not."""

from __future__ import annotations

from pkgutil import iter_modules

import numpy as np
import pytest

import dijkwacht_detectors
from dijkwacht_collector.policy import Calibrations, load_calibration
from dijkwacht_collector.policy.detector_policy import DetectorPolicy
from dijkwacht_detectors.api import RowDetector
from dijkwacht_detectors.checks import check_detector, sample_rows, score_rows
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_detectors.reading import reads_of
from dijkwacht_detectors.scan import Scan

DETECTORS = shipped_detectors()
NAMES = [detector.name for detector in DETECTORS]
CALIBRATED = [
    d for d in DETECTORS if d.interrupts and d.name not in Calibrations().in_shadow(DETECTORS)
]


@pytest.mark.parametrize("detector", DETECTORS, ids=NAMES)
def test_it_keeps_the_contract(detector):
    check_detector(type(detector)())


@pytest.mark.parametrize("detector", DETECTORS, ids=NAMES)
def test_it_is_handed_only_what_it_reads(detector):
    reads = reads_of(detector)
    rows = sample_rows(tuple(reads), 50, seed=3)
    read = {name for columns in reads.values() for name in columns}
    hidden = [
        {k: v for k, v in row.items() if k in read | {"time", "site", "table"}} for row in rows
    ]
    assert len(score_rows(detector, hidden)) == len(rows)


@pytest.mark.parametrize("detector", CALIBRATED, ids=lambda detector: detector.name)
def test_its_calibration_was_learned(detector):
    table = load_calibration(detector.name)
    assert table.detector == detector.name
    assert table.made
    assert np.all(np.diff(table.grid) > 0)
    assert np.all(np.diff(table.rates) <= 0)
    assert table.rates[0] <= 168.0
    assert 8 <= len(table.scores) == len(table.per_week) <= 64
    assert table.per_week[-1] <= 1e-8
    policy = DetectorPolicy(table, detector.share)
    policy.make_room(1, 1)
    assert np.isfinite(policy.threshold[0])


def test_what_is_not_a_detector_is_the_contract_or_has_a_room():
    beside = {module.name for module in iter_modules(dijkwacht_detectors.__path__)}
    contract = {"api", "checks", "context_api", "declaration", "discover", "harness", "reading"}
    assert beside == {*NAMES, *contract, "samples", "context", "knowledge", "state"}


class Broken(Scan):
    """A scan detector that keeps something outside of its state.

    >>> 1 + 1
    2
    """

    def __init__(self):
        self.calls = 0

    def fold(self, rows, state, scores, facts):
        super().fold(rows, state, scores, facts)
        self.calls += 1
        scores += self.calls


def test_the_suite_notices_memory_outside_of_the_state():
    Broken.name = Broken.__module__.rpartition(".")[2]
    with pytest.raises(AssertionError, match=r"restart|site|step"):
        check_detector(Broken())


class Pooled(Scan):
    """A scan detector that counts the rows of all sites at the first one.

    >>> 1 + 1
    2
    """

    state = Scan.state | {"samples": ("f8", (9, 1)), "samples_seen": ("i8", ())}

    def fold(self, rows, state, scores, facts):
        super().fold(rows, state, scores, facts)
        state["samples_seen"][:1] += len(rows)


def test_the_suite_notices_samples_of_another_site():
    Pooled.name = Pooled.__module__.rpartition(".")[2]
    with pytest.raises(AssertionError, match="another site's rows change a site's 'samples_seen'"):
        check_detector(Pooled())


def test_the_suite_notices_a_missing_example():
    class Silent(Scan):
        """Without an example."""

        __module__ = "dijkwacht_detectors.state.decay"
        name = "decay"

    with pytest.raises(AssertionError, match="example"):
        check_detector(Silent())


def test_row_detectors_score_a_row_before_they_learn_it():
    for detector in DETECTORS:
        if isinstance(detector, RowDetector):
            rows = sample_rows(tuple(reads_of(detector)), 200, seed=5)
            some = score_rows(detector, rows[:100])
            assert some.tobytes() == score_rows(detector, rows)[:100].tobytes(), detector.name

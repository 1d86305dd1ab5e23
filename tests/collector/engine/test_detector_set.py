"""What is left out of a set of detectors."""

import math

import pytest

from dijkwacht_collector.engine import DetectorSet
from dijkwacht_collector.policy import FUSION
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_records.errors import SettingsError


def line_of_fusion(detectors):
    policy = detectors.engine().policy
    policy.make_room(1)
    return float(policy.fusion.threshold[0])


def test_several_together_say_nothing_without_fusion():
    assert math.isfinite(line_of_fusion(DetectorSet()))
    left = DetectorSet.with_own([], [FUSION])
    assert math.isinf(line_of_fusion(left)), "however much comes together"
    assert len(left.detectors()) == len(shipped_detectors())


def test_a_detector_is_left_out_and_fusion_is_not():
    left = DetectorSet.with_own([], ["scan"])
    assert math.isfinite(line_of_fusion(left))
    assert "scan" not in {detector.name for detector in left.detectors()}


def test_an_unknown_name_is_told_what_there_is():
    with pytest.raises(SettingsError, match=r"without scam: one of .*\bfusion\b.*\bscan\b"):
        DetectorSet.with_own([], ["scam"])

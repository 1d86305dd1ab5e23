"""How rare a score is on a site, and what of its alert budget that may cost."""

from dijkwacht_collector.policy.calibration import (
    FUSION,
    FUSION_SHARE,
    OWN_SHARE,
    Calibration,
    Calibrations,
    load_calibration,
    read_calibration,
)
from dijkwacht_collector.policy.detector_policy import (
    DEFAULT_BUDGET,
    WEAK,
    DetectorPolicy,
    RareRow,
    SiteLines,
)
from dijkwacht_collector.policy.policy import NOT_RARE, ContextPolicy, Policy
from dijkwacht_collector.policy.scored import HOUR_US, Scored, said_of
from dijkwacht_collector.policy.spending import WEEK_US, is_grave, may_call, severity

__all__ = [
    "DEFAULT_BUDGET",
    "FUSION",
    "FUSION_SHARE",
    "HOUR_US",
    "NOT_RARE",
    "OWN_SHARE",
    "WEAK",
    "WEEK_US",
    "Calibration",
    "Calibrations",
    "ContextPolicy",
    "DetectorPolicy",
    "Policy",
    "RareRow",
    "Scored",
    "SiteLines",
    "is_grave",
    "load_calibration",
    "may_call",
    "read_calibration",
    "said_of",
    "severity",
]

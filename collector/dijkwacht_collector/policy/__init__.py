"""How rare a score is on a site, and what of its alert budget that may cost."""

from dijkwacht_collector.policy.calibration import Calibration, load_calibration
from dijkwacht_collector.policy.policy import (
    Policy,
    RareRow,
    Scored,
    SiteLines,
    budget_share,
    in_shadow,
    severity,
)

__all__ = [
    "Calibration",
    "Policy",
    "RareRow",
    "Scored",
    "SiteLines",
    "budget_share",
    "in_shadow",
    "load_calibration",
    "severity",
]

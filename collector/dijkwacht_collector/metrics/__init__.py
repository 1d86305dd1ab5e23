"""What the collector shows Prometheus."""

from dijkwacht_collector.metrics.heartbeats import (
    LATE_AFTER_S,
    OFFLINE_AFTER_S,
    AgentHealth,
    Presence,
)
from dijkwacht_collector.metrics.telemetry import Telemetry

__all__ = ["LATE_AFTER_S", "OFFLINE_AFTER_S", "AgentHealth", "Presence", "Telemetry"]

"""What the collector shows Prometheus."""

from dijkwacht_collector.metrics.heartbeats import AgentHealth
from dijkwacht_collector.metrics.telemetry import Telemetry

__all__ = ["AgentHealth", "Telemetry"]

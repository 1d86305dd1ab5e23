"""The engine: journal entries in, incident events out, on threads that own partitions."""

from dijkwacht_collector.engine.detector_set import DetectorSet
from dijkwacht_collector.engine.engine import Engine

__all__ = ["DetectorSet", "Engine"]

"""The sink that keeps Prometheus' numbers of incidents true."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from dijkwacht_collector.incidents.incident import Incident, IncidentEvent
from dijkwacht_collector.metrics.telemetry import Telemetry


class PrometheusSink:
    """Incident events → counters and open gauges.

    ``kept`` is asked once, on opening: every incident that the engine may speak of again, which
    are the open ones and those that ended since its last checkpoint. The gauges start from them,
    and what the engine repeats of them counts for nothing.
    """

    def __init__(self, telemetry: Telemetry, kept: Callable[[], Iterable[Incident]]) -> None:
        self._telemetry: Final = telemetry
        self._kept: Final = kept
        self._taken: dict[str, int] = {}

    def open(self) -> None:
        """Set the gauges to what is open now."""
        kept = list(self._kept())
        self._taken = {incident.uid: incident.revision for incident in kept}
        self._telemetry.restore_open(incident for incident in kept if incident.status == "new")

    def handle(self, events: Sequence[IncidentEvent]) -> None:
        """Count what is news."""
        for event in events:
            incident = event.incident
            if incident.revision > self._taken.get(incident.uid, -1):
                self._telemetry.observe_incident(event)

    def flush(self) -> None:
        """Numbers live in memory; the store keeps what they are made from."""

    def close(self) -> None:
        """Nothing is held open."""

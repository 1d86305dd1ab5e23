"""Keeps the Prometheus metrics of incidents: which are open, and how many there were."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from dijkwacht_collector.incidents import Incident, IncidentEvent
from dijkwacht_collector.metrics import Telemetry

_MOST_ENDED: Final = 20_000
"""Ended incidents of which a repeated step is still recognised."""


class _Counted(NamedTuple):
    """An incident as the metrics have it."""

    revision: int
    site: str
    detector: str
    severity_id: int
    highest_id: int
    is_open: bool


class PrometheusSink:
    """Incident events → counters and gauges of `Telemetry`.

    ``kept`` is asked once, on opening: every incident that the engine may send again, which are
    the open ones and those that ended since its last checkpoint. The gauges start from them; what
    the engine repeats, a rise of severity too, is not counted again.
    """

    def __init__(self, telemetry: Telemetry, kept: Callable[[], Iterable[Incident]]) -> None:
        self._telemetry: Final = telemetry
        self._kept: Final = kept
        self._counted: dict[str, _Counted] = {}
        self._ended: dict[str, None] = {}

    def open(self) -> None:
        """Set the gauges to what is open now; what is kept was counted before this start."""
        for incident in self._kept():
            if incident.uid not in self._counted:
                self._move(incident.uid, None, _as_counted(incident))

    def handle(self, events: Sequence[IncidentEvent]) -> None:
        """Count each step once."""
        for event in events:
            incident = event.incident
            before = self._counted.get(incident.uid)
            now = _as_counted(incident, before)
            if before is not None and now.revision <= before.revision:
                continue
            if before is None and event.activity == "update" and not now.is_open:
                # An answer to what was counted when it was told, longer ago than is remembered.
                self._move(incident.uid, None, now)
                continue
            if before is None:
                self._telemetry.count_technique(incident.technique)
            self._telemetry.count_severity(
                now.site, now.detector, now.highest_id, before.highest_id if before else 0
            )
            self._move(incident.uid, before, now)

    def flush(self) -> None:
        """Metrics live in memory; the store keeps what they are made from."""

    def close(self) -> None:
        """Nothing is held open."""

    def _move(self, uid: str, before: _Counted | None, now: _Counted) -> None:
        for counted, change in ((before, -1), (now, 1)):
            if counted is not None and counted.is_open:
                self._telemetry.add_open(
                    counted.site, counted.detector, counted.severity_id, change
                )
        self._counted[uid] = now
        if not now.is_open:
            self._ended[uid] = None
            if len(self._ended) > _MOST_ENDED:
                oldest = next(iter(self._ended))
                del self._ended[oldest], self._counted[oldest]


def _as_counted(incident: Incident, before: _Counted | None = None) -> _Counted:
    return _Counted(
        incident.revision,
        incident.site,
        incident.detector,
        incident.severity_id,
        max(incident.severity_id, before.highest_id if before else 0),
        incident.status == "new",
    )

"""What the collector tells Prometheus. Every known series exists at 0 before anything happens.

A counter that is born at 1 is invisible to ``increase()``: for a rare event that is the difference
between seen and not seen. Labels are only ``site agent detector severity technique reason``, never
an address, a name or an id, and a site has at most `MAX_SERIES_PER_SITE` series whatever it sends.

Any thread may call any method. Calls are made once a batch or an event, never once a row.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from dijkwacht_collector.incidents import Incident, IncidentEvent
from dijkwacht_collector.series import Family
from dijkwacht_records.tables import Value

MAX_SERIES_PER_SITE: Final = 500
SEVERITIES: Final = {2: "low", 3: "medium", 4: "high", 5: "critical"}
REJECTIONS: Final = (
    "malformed", "unknown_contract", "rejected", "not_authorised", "busy", "too_large", "other",
)  # fmt: skip
DROPS: Final = ("ring", "truncated", "malformed", "unsupported")
OTHER: Final = "other"
_AGENT_SERIES: Final = 7 + len(DROPS)
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_JOURNAL_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_STEP_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


@dataclass(frozen=True, slots=True)
class AgentHealth:
    """An agent's last heartbeat. ``last_seen`` is the collector's clock, µs UTC; counts since boot.

    ``clock_offset`` is µs, the collector's clock minus the agent's.
    """

    site: str
    agent: str
    last_seen: int
    packets_seen: int = 0
    dropped: int = 0
    flows_active: int = 0
    rows_shed: int = 0
    spool_bytes: int = 0
    clock_offset: int = 0


@dataclass(frozen=True, slots=True)
class _SiteSlots:
    batches: int
    rows: int
    duplicate: int
    engine_rows: int
    late: int
    future: int
    incidents: dict[tuple[str, str], int]
    open: dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class _AgentSlots:
    last_seen: int
    packets: int
    dropped: dict[str, int]
    flows_active: int
    flows_evicted: int
    rows_shed: int
    spool_bytes: int
    clock_offset: int


class Telemetry:
    """The collector's metrics, with a registry of their own.

    ``detectors`` and ``techniques`` are the names that exist; an incident of a name not among them
    is counted under ``other``, so that data never makes a label.
    """

    def __init__(self, detectors: Iterable[str], techniques: Iterable[str] = ()) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's own gap
        self.detectors: Final = (*sorted(set(detectors) - {OTHER}), OTHER)
        self.registry: Final = CollectorRegistry()
        self._site_series: Final = 6 + 2 * len(self.detectors) * len(SEVERITIES)
        self.max_agents_per_site: Final = (MAX_SERIES_PER_SITE - self._site_series) // _AGENT_SERIES
        self._lock = threading.Lock()
        self._sites: dict[str, _SiteSlots] = {}
        self._names: dict[str, set[str]] = {}
        self._agents: dict[tuple[str, str], _AgentSlots] = {}
        self._health: dict[tuple[str, str], AgentHealth] = {}
        self._open: dict[str, tuple[str, str, str]] = {}
        self._fleet_metrics(techniques)
        self._site_families()

    def _fleet_metrics(self, techniques: Iterable[str]) -> None:
        here = self.registry
        self._rejected = Counter(
            "dijkwacht_batches_rejected_total", "Batches refused.", ["reason"], registry=here
        )
        self._journal_bytes = Counter(
            "dijkwacht_journal_bytes_total", "Bytes made durable in the journal.", registry=here
        )
        self._commit_seconds = Histogram(
            "dijkwacht_journal_commit_seconds", "Time of one group commit, fdatasync included.",
            registry=here, buckets=_JOURNAL_BUCKETS,
        )  # fmt: skip
        self._lag = Gauge(
            "dijkwacht_engine_lag_entries", "Durable entries not yet scored.", registry=here
        )
        self._step_seconds = Histogram(
            "dijkwacht_engine_step_seconds", "Time of one step of the engine.",
            registry=here, buckets=_STEP_BUCKETS,
        )  # fmt: skip
        self._failures = Counter(
            "dijkwacht_detector_failures_total", "Times a detector broke its contract.",
            ["detector"], registry=here,
        )  # fmt: skip
        self._by_technique = Counter(
            "dijkwacht_incidents_technique_total", "Incidents opened, by ATT&CK technique.",
            ["technique"], registry=here,
        )  # fmt: skip
        self._untracked = Counter(
            "dijkwacht_agent_rows_untracked_total",
            "Heartbeats of agents beyond the number a site may have in metrics.", registry=here,
        )  # fmt: skip
        self._techniques = {*techniques, OTHER}
        for technique in sorted(self._techniques):
            self._by_technique.labels(technique)
        for reason in REJECTIONS:
            self._rejected.labels(reason)
        for detector in self.detectors:
            self._failures.labels(detector)

    def _site_families(self) -> None:
        self._families: list[Family] = []

        def counter(name: str, help_text: str) -> Family:
            self._families.append(Family(f"dijkwacht_{name}", "counter", help_text))
            return self._families[-1]

        def gauge(name: str, help_text: str) -> Family:
            self._families.append(Family(f"dijkwacht_{name}", "gauge", help_text))
            return self._families[-1]

        self._batches = counter("batches_total", "Batches made durable.")
        self._rows = counter("rows_total", "Rows made durable.")
        self._duplicate = counter("batches_duplicate_total", "Batches that had come before.")
        self._engine_rows = counter("engine_rows_total", "Rows scored by every detector.")
        self._late = counter("rows_late_total", "Rows folded at their agent's watermark.")
        self._future = counter("rows_future_total", "Rows whose time was ahead of their arrival.")
        self._incidents = counter("incidents_total", "Incidents opened, by their first severity.")
        self._incidents_open = gauge("incidents_open", "Incidents open now.")
        self._last_seen = gauge(
            "agent_last_seen_timestamp_seconds", "Arrival of the agent's last heartbeat."
        )
        self._packets = counter("agent_packets_total", "Packets seen: metered and dropped.")
        self._dropped = counter("agent_packets_dropped_total", "Packets not metered, and why.")
        self._active = gauge("agent_flows_active", "Flows in the agent's table now.")
        self._evicted = counter("agent_flows_evicted_total", "Flows ended early: table full.")
        self._shed = counter("agent_rows_shed_total", "Rows lost: spool full or batch rejected.")
        self._spool = gauge("agent_spool_bytes", "Bytes that wait on the agent's disk.")
        self._offset = gauge(
            "agent_clock_offset_seconds", "The collector's clock minus the agent's."
        )

    # Sites and agents become known.

    def know_site(self, site: str) -> None:
        """Create every series of ``site`` at 0. Call it for each site at start and when added."""
        self._site(site)

    def know_agent(self, site: str, agent: str, last_seen: int = 0) -> None:
        """Create an agent's series at 0 when it joins.

        For an agent of before this start give ``last_seen``, µs UTC: one that fell silent while the
        collector was away must not be forgotten. Its counters wait for its heartbeat: to begin at
        0 again and jump would look like a burst.
        """
        if last_seen == 0:
            self._agent(site, agent)
        elif self._has_room(site, agent):
            self._last_seen.put(self._last_seen.born(site=site, agent=agent), last_seen / 1e6)

    def _site(self, site: str) -> _SiteSlots:
        slots = self._sites.get(site)
        if slots is not None:
            return slots
        with self._lock:
            pairs = [(d, s) for d in self.detectors for s in SEVERITIES.values()]
            slots = _SiteSlots(
                batches=self._batches.born(site=site),
                rows=self._rows.born(site=site),
                duplicate=self._duplicate.born(site=site),
                engine_rows=self._engine_rows.born(site=site),
                late=self._late.born(site=site),
                future=self._future.born(site=site),
                incidents={
                    (d, s): self._incidents.born(site=site, detector=d, severity=s)
                    for d, s in pairs
                },
                open={
                    (d, s): self._incidents_open.born(site=site, detector=d, severity=s)
                    for d, s in pairs
                },
            )
            self._names.setdefault(site, set())
            self._sites[site] = slots
        return slots

    def _agent(self, site: str, agent: str) -> _AgentSlots | None:
        key = (site, agent)
        slots = self._agents.get(key)
        if slots is not None:
            return slots
        if not self._has_room(site, agent):
            return None
        with self._lock:
            slots = _AgentSlots(
                last_seen=self._last_seen.born(site=site, agent=agent),
                packets=self._packets.born(site=site, agent=agent),
                dropped={
                    reason: self._dropped.born(site=site, agent=agent, reason=reason)
                    for reason in DROPS
                },
                flows_active=self._active.born(site=site, agent=agent),
                flows_evicted=self._evicted.born(site=site, agent=agent),
                rows_shed=self._shed.born(site=site, agent=agent),
                spool_bytes=self._spool.born(site=site, agent=agent),
                clock_offset=self._offset.born(site=site, agent=agent),
            )
            self._agents[key] = slots
        return slots

    def _has_room(self, site: str, agent: str) -> bool:
        self._site(site)
        with self._lock:
            names = self._names[site]
            if agent not in names and len(names) < self.max_agents_per_site:
                names.add(agent)
            return agent in names

    # Intake and journal.

    def count_batch(self, site: str, rows: int) -> None:
        """One batch of ``site`` became durable with so many rows."""
        slots = self._site(site)
        self._batches.add(slots.batches)
        self._rows.add(slots.rows, rows)

    def count_duplicate(self, site: str) -> None:
        """A batch came again; it was acknowledged and not kept."""
        self._duplicate.add(self._site(site).duplicate)

    def count_rejected(self, reason: str) -> None:
        """A batch was refused: ``TransferError.reason``, or ``too_large``."""
        self._rejected.labels(reason if reason in REJECTIONS else OTHER).inc()

    def count_commit(self, size: int, seconds: float) -> None:
        """One group commit of the journal: bytes written, time with its fdatasync."""
        self._journal_bytes.inc(size)
        self._commit_seconds.observe(seconds)

    # Engine.

    def count_engine_rows(self, site: str, rows: int) -> None:
        """So many rows of ``site`` were scored."""
        self._engine_rows.add(self._site(site).engine_rows, rows)

    def count_late(self, site: str, rows: int = 1) -> None:
        """Rows older than their agent's watermark."""
        self._late.add(self._site(site).late, rows)

    def count_future(self, site: str, rows: int = 1) -> None:
        """Rows whose time was replaced by their arrival."""
        self._future.add(self._site(site).future, rows)

    def count_detector_failure(self, detector: str) -> None:
        """A detector raised or broke its contract and was quarantined."""
        self._failures.labels(detector if detector in self.detectors else OTHER).inc()

    def observe_step(self, seconds: float) -> None:
        """One step of the engine took so long."""
        self._step_seconds.observe(seconds)

    def show_lag(self, entries: int) -> None:
        """So many durable entries wait for the engine."""
        self._lag.set(entries)

    def observe_agent(self, site: str, agent: str, time_us: int, row: Mapping[str, Value]) -> None:
        """One row of the ``agent`` table that arrived at ``time_us``, by the collector's clock.

        Not the row's own time: a recording, or a device that wakes in 1970, is an agent that is up.
        """
        slots = self._agent(site, agent)
        if slots is None:
            self._untracked.inc()
            return

        def number(column: str) -> int:
            value = row.get(column, 0)
            return int(value) if isinstance(value, int | float) else 0

        self._last_seen.put(slots.last_seen, time_us / 1e6)
        self._packets.put(slots.packets, number("packets_seen"))
        for reason, slot in slots.dropped.items():
            self._dropped.put(slot, number(f"dropped_{reason}"))
        self._active.put(slots.flows_active, number("flows_active"))
        self._evicted.put(slots.flows_evicted, number("flows_evicted"))
        self._shed.put(slots.rows_shed, number("rows_shed"))
        self._spool.put(slots.spool_bytes, number("spool_bytes"))
        self._offset.put(slots.clock_offset, number("clock_offset") / 1e6)
        self._health[site, agent] = AgentHealth(
            site=site,
            agent=agent,
            last_seen=time_us,
            packets_seen=number("packets_seen"),
            dropped=sum(number(f"dropped_{reason}") for reason in DROPS),
            flows_active=number("flows_active"),
            rows_shed=number("rows_shed"),
            spool_bytes=number("spool_bytes"),
            clock_offset=number("clock_offset"),
        )

    def agents(self) -> list[AgentHealth]:
        """The last heartbeat of every agent heard since start, by site and name."""
        return [self._health[key] for key in sorted(self._health.copy())]

    # Incidents.

    def observe_incident(self, event: IncidentEvent) -> None:
        """Move the open gauge; a ``create`` also counts, once, under its first severity."""
        incident = event.incident
        with self._lock:
            known = self._open.pop(incident.uid, None)
            if known is not None:
                self._move(known, -1)
        if event.activity == "create" and known is None:
            site, detector, severity = self._place(incident)
            self._incidents.add(self._site(site).incidents[detector, severity])
            technique = incident.technique
            self._by_technique.labels(technique if technique in self._techniques else OTHER).inc()
        if event.activity != "close" and incident.status == "new":
            self._hold(incident)

    def restore_open(self, incidents: Iterable[Incident]) -> None:
        """Set the open gauges from what the store holds, at start; counters stay."""
        for incident in incidents:
            if incident.uid not in self._open:
                self._hold(incident)

    def _hold(self, incident: Incident) -> None:
        place = self._place(incident)
        with self._lock:
            self._open[incident.uid] = place
            self._move(place, 1)

    def _move(self, place: tuple[str, str, str], amount: int) -> None:
        site, detector, severity = place
        self._incidents_open.add(self._sites[site].open[detector, severity], amount)

    def _place(self, incident: Incident) -> tuple[str, str, str]:
        self._site(incident.site)
        detector = incident.detector if incident.detector in self.detectors else OTHER
        severity = SEVERITIES[min(max(incident.severity_id, 2), 5)]
        return incident.site, detector, severity

    # Out.

    def render(self) -> bytes:
        """Everything in Prometheus' text format. Milliseconds of work: not on the event loop."""
        fleet = generate_latest(self.registry)
        return fleet + "".join(family.render() for family in self._families).encode()

    async def serve(self, _request: web.Request) -> web.Response:
        """The handler of ``GET /metrics``."""
        body = await asyncio.to_thread(self.render)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

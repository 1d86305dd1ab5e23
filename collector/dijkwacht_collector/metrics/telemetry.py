"""The collector's Prometheus metrics. Every known series exists at 0 before anything happens.

A counter that starts at 1 is invisible to ``increase()``: for a rare event that is the difference
between seen and not seen. Labels are only ``site agent detector severity technique reason``, never
an address, a name or an id, and a site has at most `MAX_SERIES_PER_SITE` series whatever it sends.

Any thread may call any method. Calls are made once a batch or an event, never once a row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
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

from dijkwacht_collector.metrics.engine_times import EngineTimes
from dijkwacht_collector.metrics.family import Family
from dijkwacht_collector.metrics.heartbeats import SERIES_PER_AGENT, AgentHealth, Heartbeats
from dijkwacht_collector.metrics.promise import PromiseMetrics
from dijkwacht_collector.metrics.stories import StoryFigures
from dijkwacht_records.tables import Value

MAX_SERIES_PER_SITE: Final = 500
SEVERITIES: Final = {2: "low", 3: "medium", 4: "high"}
"""Those that policy gives: a label that nothing ever has would take the room of agents."""
REJECTIONS: Final = (
    "malformed", "unknown_contract", "rejected", "not_authorised", "busy", "too_large",
    "over_quota", "revoked", "no_certificate", "certificate_expired", "certificate_unknown", "other",
)  # fmt: skip
DROPS: Final = ("window_full",)
ROW_REJECTIONS: Final = ("malformed", "other")
SKIPS: Final = ("unknown_table",)
OTHER: Final = "other"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_JOURNAL_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


def severity_name(severity_id: int) -> str:
    """The label of an OCSF severity; what is below low counts as low, and above as high.

    >>> severity_name(1), severity_name(3), severity_name(99)
    ('low', 'medium', 'high')
    """
    return SEVERITIES[min(max(severity_id, min(SEVERITIES)), max(SEVERITIES))]


class Telemetry:
    """The collector's metrics, with a registry of their own.

    ``detectors`` and ``techniques`` are the names that exist; an incident of a name not among them
    is counted under ``other``, so that data never makes a label. ``context``: names of those detectors
    that never interrupt; on a site they have series of low severity alone.
    """

    def __init__(
        self,
        detectors: Iterable[str],
        techniques: Iterable[str] = (),
        context: Collection[str] = (),
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's own gap
        self.detectors: Final = (*sorted(set(detectors) - {OTHER}), OTHER)
        self._context = frozenset(context)
        self.registry: Final = CollectorRegistry()
        self._sites: set[str] = set()
        self.stories: Final = StoryFigures(self.registry, self.detectors, SEVERITIES)
        self.promise: Final = PromiseMetrics()
        self.times: Final = EngineTimes(self.registry)
        self._fleet_metrics(techniques)
        self._site_families()

    def _fleet_metrics(self, techniques: Iterable[str]) -> None:
        here = self.registry
        self._rejected = Counter(
            "dijkwacht_batches_rejected_total", "Batches rejected.", ["reason"], registry=here
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
        self._slow_sites = Gauge(
            "dijkwacht_engine_slow_sites",
            "Sites folded apart from the others, because they cost too much.", registry=here,
        )  # fmt: skip
        self._slow_bytes = Gauge(
            "dijkwacht_engine_slow_bytes", "Bytes of theirs that are durable and not yet scored.",
            registry=here,
        )  # fmt: skip
        self._slow: dict[str, tuple[int, int]] = {}
        self._failures = Counter(
            "dijkwacht_detector_failures_total", "Times a detector raised or broke its contract.",
            ["detector"], registry=here,
        )  # fmt: skip
        self._scored = Counter(
            "dijkwacht_detector_scored_rows_total",
            "Rows to which a detector gave a score, in shadow too.", ["detector"], registry=here,
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
            self._scored.labels(detector)

    def _site_families(self) -> None:
        def counter(name: str, help_text: str) -> Family:
            return Family(f"dijkwacht_{name}_total", "counter", help_text)

        self._batches = counter("batches", "Batches made durable.")
        self._rows = counter(
            "rows",
            "Rows made durable, ever, with those that were skipped; a restart loses no count, and a"
            " batch that comes again adds none.",
        )
        self._duplicate = counter("batches_duplicate", "Duplicate batches: acknowledged, not kept.")
        self._engine_rows = counter("engine_rows", "Rows scored by every detector.")
        self._late = counter(
            "rows_late", "Rows over 15 minutes behind their agent's event time, scored at it."
        )
        self._future = counter(
            "rows_future", "Rows whose time was too far ahead, replaced by their arrival."
        )
        self._shed = counter("incidents_shed", "Findings dropped: too many incidents are open.")
        self._exempted = counter(
            "findings_exempted",
            "Findings not reported: the site has answered that they are normal.",
        )
        self._plain = (
            self._batches, self._rows, self._duplicate,
            self._engine_rows, self._late, self._future, self._shed, self._exempted,
        )  # fmt: skip
        self._dropped = Family(
            "dijkwacht_rows_dropped_total", "counter",
            "Rows that a detector was not given; window_full: those waiting for the end of their"
            " window were too many.", ("site", "reason"),
        )  # fmt: skip
        self._rows_rejected = Family(
            "dijkwacht_rows_rejected_total", "counter",
            "Rows of batches that were refused for good, as many as the head of each claims.",
            ("site", "reason"),
        )  # fmt: skip
        self._skipped = Family(
            "dijkwacht_rows_skipped_total", "counter",
            "Rows made durable that no detector reads; unknown_table: this release does not know"
            " their table, as an agent of a later one may have.", ("site", "reason"),
        )  # fmt: skip
        where = ("site", "detector", "severity")
        self._incidents = Family(
            "dijkwacht_incidents_total", "counter",
            "Incidents that reached this severity: each counts once under every severity up to its"
            " highest, so low counts them all.", where,
        )  # fmt: skip
        self._incidents_open = Family(
            "dijkwacht_incidents_open", "gauge", "Incidents open now, by their severity now.",
            ("site", "severity"),
        )  # fmt: skip
        of_site = len(self._plain) + len(DROPS) + len(SKIPS) + len(ROW_REJECTIONS)
        of_site += sum(len(self._severities(detector)) for detector in self.detectors)
        of_site += len(SEVERITIES) + self.stories.series + len(self.promise.families())
        self._heartbeats = Heartbeats((MAX_SERIES_PER_SITE - of_site) // SERIES_PER_AGENT)

    @property
    def max_agents_per_site(self) -> int:
        """Agents of one site beyond this number are counted, and not shown one by one."""
        return self._heartbeats.most

    # Sites and agents become known.

    def know_site(self, site: str) -> None:
        """Create every series of ``site`` at 0. Call it for each site at start and when added."""
        if site in self._sites:
            return
        for family in self._plain:
            family.ensure(site)
        self.promise.know_site(site)
        for reason in DROPS:
            self._dropped.ensure(site, reason)
        for reason in ROW_REJECTIONS:
            self._rows_rejected.ensure(site, reason)
        for reason in SKIPS:
            self._skipped.ensure(site, reason)
        for detector in self.detectors:
            for severity in self._severities(detector):
                self._incidents.ensure(site, detector, severity)
        for severity in SEVERITIES.values():
            self._incidents_open.ensure(site, severity)
        self.stories.ensure(site)
        self._sites.add(site)

    def know_agent(self, site: str, agent: str, last_seen: int = 0) -> None:
        """Create an agent's series at 0. One that joins is known by its first heartbeat.

        For an agent of before this start give ``last_seen``, µs UTC: one that went offline while the
        collector was down must not be forgotten. Its counters wait for its heartbeat: to begin at
        0 again and jump would look like a burst.
        """
        self.know_site(site)
        self._heartbeats.know(site, agent, last_seen)

    def forget_agent(self, site: str, agent: str) -> None:
        """Show nothing of an agent that is gone: its last numbers would look like one that is offline."""
        self._heartbeats.forget(site, agent)

    # Intake and journal.

    def begin_rows(self, site: str, rows: int) -> None:
        """So many rows of ``site`` were made durable before this start."""
        self.know_site(site)
        self._rows.set(rows, site)

    def count_batch(self, site: str, rows: int, unknown: int = 0) -> None:
        """One batch of ``site`` became durable with so many rows, those of ``unknown`` tables among them.

        So the rows that are made durable from here on are those that reach the engine and those that are
        skipped.
        """
        self.know_site(site)
        self._batches.add(1, site)
        self._rows.add(rows, site)
        self._skipped.add(unknown, site, SKIPS[0])

    def count_duplicate(self, site: str) -> None:
        """A batch came again; it was acknowledged and not kept."""
        self.know_site(site)
        self._duplicate.add(1, site)

    def count_rejected(self, reason: str) -> None:
        """A batch was refused: ``TransferError.reason``, or ``too_large``."""
        self._rejected.labels(reason if reason in REJECTIONS else OTHER).inc()

    def count_rows_rejected(self, site: str, reason: str, rows: int) -> None:
        """A batch of ``site`` was refused for good, and so many rows with it."""
        self.know_site(site)
        known = reason if reason in ROW_REJECTIONS else OTHER
        self._rows_rejected.add(rows, site, known)

    def rows_rejected(self, site: str) -> int:
        """Rows of ``site`` that were refused for good since start."""
        self.know_site(site)
        return sum(int(self._rows_rejected.value(site, reason)) for reason in ROW_REJECTIONS)

    def count_commit(self, size: int, seconds: float) -> None:
        """One group commit of the journal: bytes written, time with its fdatasync."""
        self._journal_bytes.inc(size)
        self._commit_seconds.observe(seconds)

    # Engine.

    def count_engine_rows(self, site: str, rows: int) -> None:
        """So many rows of ``site`` were scored."""
        self.know_site(site)
        self._engine_rows.add(rows, site)

    def count_late(self, site: str, rows: int = 1) -> None:
        """Rows older than their agent's watermark."""
        self.know_site(site)
        self._late.add(rows, site)

    def count_future(self, site: str, rows: int = 1) -> None:
        """Rows whose time was replaced by their arrival."""
        self.know_site(site)
        self._future.add(rows, site)

    def count_window_full(self, site: str, rows: int) -> None:
        """Rows that a detector was not given, because too many wait for the end of their window."""
        self.know_site(site)
        self._dropped.add(rows, site, DROPS[0])

    def count_shed(self, site: str, findings: int) -> None:
        """Findings that opened no incident, because the site has too many open."""
        self.know_site(site)
        self._shed.add(findings, site)

    def count_exempted(self, site: str, findings: int) -> None:
        """Findings that are not reported, because the site calls them normal."""
        self.know_site(site)
        self._exempted.add(findings, site)

    def count_failures(self, detector: str, failures: int) -> None:
        """A detector raised or broke its contract so often; after three times it is left out on that site."""
        self._failures.labels(self._detector(detector)).inc(failures)

    def count_scored(self, detector: str, rows: int) -> None:
        """A detector gave so many rows a score."""
        self._scored.labels(self._detector(detector)).inc(rows)

    def show_lag(self, entries: int) -> None:
        """So many durable entries wait for the engine."""
        self._lag.set(entries)

    def show_slow(self, engine: str, sites: int, size: int) -> None:
        """So many sites are folded apart by this engine thread, and so many bytes of theirs wait."""
        self._slow[engine] = sites, size
        slow = self._slow.copy().values()
        self._slow_sites.set(sum(sites for sites, _ in slow))
        self._slow_bytes.set(sum(size for _, size in slow))

    def observe_agent(self, site: str, agent: str, time_us: int, row: Mapping[str, Value]) -> None:
        """One row of the ``agent`` table that arrived at ``time_us``, by the collector's clock.

        Not the row's own time: a recording, or a device that wakes in 1970, is an agent that is up.
        """
        self.know_site(site)
        if not self._heartbeats.observe(site, agent, time_us, row):
            self._untracked.inc()

    def observe_troubles(self, site: str, agent: str, troubles: Collection[str]) -> None:
        """What an agent said beside a batch (`dijkwacht_records.troubles`); what it does not say is over."""
        self._heartbeats.observe_troubles(site, agent, troubles)

    def agents(self) -> list[AgentHealth]:
        """The last heartbeat of every agent since start, by site and name."""
        return self._heartbeats.last()

    def copied(self, now: int) -> dict[tuple[str, str], int]:
        """(site, agent) → machines besides one that use its identity; it has ended for those that are offline."""
        return self._heartbeats.copied(now)

    # Incidents.

    def count_technique(self, technique: str) -> None:
        """An incident was opened."""
        self._by_technique.labels(technique if technique in self._techniques else OTHER).inc()

    def count_severity(
        self, site: str, detector: str, severity_id: int, counted_id: int = 0
    ) -> None:
        """An incident reached this severity; it was counted up to ``counted_id`` (0: not at all).

        It counts under every severity above that one, so under each at most once.
        """
        self.know_site(site)
        for level in SEVERITIES:
            if counted_id < level <= max(severity_id, min(SEVERITIES)):
                severity = SEVERITIES[level]
                self._incidents.add(1, site, self._of_site(detector, severity), severity)

    def add_open(self, site: str, severity_id: int, change: int) -> None:
        """So many incidents more (or, below 0, fewer) are open at this severity now."""
        self.know_site(site)
        self._incidents_open.add(change, site, severity_name(severity_id))

    def _severities(self, detector: str) -> Collection[str]:
        """Those that incidents of a detector may have."""
        return [SEVERITIES[min(SEVERITIES)]] if detector in self._context else SEVERITIES.values()

    def _of_site(self, detector: str, severity: str) -> str:
        """The label of a detector's incidents of one severity: what has no series of its own is not lost."""
        label = self._detector(detector)
        return label if severity in self._severities(label) else OTHER

    def _detector(self, name: str) -> str:
        return name if name in self.detectors else OTHER

    # Out.

    def render(self) -> bytes:
        """Everything in Prometheus' text format. Milliseconds of work: not on the event loop."""
        families = (
            *self._plain, self._rows_rejected, self._dropped, self._skipped, self._incidents, self._incidents_open,
            *self.promise.families(), *self.stories.families(), *self._heartbeats.families(),
        )  # fmt: skip
        sites = "".join(family.render() for family in families)
        return generate_latest(self.registry) + sites.encode()

    async def serve(self, _request: web.Request) -> web.Response:
        """The handler of ``GET /metrics``."""
        body = await asyncio.to_thread(self.render)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

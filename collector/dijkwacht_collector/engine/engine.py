"""HOT  The engine: journal entries in, incident events out. It reads nothing else, not even a clock.

One engine owns some partitions; one thread drives it. The same entries give the same events
whatever the size of the steps, the speed, or a stop and start between two of them.

Facts, opinions and decisions are three steps in a row (`Engine._fold`): the detectors score, the
policy judges how rare that is on a site, the open incidents decide what is reported.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.engine.columns import Arrival, Step, Ticks, join_columns
from dijkwacht_collector.engine.detector_host import DetectorHost
from dijkwacht_collector.engine.findings import Positions, event_time_of, finding_of
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.engine.site_record import Control, Head, SiteRecord
from dijkwacht_collector.incidents import Evidence, Incident, IncidentEvent, OpenIncidents, fill
from dijkwacht_collector.journal import Budget, Entry, Exemption, Model, Verdict
from dijkwacht_collector.policy import Calibrations, Policy, Scored
from dijkwacht_detectors.api import AnyDetector, Explanation
from dijkwacht_records.wire import read_checked

log: Final = logging.getLogger(__name__)

STEP_ROWS: Final = 8192
"""Rows folded at once: enough to be cheap, few enough to stay in the cache."""
_DAY_US: Final = 86_400_000_000
Watch = Callable[[Sequence[Scored], Numbering], None]
"""Called once a step with all opinions; it must leave them as they are."""


@dataclass
class Observed:
    """Counts by site, and of failures and scored rows by detector, since telemetry last took them."""

    rows: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    future: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    shed: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    scored: dict[str, int] = field(default_factory=dict)


class Engine:
    """Detectors, policy and incidents of the partitions it owns.

    ``calibrations``: those shipped, if None. ``watch`` sees the opinions of each step. ``store_id``
    names the store that has its events up to `position`.
    """

    def __init__(
        self,
        detectors: Sequence[AnyDetector],
        calibrations: Calibrations | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.position = -1
        self.store_id = ""
        self.numbering = Numbering()
        self.clocks = np.zeros(0, np.int64)
        calibrations = calibrations or Calibrations()
        tables = [calibrations.table(d) for d in detectors]
        shares = [calibrations.share(d) for d in detectors]
        self.host = DetectorHost(detectors)
        self.policy = Policy(tables, shares)
        self.incidents = OpenIncidents()
        self.observed = Observed()
        self._wanted = self.host.wanted_columns()
        self._covered: dict[str, int] = {}
        self._watch = watch
        self._scored = [0] * len(detectors)

    def step(self, entries: Sequence[Entry]) -> list[IncidentEvent]:
        """Fold ``entries`` in order and return what changed about incidents, in order."""
        events: list[IncidentEvent] = []
        waiting: list[tuple[Arrival, int]] = []
        rows = 0
        for entry in self._uncovered(entries) if self._covered else entries:
            if entry.kind == "batch":
                arrival = self._arrive(entry)
                waiting.append((arrival, entry.position))
                rows += arrival.batch.rows
            if waiting and (entry.kind != "batch" or rows >= STEP_ROWS):
                events += self._fold(waiting)
                waiting, rows = [], 0
            if entry.kind != "batch":
                events += self._control(entry)
        if waiting:
            events += self._fold(waiting)
        if entries:
            self.position = entries[-1].position
        return events

    def finish(self) -> list[IncidentEvent]:
        """End every window, as at the end of a recording; incidents stay open."""
        agents = np.arange(len(self.numbering.agents))
        ends = np.column_stack((np.zeros_like(agents), agents, self.clocks[agents] + _DAY_US))
        return self._decide(self.host.end_windows(ends), ends[:0], [self.position])

    def open_incidents(self) -> list[Incident]:
        """Every open incident as it stands; between two updates it may have grown."""
        return self.incidents.current(self._explain)

    def take_observed(self) -> Observed:
        """Hand over what was counted since the last time."""
        observed, self.observed = self.observed, Observed()
        observed.failures, self.host.failures = self.host.failures, {}
        observed.shed, self.incidents.shed = self.incidents.shed, {}
        names = (detector.name for detector in self.host.detectors)
        observed.scored = {n: c for n, c in zip(names, self._scored, strict=True) if c}
        self._scored = [0] * len(self._scored)
        for site, rows in self.host.take_dropped().items():
            observed.dropped[self.numbering.sites[site]] = rows
        return observed

    def take_samples(self) -> dict[str, NDArray[np.float64]]:
        """Rows that detectors with a model have kept for training, by detector."""
        return self.host.samples()

    def take(self, name: str) -> SiteRecord:
        """All that is known of one site at `position`; it stays here."""
        site = self.numbering.site(name)
        agents = self.numbering.agents_at(site)
        self._make_room()
        entities, detectors = self.host.take(site, agents, self.policy)
        clocks = [(agent, int(self.clocks[number])) for number, agent in agents.items()]
        control = Control(clocks, self.policy.per_week.get(site), self.incidents.take(name))
        # After a restart a site may still be ahead of the engine: see `resume`.
        position = max(self.position, self._covered.get(name, -1))
        return SiteRecord(name, position, control, entities, detectors)

    def put(self, record: SiteRecord) -> None:
        """Go on with a site that another engine has taken, or this one before a restart."""
        site = self.numbering.site(record.name)
        agents = {}
        for name, clock in record.control.clocks:
            agents[name] = self.numbering.agent(site, name)
            self._set_clock(agents[name], clock)
        self._make_room()
        if record.control.per_week is not None:
            self.policy.set_budget(site, record.control.per_week)
        self.host.put(site, agents, record, self.policy)
        self.incidents.put(record.name, record.control.incidents)

    def head(self) -> Head:
        """What a checkpoint holds besides its sites, at `position`."""
        return Head(self.position, self.store_id, dict(self.host.bundles), self.host.shared())

    def resume(self, head: Head, records: Sequence[SiteRecord]) -> None:
        """Go on from a checkpoint. Entries that a site's record covers already are passed over."""
        self.position, self.store_id = head.position, head.store_id
        for name, bundle in head.bundles.items():
            self.host.activate(name, bundle)
        self.host.put_shared(head.shared)
        for record in records:
            self.numbering.site(record.name)
        self._make_room()  # once for all
        for record in records:
            self.put(record)
        self._covered = {r.name: r.position for r in records if r.position > head.position}

    def _uncovered(self, entries: Sequence[Entry]) -> list[Entry]:
        """Without what a record covers that was taken behind the others' (see `resume`)."""
        fresh = [e for e in entries if e.position > self._covered.get(e.site, -1)]
        if entries:
            last = entries[-1].position
            self._covered = {site: p for site, p in self._covered.items() if p > last}
        return fresh

    def _arrive(self, entry: Entry) -> Arrival:
        batch = read_checked(entry.payload)  # the journal's own checksum vouches for it
        site = self.numbering.site(entry.site)
        agent = self.numbering.agent(site, batch.agent)
        self._set_clock(agent)
        return Arrival(batch, site, agent, entry.arrival)

    def _set_clock(self, agent: int, time: int | None = None) -> None:
        if agent >= len(self.clocks):
            self.clocks = np.append(self.clocks, np.zeros(agent + 1, np.int64))
        if time is not None:
            self.clocks[agent] = time

    def _fold(self, waiting: Sequence[tuple[Arrival, int]]) -> list[IncidentEvent]:
        arrivals = [arrival for arrival, _ in waiting]
        step = join_columns(arrivals, self._wanted, self.clocks)
        self._make_room()
        self._observe(step, arrivals)
        scored = self.host.score(step)
        positions = np.repeat([p for _, p in waiting], [a.batch.rows for a in arrivals])
        return self._decide(scored, step.ticks, positions)

    def _decide(
        self, scored: Sequence[Scored], ticks: Ticks, positions: Positions
    ) -> list[IncidentEvent]:
        """Opinions → decisions."""
        for one in scored:
            silent = int(np.count_nonzero(np.isnan(one.scores)))
            self._scored[one.detector] += len(one.scores) - silent
        if self._watch is not None:
            self._watch(scored, self.numbering)
        rare = self.policy.judge(scored)
        detectors = self.host.detectors
        findings = [
            finding_of(row, detectors[row.scored.detector], self.numbering, positions)
            for row in rare
        ]
        # Time matters only where something is open, or will be.
        watched = self.incidents.by_site.keys() | {finding.site for finding in findings}
        times = (
            event_time_of(tick, self.numbering, positions)
            for tick in (ticks.tolist() if watched else ())
            if self.numbering.site_of(tick[1]) in watched
        )
        return self.incidents.apply(findings, times, self._explain)

    def _explain(self, detector: str, evidence: Evidence, subject: str) -> Explanation | None:
        number = self.host.number(detector)
        if number is None:
            return None
        try:
            words = self.host.detectors[number].explain(evidence.facts)
            return fill(words, evidence, subject)
        except Exception as error:  # noqa: BLE001  # the fence: words are the detector's own
            self.host.strike(number, error)
            return None

    def _make_room(self) -> None:
        self.host.know(self.numbering.site_keys, self.numbering.agent_keys)
        self.policy.make_room(len(self.numbering.sites))

    def _observe(self, step: Step, arrivals: Sequence[Arrival]) -> None:
        seen = self.observed
        for arrival in arrivals:
            name = self.numbering.sites[arrival.site]
            seen.rows[name] = seen.rows.get(name, 0) + arrival.batch.rows
        for counts, kept in ((step.late, seen.late), (step.future, seen.future)):
            for agent in np.flatnonzero(counts):
                name = self.numbering.site_of(int(agent))
                kept[name] = kept.get(name, 0) + int(counts[agent])

    def _control(self, entry: Entry) -> list[IncidentEvent]:
        """Obey an entry that is no batch; one that makes no sense is logged and changes nothing."""
        try:
            match entry.kind:
                case "model":
                    self.host.activate(*Model.read(entry))
                case "verdict":
                    return self._answer(Verdict.read(entry), entry)
                case "budget":
                    budget, site = Budget.read(entry), self.numbering.site(entry.site)
                    self._make_room()
                    self.policy.set_budget(site, budget.per_week)
                case "exemption":
                    self.numbering.site(entry.site)  # so that a checkpoint knows it
                    self.incidents.exempt(entry.site, Exemption.read(entry))
        except ValueError as error:  # msgspec's errors and those of texts are values' errors, too
            log.error(  # noqa: TRY400  # the text is enough
                "journal entry ignored",
                extra={"position": entry.position, "kind": entry.kind, "why": str(error)},
            )
        return []

    def _answer(self, verdict: Verdict, entry: Entry) -> list[IncidentEvent]:
        site, normal = self.numbering.site(entry.site), verdict.verdict == "normal"
        self._make_room()
        answered = self.incidents.answer(
            verdict.uid, normal=normal, position=entry.position, explain=self._explain
        )
        if answered is None:
            return []
        incident, events = answered
        for name in {evidence.detector for evidence in incident.evidences} if normal else ():
            strongest = max(e.score for e in incident.evidences if e.detector == name)
            number = self.host.number(name)
            if number is not None:
                self.policy.learn_normal(number, site, strongest)
        return events

"""HOT  The engine: journal entries in, incident events out. It reads nothing else, not even a clock.

One engine owns some partitions; one thread drives it. The same entries give the same events
whatever the size of the steps, the speed, or a stop and start between two of them.

A site's rows are one sequence, and its record has a position of its own. A partition's entries count
from the `Release` on that this engine is: what another has decided is learned, and not said again.

Facts, opinions and decisions are three steps in a row (`Engine._fold`): the detectors score, the
policy judges how rare that is on a site, the open incidents decide what is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from dijkwacht_collector.engine.columns import Arrival, Step, Ticks, join_columns
from dijkwacht_collector.engine.controls import Controls
from dijkwacht_collector.engine.detector_host import DetectorHost
from dijkwacht_collector.engine.findings import Positions, event_time_of, finding_of
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.engine.observed import Observed
from dijkwacht_collector.engine.site_record import Control, PartitionState, SiteRecord
from dijkwacht_collector.engine.succession import History, no_history
from dijkwacht_collector.incidents import Incident, IncidentEvent, OpenIncidents
from dijkwacht_collector.journal import Bundles, BundlesInHand, Entry, partition_of
from dijkwacht_collector.policy import Calibrations, Policy, Scored
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_detectors.state.memory import Kept
from dijkwacht_records.wire import read_checked

STEP_ROWS: Final = 8192
"""Rows folded at once: enough to be cheap, few enough to stay in the cache."""
_DAY_US: Final = 86_400_000_000
Watch = Callable[[Sequence[Scored], Numbering], None]
"""Called once a step with all opinions; it must leave them as they are."""


class Engine:
    """Detectors, policy and incidents of the partitions it owns.

    ``calibrations``: those shipped, if None. ``watch`` sees the opinions of each step; ``bundles``
    and ``history`` as in `Controls`. ``positions``: that of the last entry folded, by partition;
    ``touched``: the partitions of which something was folded since it was last emptied.
    """

    def __init__(
        self,
        detectors: Sequence[AnyDetector],
        calibrations: Calibrations | None = None,
        watch: Watch | None = None,
        bundles: Bundles | BundlesInHand | None = None,
        history: History | None = None,
    ) -> None:
        self.positions: dict[int, int] = {}
        self.touched: set[int] = set()
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
        self.controls = Controls(
            self.host, self.policy, self.incidents, self.numbering,
            bundles or BundlesInHand(), history or no_history,
        )  # fmt: skip
        self._last = 0
        self._covered: dict[str, int] = {}
        self._watch = watch
        self._scored = [0] * len(detectors)

    def step(self, entries: Sequence[Entry]) -> list[IncidentEvent]:
        """Fold ``entries`` in order and return what changed about incidents, in order."""
        events: list[IncidentEvent] = []
        waiting: list[tuple[Arrival, int]] = []
        rows = 0
        for entry in self._uncovered(entries) if self._covered else entries:
            self.controls.succession.note(entry)
            if entry.kind == "batch":
                arrival = self._arrive(entry)
                waiting.append((arrival, entry.position))
                rows += arrival.batch.rows
            if waiting and (entry.kind != "batch" or rows >= STEP_ROWS):
                events += self._fold(waiting)
                waiting, rows = [], 0
            if entry.kind != "batch":
                events += self.controls.obey(entry)
        if waiting:
            events += self._fold(waiting)
        self.positions.update((entry.partition, entry.position) for entry in entries)
        self.touched.update(entry.partition for entry in entries)
        self._last = entries[-1].position if entries else self._last
        return events

    def finish(self) -> list[IncidentEvent]:
        """End every window, as at the end of a recording; incidents stay open."""
        agents = np.arange(len(self.numbering.agents))
        ends = np.column_stack((np.zeros_like(agents), agents, self.clocks[agents] + _DAY_US))
        return self._decide(self.host.end_windows(ends), ends[:0], [self._last])

    def open_incidents(self) -> list[Incident]:
        """Every open incident as it stands; between two updates it may have grown."""
        return self.incidents.current(self.host.explain)

    def take_observed(self) -> Observed:
        """Hand over what was counted since the last time."""
        observed, self.observed = self.observed, Observed()
        for hosted in self.host.hosted:
            if failed := hosted.take_failed():
                observed.failures[hosted.detector.name] = failed
        observed.shed, self.incidents.shed = self.incidents.shed, {}
        names = (detector.name for detector in self.host.detectors)
        observed.scored = {n: c for n, c in zip(names, self._scored, strict=True) if c}
        self._scored = [0] * len(self._scored)
        for site, rows in self.host.take_dropped().items():
            observed.dropped[self.numbering.sites[site]] = rows
        return observed

    def take_samples(self) -> dict[str, Kept]:
        """What detectors with a model have kept for training, by detector; good until the next step."""
        return self.host.samples()

    def take(self, name: str) -> SiteRecord:
        """All that is known of one site at `position`; it stays here."""
        site = self.numbering.site(name)
        agents = self.numbering.agents_at(site)
        self._make_room()
        entities, detectors, contexts = self.host.take(site, agents, self.policy)
        clocks = [(agent, int(self.clocks[number])) for number, agent in agents.items()]
        control = Control(clocks, self.policy.per_week.get(site), self.incidents.take(name))
        return SiteRecord(name, self.position_of(name), control, entities, detectors, contexts)

    def position_of(self, site: str) -> int:
        """Up to which position a site's entries have been folded."""
        # After a restart a site may still be ahead of its partition: see `resume`.
        return max(self.positions.get(partition_of(site), 0), self._covered.get(site, 0))

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

    def state_of(self, partition: int, epoch: int, store_id: str) -> PartitionState:
        """What a checkpoint holds of a partition besides its sites; see `PartitionState`."""
        position = self.positions.get(partition, 0)
        return self.controls.state_of(partition, position, epoch, store_id)

    def resume(self, states: Sequence[PartitionState], records: Sequence[SiteRecord]) -> None:
        """Go on from a checkpoint. Entries that a site's record covers already are passed over."""
        for state in states:
            self.positions[state.partition] = state.position
        self.controls.resume(states)
        for record in records:
            self.numbering.site(record.name)
        self._make_room()  # once for all
        for record in records:
            self.put(record)
            self.controls.resumed[record.name] = record.position
            if record.position > self.positions.get(partition_of(record.name), 0):
                self._covered[record.name] = record.position

    def _uncovered(self, entries: Sequence[Entry]) -> list[Entry]:
        """Without what a record covers that was taken behind the others' (see `resume`)."""
        fresh = [e for e in entries if e.position > self._covered.get(e.site, -1)]
        reached = {entry.partition: entry.position for entry in entries}
        self._covered = {
            site: position
            for site, position in self._covered.items()
            if position > reached.get(partition_of(site), 0)
        }
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
        self.controls.note_failures(positions)
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
        speaking = self.controls.succession.speaks_of({finding.site for finding in findings})
        findings = [finding for finding in findings if finding.site in speaking]
        # Time matters only where something is open, or will be.
        watched = speaking | self.controls.succession.speaks_of(set(self.incidents.by_site))
        times = (
            event_time_of(tick, self.numbering, positions)
            for tick in (ticks.tolist() if watched else ())
            if self.numbering.site_of(tick[1]) in watched
        )
        return self.incidents.apply(findings, times, self.host.explain)

    def _make_room(self) -> None:
        self.host.know(self.numbering)
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

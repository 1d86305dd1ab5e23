"""HOT  The engine: journal entries in, incident events out. It reads nothing else, not even a clock.

One engine owns some partitions; one thread drives it. The same entries give the same events
whatever the size of the steps, the speed, or a stop and start between two of them.

A site's rows are one sequence, and its record has a position of its own. A partition's entries count
from the `Release` on that this engine is: what another has decided is learned, and not said again.

Facts, opinions and decisions are three steps in a row (`Engine._fold`): the detectors score, the
policy judges how rare that is on a site, the open incidents decide what is reported.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.engine.columns import Arrival, Step, Ticks, join_columns
from dijkwacht_collector.engine.detector_host import DetectorHost
from dijkwacht_collector.engine.findings import Positions, event_time_of, finding_of
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.engine.observed import Observed
from dijkwacht_collector.engine.release import Member, describe, source_of
from dijkwacht_collector.engine.site_record import Control, PartitionState, SiteRecord
from dijkwacht_collector.engine.succession import History, Succession, no_history
from dijkwacht_collector.incidents import (
    Evidence,
    Incident,
    IncidentEvent,
    OpenIncidents,
    fill,
    recall,
)
from dijkwacht_collector.journal import (
    PARTITIONS,
    Budget,
    Bundles,
    BundlesInHand,
    Entry,
    Exemption,
    Model,
    Release,
    Verdict,
    bundle_name,
    partition_of,
)
from dijkwacht_collector.policy import Calibrations, Policy, Scored
from dijkwacht_detectors.api import AnyDetector, Explanation
from dijkwacht_records.errors import JournalError
from dijkwacht_records.wire import read_checked

log: Final = logging.getLogger(__name__)

STEP_ROWS: Final = 8192
"""Rows folded at once: enough to be cheap, few enough to stay in the cache."""
_DAY_US: Final = 86_400_000_000
Watch = Callable[[Sequence[Scored], Numbering], None]
"""Called once a step with all opinions; it must leave them as they are."""


class Engine:
    """Detectors, policy and incidents of the partitions it owns.

    ``calibrations``: those shipped, if None. ``watch`` sees the opinions of each step. ``bundles``
    keeps what entries only name; ``history`` is asked when another release has decided before this one.
    ``positions``: that of the last entry folded, by partition;
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
        self._bundles, self._history = bundles or BundlesInHand(), history or no_history
        self._last = 0
        self._covered: dict[str, int] = {}
        self._succession = Succession(lambda: self.release)
        self._models: dict[int, dict[str, str]] = {}
        self._active: dict[str, str] = {}
        self._watch = watch
        self._scored = [0] * len(detectors)

    def step(self, entries: Sequence[Entry]) -> list[IncidentEvent]:
        """Fold ``entries`` in order and return what changed about incidents, in order."""
        events: list[IncidentEvent] = []
        waiting: list[tuple[Arrival, int]] = []
        rows = 0
        for entry in self._uncovered(entries) if self._covered else entries:
            self._succession.note(entry)
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
        return PartitionState(
            partition, self.positions.get(partition, 0), epoch, store_id,
            self._succession.in_force(partition), self._models.get(partition, {}), {},
        )  # fmt: skip

    def resume(self, states: Sequence[PartitionState], records: Sequence[SiteRecord]) -> None:
        """Go on from a checkpoint. Entries that a site's record covers already are passed over."""
        for state in states:
            self.positions[state.partition] = state.position
            if state.release:
                self._succession.obey(state.partition, state.release, state.position)
            for detector, bundle in state.models.items():
                try:
                    self._activate(state.partition, Model(detector, bundle))
                except (JournalError, OSError) as error:
                    log.error("model lost", extra={"detector": detector, "why": str(error)})  # noqa: TRY400
        for record in records:
            self.numbering.site(record.name)
        self._make_room()  # once for all
        for record in records:
            self.put(record)
            if record.position > self.positions.get(partition_of(record.name), 0):
                self._covered[record.name] = record.position

    @cached_property
    def release(self) -> str:
        """The name of the release that decides here."""
        return bundle_name(self.description())

    def distrust(self, partition: int) -> None:
        """Nobody knows who has decided in a partition so far: learn only, until a `Release` comes."""
        self._succession.obey(partition, "", 0)

    def decides(self, partition: int) -> bool:
        """Whether what is folded of a partition now is decided here; else another release's."""
        return self._succession.decides(partition)

    def description(self) -> bytes:
        """Who decides here; see `release`. A `Release` entry names its hash."""
        return describe(
            Member(
                detector.name,
                "live" if policy.share else "shadow",
                policy.share,
                signature,
                policy.signature,
                source_of(detector),
            )
            for detector, policy, signature in zip(
                self.host.detectors, self.policy.detectors, self.host.signatures, strict=True
            )
        )

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
        speaking = self._succession.speaks_of({finding.site for finding in findings})
        findings = [finding for finding in findings if finding.site in speaking]
        # Time matters only where something is open, or will be.
        watched = speaking | self._succession.speaks_of(set(self.incidents.by_site))
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
                    model = Model.read(entry)
                    # Those of earlier versions stood once in the journal, for all sites.
                    for partition in [entry.partition] if model.bundle else range(PARTITIONS):
                        self._activate(partition, model)
                case "release":
                    release = Release.read(entry).bundle
                    return self._obey_release(entry.partition, release, entry.position)
                case "verdict":
                    return self._answer(Verdict.read(entry), entry.partition, entry.position)
                case "budget":
                    budget, site = Budget.read(entry), self.numbering.site(entry.site)
                    self._make_room()
                    self.policy.set_budget(site, budget.per_week)
                case "exemption":
                    self.numbering.site(entry.site)  # so that a checkpoint knows it
                    self.incidents.exempt(entry.site, Exemption.read(entry))
        except (ValueError, JournalError, OSError) as error:
            # msgspec's errors and those of texts are values' errors, the others a bundle's.
            log.error(  # noqa: TRY400  # the text is enough
                "journal entry ignored",
                extra={"position": entry.position, "kind": entry.kind, "why": str(error)},
            )
        return []

    def _activate(self, partition: int, model: Model) -> None:
        """Use a model for the sites of a partition. Raises `JournalError` if its bytes are not there."""
        if model.data is not None:
            model = Model(model.detector, self._bundles.keep(model.data))
        of_partition = self._models.setdefault(partition, {})
        if of_partition.get(model.detector) != model.bundle:
            if self._active.get(model.detector) != model.bundle:
                self.host.activate(model.detector, self._bundles.get(model.bundle))
                self._active[model.detector] = model.bundle
            of_partition[model.detector] = model.bundle

    def _obey_release(self, partition: int, release: str, position: int) -> list[IncidentEvent]:
        """Go on by what the store holds, if another release has decided before this one."""
        quiet = self._succession.obey(partition, release, position)
        if quiet is None:
            return []
        for site, stored in self._history(partition).items():
            self.numbering.site(site)
            self._make_room()
            incidents = [event.incident for event in stored]
            self.incidents.put(site, recall(self.incidents.take(site), incidents))
            for event in stored:
                if event.incident.status == "normal" and event.position > quiet.since:
                    self._learn_normal(event.incident)
        return [
            event
            for verdict in quiet.verdicts
            for event in self._answer(verdict, partition, position)
        ]

    def _answer(self, verdict: Verdict, partition: int, position: int) -> list[IncidentEvent]:
        if self._succession.defer(partition, verdict):
            return []
        normal = verdict.verdict == "normal"
        answered = self.incidents.answer(
            verdict.uid, normal=normal, position=position, explain=self._explain
        )
        if answered is None:
            return []
        incident, events = answered
        if normal:
            self._learn_normal(incident)
        return events

    def _learn_normal(self, incident: Incident) -> None:
        site = self.numbering.site(incident.site)
        self._make_room()
        for name in {evidence.detector for evidence in incident.evidences}:
            strongest = max(e.score for e in incident.evidences if e.detector == name)
            number = self.host.number(name)
            if number is not None:
                self.policy.learn_normal(number, site, strongest)

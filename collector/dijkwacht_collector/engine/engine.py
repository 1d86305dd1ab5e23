"""HOT  The engine: journal entries in, incident events out. It reads nothing else, not even a clock.

One engine owns some partitions; one thread drives it. The same entries give the same events
whatever the size of the steps, the speed, or a stop and start between two of them.

Facts, opinions and decisions are three steps in a row (`Engine._fold`): the detectors score, the
policy judges how rare that is on a site, the open incidents decide what is reported.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.engine.columns import Arrival, Step, Tick, join_columns
from dijkwacht_collector.engine.detector_host import DetectorHost
from dijkwacht_collector.engine.findings import Positions, event_time_of, finding_of
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.incidents import Evidence, Incident, IncidentEvent, OpenIncidents, fill
from dijkwacht_collector.journal import Budget, Entry, Exemption, Model, Verdict
from dijkwacht_collector.policy import Policy, Scored, budget_share, load_calibration
from dijkwacht_detectors.api import AnyDetector, Explanation
from dijkwacht_records.errors import DijkwachtError
from dijkwacht_records.wire import read_checked

log: Final = logging.getLogger(__name__)

STEP_ROWS: Final = 8192
"""Rows folded at once: enough to be cheap, few enough to stay in the cache."""
CHECKPOINT_VERSION: Final = 4
_DAY_US: Final = 86_400_000_000


@dataclass
class Observed:
    """Counts by site, and of failures by detector, since telemetry last took them."""

    rows: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    future: dict[str, int] = field(default_factory=dict)
    shed: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)


class Engine:
    """Detectors, policy and incidents of the partitions it owns."""

    def __init__(self, detectors: Sequence[AnyDetector]) -> None:
        self.position = -1
        self.numbering = Numbering()
        self.clocks = np.zeros(0, np.int64)
        calibrations = [load_calibration(d.name) for d in detectors]
        shares = [budget_share(*pair) for pair in zip(detectors, calibrations, strict=True)]
        self.host = DetectorHost(detectors)
        self.policy = Policy(calibrations, shares)
        self.incidents = OpenIncidents()
        self.observed = Observed()
        self._wanted = self.host.wanted_columns()
        tables = msgspec.json.encode((calibrations, shares))  # a checkpoint would keep the old ones
        self._signature = (self.host.signature(), hashlib.blake2b(tables).hexdigest())

    def step(self, entries: Sequence[Entry]) -> list[IncidentEvent]:
        """Fold ``entries`` in order and return what changed about incidents, in order."""
        events: list[IncidentEvent] = []
        waiting: list[tuple[Arrival, int]] = []
        rows = 0
        for entry in entries:
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
        ends = [
            Tick(0, agent, int(self.clocks[agent]) + _DAY_US)
            for agent in range(len(self.numbering.agents))
        ]
        return self._decide(self.host.end_windows(ends), [], [self.position])

    def open_incidents(self) -> list[Incident]:
        """Every open incident as it stands; between two updates it may have grown."""
        return self.incidents.current(self._explain)

    def take_observed(self) -> Observed:
        """Hand over what was counted since the last time."""
        observed, self.observed = self.observed, Observed()
        observed.failures, self.host.failures = self.host.failures, {}
        observed.shed, self.incidents.shed = self.incidents.shed, {}
        return observed

    def take_samples(self) -> dict[str, NDArray[np.float64]]:
        """Rows that detectors with a model have kept for training, by detector."""
        return self.host.samples()

    def save(self, path: Path) -> None:
        """Write a checkpoint at `position`: a cache of what the journal holds, readable by us alone."""
        path.write_bytes(
            pickle.dumps(
                (
                    CHECKPOINT_VERSION, self._signature, self.position, self.numbering,
                    self.clocks, self.policy, self.incidents, self.host.memory(),
                ),
                protocol=5,
            )
        )  # fmt: skip

    def load(self, path: Path) -> None:
        """Take up a checkpoint. Raises `DijkwachtError` if it is of other code, detectors or calibration."""
        try:
            held = pickle.loads(path.read_bytes())  # noqa: S301  # our own file, readable by us alone
        except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError) as error:
            raise DijkwachtError(f"{path}: not a checkpoint of this version: {error}") from None
        if held[:2] != (CHECKPOINT_VERSION, self._signature):
            raise DijkwachtError(f"{path}: made by other code, other detectors or calibration")
        self.position, self.numbering, self.clocks, self.policy, self.incidents = held[2:7]
        self.host.recall(held[7])

    def _arrive(self, entry: Entry) -> Arrival:
        batch = read_checked(entry.payload)  # the journal's own checksum vouches for it
        site = self.numbering.site(entry.site)
        agent = self.numbering.agent(site, batch.agent)
        if agent >= len(self.clocks):
            self.clocks = np.append(self.clocks, np.zeros(agent + 1, np.int64))
        return Arrival(batch, site, agent, entry.arrival)

    def _fold(self, waiting: Sequence[tuple[Arrival, int]]) -> list[IncidentEvent]:
        arrivals = [arrival for arrival, _ in waiting]
        step = join_columns(arrivals, self._wanted, self.clocks)
        self._make_room()
        self._observe(step, arrivals)
        scored = self.host.score(step)
        positions = np.repeat([p for _, p in waiting], [a.batch.rows for a in arrivals])
        return self._decide(scored, step.ticks, positions)

    def _decide(
        self, scored: Sequence[Scored], ticks: Sequence[Tick], positions: Positions
    ) -> list[IncidentEvent]:
        """Opinions → decisions."""
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
            for tick in (ticks if watched else ())
            if self.numbering.site_of(tick.agent) in watched
        )
        return self.incidents.apply(findings, times, self._explain)

    def _explain(self, detector: str, evidence: Evidence, subject: str) -> Explanation | None:
        number = self.host.number(detector)
        try:
            words = self.host.detectors[number].explain(evidence.facts)
            return fill(words, evidence, subject)
        except Exception as error:  # noqa: BLE001  # the fence: words are the detector's own
            self.host.strike(number, error)
            return None

    def _make_room(self) -> None:
        self.host.make_room(len(self.numbering.agents))
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
            self.policy.learn_normal(self.host.number(name), site, strongest)
        return events

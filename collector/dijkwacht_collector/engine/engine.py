"""HOT  The engine: journal entries in, incident events out. It reads nothing else, not even a clock.

One engine owns some partitions; one thread drives it. The same entries give the same events
whatever the size of the steps, the speed, or a stop and start between two of them.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.engine.columns import Arrival, Step, Tick, join_columns
from dijkwacht_collector.engine.detector_host import DetectorHost, Pick
from dijkwacht_collector.incidents.incident import Evidence, IncidentEvent
from dijkwacht_collector.incidents.open_incidents import Candidate, Ledger
from dijkwacht_collector.journal.entry import Entry
from dijkwacht_collector.journal.payloads import Budget, Exemption, Model, Verdict
from dijkwacht_collector.policy.calibration import load_calibration
from dijkwacht_collector.policy.policy import Policy, budget_share
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_records.addresses import UNSPECIFIED, format_address, format_mac
from dijkwacht_records.errors import DijkwachtError
from dijkwacht_records.wire import read_checked

log: Final = logging.getLogger(__name__)

STEP_ROWS: Final = 8192
"""Rows folded at once: enough to be cheap, few enough to stay in the cache."""
CHECKPOINT_VERSION: Final = 4
MOST_AGENTS: Final = 256
"""Agents of one site that are told apart; those past it count as one, `OTHER_AGENTS`."""
OTHER_AGENTS: Final = "others"
_DAY_US: Final = 86_400_000_000


@dataclass
class Names:
    """Small numbers for sites and agents, in order of appearance."""

    sites: list[str] = field(default_factory=list)
    site_numbers: dict[str, int] = field(default_factory=dict)
    agents: list[tuple[int, str]] = field(default_factory=list)
    agent_numbers: dict[tuple[int, str], int] = field(default_factory=dict)
    agents_of: dict[int, int] = field(default_factory=dict)

    def site(self, name: str) -> int:
        """The number of a site, a new one if it was never seen."""
        if name not in self.site_numbers:
            self.site_numbers[name] = len(self.sites)
            self.sites.append(name)
        return self.site_numbers[name]

    def agent(self, site: int, name: str) -> int:
        """The number of a site's agent."""
        known = self.agent_numbers.get((site, name))
        if known is not None:
            return known
        count = self.agents_of.get(site, 0)
        if count >= MOST_AGENTS and name != OTHER_AGENTS:
            return self.agent(site, OTHER_AGENTS)
        self.agents_of[site] = count + 1
        self.agent_numbers[site, name] = len(self.agents)
        self.agents.append((site, name))
        return self.agent_numbers[site, name]


@dataclass
class Observed:
    """What telemetry is told of the steps since it last asked."""

    rows: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    future: dict[str, int] = field(default_factory=dict)
    shed: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)


class Engine:
    """Detectors, policy and incidents of the partitions it owns."""

    def __init__(self, detectors: Sequence[AnyDetector]) -> None:
        self.position = -1
        self.names = Names()
        self.clocks = np.zeros(0, np.int64)
        calibrations = [load_calibration(d.name) for d in detectors]
        shares = [budget_share(*pair) for pair in zip(detectors, calibrations, strict=True)]
        self.policy = Policy(calibrations, shares)
        self.host = DetectorHost(detectors, self.policy)
        self.ledger = Ledger()
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
            for agent in range(len(self.names.agents))
        ]
        return self._decide(self.host.end_windows(ends), [], [self.position])

    def take_observed(self) -> Observed:
        """Hand over what telemetry has not been told yet."""
        observed, self.observed = self.observed, Observed()
        observed.failures, self.host.failures = self.host.failures, {}
        observed.shed, self.ledger.shed = self.ledger.shed, {}
        return observed

    def take_samples(self) -> dict[str, NDArray[np.float64]]:
        """Rows that detectors with a model have kept for training, by detector."""
        return self.host.samples()

    def save(self, path: Path) -> None:
        """Write a checkpoint at `position`: a cache of what the journal says, ours alone to read."""
        path.write_bytes(
            pickle.dumps(
                (
                    CHECKPOINT_VERSION, self._signature, self.position, self.names,
                    self.clocks, self.policy, self.ledger, self.host.memory(),
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
        self.position, self.names, self.clocks, self.policy, self.ledger = held[2:7]
        self.host.recall(held[7], self.policy)

    def _arrive(self, entry: Entry) -> Arrival:
        batch = read_checked(entry.payload)  # the journal's own checksum vouches for it
        site = self.names.site(entry.site)
        agent = self.names.agent(site, batch.agent)
        if agent >= len(self.clocks):
            self.clocks = np.append(self.clocks, np.zeros(agent + 1, np.int64))
        return Arrival(batch, site, agent, entry.arrival)

    def _fold(self, waiting: Sequence[tuple[Arrival, int]]) -> list[IncidentEvent]:
        arrivals = [arrival for arrival, _ in waiting]
        step = join_columns(arrivals, self._wanted, self.clocks)
        self.host.make_room(len(self.names.sites), len(self.names.agents))
        picks = self.host.fold(step)
        self._observe(step, arrivals)
        places = np.repeat([p for _, p in waiting], [a.batch.rows for a in arrivals])
        return self._decide(picks, step.ticks, places)

    def _decide(
        self,
        picks: Sequence[Pick],
        ticks: Sequence[Tick],
        places: Sequence[int] | NDArray[np.int64],
    ) -> list[IncidentEvent]:
        if not picks and not self.ledger.open:
            return []
        events: list[IncidentEvent] = []
        order: list[tuple[int, int, int, int, Pick | None]] = [
            (p.order, 1 + p.from_row, p.detector, p.at, p) for p in picks
        ]
        order += [(tick.order, 0, tick.agent, tick.time, None) for tick in ticks]
        order.sort(key=lambda item: item[:4])
        for place, _, number, time, pick in order:
            position = int(places[place])
            if pick is None:
                site = self.names.sites[self.names.agents[number][0]]
                if self.ledger.by_site.get(site):
                    events += self.ledger.close_quiet(site, time, position)
            else:
                try:
                    events += self.ledger.fold(self._candidate(pick), position)
                except Exception as error:  # noqa: BLE001  # the fence: words are the detector's own
                    self.host.strike(pick.detector, error)
        return events

    def _candidate(self, pick: Pick) -> Candidate:
        detector = self.host.detectors[pick.detector]
        site = self.names.sites[pick.site]
        subject, evidence = self._evidence(detector, pick)
        standing = self.ledger.standing(site, detector.kind, subject)
        spent = self.ledger.spent(site, detector.name, pick.time)
        if standing is not None and standing.severity_id >= 3:
            spent = max(0, spent - 1)  # it has been counted, and pays once
        return Candidate(
            site, detector.kind, detector.name, detector.technique, subject,
            self.policy.severity(pick.detector, pick.site, pick.rarity, spent), pick.rarity, evidence,
            detector.explain(evidence.facts),
        )  # fmt: skip

    def _evidence(self, detector: AnyDetector, pick: Pick) -> tuple[str, Evidence]:
        who, row = detector.who, pick.row
        src = _address(row, who.src)
        dst = _address(row, who.dst)
        mac = int(row[who.mac]) if who.mac else 0
        subject = {
            "src": format_address(src),
            "dst": format_address(dst),
            "mac": format_mac(mac),
            "agent": self.names.agents[pick.agent][1] if pick.agent >= 0 else "",
        }[detector.subject]
        return subject, Evidence(
            time=pick.time, score=pick.score, src_h=src, src_mac=mac, dst_h=dst,
            dst_p=int(row[who.port]) if who.port else 0,
            facts=pick.facts, name=row[who.name] if who.name else "", detector=detector.name,
        )  # fmt: skip

    def _observe(self, step: Step, arrivals: Sequence[Arrival]) -> None:
        seen, sites = self.observed, self.names.sites
        for arrival in arrivals:
            name = sites[arrival.site]
            seen.rows[name] = seen.rows.get(name, 0) + arrival.batch.rows
        for counts, kept in ((step.late, seen.late), (step.future, seen.future)):
            for agent in np.flatnonzero(counts):
                name = sites[self.names.agents[agent][0]]
                kept[name] = kept.get(name, 0) + int(counts[agent])

    def _control(self, entry: Entry) -> list[IncidentEvent]:
        """Obey an entry that is no batch; one that makes no sense is logged and changes nothing."""
        try:
            if entry.kind == "model":
                self.host.activate(*Model.read(entry))
            elif entry.kind in {"budget", "verdict"}:
                site = self.names.site(entry.site)
                self.host.make_room(len(self.names.sites), len(self.names.agents))
                if entry.kind == "verdict":
                    return self._answer(Verdict.read(entry), site, entry.position)
                budget = Budget.read(entry)
                for policy in self.policy.detectors:
                    policy.set_budget(site, budget.per_week)
            elif entry.kind == "exemption":
                self.ledger.exempt(entry.site, Exemption.read(entry))
        except ValueError as error:  # msgspec's errors and those of texts are values' errors, too
            log.error(  # noqa: TRY400  # the words say enough
                "journal entry ignored",
                extra={"position": entry.position, "kind": entry.kind, "why": str(error)},
            )
        return []

    def _answer(self, said: Verdict, site: int, position: int) -> list[IncidentEvent]:
        normal = said.verdict == "normal"
        answered = self.ledger.answer(said.uid, normal, position)
        if answered is None:
            return []
        incident, events = answered
        for name in {evidence.detector for evidence in incident.evidences} if normal else ():
            strongest = max(e.score for e in incident.evidences if e.detector == name)
            self.policy.detectors[self.host.number(name)].learn_normal(site, strongest)
        return events


def _address(row: Mapping[str, Any], column: str) -> bytes:
    if not column:
        return UNSPECIFIED
    high, low = row[column]
    return int(high).to_bytes(8, "big") + int(low).to_bytes(8, "big")

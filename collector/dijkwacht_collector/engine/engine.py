"""HOT  The engine: journal entries in, incident events out. It reads nothing else, not even a clock.

One engine owns some partitions; one thread drives it. The same entries give the same events
whatever the size of the steps, the speed, or a stop and start between two of them.

A site's rows are one sequence, and its record has a position of its own: one that costs much may be
folded later than the others, piece by piece (`Progress`, `SlowLane`). A partition's entries count
from the `Release` on that this engine is: what another has decided is learned, and not said again.

Facts, opinions and decisions are three steps in a row (`Engine._fold`): the detectors score, the
policy judges how rare that is on a site, the open incidents decide what is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from dijkwacht_collector.engine.columns import Arrival, Ticks, join_columns
from dijkwacht_collector.engine.controls import Controls
from dijkwacht_collector.engine.detector_host import DetectorHost
from dijkwacht_collector.engine.findings import Positions, event_time_of, finding_of
from dijkwacht_collector.engine.fold import Fold
from dijkwacht_collector.engine.fusion import Fusion
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.engine.observed import Observed
from dijkwacht_collector.engine.progress import Progress
from dijkwacht_collector.engine.site_record import Control, Owner, PartitionState, SiteRecord
from dijkwacht_collector.engine.succession import History, no_history
from dijkwacht_collector.engine.watched_time import WatchedTime
from dijkwacht_collector.incidents import Event, Exempted, Incident, OpenIncidents, Story
from dijkwacht_collector.journal import Bundles, BundlesInHand, Entry, partition_of
from dijkwacht_collector.policy import Calibrations, Policy, Scored
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_detectors.state.memory import Kept
from dijkwacht_records.contracts import READS
from dijkwacht_records.wire import contract_of, read_checked

STEP_ROWS: Final = 65_536
"""What is folded at once, in rows, see `Arrival.cost`: what is done once a fold, 2 ms, is spread over them."""
_DAY_US: Final = 86_400_000_000
Watch = Callable[[Sequence[Scored], Numbering], None]
"""Called once a step with all opinions, good until the next; it must leave them as they are."""
_KEPT_FREE: Final = 31 << 20
"""Bytes of a block, what a step needs, that is not given back to the system for the next step to ask for again."""
_ANY_TIME: Final = -(1 << 63)
_NEVER: Final = (1 << 63) - 1
_Arrived = tuple[Arrival, Entry]


def _keep_freed_memory() -> None:
    """Free a large block, by which glibc learns to keep smaller ones: the system has to wipe those it gets back.

    It takes no note of more than 32 MiB. Nobody writes to the block, so it costs nothing.
    """
    np.empty(_KEPT_FREE, np.uint8)


class Engine:
    """Detectors, policy and incidents of the partitions it owns.

    ``calibrations``: those shipped, if None. ``watch`` sees the opinions of each step; ``bundles``
    and ``history`` as in `Controls`. ``positions``: that of the last entry folded or passed over, by partition, see ``progress``;
    ``touched``: the partitions of which something was folded since it was last emptied. ``reads``: versions
    of the contract; a batch of another raises `UnknownContract`.
    """

    def __init__(
        self,
        detectors: Sequence[AnyDetector],
        calibrations: Calibrations | None = None,
        watch: Watch | None = None,
        bundles: Bundles | BundlesInHand | None = None,
        history: History | None = None,
        *,
        fuses: bool = True,
    ) -> None:
        self.reads: Collection[int] = READS
        self.progress = Progress()
        self.positions, self.position_of = self.progress.positions, self.progress.position_of
        self.touched: set[int] = set()
        self.numbering, self.observed = Numbering(), Observed()
        self._watched = WatchedTime()
        self.clocks = np.zeros(0, np.int64)
        calibrations = calibrations or Calibrations()
        self.host = DetectorHost(detectors)
        self.policy = Policy.of(detectors, calibrations, fuses=fuses)
        self.fusion = Fusion(self.policy.fusion)
        self.incidents = OpenIncidents()
        self._wanted = self.host.wanted_columns()
        self.controls = Controls(
            self.host, self.policy, self.fusion, self.incidents, self.numbering,
            bundles or BundlesInHand(), history or no_history,
        )  # fmt: skip
        self._watch, self._last, self._scored = watch, 0, [0] * len(detectors)
        _keep_freed_memory()

    def step(self, entries: Sequence[Entry]) -> list[Event]:
        """Fold ``entries`` in order and return what changed about incidents, in order."""
        events: list[Event] = []
        waiting: list[_Arrived] = []
        cost = 0
        for entry in entries:
            if waiting and (entry.kind != "batch" or cost >= STEP_ROWS):
                events += self._fold(waiting)
                waiting, cost = [], 0
            if self.progress.passes(entry):
                continue
            if entry.kind != "batch":
                events += self.obey(entry)
            elif begun := self.progress.begun.pop(entry.site, 0):
                events += self.advance(self.join([entry], begun))
            else:
                arrival = self._arrive(entry)
                waiting.append((arrival, entry))
                cost += arrival.cost
        if waiting:
            events += self._fold(waiting)
        self.progress.reach({entry.partition: entry.position for entry in entries})
        self.touched.update(entry.partition for entry in entries)
        self._last = entries[-1].position if entries else self._last
        return events

    def join(self, entries: Iterable[Entry], begun: int = 0) -> Fold:
        """The first batches of ``entries``, as many as are folded at once; `advance` folds them.

        ``begun``: rows of the first that were folded before; then it is the only one.
        """
        joined: list[_Arrived] = []
        cost = 0
        for entry in entries:
            joined.append((self._arrive(entry), entry))
            cost += joined[-1][0].cost
            if begun or cost >= STEP_ROWS:
                break
        fold = self._join(joined, begun)
        if not begun:
            self._note(fold)
        return fold

    def advance(self, fold: Fold, most: int | None = None) -> list[Event]:
        """Fold what costs ``most`` rows, see `Fold.cut`, or all that is left."""
        step = fold.cut(most, self.clocks)
        self._make_room()
        scored = self.host.score(step)
        return self._decide(scored, step.ticks, fold.positions)

    def obey(self, entry: Entry) -> list[Event]:
        """Fold an entry that is no batch."""
        self.controls.succession.note(entry)
        return self.controls.obey(entry)

    def finish(self) -> list[Event]:
        """End every window, as at the end of a recording; incidents stay open."""
        agents = np.arange(len(self.numbering.agents))
        ends = np.column_stack((np.zeros_like(agents), agents, self.clocks[agents] + _DAY_US))
        return self._decide(self.host.end_windows(ends), ends[:0], [self._last])

    def open_incidents(self) -> list[Incident]:
        """Every open incident as it stands; between two updates it may have grown."""
        return self.incidents.current(self.host.explain)

    def open_stories(self) -> list[Story]:
        """Every open story as it stands."""
        return self.incidents.open_stories()

    def take_observed(self) -> Observed:
        """Hand over what was counted since the last time."""
        observed, self.observed = self.observed, Observed()
        for hosted in self.host.hosted:
            if failed := hosted.take_failed():
                observed.failures[hosted.detector.name] = failed
        observed.shed, self.incidents.shed = self.incidents.shed, {}
        observed.watched = self._watched.take(self.numbering)
        observed.budgets = {
            self.numbering.sites[n]: b for n, b in self.policy.take_chosen().items()
        }
        exemptions = self.incidents.exemptions
        observed.exempted, exemptions.hidden = exemptions.hidden, {}
        names = (detector.name for detector in self.host.detectors)
        observed.scored = {n: c for n, c in zip(names, self._scored, strict=True) if c}
        self._scored = [0] * len(self._scored)
        for site, rows in self.host.take_dropped().items():
            observed.dropped[self.numbering.sites[site]] = rows
        return observed

    def take_exemptions(self, *, counted: bool) -> dict[str, list[Exempted]]:
        """The exemptions of sites decided here where they changed, or (``counted``) hid something."""
        exemptions = self.incidents.exemptions
        changed = exemptions.changed | (exemptions.counted if counted else set())
        taken = self.controls.succession.speaks_of(changed)
        exemptions.changed -= taken
        exemptions.counted -= taken
        return {site: exemptions.of(site) for site in sorted(taken)}

    def show_again(self, sites: Iterable[str]) -> None:
        """What was taken by `take_exemptions` of these was not taken on."""
        self.incidents.exemptions.changed.update(sites)

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
        position, rows = self.position_of(name), self.progress.rows_of(name)
        fusion = self.fusion.take(name, site)
        return SiteRecord(name, position, control, entities, detectors, contexts, rows, fusion)

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
        if record.fusion is not None:
            self.fusion.put(record.name, site, record.fusion)
        self.incidents.put(record.name, record.control.incidents)

    def state_of(self, partition: int, owner: Owner) -> PartitionState:
        """What a checkpoint holds of a partition besides its sites; see `PartitionState`."""
        position = self.progress.position(partition)
        return self.controls.state_of(partition, position, owner)

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
            if record.position > self.positions.get(partition_of(record.name), 0):
                self.progress.ahead[record.name] = record.position
            if record.rows:
                self.progress.begun[record.name] = record.rows

    def _arrive(self, entry: Entry) -> Arrival:
        self.controls.succession.note(entry)
        batch = entry.batch  # the intake may have read it just now
        if batch is None or contract_of(entry.payload) not in self.reads:
            batch = read_checked(entry.payload, self.reads)  # the journal's checksum vouches for it
        site = self.numbering.site(entry.site)
        agent = self.numbering.agent(site, batch.agent)
        self._set_clock(agent)
        return Arrival.of(batch, site, agent, entry.arrival)

    def _set_clock(self, agent: int, time: int | None = None) -> None:
        if agent >= len(self.clocks):
            self.clocks = np.append(self.clocks, np.zeros(agent + 1, np.int64))
        if time is not None:
            self.clocks[agent] = time

    def _join(self, waiting: Sequence[_Arrived], begun: int = 0) -> Fold:
        arrivals = [arrival for arrival, _ in waiting]
        clocks = self.clocks.copy()
        step = join_columns(arrivals, self._wanted, clocks)
        return Fold(step, arrivals, [entry.position for _, entry in waiting], clocks, begun)

    def _fold(self, waiting: Sequence[_Arrived]) -> list[Event]:
        fold = self._join(waiting)
        if heavy := self.progress.weigh(fold, [entry for _, entry in waiting], self.numbering):
            light = [one for one in waiting if one[1].site not in heavy]
            return self._fold(light) if light else []
        self._note(fold)
        return self.advance(fold)

    def _note(self, fold: Fold) -> None:
        self.observed.note(fold, self.numbering)
        self._watched.note(fold, self.numbering, self.controls.succession.speaks_of)

    def _decide(self, scored: Sequence[Scored], ticks: Ticks, positions: Positions) -> list[Event]:
        """Opinions → decisions."""
        self.controls.note_failures(positions)
        for one in scored:
            self._scored[one.detector] += len(one.said)
        if self._watch is not None:
            self._watch(scored, self.numbering)
        rare = self.policy.evidence(scored)
        detectors = self.host.detectors
        evidence = [
            finding_of(row, detectors[row.scored.detector], self.numbering, positions)
            for row in rare
        ]
        findings = [finding for finding, row in zip(evidence, rare, strict=True) if row.alerts]
        findings += self.fusion.weigh(self.incidents.not_exempt(evidence), self.numbering)
        speaking = self.controls.succession.speaks_of({finding.site for finding in findings})
        findings = [finding for finding in findings if finding.site in speaking]
        # Time matters only where something is open, or will be, and may be over.
        awake = self.incidents.awake()
        open_ = self.controls.succession.speaks_of(set(awake))
        watched = {site: awake[site] for site in open_} | dict.fromkeys(speaking, _ANY_TIME)
        awaited = self._awaited(ticks, watched) if watched else []
        times = (event_time_of(tick, self.numbering, positions) for tick in awaited)
        return self.incidents.apply(findings, times, self.host.explain)

    def _awaited(self, ticks: Ticks, watched: Mapping[str, int]) -> list[tuple[int, int, int]]:
        """The ``ticks`` that reach what their site is ``watched`` for, a time each."""
        earliest = np.full(len(self.numbering.agents), _NEVER)
        for site, time in watched.items():
            earliest[self.numbering.agents_of.get(self.numbering.site(site), [])] = time
        reached: list[tuple[int, int, int]] = ticks[ticks[:, 2] >= earliest[ticks[:, 1]]].tolist()
        return reached

    def _make_room(self) -> None:
        self.host.know(self.numbering)
        self.policy.make_room(len(self.numbering.sites))

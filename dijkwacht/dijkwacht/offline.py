"""Rows → journal → engine, as the collector does it, with a clock that the rows themselves move.

The arrival of a batch is the latest row time its site has reached, so what comes out depends on the
rows alone: not on the wall clock, the size of the batches, or a restart in between.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from dijkwacht_collector.engine import DetectorSet, Engine
from dijkwacht_collector.engine.checkpoints import load, save
from dijkwacht_collector.engine.engine import Watch
from dijkwacht_collector.engine.hosted import Hosted
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.engine.trainer import FIRST_SAMPLES, train, training_rows
from dijkwacht_collector.incidents import Event, Incident, IncidentEvent, Story, StoryEvent
from dijkwacht_collector.journal import (
    PARTITIONS,
    BundlesInHand,
    Draft,
    Journal,
    Model,
    batch_draft,
    batch_key,
    partition_of,
)
from dijkwacht_collector.policy import Scored
from dijkwacht_collector.readers.logs import row_time
from dijkwacht_records import wire
from dijkwacht_records.contracts import WRITES
from dijkwacht_records.tables import Row

NumberedRow = tuple[int, Row]
AGENT: Final = "recording"
BATCH_ROWS: Final = 1000
_BOOT: Final = bytes(16)
_COMMIT_ROWS: Final = 8192
_MEDIUM: Final = 3


@dataclass
class Outcome:
    """What came out: incidents and stories as they stand, and when each first alerted, or interrupted.

    ``first_alert``: uid → arrival at which an incident reached medium, µs UTC by the rows' clock;
    ``first_call``: story uid → that at which it first interrupted somebody, if not in what is muted.
    """

    incidents: dict[str, Incident] = field(default_factory=dict)
    first_alert: dict[str, int] = field(default_factory=dict)
    stories: dict[str, Story] = field(default_factory=dict)
    first_call: dict[str, int] = field(default_factory=dict)

    def final(self) -> list[Incident]:
        """All incidents in their last state, by start and name."""
        return sorted(self.incidents.values(), key=lambda i: (i.start, i.uid))

    def final_stories(self) -> list[Story]:
        """All stories in their last state, with their findings in theirs, by start and name.

        One that interrupted nobody, and whose findings all went over to another, is told there.
        """
        found = (
            story.with_findings(
                self.incidents[part.uid] for part in story.parts if part.uid in self.incidents
            )
            for story in self.stories.values()
            if story.interrupted or story.more or not self._went_on(story)
        )
        return sorted(found, key=lambda s: (s.start, s.uid))

    def _went_on(self, story: Story) -> bool:
        known = [self.incidents[part.uid] for part in story.parts if part.uid in self.incidents]
        return bool(known) and all(incident.story != story.uid for incident in known)


class OfflineCollector:
    """A journal in a temporary folder and an engine that reads it. Use as a context manager.

    ``detectors``: those shipped, if None. ``on_event`` sees every event as it happens, and
    ``watch`` every opinion, but for what is muted. ``contract``: the version its batches have.
    """

    def __init__(
        self,
        *,
        detectors: DetectorSet | None = None,
        on_event: Callable[[Event], None] = lambda _event: None,
        watch: Watch | None = None,
        contract: int = max(WRITES),
    ) -> None:
        self.outcome = Outcome()
        self.cpu_s = 0.0
        self.rows = 0
        self._detectors = detectors or DetectorSet()
        self._on_event, self._watch = on_event, watch
        self._contract = contract
        self._folder = tempfile.TemporaryDirectory(prefix="dijkwacht-")
        self._journal = Journal(Path(self._folder.name) / "journal")
        self._bundles = BundlesInHand()
        self._engine = self._new_engine()
        self._clock: dict[str, int] = {}
        self._seq: dict[str, int] = {}
        self._arrivals: dict[int, int] = {}
        self._waiting: list[tuple[int, Draft]] = []
        self._waiting_rows = 0
        self._after = dict.fromkeys(range(PARTITIONS), 0)
        self._muted = False
        self._muted_until = -1

    def __enter__(self) -> Self:
        self._journal.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._journal.close()
        self._folder.cleanup()

    @property
    def hosted(self) -> Sequence[Hosted]:
        """The detectors of the present engine, in their order."""
        return self._engine.host.hosted

    def play(self, site: str, rows: Sequence[NumberedRow]) -> None:
        """Append ``rows`` as one batch of ``site`` (more, if they are too large for one)."""
        if not rows:
            return
        arrival = max(self._clock.get(site, 0), *map(row_time, rows))
        self._clock[site] = arrival
        seq = self._seq.get(site, 0)
        payload = wire.encode(site, AGENT, _BOOT, seq, arrival, rows, self._contract)
        if len(payload) > wire.MAX_WIRE_BYTES and len(rows) > 1:
            half = len(rows) // 2
            self.play(site, rows[:half])
            self.play(site, rows[half:])
            return
        self._seq[site] = seq + 1
        draft = batch_draft(site, batch_key(AGENT, _BOOT, seq), arrival, payload)
        self._waiting.append((partition_of(site), draft))
        self._waiting_rows += len(rows)
        self.rows += len(rows)
        if self._waiting_rows >= _COMMIT_ROWS:
            self.flush()

    def play_all(
        self, site: str, batches: Iterable[Sequence[NumberedRow]], train_after: int
    ) -> None:
        """Play ``batches`` to their end; models are trained once, as live, after so many rows."""
        for batch in batches:
            self.play(site, batch)
            if train_after and self.rows >= train_after:
                train_after = 0
                self.train()
        self.finish()

    def flush(self) -> None:
        """Make what waits durable, then let the engine read it from the journal."""
        if self._waiting:
            self._journal.append_all(self._waiting)
            self._waiting, self._waiting_rows = [], 0
        before = time.process_time()
        while True:
            entries, self._after = self._journal.read(self._after, self._after)
            if not entries:
                break
            self._arrivals = {entry.position: entry.arrival for entry in entries}
            self._record(self._engine.step(entries))
            arrival = entries[-1].arrival
            for site, strike in self._engine.controls.take_strikes():
                draft = strike.draft(site, arrival)
                self._journal.append_all([(partition_of(site), draft)])
        self.cpu_s += time.process_time() - before

    def finish(self) -> None:
        """The recording is over: end its windows."""
        self.flush()
        self._record(self._engine.finish())
        # Between two updates an open incident learns more than was reported.
        for incident in self._engine.open_incidents():
            if incident.uid in self.outcome.incidents or incident.end > self._muted_until:
                self.outcome.incidents[incident.uid] = incident
        for story in self._engine.open_stories():
            if story.uid in self.outcome.stories or story.end > self._muted_until:
                self.outcome.stories[story.uid] = story

    def restart(self) -> None:
        """Stop here and go on with a new engine from a checkpoint, as after a restart."""
        self.flush()
        checkpoint = Path(self._folder.name) / "checkpoints"
        save(self._engine, checkpoint)
        self._engine = self._new_engine()
        load(self._engine, checkpoint)

    def train(self) -> list[str]:
        """Train the models on what was seen so far; the names of detectors that got one.

        Like live, there is no model before `FIRST_SAMPLES` rows.
        """
        self.flush()
        trained, own_files = [], self._detectors.own_files()
        arrival = max(self._clock.values(), default=0)
        for name, kept in sorted(self._engine.take_samples().items()):
            if kept.seen.sum() < FIRST_SAMPLES:
                continue
            bundle = train(name, training_rows(kept), own_files.get(name))
            if bundle is not None:
                trained.append(name)
                draft = Model(name, self._bundles.keep(bundle)).draft("", arrival)
                self._waiting += ((partition, draft) for partition in range(PARTITIONS))
        self.flush()
        return trained

    def mute_events(self) -> None:
        """Report no events from here on, until `unmute_events`."""
        self.flush()
        self._muted = True

    def unmute_events(self) -> None:
        """Report events again; incidents that do not change after the muted time stay unreported."""
        self.flush()
        self._muted = False
        self._muted_until = max(self._clock.values(), default=-1)

    def _new_engine(self) -> Engine:
        engine = self._detectors.engine(self._see, self._bundles)
        engine.reads = {self._contract}
        return engine

    def _see(self, scored: Sequence[Scored], numbering: Numbering) -> None:
        if self._watch is not None and not self._muted:
            self._watch(scored, numbering)

    def _record(self, events: Iterable[Event]) -> None:
        for event in events:
            if self._muted:
                continue
            outcome = self.outcome
            known = outcome.stories if isinstance(event, StoryEvent) else outcome.incidents
            if event.activity == "close" and event.uid not in known:
                continue
            if isinstance(event, StoryEvent):
                self._record_story(event)
            else:
                self._record_incident(event)
            self._on_event(event)

    def _record_incident(self, event: IncidentEvent) -> None:
        incident = event.incident
        self.outcome.incidents[incident.uid] = incident
        if incident.severity_id >= _MEDIUM:
            arrival = self._arrivals.get(event.position, incident.end)
            self.outcome.first_alert.setdefault(incident.uid, arrival)

    def _record_story(self, event: StoryEvent) -> None:
        story = event.story
        self.outcome.stories[story.uid] = story
        if any(call.time > self._muted_until for call in story.calls):
            arrival = self._arrivals.get(event.position, story.end)
            self.outcome.first_call.setdefault(story.uid, arrival)


def replay_rows(
    rows: Iterable[NumberedRow],
    *,
    site: str = "replay",
    batch_rows: int = BATCH_ROWS,
    restart_after: frozenset[int] = frozenset(),
    detectors: DetectorSet | None = None,
) -> list[Incident]:
    """Incidents that a cold start finds in the rows of one site, in their final state."""
    return replay_batches(
        ((site, batch) for batch in cut(rows, batch_rows)),
        restart_after=restart_after,
        detectors=detectors,
    )


def replay_batches(
    batches: Iterable[tuple[str, Sequence[NumberedRow]]],
    *,
    restart_after: frozenset[int] = frozenset(),
    detectors: DetectorSet | None = None,
) -> list[Incident]:
    """The same for (site, rows) batches of any sites in any order.

    ``restart_after``: numbers of the batches, from 0, after which the engine is stopped and a new one
    goes on.
    """
    with OfflineCollector(detectors=detectors) as collector:
        for number, (site, rows) in enumerate(batches):
            collector.play(site, rows)
            if number in restart_after:
                collector.restart()
        collector.finish()
        return collector.outcome.final()


def cut(rows: Iterable[NumberedRow], size: int) -> Iterator[list[NumberedRow]]:
    """Lists of ``size`` rows, the last one shorter."""
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch

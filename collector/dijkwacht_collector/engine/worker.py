"""Engine threads: each reads the journal, steps its engine, hands the events to the sinks.

Every partition has exactly one thread. An engine that fails stops its thread, loudly; the intake
goes on, and the journal keeps what has still to be looked at.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from dijkwacht_collector.engine.checkpoints import Checkpoints, SaveRound
from dijkwacht_collector.engine.engine import Engine
from dijkwacht_collector.engine.trainer import Trainer
from dijkwacht_collector.incidents import IncidentEvent
from dijkwacht_collector.journal import PARTITIONS, Entry, Journal, Model
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_records.errors import CollectorBusy, DetectorError, JournalError

log: Final = logging.getLogger(__name__)

_STEP_BYTES: Final = 128 * 1024
_MANY_ENTRIES: Final = 64
_LONGEST_REST_S: Final = 0.004
_IDLE_S: Final = 0.1
_SAVE_S: Final = 0.002
"""Time between two steps that may go into taking sites for a checkpoint."""
_RETRY_S: Final = 1.0
_TRAINING_S: Final = 10.0


def calm_garbage_collection() -> None:
    """Look for cycles less often in this process: decoded batches hold none, and come in heaps.

    Python's own thresholds cost the engine a seventh of its time (docs/performance.md).
    """
    gc.set_threshold(50_000, 20, 100)


class Outlet(Protocol):
    """Where the events of all engines go; a sink that cannot take them raises ``OSError``."""

    def handle(self, events: Sequence[IncidentEvent]) -> None:
        """Take ``events`` in their order; those taken before are skipped."""

    def flush(self) -> None:
        """Return when everything handled so far would survive a power cut."""


@dataclass(frozen=True)
class EngineParts:
    """What every engine thread works with.

    ``checkpoint_interval_s``: seconds between two saves; ``store_id``: which store keeps the
    incidents, asked when the threads start; ``own_files``: detector → its file, of those that are
    not shipped.
    """

    journal: Journal
    make_engine: Callable[[], Engine]
    outlet: Outlet
    telemetry: Telemetry
    checkpoint_interval_s: float
    store_id: Callable[[], str]
    own_files: Mapping[str, Path] = field(default_factory=dict)


class EngineWorker:
    """Worker ``number`` of ``count``: the thread of every partition that is ``number`` modulo that."""

    def __init__(
        self,
        number: int,
        count: int,
        parts: EngineParts,
        checkpoints: Checkpoints,
        trainer: Trainer | None,
    ) -> None:
        self.partitions: Final = frozenset(range(number, PARTITIONS, count))
        self.failure: Exception | None = None
        self.position = 0
        self.saved = 0
        self.sinks_wait = False
        self._journal, self._make_engine = parts.journal, parts.make_engine
        self._outlet, self._telemetry = parts.outlet, parts.telemetry
        self._checkpoint_interval_s, self._store_id = parts.checkpoint_interval_s, parts.store_id
        self._checkpoints, self._trainer = checkpoints, trainer
        self._round: SaveRound | None = None
        self._alone = count == 1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"engine-{number}", daemon=True)

    def start(self) -> None:
        """Start the thread; the engine is restored there."""
        calm_garbage_collection()
        self._thread.start()

    def stop(self) -> None:
        """Finish the step in hand, save, end the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            engine = self._checkpoints.restore(
                self._make_engine, self._journal.last, self._store_id()
            )
            self.position = self.saved = max(engine.position, 0)
            log.info("engine starts", extra={"position": self.position, "end": self._journal.last})
            if self.position + 1 < self._journal.first:
                log.warning(
                    "the journal was trimmed: what came before its first position cannot come back",
                    extra={"position": self.position, "first": self._journal.first},
                )
            self._live(engine)
        except Exception as error:
            # The fence: one broken engine must not take intake, journal and console with it.
            self.failure = error
            log.exception("engine stopped", extra={"position": self.position})
        finally:
            self._abandon()
            if self._trainer is not None:
                self._trainer.stop()

    def _live(self, engine: Engine) -> None:
        saved = trained = time.monotonic()
        while not self._stop.is_set():
            if entries := self._journal.read(self.position + 1, max_bytes=_STEP_BYTES):
                began = time.perf_counter()
                if not self._step(engine, entries):
                    return
                if len(entries) < _MANY_ENTRIES:
                    # A step costs nearly the same for one entry as for many. Under load, waiting as
                    # long as it took lets more entries arrive; a lone one has been folded already.
                    self._stop.wait(min(time.perf_counter() - began, _LONGEST_REST_S))
            else:
                self._journal.wait_beyond(self.position, self._patience())
            now = time.monotonic()
            if now - trained >= _TRAINING_S and self._trainer is not None:
                trained = now
                self._train(engine, self._trainer)
            if self._round is not None:
                self._round.advance(engine, _SAVE_S)
                if self._round.finished:
                    self._end_round(self._round)
                    self._round = None
            elif now - saved >= self._checkpoint_interval_s and engine.position > self.saved:
                saved = now
                self._round = self._begin_round(engine)
        self._save_all(engine)

    def _patience(self) -> float:
        """Seconds for which an idle engine waits for entries."""
        if self._round is None:
            return _IDLE_S
        return 0.0 if self._round.takes else _LONGEST_REST_S

    def _step(self, engine: Engine, entries: list[Entry]) -> bool:
        """Fold ``entries``; False if the sinks could not take the events before the stop."""
        end = entries[-1].position
        began = time.perf_counter()
        events = engine.step(self._own(entries))
        engine.position = end  # what lies between is of other partitions, and done with
        self._count(engine, time.perf_counter() - began)
        if not self._hand_over(events):
            return False
        self.position = end
        self._telemetry.show_lag(self._journal.last - end)
        return True

    def _own(self, entries: list[Entry]) -> list[Entry]:
        if self._alone:
            return entries
        # A model counts for every site, wherever its entry lies.
        return [e for e in entries if e.partition in self.partitions or e.kind == "model"]

    def _hand_over(self, events: list[IncidentEvent]) -> bool:
        """Hand ``events`` to the sinks, again and again until they take them or the stop comes.

        Nothing is lost meanwhile: sinks know what they have, and no checkpoint passes them.
        """
        while events:
            try:
                self._outlet.handle(events)
                break
            except OSError as error:
                self.sinks_wait = True
                log.warning("sinks wait", extra={"why": str(error)})
                if self._stop.wait(_RETRY_S):
                    return False
        self.sinks_wait = False
        return True

    def _count(self, engine: Engine, seconds: float) -> None:
        seen = engine.take_observed()
        self._telemetry.observe_step(seconds)
        for site, rows in seen.rows.items():
            self._telemetry.count_engine_rows(site, rows)
        for site, rows in seen.late.items():
            self._telemetry.count_late(site, rows)
        for site, rows in seen.future.items():
            self._telemetry.count_future(site, rows)
        for site, rows in seen.dropped.items():
            self._telemetry.count_window_full(site, rows)
        for site, findings in seen.shed.items():
            self._telemetry.count_shed(site, findings)
        for detector, rows in seen.scored.items():
            self._telemetry.count_scored(detector, rows)
        for detector, failures in seen.failures.items():
            self._telemetry.count_failures(detector, failures)

    def _begin_round(self, engine: Engine) -> SaveRound | None:
        try:
            return self._checkpoints.begin(engine, self._outlet.flush)
        except OSError as error:
            log.warning("no checkpoint", extra={"why": str(error)})
            return None

    def _end_round(self, save_round: SaveRound) -> None:
        try:
            self.saved = save_round.result()
        except OSError as error:
            log.warning("no checkpoint", extra={"why": str(error)})

    def _save_all(self, engine: Engine) -> None:
        """At the stop: nothing waits for the engine any more."""
        self._abandon()
        if engine.position <= self.saved:
            return
        save_round = self._begin_round(engine)
        if save_round is not None:
            save_round.advance(engine)
            self._end_round(save_round)

    def _abandon(self) -> None:
        if self._round is not None:
            self._round.abandon()
            self._round = None

    def _train(self, engine: Engine, trainer: Trainer) -> None:
        try:
            if (made := trainer.collect()) is not None:
                detector, bundle = made
                arrival = time.time_ns() // 1000
                self._journal.append_many([Model(detector, bundle).draft(arrival)])
                log.info("model activated", extra={"detector": detector, "bytes": len(bundle)})
            trainer.offer(engine.take_samples())
        except (DetectorError, CollectorBusy, JournalError, OSError) as error:
            log.warning("training failed", extra={"why": str(error)})


class EngineWorkers:
    """All engine threads of one collector. The constructor is inert."""

    def __init__(self, count: int, parts: EngineParts, folder: Path, *, training: bool) -> None:
        self._journal = parts.journal
        self.each: Final = tuple(
            EngineWorker(
                number,
                count,
                parts,
                Checkpoints(folder, f"engine-{number + 1}-of-{count}"),
                Trainer(parts.own_files) if training and number == 0 else None,
            )
            for number in range(count)
        )

    @property
    def position(self) -> int:
        """The last entry that every engine has folded, its events in every sink."""
        return min(worker.position for worker in self.each)

    @property
    def saved(self) -> int:
        """The last position that every checkpoint covers."""
        return min(worker.saved for worker in self.each)

    @property
    def troubles(self) -> list[str]:
        """Why an engine stands still, if one does."""
        failed = [f"engine: {w.failure}" for w in self.each if w.failure is not None]
        return failed + ["sinks wait" for w in self.each if w.sinks_wait]

    def open(self) -> None:
        """Own the partitions and start every thread."""
        for worker in self.each:
            self._journal.own(worker.partitions)
            worker.start()

    def close(self) -> None:
        """Finish the steps in hand, save, end every thread."""
        for worker in self.each:
            worker.stop()

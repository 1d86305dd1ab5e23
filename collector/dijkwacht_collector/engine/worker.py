"""Engine threads: each reads the journal, steps its engine, hands the events to the sinks.

Every partition has exactly one thread, which holds its epoch: a former owner's events, models and
checkpoints are refused. An engine that fails stops its thread, loudly; the intake goes on, and the
journal keeps what has still to be looked at. So it does for a batch of a later contract, which an
engine that passed over it could not take back: what reads it goes on where this one stopped.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import groupby
from typing import Final

from dijkwacht_collector.engine.checkpoints import Checkpoints
from dijkwacht_collector.engine.engine import Engine
from dijkwacht_collector.engine.parts import EngineParts
from dijkwacht_collector.engine.saver import Saver
from dijkwacht_collector.engine.slow_lane import SlowLane
from dijkwacht_collector.engine.trainer import Trainer
from dijkwacht_collector.engine.unread import find_unread, report_unread
from dijkwacht_collector.incidents import Event
from dijkwacht_collector.journal import PARTITIONS, Entry, Release, Strike, partition_of
from dijkwacht_records.errors import CollectorBusy, UnknownContract

log: Final = logging.getLogger(__name__)

_STEP_BYTES: Final = 512 * 1024
"""What a step folds at most: 230 posts of 100 rows, 34 of 1,000. With half of it an engine that is behind folds a sixth fewer rows of these."""
_SEVERAL: Final = 4
_LONGEST_REST_S: Final = 0.012
_WRITER_S: Final = 0.004
"""How long an idle engine waits for the writer of a checkpoint that has enough."""
_IDLE_S: Final = 0.1
_RETRY_S: Final = 1.0
_TRAINING_S: Final = 10.0
_STOPPING_S: Final = 30.0
"""How long a stop waits for a step that hangs; nothing is lost, it is folded again at the next start."""
_LAST_STEPS_S: Final = 5.0
"""How long a stop may take to fold what is left: the next release would only learn from it."""
_LANE_SHARE: Final = 0.25
"""Time for the slow lane beside that for all others, if these leave none."""


def calm_garbage_collection() -> None:
    """Look for cycles less often in this process: decoded batches hold none, and come in heaps.

    Python's own thresholds cost the engine a seventh of its time (docs/performance.md).
    """
    gc.set_threshold(50_000, 20, 100)


class EngineWorker:
    """The thread of some ``partitions``. ``after``: up to where it has folded each of them.

    ``refused``: sites that have too much waiting to be folded.
    """

    def __init__(
        self,
        number: int,
        partitions: Sequence[int],
        parts: EngineParts,
        checkpoints: Checkpoints,
        trainer: Trainer | None,
    ) -> None:
        self.partitions: Final = tuple(partitions)
        self.failure: BaseException | None = None
        self.after = dict.fromkeys(partitions, 0)
        self.sinks_wait = self.takes_over = False
        self.left_out: list[tuple[str, str]] = []
        """Sites, and detectors that have failed there too often."""
        self._parts, self._journal, self._outlet = parts, parts.journal, parts.outlet
        self._checkpoints, self._trainer = checkpoints, trainer
        self._times = parts.telemetry.times
        self._number, self._epoch = number, 0
        self.refused: frozenset[str] = frozenset()
        self._seen, self._next = self.after, self.after
        self._owed = 0.0
        self._saver = Saver(partitions, parts, checkpoints)
        self._until = dict[int, int]()
        self._strikes: list[tuple[str, Strike]] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def durable(self) -> dict[int, int]:
        """By partition, up to where the journal is not needed any more."""
        return self._saver.durable

    def start(self, epoch: int) -> None:
        """Restore the engine, say who decides from here on, and start the thread.

        ``epoch``: under which the partitions are owned. Blocks; nothing may be appended meanwhile.
        """
        calm_garbage_collection()
        self._epoch = epoch
        self._saver.own(epoch)
        try:
            engine = self._restore()
        except Exception as error:  # noqa: BLE001  # the fence, see `_fail`
            self._fail(error)
            if self._trainer is not None:
                self._trainer.leave(self._number)
            return
        self._thread = threading.Thread(
            target=self._run, args=(engine,), name=f"engine-{self._number}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Fold what is left, if that takes no longer than some seconds, save, end the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOPPING_S)
            if self._thread.is_alive():
                log.error("engine does not stop", extra={"engine": self._number})

    def _run(self, engine: Engine) -> None:
        try:
            self._live(engine)
        except BaseException as error:  # noqa: BLE001  # the fence, see `_fail`; a thread says nothing of SystemExit
            self._fail(error)
        finally:
            self._saver.abandon()
            if self._trainer is not None:
                self._trainer.leave(self._number)

    def _fail(self, error: BaseException) -> None:
        """The fence: one broken engine must not take intake, journal and console with it."""
        self.failure = error
        if isinstance(error, UnknownContract):
            report_unread(error, self._number)
        else:
            log.error("engine stopped", exc_info=error, extra={"engine": self._number})

    def _restore(self) -> Engine:
        """The engine as it was saved, or as far as that can be read."""
        heads = {partition: self._journal.head(partition) for partition in self.partitions}
        identity = self._parts.store.identity
        mark = self._parts.store.mark
        found = {p: self._checkpoints.restore(p, head, identity, mark) for p, head in heads.items()}
        saved = {p: checkpoint for p, checkpoint in found.items() if checkpoint is not None}
        engine = self._parts.make_engine()
        try:
            engine.resume(
                [checkpoint.state for checkpoint in saved.values()],
                [record for checkpoint in saved.values() for record in checkpoint.records],
            )
        except Exception as error:  # noqa: BLE001  # whatever is wrong with a cache: make it anew
            log.warning("checkpoints discarded", extra={"why": f"{type(error).__name__}: {error}"})
            engine, saved = self._parts.make_engine(), {}
        names = {name for checkpoint in saved.values() for name in checkpoint.detectors}
        if gone := sorted(name for name in names if engine.host.number(name) is None):
            log.warning("what detectors that are gone knew is forgotten", extra={"detectors": gone})
        self.after |= {p: checkpoint.state.position for p, checkpoint in saved.items()}
        self._seen = self.after
        folded = engine.progress.position_of
        unread = find_unread(self._journal, self.after, folded, engine.reads)
        if unread is not None:
            # Nobody will have decided what arrives meanwhile: whoever reads this decides it then.
            self._announce("", self.partitions)
            raise unread
        behind = [partition for partition, head in heads.items() if head > self.after[partition]]
        self._begin_anew(engine, [partition for partition in behind if partition not in saved])
        log.info("engine starts", extra={"saved": len(saved), "behind": len(behind)})
        self._until = {partition: heads[partition] for partition in behind}
        known, decides = saved.keys() - behind, engine.controls.succession.decides
        self._release(engine, [p for p in heads if p not in known or not decides(p)])
        return engine

    def _begin_anew(self, engine: Engine, partitions: Sequence[int]) -> None:
        """Partitions of which nothing was saved are learned from all that the journal holds.

        It is decided again only where it was this release's to decide, or where the incidents are lost.
        """
        _, after = self._journal.read(partitions, {}, max_entries=1)
        first = min(after.values(), default=1)
        lost = self._checkpoints.orphaned.intersection(partitions)
        if self._parts.store.is_new:
            lost = set(partitions)
        for partition in partitions:
            if partition in lost:
                engine.controls.succession.decide_all(partition)
            else:
                engine.controls.succession.distrust(partition, begun=first > 1)
        if partitions and first > 1 and not lost and not self.takes_over:
            log.warning(
                "nothing was saved, and the journal was trimmed: what was learned and chosen before"
                " what it holds is gone",
                extra={"first": first, "partitions": len(partitions)},
            )
        if lost and first > 1:
            log.warning(
                "the journal was trimmed: incidents from before what it holds cannot come back",
                extra={"first": first, "partitions": len(lost)},
            )

    def _release(self, engine: Engine, partitions: Sequence[int]) -> None:
        """From here on this release decides; nothing that comes later was decided by another."""
        self._announce(self._parts.bundles.keep(engine.controls.description()), partitions)
        begins = {partition: self._journal.head(partition) for partition in partitions}
        engine.controls.succession.begins = begins

    def _announce(self, release: str, partitions: Sequence[int]) -> None:
        draft = Release(release).draft("", self._parts.clock())
        self._journal.append_all([(partition, draft) for partition in partitions], self._epoch)

    def _live(self, engine: Engine) -> None:
        trained = time.monotonic()
        lane = SlowLane(engine, self._journal)
        while not self._stop.is_set():
            entries = self._read(engine)
            began = time.perf_counter()
            lane.judge(full=self._is_full(entries))
            if entries and not self._step(engine, lane, entries):
                return
            spent = time.perf_counter() - began
            if lane.busy:
                if not self._advance_lane(engine, lane, spent if self._is_full(entries) else None):
                    return
            elif not entries:
                if self._journal.wait(self.partitions, self._seen, self._patience()):
                    continue  # what has come waits for no site of a checkpoint
            elif len(entries) >= _SEVERAL and not self._is_full(entries):
                # A step costs nearly the same for one entry as for many: where several came during
                # one, as many come during a rest. A full one, or one of few, gains nothing by it.
                self._stop.wait(min(spent, _LONGEST_REST_S))
            now = time.monotonic()
            if now - trained >= _TRAINING_S and self._trainer is not None:
                trained = now
                with self._times.pause("model"):
                    self._trainer.take_turn(
                        self._number, engine.take_samples, self._parts, self._epoch
                    )
            self._saver.take_turn(engine, self.after, spent if entries else None)
        self._finish(engine, lane)

    def _read(self, engine: Engine) -> list[Entry]:
        entries, after = self._journal.read(self.partitions, self._seen, max_bytes=_STEP_BYTES)
        if not entries:
            self._seen = after  # what lies between is of other partitions, and done with
            self.after = engine.progress.positions_of(after)
        self._next = after
        return entries

    def _patience(self) -> float:
        """Seconds for which an idle engine waits for entries."""
        if not self._saver.is_saving:
            return _IDLE_S
        return self._saver.rest if self._saver.takes else _WRITER_S

    def _step(self, engine: Engine, lane: SlowLane, entries: list[Entry]) -> bool:
        """Fold ``entries``; False if the sinks could not take the events before the stop."""
        began = time.perf_counter()
        events: list[Event] = []
        for is_model, run in groupby(entries, lambda entry: entry.kind == "model"):
            with self._times.pause("model") if is_model else nullcontext():
                events += engine.step(list(run))
        took = time.perf_counter() - began
        self._seen = self._next
        head = max(map(self._journal.head, self.partitions))
        self._parts.telemetry.show_lag(head - entries[-1].position)
        return self._settle(engine, lane, events, took)

    def _is_full(self, entries: list[Entry]) -> bool:
        """Whether a read found so much that more must wait behind it."""
        ours = _STEP_BYTES * len(self.partitions) // PARTITIONS
        return 2 * sum(len(entry.payload) for entry in entries) >= ours

    def _advance_lane(self, engine: Engine, lane: SlowLane, spent: float | None) -> bool:
        """Fold a little in the slow lane: each time, or so much of the time ``spent`` on the others."""
        began = time.perf_counter()
        self._owed = 0.0 if spent is None else self._owed + _LANE_SHARE * spent
        if spent is not None and self._owed <= 0:
            return True
        events = lane.turn()
        took = time.perf_counter() - began
        self._owed -= took
        return self._settle(engine, lane, events, took)

    def _settle(self, engine: Engine, lane: SlowLane, events: list[Event], seconds: float) -> bool:
        """Count, report and note how far it is; False as `_hand_over` says."""
        self._parts.count(engine.take_observed(), seconds)
        self._parts.show_exemptions(engine, self._epoch)  # first: an answer shows with what it does
        if not self._hand_over(events):
            return False
        self.after = engine.progress.positions_of(self._seen)
        waiting = engine.progress.backlog
        self._parts.telemetry.show_slow(
            f"engine-{self._number}", len(engine.progress.sites), sum(waiting.values())
        )
        self.refused = lane.refused
        self._strike(engine)
        return True

    def _strike(self, engine: Engine) -> None:
        """Journal the strikes that are due, once all is read that may hold them already."""
        if self._until:
            self._until = {p: head for p, head in self._until.items() if self.after[p] < head}
            if self._until:
                return
        self._strikes += engine.controls.take_strikes()
        while self._strikes:
            site, strike = self._strikes[0]
            draft = strike.draft(site, self._parts.clock())
            try:
                self._journal.append_all([(partition_of(site), draft)], self._epoch)
            except CollectorBusy as error:
                log.warning("strikes wait", extra={"why": str(error)})
                break
            self._strikes.pop(0)
        self.left_out = engine.controls.left_out()

    def _hand_over(self, events: list[Event]) -> bool:
        """Hand ``events`` to the sinks, again and again until they take them or the stop comes.

        Nothing is lost meanwhile: sinks know what they have, and no checkpoint passes them.
        """
        while events:
            try:
                with self._times.pause("sinks"):
                    self._outlet.handle(events, self._epoch)
                break
            except OSError as error:
                self.sinks_wait = True
                log.warning("sinks wait", extra={"why": str(error)})
                if self._stop.wait(_RETRY_S):
                    return False
        self.sinks_wait = False
        return True

    def _finish(self, engine: Engine, lane: SlowLane) -> None:
        """Fold and save what there is; nothing waits for the engine any more."""
        end = time.monotonic() + _LAST_STEPS_S
        lane.judge(full=False)
        while time.monotonic() < end and ((entries := self._read(engine)) or lane.busy):
            if entries and not self._step(engine, lane, entries):
                return
            if lane.busy and not self._advance_lane(engine, lane, None):
                return
        self._saver.save(engine, self.after)

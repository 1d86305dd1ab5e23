"""Saves what an engine knows, in its own thread between two steps: when nothing waits, else for a small part of the time."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Final

from dijkwacht_collector.engine.checkpoints import Checkpoints, SaveRound
from dijkwacht_collector.engine.engine import Engine
from dijkwacht_collector.engine.parts import EngineParts
from dijkwacht_collector.engine.site_record import Owner

log: Final = logging.getLogger(__name__)

SAVE_S: Final = 0.001
"""Time that may go into taking sites for a checkpoint at once; one is taken in any case."""
_SHARE: Final = 0.125
"""Time for a checkpoint beside that for steps, if these leave none."""
_RESTS: Final = 3
"""So many times as long as it took a site an idle engine rests: intake and journal need the core too."""


class Saver:
    """Begins a checkpoint when one is due, and goes on with it.

    ``partitions``: of the engine; `own`, which comes first, says under which epoch. ``durable``: by partition, up
    to where the journal is not needed any more.
    """

    def __init__(
        self, partitions: Sequence[int], parts: EngineParts, checkpoints: Checkpoints
    ) -> None:
        self.durable = dict.fromkeys(partitions, 0)
        self._partitions, self._parts, self._checkpoints = tuple(partitions), parts, checkpoints
        self._epoch = 0
        self._round: SaveRound | None = None
        self._unsaved: set[int] = set()
        self._passed: Mapping[int, int] = {}
        self._saved = time.monotonic()
        self._unspent = self._took = 0.0

    def own(self, epoch: int) -> None:
        """The partitions are owned under ``epoch``; the next checkpoint is due an interval from now."""
        self._epoch, self._saved = epoch, time.monotonic()

    @property
    def is_saving(self) -> bool:
        """Whether a checkpoint is in the making."""
        return self._round is not None

    @property
    def takes(self) -> bool:
        """Whether a turn would take a site now."""
        return self._round is not None and self._round.takes

    @property
    def rest(self) -> float:
        """Seconds for which an idle engine leaves the core to others before it takes the next site."""
        return _RESTS * self._took

    def take_turn(self, engine: Engine, after: Mapping[int, int], spent: float | None) -> None:
        """Begin what is due, or go on with it: if nothing waits (None), or for a part of the time ``spent`` on a step.

        ``after``: up to where each partition is folded.
        """
        if self._round is None:
            now = time.monotonic()
            if now - self._saved >= self._parts.checkpoint_interval_s and self._is_behind(engine):
                self._saved = now
                with self._parts.telemetry.times.pause("checkpoint"):
                    self._round = self._begin(engine, after)
            return
        if not engine.controls.succession.decides_all(self._round.partitions):
            self.abandon()  # a rollback: what another decides as yet is not to be saved
            return
        self._unspent = 0.0 if spent is None else self._unspent + _SHARE * spent
        if self._round.takes and self._unspent >= 0:
            began = time.perf_counter()
            self._round.advance(engine, SAVE_S)
            self._took = time.perf_counter() - began
            self._unspent -= self._took
            self._parts.telemetry.times.observe_pause("checkpoint", self._took)
        if self._round.finished:
            self._end(self._round)
            self._round = None

    def save(self, engine: Engine, after: Mapping[int, int]) -> None:
        """Give up the checkpoint in the making, and save all that is to be saved at once."""
        self.abandon()
        save_round = self._begin(engine, after) if self._is_behind(engine) else None
        if save_round is not None:
            save_round.advance(engine)
            self._end(save_round)

    def abandon(self) -> None:
        """Give up the checkpoint in the making, if there is one."""
        if self._round is not None:
            self._round.abandon()
            self._unsaved |= set(self._round.partitions)
            self._round = None

    def _is_behind(self, engine: Engine) -> bool:
        """Whether a checkpoint would say more than the last one."""
        return bool(engine.touched or self._unsaved or self._checkpoints.uneven)

    def _begin(self, engine: Engine, after: Mapping[int, int]) -> SaveRound | None:
        """Save what was touched, but where another release decides as yet: it is not taken over."""
        self._parts.show_exemptions(engine, self._epoch, counted=True)
        self._unsaved |= engine.touched
        engine.touched = set()
        chosen = sorted(p for p in self._unsaved if engine.controls.succession.decides(p))
        try:
            mark = max(self._parts.store.mark + 1, self._parts.clock())
            owner = Owner(self._epoch, self._parts.store.identity, mark)
            save_round = self._checkpoints.begin(chosen, owner, lambda: self._flush(mark))
        except OSError as error:
            log.warning("no checkpoint", extra={"why": str(error)})
            return None
        self._unsaved -= set(chosen)
        self._passed = after
        return save_round

    def _flush(self, mark: int) -> None:
        self._parts.store.note(mark)
        self._parts.outlet.flush()
        self._parts.journal.check(self._partitions, self._epoch)

    def _end(self, save_round: SaveRound) -> None:
        try:
            save_round.result()
        except OSError as error:
            self._unsaved |= set(save_round.partitions)
            log.warning("no checkpoint", extra={"why": str(error)})
            return
        moving = self._unsaved | set(save_round.partitions)
        self.durable = {
            partition: position if partition in moving else self._passed[partition]
            for partition in self._partitions
            for position in [self._checkpoints.position(partition)]
        }

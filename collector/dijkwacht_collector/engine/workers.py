"""All engine threads of one collector, which share its partitions among them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final, Literal

from dijkwacht_collector.engine.checkpoints import Checkpoints
from dijkwacht_collector.engine.parts import EngineParts
from dijkwacht_collector.engine.trainer import Trainer
from dijkwacht_collector.engine.worker import EngineWorker
from dijkwacht_collector.journal import PARTITIONS, Journal, Trouble

log: Final = logging.getLogger(__name__)

_REFUSED_S: Final = 10.0


class EngineWorkers:
    """All engine threads of one collector. The constructor is inert."""

    def __init__(self, count: int, parts: EngineParts, folder: Path, *, training: bool) -> None:
        self._journal, self._store, self._folder = parts.journal, parts.store, folder
        trainer = Trainer(parts.detectors.own_files(), count) if training else None
        self.each: Final = tuple(
            EngineWorker(
                number,
                range(number, PARTITIONS, count),
                parts,
                Checkpoints(folder),
                trainer,
            )
            for number in range(count)
        )

    @property
    def position(self) -> int:
        """Up to where every engine has folded the journal, its events in every sink."""
        return min(position for worker in self.each for position in worker.after.values())

    @property
    def progress(self) -> list[tuple[int, int]]:
        """Of each engine: a number that grows with all that it folds, and its least position."""
        return [(sum(w.after.values()), min(w.after.values())) for w in self.each]

    @property
    def durable(self) -> dict[int, int]:
        """By partition, up to where what was folded would survive without the journal."""
        return {p: position for worker in self.each for p, position in worker.durable.items()}

    def retry_after(self, site: str) -> float:
        """Seconds after which a site may ask again, that has too much waiting as yet; else 0."""
        return _REFUSED_S if any(site in worker.refused for worker in self.each) else 0.0

    @property
    def troubles(self) -> list[str]:
        """Why an engine stands still, if one does."""
        failed = [f"engine: {w.failure}" for w in self.each if w.failure is not None]
        return failed + ["sinks wait" for w in self.each if w.sinks_wait]

    def fault(self, journal: Journal) -> Trouble | Literal["not judged"]:
        """What keeps the collector from judging: the trouble of ``journal``, or an engine that has stopped."""
        stopped = any(worker.failure is not None for worker in self.each)
        return journal.trouble or ("not judged" if stopped else "")

    @property
    def left_out(self) -> list[tuple[str, str]]:
        """Sites, and detectors that have failed there too often to be asked."""
        return sorted(pair for worker in self.each for pair in worker.left_out)

    def open(self) -> None:
        """Own the partitions and start every thread."""
        earlier = list(self._folder.glob("engine-*-of-*"))
        for path in earlier:
            path.unlink()
        if earlier:
            log.warning(
                "checkpoint of an earlier version discarded: what the journal holds is learned again"
            )
        epoch = self._journal.own(range(PARTITIONS), self._store.epoch)
        for worker in self.each:
            worker.takes_over = bool(earlier)
            worker.start(epoch)

    def close(self) -> None:
        """Finish the steps in hand, save, end every thread."""
        for worker in self.each:
            worker.stop()

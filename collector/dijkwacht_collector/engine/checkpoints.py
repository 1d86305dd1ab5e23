"""An engine's checkpoint on disk: a cache of what the journal holds, safe to lose."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dijkwacht_collector.engine.engine import Engine
from dijkwacht_collector.journal import sync_folder

log: Final = logging.getLogger(__name__)


class Checkpoints:
    """``NAME.checkpoint`` in a folder, and the one before it as ``NAME.previous``."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._newest = folder / f"{name}.checkpoint"
        self._previous = folder / f"{name}.previous"

    def save(self, engine: Engine) -> None:
        """Keep what ``engine`` knows at its position; a crash leaves the old or the new, whole."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._newest.with_suffix(".new")
        draft.touch(mode=0o600)
        engine.save(draft)
        fd = os.open(draft, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        if self._newest.exists():
            self._newest.replace(self._previous)
        draft.replace(self._newest)
        sync_folder(self._folder)

    def restore(self, make_engine: Callable[[], Engine], last: int) -> Engine:
        """The engine as it was saved, or a new one that will read the journal from its start.

        ``last`` is the journal's last position: a checkpoint from behind it belongs to a journal
        that has lost its end, and is not used.
        """
        for path in (self._newest, self._previous):
            if not path.exists():
                continue
            engine = make_engine()
            try:
                engine.load(path)
            except Exception as error:  # noqa: BLE001  whatever is wrong with a cache: make it anew
                log.warning("checkpoint discarded", extra={"file": path.name, "why": str(error)})
                continue
            if engine.position <= last:
                return engine
            log.warning("checkpoint is ahead of the journal", extra={"file": path.name})
        return make_engine()

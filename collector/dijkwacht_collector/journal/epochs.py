"""Who owns which partition: an epoch each, so that a former owner is told from the present one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_collector.journal.sealed import replace_file, seal, unseal
from dijkwacht_records.errors import JournalError

log: Final = logging.getLogger(__name__)

_MAGIC: Final = b"DWE\x02"  # the first version's file had no seal


class FencedOff(JournalError):
    """Somebody else owns the partition by now: what a former owner decides no longer counts."""


class Epochs:
    """The epochs in the file ``path``. The constructor is inert."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._of: dict[int, int] = {}
        self.unchanged: Final = threading.Lock()
        """Held by whoever must not lose what it owns in the middle of something."""

    def open(self) -> None:
        """Read them; none if the file cannot be relied on: `own` needs none. Raises ``OSError``."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        try:
            sealed = data.startswith(_MAGIC)
            body = unseal(_MAGIC, data) if sealed else data
            known = msgspec.json.decode(body, type=dict[str, int])
            self._of = {int(partition): epoch for partition, epoch in known.items()}
        except (JournalError, msgspec.MsgspecError, ValueError) as error:
            log.warning("epochs discarded", extra={"file": self._path.name, "why": str(error)})

    def own(self, partitions: Collection[int], above: int = 0) -> int:
        """A new epoch for ``partitions``, higher than any before and ``above``, on disk then.

        It is drawn from the clock, so that it is higher even where the file was lost.
        """
        with self.unchanged:
            epoch = max(above + 1, max(self._of.values(), default=0) + 1, time.time_ns() // 1000)
            known = self._of | dict.fromkeys(partitions, epoch)
            body = msgspec.json.encode({str(p): e for p, e in known.items()})
            replace_file(self._path, seal(_MAGIC, body) + body)
            self._of = known
            return epoch

    def check(self, partitions: Collection[int], epoch: int) -> None:
        """Raise `FencedOff` unless ``epoch`` is that of all ``partitions``."""
        for partition in partitions:
            owned = self._of.get(partition, 0)
            if owned != epoch:
                raise FencedOff(
                    f"partition {partition}: epoch {epoch} has ended, {owned} is its owner's"
                )

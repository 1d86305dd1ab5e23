"""How far the journal was durable, noted beside it: what a damaged end is told from a torn one by.

Inside the segments only a later frame says that an earlier one had been durable, and nothing says it
of the last. The note is written after each sync and never synced itself: a power cut may leave an
older one, which is still true.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import Final

from dijkwacht_collector.journal.sealed import seal, unseal
from dijkwacht_records.errors import JournalError

log: Final = logging.getLogger(__name__)

_MAGIC: Final = b"DWD\x01"
_MOST_BYTES: Final = 64


class DurableNote:
    """The last position known to be durable, in the file ``path``. The constructor is inert."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    def open(self) -> int:
        """The position; 0 when nothing is noted, or nothing that can be relied on. Raises ``OSError``."""
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        data = os.pread(self._fd, _MOST_BYTES, 0)
        if not data:
            return 0
        try:
            return int.from_bytes(unseal(_MAGIC, data), "little")
        except JournalError as error:
            log.warning("note discarded", extra={"file": self.path.name, "why": str(error)})
            os.ftruncate(self._fd, 0)
            return 0

    def write(self, position: int) -> None:
        """Everything up to ``position`` is durable."""
        body = position.to_bytes(8, "little")
        # A disk that is full or fails leaves the note before, or none: both are safe.
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, seal(_MAGIC, body) + body, 0)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read_note(path: Path) -> int | None:
    """The position noted in ``path`` by another process; None if it is just being written, or missing."""
    try:
        return int.from_bytes(unseal(_MAGIC, path.read_bytes()), "little")
    except (OSError, JournalError):
        return None

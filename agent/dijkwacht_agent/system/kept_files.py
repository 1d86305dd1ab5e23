"""Files of the kernel that are read again and again: opened once, read from their beginning each time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_CHUNK: Final = 1 << 16
_MOST: Final = 1 << 20


class KeptFile:
    """One file of ``/proc`` or ``/sys``. It may be missing, come later, or go."""

    def __init__(self, path: Path) -> None:
        self._path, self._descriptor = path, -1

    def read(self) -> bytes:
        """All that it says now, 1 MiB at most; nothing if it cannot be read."""
        try:
            if self._descriptor < 0:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            text = part = os.pread(self._descriptor, _CHUNK, 0)
            # The kernel hands over a page at a time of what it lists line by line.
            while part and len(text) < _MOST:
                part = os.pread(self._descriptor, _CHUNK, len(text))
                text += part
        except OSError:
            self.close()
            return b""
        return text

    def close(self) -> None:
        """Let go of the descriptor; the next `read` opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @classmethod
    def once(cls, path: Path) -> bytes:
        """What ``path`` says now, without keeping it open."""
        file = cls(path)
        text = file.read()
        file.close()
        return text

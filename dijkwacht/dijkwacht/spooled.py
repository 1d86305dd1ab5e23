"""Standard input and pipes as files: what can be read once is kept until the recording has been read."""

from __future__ import annotations

import shutil
import sys
import tempfile
import weakref
from pathlib import Path
from typing import BinaryIO, Final

STANDARD_INPUT: Final = Path("-")
_CHUNK: Final = 1024 * 1024


class Spooled:
    """Copies on disk, in a temporary folder that goes when this object does."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._folder: Path | None = None

    def keep(self, path: Path) -> Path:
        """``path``, or a copy of what it gives if it is `STANDARD_INPUT` or a pipe. Raises ``OSError``.

        Waits for the end of a pipe, as every reader of pipes does.
        """
        if path == STANDARD_INPUT:
            return self._copy("standard input", sys.stdin.buffer)
        if path.is_fifo():
            with path.open("rb") as pipe:
                return self._copy(str(path), pipe)
        return path

    def plain(self, text: str) -> str:
        """``text`` with the copies called what they are copies of."""
        for copy, name in self._names.items():
            text = text.replace(copy, name)
        return text

    def _copy(self, name: str, source: BinaryIO) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="dijkwacht-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        copy = self._folder / str(len(self._names))
        self._names[str(copy)] = name
        with copy.open("wb") as file:
            shutil.copyfileobj(source, file, _CHUNK)
        return copy

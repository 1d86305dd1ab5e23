"""Files that may be gzip: opened as if they were not, as a stream within bounds.

Nothing is held but a window on the file. A stream that breaks off, or that grows as no recording or log
does, ends with an ``OSError`` that says so; what came before it has been read by then.
"""

from __future__ import annotations

import errno
import gzip
import io
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

GZIP: Final = b"\x1f\x8b"
"""How a gzip stream begins."""
FREE_BYTES: Final = 64 * 1024 * 1024
"""Unpacked bytes that any stream may have."""
MOST_GROWTH: Final = 400
"""Unpacked bytes a packed one beyond that: recordings and logs grow tenfold, a bomb a thousandfold."""
BROKEN: Final = "the rest of a gzip stream"
GROWS: Final = f"a gzip stream that grows at most {MOST_GROWTH} times"


class Unpacked(io.RawIOBase):
    """What the gzip stream ``packed`` holds; closes it too. Not seekable."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._plain = gzip.GzipFile(fileobj=packed, mode="rb")
        self._length = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Up to ``len(buffer)`` bytes, 0 at the end. Raises ``OSError`` with `BROKEN` or `GROWS`."""
        window = memoryview(buffer).cast("B")
        try:
            part = self._plain.read1(len(window))
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise OSError(errno.EIO, BROKEN) from None
        self._length += len(part)
        if self._length > FREE_BYTES + MOST_GROWTH * self._packed.tell():
            raise OSError(errno.EFBIG, GROWS)
        window[: len(part)] = part
        return len(part)

    def close(self) -> None:
        """Close both streams."""
        if not self.closed:
            self._plain.close()
            self._packed.close()
        super().close()


def open_plain(path: Path) -> io.RawIOBase:
    """Open ``path`` to be read, unpacked if it is gzip; a pipe as it is. Raises ``OSError``."""
    file = path.open("rb", buffering=0)
    if not file.seekable():
        return file
    head = file.read(len(GZIP))
    file.seek(0)
    return Unpacked(file) if head == GZIP else file

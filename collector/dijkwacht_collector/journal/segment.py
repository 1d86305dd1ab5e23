"""One file of the journal: found after a crash, read by position, cut where it was torn."""

from __future__ import annotations

import contextlib
import os
import secrets
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from dijkwacht_collector.journal.entry import (
    HEADER_BYTES,
    MARKER,
    BadFrame,
    Entry,
    Frame,
    Header,
    read_frame,
    read_header,
    write_header,
)
from dijkwacht_collector.journal.sealed import sync_folder
from dijkwacht_records.errors import JournalError

SUFFIX: Final = ".dwj"


class Disk:
    """What the journal asks of the disk; a test hands in one that fills up or forgets."""

    def append(self, fd: int, data: bytes, at: int) -> None:
        """Write all of ``data`` at offset ``at``. Raises ``OSError``."""
        view = memoryview(data)
        while view:
            written = os.pwrite(fd, view, at)
            view, at = view[written:], at + written

    def sync(self, fd: int) -> None:
        """Return when the bytes and the size of ``fd`` would survive a power cut."""
        os.fdatasync(fd)

    def cut(self, fd: int, size: int) -> None:
        """Forget everything behind ``size``."""
        os.ftruncate(fd, size)


class Segment:
    """Entries ``first``, ``first`` + 1, … in one file.

    ``start``: offset of the first frame; ``size``: bytes that are durable; ``heads`` as in `Header`.
    The file is closed when nobody has the segment any more: a reader may be in one that was deleted.
    """

    def __init__(self, path: Path, fd: int, header: Header, size: int) -> None:
        self.path, self.fd, self.size = path, fd, size
        self.salt, self.first, self.start, self._checked, self.heads = header
        weakref.finalize(self, os.close, fd)

    @classmethod
    def create(cls, folder: Path, first: int, heads: Sequence[int], disk: Disk) -> Segment:
        """A new, empty segment that survives a power cut. Raises ``OSError``."""
        path = folder / f"{first:020d}{SUFFIX}"
        draft = path.with_suffix(".new")
        begin = write_header(secrets.randbits(32), first, heads)
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            disk.append(fd, begin, 0)
            disk.sync(fd)
            draft.rename(path)
            sync_folder(folder)
        except OSError:
            os.close(fd)
            draft.unlink(missing_ok=True)
            raise
        return cls(path, fd, read_header(begin), len(begin))

    @classmethod
    def load(cls, path: Path, *, write: bool = True) -> Segment:
        """An existing segment, its frames unread. Raises `JournalError`, ``OSError``."""
        fd = os.open(path, (os.O_RDWR if write else os.O_RDONLY) | os.O_CLOEXEC)
        try:
            header = read_header(os.pread(fd, HEADER_BYTES, 0))
        except BadFrame as bad:
            os.close(fd)
            raise JournalError(f"{path.name}: offset 0: {bad}") from None
        if path.name != f"{header.first:020d}{SUFFIX}":
            os.close(fd)
            raise JournalError(
                f"{path.name}: offset 8: begins at position {header.first}, not its name"
            )
        return cls(path, fd, header, os.fstat(fd).st_size)

    def recover(self, disk: Disk, heads: list[int], durable: int = 0) -> tuple[int, int]:
        """Read the last segment after a stop: (last position in it, bytes of torn tail cut off).

        ``heads``, the last position of each partition, is moved on. ``durable`` is a position known to have been durable. Raises `JournalError`, and cuts nothing,
        when bytes that may have been acknowledged are damaged or gone.
        """
        data = os.pread(self.fd, self.size, 0)
        position, at = self.first - 1, self.start
        while at < len(data):
            try:
                frame = read_frame(data, at, self.salt)
            except BadFrame as bad:
                said = (frame.durable for frame in _whole_behind(data, at, self.salt))
                if max([durable, *said]) > position or self._salt_in_doubt(data, at, bad):
                    raise JournalError(f"{self.path.name}: offset {at}: {bad}") from None
                break
            self._expect(frame, position + 1, at)
            position, at = position + 1, frame.end
            heads[frame.entry.partition] = position
        if position < durable:
            raise JournalError(
                f"{self.path.name}: offset {at}: the journal ends at position {position}, but {durable}"
                " was durable; to go on without what is gone, move the file 'durable' away as well"
            )
        torn = len(data) - at
        if torn:
            disk.cut(self.fd, at)
        # What a crash left unsynced but whole was perhaps never acknowledged; from now on it is.
        disk.sync(self.fd)
        self.size = at
        return position, torn

    @property
    def length(self) -> int:
        """Bytes of the file, durable or not: what a reader in another process must go by."""
        return os.fstat(self.fd).st_size

    def read(self, at: int, position: int, most: int, want: int) -> tuple[list[Entry], int]:
        """Entries from offset ``at``, which holds ``position``, and the offset behind them.

        Reads about ``want`` bytes, at least one entry, at most ``most``, all of which are there.
        Raises `JournalError` for corrupt bytes.
        """
        entries: list[Entry] = []
        size = self.length
        while not entries:
            if at >= size:
                raise JournalError(
                    f"{self.path.name}: offset {at}: no segment goes on with position {position}"
                )
            data = os.pread(self.fd, min(want, size - at), at)
            whole = at + len(data) >= size or len(data) < want
            offset = 0
            while offset < len(data) and len(entries) < most:
                try:
                    frame = read_frame(data, offset, self.salt)
                except BadFrame as bad:
                    if bad.short and not whole:
                        break
                    raise JournalError(f"{self.path.name}: offset {at + offset}: {bad}") from None
                self._expect(frame, position, at + offset)
                entries.append(frame.entry)
                position, offset = position + 1, frame.end
            at += offset
            want *= 2
        return entries, at

    def _salt_in_doubt(self, data: bytes, at: int, bad: BadFrame) -> bool:
        """Whether the bad first frame may be whole, and the salt wrong, which nothing vouches for.

        With a wrong salt no frame is whole: the entire segment would pass for a torn tail.
        """
        if self._checked or at != self.start:
            return False
        if data.startswith(MARKER, at) and not bad.short:
            return True
        return data.find(MARKER, at + 1) >= 0 and not any(_whole_behind(data, at, self.salt))

    def _expect(self, frame: Frame, position: int, at: int) -> None:
        if frame.entry.position != position:
            raise JournalError(
                f"{self.path.name}: offset {at}: position {frame.entry.position}, expected {position}"
            )


def _whole_behind(data: bytes, at: int, salt: int) -> Iterator[Frame]:
    """Every whole frame behind ``at``."""
    while (at := data.find(MARKER, at + 1)) >= 0:
        with contextlib.suppress(BadFrame):
            yield read_frame(data, at, salt)

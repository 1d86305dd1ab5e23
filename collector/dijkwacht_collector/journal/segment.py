"""One file of the journal: found after a crash, read by position, cut where it was torn."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from dijkwacht_collector.journal.entry import (
    MAGIC,
    MARKER,
    SEGMENT_HEADER,
    BadFrame,
    Entry,
    Frame,
    read_frame,
)
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
    """Entries ``first``, ``first`` + 1, … in one file. ``size``: bytes that are durable."""

    start: Final = SEGMENT_HEADER.size
    """Offset of the first frame."""

    def __init__(self, path: Path, fd: int, first: int, salt: int, size: int) -> None:
        self.path, self.fd, self.first, self.salt, self.size = path, fd, first, salt, size

    @classmethod
    def create(cls, folder: Path, first: int, disk: Disk) -> Segment:
        """A new, empty segment that survives a power cut. Raises ``OSError``."""
        path = folder / f"{first:020d}{SUFFIX}"
        draft = path.with_suffix(".new")
        salt = secrets.randbits(32)
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            disk.append(fd, SEGMENT_HEADER.pack(MAGIC, salt, first), 0)
            disk.sync(fd)
            draft.rename(path)
            sync_folder(folder)
        except OSError:
            os.close(fd)
            draft.unlink(missing_ok=True)
            raise
        return cls(path, fd, first, salt, SEGMENT_HEADER.size)

    @classmethod
    def load(cls, path: Path) -> Segment:
        """An existing segment, its frames unread. Raises `JournalError`, ``OSError``."""
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        header = os.pread(fd, SEGMENT_HEADER.size, 0)
        if len(header) < SEGMENT_HEADER.size or header[:4] != MAGIC:
            os.close(fd)
            raise JournalError(f"{path.name}: offset 0: not a journal segment of this version")
        _, salt, first = SEGMENT_HEADER.unpack(header)
        if path.name != f"{first:020d}{SUFFIX}":
            os.close(fd)
            raise JournalError(f"{path.name}: offset 8: begins at position {first}, not its name")
        return cls(path, fd, first, salt, os.fstat(fd).st_size)

    def recover(self, disk: Disk) -> tuple[int, int]:
        """Read the last segment after a stop: (last position in it, bytes of torn tail cut off).

        Raises `JournalError` when bytes that had been acknowledged are damaged.
        """
        data = os.pread(self.fd, self.size, 0)
        position, at = self.first - 1, SEGMENT_HEADER.size
        while at < len(data):
            try:
                frame = read_frame(data, at, self.salt)
            except BadFrame as bad:
                if _durable_behind(data, at, self.salt) > position:
                    raise JournalError(f"{self.path.name}: offset {at}: {bad}") from None
                break
            self._expect(frame, position + 1, at)
            position, at = position + 1, frame.end
        torn = len(data) - at
        if torn:
            disk.cut(self.fd, at)
        # What a crash left unsynced but whole was perhaps never acknowledged; from now on it is.
        disk.sync(self.fd)
        self.size = at
        return position, torn

    def read(
        self, at: int, position: int, size: int, want: int, most: int
    ) -> tuple[list[Entry], int]:
        """Entries from offset ``at``, which holds ``position``, and the offset behind them.

        Reads about ``want`` bytes, at least one entry, at most ``most``, none behind ``size``.
        Raises `JournalError` for corrupt bytes.
        """
        entries: list[Entry] = []
        while at < size and not entries:
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

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)

    def _expect(self, frame: Frame, position: int, at: int) -> None:
        if frame.entry.position != position:
            raise JournalError(
                f"{self.path.name}: offset {at}: position {frame.entry.position}, expected {position}"
            )


def sync_folder(folder: Path) -> None:
    """Make a file's new name survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _durable_behind(data: bytes, at: int, salt: int) -> int:
    """The highest position that a whole frame behind ``at`` says was durable; 0 without one."""
    highest = 0
    while (at := data.find(MARKER, at + 1)) >= 0:
        try:
            highest = max(highest, read_frame(data, at, salt).durable)
        except BadFrame:
            continue
    return highest

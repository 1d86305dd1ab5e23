"""A bounded first-in, first-out queue of batches on disk, between the meter and the uplink.

Segments ``0000000000000042.spool`` hold records ``magic · length · rows · crc32 · bytes``, one
after the other. A segment goes when its last record is settled; one that is settled to its end is
cut to nothing at once, so while the collector answers next to nothing reaches the disk.

- **Order**: oldest first, also after a restart. What was settled in a segment that was not yet
  gone is given out again: resending is harmless, a loss would not be.
  A batch that the collector does not read as yet holds back those behind it, for the same reason:
  event time goes by the order in which rows arrive, and a later row would close what they are about.
- **Full** (``max_bytes``, or the disk): the *oldest* segment goes, since what happens now matters
  most, and its rows are counted in ``rows_shed``. The gap in the sequence is allowed.
- **kill -9** loses nothing: records are handed to the kernel as they are written. **Power loss**
  may take what the kernel had not yet written (a segment is synced when it is full, and on
  `close`): the torn end is found by its checksum and counted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import threading
import zlib
from collections import deque
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from dijkwacht_agent.error_words import worded
from dijkwacht_records.errors import SettingsError
from dijkwacht_records.planes import MAX_ROWS
from dijkwacht_records.wire import MAX_WIRE_BYTES

SEGMENT_BYTES: Final = 4 * 1024 * 1024
_HEADER: Final = struct.Struct(">4sIII")
_MAGIC: Final = b"DWS1"


class Record(NamedTuple):
    """One batch that waits; ``segment`` and ``offset`` locate it, for `Spool.settle`."""

    wire: bytes
    rows: int
    segment: int
    offset: int


class _Torn(Exception):
    """A record that was not written whole; at least ``rows`` rows are lost."""

    def __init__(self, rows: int) -> None:
        self.rows = rows


class _Segment:
    """What is known of one file: where its unsettled records begin, and how many rows they hold."""

    def __init__(self, number: int, path: Path) -> None:
        self.number, self.path = number, path
        self.start = 0
        self.end = 0
        self.rows = 0


class Spool:
    """The queue in ``folder``, never more than ``max_bytes``; safe to use from two threads.

    One process at a time: `SettingsError` if another has it. ``waiting_bytes`` and ``rows_waiting``
    count what waits, ``rows_shed`` what was dropped since it was opened.
    """

    def __init__(self, folder: Path, max_bytes: int = 256 * 1024 * 1024) -> None:
        self.rows_shed = 0
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = min(SEGMENT_BYTES, max_bytes // 4)
        self._changed = threading.Condition()
        self._tail: BinaryIO | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise worded(SettingsError, "spool_in_use", folder=str(folder)) from None
        self._segments: deque[_Segment] = deque()
        for path in sorted(folder.glob("*.spool")):
            self._recover(path)

    @property
    def waiting_bytes(self) -> int:
        """Bytes on disk that are not settled."""
        with self._changed:
            return self._unsettled()

    @property
    def rows_waiting(self) -> int:
        """Rows in records that are not settled."""
        with self._changed:
            return sum(segment.rows for segment in self._segments)

    def append(self, wire: bytes, rows: int) -> bool:
        """Add one batch at the end. False when even an emptied disk has no room for it."""
        record = _HEADER.pack(_MAGIC, len(wire), rows, _checksum(wire, rows)) + wire
        with self._changed:
            while self._on_disk() + len(record) > self._max_bytes and self._segments:
                self._shed_oldest()
            while not (written := self._write(record, rows)) and self._segments:
                self._shed_oldest()
            if not written:
                self.rows_shed += rows
            self._changed.notify_all()
            return written

    def peek(self, timeout: float = 0.0) -> Record | None:
        """The oldest record, left in place; ``None`` if none comes within ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._unsettled() > 0, timeout)
            while self._segments and self._unsettled():
                segment = self._segments[0]
                if segment.start < segment.end:
                    record = self._read(segment)
                    if record is not None:
                        return record
                    self.rows_shed += max(1, segment.rows)  # the disk gave back other bytes
                self._drop(segment)
            return None

    def settle(self, record: Record) -> bool:
        """``record`` needs no more care. False if it was shed in the meantime."""
        with self._changed:
            segment = self._segments[0] if self._segments else None
            if segment is None or (segment.number, segment.start) != (
                record.segment,
                record.offset,
            ):
                return False
            segment.start += _HEADER.size + len(record.wire)
            segment.rows -= record.rows
            if segment.start >= segment.end:
                self._drop(segment)
            self._changed.notify_all()
            return True

    def wait_below(self, size: int, timeout: float) -> bool:
        """Wait until fewer than ``size`` bytes wait, or ``timeout`` seconds: did it?"""
        with self._changed:
            return self._changed.wait_for(lambda: self._unsettled() < size, timeout)

    def close(self) -> None:
        """Sync and close what is being written; what waits, waits for the next start."""
        with self._changed:
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1
            self._end_segment()
            while self._segments and not self._segments[0].end:
                self._drop(self._segments[0])

    def _unsettled(self) -> int:
        return sum(segment.end - segment.start for segment in self._segments)

    def _on_disk(self) -> int:
        return sum(segment.end for segment in self._segments)

    def _write(self, record: bytes, rows: int) -> bool:
        written = 0
        with contextlib.suppress(OSError):
            written = self._open_tail().write(record)
        if written != len(record):  # no room for a part of it, or for any
            if self._tail is not None:
                with contextlib.suppress(OSError):
                    self._tail.truncate(self._segments[-1].end)
                self._tail.seek(self._segments[-1].end)
            return False
        segment = self._segments[-1]
        segment.end += len(record)
        segment.rows += rows
        if segment.end >= self._segment_bytes:
            self._end_segment()
        return True

    def _open_tail(self) -> BinaryIO:
        if self._tail is None:
            number = self._segments[-1].number + 1 if self._segments else 0
            path = self._folder / f"{number:016d}.spool"
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            self._tail = os.fdopen(handle, "r+b", buffering=0)
            self._segments.append(_Segment(number, path))
        return self._tail

    def _end_segment(self) -> None:
        if self._tail is not None:
            tail, self._tail = self._tail, None
            # What a failing disk cannot sync is with the kernel still, and is sent from there.
            with tail, contextlib.suppress(OSError):
                os.fsync(tail.fileno())

    def _drop(self, segment: _Segment) -> None:
        """Forget a segment, always the first; the one being written is emptied and kept."""
        segment.start = segment.end = segment.rows = 0
        if self._tail is not None and len(self._segments) == 1:
            self._tail.truncate(0)
            self._tail.seek(0)
            # A record that is given out twice must not be taken for another at the same place.
            segment.number += 1
            return
        self._segments.popleft()
        segment.path.unlink(missing_ok=True)

    def _shed_oldest(self) -> None:
        segment = self._segments[0]
        self.rows_shed += segment.rows
        if len(self._segments) == 1:
            self._end_segment()
        self._drop(segment)

    def _read(self, segment: _Segment) -> Record | None:
        try:
            with segment.path.open("rb") as file:
                file.seek(segment.start)
                wire, rows = _read_record(file)
        except (OSError, _Torn):
            return None
        return Record(wire, rows, segment.number, segment.start)

    def _recover(self, path: Path) -> None:
        try:
            segment = _Segment(int(path.stem), path)
        except ValueError:
            return
        with path.open("r+b") as file:
            size = path.stat().st_size
            try:
                while segment.end < size:
                    wire, rows = _read_record(file)
                    segment.end += _HEADER.size + len(wire)
                    segment.rows += rows
            except _Torn as torn:
                self.rows_shed += torn.rows
                file.truncate(segment.end)
        if segment.end:
            self._segments.append(segment)
        else:
            path.unlink()


def versions_in(folder: Path) -> set[int]:
    """Versions of the contract in ``folder``, which the agent that runs may be filling."""
    found = set[int]()
    for path in folder.glob("*.spool"):
        with contextlib.suppress(OSError, _Torn), path.open("rb") as file:
            while True:
                wire, _ = _read_record(file)
                found.update(wire[3:4])
    return found


def _read_record(file: BinaryIO) -> tuple[bytes, int]:
    """(bytes, rows) at the file's position. Raises `_Torn`."""
    head = file.read(_HEADER.size)
    if len(head) < _HEADER.size:
        raise _Torn(1)
    magic, length, rows, checksum = _HEADER.unpack(head)
    if magic != _MAGIC or length > MAX_WIRE_BYTES or rows > MAX_ROWS:
        raise _Torn(1)
    wire = file.read(length)
    if len(wire) < length or _checksum(wire, rows) != checksum:
        raise _Torn(max(1, rows))
    return wire, rows


def _checksum(wire: bytes, rows: int) -> int:
    return zlib.crc32(wire, rows)

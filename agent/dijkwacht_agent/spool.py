"""A bounded first-in, first-out queue of batches on disk, between the meter and the uplink.

Segments ``0000000000000042.spool`` hold records (`spool_records`), one after the other. A segment
goes when its last record is settled; one that is settled to its end is cut to nothing at once, so
while the collector answers next to nothing reaches the disk.

- **Order**: oldest first, also after a restart. The `ledger` beside them says up to where they are
  settled; the one that was on its way is given out again: resending is harmless, a loss would not be.
  A batch that the collector does not read as yet holds back those behind it, for the same reason:
  event time goes by the order in which rows arrive, and a later row would close what they are about.
- **Full** (``max_bytes``, or the disk): the *oldest* segment goes, since what happens now matters
  most, and its rows are counted in ``rows_shed``. The gap in the sequence is allowed.
- **A disk that takes nothing**: what is new waits in memory, the newest `MEMORY_BYTES` of it, and is
  written as soon as that works again; ``trouble`` says so meanwhile. Only a lack of room costs what
  is on disk: an error that may pass does not.
- **Damage** costs the record that it is in, and its rows are counted (`spool_records`).
- **kill -9** loses nothing: records are handed to the kernel as they are written. **Power loss**
  may take what the kernel had not yet written (a segment is synced when it is full, and on
  `close`): the torn end is found by its checksum and counted.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections import deque
from pathlib import Path
from typing import Final, NamedTuple

from dijkwacht_agent.error_words import error_message, worded
from dijkwacht_agent.ledger import LEDGER_FILE, Accounts, Ledger
from dijkwacht_agent.spool_records import HEADER, OLD_HEADER, encode_record
from dijkwacht_agent.spool_segments import Segment, recover
from dijkwacht_records.errors import Message, SettingsError
from dijkwacht_records.troubles import DISK_FULL

SEGMENT_BYTES: Final = 4 * 1024 * 1024
MEMORY_BYTES: Final = 1024 * 1024
"""What may wait in memory while the disk takes nothing."""
NO_ROOM: Final = frozenset((errno.ENOSPC, errno.EDQUOT))


class Record(NamedTuple):
    """One batch that waits: its last row is number ``upto``, and it takes ``size`` bytes on disk."""

    wire: bytes
    rows: int
    upto: int
    size: int


class _Held(NamedTuple):
    """A record that is not on disk, as it would lie there."""

    data: bytes
    rows: int
    upto: int


class Spool:
    """The queue in ``folder``, never more than ``max_bytes``; safe to use from two threads.

    One process at a time: `SettingsError` if another has it. ``waiting_bytes`` and ``rows_waiting``
    count what waits, ``rows_shed`` what was dropped; all sums are `accounts`. ``trouble`` is what is
    wrong with the disk at present, or ``None``; ``remark`` what was wrong with the ledger.
    """

    well_again = "the disk takes what waits again"

    def __init__(self, folder: Path, max_bytes: int = 256 * 1024 * 1024) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = min(SEGMENT_BYTES, max_bytes // 4)
        self._changed = threading.Condition()
        self._tail = -1
        self._given = 0  # the last row of what `peek` gave out last
        self._snatched = 0  # the same, where that was shed before it was settled
        self._error: OSError | None = None
        self._memory: deque[_Held] = deque()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise worded(SettingsError, "spool_in_use", folder=str(folder)) from None
        self._ledger = Ledger(folder / LEDGER_FILE)
        self._segments = deque(recover(folder, self._ledger))
        self._next = self._segments[-1].number + 1 if self._segments else 0
        anew = Message("ledger_anew", {"folder": str(folder)})
        self.remark = anew if self._ledger.damaged or self._ledger.anew else None
        self._ledger.open = True
        self._ledger.write()

    @property
    def waiting_bytes(self) -> int:
        """Bytes that are not settled, on disk or in memory."""
        with self._changed:
            return self._unsettled()

    @property
    def rows_waiting(self) -> int:
        """Rows in records that are not settled."""
        with self._changed:
            return self._rows()

    @property
    def rows_shed(self) -> int:
        """Rows that were lost here, since the state folder's first use."""
        return sum(self.accounts.shed.values())

    @property
    def accounts(self) -> Accounts:
        """What became of all rows."""
        with self._changed:
            return self._ledger.accounts(self._rows())

    @property
    def trouble(self) -> Message | None:
        """Why the disk takes nothing, or had to be emptied to take anything."""
        error = self._error
        if error is None:
            return None
        key = "spool_no_room" if error.errno in NO_ROOM else "spool_unwritable"
        return Message(key, {"why": error_message(error)})

    def troubles(self) -> tuple[str, ...]:
        """What of it the collector is told, in its own words."""
        return (DISK_FULL,) if self.disk_full else ()

    @property
    def disk_full(self) -> bool:
        """Whether there is no room on the disk."""
        error = self._error
        return error is not None and error.errno in NO_ROOM

    def append(self, wire: bytes, rows: int) -> bool:
        """Add one batch of ``rows``, one at least, at the end. False while it is in memory only."""
        if rows < 1:
            raise ValueError("a batch without rows has no place in the spool")
        with self._changed:
            upto = self._ledger.add(rows)
            self._memory.append(_Held(encode_record(wire, rows, upto), rows, upto))
            self._store()
            while len(self._memory) > 1 and self._in_memory() > MEMORY_BYTES:
                self._forget()
            self._ledger.write()
            self._changed.notify_all()
            return not self._memory

    def refuse(self, rows: int) -> None:
        """Count ``rows`` that were made, but that the contract cannot hold."""
        with self._changed:
            self._ledger.refuse(rows)
            self._ledger.write()

    def peek(self, timeout: float = 0.0) -> Record | None:
        """The oldest record, left in place; ``None`` if none comes within ``timeout`` seconds.

        ``None`` also where the disk cannot be read now: the record is tried again the next time.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._unsettled() > 0, timeout)
            try:
                return self._oldest()
            except OSError:
                self._changed.wait(timeout)
                return None

    def settle(self, record: Record, reason: str | None = None) -> bool:
        """``record`` is journalled, or was rejected for ``reason``. False if that is known already.

        One that was shed on its way is no longer counted as shed.
        """
        with self._changed:
            ledger = self._ledger
            if record.upto <= ledger.settled:
                snatched, self._snatched = self._snatched, 0
                if not 0 < snatched == record.upto:
                    return False
                ledger.rescue(record.rows, reason)
                ledger.write()
                return True
            ledger.settle(record.upto, reason)
            if self._on_disk():
                segment = self._segments[0]
                segment.start += record.size
                segment.rows -= record.rows
                if record.size == OLD_HEADER.size + len(record.wire):
                    ledger.old = segment.number, segment.start
                ledger.write()
                if segment.start >= segment.end:
                    self._drop(segment)
            else:
                self._memory.popleft()
                ledger.write()
            self._changed.notify_all()
            return True

    def wait_below(self, size: int, timeout: float) -> bool:
        """Wait until fewer than ``size`` bytes wait, or ``timeout`` seconds: did it?"""
        with self._changed:
            return self._changed.wait_for(lambda: self._unsettled() < size, timeout)

    def close(self) -> None:
        """Sync and close what is being written; what waits on disk, waits for the next start."""
        with self._changed:
            if self._lock < 0:
                return
            self._store()
            while self._memory:
                self._forget()
            self._end_segment()
            while self._segments and not self._segments[0].end:
                self._drop(self._segments[0])
            self._ledger.close()
            os.close(self._lock)
            self._lock = -1

    def _unsettled(self) -> int:
        return sum(each.end - each.start for each in self._segments) + self._in_memory()

    def _rows(self) -> int:
        held = sum(held.rows for held in self._memory)
        return held + sum(segment.rows for segment in self._segments)

    def _on_disk(self) -> int:
        return sum(segment.end for segment in self._segments)

    def _in_memory(self) -> int:
        return sum(len(held.data) for held in self._memory)

    def _store(self) -> None:
        """Write what is in memory, as far as the disk takes it."""
        while self._memory:
            held = self._memory[0]
            while self._on_disk() and self._on_disk() + len(held.data) > self._max_bytes:
                self._shed_oldest()
            while (error := self._write(held)) is not None:
                error.filename = str(self._folder)  # what its owner knows
                self._error = error
                if error.errno not in NO_ROOM or not self._on_disk():
                    return
                self._shed_oldest()
            self._memory.popleft()
        if self._error is not None and self._has_room():
            self._error = None

    def _has_room(self) -> bool:
        """More than what shedding one segment makes: or it would be full again in a moment."""
        try:
            disk = os.statvfs(self._folder)
        except OSError:
            return True
        return not self.disk_full or disk.f_bavail * disk.f_frsize >= 2 * self._segment_bytes

    def _write(self, held: _Held) -> OSError | None:
        segment, done = None, 0
        try:
            segment = self._open_tail()
            while done < len(held.data):
                done += os.pwrite(self._tail, held.data[done:], segment.end + done)
        except OSError as error:
            if segment is not None:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._tail, segment.end)
                if error.errno not in NO_ROOM:  # elsewhere it may work
                    self._end_segment()
                    if not segment.end:
                        self._drop(segment)
            return error
        segment.end += len(held.data)
        segment.rows += held.rows
        segment.upto = held.upto
        if segment.end >= self._segment_bytes:
            self._end_segment()
        return None

    def _open_tail(self) -> Segment:
        if self._tail < 0:
            path = self._folder / f"{self._next:016d}.spool"
            self._tail = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            self._segments.append(Segment(self._next, path))
            self._next += 1
        return self._segments[-1]

    def _end_segment(self) -> None:
        if self._tail >= 0:
            tail, self._tail = self._tail, -1
            # What a failing disk cannot sync is with the kernel still, and is sent from there.
            with contextlib.suppress(OSError):
                os.fsync(tail)
            with contextlib.suppress(OSError):
                os.close(tail)
            self._ledger.sync()

    def _drop(self, segment: Segment) -> None:
        """Forget a segment; the one being written is emptied and kept."""
        if self._tail >= 0 and segment is self._segments[-1]:
            segment.start = segment.end = segment.rows = 0
            with contextlib.suppress(OSError):
                os.ftruncate(self._tail, 0)
            return
        self._segments.remove(segment)
        if self._ledger.old[0] == segment.number:
            self._ledger.old = 0, 0
        # One that cannot be deleted is not given out again: the ledger knows that it is settled.
        with contextlib.suppress(OSError):
            segment.path.unlink(missing_ok=True)

    def _shed_oldest(self) -> None:
        segment = self._segments[0]
        self._lose(max(segment.upto, self._given))
        self._ledger.write()
        self._drop(segment)

    def _forget(self) -> None:
        """Drop the oldest record in memory; behind others on disk it is missed when they are sent."""
        held = self._memory.popleft()
        if not self._on_disk():
            self._lose(held.upto)

    def _lose(self, upto: int) -> None:
        if self._ledger.settled < self._given <= upto:
            self._snatched = self._given  # its answer may still come
        self._ledger.drop(upto, "full")

    def _oldest(self) -> Record | None:
        ledger = self._ledger
        while self._on_disk():
            segment = self._segments[0]
            found = segment.find(ledger.settled)
            if found is not None:
                upto = found.upto or ledger.settled + found.rows
                return self._give(found.wire, found.rows, upto, found.end - found.begin)
            self._drop(segment)
            self._changed.notify_all()
        if self._memory:
            held = self._memory[0]
            return self._give(held.data[HEADER.size :], held.rows, held.upto, len(held.data))
        ledger.drop(ledger.spooled, "damaged")
        return None

    def _give(self, wire: bytes, rows: int, upto: int, size: int) -> Record:
        # What came before it and is not settled is not there any more.
        self._ledger.drop(upto - rows, "damaged")
        self._given = upto
        return Record(wire, rows, upto, size)


def in_use(folder: Path) -> bool:
    """Whether an agent that runs has its spool there."""
    try:
        lock = os.open(folder / "lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False

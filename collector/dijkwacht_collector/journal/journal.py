"""The journal: what has happened, in order, on disk before it is acknowledged.

Callers hand entries to one writer thread. It writes everything that waits, syncs once, and only then
answers all of them (group commit). Readers see synced entries only, from the files, the newest with what
the intake has unpacked of them (`tail`): the engine gets nothing in any other way, so the same journal
gives the same incidents.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from dijkwacht_collector.journal.durable import DurableNote
from dijkwacht_collector.journal.entry import PARTITIONS, Draft, check_draft, write_frame
from dijkwacht_collector.journal.epochs import Epochs, FencedOff
from dijkwacht_collector.journal.log import Reading
from dijkwacht_collector.journal.segment import SUFFIX, Disk, Segment
from dijkwacht_collector.journal.segments import Segments
from dijkwacht_collector.journal.selection import select
from dijkwacht_collector.journal.tail import Tail, size_unpacked
from dijkwacht_records.errors import CollectorBusy, DijkwachtError, JournalError
from dijkwacht_records.wire import Batch

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_FILES: Final = {errno.EMFILE, errno.ENFILE}
Trouble = Literal["", "disk full", "too many open files", "failed"]
_GROUP_BYTES: Final = 8 * 1024 * 1024
_PIECE_ENTRIES: Final = 1024


@dataclass(slots=True)
class _Waiting:
    drafts: Sequence[tuple[int, Draft]]
    size: int
    fence: int
    answer: asyncio.Future[int] | Future[int]
    loop: asyncio.AbstractEventLoop | None
    unpacked: int = 0


class Journal:
    """Segments in a folder, behind the verbs of `Log`. The constructor is inert; `open` recovers.

    ``queue_bytes`` bounds what may wait; ``coalesce_s`` is the batching delay of a commit when the
    one before it held several entries; ``on_commit(bytes, seconds)`` is called after each.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = 64 * 1024 * 1024,
        queue_bytes: int = 64 * 1024 * 1024,
        coalesce_s: float = 0.001,
        disk: Disk | None = None,
        on_commit: Callable[[int, float], None] = lambda _bytes, _seconds: None,
    ) -> None:
        self.folder = folder
        self.cut_bytes = 0
        self._segment_bytes, self._queue_bytes = segment_bytes, queue_bytes
        self._coalesce_s, self._disk, self._on_commit = coalesce_s, disk or Disk(), on_commit
        self._segments, self._tail = Segments(), Tail()
        self._heads = [0] * PARTITIONS
        self._needed = [0] * PARTITIONS
        self._queue: deque[_Waiting] = deque()
        self._queued = self._unpacked = 0
        self._last = 0
        self._durable = DurableNote(folder / "durable")
        self._epochs = Epochs(folder / "epochs.json")
        self._failed: JournalError | None = None
        self._trouble: Trouble = ""
        self._closing = False
        self._work = threading.Condition()
        self._synced = threading.Condition()
        self._writer: threading.Thread | None = None
        self._lock_fd = -1

    @property
    def last(self) -> int:
        """Position of the newest durable entry of all; 0 in an empty journal."""
        return self._last

    @property
    def first(self) -> int:
        """Position of the oldest entry still kept (of the next one in an empty journal)."""
        return self._segments.first

    @property
    def trouble(self) -> Trouble:
        """Why the last that was to be appended was not, if so; all but ``failed`` may pass."""
        return self._trouble

    @property
    def failure(self) -> JournalError | None:
        """Why nothing can be appended any more, if so."""
        return self._failed

    def open(self) -> None:
        """Lock the folder, find the segments, cut a torn tail, start the writer.

        Raises `JournalError` when another process holds the folder or acknowledged bytes are damaged
        or gone.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock_fd = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock_fd)
            self._lock_fd = -1
            raise JournalError(f"{self.folder}: another collector uses this journal") from None
        try:
            self._epochs.open()
            self._recover(self._durable.open())
            self._durable.write(self._last)
        except BaseException:
            self.close()
            raise
        self._writer = threading.Thread(target=self._write, name="journal", daemon=True)
        self._writer.start()

    def _recover(self, durable: int) -> None:
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            self._segments.add(Segment.load(path))
        if not self._segments.list:
            self._segments.add(Segment.create(self.folder, 1, self._heads, self._disk))
        newest = self._segments.newest
        heads = list(newest.heads or self._heads)
        self._last, self.cut_bytes = newest.recover(self._disk, heads, durable)
        if newest.heads is None:  # of an earlier version
            self._heads = self._read_heads()
            if self._last >= newest.first:
                self._begin_segment()
        else:
            self._heads = heads

    def _read_heads(self) -> list[int]:
        """Where each partition ends, by reading all that is kept: no header says it yet."""
        heads, position = [0] * PARTITIONS, 0
        while entries := self._segments.read(position + 1, self._last, _PIECE_ENTRIES, 1 << 20):
            for entry in entries:
                heads[entry.partition] = entry.position
            position = entries[-1].position
        return heads

    def append(self, partition: int, draft: Draft, fence: int = 0) -> asyncio.Future[int]:
        """As `Log.append`."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int] = loop.create_future()
        unpacked = size_unpacked(draft)
        if self._unpacked + unpacked > self._tail.most:  # as if nobody had read it
            draft, unpacked = draft._replace(batch=None), 0
        size = len(draft.payload)
        self._submit(_Waiting(((partition, draft),), size, fence, answer, loop, unpacked))
        return answer

    def append_all(self, drafts: Sequence[tuple[int, Draft]], fence: int = 0) -> int:
        """As `Log.append_all`."""
        if not drafts:
            return self._last
        answer: Future[int] = Future()
        size = sum(len(draft.payload) for _, draft in drafts)
        self._submit(_Waiting(drafts, size, fence, answer, None))
        return answer.result()

    def read(
        self,
        partitions: Collection[int],
        after: Mapping[int, int],
        max_entries: int = 4096,
        max_bytes: int = 1 << 20,
    ) -> Reading:
        """As `Log.read`; what was deleted is passed over."""
        with self._synced:
            last, heads = self._last, self._heads
        limits = (max_entries, max_bytes)
        entries, through = select(self._segments, partitions, after, heads, last, limits)
        return Reading(self._tail.take(entries), through)

    def head(self, partition: int) -> int:
        """As `Log.head`."""
        return self._heads[partition]

    def wait(self, partitions: Collection[int], after: Mapping[int, int], timeout: float) -> bool:
        """As `Log.wait`."""

        def behind() -> bool:
            heads = self._heads
            return any(heads[p] > after.get(p, 0) for p in partitions)

        with self._synced:
            return self._synced.wait_for(lambda: self._closing or behind(), timeout) and behind()

    def own(self, partitions: Collection[int], above: int = 0) -> int:
        """As `Log.own`; the epochs lie in a file beside the segments."""
        return self._epochs.own(partitions, above)

    def check(self, partitions: Collection[int], epoch: int) -> None:
        """As `Log.check`."""
        self._epochs.check(partitions, epoch)

    def trim(self, partition: int, before: int) -> None:
        """As `Log.trim`; `sweep` deletes."""
        self._needed[partition] = max(before, self._needed[partition])

    def sweep(self, arrived_before: int) -> int:
        """Delete segments that nobody needs and that are wholly older, µs UTC; how many.

        The newest always stays.
        """
        gone = 0
        while len(self._segments.list) > 1:
            oldest, following = self._segments.list[:2]
            heads = following.heads or [following.first - 1] * PARTITIONS
            if any(
                oldest.first <= head and needed <= head
                for head, needed in zip(heads, self._needed, strict=True)
            ):
                break
            first = self._segments.read(following.first, self._last, 1, 1 << 16)
            if not first or first[0].arrival >= arrived_before:
                break
            self._segments.drop_first().path.unlink()
            gone += 1
        return gone

    def close(self) -> None:
        """Write what waits, stop the writer, unlock the folder."""
        with self._work:
            self._closing = True
            self._work.notify_all()
        if self._writer is not None:
            self._writer.join()
        with self._synced:
            self._synced.notify_all()
        self._segments = Segments()
        self._durable.close()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def _submit(self, waiting: _Waiting) -> None:
        for _, draft in waiting.drafts:
            check_draft(draft)
        with self._work:
            if self._failed is not None or self._closing:
                raise self._failed or JournalError("the journal is closed")
            if self._queued and self._queued + waiting.size > self._queue_bytes:
                raise CollectorBusy("the journal's queue is full")
            self._queue.append(waiting)
            self._queued += waiting.size
            self._unpacked += waiting.unpacked
            if len(self._queue) == 1:
                self._work.notify()

    def _write(self) -> None:
        crowded = False
        while True:
            with self._work:
                self._work.wait_for(lambda: self._queue or self._closing)
                if not self._queue:
                    return
            if crowded and not self._closing:
                time.sleep(self._coalesce_s)
            group: list[_Waiting] = []
            size = 0
            with self._work:
                while self._queue and (not group or size + self._queue[0].size <= _GROUP_BYTES):
                    group.append(self._queue.popleft())
                    size += group[-1].size
                self._queued -= size
                self._unpacked -= sum(waiting.unpacked for waiting in group)
            crowded = len(group) > 1
            with self._epochs.unchanged:
                group = self._admitted(group)
                self._answer(group, self._commit(group) if group else 0)

    def _admitted(self, group: list[_Waiting]) -> list[_Waiting]:
        """Those of owners; former owners are told that they are none any more."""
        admitted = []
        for waiting in group:
            try:
                if waiting.fence:
                    self._epochs.check([p for p, _ in waiting.drafts], waiting.fence)
                admitted.append(waiting)
            except FencedOff as error:
                self._answer([waiting], error)
        return admitted

    def _commit(self, group: list[_Waiting]) -> int | DijkwachtError:
        """The last position before the group, or why none of it was written."""
        if self._failed is not None:
            return self._failed
        before, began = self._last, time.perf_counter()
        segment = self._segments.newest
        try:
            if segment.size >= self._segment_bytes:
                segment = self._begin_segment()
            positions = itertools.count(before + 1)
            heads = self._heads.copy()
            frames = bytearray()
            unpacked: list[tuple[int, Batch]] = []
            for waiting in group:
                for partition, draft in waiting.drafts:
                    heads[partition] = position = next(positions)
                    frames += write_frame(draft, partition, position, before, segment.salt)
                    if draft.batch is not None:
                        unpacked.append((position, draft.batch))
            self._disk.append(segment.fd, bytes(frames), segment.size)
            self._disk.sync(segment.fd)
        except OSError as error:
            return self._undo(segment, error)
        last = next(positions) - 1
        self._durable.write(last)
        self._trouble = ""
        with self._synced:
            segment.size += len(frames)
            self._tail.add(unpacked)
            self._last, self._heads = last, heads
            self._synced.notify_all()
        self._on_commit(len(frames), time.perf_counter() - began)
        return before

    def _begin_segment(self) -> Segment:
        segment = Segment.create(self.folder, self._last + 1, self._heads, self._disk)
        self._segments.add(segment)
        return segment

    def _undo(self, segment: Segment, error: OSError) -> DijkwachtError:
        # After a sync that failed for another reason the kernel may have dropped the pages and will
        # not report it again: whatever is written behind them could be lost while we call it durable.
        # Only who reads the file anew knows what is there: the process ends, and the next recovers.
        if error.errno in _FULL | _NO_FILES:
            full = error.errno in _FULL
            self._trouble = "disk full" if full else "too many open files"
            try:
                self._disk.cut(segment.fd, segment.size)
            except OSError as second:
                error = second
            else:
                why = "the collector's disk is full" if full else "it has too many files open"
                return CollectorBusy(why, retry_after_s=10.0)
        self._trouble = "failed"
        self._failed = JournalError(f"{segment.path.name}: {error.strerror or error}")
        return self._failed

    @staticmethod
    def _answer(group: list[_Waiting], outcome: int | DijkwachtError) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[int], int]]] = {}
        position = outcome if isinstance(outcome, int) else 0
        for waiting in group:
            position += len(waiting.drafts)
            if isinstance(waiting.answer, asyncio.Future):
                assert waiting.loop is not None
                by_loop.setdefault(waiting.loop, []).append((waiting.answer, position))
            elif isinstance(outcome, DijkwachtError):
                waiting.answer.set_exception(outcome)
            else:
                waiting.answer.set_result(position)
        failure = outcome if isinstance(outcome, DijkwachtError) else None
        for loop, answers in by_loop.items():
            try:
                # One wake-up of the loop for the whole group.
                loop.call_soon_threadsafe(_settle, answers, failure)
            except RuntimeError:  # the loop has closed: nobody waits any more
                continue


def _settle(answers: list[tuple[asyncio.Future[int], int]], failure: DijkwachtError | None) -> None:
    for answer, position in answers:
        if answer.done():
            continue
        if failure is None:
            answer.set_result(position)
        else:
            answer.set_exception(failure)

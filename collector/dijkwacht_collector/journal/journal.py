"""The journal: what has happened, in order, on disk before it is acknowledged.

Callers hand entries to one writer thread. It writes everything that waits, syncs once, and only then
answers all of them (group commit). Readers see synced entries only, from the files: the engine gets
nothing in any other way, so the same journal gives the same incidents.
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
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import msgspec

from dijkwacht_collector.journal.durable import DurableNote
from dijkwacht_collector.journal.entry import (
    BadFrame,
    Draft,
    Entry,
    check_draft,
    partition_of,
    read_frame,
    write_frame,
)
from dijkwacht_collector.journal.segment import SUFFIX, Disk, Segment, sync_folder
from dijkwacht_records.errors import CollectorBusy, DijkwachtError, JournalError

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_GROUP_BYTES: Final = 8 * 1024 * 1024
_CURSORS: Final = 1024
"""Places remembered where a reader stopped: many for each thread, as they step unevenly."""


class Log(Protocol):
    """What intake and console need of a journal. Engines and maintenance still need `Journal` itself."""

    def append(self, draft: Draft) -> asyncio.Future[int]:
        """Write ``draft``; the future holds its position once it is durable."""

    def read(self, from_position: int, max_entries: int = ..., max_bytes: int = ...) -> list[Entry]:
        """Durable entries from ``from_position`` on, in order; empty when there are none yet."""

    def own(self, partitions: Collection[int]) -> int:
        """Become the only reader of ``partitions``; an epoch higher than any owner before had."""


@dataclass(slots=True)
class _Waiting:
    drafts: Sequence[Draft]
    size: int
    answer: asyncio.Future[int] | Future[int]
    loop: asyncio.AbstractEventLoop | None


class Journal:
    """Segments in a folder. The constructor is inert; `open` locks the folder and recovers.

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
        self._segments: list[Segment] = []
        self._cursors: dict[int, tuple[Segment, int]] = {}
        self._queue: deque[_Waiting] = deque()
        self._queued = 0
        self._last = 0
        self._durable = DurableNote(folder / "durable")
        self._failed: JournalError | None = None
        self._closing = False
        self._work = threading.Condition()
        self._synced = threading.Condition()
        self._writer: threading.Thread | None = None
        self._lock_fd = -1

    @property
    def last(self) -> int:
        """Position of the newest durable entry; 0 in an empty journal."""
        return self._last

    @property
    def first(self) -> int:
        """Position of the oldest entry still kept (of the next one in an empty journal)."""
        return self._segments[0].first

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
            durable = self._durable.open()
            for path in sorted(self.folder.glob(f"*{SUFFIX}")):
                self._segments.append(Segment.load(path))
            if not self._segments:
                self._segments = [Segment.create(self.folder, 1, self._disk)]
            self._last, self.cut_bytes = self._segments[-1].recover(self._disk, durable)
            self._durable.write(self._last)
        except BaseException:
            self.close()
            raise
        self._writer = threading.Thread(target=self._write, name="journal", daemon=True)
        self._writer.start()

    def append(self, draft: Draft) -> asyncio.Future[int]:
        """As `Log.append`, from a coroutine. Raises `CollectorBusy` or `JournalError` at once."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int] = loop.create_future()
        self._submit(_Waiting((draft,), len(draft.payload), answer, loop))
        return answer

    def append_many(self, drafts: Sequence[Draft]) -> int:
        """Write ``drafts`` and wait; the position of the last one (from a thread, not the event loop)."""
        if not drafts:
            return self._last
        answer: Future[int] = Future()
        size = sum(len(draft.payload) for draft in drafts)
        self._submit(_Waiting(drafts, size, answer, None))
        return answer.result()

    def read(
        self, from_position: int, max_entries: int = 4096, max_bytes: int = 1 << 20
    ) -> list[Entry]:
        """As `Log.read`. A position before `first` reads from `first`."""
        with self._synced:
            last, size, segments = self._last, self._segments[-1].size, self._segments[:]
            position = max(from_position, segments[0].first)
            cursor = self._cursors.get(position)
        if position > last:
            return []
        segment, at = cursor or self._find(segments, position)
        if at >= segment.size and segment is not segments[-1]:
            segment = self._following(segments, segment, position)
            at = segment.start
        end = size if segment is segments[-1] else segment.size
        entries, at = segment.read(at, position, end, max_bytes, max_entries)
        with self._synced:
            while len(self._cursors) >= _CURSORS:
                del self._cursors[next(iter(self._cursors))]
            self._cursors[position + len(entries)] = (segment, at)
        return entries

    def wait_beyond(self, position: int, timeout: float) -> bool:
        """Block until an entry behind ``position`` is durable; False after ``timeout`` seconds."""
        with self._synced:
            return self._synced.wait_for(lambda: self._last > position or self._closing, timeout)

    def own(self, partitions: Collection[int]) -> int:
        """As `Log.own`; the epochs lie in a file beside the segments."""
        path = self.folder / "epochs.json"
        try:
            epochs = msgspec.json.decode(path.read_bytes(), type=dict[str, int])
        except FileNotFoundError:
            epochs = {}
        except (msgspec.MsgspecError, ValueError) as error:
            raise JournalError(f"{path}: not the epochs of a journal: {error}") from None
        epoch = max(epochs.values(), default=0) + 1
        epochs.update((str(partition), epoch) for partition in partitions)
        replace_file(path, msgspec.json.encode(epochs))
        return epoch

    def forget(self, before_position: int, before_arrival: int) -> int:
        """Delete segments that are wholly before both; how many. The last one always stays."""
        gone = 0
        while len(self._segments) > 1:
            following = self._segments[1]
            if following.first > before_position:
                break
            first = self.read(following.first, max_entries=1, max_bytes=1 << 16)
            if not first or first[0].arrival >= before_arrival:
                break
            with self._synced:
                old = self._segments.pop(0)
                self._cursors = {p: c for p, c in self._cursors.items() if c[0] is not old}
            old.path.unlink()
            old.close()
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
        while self._segments:
            self._segments.pop().close()
        self._durable.close()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def _submit(self, waiting: _Waiting) -> None:
        for draft in waiting.drafts:
            check_draft(draft)
        with self._work:
            if self._failed is not None or self._closing:
                raise self._failed or JournalError("the journal is closed")
            if self._queued and self._queued + waiting.size > self._queue_bytes:
                raise CollectorBusy("the journal's queue is full")
            self._queue.append(waiting)
            self._queued += waiting.size
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
            crowded = len(group) > 1
            self._answer(group, self._commit(group))

    def _commit(self, group: list[_Waiting]) -> int | DijkwachtError:
        """The last position before the group, or why none of it was written."""
        if self._failed is not None:
            return self._failed
        before, began = self._last, time.perf_counter()
        segment = self._segments[-1]
        try:
            if segment.size >= self._segment_bytes:
                segment = Segment.create(self.folder, before + 1, self._disk)
                with self._synced:
                    self._segments.append(segment)
            positions = itertools.count(before + 1)
            frames = b"".join(
                write_frame(d, partition_of(d.site), next(positions), before, segment.salt)
                for waiting in group
                for d in waiting.drafts
            )
            self._disk.append(segment.fd, frames, segment.size)
            self._disk.sync(segment.fd)
        except OSError as error:
            return self._undo(segment, error)
        last = next(positions) - 1
        self._durable.write(last)
        with self._synced:
            segment.size += len(frames)
            self._last = last
            self._synced.notify_all()
        self._on_commit(len(frames), time.perf_counter() - began)
        return before

    def _undo(self, segment: Segment, error: OSError) -> DijkwachtError:
        # After a sync that failed for another reason the kernel may have dropped the pages and will
        # not report it again: whatever is written behind them could be lost while we call it durable.
        if error.errno in _FULL:
            try:
                self._disk.cut(segment.fd, segment.size)
            except OSError as second:
                error = second
            else:
                return CollectorBusy("the collector's disk is full", retry_after_s=10.0)
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

    @staticmethod
    def _find(segments: list[Segment], position: int) -> tuple[Segment, int]:
        """Where ``position`` lies. Reads its segment from the start: once a reader, at its start."""
        segment = max((s for s in segments if s.first <= position), key=lambda s: s.first)
        at = segment.start
        data = os.pread(segment.fd, segment.size, 0)
        for reached in range(segment.first, position):
            if at >= len(data):
                raise _missing(segment, reached)
            try:
                at = read_frame(data, at, segment.salt).end
            except BadFrame as bad:
                raise JournalError(f"{segment.path.name}: offset {at}: {bad}") from None
        return segment, at

    @staticmethod
    def _following(segments: list[Segment], ended: Segment, position: int) -> Segment:
        """The segment that begins at ``position``, where ``ended`` has ended."""
        for segment in segments:
            if segment.first == position:
                return segment
        raise _missing(ended, position)


def replace_file(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` so that a crash leaves the old or the new, whole."""
    draft = path.with_name(path.name + ".new")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(content)
        os.fsync(fd)
    finally:
        os.close(fd)
    draft.rename(path)
    sync_folder(path.parent)


def _missing(ended: Segment, position: int) -> JournalError:
    return JournalError(
        f"{ended.path.name}: offset {ended.size}: no segment goes on with position {position}"
    )


def _settle(answers: list[tuple[asyncio.Future[int], int]], failure: DijkwachtError | None) -> None:
    for answer, position in answers:
        if answer.done():
            continue
        if failure is None:
            answer.set_result(position)
        else:
            answer.set_exception(failure)

"""Checkpoints on disk: what was learned of each site, a file a partition, written while the engine goes on.

``partition-NNN.checkpoint`` begins with a magic of eight bytes. Frames follow, each ``length u32 │
digest 16 │ body``, little-endian; the digest (BLAKE2b) and the body are of zstd bytes. The first body is a
`PartitionState`, the others are one `SiteRecord` each, at a position of its own; the last is empty. A
file of which a frame is damaged, or whose end is missing, is not used: the one before it is, or the
journal.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Final, NamedTuple

import msgspec
import zstandard

from dijkwacht_collector.engine.engine import Engine
from dijkwacht_collector.engine.site_record import Owner, PartitionState, SiteRecord
from dijkwacht_collector.journal import open_own, partition_of, sync_folder
from dijkwacht_records.errors import DijkwachtError

log: Final = logging.getLogger(__name__)

MAGIC: Final = b"DWCKPT\x00\x06"  # its last byte is the version
_FRAME: Final = struct.Struct("<I16s")
_MOST_BYTES: Final = 1 << 30
_LEVEL: Final = 1
_MOST_WAITING: Final = 32
"""Records that may wait for the writer; then none is taken until it has caught up."""


class Saved(NamedTuple):
    """A checkpoint as it was read."""

    state: PartitionState
    records: list[SiteRecord]

    @property
    def detectors(self) -> set[str]:
        """Names of those that had anything of a site, or a model or table."""
        return {*self.state.given, *(name for record in self.records for name in record.detectors)}


class SaveRound:
    """Checkpoints in the making: sites are taken between two steps, and a thread writes them.

    ``publish`` is called by that thread when all files of ``partitions`` are written and durable, with
    the position from which on each needs the journal.
    """

    def __init__(
        self,
        partitions: Sequence[int],
        owner: Owner,
        path_of: Callable[[int], Path],
        publish: Callable[[dict[int, int]], None],
    ) -> None:
        self.partitions: Final = tuple(partitions)
        self._owner, self._path_of, self._publish = owner, path_of, publish
        self._left: list[tuple[int, str | None]] = [(p, None) for p in reversed(partitions)]
        self._sites: dict[int, list[str]] = {partition: [] for partition in partitions}
        self._known = 0
        self._positions: dict[int, int] = {}
        self._error: Exception | None = None
        self._published = False
        self._queue: SimpleQueue[bytes] = SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="checkpoint", daemon=True)
        self._thread.start()

    def advance(self, engine: Engine, seconds: float = float("inf")) -> None:
        """Take sites until so much time is spent, one at least; nothing if the writer is behind."""
        end = time.perf_counter() + seconds
        while self.takes or (self._left and seconds == float("inf")):
            self._take(engine, *self._left.pop())
            if time.perf_counter() >= end:
                break

    @property
    def finished(self) -> bool:
        """Whether the files count, or will never; `result` says which."""
        return not self._thread.is_alive()

    def result(self) -> dict[int, int]:
        """Wait for the writer; the position from which on each partition needs the journal.

        Raises ``OSError``, or whatever ``publish`` raised.
        """
        self._thread.join()
        if not self._published:
            raise self._error or OSError("the writer of the checkpoint failed")
        return self._positions

    @property
    def takes(self) -> bool:
        """Whether a site could be taken now."""
        return bool(self._left) and self._queue.qsize() < _MOST_WAITING

    def abandon(self) -> None:
        """Give it up; what was written so far is removed."""
        self._left.clear()
        self._error = OSError("abandoned")
        self._queue.put(b"")
        self._thread.join()

    def _take(self, engine: Engine, partition: int, site: str | None) -> None:
        """Take a site, or (None) what belongs to all of its partition, which comes first."""
        if site is not None:
            self._queue.put(msgspec.msgpack.encode(engine.take(site)))
        else:
            state = engine.state_of(partition, self._owner)
            self._positions[partition] = state.position
            self._left += [(partition, of_it) for of_it in self._sites_of(engine, partition)]
            self._queue.put(msgspec.msgpack.encode(state))
        if not self._left or self._left[-1][0] != partition:
            self._queue.put(b"")

    def _sites_of(self, engine: Engine, partition: int) -> list[str]:
        """Its sites by now: one may have come since the round began."""
        for site in engine.numbering.sites[self._known :]:
            if (of_site := partition_of(site)) in self._sites:
                self._sites[of_site].append(site)
        self._known = len(engine.numbering.sites)
        return self._sites[partition]

    def _write(self) -> None:
        try:
            for partition in self.partitions:
                path = self._path_of(partition)
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
                with os.fdopen(fd, "wb") as file:
                    os.fchmod(fd, 0o600)  # one that was there may have been anybody's
                    write_frames(file, iter(self._queue.get, b""))
                    file.flush()
                    os.fdatasync(fd)
                if self._error is not None:
                    break
            else:
                self._publish(self._positions)
                self._published = True
        except Exception as error:  # noqa: BLE001  # a thread: `result` raises it where it is awaited
            self._error = error
        finally:
            if not self._published:
                for partition in self.partitions:
                    self._path_of(partition).unlink(missing_ok=True)


class Checkpoints:
    """A checkpoint a partition in a folder, and the one before it as ``….previous``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.orphaned: set[int] = set()
        """Partitions that were saved, but beside another store of incidents."""
        self._refused: set[Path] = set()
        self._positions: dict[int, list[int]] = {}

    def begin(
        self, partitions: Sequence[int], owner: Owner, flush: Callable[[], None]
    ) -> SaveRound:
        """Begin to save ``partitions``; see `SaveRound`. Raises ``OSError``.

        ``flush`` must return when the sinks hold all events so far, and raise if the partitions are
        another's by now: only behind it do the files count.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

        def publish(positions: dict[int, int]) -> None:
            flush()
            for partition, position in positions.items():
                newest = self._path(partition)
                if newest.exists() and newest not in self._refused:
                    newest.replace(self._path(partition, "previous"))
                self._refused.discard(newest)
                self._path(partition, "new").replace(newest)
                before = self._positions.get(partition, [0])
                self._positions[partition] = [before[-1], position]
            sync_folder(self._folder)
            self._copy_those_at_rest(set(positions))

        return SaveRound(partitions, owner, lambda p: self._path(p, "new"), publish)

    @property
    def uneven(self) -> bool:
        """Whether a partition's two files differ."""
        return any(previous != newest for previous, newest in self._positions.values())

    def position(self, partition: int) -> int:
        """Up to which position a partition is durable, even if the newest of its files were damaged."""
        return self._positions.get(partition, [0])[0]

    def restore(
        self, partition: int, head: int, store_id: str, store_mark: int = 0
    ) -> Saved | None:
        """A partition as it was saved last.

        ``head``: where it ends in the journal; a checkpoint from behind it belongs to a journal that
        has lost its end, and is not used. Nor is one whose events another store took than
        ``store_id``, or that one before it was put back to an older copy, which lacks the mark: they
        would be missing here for ever.
        """
        for kind in ("checkpoint", "previous"):
            path = self._path(partition, kind)
            if not path.exists():
                continue
            try:
                saved = read_checkpoint(path)
            except (DijkwachtError, OSError) as error:
                self._refused.add(path)
                log.warning("checkpoint discarded", extra={"file": path.name, "why": str(error)})
                continue
            if max((r.position for r in saved.records), default=saved.state.position) > head:
                log.warning("checkpoint is ahead of the journal", extra={"file": path.name})
            elif saved.state.store_id != store_id:
                self.orphaned.add(partition)
                log.warning("checkpoint is of another incidents.db", extra={"file": path.name})
            elif saved.state.store_mark > store_mark:
                self.orphaned.add(partition)
                log.warning("checkpoint is ahead of incidents.db", extra={"file": path.name})
            else:
                # What the other file holds is not known, so the journal is kept for it.
                self._positions[partition] = [0, saved.state.position]
                return saved
        return None

    def _copy_those_at_rest(self, moving: set[int]) -> None:
        """Let both files of a partition that stands still be its newest: it needs the journal no more."""
        for partition, (previous, newest) in self._positions.items():
            path = self._path(partition)
            if partition in moving or previous == newest or not path.exists():
                continue
            draft = self._path(partition, "new")
            shutil.copyfile(path, draft)
            draft.chmod(0o600)
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            draft.replace(self._path(partition, "previous"))
            self._positions[partition] = [newest, newest]
        sync_folder(self._folder)

    def _path(self, partition: int, kind: str = "checkpoint") -> Path:
        return self._folder / f"partition-{partition:03d}.{kind}"


def save(engine: Engine, folder: Path) -> None:
    """Save all that ``engine`` knows, at once."""
    partitions = sorted(engine.positions.keys() | set(map(partition_of, engine.numbering.sites)))
    save_round = Checkpoints(folder).begin(partitions, Owner(), lambda: None)
    save_round.advance(engine)
    save_round.result()


def load(engine: Engine, folder: Path) -> None:
    """Let a new engine take up what `save` saved. Raises as `read_checkpoint` does."""
    saved = [read_checkpoint(path) for path in sorted(folder.glob("*.checkpoint"))]
    engine.resume(
        [checkpoint.state for checkpoint in saved],
        [record for checkpoint in saved for record in checkpoint.records],
    )


def read_checkpoint(path: Path) -> Saved:
    """Read a checkpoint.

    Raises `DijkwachtError` for a file that is damaged, of another version, or that others may write;
    ``OSError``.
    """
    with open_own(path) as file:
        frames = read_frames(file)
        try:
            state = msgspec.msgpack.decode(next(frames), type=PartitionState)
            records = [msgspec.msgpack.decode(body, type=SiteRecord) for body in frames]
        except (StopIteration, msgspec.MsgspecError, zstandard.ZstdError) as error:
            raise DijkwachtError(f"not a checkpoint of this version: {error}") from None
    return Saved(state, records)


def write_frames(file: IO[bytes], bodies: Iterator[bytes]) -> None:
    """Write the magic, a frame for each body, and the empty frame that ends it."""
    pack = zstandard.ZstdCompressor(level=_LEVEL).compress
    file.write(MAGIC)
    for body in bodies:
        _write_frame(file, pack(body))
    _write_frame(file, b"")


def read_frames(file: IO[bytes]) -> Iterator[bytes]:
    """The bodies of a file that `write_frames` wrote. Raises `DijkwachtError` where it is damaged."""
    unpack = zstandard.ZstdDecompressor()
    if file.read(len(MAGIC)) != MAGIC:
        raise DijkwachtError("not a checkpoint of this version")
    while True:
        at = file.tell()
        head = file.read(_FRAME.size)
        if len(head) < _FRAME.size:
            raise DijkwachtError(f"offset {at}: its end is missing")
        length, digest = _FRAME.unpack(head)
        body = file.read(length) if length <= _MOST_BYTES else b""
        if hashlib.blake2b(body, digest_size=16).digest() != digest or len(body) != length:
            raise DijkwachtError(f"offset {at}: damaged")
        if not length:
            return
        yield unpack.decompress(body, max_output_size=_MOST_BYTES)


def _write_frame(file: IO[bytes], body: bytes) -> None:
    file.write(_FRAME.pack(len(body), hashlib.blake2b(body, digest_size=16).digest()))
    file.write(body)

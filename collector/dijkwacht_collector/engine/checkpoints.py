"""An engine's checkpoint on disk: what was learned of each site, written while the engine goes on.

``NAME.checkpoint`` begins with a magic of eight bytes. Frames follow, each ``length u32 │ digest 16 │
body``, little-endian; the digest (BLAKE2b) and the body are of zstd bytes. The first body is a `Head`,
the others are one `SiteRecord` each, at a position of its own; the last is empty. A file of which a
frame is damaged, or whose end is missing, is not used: the one before it is, or the journal.
"""

from __future__ import annotations

import hashlib
import logging
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Final

import msgspec
import zstandard

from dijkwacht_collector.engine.engine import Engine
from dijkwacht_collector.engine.site_record import Head, SiteRecord
from dijkwacht_collector.journal import open_own, sync_folder
from dijkwacht_records.errors import DijkwachtError

log: Final = logging.getLogger(__name__)

MAGIC: Final = b"DWCKPT\x00\x05"  # its last byte is the version
_FRAME: Final = struct.Struct("<I16s")
_MOST_BYTES: Final = 1 << 30
_LEVEL: Final = 1
_MOST_WAITING: Final = 32
"""Records that may wait for the writer; then none is taken until it has caught up."""


class SaveRound:
    """One checkpoint in the making: sites are taken between two steps, and a thread writes them.

    ``position`` is the engine's at its begin; every site is saved there or later. ``flush`` must
    return when the sinks hold all events so far: only then does the file count.
    """

    def __init__(self, engine: Engine, draft: Path, publish: Callable[[], None]) -> None:
        self.position: Final = engine.position
        self._left = engine.numbering.sites[::-1]
        self._draft, self._publish = draft, publish
        self._error: OSError | None = None
        self._published = False
        self._queue: SimpleQueue[bytes] = SimpleQueue()
        self._queue.put(msgspec.msgpack.encode(engine.head()))
        if not self._left:
            self._queue.put(b"")
        self._thread = threading.Thread(target=self._write, name="checkpoint", daemon=True)
        self._thread.start()

    def advance(self, engine: Engine, seconds: float = float("inf")) -> None:
        """Take sites until so much time is spent, one at least; nothing if the writer is behind."""
        end = time.perf_counter() + seconds
        while self.takes or (self._left and seconds == float("inf")):
            record = engine.take(self._left.pop())
            self._queue.put(msgspec.msgpack.encode(record))
            if not self._left:
                self._queue.put(b"")
            if time.perf_counter() >= end:
                break

    @property
    def finished(self) -> bool:
        """Whether the file counts, or will never; `result` says which."""
        return not self._thread.is_alive()

    def result(self) -> int:
        """Wait for the writer; the position from which the journal is needed. Raises ``OSError``."""
        self._thread.join()
        if not self._published:
            raise self._error or OSError("the writer of the checkpoint failed")
        return self.position

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

    def _write(self) -> None:
        try:
            fd = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                os.fchmod(fd, 0o600)  # one that was there may have been anybody's
                write_frames(file, iter(self._queue.get, b""))
                file.flush()
                os.fsync(file.fileno())
            if self._error is None:
                self._publish()
                self._published = True
        except OSError as error:
            self._error = error
        finally:
            if not self._published:
                self._draft.unlink(missing_ok=True)


class Checkpoints:
    """``NAME.checkpoint`` in a folder, and the one before it as ``NAME.previous``."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._newest = folder / f"{name}.checkpoint"
        self._previous = folder / f"{name}.previous"
        self._draft = folder / f"{name}.new"
        self._refused: set[Path] = set()

    def begin(self, engine: Engine, flush: Callable[[], None]) -> SaveRound:
        """Begin to save what ``engine`` knows; see `SaveRound`. Raises ``OSError``."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

        def publish() -> None:
            flush()
            if self._newest.exists() and self._newest not in self._refused:
                self._newest.replace(self._previous)
            self._refused.clear()
            self._draft.replace(self._newest)
            sync_folder(self._folder)

        return SaveRound(engine, self._draft, publish)

    def restore(self, make_engine: Callable[[], Engine], last: int, store_id: str) -> Engine:
        """The engine as it was saved, or a new one that will read the journal from its start.

        ``last`` is the journal's last position: a checkpoint from behind it belongs to a journal
        that has lost its end, and is not used. Nor is one whose events another store took than
        ``store_id``: they would be missing here for ever.
        """
        for path in (self._newest, self._previous):
            if not path.exists():
                continue
            engine = make_engine()
            try:
                newest = load(engine, path)
            except Exception as error:  # noqa: BLE001  # whatever is wrong with a cache: make it anew
                self._refused.add(path)
                log.warning("checkpoint discarded", extra={"file": path.name, "why": str(error)})
                continue
            if newest > last:
                log.warning("checkpoint is ahead of the journal", extra={"file": path.name})
            elif engine.store_id != store_id:
                log.warning("checkpoint is of another incidents.db", extra={"file": path.name})
            else:
                return engine
        engine = make_engine()
        engine.store_id = store_id
        return engine


def save(engine: Engine, path: Path) -> None:
    """Save all that ``engine`` knows, at once."""
    round_ = SaveRound(engine, path, lambda: None)
    round_.advance(engine)
    round_.result()


def load(engine: Engine, path: Path) -> int:
    """Let a new engine take up a checkpoint; the highest position in it.

    Raises `DijkwachtError` for a file that is damaged, of another version, or that others may write;
    ``OSError``.
    """
    with open_own(path) as file:
        frames = read_frames(file)
        try:
            head = msgspec.msgpack.decode(next(frames), type=Head)
            records = [msgspec.msgpack.decode(body, type=SiteRecord) for body in frames]
        except (StopIteration, msgspec.MsgspecError) as error:
            raise DijkwachtError(f"not a checkpoint of this version: {error}") from None
    engine.resume(head, records)
    return max((record.position for record in records), default=head.position)


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

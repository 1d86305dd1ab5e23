"""Incidents and stories as OCSF JSON lines in a file: one line a step, never the same line twice.

A file that is full becomes ``….jsonl.1``, what was that ``….jsonl.2``, and so on; the oldest goes. Before
it does so, what its lines say of the latest steps is kept in ``….jsonl.known``: so the present file and
that note are all that has to be read at a start, and a step stays known whose line is in an older file.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_collector.incidents import Event, encode_event
from dijkwacht_collector.journal import replace_file, seal, sync_folder, unseal
from dijkwacht_records.errors import JournalError

log: Final = logging.getLogger(__name__)

MOST_KNOWN: Final = 100_000
"""Incidents and stories whose latest step is known: many times those that are told between two checkpoints."""
_CHUNK: Final = 1 << 20
_LONGEST: Final = 16 << 20
"""No step's events are longer; so much a file may be too long."""
_MAGIC: Final = b"DWJ\x01"


class _Info(msgspec.Struct):
    uid: str


class _Unmapped(msgspec.Struct):
    revision: int
    story_uid: str = ""


class _Line(msgspec.Struct):
    """A Detection Finding, or an Incident Finding, which has many findings' infos and a name of its own."""

    unmapped: _Unmapped
    finding_info: _Info | None = None

    @property
    def uid(self) -> str:
        return self.finding_info.uid if self.finding_info is not None else self.unmapped.story_uid


class JsonLines:
    """Appends findings to the file ``path``; past ``most_bytes`` it begins another, and keeps ``older`` ones.

    ``clock`` gives ``metadata.logged_time`` in µs UTC; without one a run writes the same bytes each
    time. On opening, the file itself says which steps it holds, and a last line that a crash cut
    short is cut off.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], int] | None = None,
        most_bytes: int = 64 << 20,
        older: int = 8,
    ) -> None:
        self._path, self._clock = path, clock
        self._most_bytes, self._older = most_bytes, older
        self._fd = -1
        self._changing = threading.Lock()
        """Held while another file takes the place of ``_fd``, which may be flushed beside that."""
        self._end = 0
        self._taken: dict[str, int] = {}

    def open(self) -> None:
        """Read what the note and the file hold; of a file that is far too long, its end. Raises ``OSError``."""
        self._taken = {}
        # Where the file itself is not, lines were written to it under its next name, behind the note.
        if not self._read_known() or not self._path.exists():
            self._read_before()
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._end = self._read_steps(self._fd)
        if os.fstat(self._fd).st_size > self._end:
            os.ftruncate(self._fd, self._end)

    def handle(self, events: Sequence[Event]) -> None:
        """Append what was not taken yet: all of it, or on ``OSError`` nothing."""
        if self._end >= self._most_bytes:
            self._rotate()
        logged = self._clock() if self._clock is not None else None
        lines, news = bytearray(), dict[str, int]()
        for event in events:
            uid, revision = event.uid, event.revision
            if revision > news.get(uid, self._taken.get(uid, -1)):
                news[uid] = revision
                lines += encode_event(event, logged) + b"\n"
        view, at = memoryview(lines), self._end
        try:
            while view:
                written = os.pwrite(self._fd, view, at)
                view, at = view[written:], at + written
        except OSError:
            os.ftruncate(self._fd, self._end)
            raise
        self._end = at
        self._learn(news)

    def flush(self) -> None:
        """Sync the file; those before it were, when it was begun."""
        with self._changing:
            fd = os.dup(self._fd)
        try:
            os.fdatasync(fd)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Sync and close."""
        if self._fd >= 0:
            self.flush()
            os.close(self._fd)
            self._fd = -1

    def _learn(self, steps: dict[str, int]) -> None:
        for uid, revision in steps.items():
            self._taken[uid] = max(revision, self._taken.pop(uid, -1))
        while len(self._taken) > MOST_KNOWN:
            del self._taken[next(iter(self._taken))]

    def _rotate(self) -> None:
        """Begin another file; where that fails, the present one goes on growing."""
        try:
            os.fdatasync(self._fd)
            # A crash from here on finds all of the present file's steps in the note, too.
            known = msgspec.msgpack.encode(self._taken)
            replace_file(self._beside("known"), seal(_MAGIC, known) + known)
            if self._path.exists():  # else an attempt before this one came as far as here
                self._make_older()
            fd = self._begin_file()
        except OSError as error:
            log.warning("incidents.jsonl goes on growing", extra={"why": str(error)})
            return
        with self._changing:
            os.close(self._fd)
            self._fd, self._end = fd, 0

    def _begin_file(self) -> int:
        """A new file, that a power cut leaves there, or none."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            sync_folder(self._path.parent)
        except OSError:
            os.close(fd)
            self._path.unlink()
            raise
        return fd

    def _make_older(self) -> None:
        for number in range(self._older, 1, -1):
            younger = self._beside(str(number - 1))
            if younger.exists():
                younger.replace(self._beside(str(number)))
        self._path.replace(self._beside("1"))

    def _read_known(self) -> bool:
        """Learn what the note says; False if there is none that can be relied on."""
        try:
            body = unseal(_MAGIC, self._beside("known").read_bytes())
            self._learn(msgspec.msgpack.decode(body, type=dict[str, int]))
        except FileNotFoundError:
            pass
        except (JournalError, msgspec.MsgspecError) as error:
            log.warning("the note of steps is not used", extra={"why": str(error)})
        else:
            return True
        return False

    def _read_before(self) -> None:
        """Learn what the file before this one holds."""
        if self._beside("1").exists():
            fd = os.open(self._beside("1"), os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._read_steps(fd)
            finally:
                os.close(fd)

    def _read_steps(self, fd: int) -> int:
        """Learn from the lines of a file, as many as there should be; where its last whole one ends."""
        size = os.fstat(fd).st_size
        at = end = max(0, size - 2 * self._most_bytes - _LONGEST)
        decoder = msgspec.json.Decoder(_Line)
        rest = b""
        while chunk := os.pread(fd, _CHUNK, at):
            at += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            for text in lines:
                end += len(text) + 1
                try:
                    line = decoder.decode(text)
                except msgspec.MsgspecError:  # a line of somebody else's: not ours to judge
                    continue
                self._learn({line.uid: line.unmapped.revision})
        return end

    def _beside(self, kind: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{kind}")

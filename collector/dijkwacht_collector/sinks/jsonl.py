"""Incidents as OCSF JSON lines in a file: one line a step, never the same line twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_collector.incidents import IncidentEvent, encode_finding

_CHUNK: Final = 1 << 20


class _Info(msgspec.Struct):
    uid: str


class _Unmapped(msgspec.Struct):
    revision: int


class _Line(msgspec.Struct):
    finding_info: _Info
    unmapped: _Unmapped


class JsonLines:
    """Appends findings to the file ``path``.

    ``clock`` gives ``metadata.logged_time`` in µs UTC; without one a run writes the same bytes each
    time. On opening, the file itself says which steps it holds, and a last line that a crash cut
    short is cut off.
    """

    def __init__(self, path: Path, clock: Callable[[], int] | None = None) -> None:
        self._path, self._clock = path, clock
        self._fd = -1
        self._end = 0
        self._taken: dict[str, int] = {}

    def open(self) -> None:
        """Read what the file holds. Raises ``OSError``."""
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        decoder = msgspec.json.Decoder(_Line)
        end, rest, at = 0, b"", 0
        while chunk := os.pread(self._fd, _CHUNK, at):
            at += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            for text in lines:
                end += len(text) + 1
                try:
                    line = decoder.decode(text)
                except msgspec.MsgspecError:  # a line of somebody else's: not ours to judge
                    continue
                uid, revision = line.finding_info.uid, line.unmapped.revision
                self._taken[uid] = max(revision, self._taken.get(uid, -1))
        if rest:
            os.ftruncate(self._fd, end)
        self._end = end

    def handle(self, events: Sequence[IncidentEvent]) -> None:
        """Append what the file does not hold yet: all of it, or on ``OSError`` nothing."""
        logged = self._clock() if self._clock is not None else None
        lines, news = bytearray(), dict[str, int]()
        for event in events:
            uid, revision = event.incident.uid, event.incident.revision
            if revision > news.get(uid, self._taken.get(uid, -1)):
                news[uid] = revision
                lines += encode_finding(event, logged) + b"\n"
        view, at = memoryview(lines), self._end
        try:
            while view:
                written = os.pwrite(self._fd, view, at)
                view, at = view[written:], at + written
        except OSError:
            os.ftruncate(self._fd, self._end)
            raise
        self._end = at
        self._taken |= news

    def flush(self) -> None:
        """Sync the file."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Sync and close."""
        if self._fd >= 0:
            self.flush()
            os.close(self._fd)
            self._fd = -1

"""What has been seen: a batch that comes again is recognised.

A stream is one agent's one boot. Its mark is the highest sequence number that is durable, with a
window of the numbers just below it, so that batches that overtake each other are not taken for
repeats. Marks come from the journal alone: a snapshot beside the segments only saves reading them
all, and is never ahead of them. It is sealed: a mark that a flipped bit had raised would have batches
acknowledged and dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_collector.journal import (
    PARTITIONS,
    Entry,
    Readable,
    partition_of,
    replace_file,
    seal,
    unseal,
)
from dijkwacht_records.errors import JournalError

log: Final = logging.getLogger(__name__)

WINDOW: Final = 256
MOST_STREAMS: Final = 4096
"""Streams remembered of a site, the latest: years of restarts, or one agent that restarts without end."""
_FULL: Final = (1 << WINDOW) - 1
_MAGIC: Final = b"DWM\x03"
_SEALED_EARLIER: Final = b"DWM\x02"
_UNSEALED: Final = b"\x82"  # how the first version's began: a map of two


class _Mark(msgspec.Struct, array_like=True):
    top: int
    window: bytes


class _Snapshot(msgspec.Struct):
    """``after``: position up to which each partition was read; earlier versions had one for all."""

    streams: dict[str, _Mark]
    after: dict[int, int] = {}
    position: int = 0


class HighWater:
    """The marks of every stream of the ``partitions`` that this intake owns. One thread at a time.

    ``after``: the position up to which they hold, by partition.
    """

    def __init__(self, partitions: Collection[int] = range(PARTITIONS)) -> None:
        self.after = dict.fromkeys(partitions, 0)
        self._of_all = 0  # the one position of an earlier version's snapshot
        self._streams: dict[str, dict[str, tuple[int, int]]] = {}

    def seen(self, site: str, key: str) -> bool:
        """Whether the batch ``key`` (see `payloads.batch_key`) of ``site`` is durable already."""
        stream, seq = _split(key)
        top, window = self._streams.get(site, {}).get(stream, (-1, 0))
        age = top - seq
        return age >= WINDOW or (age >= 0 and bool(window >> age & 1))

    def note(self, site: str, key: str, position: int) -> None:
        """The batch ``key`` became durable at ``position``."""
        stream, seq = _split(key)
        streams = self._streams.setdefault(site, {})
        top, window = streams.pop(stream, (-1, 0))
        if len(streams) >= MOST_STREAMS:
            del streams[next(iter(streams))]
        if seq > top:
            shift = min(seq - top, WINDOW)
            top, window = seq, window << shift & _FULL | 1
        elif top - seq < WINDOW:
            window |= 1 << (top - seq)
        streams[stream] = (top, window)
        partition = partition_of(site)
        self.after[partition] = max(self.after[partition], position)

    def catch_up(self, journal: Readable) -> None:
        """Read what the journal holds behind `after`."""
        heads = {partition: journal.head(partition) for partition in self.after}
        if self._of_all > max(heads.values()) or any(self.after[p] > heads[p] for p in heads):
            # The journal lost its end, by other hands than ours: what it does not hold is unseen.
            log.error("the journal ends before its marks")
            self.after, self._streams = dict.fromkeys(heads, 0), {}
        elif self._of_all:
            self.after = {partition: min(self._of_all, head) for partition, head in heads.items()}
        after = self.after.copy()
        while journal.wait(after, after, 0.0):
            entries, after = journal.read(after, after)
            for entry in entries:
                self._take(entry)

    def _take(self, entry: Entry) -> None:
        if entry.key:
            self.note(entry.site, entry.key, entry.position)
        self.after[entry.partition] = entry.position

    def dump(self) -> bytes:
        """A snapshot, as bytes."""
        streams = {
            f"{site}/{stream}": _Mark(top, window.to_bytes(WINDOW // 8, "little"))
            for site, streams in self._streams.items()
            for stream, (top, window) in streams.items()
        }
        body = msgspec.msgpack.encode(_Snapshot(streams, self.after))
        return seal(_MAGIC, body) + body

    @staticmethod
    def save(path: Path, snapshot: bytes) -> None:
        """Replace the snapshot on disk. Raises ``OSError``."""
        replace_file(path, snapshot)

    @classmethod
    def load(cls, path: Path) -> HighWater:
        """The marks of a snapshot; empty ones if there is none that can be relied on."""
        marks = cls()
        try:
            snapshot = _read(path.read_bytes())
        except FileNotFoundError:
            return marks
        except (JournalError, OSError, ValueError, msgspec.MsgspecError) as error:
            # ValueError: a name that is no text, which msgspec lets through.
            log.warning(
                "marks discarded, the journal is read instead",
                extra={"file": path.name, "why": str(error)},
            )
            return marks
        marks.after |= snapshot.after
        marks._of_all = snapshot.position
        for name, mark in snapshot.streams.items():
            site, _, stream = name.partition("/")
            window = int.from_bytes(mark.window, "little")
            marks._streams.setdefault(site, {})[stream] = mark.top, window
        return marks


def _read(data: bytes) -> _Snapshot:
    """A snapshot of this version or an earlier one."""
    if data.startswith(_UNSEALED):
        body: memoryview | bytes = data
    else:
        earlier = data.startswith(_SEALED_EARLIER)
        body = unseal(_SEALED_EARLIER if earlier else _MAGIC, data)
    return msgspec.msgpack.decode(body, type=_Snapshot)


def _split(key: str) -> tuple[str, int]:
    stream, _, seq = key.rpartition("/")
    return stream, int(seq)

"""What has been seen: a batch that comes again is recognised, for ever.

A stream is one agent's one boot. Its mark is the set of sequence numbers that are durable, as
intervals (`site_marks`), so that batches may overtake each other and a spool may have lost some; with
it goes how many rows each agent has made durable. Marks come from the journal alone: a snapshot
beside the segments only saves reading them all, and is never ahead of them. It is sealed: a mark that
a flipped bit had raised would have batches acknowledged and dropped.
`docs/decisions/0022-marks-are-intervals.md` has the bounds.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_collector.intake import earlier_marks
from dijkwacht_collector.intake.arrivals import Arrival, last_beat
from dijkwacht_collector.intake.boots import copies, hear_boot
from dijkwacht_collector.intake.site_marks import SiteMarks, SiteState
from dijkwacht_collector.journal import (
    PARTITIONS,
    Entry,
    Readable,
    partition_of,
    replace_file,
    seal,
    unseal,
)
from dijkwacht_records.contracts import CONTRACTS
from dijkwacht_records.errors import JournalError, MalformedBatch, UnknownContract
from dijkwacht_records.wire import Batch, read_checked

log: Final = logging.getLogger(__name__)

_MAGIC: Final = b"DWM\x04"


class _Snapshot(msgspec.Struct):
    """``after``: position up to which each partition was read."""

    sites: dict[str, SiteState]
    after: dict[int, int]


class HighWater:
    """The marks of every stream of the ``partitions`` that this intake owns. One thread at a time.

    ``after``: the position up to which they hold, by partition.
    """

    def __init__(self, partitions: Collection[int] = range(PARTITIONS)) -> None:
        self.after = dict.fromkeys(partitions, 0)
        self._of_all = 0  # the one position of an earlier version's snapshot
        self._sites: dict[str, SiteMarks] = {}

    def seen(self, site: str, key: str) -> bool:
        """Whether the batch ``key`` (see `payloads.batch_key`) of ``site`` is durable already."""
        marks = self._sites.get(site)
        return marks is not None and marks.seen(*_split(key))

    def has_room(self, site: str, key: str, arrival: int) -> bool:
        """Whether a batch that is not `seen` may be appended at ``arrival``, µs UTC.

        If not it is busy: it could not be told from a repeat later.
        """
        marks = self._sites.get(site)
        return marks is None or marks.has_room(*_split(key), arrival)

    def note(self, site: str, key: str, position: int, rows: int = 0, arrival: int = 0) -> None:
        """The batch ``key`` of so many rows, which came at ``arrival``, became durable at ``position``."""
        stream, seq = _split(key)
        marks = self._sites.get(site)
        if marks is None:
            marks = self._sites[site] = SiteMarks()
        marks.note(stream, seq, rows, arrival)
        partition = partition_of(site)
        self.after[partition] = max(self.after[partition], position)

    def hear(self, batch: Arrival | Batch, beat: Mapping[str, int], arrival: int) -> dict[str, int]:
        """The last heartbeat of ``batch``, which is noted and came at ``arrival``.

        What is known of its agent now: of its rows, as `AgentMarks.figures`, and the ``copies`` of it.
        """
        agent = self._sites[batch.site].agents[batch.agent]
        agent.hear(batch.boot, beat["rows_made"], beat["rows_shed"])
        hear_boot(agent.boots, batch.boot, beat["time"], arrival)
        return agent.figures() | {"copies": copies(agent.boots, arrival)}

    def rows(self, site: str) -> dict[str, int]:
        """Rows that each agent of ``site`` has made durable, as far as journal and snapshot know."""
        marks = self._sites.get(site)
        return {name: agent.rows for name, agent in marks.agents.items()} if marks else {}

    def sites(self) -> list[str]:
        """Those that ever made a batch durable."""
        return list(self._sites)

    def catch_up(self, journal: Readable) -> None:
        """Read what the journal holds behind `after`."""
        heads = {partition: journal.head(partition) for partition in self.after}
        if self._of_all > max(heads.values()) or any(self.after[p] > heads[p] for p in heads):
            # The journal lost its end, by other hands than ours: what it does not hold is unseen.
            log.error("the journal ends before its marks")
            self.after, self._sites = dict.fromkeys(heads, 0), {}
        elif self._of_all:
            self.after = {partition: min(self._of_all, head) for partition, head in heads.items()}
        after = self.after.copy()
        while journal.wait(after, after, 0.0):
            entries, after = journal.read(after, after)
            for entry in entries:
                self._take(entry)

    def _take(self, entry: Entry) -> None:
        if entry.key:
            self._take_batch(entry)
        self.after[entry.partition] = entry.position

    def _take_batch(self, entry: Entry) -> None:
        try:
            batch = read_checked(entry.payload, CONTRACTS)
        except (MalformedBatch, UnknownContract):  # only a later release can count its rows
            self.note(entry.site, entry.key, entry.position, 0, entry.arrival)
            return
        self.note(entry.site, entry.key, entry.position, batch.rows, entry.arrival)
        # An entry that no intake has written may be of another agent than it names, or of none.
        with suppress(MalformedBatch, ValueError, LookupError):
            if beat := last_beat(batch.planes):
                self.hear(batch, beat, entry.arrival)

    def dump(self) -> bytes:
        """A snapshot, as bytes."""
        sites = {site: marks.state() for site, marks in self._sites.items()}
        body = msgspec.msgpack.encode(_Snapshot(sites, self.after))
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
            data = path.read_bytes()
            if data.startswith(_MAGIC):
                marks._restore(msgspec.msgpack.decode(unseal(_MAGIC, data), type=_Snapshot))
            else:
                marks._take_over(earlier_marks.read(data))
        except FileNotFoundError:
            return marks
        except (JournalError, OSError, ValueError, msgspec.MsgspecError) as error:
            # ValueError: a name that is no text, which msgspec lets through.
            log.warning(
                "marks discarded, the journal is read instead",
                extra={"file": path.name, "why": str(error)},
            )
            return cls()
        return marks

    def _restore(self, snapshot: _Snapshot) -> None:
        self.after |= snapshot.after
        self._sites = {site: SiteMarks(state) for site, state in snapshot.sites.items()}

    def _take_over(self, snapshot: earlier_marks.Snapshot) -> None:
        self.after |= snapshot.after
        self._of_all = snapshot.position
        for name, mark in snapshot.streams.items():
            site, _, stream = name.partition("/")
            self._sites.setdefault(site, SiteMarks()).take_over(stream, mark.seen())


def _split(key: str) -> tuple[str, int]:
    stream, _, seq = key.rpartition("/")
    return stream, int(seq)

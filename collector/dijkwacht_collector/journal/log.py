"""The verbs of a journal: intake, engines, API and maintenance know no others.

A position orders one partition; ``after`` maps partitions to the positions behind which to go on.
Whoever owns a partition holds its epoch, and what he appends under an older one is refused. The
journal in files is `Journal`; docs/decisions/0013 says verb by verb how a replicated one fits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from dijkwacht_collector.journal.entry import Draft, Entry


class Reading(NamedTuple):
    """Entries in order, and ``after`` moved on: behind them, and past what is of nobody asked for."""

    entries: list[Entry]
    after: dict[int, int]


class Readable(Protocol):
    """What whoever only reads needs; it may be another process than the one that writes."""

    def read(
        self,
        partitions: Collection[int],
        after: Mapping[int, int],
        max_entries: int = ...,
        max_bytes: int = ...,
    ) -> Reading:
        """Durable entries of ``partitions``, each behind its position in ``after`` (0 if it has none).

        Some of what there is, in the order in which it was written; nothing if there is nothing yet.
        """

    def head(self, partition: int) -> int:
        """The position of the newest durable entry of ``partition``; 0 if it has none."""

    def wait(self, partitions: Collection[int], after: Mapping[int, int], timeout: float) -> bool:
        """Block until one of ``partitions`` has an entry behind ``after``; False after ``timeout`` seconds."""


class Log(Readable, Protocol):
    """A journal that can be written, too."""

    def append(self, partition: int, draft: Draft, fence: int = 0) -> asyncio.Future[int]:
        """Write ``draft``; the future holds its position once it is durable. From the event loop.

        ``fence`` is the epoch under which the caller owns the partition, 0 if whoever owns it does not
        matter. Raises `CollectorBusy` or `JournalError` at once, or by the future: `FencedOff` if
        somebody else owns it by now.
        """

    def append_all(self, drafts: Sequence[tuple[int, Draft]], fence: int = 0) -> int:
        """Write all (partition, draft) with nothing between them, or none; wait. From a thread.

        The position of the last one. Raises as `append` does.
        """

    def own(self, partitions: Collection[int], above: int = 0) -> int:
        """Become the owner of ``partitions``: the epoch, higher than any before, and ``above``."""

    def check(self, partitions: Collection[int], epoch: int) -> None:
        """Raise `FencedOff` unless ``epoch`` is still that of every one of ``partitions``."""

    def trim(self, partition: int, before: int) -> None:
        """What ``partition`` has before this position is durable elsewhere, and may go."""

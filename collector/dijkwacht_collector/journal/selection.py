"""What of the whole sequence is of some partitions, and new to whoever asks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from dijkwacht_collector.journal.entry import PARTITIONS
from dijkwacht_collector.journal.log import Reading
from dijkwacht_collector.journal.segments import Segments


def select(
    segments: Segments,
    partitions: Collection[int],
    after: Mapping[int, int],
    heads: Sequence[int],
    last: int,
    limits: tuple[int, int],
) -> Reading:
    """As `Readable.read`; ``heads``: the last position of each partition, ``last`` that of all.

    ``limits``: entries, bytes. A partition that has nothing new holds nobody back: reading begins
    where the first one does that has.
    """
    behind = [after.get(p, 0) for p in partitions if heads[p] > after.get(p, 0)]
    if not behind:
        return Reading([], {p: max(last, after.get(p, 0)) for p in partitions})
    found = segments.read(min(behind) + 1, last, *limits)
    through = found[-1].position if found else last
    if len(partitions) < PARTITIONS or max(after.values(), default=0) > min(behind):
        wanted = frozenset(partitions)
        found = [
            e for e in found if e.partition in wanted and e.position > after.get(e.partition, 0)
        ]
    return Reading(found, {p: max(through, after.get(p, 0)) for p in partitions})

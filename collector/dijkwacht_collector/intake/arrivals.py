"""What the intake needs to know of a batch; all else of it is left to the engine."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from dijkwacht_collector.unpacking import decode
from dijkwacht_records.byte_planes import join_planes
from dijkwacht_records.errors import MalformedBatch
from dijkwacht_records.planes import BEFORE, DELTA, Part, Planes, parts_of
from dijkwacht_records.tables import AGENT, TABLES
from dijkwacht_records.wire import Batch

MOST_BEATS: Final = 1024
"""Heartbeats that a batch may hold: an agent makes one each ten seconds and sends twice a second."""
_AGENT_TABLE: Final = TABLES.index(AGENT)


class Arrival(NamedTuple):
    """One batch that holds what it claims: who sent it, which it is, what it tells of the agent.

    ``unknown`` of its ``rows`` are of tables that this release does not know. ``beat``: the agent's
    counters in its last heartbeat, by name; empty if it brings none. ``batch``: what was
    unpacked, where the engine is to have it.
    """

    site: str
    agent: str
    boot: bytes
    seq: int
    rows: int
    unknown: int
    beat: dict[str, int]
    batch: Batch | None


def read_arrival(wire: bytes, reads: Collection[int], *, keep: bool = True) -> Arrival:
    """Check ``wire`` as `unpacking.decode` does; ``keep`` its batch. Raises as that does."""
    batch = decode(wire, reads)
    planes = batch.planes
    beat = last_beat(planes)
    return Arrival(
        batch.site,
        batch.agent,
        batch.boot,
        batch.seq,
        planes.rows,
        planes.unknown,
        beat,
        batch if keep else None,
    )


def last_beat(planes: Planes) -> dict[str, int]:
    """The last row of the agent table, by column; counters are since boot: it covers all before it.

    It has the columns of its contract: what an agent cannot say is not 0. For planes that were checked. Raises `MalformedBatch` for more than `MOST_BEATS` of them.
    """
    own = parts_of(planes, _AGENT_TABLE)
    if not own:
        return {}
    rows = own[0].rows
    if rows > MOST_BEATS:
        raise MalformedBatch(f"{rows} heartbeats in one batch, at most {MOST_BEATS}")
    beat, time = dict[str, int](), 0
    for column, part in zip(AGENT.columns, own, strict=False):
        beat[column.name] = value = _last(planes.planes, part, time)
        if part.column == 0:
            time = value
    return beat


def _last(planes: bytes, part: Part, time: int) -> int:
    """The last value of a column of integers; ``time``: that of its row."""
    end = part.at + part.rows * part.width
    if part.mode == DELTA:
        steps = join_planes(planes[part.at : end], part.width, part.rows)
        return part.base + sum((n >> 1) ^ -(n & 1) for n in steps)
    offset = int.from_bytes(planes[part.at + part.rows - 1 : end : part.rows], "little")
    return time - part.base - offset if part.mode == BEFORE else part.base + offset

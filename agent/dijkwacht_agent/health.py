"""The agent's own health: a heartbeat row for the collector, a status file for ``check``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_agent.batches import Batcher
from dijkwacht_agent.ledger import Accounts
from dijkwacht_agent.observed import RowMeter, exports
from dijkwacht_agent.settings import write_private
from dijkwacht_agent.spool import Spool
from dijkwacht_agent.uplink import Uplink
from dijkwacht_records.columns import Columns
from dijkwacht_records.errors import Message
from dijkwacht_records.tables import AGENT, TABLES

COMPLETE_AFTER_US: Final = 1_000_000
"""A flow's first row leaves the meter within a second: rows of up to a second ago are complete."""
_AGENT: Final = TABLES.index(AGENT)
_COLUMNS: Final = tuple(column.name for column in AGENT.columns[1:])


class Status(msgspec.Struct, frozen=True):
    """Last state of a running agent; times in µs UTC, 0 for never.

    ``rows`` is the account since the state folder's first use; its ``made`` is the sum of the others.
    ``exports``: what only flow export has (`ExportMeter.exports`).
    """

    time: int
    started: int
    interface: str
    trouble: Message | None
    last_reply: int
    counters: dict[str, int]
    rows: Accounts | None = None
    exports: dict[str, int] = {}


def agent_row(now: int, counters: Mapping[str, int]) -> Columns:
    """The heartbeat at ``now`` (event time, µs UTC); a counter that is not given is 0."""
    time = max(0, now - COMPLETE_AFTER_US)
    return Columns.of([(_AGENT, (time, *(counters.get(name, 0) for name in _COLUMNS)))])


class Health:
    """Looks at the parts of a running agent. ``file`` is rewritten at every heartbeat."""

    def __init__(
        self,
        meter: RowMeter,
        batcher: Batcher,
        spool: Spool,
        uplink: Uplink,
        file: Path,
        interface: str,
    ) -> None:
        self._meter, self._batcher, self._spool, self._uplink = meter, batcher, spool, uplink
        self._file, self._interface = file, interface
        self._started = 0

    def rows(self) -> Accounts:
        """What became of all rows, those that are in no batch yet included."""
        known, here = self._spool.accounts, self._batcher.rows_waiting
        return msgspec.structs.replace(known, made=known.made + here, waiting=known.waiting + here)

    def counters(self) -> dict[str, int]:
        """The columns of the agent table, by name."""
        rows = self.rows()
        known = dict(self._meter.counters) | {
            "rows_made": rows.made,
            "rows_shed": rows.lost,
            "rows_rejected": sum(rows.rejected.values()),
            "rows_waiting": rows.waiting,
            "disk_full": int(self._spool.disk_full),
            "spool_bytes": self._spool.waiting_bytes,
            "clock_offset": self._uplink.clock_offset,
        }
        return {name: known[name] for name in _COLUMNS}

    def heartbeat(self, now: int, clock: int) -> Columns:
        """The agent row at ``now`` (event time); the status file holds ``clock`` (µs UTC)."""
        counters = self.counters()
        self._started = self._started or clock
        status = Status(
            clock,
            self._started,
            self._interface,
            self._uplink.trouble,
            self._uplink.last_reply,
            counters,
            self.rows(),
            exports(self._meter.counters),
        )
        with contextlib.suppress(OSError):  # a full disk, which the spool says
            write_private(self._file, msgspec.json.encode(status) + b"\n", synced=False)
        return agent_row(now, counters)

    def end(self) -> None:
        """The agent ended as it should: remove its status file."""
        self._file.unlink(missing_ok=True)

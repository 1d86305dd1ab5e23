"""Rows become batches: hidden first, then cut by size and age, numbered in the order made."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final, NamedTuple

from dijkwacht_agent.privacy import Privacy
from dijkwacht_records import wire
from dijkwacht_records.columns import Columns
from dijkwacht_records.contracts import CONTRACTS, LATEST
from dijkwacht_records.tables import TABLES

CUT_ROWS: Final = 4_096
"""Rows that are encoded at once: some 80 kB, a few milliseconds."""
MAX_AGE_US: Final = 500_000
"""Batching delay: a row waits at most this long for others."""


class Parcel(NamedTuple):
    """One batch ready to be sent: its wire bytes, how many rows they hold, its number."""

    wire: bytes
    rows: int
    seq: int


class Batcher:
    """Makes parcels of one agent's rows; ``clock`` gives µs UTC.

    ``contract`` is the version that is written from now on. Rows of tables that it lacks are not made:
    ``rows_made`` counts those that are. ``rows_refused`` counts those of them that cannot be written
    (a value out of range, or a table that was known when they came); ``on_refused`` is told how many.
    """

    def __init__(
        self,
        site: str,
        agent: str,
        privacy: Privacy,
        clock: Callable[[], int],
        boot: bytes | None = None,
        on_refused: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.site, self.agent = site, agent
        self.boot = boot or secrets.token_bytes(16)
        self.rows_made = 0
        self.rows_refused = 0
        self._contract = LATEST
        self._privacy, self._clock, self._on_refused = privacy, clock, on_refused
        self._seq = self._made = 0
        self._waiting: list[Columns] = []
        self._waiting_rows = 0
        self._oldest = 0

    @property
    def rows_waiting(self) -> int:
        """Rows that are in no parcel yet."""
        return self._waiting_rows

    @property
    def contract(self) -> int:
        """The version that is written."""
        return self._contract

    @contract.setter
    def contract(self, number: int) -> None:
        if number == self._contract:
            return
        self._contract, before = number, self._waiting_rows
        held = [self._held(rows) for rows in self._waiting]
        self._waiting = [rows for rows in held if len(rows)]
        self._waiting_rows = sum(map(len, self._waiting))
        self._refuse(before - self._waiting_rows)

    def add(self, rows: Columns) -> None:
        """Take ``rows`` as they were metered."""
        rows = self._held(rows)
        if not len(rows):
            return
        if not self._waiting:
            self._oldest = self._clock()
        self._waiting.append(rows)
        self._waiting_rows += len(rows)
        self.rows_made += len(rows)

    def take(self, *, everything: bool = False) -> list[Parcel]:
        """The parcels that are due: full ones, and the last one once its first row is old."""
        waited = self._clock() - self._oldest
        # A clock that was set back must not hold rows for ever.
        everything = everything or not 0 <= waited < MAX_AGE_US
        if not self._waiting or not (everything or self._waiting_rows >= CUT_ROWS):
            return []
        rows, at = Columns.join(self._waiting), 0
        parcels: list[Parcel] = []
        while len(rows) - at >= (1 if everything else CUT_ROWS):
            some = rows.cut(at, min(at + CUT_ROWS, len(rows)))
            at += len(some)
            parcels += self._encode(self._privacy.hide(some))
        rest = rows.cut(at, len(rows))
        self._waiting, self._waiting_rows = [rest] if len(rest) else [], len(rest)
        return parcels

    def _held(self, rows: Columns) -> Columns:
        """Those of tables that the contract has."""
        tables = len(CONTRACTS[self._contract].columns)
        if all(number < tables for number in rows.tables):
            return rows
        return rows.shaped([len(table.columns) for table in TABLES[:tables]])

    def _refuse(self, rows: int) -> None:
        if rows:
            self.rows_refused += rows
            self._made += rows
            self._on_refused(rows)

    def _encode(self, rows: Columns) -> list[Parcel]:
        try:
            sent = self._clock()
            head = self.site, self.agent, self.boot, self._seq, sent
            encoded = wire.encode(*head, rows, self._contract, self._made + len(rows))
        except ValueError:
            if len(rows) == 1:
                self._refuse(1)
                return []
            encoded = b""
        if not encoded or len(encoded) > wire.MAX_WIRE_BYTES:
            half = len(rows) // 2
            return self._encode(rows.cut(0, half)) + self._encode(rows.cut(half, len(rows)))
        self._seq += 1
        self._made += len(rows)
        return [Parcel(encoded, len(rows), self._seq - 1)]

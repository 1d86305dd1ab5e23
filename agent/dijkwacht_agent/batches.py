"""Rows become batches: hidden first, then cut by size and age, numbered in the order made."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from dijkwacht_agent.privacy import Privacy
from dijkwacht_records import wire
from dijkwacht_records.tables import Row

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

    ``rows_made`` counts every row added, ``rows_refused`` those that the contract cannot hold (a
    value out of range: a fault of ours, and no reason to lose its neighbours).
    """

    def __init__(
        self,
        site: str,
        agent: str,
        privacy: Privacy,
        clock: Callable[[], int],
        boot: bytes | None = None,
    ) -> None:
        self.site, self.agent = site, agent
        self.boot = boot or secrets.token_bytes(16)
        self.rows_made = 0
        self.rows_refused = 0
        self._privacy, self._clock = privacy, clock
        self._seq = 0
        self._rows: list[tuple[int, Row]] = []
        self._oldest = 0

    def add(self, rows: Iterable[tuple[int, Row]]) -> None:
        """Take (table number, row) pairs, hiding each."""
        if not self._rows:
            self._oldest = self._clock()
        hide, waiting = self._privacy.hide, len(self._rows)
        self._rows += [(number, hide(number, row)) for number, row in rows]
        self.rows_made += len(self._rows) - waiting

    def take(self, *, everything: bool = False) -> list[Parcel]:
        """The parcels that are due: full ones, and the last one once its first row is old."""
        parcels: list[Parcel] = []
        while len(self._rows) >= CUT_ROWS:
            parcels += self._encode(self._rows[:CUT_ROWS])
            del self._rows[:CUT_ROWS]
        waited = self._clock() - self._oldest
        # A clock that was set back must not hold rows for ever.
        if self._rows and (everything or not 0 <= waited < MAX_AGE_US):
            parcels += self._encode(self._rows)
            self._rows = []
        return parcels

    def _encode(self, rows: list[tuple[int, Row]]) -> list[Parcel]:
        try:
            sent = self._clock()
            encoded = wire.encode(self.site, self.agent, self.boot, self._seq, sent, rows)
        except ValueError:
            if len(rows) == 1:
                self.rows_refused += 1
                return []
            encoded = b""
        if not encoded or len(encoded) > wire.MAX_WIRE_BYTES:
            half = len(rows) // 2
            return self._encode(rows[:half]) + self._encode(rows[half:])
        self._seq += 1
        return [Parcel(encoded, len(rows), self._seq - 1)]

"""Sites that cost too much, folded apart: in their own order, some milliseconds at a time.

Nothing of theirs is kept meanwhile but how far they are: their entries are read from the journal
again. Who is set aside, and when, depends on what others send; what is found at a site never does.
"""

from __future__ import annotations

from collections import deque
from itertools import takewhile
from typing import Final

from dijkwacht_collector.engine.engine import Engine
from dijkwacht_collector.engine.fold import Fold
from dijkwacht_collector.engine.progress import Lag
from dijkwacht_collector.incidents import Event
from dijkwacht_collector.journal import Entry, Readable, partition_of

MOST_COST: Final = 16_384
"""What a site may cost in one fold, in rows; one row takes some 2 µs."""
SLICE_COST: Final = 4096
"""What is folded at once of a site in the lane."""
SLICES: Final = 16
"""Slices of one site before it is another's turn."""
READ_BYTES: Final = 512 * 1024
FULL_READS: Final = 8
"""After so many full reads in a row the engine is behind, and it is asked who keeps it busy."""
BUSY_COST: Final = FULL_READS * 4096
"""Less than this in so many reads is no cause: then it is what was passed over that fills them."""
LARGEST_SHARE: Final = 0.25
"""What one site may have of an engine that is behind."""
BACKLOG_BYTES: Final = 64 * 1024 * 1024
BACKLOG_COST: Final = 30_000_000
"""Of what a site has waiting, in bytes, or in rows by what its bytes have cost so far: about a minute."""


class SlowLane:
    """Decides who is set aside, and folds them when it is asked to; one a engine thread."""

    def __init__(self, engine: Engine, journal: Readable) -> None:
        self._engine, self._journal, self._progress = engine, journal, engine.progress
        self._progress.most = MOST_COST
        self._full_reads, self._behind = 0, False
        self._who: str | int | None = None
        self._slices = 0
        self._turns: dict[str | int, int] = {}
        self._turn = 0
        self._queue: deque[Entry] = deque()
        self._read_to = 0
        self._fold: Fold | None = None
        self._folded = 0

    @property
    def _slice_cost(self) -> int | None:
        # What fails does so for an entry's rows: where that may happen, an entry is folded whole.
        return None if any(h.apart for h in self._engine.host.hosted) else SLICE_COST

    @property
    def busy(self) -> bool:
        """Whether somebody lags."""
        return bool(self._progress.sites or self._progress.partitions)

    @property
    def refused(self) -> frozenset[str]:
        """Sites that have so much waiting that more of it must wait with them."""
        price = self._progress.price
        return frozenset(
            site
            for site, waiting in self._progress.backlog.items()
            if waiting > BACKLOG_BYTES or waiting * price.get(site, 0) > BACKLOG_COST
        )

    def judge(self, *, full: bool) -> None:
        """Before the step of each read: is the engine behind (it was ``full``), and one site the cause?"""
        spent = self._progress.spent
        self._behind = full
        self._full_reads = self._full_reads + 1 if full else 0
        if self._full_reads and self._full_reads < FULL_READS:
            return
        total = sum(spent.values())
        if self._full_reads and total >= BUSY_COST:
            site = max(spent, key=spent.__getitem__)
            if spent[site] > LARGEST_SHARE * total:
                self._progress.set_aside(site, self._progress.position_of(site))
        spent.clear()
        self._full_reads = 0

    def turn(self) -> list[Event]:
        """Fold a little of somebody who lags; what changed about incidents."""
        self._choose()
        if self._who is None:
            return []
        self._slices += 1
        partition = self._who if isinstance(self._who, int) else partition_of(self._who)
        self._engine.touched.add(partition)
        lag = self._lag(self._who)
        if self._fold is None and not self._queue:
            self._read(self._who, partition, lag)
            if not self._queue:
                return []
        if self._fold is not None or self._queue[0].kind == "batch":
            return self._slice(lag)
        entry = self._queue.popleft()
        events = self._engine.obey(entry)
        self._done(entry, lag)
        return events

    def _choose(self) -> None:
        """Go on with the one whose turn it is, or take the one who has waited longest."""
        lags: tuple[str | int, ...] = (*self._progress.sites, *self._progress.partitions)
        ready = [who for who in lags if isinstance(who, str) or not self._progress.lagging(who)]
        # What was joined of several batches is folded to its end: their rows are counted already.
        pauses = self._fold is None or len(self._fold.arrivals) == 1
        if self._who in ready and (self._slices < SLICES or not pauses or len(ready) == 1):
            return
        self._fold, self._slices = None, 0
        self._queue.clear()
        self._turns = {who: self._turns.get(who, 0) for who in lags}
        self._who = min(ready, key=self._turns.__getitem__, default=None)
        if self._who is not None:
            self._turn += 1
            self._turns[self._who] = self._turn

    def _lag(self, who: str | int) -> Lag:
        progress = self._progress
        return progress.sites[who] if isinstance(who, str) else progress.partitions[who]

    def _read(self, who: str | int, partition: int, lag: Lag) -> None:
        limit = self._progress.limit(who)
        if lag.position < limit:
            found, after = self._journal.read(
                [partition], {partition: lag.position}, max_bytes=READ_BYTES
            )
            self._read_to = min(after[partition], limit)
            self._queue.extend(
                entry
                for entry in found
                if entry.position <= limit
                and who in (entry.site, partition)
                and entry.position > self._progress.ahead.get(entry.site, -1)
            )
            if not self._queue:
                lag.position = self._read_to
        # Whoever keeps an engine behind would be set aside again at once.
        if lag.position >= limit and not self._behind:
            self._progress.catch_up(who)

    def _slice(self, lag: Lag) -> list[Event]:
        fold = self._fold
        if fold is None:
            fold, self._folded = self._open(lag.rows), 0
            self._fold = fold
        events = self._engine.advance(fold, self._slice_cost)
        for _ in range(fold.whole - self._folded):
            self._done(self._queue.popleft(), lag)
        self._folded = fold.whole
        if fold.finished:
            self._fold = None
        else:
            lag.rows, lag.site = fold.rows, self._queue[0].site
        return events

    def _open(self, begun: int) -> Fold:
        batches = list(takewhile(lambda entry: entry.kind == "batch", self._queue))
        fold = self._engine.join(batches, begun)
        sizes: dict[str, int] = {}
        for entry in batches[: len(fold.arrivals)]:
            sizes[entry.site] = sizes.get(entry.site, 0) + len(entry.payload)
        costs = fold.costs(self._engine.numbering)
        self._progress.price |= {site: costs[site] / size for site, size in sizes.items()}
        return fold

    def _done(self, entry: Entry, lag: Lag) -> None:
        self._progress.folded(entry)
        lag.position, lag.rows, lag.site = entry.position, 0, ""
        if not self._queue:
            lag.position = self._read_to

"""HOT  Up to where the journal is folded: partitions, and sites that are ahead of theirs or lag behind it.

Sites know nothing of one another, so one may be folded later than the rest of its partition and nothing
changes but when. What is for all sites of a partition (a model, a release) waits until none of them
lags, and so does what stands behind it: every site meets it in its own order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dijkwacht_collector.engine.fold import Fold
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.journal import Entry, partition_of

MOST_LAGGING: Final = 64
"""Sites that may lag at once, of those of one engine: each reads the journal for itself."""


@dataclass(slots=True)
class Lag:
    """Who is folded later: up to ``position``, and ``rows`` of the next batch, which is ``site``'s."""

    position: int
    rows: int = 0
    site: str = ""


@dataclass
class Progress:
    """What has been folded, and what was passed over meanwhile.

    ``positions``: of the last entry that was folded or passed over, by partition. ``ahead``: up to where
    a site's record covers more than its partition's. ``most``: what a site may cost in one fold before
    it is set aside, in rows; None: whatever it costs. ``spent``: cost by site since it was emptied.
    """

    positions: dict[int, int] = field(default_factory=dict)
    ahead: dict[str, int] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=dict)
    """By site, rows of its next batch that were folded before a restart."""
    sites: dict[str, Lag] = field(default_factory=dict)
    partitions: dict[int, Lag] = field(default_factory=dict)
    """Those that wait, behind their ``position``, until none of their sites lags."""
    most: int | None = None
    spent: dict[str, int] = field(default_factory=dict)
    backlog: dict[str, int] = field(default_factory=dict)
    """By site, bytes that were passed over and are not folded yet."""
    price: dict[str, float] = field(default_factory=dict)
    """By site that lags, what a byte of it has cost, in rows."""

    def passes(self, entry: Entry) -> bool:
        """Whether an entry is to be passed over now: a record covers it, or its turn comes later."""
        if entry.position <= self.ahead.get(entry.site, -1):
            return True
        if not (self.sites or self.partitions or self.begun):
            return False
        if not self._lags(entry):
            return False
        self.pass_over(entry)
        return True

    def pass_over(self, entry: Entry) -> None:
        """Count what is folded later."""
        self.backlog[entry.site] = self.backlog.get(entry.site, 0) + len(entry.payload)

    def set_aside(self, site: str, position: int, rows: int = 0) -> bool:
        """Let a site lag from behind ``position`` on; False if so many do already that it may not."""
        if len(self.sites) >= MOST_LAGGING or site in self.sites:
            return site in self.sites
        if partition_of(site) not in self.partitions:
            self.sites[site] = Lag(position, rows, site)
        return True

    def weigh(self, fold: Fold, entries: Sequence[Entry], numbering: Numbering) -> set[str]:
        """Whose part of a ``fold`` of ``entries`` costs too much: they are set aside from there on.

        If nobody's does, what it costs counts as ``spent``.
        """
        heavy: set[str] = set()
        if self.most is None:
            return heavy
        costs = fold.costs(numbering)
        for site in [site for site, cost in costs.items() if cost > self.most]:
            of_site = [entry for entry in entries if entry.site == site]
            if self.set_aside(site, of_site[0].position - 1):
                heavy.add(site)
                self.price[site] = costs[site] / sum(len(entry.payload) for entry in of_site)
                for entry in of_site:
                    self.pass_over(entry)
        for site, cost in costs.items() if not heavy else ():
            self.spent[site] = self.spent.get(site, 0) + cost
        return heavy

    def catch_up(self, who: str | int) -> None:
        """A site, or (a number) a partition, lags no longer."""
        if isinstance(who, str):
            del self.sites[who]
            gone = {who} if partition_of(who) not in self.partitions else set()
        else:
            del self.partitions[who]
            known = (*self.backlog, *self.price)
            gone = {site for site in known if partition_of(site) == who}
        for site in gone:
            self.backlog.pop(site, None)
            self.price.pop(site, None)

    def folded(self, entry: Entry) -> None:
        """An entry that was passed over has had its turn."""
        left = self.backlog.get(entry.site, 0) - len(entry.payload)
        if left > 0:
            self.backlog[entry.site] = left
        else:
            self.backlog.pop(entry.site, None)

    def limit(self, who: str | int) -> int:
        """Up to where one that lags must be folded to lag no longer."""
        if isinstance(who, int):
            return self.positions.get(who, 0)
        partition = partition_of(who)
        waiting = self.partitions.get(partition)
        return self.positions.get(partition, 0) if waiting is None else waiting.position

    def lagging(self, partition: int) -> list[str]:
        """The sites of a partition that lag."""
        return [site for site in self.sites if partition_of(site) == partition]

    def reach(self, positions: Mapping[int, int]) -> None:
        """Everything up to ``positions`` has been folded or passed over."""
        self.positions |= positions
        if self.ahead:
            self.ahead = {
                site: position
                for site, position in self.ahead.items()
                if position > self.position(partition_of(site))
            }

    def position(self, partition: int) -> int:
        """Up to where all sites of a partition are folded."""
        lags = [self.sites[site].position for site in self.lagging(partition)]
        if partition in self.partitions:
            lags.append(self.partitions[partition].position)
        return min(lags, default=self.positions.get(partition, 0))

    def positions_of(self, reached: dict[int, int]) -> dict[int, int]:
        """``reached``, by partition, but no further than its slowest site."""
        if not self.sites and not self.partitions:
            return reached
        slow = {partition_of(site) for site in self.sites} | self.partitions.keys()
        return reached | {p: min(reached[p], self.position(p)) for p in slow & reached.keys()}

    def position_of(self, site: str) -> int:
        """Up to where one site is folded."""
        partition = partition_of(site)
        lag = self.sites.get(site) or self.partitions.get(partition)
        position = self.positions.get(partition, 0) if lag is None else lag.position
        return max(position, self.ahead.get(site, 0))

    def rows_of(self, site: str) -> int:
        """Rows of its next batch that are folded already."""
        for lag in (self.sites.get(site), self.partitions.get(partition_of(site))):
            if lag is not None and lag.rows and lag.site == site:
                return lag.rows
        return self.begun.get(site, 0)

    def _lags(self, entry: Entry) -> bool:
        if entry.partition in self.partitions or entry.site in self.sites:
            return True
        if not entry.site and self.lagging(entry.partition):
            self.partitions[entry.partition] = Lag(entry.position - 1)
            return True
        if self.most is None or entry.site not in self.begun:
            return False
        if self.set_aside(entry.site, entry.position - 1, self.begun[entry.site]):
            del self.begun[entry.site]
        return entry.site in self.sites

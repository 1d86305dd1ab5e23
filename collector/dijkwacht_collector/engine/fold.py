"""HOT  Joined batches that are folded piece by piece: a cut between two rows changes nothing but when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.engine.columns import Arrival, Step
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.engine.views import cut_table

TICK_COST: Final = 64
"""What a tick may cost, in rows: one that ends a window of a single row takes some 40 times a row's time."""


class Fold:
    """The rows of some ``arrivals``, which stand at these ``positions``, of which ``done`` have been folded.

    ``begun``: rows of the first batch that were folded before, as `rows` counts them. ``step`` is what they were joined to; ``clocks``: by agent, what event time it leads to.
    ``positions`` are of each row then.
    """

    def __init__(
        self,
        step: Step,
        arrivals: Sequence[Arrival],
        positions: Sequence[int],
        clocks: NDArray[np.int64],
        begun: int = 0,
    ) -> None:
        self.step, self.arrivals = step, arrivals
        self.done = arrivals[0].batch.planes.known_among(begun) if begun else 0
        sizes = [arrival.rows for arrival in arrivals]
        self.positions: NDArray[np.int64] = np.repeat(np.array(positions, np.int64), sizes)
        self._ends, self._clocks = np.cumsum(sizes), clocks

    @property
    def finished(self) -> bool:
        """Whether all rows have been folded."""
        return self.done >= self.step.rows

    @property
    def whole(self) -> int:
        """Batches that have been folded wholly."""
        return int(np.searchsorted(self._ends, self.done, side="right"))

    @property
    def rows(self) -> int:
        """Rows that have been folded of the batch behind those, with the unknown ones before them.

        Another release, which may know more tables or fewer, finds the same place by that.
        """
        whole = self.whole
        if whole == len(self.arrivals):
            return 0
        done = self.done - int(self._ends[whole - 1] if whole else 0)
        return self.arrivals[whole].batch.planes.rows_up_to(done)

    def costs(self, numbering: Numbering) -> dict[str, int]:
        """What all of it costs, by site, in rows."""
        costs: dict[str, int] = {}
        for arrival in self.arrivals:
            site = numbering.sites[arrival.site]
            costs[site] = costs.get(site, 0) + arrival.cost
        agents, ticks = np.unique(self.step.ticks[:, 1], return_counts=True)
        for agent, count in zip(agents.tolist(), ticks.tolist(), strict=True):
            costs[numbering.site_of(agent)] += TICK_COST * count
        return costs

    def cut(self, most: int | None, clocks: NDArray[np.int64]) -> Step:
        """The next rows, at least one, that cost no more than ``most`` and a tick, or all of them.

        They count as done, and the ``clocks`` of all agents are moved on by them.
        """
        step, begin = self.step, self.done
        if most is None and not begin:
            self.done = step.rows
            agents = [arrival.agent for arrival in self.arrivals]
            clocks[agents] = self._clocks[agents]
            return step
        end = self.done = step.rows if most is None else self._end(most)
        tables = {}
        for number, table in step.tables.items():
            span = np.searchsorted(table.order, (begin, end)).tolist()
            if span[0] < span[1]:
                tables[number] = cut_table(table, *span)
                np.maximum.at(clocks, tables[number].agent, tables[number].time)
        first, last = np.searchsorted(step.ticks[:, 0], (begin, end)).tolist()
        ticks = step.ticks[first:last]
        return Step(tables, ticks, step.late, step.future, end - begin, step.starts)

    def _end(self, most: int) -> int:
        orders = self.step.ticks[:, 0]
        coming = orders[np.searchsorted(orders, self.done) :] - self.done
        reached = coming + TICK_COST * np.arange(1, len(coming) + 1)
        ticks = int(np.searchsorted(reached, most, side="right"))
        return min(self.done + max(most - TICK_COST * ticks, 1), self.step.rows)

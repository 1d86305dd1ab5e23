"""What an engine counts on its way, until telemetry takes it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dijkwacht_collector.engine.fold import Fold
from dijkwacht_collector.engine.numbering import Numbering


@dataclass
class Observed:
    """Counts by site, and of failures and scored rows by detector, since telemetry last took them.

    ``watched``: seconds, see `WatchedTime`; ``budgets``: of sites that have chosen one, interruptions a week.
    """

    rows: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    future: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    shed: dict[str, int] = field(default_factory=dict)
    exempted: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    scored: dict[str, int] = field(default_factory=dict)
    watched: dict[str, float] = field(default_factory=dict)
    budgets: dict[str, float] = field(default_factory=dict)

    def note(self, fold: Fold, numbering: Numbering) -> None:
        """Count the rows of what was joined."""
        for arrival in fold.arrivals:
            name = numbering.sites[arrival.site]
            self.rows[name] = self.rows.get(name, 0) + arrival.rows
        for counts, kept in ((fold.step.late, self.late), (fold.step.future, self.future)):
            for agent in np.flatnonzero(counts):
                name = numbering.site_of(int(agent))
                kept[name] = kept.get(name, 0) + int(counts[agent])

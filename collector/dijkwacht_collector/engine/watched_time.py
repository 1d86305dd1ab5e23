"""HOT  How long each site has really been watched: event time in which packets come less than an hour apart.

What a site was promised is so many interruptions a week of this time. A night in which the office's only
switch is off is no time in which nobody was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_collector.engine.columns import Step
from dijkwacht_collector.engine.fold import Fold
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_records.tables import AGENT, SYSTEM, TABLES

GAP_US: Final = 3_600_000_000
"""Packets so far apart, µs of event time, or further: nobody knows what was between."""
UNSEEN: Final = frozenset({TABLES.index(SYSTEM), TABLES.index(AGENT)})
"""Tables that an agent writes whether packets come or not."""

Speaks = Callable[[set[str]], set[str]]


class WatchedTime:
    """By site, µs since they were last taken. A site's latest row is remembered, and nothing else of it.

    Rows of several agents of a site are one sequence, in the order of the journal: what lies before the
    latest was watched already, or will never be known to have been.
    """

    def __init__(self) -> None:
        self._latest = np.zeros(0, np.int64)
        self._watched = np.zeros(0, np.int64)

    def note(self, fold: Fold, numbering: Numbering, speaks: Speaks) -> None:
        """Take what was joined; sites that ``speaks`` leaves out go on, and are not counted.

        These another release decides, which has counted them.
        """
        if len(self._latest) < len(numbering.sites):
            more = np.zeros(2 * len(numbering.sites) - len(self._latest), np.int64)
            self._latest = np.concatenate((self._latest, more))
            self._watched = np.concatenate((self._watched, more))
        sites = np.array([arrival.site for arrival in fold.arrivals], np.int32)
        names = {numbering.sites[site] for site in sites.tolist()}
        heard = speaks(names)
        quiet = [numbering.site_numbers[name] for name in names - heard]
        before = self._watched[quiet]
        _watch(_packet_times(fold.step), fold.step.starts, sites, self._latest, self._watched)
        self._watched[quiet] = before

    def take(self, numbering: Numbering) -> dict[str, float]:
        """Seconds by site, of those that were watched since the last time."""
        sites = np.flatnonzero(self._watched)
        taken = {numbering.sites[site]: float(self._watched[site]) / 1e6 for site in sites.tolist()}
        self._watched[sites] = 0
        return taken


def _packet_times(step: Step) -> NDArray[np.int64]:
    """Event time of each row of ``step``, int64[rows], in µs; 0 of one that no packet made."""
    times = np.zeros(step.rows, np.int64)
    for number, table in step.tables.items():
        if number not in UNSEEN:
            times[table.order] = table.time
    return times


@njit(cache=True, nogil=True)
def _watch(times, starts, sites, latest, watched):  # type: ignore[no-untyped-def]
    for b in range(len(starts)):
        site = sites[b]
        until = latest[site]
        end = starts[b + 1] if b + 1 < len(starts) else len(times)
        for i in range(starts[b], end):
            t = times[i]
            if t > until:
                if until > 0 and t - until < GAP_US:
                    watched[site] += t - until
                until = t
        latest[site] = until

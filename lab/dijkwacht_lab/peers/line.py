"""The line of a peer: the lowest score above which it interrupts as often as it may."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dijkwacht_lab.peers.flow_features import SiteFlows
from dijkwacht_lab.peers.peer import ANY, QUIET_US, Said

PER_WEEK: Final = 1.0
"""Interruptions a site-week that a peer may have on the benign time that it learns from, as we may."""
_WEEK_HOURS: Final = 168


def weeks_of(sites: Iterable[SiteFlows]) -> float:
    """Site-weeks that were watched: hours with a row, as calibration counts them."""
    return sum(site.hours for site in sites) / _WEEK_HOURS


def line_of(
    sites: Sequence[SiteFlows],
    scores: Sequence[NDArray[np.float64]],
    per_week: float = PER_WEEK,
) -> float:
    """Score that flows must be above, so that ``sites`` see at most ``per_week`` interruptions a site-week.

    ``scores``: float64[n] of each site's flows. Flows are let through from the strangest on; one
    interruption is all that a source does until it was silent for a day. Negative infinity if even all
    flows are not too many.
    """
    allowed = per_week * weeks_of(sites)
    site = np.repeat(np.arange(len(sites)), [len(each) for each in scores])
    all_scores = np.concatenate([*scores, np.zeros(0)])
    ended = np.concatenate([*(each.ended for each in sites), np.zeros(0, np.int64)])
    source = np.concatenate([*(each.source for each in sites), np.zeros(0, np.int32)])
    heard: dict[tuple[int, int], list[int]] = {}
    interruptions = 0
    for flow in np.argsort(-all_scores, kind="stable"):
        times = heard.setdefault((int(site[flow]), int(source[flow])), [])
        interruptions += _more(times, int(ended[flow]))
        if interruptions > allowed:
            return float(all_scores[flow])
    return -np.inf


def _more(times: list[int], time: int) -> int:
    """Put ``time`` among the sorted ``times``; by how many it changes the groups that a day parts."""
    at = bisect_left(times, time)
    after = at > 0 and time - times[at - 1] <= QUIET_US
    before = at < len(times) and times[at] - time <= QUIET_US
    together = 0 < at < len(times) and times[at] - times[at - 1] <= QUIET_US
    times.insert(at, time)
    return 1 - after - before + together


def alerts_of(flows: SiteFlows, scores: NDArray[np.float64], line: float) -> list[Said]:
    """One alert for each flow above the line, told at its end, that names who began it."""
    return [
        Said(int(flows.ended[k]), (flows.addresses[flows.source[k]],), ANY)
        for k in np.flatnonzero(scores > line)
    ]

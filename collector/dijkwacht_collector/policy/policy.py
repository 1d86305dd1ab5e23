"""Scores → candidates: how rare is this on this site, and may it be said?

For each detector a shipped table tells in how many hours of a benign site-week a score is reached;
the site's own hours outweigh it in time (the mean of a Gamma-Poisson posterior whose prior counts
for `PRIOR_WEEKS`). A score becomes a candidate when that rate is within the detector's share of the
site's alert budget. A detector without a table has no share: it runs in shadow.

An hour whose strongest score is far rarer than the budget is taken for an attack and not learned as
normal; the owner's "this is normal" learns it all the same. Of the hours in which something was
said, the first two are not learned either: one real attack must not make a site deaf to the next,
but what comes a third time is a habit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dijkwacht_collector.policy.calibration import Calibration, load_calibration
from dijkwacht_detectors.api import AnyDetector, Scores

PRIOR_WEEKS: Final = 1.0
"""How much history of its own a site needs to weigh as much as the shipped table."""
DEFAULT_BUDGET: Final = 1.0
"""Incidents a week that a site is willing to be interrupted by without cause."""
ATTACK_FACTOR: Final = 100.0
"""A score so many times rarer than the budget is not learned as normal."""
HABIT: Final = 3
"""From so many hours on in which a detector spoke, without being extreme, they are learned."""
HIGH_FACTOR: Final = 30.0
"""A score so many times rarer than the budget is an incident of high severity."""
REPEAT_US: Final = 60_000_000
"""An entity that stays above the line is said again after this long, or when it gets stranger."""
_HOUR_US: Final = 3_600_000_000


class DetectorPolicy:
    """What one detector's scores mean on each site. Arrays are indexed by site."""

    def __init__(self, calibration: Calibration, share: float) -> None:
        self.grid, self.rates = calibration.grid, calibration.rates
        self.share = share
        bins = len(self.grid)
        self.budget = np.zeros(0)
        self.threshold = np.zeros(0)
        self.history = np.zeros((0, bins), np.int64)
        self.hours = np.zeros(0, np.int64)
        self.hour = np.zeros(0, np.int64)
        self.peak = np.zeros(0)
        self.spoke = np.zeros(0, np.int64)  # hours in which the line was reached
        self.said_bin = np.zeros(0, np.int16)  # by slot: how strange when last said
        self.said_time = np.zeros(0, np.int64)

    def make_room(self, sites: int, slots: int) -> None:
        """Grow to ``sites`` sites and ``slots`` entities; new sites start from the shipped table."""
        old = len(self.budget)
        if sites > old:
            more = max(sites, 2 * old) - old
            self.budget = np.append(self.budget, np.full(more, DEFAULT_BUDGET * self.share))
            self.threshold = np.append(self.threshold, np.zeros(more))
            self.history = np.vstack((self.history, np.zeros((more, len(self.grid)), np.int64)))
            self.hours = np.append(self.hours, np.zeros(more, np.int64))
            self.hour = np.append(self.hour, np.full(more, -1, np.int64))
            self.peak = np.append(self.peak, np.full(more, -np.inf))
            self.spoke = np.append(self.spoke, np.zeros(more, np.int64))
            for site in range(old, old + more):
                self._settle(site)
        if slots > len(self.said_bin):
            more = slots - len(self.said_bin)
            self.said_bin = np.append(self.said_bin, np.full(more, -1, np.int16))
            self.said_time = np.append(self.said_time, np.zeros(more, np.int64))

    def pick(
        self,
        time: NDArray[np.int64],
        site: NDArray[np.int32],
        slot: NDArray[np.int32],
        fresh: NDArray[np.bool_],
        scores: Scores,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Learn the scores hour by hour; the rows that are worth saying, in order, and how rare."""
        chosen: tuple[NDArray[np.int64], NDArray[np.float64]] = _pick(
            time, site, slot, fresh, scores, self.grid, self.rates, self.budget, self.threshold,
            self.history, self.hours, self.hour, self.peak, self.spoke, self.said_bin, self.said_time,
        )  # fmt: skip
        return chosen

    def rarity(self, site: int, score: float) -> float:
        """Hours a week in which this site would reach ``score`` by chance."""
        return float(_rarity(self.grid, self.rates, self.history[site], self.hours[site], score))

    def set_budget(self, site: int, per_week: float) -> None:
        """Take the site's choice of incidents a week, of which this detector has its share."""
        self.budget[site] = per_week * self.share
        self._settle(site)

    def learn_normal(self, site: int, score: float) -> None:
        """Count one hour that reached ``score`` as normal for this site."""
        at = int(np.searchsorted(self.grid, score, side="right")) - 1
        if at >= 0:
            self.history[site, at] += 1
            self._settle(site)

    def _settle(self, site: int) -> None:
        self.threshold[site] = _threshold(
            self.grid, self.rates, self.history[site], self.hours[site], self.budget[site]
        )


def budget_share(detector: AnyDetector, calibration: Calibration) -> float:
    """What a detector has of a site's alert budget, 0 to 1: nothing without a calibration table."""
    return detector.share if calibration.known else 0.0


def in_shadow(detectors: Sequence[AnyDetector]) -> list[str]:
    """Names of the detectors that have no share: they score and learn, and never interrupt."""
    return [d.name for d in detectors if not budget_share(d, load_calibration(d.name))]


class Policy:
    """All detectors' policies. ``shares``: what each has of the budget, see `budget_share`."""

    def __init__(self, calibrations: Sequence[Calibration], shares: Sequence[float]) -> None:
        self.detectors = [DetectorPolicy(*pair) for pair in zip(calibrations, shares, strict=True)]

    def severity(self, detector: int, site: int, rarity: float, spent: int) -> int:
        """OCSF ``severity_id``: 2 context, 3 medium, 4 high.

        Each incident of the same detector this week (``spent``) halves what may still be said.
        """
        left = self.detectors[detector].budget[site] * 0.5**spent
        if rarity > left:
            return 2
        return 4 if rarity * HIGH_FACTOR <= left else 3


@njit(cache=True, nogil=True)
def _threshold(grid, rates, history, hours, budget):  # type: ignore[no-untyped-def]
    weeks = hours / 168.0
    reached = 0
    line = np.inf
    for at in range(len(grid) - 1, -1, -1):
        reached += history[at]
        if (PRIOR_WEEKS * rates[at] + reached) / (PRIOR_WEEKS + weeks) > budget:
            break
        line = grid[at]
    return line


@njit(cache=True, nogil=True)
def _rarity(grid, rates, history, hours, score):  # type: ignore[no-untyped-def]
    at = np.searchsorted(grid, score, side="right") - 1
    if at < 0:
        return rates[0]
    weeks = PRIOR_WEEKS + hours / 168.0
    beyond = history[at + 1 :].sum()
    rate = (PRIOR_WEEKS * rates[at] + history[at] + beyond) / weeks
    if at + 1 == len(grid):
        return rate
    rarer = (PRIOR_WEEKS * rates[at + 1] + beyond) / weeks
    if rarer <= 0.0:
        return rate
    part = (score - grid[at]) / (grid[at + 1] - grid[at])
    return rate * (rarer / rate) ** part


@njit(cache=True, nogil=True)
def _pick(  # type: ignore[no-untyped-def]
    time, site, slot, fresh, scores, grid, rates, budget, threshold, history, hours, hour, peak,
    spoke, said_bin, said_time,
):  # fmt: skip
    out = np.empty(len(time), np.int64)
    rare = np.empty(len(time))
    n = 0
    for i in range(len(time)):
        s = site[i]
        h = time[i] // _HOUR_US
        if h > hour[s]:  # an agent whose clock lags adds no hours to its site's
            if hour[s] >= 0:
                hours[s] += 1
                at = np.searchsorted(grid, peak[s], side="right") - 1
                if peak[s] >= threshold[s]:
                    spoke[s] += 1
                if at >= 0 and (peak[s] < threshold[s] or spoke[s] >= HABIT):
                    history[s, at] += 1
                threshold[s] = _threshold(grid, rates, history[s], hours[s], budget[s])
            hour[s] = h
            peak[s] = -np.inf
        e = slot[i]
        if fresh[i]:
            said_bin[e] = -1
        score = scores[i]
        if not score > peak[s] and not score >= threshold[s]:
            continue  # also where the score is NaN
        at = np.searchsorted(grid, score, side="right") - 1
        if score > peak[s] and (at < 0 or rates[at] * ATTACK_FACTOR > budget[s]):
            peak[s] = score
        if score >= threshold[s] and (at > said_bin[e] or time[i] - said_time[e] >= REPEAT_US):
            said_bin[e] = at
            said_time[e] = time[i]
            out[n] = i
            rare[n] = _rarity(grid, rates, history[s], hours[s], score)
            n += 1
    return out[:n], rare[:n]

"""Scores → rare rows: how rare is this on this site, and may it alert?

For each detector a shipped table tells in how many hours of a benign site-week a score is reached;
the site's own hours outweigh it in time (the mean of a Gamma-Poisson posterior whose prior counts
for `PRIOR_WEEKS`). A score is rare enough when that rate is within the detector's share of the
site's alert budget. A detector without a table has no share: it runs in shadow.

An hour whose strongest score is of high severity is taken for an attack and not learned as normal (by the
shipped table, whatever the site's own hours). Of the hours in which the threshold
was reached, the first two are not learned either: one real attack must not hide the next, but what
comes a third time is a habit. So it is with one entity: what reached the threshold twice, hours on end
counted as once, is that entity's habit, however rare it is; from the third time on it alerts only when it
is `HABIT_BITS` stranger than before, and moves nobody's threshold; it counts whether anybody was interrupted
for it or not, and is forgotten when the entity stays below for `HABIT_LASTS_H`. Where a detector's entity is the
site, what one machine does would be the habit of all: it has none. The owner's "this is normal" changes nothing here: it is about one class
and one machine, and a line is the whole site's.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.policy.calibration import Calibration
from dijkwacht_collector.policy.entity_records import HABIT, EntityRecords, is_habit, wipe
from dijkwacht_collector.policy.scored import HOUR_US, MarkedRows, Scored
from dijkwacht_collector.policy.spending import HIGH_FACTOR
from dijkwacht_detectors.state.growth import grown
from dijkwacht_detectors.state.naming import njit_lean

PRIOR_WEEKS: Final = 1.0
"""How much history of its own a site needs to weigh as much as the shipped table."""
DEFAULT_BUDGET: Final = 1.0
"""Incidents a week that a site is willing to be interrupted by without cause."""
REPEAT_US: Final = 60_000_000
"""An entity that stays above the threshold alerts again after this long, or when it gets stranger."""
WEAK: Final = 1.0
"""Hours a week: what chance reaches less often is evidence, be it far from an alert (`Policy.evidence`)."""
SPARED: Final = HABIT - 1
"""Hours that reached a score before it is less of an evidence: one weak sign must not hide the next."""
MOST_WEAK: Final = 256
"""Rare rows of one site, detector and hour below the threshold: no flood of them may bury an engine."""
_AT_ONCE: Final = 1024
"""Rare rows that are found in one call: room for all rows would be fetched anew each time."""


class RareRow(NamedTuple):
    """Row ``row`` of ``scored`` is rare, and if it ``alerts`` rare enough for that.

    ``rarity``: hours a week in which its site would reach the score by chance; ``budget``: what the
    site lets the detector have, in the same unit.
    """

    scored: Scored
    row: int
    rarity: float
    budget: float
    alerts: bool = True


class _Table(NamedTuple):
    grid: NDArray[np.float64]
    rates: NDArray[np.float64]


class _Sites(NamedTuple):
    """What is known of each site, by its number."""

    budget: NDArray[np.float64]
    threshold: NDArray[np.float64]
    history: NDArray[np.int64]  # hours by the bin of their strongest score
    hours: NDArray[np.int64]
    hour: NDArray[np.int64]  # the present one
    peak: NDArray[np.float64]  # strongest score of the present hour
    alert_hours: NDArray[np.int64]  # hours in which the threshold was reached
    weak: NDArray[np.float64]  # the score from which on it is evidence
    weak_rows: NDArray[np.int64]  # rows of the present hour that are no more than that


class SiteLines(msgspec.Struct, frozen=True, array_like=True):
    """What a site has taught about one detector; ``signature`` names the table it was learned by."""

    signature: str
    history: bytes
    hours: int
    hour: int
    peak: float
    alert_hours: int
    alerted_bin: bytes
    alerted_time: bytes
    habits: tuple[bytes, ...] | None = None
    """By entity, in the order of `entity_records.KEPT`; None from a release that knew none."""
    weak_rows: int = 0


class DetectorPolicy:
    """What one detector's scores mean on each site.

    ``habits``: whether its entities have any; not where an entity is a whole site, and all its machines.
    ``longest_gap_h``: so many hours at most are counted where rows pause; 1 for what has rows in every hour
    that is watched.
    """

    def __init__(
        self,
        calibration: Calibration,
        share: float,
        *,
        habits: bool = True,
        longest_gap_h: int = 1,
    ) -> None:
        self.share, self._habits, self._longest_gap_h = share, habits, longest_gap_h
        learned = msgspec.json.encode((calibration.scores, calibration.per_week))
        self.signature = hashlib.blake2b(learned, digest_size=8).hexdigest()
        self._table = _Table(calibration.grid, calibration.rates)
        self._sites = _Sites(
            np.zeros(0), np.zeros(0), np.zeros((0, len(calibration.grid)), np.int64),
            np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64),
            np.zeros(0), np.zeros(0, np.int64),
        )  # fmt: skip
        self._records = EntityRecords()

    @property
    def speaks(self) -> bool:
        """Whether anything that it says may be reported."""
        return self.share > 0.0

    @property
    def budget(self) -> NDArray[np.float64]:
        """By site: incidents a week that this detector may cost."""
        return self._sites.budget

    @property
    def threshold(self) -> NDArray[np.float64]:
        """By site: the score from which on it alerts."""
        return self._sites.threshold

    @property
    def history(self) -> NDArray[np.int64]:
        """By site and bin: hours whose strongest score lay there, and counted as normal."""
        return self._sites.history

    def make_room(self, sites: int, slots: int = 0) -> None:
        """Grow to ``sites`` sites and ``slots`` entities; new sites start from the shipped table."""
        old = len(self.budget)
        if sites > old:
            room = max(sites, 2 * old)
            self._sites = known = _Sites(*(grown(line, room) for line in self._sites))
            known.budget[old:] = DEFAULT_BUDGET * self.share
            known.hour[old:] = -1
            known.peak[old:] = -np.inf
            self._settle(old)
            for line in (self.threshold, self._sites.weak):
                line[old:] = line[old]  # they are all alike
        self._records.make_room(slots)

    def judge(self, scored: Scored) -> list[RareRow]:
        """As `evidence`, but only the rows that are rare enough to alert."""
        return [row for row in self.evidence(scored) if row.alerts]

    def evidence(self, scored: Scored, marked: MarkedRows | None = None) -> list[RareRow]:
        """Learn the scores hour by hour; the rows that are rare, in order.

        Below the threshold an entity's row is among them if it is rarer than all that it did in its hour.
        ``marked``: the rows of the step to look at whatever their score, shared with other detectors.
        """
        marks = (marked or MarkedRows()).of(scored)
        records, most = self._records, len(scored.said)
        records.make_room(marks.slots)
        if not most and not _has_news(
            scored.time, scored.site, scored.slot, *marks[:2], self._sites.hour, records.places
        ):
            return []
        room = min(most, _AT_ONCE)
        told = (np.empty(room, np.int64), np.empty(room), np.empty(room, np.bool_))
        rows, rarities, alerts = told
        found: list[RareRow] = []
        done = (0, 0, 0)
        while True:
            done, count, records.used = _find_rare(
                scored.time, scored.site, scored.slot, scored.scores,
                (scored.said, marks.turns, marks.fresh), done, (tuple(self._table), tuple(self._sites)),
                records.for_more(most), self._habits, self._longest_gap_h, told,
            )  # fmt: skip
            for row in range(count):
                budget = float(self.budget[scored.site[rows[row]]])
                rarity, calls = float(rarities[row]), bool(alerts[row])
                found.append(RareRow(scored, int(rows[row]), rarity, budget, calls))
            if not count or count < room:
                return found

    def take(self, site: int, slots: NDArray[np.int32]) -> SiteLines:
        """What one site has taught, with what was last alerted of the entities at ``slots``."""
        self.make_room(site + 1, int(slots.max(initial=-1)) + 1)
        sites = self._sites
        return SiteLines(
            self.signature, sites.history[site].tobytes(), int(sites.hours[site]),
            int(sites.hour[site]), float(sites.peak[site]), int(sites.alert_hours[site]),
            *self._records.take(slots), int(sites.weak_rows[site]),
        )  # fmt: skip

    def put(self, site: int, slots: NDArray[np.int32], lines: SiteLines) -> None:
        """Take up what `take` returned, if it was learned by the same table; else start anew."""
        self.make_room(site + 1, int(slots.max(initial=-1)) + 1)
        if lines.signature != self.signature:
            return
        sites = self._sites
        sites.history[site] = np.frombuffer(lines.history, np.int64)
        sites.hours[site], sites.hour[site] = lines.hours, lines.hour
        sites.peak[site], sites.alert_hours[site] = lines.peak, lines.alert_hours
        sites.weak_rows[site] = lines.weak_rows
        self._records.put(slots, lines.alerted_bin, lines.alerted_time, lines.habits)
        self._settle(site)

    def forget_habits(self, slots: NDArray[np.int32]) -> None:
        """Take what the entities at ``slots`` do for new."""
        self._records.make_room(int(slots.max(initial=-1)) + 1)
        self._records.forget_habits(slots)

    def forget(self, slots: NDArray[np.int32]) -> None:
        """Other entities have these ``slots`` from now on."""
        self._records.make_room(int(slots.max(initial=-1)) + 1)
        self._records.forget(slots)

    def rarity(self, site: int, score: float) -> float:
        """Hours a week in which this site would reach ``score`` by chance."""
        hours = self._sites.hours[site]
        return float(_rarity(tuple(self._table), self.history[site], hours, score, 0))

    def set_budget(self, site: int, per_week: float) -> None:
        """Take the site's choice of incidents a week, of which this detector has its share."""
        self.budget[site] = per_week * self.share
        self._settle(site)

    def _settle(self, site: int) -> None:
        table, history, hours = tuple(self._table), self.history[site], self._sites.hours[site]
        self.threshold[site] = _threshold(table, history, hours, self.budget[site], 0)
        # In shadow nothing that it says is evidence.
        weak = _threshold(table, history, hours, WEAK, SPARED) if self.share else np.inf
        self._sites.weak[site] = weak


@njit_lean
def _threshold(table, history, hours, budget, spared):  # type: ignore[no-untyped-def]
    grid, rates = table
    weeks = hours / 168.0
    reached = -spared
    line = np.inf
    for at in range(len(grid) - 1, -1, -1):
        reached += history[at]
        if (PRIOR_WEEKS * rates[at] + max(reached, 0)) / (PRIOR_WEEKS + weeks) > budget:
            break
        line = grid[at]
    return line


@njit_lean
def _rarity(table, history, hours, score, spared):  # type: ignore[no-untyped-def]
    """Of the hours that reached it so many, ``spared``, are not counted."""
    grid, rates = table
    at = np.searchsorted(grid, score, side="right") - 1
    if at < 0:
        return rates[0]
    weeks = PRIOR_WEEKS + hours / 168.0
    beyond = history[at + 1 :].sum()
    rate = (PRIOR_WEEKS * rates[at] + max(history[at] + beyond - spared, 0)) / weeks
    if at + 1 == len(grid):
        return rate
    rarer = (PRIOR_WEEKS * rates[at + 1] + max(beyond - spared, 0)) / weeks
    if rarer <= 0.0:
        return rate
    part = (score - grid[at]) / (grid[at + 1] - grid[at])
    return rate * (rarer / rate) ** part


@njit_lean
def _turn_hour(s, h, table, sites, longest_gap_h):  # type: ignore[no-untyped-def]
    """What was strongest in the hour that ends is learned; ``h`` is the one that begins."""
    grid = table[0]
    budget, threshold, history, hours, hour, peak, alert_hours, weak, weak_rows = sites
    if hour[s] >= 0:
        hours[s] += min(h - hour[s], longest_gap_h)
        at = np.searchsorted(grid, peak[s], side="right") - 1
        if peak[s] >= threshold[s]:
            alert_hours[s] += 1
        if at >= 0 and (peak[s] < threshold[s] or alert_hours[s] >= HABIT):
            history[s, at] += 1
        threshold[s] = _threshold(table, history[s], hours[s], budget[s], 0)
        if weak[s] < np.inf:
            weak[s] = _threshold(table, history[s], hours[s], WEAK, SPARED)
    hour[s] = h
    peak[s] = -np.inf
    weak_rows[s] = 0


@njit_lean
def _has_news(time, site, slot, turns, fresh, hour, places):  # type: ignore[no-untyped-def]
    """Asked of nearly all detectors in all steps, with few arrays: each takes time to be handed over."""
    for i in turns:
        if time[i] >= (hour[site[i]] + 1) * HOUR_US:
            return True
    known = False
    for i in fresh:
        known |= places[slot[i]] != 0
    return known


@njit_lean
def _pass(until, done, marked, rows, lines, records, recorded, longest_gap_h):  # type: ignore[no-untyped-def]
    """Hours turn, and entities are new, up to row ``until``; how many of each are done then."""
    turned, wiped = done
    turns, fresh = marked
    time, site, slot = rows
    table, sites = lines
    _, record, known = records
    hour = sites[4]
    while turned < len(turns) and turns[turned] <= until:
        s, at = site[turns[turned]], time[turns[turned]]
        # An agent whose clock lags adds no hours to its site's. To divide takes long.
        if at >= (hour[s] + 1) * HOUR_US and at // HOUR_US > hour[s]:
            _turn_hour(s, at // HOUR_US, table, sites, longest_gap_h)
        turned += 1
    while wiped < len(fresh) and fresh[wiped] <= until:
        if recorded > 1 and record[slot[fresh[wiped]]]:
            wipe(record[slot[fresh[wiped]]], known)
        wiped += 1
    return turned, wiped


@njit_lean
def _find_rare(  # type: ignore[no-untyped-def]
    time, site, slot, scores, walk, done, lines, records, habits, longest_gap_h, told
):
    """``told`` is filled with the rows that are rare, how rare, and whether they may alert.

    ``walk``: the rows that have a score, and those marked; ``done``: how many of each are. How many
    are done then, how many rows are told, and the records in use. Nearly no row is either, and of those
    few get beyond the first tests, which look up nothing of its entity.
    """
    said, turns, fresh = walk
    passed, marked, rows = (done[1], done[2]), (turns, fresh), (time, site, slot)
    table, sites = lines
    grid, rates = table
    budget, threshold, history, hours, _, peak, _, weak, weak_rows = sites
    recorded, record, known = records
    alerted_bin, alerted_time, times, rare_hour, since, strongest, habit, weak_hour, weak_bin = (
        known
    )
    out, rare, alerts = told
    n = 0
    for j in range(done[0], len(said)):
        i = said[j]
        passed = _pass(i, passed, marked, rows, lines, records, recorded, longest_gap_h)
        s, score = site[i], scores[i]
        if score <= peak[s] and score < threshold[s] and score < weak[s]:
            continue
        e, h = record[slot[i]], time[i] // HOUR_US
        reached, counts = score >= threshold[s], score >= weak[s]
        mine = reached and habits
        if (reached or counts) and not e:
            e = record[slot[i]] = recorded
            recorded += 1
            alerted_time[e] = 0
            wipe(e, known)
        if mine and is_habit(e, h, score, times, rare_hour, since, strongest, habit):
            continue
        at = np.searchsorted(grid, score, side="right") - 1
        lasts = mine and since[e] < h  # its first hour has taught the site
        if score > peak[s] and not lasts and (at < 0 or rates[at] * HIGH_FACTOR > budget[s]):
            peak[s] = score
        calls = reached and (at > alerted_bin[e] or time[i] - alerted_time[e] >= REPEAT_US)
        news = counts and (h > weak_hour[e] or (h == weak_hour[e] and at > weak_bin[e]))
        if news:
            weak_hour[e] = h
            weak_bin[e] = at
        if news and not calls:
            weak_rows[s] += 1
        if calls:
            alerted_bin[e] = at
            alerted_time[e] = time[i]
        if calls or (news and weak_rows[s] <= MOST_WEAK):
            out[n] = i
            rare[n] = _rarity(table, history[s], hours[s], score, 0 if calls else SPARED)
            alerts[n] = calls
            n += 1
            if n == len(out):
                return (j + 1, *passed), n, recorded
    passed = _pass(len(time), passed, marked, rows, lines, records, recorded, longest_gap_h)
    return (len(said), *passed), n, recorded

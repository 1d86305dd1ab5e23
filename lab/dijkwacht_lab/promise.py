"""The promise: how often people were interrupted where nothing was wrong, against how often they may be.

A site chooses how many interruptions a week it bears by chance, its budget; a detector may spend its share of
it. *Realised* is what came of that: interruptions a week of benign time, ÷ the budget, by detector ÷ (share ×
budget). So 1 is the promise, and what counts is what a story cost, not how many findings are in it: one that
asks twice counts twice. Time counts only while packets come less than an hour apart (`Watched`).

Of chance alone, a site that is promised one a week has none in one week of three, and four or more in one of
fifty: the median over sites is then 1, the 95th percentile 3.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dijkwacht_collector.policy import DEFAULT_BUDGET
from dijkwacht_lab.scoreboard import WEEK_S, Watched, poisson_interval

Row = dict[str, Any]
_UNHEARD: Final[Row] = {"share": 0.0, "realised": 0, "realised_over_promised": None}
MOST_AT_MEDIAN: Final = 1.0
MOST_AT_95TH: Final = 3.0
"""Realised ÷ promised that at least half, and at least 95 %, of the sites must not exceed."""


class Period:
    """Part of a recording: from ``after_us`` behind its first row on, for ``lasts_us``. Both in µs.

    Feed row times in order of arrival, µs UTC; ``watched_s`` is what the part really covers.
    """

    def __init__(self, after_us: int, lasts_us: int) -> None:
        self._after, self._lasts = after_us, lasts_us
        self._first: int | None = None
        self._watched = Watched()

    @property
    def watched_s(self) -> float:
        """Seconds, without those between packets an hour apart or more."""
        return self._watched.seconds

    def see(self, time: int) -> None:
        """Take the next row's time."""
        if self._first is None:
            self._first = time
        if self.has(time):
            self._watched.see(time)

    def has(self, time: int) -> bool:
        """Whether ``time``, µs UTC, lies in it; nothing does before the first row."""
        if self._first is None:
            return False
        return 0 <= time - self._first - self._after < self._lasts


@dataclass(frozen=True, slots=True)
class BenignSite:
    """What was watched of a site where nothing was wrong, and who interrupted: a detector's name each time."""

    watched_s: float
    interruptions: Sequence[str] = ()
    budget: float = DEFAULT_BUDGET

    @property
    def weeks(self) -> float:
        """Site-weeks, of time in which packets came."""
        return self.watched_s / WEEK_S

    @property
    def promised(self) -> float:
        """Interruptions that the budget allows for."""
        return self.weeks * self.budget

    @property
    def ratio(self) -> float:
        """Realised ÷ promised; infinite where nothing was promised and somebody was interrupted.

        >>> BenignSite(14 * 86_400.0, ["scan"]).ratio
        0.5
        """
        told = len(self.interruptions)
        return told / self.promised if self.promised else math.inf if told else 0.0


def promise(told: int, weeks: float, share: float) -> Row:
    """How often it interrupted against the promise, ``share`` of one interruption a week.

    >>> found = promise(told=2, weeks=4.0, share=0.25)
    >>> found["promised"], found["realised_over_promised"]
    (1.0, 2.0)
    >>> [round(bound, 2) for bound in found["interval_95"]]
    [0.24, 7.22]
    """
    promised = share * DEFAULT_BUDGET * weeks
    low, high = poisson_interval(told)
    return {
        "realised": told,
        "promised": promised,
        "realised_over_promised": told / promised if promised else None,
        "interval_95": [low / promised, high / promised] if promised else None,
    }


def promise_of_sites(sites: Sequence[BenignSite], shares: Mapping[str, float]) -> Row:
    """All of it: in all, over sites, and by detector. ``shares``: of the budget, by detector.

    ``median`` and ``percentile_95`` are of the sites' own ratios, see `reached_by`. Who interrupted and has no
    share is a row too, with nothing promised; in all, the whole budget is. ValueError if there is no site.
    """
    weeks = sum(site.promised for site in sites) / DEFAULT_BUDGET
    told = Counter(name for site in sites for name in site.interruptions)
    ratios = [site.ratio for site in sites]
    return {
        "sites": len(sites),
        "site_weeks": sum(site.weeks for site in sites),
        "median": reached_by(ratios, 0.5),
        "percentile_95": reached_by(ratios, 0.95),
        "most": max(ratios),
        "sites_interrupted": sum(bool(site.interruptions) for site in sites),
        **promise(told.total(), weeks, 1.0),
        "detectors": {
            name: {"share": shares.get(name, 0.0), **promise(told[name], weeks, shares.get(name, 0.0))}
            for name in sorted({*shares, *told})
        },
    }  # fmt: skip


def reached_by(values: Collection[float], part: float) -> float:
    """The least of ``values`` that ``part`` of them do not exceed: one of them, never between two.

    >>> reached_by([0.0, 0.0, 1.0, 4.0], 0.5), reached_by([0.0, 0.0, 1.0, 4.0], 0.95)
    (0.0, 4.0)
    """
    if not values:
        raise ValueError("of no values there is no quantile")
    return sorted(values)[max(math.ceil(part * len(values)) - 1, 0)]


def broken(result: Mapping[str, Any]) -> list[str]:
    """Which of the bars ``result`` of `promise_of_sites` is beyond, in words; none if it is kept.

    By two decimals: no week is watched to its last second, and one interruption in it is one a week.
    """
    bars = {"median": MOST_AT_MEDIAN, "percentile_95": MOST_AT_95TH}
    return [
        f"{name.replace('_', ' ')} over sites is {result[name]:.2f} times the promise, more than {bar:g}"
        for name, bar in bars.items()
        if round(result[name], 2) > bar
    ]


def promise_table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """For a page, in Markdown: by beginning (cold, after a day), over sites and in all, then by detector."""
    lines = [
        "| | site-weeks | promised | interruptions | realised ÷ promised (95 %) | median of sites | 95th percentile |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {r['site_weeks']:.1f} | {r['promised']:.1f} | {r['realised']} | {_ratio(r)} | "
        f"{r['median']:.2f} | {r['percentile_95']:.2f} |"
        for name, r in results.items()
    ]
    names = [*results]
    heads = [f"{name}: interruptions | realised ÷ promised (95 %)" for name in names]
    lines += ["", f"| detector | promised a week | {' | '.join(heads)} |"]
    lines += ["|---" * (2 + 2 * len(names)) + "|"]
    quiet = 0
    for detector in dict.fromkeys(name for r in results.values() for name in r["detectors"]):
        rows = [r["detectors"].get(detector, _UNHEARD) for r in results.values()]
        share = max(row["share"] for row in rows)
        if any(row["realised"] for row in rows):
            cells = [f"{row['realised']} | {_ratio(row)}" for row in rows]
            lines.append(f"| `{detector}` | {share:.3f} | {' | '.join(cells)} |")
        else:
            quiet += share > 0
    lines.append(f"\n{quiet} more have a share of the budget and interrupted nobody.")
    return "\n".join(lines)


def _ratio(row: Mapping[str, Any]) -> str:
    if row["realised_over_promised"] is None:
        return "–"
    low, high = row["interval_95"]
    return f"{row['realised_over_promised']:.2f} ({low:.2f} – {high:.2f})"


def interruptions_in(period: Period, calls: Iterable[tuple[int, str]]) -> list[str]:
    """Who interrupted in ``period``; ``calls``: event time, µs UTC, and the detector that made it."""
    return [detector for time, detector in calls if period.has(time)]

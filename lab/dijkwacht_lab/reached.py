"""Which hours of a site reached which score anew: what tables are fitted to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.policy import Scored
from dijkwacht_collector.policy.entity_records import HABIT
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_lab.machine_hours import Opinions, reads_machines

HOUR_US: Final = 3_600_000_000
WEEK_HOURS: Final = 168.0
LEFT_OUT: Final = 4
"""One of so many offices is not counted, see `seen_by`."""

Reached = tuple[float, float]
"""What an hour reached anew: scores above the first number, up to and with the second."""


@dataclass
class SiteHours:
    """One site's hours, and by detector what each reached; ``generated`` if it is an office of ours.

    ``machine``: it is a machine's metrics, which `MACHINE_DETECTORS` and nobody else reads.
    """

    hours: int
    reached: dict[str, list[Reached]]
    generated: bool = False
    machine: bool = False


@dataclass
class Hours:
    """Hours of many sites."""

    sites: list[SiteHours] = field(default_factory=list)

    @property
    def hours(self) -> int:
        """Of all together."""
        return sum(site.hours for site in self.sites)

    def peaks(self, detector: str) -> list[float]:
        """The strongest score of each hour that reached anything anew."""
        return [high for site in self.sites for _, high in site.reached.get(detector, ())]


class Seen(NamedTuple):
    """What a table is fitted to: site-weeks, and what their hours reached anew, float64[hours, 2]."""

    weeks: float
    spans: NDArray[np.float64]

    def per_week(self, score: float) -> float:
        """Hours a week that reached a score anew."""
        lows, highs = self.spans.T
        return float(((lows < score) & (highs >= score)).sum()) / max(self.weeks, 1 / WEEK_HOURS)


def seen_by(detector: AnyDetector, hours: Hours) -> Seen:
    """What of ``hours`` counts for ``detector``: not the offices that are left out.

    These are a quarter of those generated, the ones in which it spoke strongest: see `_ordinary`.
    """
    return _seen(detector.name, hours, machines=reads_machines(detector))


def seen_by_network(name: str, hours: Hours) -> Seen:
    """The same for what has that ``name`` and looks at a network's rows."""
    return _seen(name, hours, machines=False)


def _seen(name: str, hours: Hours, *, machines: bool) -> Seen:
    sites = _ordinary(name, [site for site in hours.sites if site.machine == machines])
    told = [span for site in sites for span in site.reached.get(name, ())]
    weeks = sum(site.hours for site in sites) / WEEK_HOURS
    return Seen(weeks, np.array(told or np.zeros((0, 2)), np.float64))


def _ordinary(detector: str, sites: Sequence[SiteHours]) -> list[SiteHours]:
    """All but the quarter of the generated offices in which ``detector`` spoke strongest.

    What one office in some does that others never do, it teaches the policy itself, in two hours; a
    table that knew it would make every other site deaf. What that costs is measured on other offices.
    """

    def strongest(site: SiteHours) -> float:
        return max((high for _, high in site.reached.get(detector, ())), default=0.0)

    offices = sorted((site for site in sites if site.generated), key=strongest)
    kept = offices[: len(offices) - len(offices) // LEFT_OUT]
    return [site for site in sites if not site.generated] + kept


class Peaks:
    """What one detector's entities reach, hour by hour, as the policy hears it.

    An entity's score in an hour counts if it had not reached it in `HABIT` - 1 hours before: what it does
    again and again is its habit, of which the site hears no more (`policy`).
    """

    def __init__(self) -> None:
        self._entities: dict[tuple[int, int], dict[int, float]] = {}
        self._lives: dict[int, int] = {}

    def note(self, scored: Scored | Opinions) -> None:
        """Take the opinions of a step."""
        for slot in np.unique(scored.slot[scored.fresh]).tolist():
            self._lives[slot] = self._lives.get(slot, 0) + 1
        rows = np.flatnonzero(scored.scores > 0.0)
        keys = (scored.time[rows] // HOUR_US << 32) | scored.slot[rows]
        order = np.argsort(keys, kind="stable")
        each, begins = np.unique(keys[order], return_index=True)
        if not len(rows):
            return
        strongest = np.maximum.reduceat(scored.scores[rows][order], begins)
        for key, score in zip(each.tolist(), strongest.tolist(), strict=True):
            slot, hour = key & 0xFFFFFFFF, key >> 32
            hours = self._entities.setdefault((slot, self._lives.get(slot, 0)), {})
            hours[hour] = max(score, hours.get(hour, 0.0))

    def reached(self) -> list[Reached]:
        """Of all hours, what was reached anew, without what lies within another's of the same hour."""
        by_hour: dict[int, list[Reached]] = {}
        for hours in self._entities.values():
            before: list[float] = []
            for hour, score in sorted(hours.items()):
                known = sorted(before, reverse=True)[HABIT - 2] if len(before) >= HABIT - 1 else 0.0
                if score > known:
                    by_hour.setdefault(hour, []).append((known, score))
                before.append(score)
        return [span for spans in by_hour.values() for span in _joined(spans)]


def _joined(spans: list[Reached]) -> Iterator[Reached]:
    spans.sort()
    low, high = spans[0]
    for begin, end in spans[1:]:
        if begin > high:
            yield low, high
            low, high = begin, end
        high = max(high, end)
    yield low, high

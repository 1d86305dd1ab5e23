"""What an interruption costs: each machine that a detector made interrupt this week halves what it has left.

It is the machine that is counted: what one does, however often, is one story to whoever is called for it,
and costs nothing more. Those who do something to it from outside count each, but only among themselves: an
open door must not interrupt without end, nor hush what happens elsewhere. What turned out an attack was
worth the call and is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

HIGH_FACTOR: Final = 30.0
"""A score so many times rarer than the budget is an incident of high severity, and moves no site's line."""
WEEK_US: Final = 7 * 24 * 3_600_000_000
MOST_KEPT: Final = 32
"""Interruptions remembered of a site and detector: after so many halvings nothing is left of a budget."""


class Interruption(msgspec.Struct, array_like=True):
    """``machine`` made one detector interrupt, at ``last`` for the last time, µs UTC of event time.

    ``outsider``: who did it to the machine, "" where it was its own doing. ``counts``: nobody has
    called it an attack.
    """

    machine: str
    outsider: str
    last: int
    counts: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """What is one interruption, however often."""
        return self.machine, self.outsider


class Spending:
    """Who made which detector interrupt, on all sites."""

    def __init__(self) -> None:
        self._sites: dict[str, dict[str, dict[tuple[str, str], Interruption]]] = {}

    def others(self, site: str, detector: str, new: Interruption) -> int:
        """How often ``detector`` interrupted for others than ``new`` is about, from a week before it on.

        Other machines, and if an outsider knocks, other outsiders who did so at the same machine.
        """
        week = [
            one
            for one in self._sites.get(site, {}).get(detector, {}).values()
            if one.counts and one.last >= new.last - WEEK_US
        ]
        machines = {one.machine for one in week} - {new.machine}
        outsiders = {one.outsider for one in week if one.machine == new.machine}
        return len(machines) + (len(outsiders - {"", new.outsider}) if new.outsider else 0)

    def note(self, site: str, detector: str, new: Interruption) -> None:
        """``detector`` interrupted for it. Past `MOST_KEPT` the one of the longest ago goes."""
        known = self._sites.setdefault(site, {}).setdefault(detector, {})
        before = known.pop(new.key, new)
        if len(known) >= MOST_KEPT:
            del known[min(known, key=lambda key: known[key].last)]
        known[new.key] = msgspec.structs.replace(new, last=max(new.last, before.last))

    def answer(self, site: str, machine: str, end: int, *, attack: bool) -> None:
        """A person says whether what ``machine`` did until ``end`` was an attack.

        What it interrupted for after that is another story.
        """
        for known in self._sites.get(site, {}).values():
            for one in known.values():
                if one.machine == machine and one.last <= end:
                    one.counts = not attack

    def of(self, site: str) -> dict[str, list[Interruption]]:
        """What is remembered of a site, by detector; later changes do not show in it."""
        return {
            detector: [msgspec.structs.replace(one) for one in known.values()]
            for detector, known in self._sites.get(site, {}).items()
        }

    def put(self, site: str, kept: Mapping[str, Iterable[Interruption]]) -> None:
        """Remember of a site what `of` returned, and nothing else."""
        self._sites.pop(site, None)
        if kept:
            self._sites[site] = {
                detector: {one.key: msgspec.structs.replace(one) for one in known}
                for detector, known in kept.items()
            }


def severity(rarity: float, budget: float, spent: int) -> int:
    """OCSF ``severity_id``: 2 context, 3 medium, 4 high.

    Each time that the detector interrupted for others this week (``spent``) halves its ``budget``.
    """
    left = budget * 0.5**spent
    if rarity > left:
        return 2
    return 4 if rarity * HIGH_FACTOR <= left else 3

"""Which stories each detector made interrupt lately, and at which doors that stood open somebody was told of.

The price of the next interruption follows from it, see `dijkwacht_collector.policy.spending`.
"""

from __future__ import annotations

from copy import copy
from typing import Final

import msgspec

from dijkwacht_collector.policy import WEEK_US

DAY_US: Final = 24 * 3_600_000_000
DOOR_US: Final = 30 * DAY_US
"""So long nobody is told again of who knocks at a door."""
MOST_KEPT: Final = 32
"""Stories remembered of a site and detector: after so many halvings nothing is left of a budget."""
MOST_DOORS: Final = 256
"""Doors remembered of a site, and as many of what an earlier release has called for."""


class Paid(msgspec.Struct, array_like=True):
    """A detector made ``story`` interrupt, at ``last`` for the last time, µs UTC of event time.

    ``counts``: nobody has called it an attack.
    """

    story: str
    last: int
    counts: bool = True


class KnownDoor(msgspec.Struct, frozen=True, array_like=True):
    """Of ``subject`` doing what is of class ``kind`` at ``machine`` somebody was told at ``time``, µs UTC."""

    machine: str
    kind: str
    subject: str
    time: int


class Hushed(msgspec.Struct, frozen=True, array_like=True):
    """An earlier release has called for (``kind``, ``subject``): that is no news before ``until``, µs UTC."""

    kind: str
    subject: str
    until: int


class SiteCalls(msgspec.Struct, frozen=True, array_like=True):
    """One site's part of `Calls`; ``paid`` by detector."""

    paid: dict[str, list[Paid]] = {}
    doors: list[KnownDoor] = []
    hushed: list[Hushed] = []


class Calls:
    """The interruptions of all sites."""

    def __init__(self) -> None:
        self._paid: dict[str, dict[str, dict[str, Paid]]] = {}
        self._doors: dict[str, dict[tuple[str, str, str], KnownDoor]] = {}
        self._hushed: dict[str, dict[tuple[str, str], Hushed]] = {}

    def others(self, site: str, detector: str, story: str, time: int) -> int:
        """How many stories other than ``story`` the detector made interrupt, from a week before ``time`` on."""
        of_detector = self._paid.get(site, {}).get(detector, {})
        return sum(
            one.counts and one.last >= time - WEEK_US and one.story != story
            for one in of_detector.values()
        )

    def stories_lately(self, site: str, time: int) -> int:
        """How many interrupted, whoever made them, from a day before ``time`` on."""
        lately = {
            one.story
            for of_detector in self._paid.get(site, {}).values()
            for one in of_detector.values()
            if one.last >= time - DAY_US
        }
        return len(lately)

    def note(self, site: str, detector: str, story: str, time: int) -> None:
        """``detector`` made ``story`` interrupt. Past `MOST_KEPT` the one of the longest ago goes."""
        known = self._paid.setdefault(site, {}).setdefault(detector, {})
        before = known.pop(story, None)
        if len(known) >= MOST_KEPT:
            del known[min(known, key=lambda uid: known[uid].last)]
        known[story] = Paid(story, max(time, before.last if before else time))

    def settle(self, site: str, story: str, *, attack: bool) -> None:
        """A person says whether ``story`` was an attack."""
        for of_detector in self._paid.get(site, {}).values():
            if story in of_detector:
                of_detector[story].counts = not attack

    def knows_door(self, site: str, machine: str, kind: str, subject: str, time: int) -> bool:
        """Whether somebody was told of this in the month before ``time``."""
        door = self._doors.get(site, {}).get((machine, kind, subject))
        return door is not None and time - door.time < DOOR_US

    def knows_doors(self, site: str, machine: str, time: int) -> bool:
        """Whether somebody was told of any door of the machine in the week before ``time``."""
        doors = self._doors.get(site, {}).values()
        return any(d.machine == machine and time - d.time < WEEK_US for d in doors)

    def note_door(self, site: str, door: KnownDoor) -> None:
        """Somebody is told, unless that was known. Past `MOST_DOORS` the one of the longest ago goes."""
        if self.knows_door(site, door.machine, door.kind, door.subject, door.time):
            return
        known = self._doors.setdefault(site, {})
        known.pop((door.machine, door.kind, door.subject), None)
        if len(known) >= MOST_DOORS:
            del known[min(known, key=lambda key: known[key].time)]
        known[door.machine, door.kind, door.subject] = door

    def hushes(self, site: str, kind: str, subject: str, time: int) -> bool:
        """Whether an earlier release has called for this, and it goes on."""
        hushed = self._hushed.get(site, {}).get((kind, subject))
        return hushed is not None and time < hushed.until

    def of(self, site: str) -> SiteCalls:
        """What is remembered of a site; later changes do not show in it."""
        return SiteCalls(
            {
                detector: [copy(one) for one in known.values()]
                for detector, known in self._paid.get(site, {}).items()
            },
            list(self._doors.get(site, {}).values()),
            list(self._hushed.get(site, {}).values()),
        )

    def put(self, site: str, kept: SiteCalls) -> None:
        """Remember of a site what `of` returned, and nothing else."""
        self._paid[site] = {
            detector: {one.story: copy(one) for one in known}
            for detector, known in kept.paid.items()
        }
        self._doors[site] = {(d.machine, d.kind, d.subject): d for d in kept.doors}
        latest = sorted(kept.hushed, key=lambda one: one.until)[-MOST_DOORS:]
        self._hushed[site] = {(one.kind, one.subject): one for one in latest}
        for of_site in (self._paid, self._doors, self._hushed):
            if not of_site[site]:
                del of_site[site]

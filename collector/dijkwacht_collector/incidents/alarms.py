"""What has called somebody lately: the same thing again is no second call.

What goes on by the hour closes its incident and opens the next, and would call whoever is on duty each
time. It is one alarm until it has been silent for a day, and for a week at most. What happens meanwhile
is kept as context; it calls again only if it is graver than what called before, or once it was answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from dijkwacht_collector.incidents.exemptions import Key
from dijkwacht_collector.policy import WEEK_US

SILENT_US: Final = 24 * 3_600_000_000
"""After so long without a finding that would call, the next is a new alarm."""
MOST_ALARMS: Final = 256
"""Remembered of one site; past it the one of the longest ago goes."""


class Alarm(msgspec.Struct, array_like=True):
    """``subject`` did something of class ``kind`` that called at ``since`` and would have until ``last``.

    Times are event time, µs UTC; ``severity_id`` is the gravest that called.
    """

    kind: str
    subject: str
    since: int
    last: int
    severity_id: int


class Alarms:
    """What has called, on all sites."""

    def __init__(self) -> None:
        self._sites: dict[str, dict[Key, Alarm]] = {}

    def is_known(self, key: Key, time: int, severity_id: int) -> bool:
        """Whether a finding at ``time``, grave enough to call, belongs to what has called; it goes on then."""
        alarm = self._sites.get(key[0], {}).get(key)
        if (
            alarm is None
            or time - alarm.last >= SILENT_US
            or time - alarm.since >= WEEK_US
            or severity_id > alarm.severity_id
        ):
            return False
        alarm.last = max(alarm.last, time)
        return True

    def note(self, key: Key, time: int, severity_id: int) -> None:
        """It calls now."""
        of_site = self._sites.setdefault(key[0], {})
        of_site.pop(key, None)
        if len(of_site) >= MOST_ALARMS:
            del of_site[min(of_site, key=lambda known: of_site[known].last)]
        of_site[key] = Alarm(key[1], key[2], time, time, severity_id)

    def settle(self, key: Key) -> None:
        """A person has answered: the next is a new alarm."""
        self._sites.get(key[0], {}).pop(key, None)

    def of(self, site: str) -> list[Alarm]:
        """What is remembered of a site; later changes do not show in it."""
        return [msgspec.structs.replace(one) for one in self._sites.get(site, {}).values()]

    def put(self, site: str, kept: Iterable[Alarm]) -> None:
        """Remember of a site what `of` returned, and nothing else."""
        known = {(site, one.kind, one.subject): msgspec.structs.replace(one) for one in kept}
        self._sites.pop(site, None)
        if known:
            self._sites[site] = known

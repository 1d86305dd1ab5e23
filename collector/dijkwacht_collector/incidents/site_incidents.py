"""What is kept of one site's incidents, by any release that had a site's record."""

from __future__ import annotations

import msgspec

from dijkwacht_collector.incidents.before_stories import (
    Alarm,
    Interruption,
    hushed_of,
    paid_of,
    stories_of,
)
from dijkwacht_collector.incidents.calls import SiteCalls
from dijkwacht_collector.incidents.exemptions import Exempted
from dijkwacht_collector.incidents.incident import Evidence, Incident
from dijkwacht_collector.incidents.stories import SiteStories


class SiteIncidents(msgspec.Struct, frozen=True, array_like=True):
    """One site's part of `OpenIncidents`; (kind, subject) names what its keys name.

    ``exempt_until``, ``opened``, ``spent`` and ``alarms`` are what earlier releases know of exemptions and of
    who was called for what, and read; ``stories`` is None in what they have kept.
    """

    open: list[Incident]
    unworded: list[tuple[str, str, Evidence]]
    ordinals: list[tuple[str, str, int]]
    exempt_until: list[tuple[str, str, int]]
    opened: dict[str, list[int]]
    exemptions: list[Exempted] = []
    ended: list[bytes] = []
    spent: dict[str, list[Interruption]] | None = None
    alarms: list[Alarm] = []
    stories: SiteStories | None = None

    def exempted(self) -> list[Exempted]:
        """The exemptions, also those that an earlier release has saved."""
        known = {(row.kind, row.subject) for row in self.exemptions}
        earlier = [Exempted(*row) for row in self.exempt_until if row[:2] not in known]
        return [*earlier, *self.exemptions]

    def with_stories(self, site: str) -> SiteIncidents:
        """It, where an earlier release has kept it with what it knew of calls made of stories."""
        if self.stories is not None:
            return self
        open_, stories = stories_of(site, self.open)
        calls = SiteCalls(paid_of(self._spending(), stories), hushed=hushed_of(self.alarms))
        return msgspec.structs.replace(self, open=open_, stories=SiteStories(stories, calls=calls))

    def _spending(self) -> dict[str, list[Interruption]]:
        """Who made which detector interrupt; an earlier release saved when, and not who."""
        if self.spent is not None:
            return self.spent
        return {
            detector: [Interruption(f"?{n}", "", time) for n, time in enumerate(times)]
            for detector, times in self.opened.items()
        }

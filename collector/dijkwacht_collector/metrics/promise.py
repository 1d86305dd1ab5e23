"""What a site was promised, and for how long it has been watched: what interruptions are held against."""

from __future__ import annotations

from typing import Final

from dijkwacht_collector.metrics.family import Family

UNCHOSEN: Final = 1.0
"""Interruptions a week of a site that has chosen nothing, as the policy has it."""


class PromiseMetrics:
    """The budget and the watched time of each site that is known."""

    def __init__(self) -> None:
        self._budget = Family(
            "dijkwacht_budget_interruptions_per_week", "gauge",
            "Interruptions a week that the site bears without cause: what it has chosen, or 1.",
        )  # fmt: skip
        self._watched = Family(
            "dijkwacht_watched_seconds_total", "counter",
            "Event time in which packets of the site came less than an hour apart.",
        )  # fmt: skip

    def families(self) -> tuple[Family, ...]:
        """All of them, in the order they are shown; a site has one series in each."""
        return self._budget, self._watched

    def know_site(self, site: str) -> None:
        """Make the series of a site that nobody knew, which has chosen nothing yet."""
        self._budget.set(UNCHOSEN, site)
        self._watched.ensure(site)

    def show_budget(self, site: str, per_week: float) -> None:
        """The site has chosen so many interruptions a week."""
        self._budget.set(per_week, site)

    def add_watched(self, site: str, seconds: float) -> None:
        """The site was watched so much longer."""
        self._watched.add(seconds, site)

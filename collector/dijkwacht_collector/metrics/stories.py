"""The metrics of stories: how many there were and are, and how often they interrupted somebody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter

from dijkwacht_collector.metrics.family import Family

FUSION: Final = "fusion"
"""Who interrupts where several detectors did so together; on a site it has no series of its own."""


class StoryFigures:
    """Counters and gauges of the stories of all sites; a site must be known first (`ensure`).

    ``detectors``: the names that exist, the last for those that do not. ``severities``: a label by OCSF
    ``severity_id``, the lowest first.
    """

    def __init__(
        self, registry: CollectorRegistry, detectors: Iterable[str], severities: Mapping[int, str]
    ) -> None:
        self._severities = severities
        self._detectors = (*detectors, FUSION)
        self._total = Family(
            "dijkwacht_stories_total", "counter",
            "Stories that reached this severity: each counts once under every severity up to its"
            " highest, so low counts them all, and medium those that interrupted somebody.",
            ("site", "severity"),
        )  # fmt: skip
        self._open = Family(
            "dijkwacht_stories_open", "gauge",
            "Stories open now, by their severity now; those below medium interrupted nobody.",
            ("site", "severity"),
        )  # fmt: skip
        self._interruptions = Family(
            "dijkwacht_interruptions_total", "counter",
            "Times that stories interrupted somebody; it is these that a site chose the number of.",
        )  # fmt: skip
        self._by_detector = Counter(
            "dijkwacht_detector_interruptions_total",
            "Times that a detector made a story interrupt somebody; fusion: several together.",
            ["detector"], registry=registry,
        )  # fmt: skip
        for detector in self._detectors:
            self._by_detector.labels(detector)

    @property
    def series(self) -> int:
        """Those of one site."""
        return 2 * len(self._severities) + 1

    def ensure(self, site: str) -> None:
        """Create every series of ``site`` at 0."""
        self._interruptions.ensure(site)
        for severity in self._severities.values():
            self._total.ensure(site, severity)
            self._open.ensure(site, severity)

    def count(self, site: str, severity_id: int, counted_id: int = 0) -> None:
        """A story reached this severity; it was counted up to ``counted_id`` (0: not at all)."""
        for level, severity in self._severities.items():
            if counted_id < level <= max(severity_id, min(self._severities)):
                self._total.add(1, site, severity)

    def add_open(self, site: str, severity_id: int, change: int) -> None:
        """So many more (or, below 0, fewer) are open at this severity now."""
        lowest, highest = min(self._severities), max(self._severities)
        self._open.add(change, site, self._severities[min(max(severity_id, lowest), highest)])

    def count_interruption(self, site: str, detector: str) -> None:
        """``detector`` made a story interrupt somebody."""
        self._interruptions.add(1, site)
        known = detector if detector in self._detectors else self._detectors[-2]
        self._by_detector.labels(known).inc()

    def families(self) -> tuple[Family, ...]:
        """Those of sites; that of detectors is in the registry."""
        return self._total, self._open, self._interruptions

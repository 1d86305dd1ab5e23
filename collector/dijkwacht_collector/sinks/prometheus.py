"""Keeps the Prometheus metrics of incidents and stories: which are open, and how many there were."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from dijkwacht_collector.incidents import Event, Incident, Story, StoryEvent
from dijkwacht_collector.metrics import Telemetry

_MOST_ENDED: Final = 20_000
"""Ended incidents and stories of which a repeated step is still recognised."""


class _Counted(NamedTuple):
    """An incident, or a story, which has no ``detector``, as the metrics have it."""

    revision: int
    site: str
    detector: str
    severity_id: int
    highest_id: int
    is_open: bool
    calls: int


class PrometheusSink:
    """Events → counters and gauges of `Telemetry`.

    ``kept`` is asked once, on opening: every incident and story that the engine may send again, which
    are the open ones and those that ended since its last checkpoint. The gauges start from them; what
    the engine repeats, a rise of severity too, is not counted again.
    """

    def __init__(
        self, telemetry: Telemetry, kept: Callable[[], Iterable[Incident | Story]]
    ) -> None:
        self._telemetry: Final = telemetry
        self._kept: Final = kept
        self._counted: dict[str, _Counted] = {}
        self._ended: dict[str, None] = {}

    def open(self) -> None:
        """Set the gauges to what is open now; what is kept was counted before this start."""
        for told in self._kept():
            if told.uid not in self._counted:
                self._move(told.uid, None, _as_counted(told))

    def handle(self, events: Sequence[Event]) -> None:
        """Count each step once."""
        for event in events:
            before = self._counted.get(event.uid)
            now = _as_counted(event.told, before)
            if before is not None and now.revision <= before.revision:
                continue
            if before is None and event.activity == "update" and not now.is_open:
                # An answer to what was counted when it was told, longer ago than is remembered.
                self._move(event.uid, None, now)
                continue
            if isinstance(event, StoryEvent):
                self._count_story(event.story, before, now)
            else:
                self._count_incident(event.incident, before, now)
            self._move(event.uid, before, now)

    def flush(self) -> None:
        """Metrics live in memory; the store keeps what they are made from."""

    def close(self) -> None:
        """Nothing is held open."""

    def _count_incident(self, incident: Incident, before: _Counted | None, now: _Counted) -> None:
        if before is None:
            self._telemetry.count_technique(incident.technique)
        counted_id = before.highest_id if before else 0
        self._telemetry.count_severity(now.site, now.detector, now.highest_id, counted_id)

    def _count_story(self, story: Story, before: _Counted | None, now: _Counted) -> None:
        self._telemetry.know_site(story.site)
        counted_id, calls = (before.highest_id, before.calls) if before else (0, 0)
        self._telemetry.stories.count(story.site, now.highest_id, counted_id)
        for call in story.calls[calls:]:
            self._telemetry.stories.count_interruption(story.site, call.detector)

    def _move(self, uid: str, before: _Counted | None, now: _Counted) -> None:
        for counted, change in ((before, -1), (now, 1)):
            if counted is not None and counted.is_open:
                self._add_open(counted, change)
        self._counted[uid] = now
        if not now.is_open:
            self._ended[uid] = None
            if len(self._ended) > _MOST_ENDED:
                oldest = next(iter(self._ended))
                del self._ended[oldest], self._counted[oldest]

    def _add_open(self, counted: _Counted, change: int) -> None:
        if counted.detector:
            self._telemetry.add_open(counted.site, counted.severity_id, change)
            return
        self._telemetry.know_site(counted.site)
        self._telemetry.stories.add_open(counted.site, counted.severity_id, change)


def _as_counted(told: Incident | Story, before: _Counted | None = None) -> _Counted:
    return _Counted(
        told.revision,
        told.site,
        told.detector if isinstance(told, Incident) else "",
        told.severity_id,
        max(told.severity_id, before.highest_id if before else 0),
        told.status == "new",
        len(told.calls) if isinstance(told, Story) else 0,
    )

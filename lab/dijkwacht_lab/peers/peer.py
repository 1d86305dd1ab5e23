"""One peer on the scoreboard: what it said of each file, as incidents that our own rule judges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from dijkwacht_collector.incidents import Evidence, Incident
from dijkwacht_lab.labels import ACCEPTED
from dijkwacht_lab.scoreboard import MEDIUM, Judged, Outcome, judge
from dijkwacht_records.addresses import UNSPECIFIED, format_address

QUIET_US: Final = 86_400 * 1_000_000
"""What one source goes on with is one interruption until it was silent for a day, as with us."""
ANY: Final = "any"
"""Class of a tool that has none: whatever the file's class is, this is right."""


class Said(NamedTuple):
    """One alert.

    ``time``: µs UTC. ``sources``: whom it names as source, 16 bytes each; ``kind``: a class of ours,
    `ANY`, or the tool's own word for what is none of ours.
    """

    time: int
    sources: tuple[bytes, ...]
    kind: str


@dataclass(slots=True)
class Peer:
    """A column of the comparison.

    ``lines`` are what stands about it below the table: version, cost, what could not be used.
    ``unmapped``: the tool's own classes without one of ours → alerts.
    """

    name: str
    judged: list[Judged] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)
    unmapped: dict[str, int] = field(default_factory=dict)

    def hear(self, ours: Judged, said: Iterable[Said]) -> None:
        """Judge what it said of the file that ``ours`` is about."""
        incidents, noticed = incidents_of(said, ours.labelled.class_)
        outcome = replace(
            ours.outcome, incidents=incidents, noticed=noticed, crash="", scored={}, cpu_s=0.0
        )
        self.judged.append(judge(ours.labelled, outcome))

    def leave_out(self, ours: Judged, why: str) -> None:
        """It was not asked about this file, which counts for nothing."""
        self.judged.append(judge(ours.labelled, Outcome(refused=why)))


def incidents_of(said: Iterable[Said], class_: str) -> tuple[list[Incident], dict[str, int]]:
    """Alerts → incidents, and when each was first told of: one by class and source until a day without.

    ``class_`` is that of the file, for alerts of `ANY`.
    """
    accepted = min(ACCEPTED.get(class_, {ANY}))
    began: list[tuple[Said, str]] = []
    latest: dict[tuple[str, frozenset[bytes]], int] = {}
    for alert in sorted(said, key=lambda alert: alert.time):
        kind = accepted if alert.kind == ANY else alert.kind
        key = kind, frozenset(alert.sources)
        if key not in latest or alert.time - latest[key] > QUIET_US:
            began.append((alert, kind))
        latest[key] = alert.time
    incidents = [_incident(number, alert, kind) for number, (alert, kind) in enumerate(began)]
    return incidents, {incident.uid: incident.start for incident in incidents}


def _incident(number: int, alert: Said, kind: str) -> Incident:
    subject = format_address(alert.sources[0]) if alert.sources else ""
    return Incident(
        uid=f"peer-{number}", site="lab", kind=kind, detector="peer", technique="", subject=subject,
        ordinal=number, severity_id=MEDIUM, confidence=0, rarity=0.0, start=alert.time, end=alert.time,
        count=1, title_en=kind, title_nl=kind, desc_en="", desc_nl="",
        evidences=tuple(Evidence(alert.time, 0.0, source, 0, UNSPECIFIED, 0) for source in alert.sources),
    )  # fmt: skip

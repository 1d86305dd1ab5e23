"""Candidates → incidents: one stays open per site, kind and subject, and is updated, not repeated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from dijkwacht_collector.incidents.incident import (
    Activity,
    Evidence,
    Incident,
    IncidentEvent,
    Status,
    incident_uid,
)
from dijkwacht_collector.journal.payloads import Exemption
from dijkwacht_detectors.api import Explanation
from dijkwacht_records.addresses import format_address, format_mac

QUIET_US: Final = 3_600_000_000
"""An incident without new evidence for so long, in event time, is closed."""
WEEK_US: Final = 7 * 24 * 3_600_000_000
NORMAL_US: Final = 30 * 24 * 3_600_000_000
"""How long "this is normal" keeps the same kind and subject from being said again."""
MOST_OPEN: Final = 200
"""Incidents open at once on one site; past it nothing more is opened until some fall quiet."""
MOST_SUBJECTS: Final = 4096
"""Subjects of one site whose incidents are told apart even if they begin at the same moment."""
_MOST_EVIDENCES: Final = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A score that may be said, with all that an incident needs to know of its row."""

    site: str
    kind: str
    detector: str
    technique: str
    subject: str
    severity_id: int
    rarity: float
    evidence: Evidence
    explanation: Explanation


Key = tuple[str, str, str]


@dataclass
class Ledger:
    """The open incidents of all sites, and what has been answered about closed ones."""

    open: dict[Key, Incident] = field(default_factory=dict)
    by_site: dict[str, dict[Key, None]] = field(default_factory=dict)
    ordinals: dict[str, dict[Key, int]] = field(default_factory=dict)
    """By site, how many incidents each of the last `MOST_SUBJECTS` has had."""
    normal_until: dict[Key, int] = field(default_factory=dict)
    opened: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    shed: dict[str, int] = field(default_factory=dict)
    """By site, candidates that found `MOST_OPEN` incidents open."""

    def spent(self, site: str, detector: str, time: int) -> int:
        """Incidents of medium severity or more that ``detector`` opened here in the last week."""
        times = self.opened.get((site, detector), [])
        while times and times[0] < time - WEEK_US:
            times.pop(0)
        return len(times)

    def standing(self, site: str, kind: str, subject: str) -> Incident | None:
        """The incident that a candidate would update."""
        return self.open.get((site, kind, subject))

    def fold(self, candidate: Candidate, position: int) -> list[IncidentEvent]:
        """Open or update an incident. An update is told when it says more than before."""
        key = (candidate.site, candidate.kind, candidate.subject)
        time = candidate.evidence.time
        if time < self.normal_until.get(key, 0):
            return []
        known = self.open.get(key)
        if known is None:
            if len(self.by_site.get(candidate.site, ())) >= MOST_OPEN:
                self.shed[candidate.site] = self.shed.get(candidate.site, 0) + 1
                return []
            return [self._say("create", self._begin(key, candidate), position)]
        evidences = _strongest(known.evidences, candidate.evidence)
        stronger = candidate.severity_id > known.severity_id
        if stronger and known.severity_id < 3:
            self.opened.setdefault((key[0], candidate.detector), []).append(time)
        changed = {
            "end": max(known.end, time),
            "count": known.count + 1,
            "evidences": evidences,
            "severity_id": max(known.severity_id, candidate.severity_id),
            "rarity": min(known.rarity, candidate.rarity),
        }
        if candidate.rarity <= known.rarity:
            changed |= _worded(candidate) | {
                "detector": candidate.detector, "technique": candidate.technique,
                "confidence": _confidence(candidate.rarity),
            }  # fmt: skip
        incident = msgspec.structs.replace(known, **changed)
        self.open[key] = incident
        if stronger or incident.count & (incident.count - 1) == 0:
            return [self._say("update", incident, position)]
        return []

    def close_quiet(self, site: str, event_time: int, position: int) -> list[IncidentEvent]:
        """Close what had no new evidence for `QUIET_US`."""
        quiet = [
            key for key in self.by_site.get(site, ()) if self.open[key].end + QUIET_US <= event_time
        ]
        return [self._end(key, "closed", position) for key in quiet]

    def answer(
        self, uid: str, normal: bool, position: int
    ) -> tuple[Incident, list[IncidentEvent]] | None:
        """Take a person's verdict on an open incident; None if it is not open."""
        for key, incident in self.open.items():
            if incident.uid == uid:
                if normal:
                    self.normal_until[key] = incident.end + NORMAL_US
                return incident, [self._end(key, "normal" if normal else "confirmed", position)]
        return None

    def exempt(self, site: str, exemption: Exemption) -> None:
        """Report nothing of this class and subject before the exemption ends."""
        self.normal_until[site, exemption.kind, exemption.subject] = exemption.until

    def _begin(self, key: Key, candidate: Candidate) -> Incident:
        known = self.ordinals.setdefault(key[0], {})
        ordinal = known.pop(key, 0)
        if len(known) >= MOST_SUBJECTS:
            del known[next(iter(known))]
        known[key] = ordinal + 1
        time = candidate.evidence.time
        if candidate.severity_id >= 3:
            self.opened.setdefault((key[0], candidate.detector), []).append(time)
        incident = Incident(
            uid=incident_uid(*key, time, ordinal),
            site=candidate.site, kind=candidate.kind, detector=candidate.detector,
            technique=candidate.technique, subject=candidate.subject, ordinal=ordinal,
            severity_id=candidate.severity_id, confidence=_confidence(candidate.rarity),
            rarity=candidate.rarity, start=time, end=time, count=1,
            evidences=(candidate.evidence,), **_worded(candidate),
        )  # fmt: skip
        self.open[key] = incident
        self.by_site.setdefault(key[0], {})[key] = None
        return incident

    def _end(self, key: Key, status: Status, position: int) -> IncidentEvent:
        incident = msgspec.structs.replace(self.open.pop(key), status=status)
        del self.by_site[key[0]][key]
        return IncidentEvent(
            "close", msgspec.structs.replace(incident, revision=incident.revision + 1), position
        )

    def _say(self, activity: Activity, incident: Incident, position: int) -> IncidentEvent:
        if activity == "update":
            incident = msgspec.structs.replace(incident, revision=incident.revision + 1)
            self.open[incident.site, incident.kind, incident.subject] = incident
        return IncidentEvent(activity, incident, position)


def _strongest(known: tuple[Evidence, ...], new: Evidence) -> tuple[Evidence, ...]:
    pair = (new.detector, new.src_h, new.dst_h)
    for at, old in enumerate(known):
        if (old.detector, old.src_h, old.dst_h) == pair:
            if new.score <= old.score:
                return known
            known = known[:at] + known[at + 1 :]
            break
    return tuple(sorted((*known, new), key=lambda e: -e.score)[:_MOST_EVIDENCES])


def _confidence(rarity: float) -> int:
    """0–100: 50 where chance would say it once in eight weeks, more with every halving of that."""
    score = 50.0
    while rarity < 0.125 and score < 99:
        rarity *= 2
        score += 5 if score < 90 else 1
    return int(min(score, 99))


def _short_name(name: str) -> str:
    r"""A name that fits in a sentence: its end, which says whose it is, and nothing but print.

    >>> _short_name("www.example.org"), _short_name("a" * 60 + ".t.example.org")
    ('www.example.org', '…aaaaaaaaaaaaaaaaaaaaaaaaaa.t.example.org')
    >>> _short_name("\x1b[2J\r\nall is well\u202e")
    '�[2J��all is well�'
    """
    end = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name[-40:])
    return end if len(name) <= 40 else f"…{end}"


def _worded(candidate: Candidate) -> dict[str, Any]:
    evidence, told = candidate.evidence, candidate.explanation
    words = {
        "src": format_address(evidence.src_h) or format_mac(evidence.src_mac) or candidate.subject,
        "dst": format_address(evidence.dst_h),
        "port": str(evidence.dst_p),
        "name": _short_name(evidence.name),
        "mac": format_mac(evidence.src_mac),
    }
    return {
        field_name: text.format_map(words)
        for field_name, text in (
            ("title_en", told.title_en), ("title_nl", told.title_nl),
            ("desc_en", told.desc_en), ("desc_nl", told.desc_nl),
        )
    }  # fmt: skip

"""Findings → incidents: one stays open per site, kind and subject, and is updated, not repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec

from dijkwacht_collector.incidents.alarms import Alarm, Alarms
from dijkwacht_collector.incidents.answers import ANSWERED, changes
from dijkwacht_collector.incidents.ended import Ended
from dijkwacht_collector.incidents.exemptions import FOR_EVER_US, Exempted, Exemptions, Key
from dijkwacht_collector.incidents.incident import (
    ALERT_SEVERITY,
    CONTEXT_SEVERITY,
    Activity,
    Evidence,
    Incident,
    IncidentEvent,
    Status,
    incident_uid,
    interruption,
)
from dijkwacht_collector.incidents.story import Event
from dijkwacht_collector.journal import Entry, Exemption, Verdict, person
from dijkwacht_collector.policy import Interruption, Spending, severity
from dijkwacht_detectors.api import Explanation

IDLE_US: Final = 3_600_000_000
"""An incident without new evidence for so long, by the clock of an agent that contributed, is closed."""
ABSENT_US: Final = 30 * 24 * 3_600_000_000
"""By the event time of any other agent of its site it is closed after so long."""
MOST_OPEN: Final = 200
"""Incidents open at once on one site; past it nothing more is opened until some are closed."""
MOST_CONTEXT: Final = 150
"""Past so many only what calls somebody is opened: a machine that makes noise must not hide another."""
MOST_SUBJECTS: Final = 4096
"""Subjects of one site whose incidents are distinguished even if they begin at the same moment."""
_MOST_EVIDENCES: Final = 5
_MOST_AGENTS: Final = 16


class StepOrder(NamedTuple):
    """Where something stands in a step; what happens is sorted by it.

    ``row``: place among all rows of the step. At one row, first event time moves (``rank`` 0), then
    the windows that this ended give their scores (1), then the row itself (2). ``number`` and ``at``
    order what is left: the detector and its row, or the agent and its time.
    """

    row: int
    rank: int
    number: int
    at: int


class Finding(NamedTuple):
    """A rare row as an incident meets it: whose it is, how rare, and its evidence.

    ``agent`` sent it, "" if nobody in particular did: then every agent's clock counts. ``machine``: the
    inside end. ``budget`` is what the site lets the detector have, ``position`` that of the journal's entry.
    """

    order: StepOrder
    position: int
    site: str
    agent: str
    kind: str
    detector: str
    technique: str
    subject: str
    machine: str
    rarity: float
    budget: float
    evidence: Evidence


class EventTime(NamedTuple):
    """The event time of ``site``'s ``agent`` reached ``time``, µs UTC."""

    order: StepOrder
    position: int
    site: str
    agent: str
    time: int


class SiteIncidents(msgspec.Struct, frozen=True, array_like=True):
    """One site's part of `OpenIncidents`; (kind, subject) names what its keys name.

    ``exempt_until`` and ``opened`` are what earlier releases know of exemptions and spending, and read.
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

    def exempted(self) -> list[Exempted]:
        """The exemptions, also those that an earlier release has saved."""
        known = {(row.kind, row.subject) for row in self.exemptions}
        earlier = [Exempted(*row) for row in self.exempt_until if row[:2] not in known]
        return [*earlier, *self.exemptions]

    def spending(self) -> dict[str, list[Interruption]]:
        """Who made which detector interrupt; an earlier release saved when, and not who."""
        if self.spent is not None:
            return self.spent
        return {
            detector: [Interruption(f"?{n}", "", time) for n, time in enumerate(times)]
            for detector, times in self.opened.items()
        }


Explain = Callable[[str, Evidence, str], Explanation | None]
"""(detector, evidence, subject) → the incident's words, or None if the detector fails to give them."""


@dataclass
class OpenIncidents:
    """The open incidents of all sites, and what has been answered about closed ones."""

    open: dict[Key, Incident] = field(default_factory=dict)
    unworded: dict[Key, Evidence] = field(default_factory=dict)
    """Evidence that the words of an open incident must follow when it is next reported."""
    by_site: dict[str, dict[Key, None]] = field(default_factory=dict)
    ordinals: dict[str, dict[Key, int]] = field(default_factory=dict)
    """By site, how many incidents each of the last `MOST_SUBJECTS` has had."""
    exemptions: Exemptions = field(default_factory=Exemptions)
    ended: Ended = field(default_factory=Ended)
    spending: Spending = field(default_factory=Spending)
    alarms: Alarms = field(default_factory=Alarms)
    shed: dict[str, int] = field(default_factory=dict)
    """By site, findings that found `MOST_OPEN` incidents open, or as context `MOST_CONTEXT`."""

    def apply(
        self, findings: Sequence[Finding], times: Iterable[EventTime], explain: Explain
    ) -> list[Event]:
        """Open, update and close, in the order of the step; words are asked for only when needed."""
        events: list[Event] = []
        changes: list[Finding | EventTime] = [*times, *findings]
        for change in sorted(changes, key=attrgetter("order")):
            if isinstance(change, Finding):
                events += self._take(change, explain)
            else:
                events += self._close_idle(change, explain)
        return events

    def answer(self, entry: Entry, verdict: Verdict, explain: Explain) -> list[Event]:
        """Take a person's ``verdict``, which ``entry`` brings: an open incident closes, another changes.

        Nothing comes of one that says what was said before, or that nobody knows what it is about.
        Raises ``ValueError`` if what it was about cannot be read.
        """
        status = ANSWERED[verdict.verdict]
        word: dict[str, Any] = {"answered_by": person(verdict.by), "answered": entry.arrival}
        open_ = self.by_site.get(entry.site, ())
        key = next((key for key in open_ if self.open[key].uid == verdict.uid), None)
        if key is not None:
            if not changes(verdict.verdict, self.open[key]):
                return []
            self.open[key] = msgspec.structs.replace(self.open[key], **word)
            event = self._close(key, status, entry.position, explain)
        else:
            known = self.ended.latest(entry.site, verdict.uid, entry.position, verdict.about)
            if known is None or not changes(verdict.verdict, known):
                return []
            revision = known.revision + 1
            incident = msgspec.structs.replace(known, status=status, revision=revision, **word)
            self.ended.note(incident)
            event = IncidentEvent("update", incident, entry.position)
        self.exemptions.heed(event.incident, entry.position)
        told = event.incident
        machine, attack = told.machine or told.subject, status == "confirmed"
        self.spending.answer(entry.site, machine, told.end, attack=attack)
        self.alarms.settle((entry.site, told.kind, told.subject))
        return [event]

    def exempt(self, entry: Entry, exemption: Exemption) -> None:
        """Report nothing of this class and subject before the exemption ends, which ``entry`` brings."""
        by = exemption.by and person(exemption.by)
        until = min(max(exemption.until, 0), FOR_EVER_US)
        row = Exempted(
            exemption.kind, exemption.subject, until, entry.arrival, by,
            position=entry.position,
        )  # fmt: skip
        self.exemptions.say(entry.site, row)

    def take(self, site: str) -> SiteIncidents:
        """All that is remembered of one site; it stays."""
        open_ = self.by_site.get(site, ())
        exempted, spent = self.exemptions.of(site), self.spending.of(site)
        return SiteIncidents(
            [self.open[key] for key in open_],
            [(*key[1:], self.unworded[key]) for key in open_ if key in self.unworded],
            [(k, s, n) for (_, k, s), n in self.ordinals.get(site, {}).items()],
            [(row.kind, row.subject, row.until) for row in exempted],
            {name: [one.last for one in known if one.counts] for name, known in spent.items()},
            exempted,
            self.ended.of(site),
            spent,
            self.alarms.of(site),
        )

    def put(self, site: str, kept: SiteIncidents) -> None:
        """Remember of a site what `take` returned, and nothing else."""
        for key in self.by_site.pop(site, ()):
            del self.open[key]
            self.unworded.pop(key, None)
        for incident in kept.open:
            key = (site, incident.kind, incident.subject)
            self.open[key] = incident
            self.by_site.setdefault(site, {})[key] = None
        self.unworded |= {(site, kind, subject): e for kind, subject, e in kept.unworded}
        if kept.ordinals:
            self.ordinals[site] = {(site, kind, subject): n for kind, subject, n in kept.ordinals}
        self.exemptions.put(site, kept.exempted())
        self.ended.put(site, kept.ended)
        self.spending.put(site, kept.spending())
        self.alarms.put(site, kept.alarms)

    def current(self, explain: Explain) -> list[Incident]:
        """Every open incident as it stands, in words too; between two updates it may have grown."""
        return [self._worded(key, explain) for key in self.open]

    def _take(self, finding: Finding, explain: Explain) -> list[IncidentEvent]:
        key = (finding.site, finding.kind, finding.subject)
        time = finding.evidence.time
        if self.exemptions.hides(key, time):
            return []
        known = self.open.get(key)
        machine = known.machine if known is not None else finding.machine
        due = interruption(machine or finding.machine, finding.subject, [finding.evidence], time)
        spent = self.spending.others(finding.site, finding.detector, due)
        severity_id = severity(finding.rarity, finding.budget, spent)
        if severity_id >= ALERT_SEVERITY and self.alarms.is_known(key, time, severity_id):
            severity_id = CONTEXT_SEVERITY
        if known is not None:
            if severity_id > max(known.severity_id, CONTEXT_SEVERITY):
                self._call(key, finding.detector, due, severity_id)
            return self._update(key, known, finding, severity_id, explain)
        most = MOST_OPEN if severity_id >= ALERT_SEVERITY else MOST_CONTEXT
        if len(self.by_site.get(finding.site, ())) >= most:
            self.shed[finding.site] = self.shed.get(finding.site, 0) + 1
            return []
        begun = self._begin(key, finding, severity_id, explain)
        if begun and severity_id >= ALERT_SEVERITY:
            self._call(key, finding.detector, due, severity_id)
        return begun

    def _call(self, key: Key, detector: str, due: Interruption, severity_id: int) -> None:
        self.spending.note(key[0], detector, due)
        self.alarms.note(key, due.last, severity_id)

    def _begin(
        self, key: Key, finding: Finding, severity_id: int, explain: Explain
    ) -> list[IncidentEvent]:
        evidence = finding.evidence
        words = explain(finding.detector, evidence, finding.subject)
        if words is None:
            return []
        time, ordinal = evidence.time, self._next_ordinal(key)
        incident = Incident(
            uid=incident_uid(*key, time, ordinal),
            site=finding.site, kind=finding.kind, detector=finding.detector,
            subject=finding.subject, ordinal=ordinal,
            severity_id=severity_id, confidence=_confidence(finding.rarity),
            rarity=finding.rarity, start=time, end=time, count=1,
            evidences=(evidence,), agents=_latest((), finding.agent), machine=finding.machine,
            **_fields(words, finding.technique),
        )  # fmt: skip
        self.open[key] = incident
        self.by_site.setdefault(finding.site, {})[key] = None
        return [IncidentEvent("create", incident, finding.position)]

    def _update(
        self, key: Key, known: Incident, finding: Finding, severity_id: int, explain: Explain
    ) -> list[IncidentEvent]:
        """Take the finding in; it is reported if severity rose or the count doubled."""
        time = finding.evidence.time
        stronger = severity_id > known.severity_id
        changed = {
            "end": max(known.end, time),
            "count": known.count + 1,
            "evidences": _strongest(known.evidences, finding.evidence),
            "severity_id": max(known.severity_id, severity_id),
            "rarity": min(known.rarity, finding.rarity),
            "agents": _latest(known.agents, finding.agent),
        }
        if finding.rarity <= known.rarity:
            self.unworded[key] = finding.evidence
            changed |= {
                "detector": finding.detector, "technique": finding.technique,
                "confidence": _confidence(finding.rarity),
            }  # fmt: skip
        incident = msgspec.structs.replace(known, **changed)
        self.open[key] = incident
        if stronger or incident.count & (incident.count - 1) == 0:
            return [self._report("update", key, finding.position, explain)]
        return []

    def _close_idle(self, moved: EventTime, explain: Explain) -> list[IncidentEvent]:
        of_site = ((key, self.open[key]) for key in self.by_site.get(moved.site, ()))
        idle = [
            key
            for key, incident in of_site
            if incident.end + IDLE_US <= moved.time
            # Another's clock may be a week ahead of a spool that drains; an agent that never comes
            # back leaves nothing open for ever.
            and (
                not incident.agents
                or moved.agent in incident.agents
                or incident.end + ABSENT_US <= moved.time
            )
        ]
        return [self._close(key, "closed", moved.position, explain) for key in idle]

    def _close(self, key: Key, status: Status, position: int, explain: Explain) -> IncidentEvent:
        self.open[key] = msgspec.structs.replace(self.open[key], status=status)
        event = self._report("close", key, position, explain)
        self.ended.note(event.incident)
        of_site = self.by_site[key[0]]
        del self.open[key], of_site[key]
        if not of_site:
            del self.by_site[key[0]]
        return event

    def _report(
        self, activity: Activity, key: Key, position: int, explain: Explain
    ) -> IncidentEvent:
        """The event of the next revision of an open incident."""
        incident = self._worded(key, explain)
        incident = msgspec.structs.replace(incident, revision=incident.revision + 1)
        self.open[key] = incident
        return IncidentEvent(activity, incident, position)

    def _worded(self, key: Key, explain: Explain) -> Incident:
        """The open incident with the words that its strongest evidence asks for."""
        incident = self.open[key]
        evidence = self.unworded.pop(key, None)
        if evidence is not None:
            words = explain(evidence.detector, evidence, incident.subject)
            if words is not None:
                incident = msgspec.structs.replace(incident, **_fields(words, incident.technique))
                self.open[key] = incident
        return incident

    def _next_ordinal(self, key: Key) -> int:
        known = self.ordinals.setdefault(key[0], {})
        ordinal = known.pop(key, 0)
        if len(known) >= MOST_SUBJECTS:
            del known[next(iter(known))]
        known[key] = ordinal + 1
        return ordinal


def _strongest(known: tuple[Evidence, ...], new: Evidence) -> tuple[Evidence, ...]:
    pair = (new.detector, new.src_h, new.dst_h)
    for at, old in enumerate(known):
        if (old.detector, old.src_h, old.dst_h) == pair:
            if new.score <= old.score:
                return known
            known = known[:at] + known[at + 1 :]
            break
    return tuple(sorted((*known, new), key=lambda e: -e.score)[:_MOST_EVIDENCES])


def _latest(known: tuple[str, ...], agent: str) -> tuple[str, ...]:
    """The agents that contributed, the last one last."""
    if not agent or known[-1:] == (agent,):
        return known
    return (*(other for other in known if other != agent), agent)[-_MOST_AGENTS:]


def _confidence(rarity: float) -> int:
    """0–100: 50 where chance would do it once in eight weeks, more with every halving of that."""
    score = 50.0
    while rarity < 0.125 and score < 99:
        rarity *= 2
        score += 5 if score < 90 else 1
    return int(min(score, 99))


def _fields(words: Explanation, technique: str) -> dict[str, Any]:
    return {
        "technique": words.technique or technique,
        "title_en": words.title_en, "title_nl": words.title_nl,
        "desc_en": words.desc_en, "desc_nl": words.desc_nl,
    }  # fmt: skip

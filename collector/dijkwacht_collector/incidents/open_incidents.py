"""Findings → incidents: one stays open per site, kind and subject, and is updated, not repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

import msgspec

from dijkwacht_collector.incidents.answers import Said, StorySeen, changes, seen_by
from dijkwacht_collector.incidents.calls import DAY_US
from dijkwacht_collector.incidents.ended import Ended
from dijkwacht_collector.incidents.evidences import (
    MOST_EVIDENCES,
    besides,
    confidence,
    evidence_told,
    latest,
    strongest,
)
from dijkwacht_collector.incidents.exemptions import FOR_EVER_US, Exempted, Exemptions, Key
from dijkwacht_collector.incidents.finding import EventTime, Finding
from dijkwacht_collector.incidents.incident import (
    ABSENT_US,
    Activity,
    Evidence,
    Incident,
    IncidentEvent,
    Status,
    incident_uid,
)
from dijkwacht_collector.incidents.peers import begun_by, with_ends
from dijkwacht_collector.incidents.site_incidents import SiteIncidents
from dijkwacht_collector.incidents.stories import Place, SiteStories, Stories
from dijkwacht_collector.incidents.story import Event, Story
from dijkwacht_collector.incidents.wording import with_others
from dijkwacht_collector.journal import Entry, Exemption, Verdict, person
from dijkwacht_detectors.api import Explanation

IDLE_US: Final = 3_600_000_000
"""An incident without new evidence for so long, by the clock of an agent that contributed, is closed, unless it
stands: then after a day."""
MOST_OPEN: Final = 200
"""Incidents open at once on one site; past it nothing more is opened until some are closed."""
MOST_CONTEXT: Final = 150
"""Past so many only what makes a story interrupt is opened: a machine that makes noise must not hide another."""
_NEVER: Final = 1 << 62
MOST_SUBJECTS: Final = 4096
"""Subjects of one site whose incidents are distinguished even if they begin at the same moment."""


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
    ended: Ended[Incident] = field(default_factory=lambda: Ended(Incident))
    stories: Stories = field(default_factory=Stories)
    shed: dict[str, int] = field(default_factory=dict)
    """By site, findings that found `MOST_OPEN` incidents open, or as such that call nobody `MOST_CONTEXT`."""
    _rests: dict[str, int] = field(default_factory=dict)
    """By site, a time before which nothing is over, where one is known. A finding puts an end off, or brings one of its own."""

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
                events += self._pass_time(change, explain)
        return events

    def not_exempt(self, findings: Iterable[Finding]) -> list[Finding]:
        """Those that the site does not call normal."""
        return [one for one in findings if not self.exemptions.covers(one)]

    def answer(self, entry: Entry, verdict: Verdict, explain: Explain) -> list[Event]:
        """Take a person's ``verdict``, which ``entry`` brings, on an incident or a story.

        What is open closes, what is over changes; with a story all its findings do. Nothing comes of one
        that says what was said before, or that nobody knows what it is about. Raises ``ValueError`` if
        what it was about cannot be read.
        """
        said, site, uid = Said.of(entry, verdict), entry.site, verdict.uid
        self._rests.pop(site, None)
        if (story := self.stories.known(site, uid)) is not None:
            seen = seen_by(verdict)
            findings = seen.findings if isinstance(seen, StorySeen) else ()
            return self._answer_story(story, said, findings, explain)
        is_known = self._open_key(site, uid) is not None or self.ended.get(site, uid) is not None
        seen = None if is_known else seen_by(verdict)
        if isinstance(seen, StorySeen):
            meant = self.stories.latest(site, uid, said.position, seen.story)
            return self._answer_story(meant, said, seen.findings, explain)
        told = self._settle(site, uid, said, seen, explain)
        if told is None:
            return []
        goes_on = any(one.story == told.incident.story for one in self._open_at(site))
        return [told, *self.stories.settle_finding(told.incident, said, goes_on=goes_on)]

    def _answer_story(
        self, story: Story | None, said: Said, seen: Sequence[Incident], explain: Explain
    ) -> list[Event]:
        """``seen``: its findings as the person saw them."""
        if story is None or not changes(said.answer, story):
            return []
        found = (*self._open_at(story.site), *self.ended.all_of(story.site), *seen)
        of_it = {one.uid: one for one in found if one.story == story.uid}
        if said.answer != "normal":
            self.exemptions.take_back(story.site, story.uid, said)
        said = said._replace(story=story.uid)
        told = [self._settle(story.site, uid, said, one, explain) for uid, one in of_it.items()]
        events = [event for event in told if event is not None]
        settled = [event.incident for event in events]
        return [*events, *self.stories.settle(story, said, settled)]

    def _settle(
        self, site: str, uid: str, said: Said, seen: Incident | None, explain: Explain
    ) -> IncidentEvent | None:
        """One finding has its answer; None if that is nothing new."""
        word: dict[str, Any] = {"answered_by": said.by, "answered": said.arrival}
        key = self._open_key(site, uid)
        if key is not None:
            if not changes(said.answer, self.open[key]):
                return None
            self.open[key] = msgspec.structs.replace(self.open[key], **word)
            event = self._close(key, said.status, said.position, explain)
        else:
            known = self.ended.latest(site, uid, said.position, seen)
            if known is None or not changes(said.answer, known):
                return None
            revision = known.revision + 1
            incident = msgspec.structs.replace(known, status=said.status, revision=revision, **word)
            self.ended.note(incident)
            event = IncidentEvent("update", incident, said.position)
        self.exemptions.heed(event.incident, said.position, said.story)
        return event

    def exempt(self, entry: Entry, exemption: Exemption) -> None:
        """Report nothing of this class and subject, or machine and peer, before the exemption ends, which ``entry`` brings."""
        by = exemption.by and person(exemption.by)
        until = min(max(exemption.until, 0), FOR_EVER_US)
        row = Exempted(
            exemption.kind, exemption.subject, until, entry.arrival, by, position=entry.position,
            machine=exemption.machine, peer=exemption.peer,
        )  # fmt: skip
        self.exemptions.exempt(entry.site, row)

    def take(self, site: str) -> SiteIncidents:
        """All that is remembered of one site; it stays."""
        open_ = self.by_site.get(site, ())
        exempted = self.exemptions.of(site)
        return SiteIncidents(
            [self.open[key] for key in open_],
            [(*key[1:], self.unworded[key]) for key in open_ if key in self.unworded],
            [(k, s, n) for (_, k, s), n in self.ordinals.get(site, {}).items()],
            [(row.kind, row.subject, row.until) for row in exempted if not row.machine],
            {},
            exempted,
            self.ended.of(site),
            {},
            [],
            self.stories.of(site),
        )

    def put(self, site: str, kept: SiteIncidents) -> None:
        """Remember of a site what `take` returned, and nothing else."""
        for key in self.by_site.pop(site, ()):
            del self.open[key]
            self.unworded.pop(key, None)
        self._rests.pop(site, None)
        kept = kept.with_stories(site)
        for incident in kept.open:
            key = (site, incident.kind, incident.subject)
            self.open[key] = incident
            self.by_site.setdefault(site, {})[key] = None
        self.unworded |= {(site, kind, subject): e for kind, subject, e in kept.unworded}
        if kept.ordinals:
            self.ordinals[site] = {(site, kind, subject): n for kind, subject, n in kept.ordinals}
        self.exemptions.put(site, kept.exempted())
        self.ended.put(site, kept.ended)
        self.stories.put(site, kept.stories or SiteStories())

    def current(self, explain: Explain) -> list[Incident]:
        """Every open incident as it stands, in words too; between two updates it may have grown."""
        return [self._worded(key, explain) for key in self.open]

    def open_stories(self) -> list[Story]:
        """Every open story as it stands."""
        return [story for site in self.stories.sites() for story in self.stories.open_at(site)]

    def awake(self) -> dict[str, int]:
        """By site that has anything open, event time before which nothing of it is over, µs UTC."""
        return {
            site: self._rests_until(site)
            for site in dict.fromkeys((*self.by_site, *self.stories.sites()))
        }

    def _rests_until(self, site: str) -> int:
        known = self._rests.get(site)
        if known is None:
            ends = [incident.end + _idle(incident) for incident in self._open_at(site)]
            of_stories = self.stories.rests_until(site)
            known = min(ends if of_stories is None else [*ends, of_stories], default=_NEVER)
            self._rests[site] = known
        return known

    def _open_at(self, site: str) -> Iterator[Incident]:
        return (self.open[key] for key in self.by_site.get(site, ()))

    def _open_key(self, site: str, uid: str) -> Key | None:
        return next((key for key in self.by_site.get(site, ()) if self.open[key].uid == uid), None)

    def _take(self, finding: Finding, explain: Explain) -> list[Event]:
        key = (finding.site, finding.kind, finding.subject)
        if self.exemptions.hides(finding):
            return []
        if (rests := self._rests.get(finding.site)) is not None:
            self._rests[finding.site] = min(rests, finding.begun + IDLE_US)
        known = self.open.get(key)
        place = self.stories.place(finding, known)
        if known is not None:
            return self._update(key, known, finding, place, explain)
        most = MOST_OPEN if place.calls else MOST_CONTEXT
        if len(self.by_site.get(finding.site, ())) >= most:
            self.shed[finding.site] = self.shed.get(finding.site, 0) + 1
            return []
        return self._begin(key, finding, place, explain)

    def _begin(self, key: Key, finding: Finding, place: Place, explain: Explain) -> list[Event]:
        words = _words(finding.evidence, finding.others, finding.subject, explain)
        if words is None:
            return []
        start, ordinal = finding.begun, self._next_ordinal(key)
        uid = incident_uid(*key, start, ordinal)
        incident = Incident(
            uid=uid,
            site=finding.site, kind=finding.kind, detector=finding.detector,
            subject=finding.subject, ordinal=ordinal,
            severity_id=place.severity_id, confidence=confidence(finding.rarity),
            rarity=finding.rarity, start=start, end=finding.time, count=1,
            evidences=(finding.evidence, *finding.others)[:MOST_EVIDENCES], together=finding.together, agents=latest((), finding.agent), machine=finding.machine,
            story=self.stories.uid(place, finding.site, uid), standing=finding.door == "knock",
            ends=begun_by(finding.ends),
            **_fields(words, finding.technique),
        )  # fmt: skip
        of_story = self.stories.take(place, finding, incident, "")
        incident = msgspec.structs.replace(incident, interrupted=self.stories.has_called(incident))
        self.open[key] = incident
        self.by_site.setdefault(finding.site, {})[key] = None
        return [IncidentEvent("create", incident, finding.position), *of_story]

    def _update(
        self, key: Key, known: Incident, finding: Finding, place: Place, explain: Explain
    ) -> list[Event]:
        """Take the finding in; it is told if severity rose, the count doubled, or its story is another or calls."""
        time = finding.time
        moves = place.uid != known.story
        stronger = place.severity_id > known.severity_id
        evidences = strongest(known.evidences, finding.evidence, *finding.others)
        changed = {
            "end": max(known.end, time),
            "count": known.count + (not finding.together),  # of what is added up nothing is new
            "evidences": evidences,
            "together": finding.together or known.together,
            "severity_id": max(known.severity_id, place.severity_id),
            "rarity": min(known.rarity, finding.rarity),
            "agents": latest(known.agents, finding.agent),
            "standing": known.standing or finding.door == "knock",
            "ends": with_ends(known.ends, finding.ends),
        }
        if moves:
            changed["story"] = self.stories.uid(place, finding.site, known.uid, known.story)
        if says := evidence_told(known, finding, evidences):
            self.unworded[key] = says
        if finding.rarity <= known.rarity:
            changed |= {
                "detector": finding.detector, "technique": finding.technique,
                "confidence": confidence(finding.rarity),
            }  # fmt: skip
        incident = msgspec.structs.replace(known, **changed)
        self.open[key] = incident
        told = stronger or moves or place.calls or incident.count & (incident.count - 1) == 0
        if told:
            incident = self._worded(key, explain)
        of_story = self.stories.take(place, finding, incident, known.story, told=told)
        if not told:
            return list(of_story)
        return [self._report("update", key, finding.position, explain), *of_story]

    def _pass_time(self, moved: EventTime, explain: Explain) -> list[Event]:
        """Close what is over."""
        if moved.time < self._rests_until(moved.site):
            return []
        self._rests.pop(moved.site, None)
        of_site = ((key, self.open[key]) for key in self.by_site.get(moved.site, ()))
        untold = self.stories.untold(moved.site)
        idle = [
            key
            for key, incident in of_site
            if incident.end + _idle(incident) <= moved.time
            # Another's clock may be a week ahead of a spool that drains; an agent that never comes
            # back leaves nothing open for ever.
            and (
                not incident.agents
                or moved.agent in incident.agents
                or incident.end + ABSENT_US <= moved.time
            )
        ]
        joined = [
            self._report("update", key, moved.position, explain)
            for key in (self.by_site.get(moved.site, ()) if untold else ())
            if key not in idle and self.open[key].story in untold
        ]
        closed = [self._close(key, "closed", moved.position, explain) for key in idle]
        return [*joined, *closed, *self.stories.pass_time(moved)]

    def _close(self, key: Key, status: Status, position: int, explain: Explain) -> IncidentEvent:
        self.open[key] = msgspec.structs.replace(self.open[key], status=status)
        event = self._report("close", key, position, explain)
        self.ended.note(event.incident)
        self.stories.hear(event.incident)
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
        called = self.stories.has_called(incident)
        incident = msgspec.structs.replace(
            incident, revision=incident.revision + 1, interrupted=called
        )
        self.open[key] = incident
        return IncidentEvent(activity, incident, position)

    def _worded(self, key: Key, explain: Explain) -> Incident:
        """The open incident with the words that its strongest evidence asks for."""
        incident = self.open[key]
        evidence = self.unworded.pop(key, None)
        if evidence is not None:
            others = [one for one in incident.evidences if one.detector in incident.together]
            words = _words(evidence, others, incident.subject, explain)
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


def _idle(incident: Incident) -> int:
    """So long without evidence, µs, and it is over."""
    return DAY_US if incident.standing else IDLE_US


def _words(
    evidence: Evidence, others: Iterable[Evidence], subject: str, explain: Explain
) -> Explanation | None:
    """What ``evidence`` says, with what else there is on its machine."""
    words = explain(evidence.detector, evidence, subject)
    if words is None:
        return None
    told = [explain(one.detector, one, subject) for one in besides(evidence, others)]
    return with_others(words, [other for other in told if other is not None])


def _fields(words: Explanation, technique: str) -> dict[str, Any]:
    return {
        "technique": words.technique or technique,
        "title_en": words.title_en, "title_nl": words.title_nl,
        "desc_en": words.desc_en, "desc_nl": words.desc_nl,
    }  # fmt: skip

"""Findings → stories: those of one machine are one, until a day passes without any, or a week in all.

A story interrupts somebody once, and once more for what is much rarer and of another kind. When several
stories have done so within a day, one of several machines takes what would have made others interrupt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from dijkwacht_collector.incidents.answers import Said, status_by
from dijkwacht_collector.incidents.calls import DAY_US, Calls, KnownDoor, SiteCalls
from dijkwacht_collector.incidents.ended import Ended
from dijkwacht_collector.incidents.evidences import latest
from dijkwacht_collector.incidents.finding import EventTime, Finding
from dijkwacht_collector.incidents.incident import (
    ABSENT_US,
    CONTEXT_SEVERITY,
    Activity,
    Incident,
    Status,
)
from dijkwacht_collector.incidents.story import (
    MOST_PARTS,
    Call,
    Part,
    Story,
    StoryEvent,
    story_uid,
)
from dijkwacht_collector.policy import WEEK_US, is_grave, may_call, severity

MOST_STORIES: Final = 200
"""Open at once on one site; past it the one that interrupted nobody and is quiet longest is closed."""
MOST_APART: Final = 3
"""Stories that interrupt within a day; what would be one more is part of that of several machines."""
MOST_CALLS: Final = 2
_UNKNOWN: Final = "?"
"""The machine of what names none."""


class OpenStory(msgspec.Struct, array_like=True):
    """A story that goes on, and the agents whose rows are in it; it has not been told at revision -1."""

    story: Story
    agents: tuple[str, ...] = ()


class SiteStories(msgspec.Struct, frozen=True, array_like=True):
    """One site's part of `Stories`."""

    open: list[OpenStory] = []
    ended: list[bytes] = []
    calls: SiteCalls = SiteCalls()


class Place(NamedTuple):
    """Where a finding belongs: the story's uid, "" for a new one, of which machine, "" for several.

    ``calls``: whether it makes the story interrupt; ``severity_id``: its own then.
    """

    uid: str
    machine: str
    calls: bool
    severity_id: int


class Stories:
    """The open stories of all sites, and what is remembered of others."""

    def __init__(self) -> None:
        self.calls = Calls()
        self.ended = Ended(Story)
        self._sites: dict[str, dict[str, OpenStory]] = {}

    def place(self, finding: Finding, known: Incident | None) -> Place:
        """Where ``finding`` belongs, of the open incident ``known`` if it is part of one."""
        site, time = finding.site, finding.time
        of_site = self._sites.get(site, {})
        mine = of_site.get(known.story) if known is not None else None
        machine = (known.machine if known is not None else "") or machine_of(finding)
        if mine is None or not _lasts(mine.story, time):
            mine = self._joinable(site, machine, time)
        calls = self._may_call(mine.story if mine is not None else None, machine, finding)
        if calls and (mine is None or not mine.story.interrupted):
            several = self._joinable(site, "", time)
            if several is not None:
                mine, machine, calls = several, "", False
            elif self.calls.stories_lately(site, time) >= MOST_APART:
                mine, machine = None, ""
        interrupts = calls or (mine is not None and mine.story.interrupted)
        reached = severity(finding.rarity, finding.budget) if interrupts else CONTEXT_SEVERITY
        return Place(_uid(mine), mine.story.machine if mine else machine, calls, reached)

    def uid(self, place: Place, site: str, first: str, before: str = "") -> str:
        """The uid of the story at ``place``, where ``first`` would begin it, that left the story ``before``."""
        return place.uid or story_uid(
            site, place.machine, f"{first}\n{before}" if before else first
        )

    def has_called(self, incident: Incident) -> bool:
        """Whether its story has interrupted somebody by now."""
        open_ = self._sites.get(incident.site, {}).get(incident.story)
        return open_.story.interrupted if open_ is not None else incident.interrupted

    def take(
        self, place: Place, finding: Finding, incident: Incident, before: str, *, told: bool = True
    ) -> list[StoryEvent]:
        """Let ``finding``, by which ``incident`` is as it stands, be part of the story that it names.

        ``before``: the story that it was part of until now, "" if none. ``told``: whether the incident is.
        """
        site, time, position = finding.site, finding.time, finding.position
        events: list[StoryEvent] = []
        open_ = self._sites.get(site, {}).get(incident.story)
        if open_ is None:
            events += self._make_room(site, position)
            story = Story(
                incident.story, site, place.machine, finding.begun, time, (), CONTEXT_SEVERITY,
                revision=-1,
            )  # fmt: skip
            open_ = OpenStory(story)
            self._sites.setdefault(site, {})[story.uid] = open_
        story = open_.story
        open_.agents = latest(open_.agents, finding.agent)
        changed = msgspec.structs.replace(
            story, start=min(story.start, time), end=max(story.end, time)
        )
        if place.calls:
            knock = finding.door == "knock"
            call = Call(time, finding.payer, finding.kind, incident.uid, knock)
            changed = msgspec.structs.replace(changed, calls=(*changed.calls, call))
            self.calls.note(site, finding.payer, story.uid, time)
        if changed.interrupted and finding.door == "knock":
            door = KnownDoor(machine_of(finding), finding.kind, finding.subject, time)
            self.calls.note_door(site, door)
        joins = before != story.uid
        if told:
            changed = _with_part(changed, Part.of(incident), joins=joins)
        open_.story = changed
        # Of what is not named, the number is told now and then.
        news = joins and (changed.more == story.more or changed.more & story.more == 0)
        if news or place.calls or changed.severity_id > story.severity_id:
            events.append(self._tell(open_, "update", position))
        if joins and before and not place.machine:
            events += self._leave(site, before, incident.uid, position)
        return events

    def hear(self, incident: Incident) -> None:
        """``incident`` was told, as it stands, and no finding has made it so."""
        open_ = self._sites.get(incident.site, {}).get(incident.story)
        if open_ is not None:
            open_.story = _with_part(open_.story, Part.of(incident), joins=False)

    def pass_time(self, moved: EventTime) -> list[StoryEvent]:
        """Close what is over by the clock of an agent that contributed; what was not told is told now."""
        events: list[StoryEvent] = []
        for open_ in list(self._sites.get(moved.site, {}).values()):
            story = open_.story
            if story.revision < 0:
                events.append(self._tell(open_, "create", moved.position))
            if not self._is_over(open_, moved):
                continue
            status = status_by(story.parts, story.more) if story.answered else None
            events.append(self._end(open_, status or "closed", moved.position))
        return events

    def untold(self, site: str) -> set[str]:
        """The open stories of a site that were made of what an earlier release has opened."""
        return {uid for uid, one in self._sites.get(site, {}).items() if one.story.revision < 0}

    def rests_until(self, site: str) -> int | None:
        """Event time, µs UTC, before which nothing of a site is over; None if nothing is open there."""
        return min(
            (
                min(one.story.end + DAY_US, one.story.start + WEEK_US)
                if one.story.revision >= 0
                else one.story.start
                for one in self._sites.get(site, {}).values()
            ),
            default=None,
        )

    def sites(self) -> Iterable[str]:
        """Those that have open stories."""
        return self._sites

    def open_at(self, site: str) -> list[Story]:
        """The open stories of a site."""
        return [one.story for one in self._sites.get(site, {}).values()]

    def known(self, site: str, uid: str) -> Story | None:
        """The story of this uid, open or not, if it is remembered."""
        open_ = self._sites.get(site, {}).get(uid)
        return open_.story if open_ is not None else self.ended.get(site, uid)

    def latest(self, site: str, uid: str, position: int, seen: Story | None) -> Story | None:
        """As `Ended.latest`, of an open one too."""
        open_ = self._sites.get(site, {}).get(uid)
        if open_ is not None:
            return open_.story
        return self.ended.latest(site, uid, position, seen)

    def settle(self, story: Story, said: Said, settled: Sequence[Incident]) -> list[StoryEvent]:
        """A person has answered ``story``, open or not; ``settled``: its findings, as they are now."""
        self.calls.settle(story.site, story.uid, attack=said.status == "confirmed")
        story = _with_answer(story, said, settled)
        parts = tuple(_answered(part, said) for part in story.parts)
        story = msgspec.structs.replace(story, parts=parts)
        open_ = self._sites.get(story.site, {}).get(story.uid)
        if open_ is not None:
            open_.story = story
            return [self._end(open_, said.status, said.position)]
        return [self._tell_ended(story, said.status, said.position)]

    def settle_finding(self, incident: Incident, said: Said, *, goes_on: bool) -> list[StoryEvent]:
        """A person has answered one finding, now ``incident``; ``goes_on``: others of its story are open."""
        site, uid = incident.site, incident.story
        open_ = self._sites.get(site, {}).get(uid)
        known = open_.story if open_ is not None else self.ended.get(site, uid)
        if known is None:
            self.calls.settle(site, uid, attack=said.status == "confirmed")
            return []
        story = _with_answer(known, said, [incident])
        status = status_by(story.parts, story.more)
        self.calls.settle(site, uid, attack=status == "confirmed")
        if open_ is None:
            return [self._tell_ended(story, status or "closed", said.position)]
        open_.story = story
        if status is None or goes_on:
            return [self._tell(open_, "update", said.position)]
        return [self._end(open_, status, said.position)]

    def of(self, site: str) -> SiteStories:
        """What is remembered of a site; later changes do not show in it."""
        open_ = [OpenStory(o.story, o.agents) for o in self._sites.get(site, {}).values()]
        return SiteStories(open_, self.ended.of(site), self.calls.of(site))

    def put(self, site: str, kept: SiteStories) -> None:
        """Remember of a site what `of` returned, and nothing else."""
        self._sites.pop(site, None)
        if kept.open:
            self._sites[site] = {o.story.uid: OpenStory(o.story, o.agents) for o in kept.open}
        self.ended.put(site, kept.ended)
        self.calls.put(site, kept.calls)

    def _joinable(self, site: str, machine: str, time: int) -> OpenStory | None:
        """The story of ``machine`` that a finding at ``time`` joins: the latest that takes any."""
        found = [
            one
            for one in self._sites.get(site, {}).values()
            if one.story.machine == machine and not one.story.answered and _lasts(one.story, time)
        ]
        return max(found, key=lambda one: one.story.end, default=None)

    def _may_call(self, story: Story | None, machine: str, finding: Finding) -> bool:
        """Whether ``finding`` is worth an interruption by ``story``, or by one that it opens."""
        site, time = finding.site, finding.time
        uid, calls = (story.uid, story.calls) if story is not None else ("", ())
        spent = self.calls.others(site, finding.payer, uid, time)
        if len(calls) >= MOST_CALLS or not may_call(finding.rarity, finding.budget, spent):
            return False
        if not calls:
            subject = finding.kind, finding.subject
            if self.calls.hushes(site, *subject, time):
                return False
            return finding.door != "knock" or not (
                self.calls.knows_door(site, machine, *subject, time)
                or self.calls.knows_doors(site, machine, time)
            )
        if story is None or not story.machine or finding.door == "knock":
            return False
        # Whom strangers scan and who then scans himself does another thing.
        another = finding.kind not in {call.kind for call in calls if not call.knock}
        # What is added up holds what has called already.
        graver = another and not finding.by and is_grave(finding.rarity, finding.budget)
        return graver or finding.door == "entered"

    def _is_over(self, open_: OpenStory, moved: EventTime) -> bool:
        story, time = open_.story, moved.time
        if time < story.end + DAY_US and time < story.start + WEEK_US:
            return False
        # As of incidents: another's clock may be far ahead of a spool that drains.
        heard = not open_.agents or moved.agent in open_.agents
        return heard or time >= story.end + ABSENT_US

    def _make_room(self, site: str, position: int) -> list[StoryEvent]:
        of_site = self._sites.get(site, {})
        if len(of_site) < MOST_STORIES:
            return []
        least = min(of_site.values(), key=lambda one: (one.story.interrupted, one.story.end))
        return [self._end(least, "closed", position)]

    def _leave(self, site: str, uid: str, finding: str, position: int) -> list[StoryEvent]:
        """The story of several machines has taken ``finding`` from this one, which is over without it."""
        open_ = self._sites.get(site, {}).get(uid)
        if open_ is None or open_.story.interrupted:
            return []
        story = open_.story
        rest = tuple(part for part in story.parts if part.uid != finding)
        if not rest:
            return [self._end(open_, "closed", position)]
        more = story.more - (len(rest) == len(story.parts))
        open_.story = msgspec.structs.replace(story, parts=rest, more=max(more, 0))
        return [self._tell(open_, "update", position)]

    def _end(self, open_: OpenStory, status: Status, position: int) -> StoryEvent:
        open_.story = msgspec.structs.replace(open_.story, status=status)
        event = self._tell(open_, "close", position)
        self.ended.note(event.story)
        of_site = self._sites[event.site]
        del of_site[event.uid]
        if not of_site:
            del self._sites[event.site]
        return event

    def _tell(self, open_: OpenStory, activity: Activity, position: int) -> StoryEvent:
        """The event of the next revision; the first is its creation."""
        revision = open_.story.revision + 1
        open_.story = msgspec.structs.replace(open_.story, revision=revision)
        activity = "create" if revision == 0 and activity == "update" else activity
        return StoryEvent(activity, open_.story, position)

    def _tell_ended(self, story: Story, status: Status, position: int) -> StoryEvent:
        story = msgspec.structs.replace(story, status=status, revision=story.revision + 1)
        self.ended.note(story)
        return StoryEvent("update", story, position)


def machine_of(finding: Finding) -> str:
    """Whose story a finding is part of; never "", which is that of several."""
    return finding.machine or finding.subject or finding.agent or _UNKNOWN


def _uid(open_: OpenStory | None) -> str:
    return open_.story.uid if open_ is not None else ""


def _lasts(story: Story, time: int) -> bool:
    """Whether what happens at ``time`` may still be part of it."""
    begun, over = min(story.start, time), max(story.end, time)
    return time - story.end < DAY_US and story.start - time < DAY_US and over - begun < WEEK_US


def _with_part(story: Story, part: Part, *, joins: bool) -> Story:
    """With ``part`` as it stands now; of too many, the one that says least is only counted."""
    parts = tuple(part if old.uid == part.uid else old for old in story.parts)
    more = story.more
    if joins and all(old.uid != part.uid for old in story.parts):
        parts = (*parts, part)
        if len(parts) > MOST_PARTS:
            least = max(parts, key=lambda one: (-one.severity_id, one.rarity, one.start))
            parts = tuple(one for one in parts if one.uid != least.uid)
            more += 1
    # What was grave in a story that is over is none of this one's doing.
    most = max((one.severity_id for one in parts), default=CONTEXT_SEVERITY)
    reached = max(story.severity_id, most) if story.interrupted else CONTEXT_SEVERITY
    return msgspec.structs.replace(story, parts=parts, more=more, severity_id=reached)


def _with_answer(story: Story, said: Said, settled: Sequence[Incident]) -> Story:
    """With its findings as they are after an answer, and that it was given; it takes no more from here on."""
    for incident in settled:
        story = _with_part(story, Part.of(incident), joins=False)
    return msgspec.structs.replace(story, answered_by=said.by, answered=max(said.arrival, 1))


def _answered(part: Part, said: Said) -> Part:
    """A finding that nobody remembers has its story's answer, too."""
    if said.answer == "undone" and part.status not in {"normal", "confirmed"}:
        return part
    return msgspec.structs.replace(part, status=said.status)

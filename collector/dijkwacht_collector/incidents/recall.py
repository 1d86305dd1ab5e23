"""What the store of incidents says of a site, where another release than this one has decided since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from dijkwacht_collector.incidents.before_stories import before_stories, machine_of, stories_of
from dijkwacht_collector.incidents.calls import DAY_US, Calls, Hushed, KnownDoor
from dijkwacht_collector.incidents.ended import MOST_ENDED, Ended
from dijkwacht_collector.incidents.evidences import latest
from dijkwacht_collector.incidents.exemptions import Exemptions
from dijkwacht_collector.incidents.finding import KNOCKS
from dijkwacht_collector.incidents.incident import ALERT_SEVERITY, Incident, IncidentEvent
from dijkwacht_collector.incidents.site_incidents import SiteIncidents
from dijkwacht_collector.incidents.stories import OpenStory, SiteStories
from dijkwacht_collector.incidents.story import Event, Story, StoryEvent
from dijkwacht_collector.policy import WEEK_US


def recall(site: str, kept: SiteIncidents, told: Sequence[Event]) -> SiteIncidents:
    """``kept``, as far as a checkpoint knew, brought to where the store has it.

    ``told``: the last step of each incident and story in it. What was closed is closed, what was opened is
    open, what was answered is exempt or is so no more, and what has interrupted has done so.
    """
    stored = [event for event in told if isinstance(event, IncidentEvent)]
    stories = [event for event in told if isinstance(event, StoryEvent)]
    ordinals = {(kind, subject): n for kind, subject, n in kept.ordinals}
    incidents = sorted((event.incident for event in stored), key=lambda i: (i.start, i.uid))
    for incident in incidents:
        key = (incident.kind, incident.subject)
        ordinals[key] = max(ordinals.pop(key, 0), incident.ordinal + 1)
    exemptions, ended = Exemptions(), Ended(Incident)
    exemptions.put(site, kept.exempted())
    ended.put(site, kept.ended)
    by_position = sorted(stored, key=lambda e: (e.position, e.uid))
    for event in by_position:
        if event.incident.answered or event.incident.status in {"normal", "confirmed"}:
            exemptions.heed(event.incident, event.position)
    over = [event for event in by_position if event.incident.status != "new"]
    for event in over[-MOST_ENDED:]:
        ended.note(event.incident)
    open_ = [incident for incident in incidents if incident.status == "new"]
    before, untold = stories_of(site, [incident for incident in open_ if not incident.story])
    open_ = [*(incident for incident in open_ if incident.story), *before]
    return SiteIncidents(
        sorted(open_, key=lambda i: (i.start, i.uid)),
        [],
        [(kind, subject, n) for (kind, subject), n in ordinals.items()],
        [],
        {},
        exemptions.of(site),
        ended.of(site),
        {},
        [],
        _stories(site, kept, incidents, stories, untold),
    )


def _stories(
    site: str,
    kept: SiteIncidents,
    incidents: Sequence[Incident],
    stories: Sequence[StoryEvent],
    untold: Sequence[OpenStory],
) -> SiteStories:
    """``untold``: those of open incidents that an earlier release has opened."""
    known = kept.with_stories(site).stories or SiteStories()
    ended = Ended(Story)
    ended.put(site, known.ended)
    by_position = sorted(stories, key=lambda e: (e.position, e.uid))
    for event in [event for event in by_position if event.story.status != "new"][-MOST_ENDED:]:
        ended.note(event.story)
    lasted = _lasted(known.open, incidents)
    open_ = [
        OpenStory(_lasting(event.story, lasted), _agents(event.uid, incidents))
        for event in sorted(stories, key=lambda e: (e.story.start, e.uid))
        if event.story.status == "new"
    ]
    calls = Calls()
    calls.put(site, known.calls)
    for event in by_position:
        for call in event.story.calls:
            calls.note(site, call.detector, event.uid, call.time)
        if event.story.answered:
            calls.settle(site, event.uid, attack=event.story.status == "confirmed")
    hushed = _called(site, calls, incidents, untold)
    remembered = calls.of(site)
    remembered.hushed.extend(hushed)
    return SiteStories([*open_, *untold], ended.of(site), remembered)


def _called(
    site: str, calls: Calls, incidents: Sequence[Incident], untold: Sequence[OpenStory]
) -> list[Hushed]:
    """Tell ``calls`` whom ``incidents`` have called for; what is no news as an earlier release has said it."""
    uids = {one.story.machine: one.story.uid for one in untold}
    hushed: list[Hushed] = []
    for incident in incidents:
        machine = machine_of(incident)
        if incident.story:
            if incident.standing and incident.interrupted:
                door = KnownDoor(machine, incident.kind, incident.subject, incident.start)
                calls.note_door(site, door)
        elif incident.severity_id >= ALERT_SEVERITY:
            uid = uids.get(machine) or before_stories(machine)
            calls.note(site, incident.detector, uid, incident.start)
            calls.settle(site, uid, attack=incident.status == "confirmed")
            if incident.kind in KNOCKS and incident.subject != machine:  # somebody else's doing
                knock = KnownDoor(machine, incident.kind, incident.subject, incident.start)
                calls.note_door(site, knock)
            if not incident.answered:
                until = min(incident.end + DAY_US, incident.start + WEEK_US)
                hushed.append(Hushed(incident.kind, incident.subject, until))
    return hushed


def _lasted(open_: Iterable[OpenStory], incidents: Iterable[Incident]) -> dict[str, int]:
    """By story, when what a checkpoint and a store know of it happened last."""
    lasted = {one.story.uid: one.story.end for one in open_}
    for incident in incidents:
        lasted[incident.story] = max(lasted.get(incident.story, incident.end), incident.end)
    return lasted


def _lasting(story: Story, lasted: Mapping[str, int]) -> Story:
    """It as long as its findings ``lasted``: a story is not told again at each of their steps."""
    return msgspec.structs.replace(story, end=max(story.end, lasted.get(story.uid, story.end)))


def _agents(story: str, incidents: Sequence[Incident]) -> tuple[str, ...]:
    """Those whose rows are in its findings."""
    agents: tuple[str, ...] = ()
    for incident in incidents:
        if incident.story == story:
            if not incident.agents:
                return ()
            for agent in incident.agents:
                agents = latest(agents, agent)
    return agents

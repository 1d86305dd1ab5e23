"""What releases knew that had no stories: their calls were of incidents, each machine's and each subject's own.

An incident that had called somebody means that the story of its machine has; nothing old is said again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from dijkwacht_collector.incidents.calls import DAY_US, Hushed, Paid
from dijkwacht_collector.incidents.evidences import latest
from dijkwacht_collector.incidents.incident import ALERT_SEVERITY, CONTEXT_SEVERITY, Incident
from dijkwacht_collector.incidents.stories import MOST_CALLS, OpenStory
from dijkwacht_collector.incidents.story import MOST_PARTS, Call, Part, Story, story_uid
from dijkwacht_collector.policy import WEEK_US


class Interruption(msgspec.Struct, array_like=True):
    """``machine`` made one detector interrupt, at ``last`` for the last time, µs UTC of event time.

    ``outsider``: who did it to the machine, "" where it was its own doing. ``counts``: nobody has
    called it an attack.
    """

    machine: str
    outsider: str
    last: int
    counts: bool = True


class Alarm(msgspec.Struct, array_like=True):
    """``subject`` did something of class ``kind`` that called at ``since`` and would have until ``last``.

    Times are event time, µs UTC; ``severity_id`` is the gravest that called.
    """

    kind: str
    subject: str
    since: int
    last: int
    severity_id: int


def stories_of(site: str, incidents: Iterable[Incident]) -> tuple[list[Incident], list[OpenStory]]:
    """Open ``incidents`` that no story has, each in one of its machine, and these, which nobody was told of."""
    of_machine: dict[str, list[Incident]] = {}
    for incident in sorted(incidents, key=lambda i: (i.start, i.uid)):
        of_machine.setdefault(machine_of(incident), []).append(incident)
    found: list[Incident] = []
    stories = []
    for machine, begun in of_machine.items():
        uid = story_uid(site, machine, begun[0].uid)
        called: dict[str, Incident] = {}
        for incident in begun:
            if incident.severity_id >= ALERT_SEVERITY:
                called.setdefault(incident.kind, incident)
        first = list(called.values())[:MOST_CALLS]
        calls = tuple(Call(i.start, i.detector, i.kind, i.uid) for i in first)
        of_it = [msgspec.structs.replace(i, story=uid, interrupted=bool(calls)) for i in begun]
        agents: tuple[str, ...] = ()
        for agent in (agent for incident in of_it for agent in incident.agents):
            agents = latest(agents, agent)
        story = Story(
            uid, site, machine, of_it[0].start, max(i.end for i in of_it),
            tuple(Part.of(i) for i in of_it[:MOST_PARTS]),
            max(i.severity_id for i in of_it) if calls else CONTEXT_SEVERITY,
            calls, max(len(of_it) - MOST_PARTS, 0), revision=-1,
        )  # fmt: skip
        # Any clock ends what names no agent.
        named = all(incident.agents for incident in of_it)
        stories.append(OpenStory(story, agents if named else ()))
        found += of_it
    return found, stories


def paid_of(
    spent: Mapping[str, Sequence[Interruption]], stories: Iterable[OpenStory]
) -> dict[str, list[Paid]]:
    """What was spent on machines, as spent on their stories."""
    uids = {one.story.machine: one.story.uid for one in stories if one.story.interrupted}
    paid: dict[str, list[Paid]] = {}
    for detector, known in spent.items():
        by_story: dict[str, Paid] = {}
        for one in known:
            uid = uids.get(one.machine) or before_stories(one.machine)
            last = max(one.last, by_story[uid].last) if uid in by_story else one.last
            by_story[uid] = Paid(uid, last, one.counts)
        paid[detector] = list(by_story.values())
    return paid


def hushed_of(alarms: Iterable[Alarm]) -> list[Hushed]:
    """What had called is no news until it would have been an alarm again."""
    return [
        Hushed(one.kind, one.subject, min(one.last + DAY_US, one.since + WEEK_US)) for one in alarms
    ]


def machine_of(incident: Incident) -> str:
    """Whose it is; some were kept before machines were named."""
    return incident.machine or incident.subject or "?"


def before_stories(machine: str) -> str:
    """What stands for the story of a machine that had none."""
    return f"?{machine}"

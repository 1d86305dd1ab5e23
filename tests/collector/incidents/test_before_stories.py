"""What a release had called for that knew no stories is no news to this one, from a checkpoint or a store."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dijkwacht_collector.incidents import (
    Incident,
    IncidentEvent,
    OpenIncidents,
    SiteIncidents,
    StoryEvent,
    recall,
)
from dijkwacht_collector.incidents.before_stories import Alarm, Interruption
from dijkwacht_collector.incidents.calls import DAY_US
from dijkwacht_collector.incidents.open_incidents import IDLE_US
from dijkwacht_collector.policy import WEEK_US

HOUR = IDLE_US
SITE = "bakery"


def an_incident(machine: str = "10.0.0.1", kind: str = "scan", **changes: Any) -> Incident:
    incident = Incident(
        f"{machine} {kind}", SITE, kind, kind, "T1046", machine, 0, 3, 90, 0.1, 0, HOUR, 3,
        "title", "titel", "desc", "besch", (), agents=("till",), machine=machine, revision=1,
    )  # fmt: skip
    return msgspec.structs.replace(incident, **changes)


def kept(*incidents: Incident, **more: Any) -> SiteIncidents:
    """As the release before stories wrote it: without their field."""
    known = SiteIncidents(list(incidents), [], [], [], {}, **more)
    values = msgspec.msgpack.decode(msgspec.msgpack.encode(known))[:9]
    return msgspec.convert(values, SiteIncidents)


def go_on(site: Any, before: SiteIncidents, way: str) -> None:
    """From a checkpoint, or from the store that the release before has filled."""
    for incident in before.open:
        site.last[incident.uid] = incident
    if way == "checkpoint":
        site.incidents.put(SITE, before)
        site.move()
        return
    told = [IncidentEvent("create", incident, 1) for incident in before.open]
    site.incidents.put(SITE, recall(SITE, OpenIncidents().take(SITE), told))


@pytest.mark.parametrize("way", ["checkpoint", "store"])
def test_what_was_open_and_had_called_is_a_story_that_interrupted(site: Any, way: str) -> None:
    grave, context = an_incident(), an_incident(kind="dns", severity_id=2, start=1)
    spent = {"scan": [Interruption("10.0.0.1", "", 0)]}
    go_on(site, kept(grave, context, spent=spent), way)
    told = site.passes(HOUR + 1)
    assert [(type(e), e.activity) for e in told] == [
        (IncidentEvent, "update"), (IncidentEvent, "update"), (StoryEvent, "create"),
    ]  # fmt: skip
    story = site.story_of("10.0.0.1")
    assert [part.uid for part in story.parts] == [grave.uid, context.uid]
    assert {i.story for i in site.last.values()} == {story.uid}
    assert site.calls == [("10.0.0.1", "scan", 0)], "it is told as it was, and is no new call"
    assert site.passes(HOUR + 2) == []
    assert site.meets("10.0.0.1", HOUR + 2, kind="c2").story == story.uid
    assert len(site.calls) == 1
    assert site.meets("10.0.0.2", HOUR + 2, rarity=0.6).severity_id == 2, "it has been paid for"
    assert site.meets("10.0.0.2", HOUR + 2, rarity=0.5).severity_id == 3


@pytest.mark.parametrize("way", ["checkpoint", "store"])
def test_what_had_called_and_goes_on_is_no_news_for_a_day(site: Any, way: str) -> None:
    alarms = [Alarm("scan", "10.0.0.1", 0, HOUR, 3)]
    before = kept(an_incident(status="closed"))
    if way == "checkpoint":
        before = kept(alarms=alarms)
    go_on(site, before, way)
    assert site.meets("10.0.0.1", 2 * HOUR, rarity=0.01).severity_id == 2
    assert site.meets("10.0.0.1", 3 * HOUR, kind="c2").severity_id == 3, "that is another thing"
    site.passes(40 * HOUR)
    assert site.meets("10.0.0.1", DAY_US + 40 * HOUR).severity_id == 3


def test_an_alarm_ends_after_a_week_whatever_goes_on(site: Any) -> None:
    last = WEEK_US - HOUR
    go_on(site, kept(alarms=[Alarm("scan", "10.0.0.1", 0, last, 3)]), "checkpoint")
    assert site.meets("10.0.0.1", WEEK_US - 1).severity_id == 2
    assert site.meets("10.0.0.1", WEEK_US).severity_id == 3


@pytest.mark.parametrize(("status", "left"), [("normal", 2), ("confirmed", 3)])
def test_what_was_answered_is_settled(site: Any, status: Any, left: int) -> None:
    answered = an_incident(status=status, answered=9, answered_by="Jan")
    go_on(site, kept(answered), "store")
    assert site.meets("10.0.0.2", 2, rarity=0.6).severity_id == left


def test_what_the_release_before_that_had_counted_counts_as_so_many_stories(site: Any) -> None:
    before = SiteIncidents([], [], [], [], {"scan": [0, WEEK_US, WEEK_US]})
    values = msgspec.msgpack.decode(msgspec.msgpack.encode(before))[:7]
    site.incidents.put(SITE, msgspec.convert(values, SiteIncidents))
    assert site.meets("10.0.0.1", WEEK_US + 1, rarity=0.26).severity_id == 2
    assert site.meets("10.0.0.2", WEEK_US + 1, rarity=0.25).severity_id == 3


def test_any_clock_ends_the_story_of_what_names_no_agent(site: Any) -> None:
    go_on(site, kept(an_incident(agents=()), an_incident(kind="c2")), "checkpoint")
    told = site.passes(HOUR + DAY_US, agent="door")
    assert "close" in {e.activity for e in told if isinstance(e, StoryEvent)}


def test_a_store_with_stories_in_it_needs_no_checkpoint(site: Any, make_site: Any) -> None:
    """What is open, paid and ended is as it was; only agents of findings that are gone are forgotten."""
    for n, kind in enumerate(("scan", "c2", "dns")):
        site.meets(f"10.0.0.{n}", n * HOUR, kind=kind)
    site.passes(DAY_US)
    site.meets("10.0.0.1", DAY_US, kind="dns")
    site.passes(2 * DAY_US)
    before = site.incidents.take(SITE)
    site.upgrade()
    after = site.incidents.take(SITE)
    assert after.stories.calls == before.stories.calls
    assert sorted(after.stories.ended) == sorted(before.stories.ended)
    assert [o.story.uid for o in after.stories.open] == [o.story.uid for o in before.stories.open]
    assert [o.agents for o in after.stories.open] == [o.agents for o in before.stories.open]


def test_who_was_told_of_strangers_at_a_machine_is_not_told_of_its_doors_again(site: Any) -> None:
    guesses = an_incident(kind="bruteforce", subject="203.0.113.9", status="closed")
    go_on(site, kept(guesses), "store")
    for time, severity in ((DAY_US, 2), (2 * DAY_US, 2), (WEEK_US, 3)):
        site.passes(time)
        found = site.meets(
            "10.0.0.1", time, kind="bruteforce", subject="10.0.0.1:22", door="knock", rarity=0.1
        )
        assert found.severity_id == severity


@pytest.mark.parametrize("way", ["checkpoint", "store"])
def test_what_an_open_incident_had_called_for_is_no_second_call_of_its_story(
    site: Any, way: str
) -> None:
    go_on(
        site,
        kept(an_incident(), an_incident(kind="c2"), an_incident(kind="dns", severity_id=2)),
        way,
    )
    site.passes(2 * HOUR)
    for kind in ("c2", "dns"):
        site.meets("10.0.0.1", 3 * HOUR, kind=kind, rarity=0.001)
    assert sorted(site.calls) == [("10.0.0.1", "c2", 0), ("10.0.0.1", "scan", 0)]

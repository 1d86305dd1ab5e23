"""An answer to a story is one to its findings, and one to a finding settles that one."""

from __future__ import annotations

from typing import Any

import pytest

from dijkwacht_collector.incidents import IncidentEvent, StoryEvent
from dijkwacht_collector.incidents.calls import DAY_US
from dijkwacht_collector.incidents.open_incidents import IDLE_US

HOUR = IDLE_US


@pytest.mark.parametrize("between", ["nothing", "move", "upgrade"])
@pytest.mark.parametrize(("verdict", "status"), [("normal", "normal"), ("attack", "confirmed")])
def test_an_answer_to_a_story_is_one_to_all_its_findings(
    site: Any, verdict: Any, status: str, between: str
) -> None:
    closed = site.meets("10.0.0.1", 0, kind="dns").uid
    site.passes(HOUR)
    site.meets("10.0.0.1", 2 * HOUR, kind="c2")
    story = site.story_of("10.0.0.1").uid
    if between != "nothing":
        getattr(site, between)()
    events = site.answer(verdict, story, 3 * HOUR)
    assert [type(e) for e in events] == [IncidentEvent, IncidentEvent, StoryEvent]
    assert {incident.status for incident in site.last.values()} == {status}
    told = site.stories[story]
    assert (told.status, told.answered, told.answered_by) == (status, 3 * HOUR, "Jan")
    assert {part.status for part in told.parts} == {status}
    assert site.answer(verdict, story) == [], "it has been said"
    assert closed in {part.uid for part in told.parts}
    assert site.meets("10.0.0.1", 3 * HOUR, kind="exfil", rarity=0.4).story != story
    assert len(site.calls) == 2, "it may call again"
    undone = site.answer("undone", story, 4 * HOUR)
    assert [e.activity for e in undone] == ["update"] * 3
    assert site.stories[story].status == "closed"


def test_findings_that_nobody_remembers_have_the_answer_of_their_story(site: Any) -> None:
    for n in range(20):
        site.meets("10.0.0.1", n * HOUR, kind=f"k{n}", rarity=2.0)
        site.passes(n * HOUR + HOUR)
    story = site.story_of("10.0.0.1").uid
    site.answer("normal", story, seen=False)
    assert {part.status for part in site.stories[story].parts} == {"normal"}


def test_an_attack_in_a_story_that_nobody_remembers_was_worth_the_call(site: Any) -> None:
    first = site.meets("10.0.0.99", 0)
    site.passes(DAY_US)
    for n in range(20):
        site.meets(f"10.0.1.{n}", DAY_US + n, rarity=2.0)
    site.passes(3 * DAY_US)
    assert site.incidents.stories.known("bakery", first.story) is None
    site.answer("attack", first.uid)
    assert site.meets("10.0.0.2", 3 * DAY_US, rarity=0.6).severity_id == 3


def test_an_answer_reaches_findings_that_only_the_person_saw(site: Any) -> None:
    for n in range(20):
        site.meets("10.0.0.1", n * HOUR, kind=f"k{n}", rarity=2.0)
        site.passes(n * HOUR + HOUR)
    story = site.story_of("10.0.0.1").uid
    site.answer("normal", story)
    assert {incident.status for incident in site.last.values()} == {"normal"}


@pytest.mark.parametrize("between", ["nothing", "move", "upgrade"])
@pytest.mark.parametrize(
    ("verdicts", "left"),
    [(["attack"], 3), (["normal"], 2), (["attack", "undone"], 2), (["normal", "attack"], 3), ([], 2)],
)  # fmt: skip
@pytest.mark.parametrize("about", ["story", "finding"])
def test_an_attack_was_worth_the_call(
    site: Any, verdicts: list[Any], left: int, between: str, about: str
) -> None:
    incident = site.meets("10.0.0.1", 0)
    for verdict in verdicts:
        site.answer(verdict, incident.story if about == "story" else incident.uid)
    if between != "nothing":
        getattr(site, between)()
    assert site.meets("10.0.0.2", 1, rarity=0.6).severity_id == left


def test_an_answer_to_a_finding_settles_that_one_and_its_story_takes_no_more(site: Any) -> None:
    first = site.meets("10.0.0.1", 0)
    second = site.meets("10.0.0.1", 1, kind="c2")
    told = site.answer("normal", first.uid, 2)
    assert [(e.uid, e.activity) for e in told] == [(first.uid, "close"), (first.story, "update")]
    assert site.stories[first.story].status == "new", "the other goes on"
    assert site.meets("10.0.0.1", 3, kind="c2").story == first.story
    assert site.meets("10.0.0.1", 4, kind="dns").story != first.story
    told = site.answer("normal", second.uid, 5)
    assert [(e.uid, e.activity) for e in told] == [(second.uid, "close"), (first.story, "close")]
    assert site.stories[first.story].status == "normal", "all of it is"
    site.answer("undone", second.uid, 6)
    assert site.stories[first.story].status == "closed"
    site.answer("attack", first.uid, 7)
    assert site.stories[first.story].status == "confirmed", "it is an attack if part of it was one"


def test_a_finding_answered_when_its_story_goes_on_says_what_that_was_in_the_end(site: Any) -> None:
    first = site.meets("10.0.0.1", 0)
    site.meets("10.0.0.1", 1, kind="c2")
    site.answer("attack", first.uid, 2)
    assert site.stories[first.story].status == "new", "the other goes on"
    site.passes(2 * DAY_US)
    assert site.stories[first.story].status == "confirmed"

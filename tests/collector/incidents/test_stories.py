"""What one machine does is one story, which interrupts once; several machines at once are one, too."""

from __future__ import annotations

from typing import Any

import pytest

from dijkwacht_collector.incidents import MOST_PARTS, StoryEvent
from dijkwacht_collector.incidents.calls import DAY_US, MOST_DOORS, MOST_KEPT
from dijkwacht_collector.incidents.incident import ABSENT_US
from dijkwacht_collector.incidents.open_incidents import IDLE_US
from dijkwacht_collector.incidents.stories import MOST_STORIES
from dijkwacht_collector.policy import WEEK_US

HOUR = IDLE_US


def test_what_a_machine_does_is_one_story_and_the_finding_is_told_first(site: Any) -> None:
    first = site.meets("10.0.0.1", 0, rarity=2.0)
    other = site.meets("10.0.0.1", HOUR, rarity=2.0, kind="c2")
    elsewhere = site.meets("10.0.0.2", HOUR, rarity=2.0)
    assert first.story == other.story != elsewhere.story
    told = [(type(event).__name__, event.activity) for event in site.told[:4]]
    assert told == [
        ("IncidentEvent", "create"), ("StoryEvent", "create"),
        ("IncidentEvent", "create"), ("StoryEvent", "update"),
    ]  # fmt: skip
    story = site.story_of("10.0.0.1")
    assert [part.uid for part in story.parts] == [first.uid, other.uid]
    assert (story.start, story.end, story.kinds) == (0, HOUR, ("scan", "c2"))
    assert (story.severity_id, story.calls, story.interrupted) == (2, (), False)


def test_it_interrupts_once_and_joining_costs_nothing(site: Any) -> None:
    incident = site.meets("10.0.0.1", 0)
    assert (incident.severity_id, incident.interrupted) == (3, True)
    for n, kind in enumerate(("c2", "exfil", "dns"), 1):
        assert site.meets("10.0.0.1", n, kind=kind).severity_id == 3
    assert site.calls == [("10.0.0.1", "scan", 0)]
    assert site.meets("10.0.1.1", 9, rarity=1.0, kind="c2").severity_id == 3, "it has spent nothing"


def test_what_was_context_is_graver_at_its_own_next_update_only(site: Any) -> None:
    before = site.meets("10.0.0.1", 0, rarity=2.0, kind="dns")
    site.meets("10.0.0.1", 1)
    assert site.last[before.uid].severity_id == 2
    assert not site.last[before.uid].interrupted
    after = site.meets("10.0.0.1", 2, rarity=0.9, kind="dns")
    assert (after.severity_id, after.interrupted) == (3, True)
    assert site.last[before.uid] == after, "it is told when its severity rises"
    assert site.meets("10.0.0.1", 3, rarity=5.0, kind="dns").severity_id == 3, "it never sinks"


def test_it_interrupts_once_more_for_what_is_much_rarer_and_of_another_class(site: Any) -> None:
    site.meets("10.0.0.1", 0)
    assert site.meets("10.0.0.1", 1, rarity=0.01).severity_id == 4
    assert len(site.calls) == 1, "of the same class"
    site.meets("10.0.0.1", 2, rarity=0.04, kind="c2")
    assert len(site.calls) == 1, "not much rarer"
    site.meets("10.0.0.1", 3, rarity=0.03, kind="c2")
    assert site.calls[1:] == [("10.0.0.1", "c2", 3)]
    site.meets("10.0.0.1", 4, rarity=0.0, kind="exfil")
    assert len(site.calls) == 2, "twice at most"


def test_each_story_that_a_detector_made_interrupt_halves_what_it_has_left_that_week(
    site: Any,
) -> None:
    for n, rarity in enumerate((1.0, 0.5, 0.25)):
        assert site.meets(f"10.0.0.{n}", 2 * n * DAY_US, rarity=rarity).severity_id == 3
    at = 4 * DAY_US + 1
    assert site.meets("10.0.0.8", at, rarity=0.2).severity_id == 2
    assert site.meets("10.0.0.9", at, rarity=1.0, kind="c2").severity_id == 3
    assert site.meets("10.0.0.8", WEEK_US + 1, rarity=0.25).severity_id == 3, "one has passed"


def test_who_else_pays_is_named_and_the_words_are_the_detectors(site: Any) -> None:
    incident = site.meets("10.0.0.1", 0, by="fusion")
    assert incident.detector == "scan"
    assert site.calls == [("10.0.0.1", "fusion", 0)]
    assert site.meets("10.0.0.2", 1, rarity=0.6).severity_id == 3, "the detector has paid nothing"
    assert site.meets("10.0.0.3", 1, rarity=0.6, by="fusion", kind="c2").severity_id == 2


def test_what_is_added_up_holds_what_has_called_and_calls_no_second_time(site: Any) -> None:
    site.meets("10.0.0.1", 0)
    assert site.meets("10.0.0.1", 1, rarity=0.0, kind="c2", by="fusion").severity_id == 4
    assert len(site.calls) == 1
    site.meets("10.0.0.1", 2, rarity=0.01, kind="c2")
    assert site.calls[1:] == [("10.0.0.1", "c2", 2)], "alone it may"


def test_a_story_ends_after_a_quiet_day_and_after_a_week(site: Any) -> None:
    first = site.meets("10.0.0.1", 0, rarity=2.0).story
    assert not [e for e in site.passes(DAY_US - 1) if isinstance(e, StoryEvent)]
    (closed,) = site.passes(DAY_US)
    assert (closed.activity, closed.uid, closed.story.status) == ("close", first, "closed")
    turn = 2 * DAY_US
    stories = set()
    while turn < 10 * DAY_US:
        stories.add(site.meets("10.0.0.1", turn, rarity=2.0).story)
        turn += HOUR // 2
        site.passes(turn)
    assert len(stories) == 2
    ended = [e.story for e in site.told if isinstance(e, StoryEvent) and e.activity == "close"]
    assert [story.end - story.start for story in ended] == [0, WEEK_US - HOUR // 2]


def test_a_finding_that_goes_on_when_its_story_is_over_is_told_of_the_next(site: Any) -> None:
    """No clock of an agent has closed either."""
    first = site.meets("10.0.0.1", 0)
    site.meets("10.0.0.1", 1)
    again = site.meets("10.0.0.1", DAY_US + 1)
    assert (again.uid, again.count) == (first.uid, 3)
    assert again.story != first.story
    assert site.last[first.uid].story == again.story
    assert [time for _, _, time in site.calls] == [0, DAY_US + 1]


def test_context_that_is_part_of_another_story_is_told_of_it(site: Any) -> None:
    for time in (0, 1, DAY_US + 1):
        found = site.meets("10.0.0.1", time, rarity=2.0)
    assert site.last[found.uid] == found


def test_a_story_is_closed_in_the_moment_that_a_week_has_passed(site: Any) -> None:
    for hour in range(7 * 24):
        story = site.meets("10.0.0.1", hour * HOUR, rarity=2.0).story
        assert not [e for e in site.passes(hour * HOUR + 1) if e.uid == story]
    assert [e.activity for e in site.passes(WEEK_US) if e.uid == story] == ["close"]


def test_what_was_grave_elsewhere_makes_no_grave_story(site: Any) -> None:
    site.meets("10.0.0.1", 0)
    site.meets("10.0.0.2", 1, kind="scan", rarity=0.5)
    again = site.meets("10.0.0.1", DAY_US + 1, rarity=0.6)
    assert again.severity_id == 3, "it never sinks"
    story = site.stories[again.story]
    assert (story.severity_id, story.interrupted) == (2, False)


def test_what_goes_on_for_weeks_calls_once_a_week(site: Any) -> None:
    for n in range(0, 15 * 24, 2):
        site.meets("10.0.0.1", n * HOUR)
        site.passes(n * HOUR + HOUR)
    assert [time // DAY_US for _, _, time in site.calls] == [0, 7, 14]


def test_only_agents_that_contributed_say_that_it_is_over(site: Any) -> None:
    site.meets("10.0.0.1", 0, rarity=2.0)
    site.meets("10.0.0.1", 1, rarity=2.0, kind="c2", agent="door")
    assert site.passes(ABSENT_US - 1, agent="third") == []
    site.move()
    assert [e.activity for e in site.passes(1 + ABSENT_US, agent="third")] == ["close"] * 3


def test_the_agent_that_comes_back_says_so_too(site: Any) -> None:
    site.meets("10.0.0.1", 0, rarity=2.0)
    site.meets("10.0.0.1", 1, rarity=2.0, kind="c2", agent="door")
    assert [e.activity for e in site.passes(1 + DAY_US, agent="door")] == ["close", "close"]


def test_a_late_row_of_long_before_is_another_story(site: Any) -> None:
    live = site.meets("10.0.0.1", 5 * DAY_US, rarity=2.0)
    late = site.meets("10.0.0.1", 0, rarity=2.0, kind="c2", agent="spool")
    assert late.story != live.story
    assert site.meets("10.0.0.1", 5 * DAY_US + 1, rarity=2.0, kind="dns").story == live.story


def test_what_may_be_part_of_two_is_part_of_the_latest(site: Any) -> None:
    site.meets("10.0.0.1", 0, rarity=2.0)
    latest = site.meets("10.0.0.1", DAY_US + 22 * HOUR, rarity=2.0, kind="c2")
    between = site.meets("10.0.0.1", 23 * HOUR, rarity=2.0, kind="dns", agent="spool")
    assert between.story == latest.story


def test_when_three_have_interrupted_in_a_day_the_rest_is_one_of_several_machines(
    site: Any,
) -> None:
    kinds = ("scan", "c2", "dns", "exfil", "dos")
    context = site.meets("10.0.0.4", 0, rarity=2.0, kind="exfil").story
    for n in range(3):
        site.meets(f"10.0.0.{n}", n, kind=kinds[n])
    fourth = site.meets("10.0.0.3", 3, kind="lateral")
    assert fourth.severity_id == 3
    assert fourth.interrupted
    several = site.story_of("")
    assert (several.uid, len(several.calls)) == (fourth.story, 1)
    assert site.meets("10.0.0.4", 4, kind="exfil").story == several.uid, "it is taken along"
    assert site.stories[context].status == "closed", "nothing is left of it"
    assert site.meets("10.0.0.5", 2 * DAY_US - 9, kind="dos").story != several.uid, (
        "a day has passed"
    )
    assert [machine for machine, _, _ in site.calls] == [
        "10.0.0.0", "10.0.0.1", "10.0.0.2", "", "10.0.0.5",
    ]  # fmt: skip


def test_it_lasts_as_any_other_does_and_takes_what_would_call(site: Any) -> None:
    for n in range(3):
        site.meets(f"10.0.0.{n}", n, kind=f"k{n}")
    for day in range(7):
        found = site.meets("10.0.1.1", day * (DAY_US - HOUR) + 9, kind=f"l{day}", rarity=0.01)
        assert (found.story, found.severity_id) == (site.story_of("").uid, 4)
        assert site.meets("10.0.1.2", day * (DAY_US - HOUR) + 9, rarity=2.0).story != found.story
    assert len(site.calls) == 4
    assert site.meets("10.0.1.1", 8 * DAY_US, kind="m").severity_id == 3
    assert site.calls[-1][0] == "10.0.1.1"


def test_that_of_several_machines_interrupts_once_and_leaves_others_what_they_had(
    site: Any,
) -> None:
    called = site.meets("10.0.0.9", 0, kind="k9").story
    now = 2 * DAY_US
    for n in range(3):
        site.meets(f"10.0.0.{n}", now + n, kind=f"k{n}")
    before = site.stories[called]
    moved = site.meets("10.0.0.9", now + 4, kind="k9")
    assert moved.story == site.story_of("").uid
    assert site.stories[called] == before, "it had interrupted, and is over by the clock alone"
    site.meets("10.0.0.8", now + 5, kind="k8")
    assert site.meets("10.0.0.8", now + 6, kind="k8", rarity=0.001).severity_id == 4
    assert [machine for machine, _, _ in site.calls].count("") == 1


def test_a_story_may_lose_one_of_those_that_it_only_counts(site: Any) -> None:
    for n in range(MOST_PARTS + 1):
        site.meets("10.0.0.4", 0, rarity=3.0 if n == 5 else 2.0, kind=f"l{n}")
    (before,) = site.incidents.open_stories()
    assert (len(before.parts), before.more) == (MOST_PARTS, 1)
    for n in range(3):
        site.meets(f"10.0.0.{n}", n, kind=f"k{n}")
    site.meets("10.0.0.4", 4, kind="l5")
    assert site.stories[before.uid].more == 0


def test_a_story_that_loses_a_finding_keeps_the_others(site: Any) -> None:
    stays = site.meets("10.0.0.4", 0, rarity=2.0, kind="dns")
    site.meets("10.0.0.4", 0, rarity=2.0, kind="exfil")
    for n in range(3):
        site.meets(f"10.0.0.{n}", n, kind=f"k{n}")
    gone = site.meets("10.0.0.4", 4, kind="exfil")
    assert gone.story == site.story_of("").uid
    assert [part.uid for part in site.stories[stays.story].parts] == [stays.uid]
    assert site.stories[stays.story].status == "new"


def test_a_hostile_site_fills_no_memory(site: Any) -> None:
    for n in range(MOST_STORIES + 100):
        machine = f"10.{n // 250}.1.{n % 250}"
        site.meets(
            machine, n * HOUR // 60, rarity=2.0 if n % 5 else 0.0, door="knock" if n % 2 else ""
        )
        site.passes(n * HOUR // 60)
    for n in range(100):
        day = 2 * (n + 1) * DAY_US
        site.passes(day)
        site.meets(f"10.0.0.{n}", day, rarity=0.0)
        for k in range(5):
            site.meets(f"10.0.0.{n}", day + k, subject=f"d{k}", door="knock", rarity=0.5)
    kept = site.incidents.take("bakery").stories
    assert len(kept.open) <= MOST_STORIES
    assert len(kept.calls.doors) <= MOST_DOORS
    assert {len(known) for known in kept.calls.paid.values()} == {MOST_KEPT}
    assert not site.incidents.take("clinic").stories.open


def test_what_interrupted_is_not_closed_to_make_room(site: Any) -> None:
    called = site.meets("10.0.0.1", 0)
    for n in range(MOST_STORIES + 20):
        site.meets(f"10.{n // 250}.1.{n % 250}", n * 2 * 60_000_000 + 1, rarity=2.0)
        site.passes(n * 2 * 60_000_000 + 1)
    assert site.stories[called.story].status == "new"
    closed = [story for story in site.stories.values() if story.status == "closed"]
    assert len(closed) == 21
    assert max(s.end for s in closed) < min(
        s.end for s in site.stories.values() if s.status == "new" and not s.interrupted
    )


def test_a_story_names_the_gravest_of_many_and_counts_the_rest(site: Any) -> None:
    for n in range(MOST_PARTS + 10):
        site.meets("10.0.0.1", n, kind=f"k{n}", rarity=0.5 - n / 1000)
    story = site.incidents.open_stories()[0]
    assert (len(story.parts), story.more) == (MOST_PARTS, 10)
    assert [part.kind for part in story.parts] == [f"k{n}" for n in range(10, MOST_PARTS + 10)]
    told = [e for e in site.told if isinstance(e, StoryEvent)]
    assert [e.story.more for e in told][MOST_PARTS:] == [1, 2, 4, 8], "now and then"


def test_its_parts_stand_as_the_findings_were_told(site: Any) -> None:
    found = site.meets("10.0.0.1", 0, rarity=2.0)
    for n in range(1, 6):
        site.meets("10.0.0.1", n, rarity=2.0)
    (story,) = site.incidents.open_stories()
    assert [part.count for part in story.parts] == [4]
    assert [type(e) for e in site.told].count(StoryEvent) == 1, "it is not told for that"
    site.passes(2 * HOUR)
    (story,) = site.incidents.open_stories()
    assert [(p.uid, p.count, p.status) for p in story.parts] == [(found.uid, 6, "closed")]


def test_late_rows_make_no_story_longer_than_a_week(site: Any) -> None:
    for day in range(6, 12):
        site.meets("10.0.0.1", day * (DAY_US - 1))
    for day in range(5, 0, -1):
        site.meets("10.0.0.1", day * (DAY_US - 1), kind="c2")
    longest = [story.end - story.start for story in site.incidents.open_stories()]
    assert len(longest) == 2
    assert max(longest) < WEEK_US


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_story_goes_on_from_its_last_finding_where_another_release_decides_on(
    site: Any, checkpoint: bool
) -> None:
    """It is not told at each step of its findings; of what is open a checkpoint knows more than the store."""
    site.meets("10.0.0.1", 0)
    for n in range(1, 23):
        site.meets("10.0.0.1", n * 50 * HOUR // 60)
    assert site.story_of("10.0.0.1").end == 0, "as it was last told"
    kept = site.incidents.take("bakery") if checkpoint else None
    site.upgrade(kept)
    site.passes(DAY_US + HOUR)
    later = DAY_US + (18 if checkpoint else 12) * HOUR
    site.meets("10.0.0.1", later)
    assert len(site.calls) == 1
    assert len(site.stories) == 1

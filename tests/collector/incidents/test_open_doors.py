"""Who knocks at an open door is told of once a month; what came of it, when it does."""

from __future__ import annotations

from typing import Any

import pytest

from dijkwacht_collector.incidents.calls import DAY_US
from dijkwacht_collector.incidents.open_incidents import IDLE_US

HOUR = IDLE_US


def test_who_knocks_is_told_once_a_month_and_stands_for_a_day(site: Any) -> None:
    def knock(time: int, **more: Any) -> Any:
        return site.meets("10.0.0.1", time, subject="ssh", door="knock", rarity=0.01, **more)

    first = knock(0)
    assert len(site.calls) == 1
    site.passes(DAY_US - 1)
    assert site.last[first.uid].status == "new", "it stands"
    for day in range(1, 29):
        site.passes(day * 2 * DAY_US)
        site.move()
        knock(day * 2 * DAY_US)
    assert [time // DAY_US for _, _, time in site.calls] == [0, 30]


def test_a_door_that_was_told_of_in_a_story_is_known_for_a_month_from_then(site: Any) -> None:
    site.meets("10.0.0.1", 0, kind="c2")
    for day in (0, 0.5, 1, 1.5):
        found = site.meets("10.0.0.1", int(day * DAY_US), subject="ssh", door="knock")
        assert found.severity_id == 3
    site.passes(29 * DAY_US)
    assert site.meets("10.0.0.1", 29 * DAY_US, subject="ssh", door="knock").severity_id == 2
    site.passes(30 * DAY_US)
    site.meets("10.0.0.1", 30 * DAY_US, subject="ssh", door="knock")
    assert [time // DAY_US for _, _, time in site.calls] == [0, 30]


def test_what_becomes_a_knock_stands_from_then_on(site: Any) -> None:
    site.meets("10.0.0.1", 0, rarity=2.0)
    found = site.meets("10.0.0.1", 1, rarity=2.0, door="knock")
    site.passes(HOUR + 1)
    assert site.last[found.uid].status == "new"


@pytest.mark.parametrize("again", ["upgrade", "move"])
def test_a_known_door_is_known_to_the_next_release(site: Any, again: str) -> None:
    site.meets("10.0.0.1", 0, subject="ssh", door="knock")
    site.passes(DAY_US)
    getattr(site, again)()
    found = site.meets("10.0.0.1", 2 * DAY_US, subject="ssh", door="knock")
    assert (found.severity_id, len(site.calls)) == (2, 1)
    site.passes(8 * DAY_US)
    assert site.meets("10.0.0.1", 8 * DAY_US, subject="rdp", door="knock").severity_id == 3
    found = site.meets("10.0.0.1", 15 * DAY_US, subject="ssh", door="knock")
    assert (found.severity_id, len(site.calls)) == (2, 2)


def test_a_machine_with_several_doors_calls_for_them_once_a_week(site: Any) -> None:
    """Whoever was told that strangers guess at one service of it knows that it faces the Internet."""
    for day, door in enumerate(("ssh", "rdp", "smtp", "web", "sql", "vnc")):
        site.passes(day * 2 * DAY_US)
        site.meets("10.0.0.1", day * 2 * DAY_US, subject=door, door="knock", rarity=0.01)
    assert [time // DAY_US for _, _, time in site.calls] == [0, 8]
    site.meets("10.0.0.1", 10 * DAY_US + 1, door="entered", rarity=0.1)
    site.meets("10.0.0.2", 10 * DAY_US + 1, subject="mail", door="knock", rarity=0.01)
    assert [(machine, time // DAY_US) for machine, _, time in site.calls[2:]] == [
        ("10.0.0.1", 10), ("10.0.0.2", 10),
    ]  # fmt: skip


def test_a_knock_never_calls_a_second_time_and_what_came_of_it_does(site: Any) -> None:
    site.meets("10.0.0.1", 0, subject="ssh", door="knock", kind="bruteforce")
    site.meets("10.0.0.1", 1, subject="web", door="knock", rarity=0.001)
    assert len(site.calls) == 1
    entered = site.meets("10.0.0.1", 2, kind="bruteforce", door="entered", by="door", rarity=0.9)
    assert site.calls[1:] == [("10.0.0.1", "door", 2)]
    assert entered.severity_id == 3


def test_an_entry_is_not_free(site: Any) -> None:
    site.meets("10.0.0.1", 0, kind="bruteforce")
    site.meets("10.0.0.9", 0)
    site.meets("10.0.0.1", 1, door="entered", rarity=0.6)
    assert len(site.calls) == 2, "another story was made to interrupt by it"
    site.meets("10.0.0.1", 1, rarity=0.9)
    entered = site.meets("10.0.0.1", 2, door="entered", rarity=0.5)
    assert len(site.calls) == 3
    assert site.last[entered.uid] == entered, "the finding that called is told"


def test_a_story_pays_nothing_for_itself(site: Any) -> None:
    site.meets("10.0.0.1", 0)
    site.meets("10.0.0.1", 1, door="entered", rarity=0.9)
    assert len(site.calls) == 2


@pytest.mark.parametrize("again", ["", "upgrade", "move"])
def test_who_is_scanned_and_then_scans_calls_again(site: Any, again: str) -> None:
    """Strangers look at its ports all day; that it looks at those of others is another matter."""
    site.meets("10.0.0.1", 0, subject="10.0.0.1:*", door="knock", rarity=0.01)
    if again:
        getattr(site, again)()
    site.meets("10.0.0.1", 1, subject="10.0.0.1:*", door="knock", rarity=0.001)
    site.meets("10.0.0.1", 2, rarity=0.04)
    assert len(site.calls) == 1, "a knock is none, and the other is not much rarer"
    assert site.meets("10.0.0.1", 3, rarity=0.03).severity_id == 4
    assert site.calls[1:] == [("10.0.0.1", "scan", 3)]

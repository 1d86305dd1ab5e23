"""The facts behind the pages, from the store and the sites."""

import pytest

from dijkwacht_collector.console import Overview
from dijkwacht_collector.console.data import Exempting, Promise
from dijkwacht_collector.sinks import IncidentStore
from dijkwacht_collector.sites import ChosenBudget, Sites

DAY = 86_400_000_000


@pytest.fixture
def sites(tmp_path):
    sites = Sites(tmp_path / "sites.db")
    sites.open()
    for name in ("bakery", "clinic"):
        sites.add(name, 1)
    yield sites
    sites.close()


@pytest.fixture
def store(tmp_path):
    store = IncidentStore(tmp_path / "incidents.db")
    store.open()
    yield store
    store.close()


@pytest.fixture
def overview(store, sites, make):
    return Overview(store, sites, None, None, lambda: make.now_us, lambda: "")


def test_a_promise_is_the_budget_and_the_calls_of_a_week(overview, store, sites, make):
    assert overview.promise("bakery") == Promise(0, 1.0)

    def told(uid, days, site="bakery"):
        """A story that went on until now and called so long ago, by event time."""
        finding = make.incident(
            uid, start=make.now_us - int(days * DAY), end=make.now_us, site=site
        )
        return make.story_event(make.story(finding, uid=f"s{uid}", called={uid}))

    store.handle([told("1", 0.1), told("2", 6.9), told("3", 7.1), told("4", 1, "clinic")])
    sites.choices.choose("bakery", ChosenBudget(0.25), "Jan", make.now_us)
    assert overview.promise("bakery") == Promise(2, 0.25)
    assert overview.promise("clinic") == Promise(1, 1.0)


def test_what_is_part_of_a_story_does_not_stand_alone(overview, store, make):
    old, part = make.incident("old"), make.incident("a1", story="s1")
    story = make.story(part, called={"a1"})
    store.handle([make.event(old), make.event(part), make.story_event(story)])
    assert overview.lone_incidents() == [old]
    assert overview.open_stories() == [story]
    assert (overview.story("s1"), overview.story("old")) == (story, None)
    assert overview.findings(story) == [part]


def test_what_normal_exempts_is_said_once(overview, store, make):
    parts = [
        make.incident("a1", story="s1", subject="10.0.0.7"),
        make.incident("a2", story="s1", subject="10.0.0.7"),
        make.incident("a3", story="s1", subject="10.0.0.8"),
        make.incident("a4", story="s1", subject="10.0.0.7", kind="dns"),
        make.incident("a5", story="s2", subject="10.0.0.9"),
    ]
    store.handle([make.event(part) for part in parts])
    rows = overview.exempting(make.story(*parts[:4]))
    assert sorted((row.kind, row.subject) for row in rows) == [
        ("dns", "10.0.0.7"),
        ("scan", "10.0.0.7"),
        ("scan", "10.0.0.8"),
    ]
    assert Exempting("dns", "10.0.0.7") in rows

"""The facts behind the pages, from the store and the sites."""

import pytest

from dijkwacht_collector.console import Overview
from dijkwacht_collector.console.data import Promise
from dijkwacht_collector.incidents import Ends, Exempted
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


def test_what_called_is_shown_and_counted_whatever_goes_on_besides(overview, store, make):
    parts = [make.incident(f"i{n}", end=make.now_us + n) for n in range(1001)]
    called = make.story(parts[0], uid="called", called={"i0"})
    quiet = [make.story(part, uid=f"s{part.uid}") for part in parts[1:]]
    store.handle([make.story_event(story) for story in (called, *quiet)])
    assert called in overview.open_stories()
    assert overview.promise(called.site).calls == 1


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
        make.incident("a4", story="s1", kind="dns", ends=(Ends("10.0.0.7", "192.0.2.1"),)),
        make.incident("a5", story="s2", subject="10.0.0.9"),
    ]
    story = make.story(*parts[:4])
    store.handle([*(make.event(part) for part in parts), make.story_event(story)])
    trial = overview.tried("s1")
    assert sorted((row.kind, row.subject, row.machine, row.peer) for row in trial.exempted) == [
        ("dns", "", "10.0.0.7", "192.0.2.1"),
        ("scan", "10.0.0.7", "", ""),
        ("scan", "10.0.0.8", "", ""),
    ]
    assert [one.uid for one in trial.silent] == ["a1", "a2", "a3", "a4"]
    assert overview.tried("a5").silent == (parts[4],)
    assert overview.tried("nobody") is None


def test_what_is_normal_is_listed_and_on_its_way_out_once_it_is_taken_back(
    overview, store, sites, make
):
    part = make.incident("a1", story="s1")
    store.handle([make.event(part), make.story_event(make.story(part))])
    rows = [
        Exempted("scan", "", 1 << 52, 7, "Jan", "s1", machine="10.0.0.7"),
        Exempted("dns", "10.0.0.8", 1 << 52, 6, "Jan", "a1"),
        Exempted("c2", "10.0.0.9", 1 << 52, 5, "Jan", "gone"),
        Exempted("c2", "10.0.0.10", make.now_us, 9, "Jan", "a1"),
    ]
    store.show_exemptions({"bakery": rows})
    said = overview.normal("bakery")
    assert [one.row for one in said] == rows[:3], "the last is over"
    assert [one.path for one in said] == ["/stories/s1", "/incidents/a1", ""]
    overview.take_back("bakery", rows[0].id, "Piet")
    assert [one.ending for one in overview.normal("bakery")] == [True, False, False]
    [choice] = sites.choices.waiting("bakery")
    assert choice.by == "Piet"
    for site, id_ in (("bakery", "unknown"), ("nowhere", rows[0].id)):
        with pytest.raises(KeyError):
            overview.take_back(site, id_, "Piet")

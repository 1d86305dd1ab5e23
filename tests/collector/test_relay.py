"""What is chosen beside the collector reaches the journal once it may, in its order, and harmlessly twice."""

from types import SimpleNamespace

import msgspec
import pytest

from dijkwacht_collector.incidents import (
    Exempted,
    Incident,
    IncidentEvent,
    Part,
    Story,
    StoryEvent,
    StorySeen,
)
from dijkwacht_collector.journal import Budget, Exemption, Verdict
from dijkwacht_collector.relay import Relay
from dijkwacht_collector.sites import ChoiceTable, ChosenBudget, Sites
from dijkwacht_records.errors import CollectorBusy

READERS = {"budget": Budget, "verdict": Verdict, "exemption": Exemption}
ROW = Exempted("scan", "10.0.0.7", 10**9, 5, "Jan", "a")


class Journal:
    """Takes what it is given; ``busy`` so often."""

    def __init__(self):
        self.taken, self.busy = [], 0

    def append_all(self, drafts):
        if self.busy:
            self.busy -= 1
            raise CollectorBusy("the journal's queue is full")
        self.taken += drafts
        return len(self.taken)

    @property
    def said(self):
        return [
            (d.site, READERS[d.kind].read(SimpleNamespace(payload=d.payload)))
            for _, d in self.taken
        ]


@pytest.fixture
def state(tmp_path):
    sites = Sites(tmp_path / "sites.db")
    sites.open()
    sites.add("bakery", 1)
    sites.close()
    return tmp_path


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
def relay(state, store, journal):
    sites = Sites(state / "sites.db")
    sites.open()
    yield Relay(sites.choices, store, journal, lambda: 77)
    sites.close()


@pytest.fixture
def choices(state):
    """As another process has it: over a connection of its own."""
    sites = Sites(state / "sites.db")
    sites.open()
    yield sites.choices
    sites.close()


def test_what_another_process_chose_is_passed_on_once_in_its_order(relay, choices, journal):
    choices.choose("bakery", ChosenBudget(3), "Jan", 1)
    choices.choose("bakery", ROW.taken_back(), "Piet", 2)
    choices.choose("bakery", ChosenBudget(2), "Jan", 3)
    assert relay.budget("bakery").position is None
    relay.pass_on()
    relay.pass_on()
    assert journal.said == [
        ("bakery", Exemption("scan", "10.0.0.7", 0, "Piet")),
        ("bakery", Budget(2.0)),
    ]
    assert relay.budget("bakery").position == 2
    assert choices.waiting() == []


def test_what_the_journal_cannot_take_waits(relay, choices, journal):
    journal.busy = 1
    with pytest.raises(CollectorBusy):
        relay.choose_budget("bakery", 0, "Jan")
    assert [choice.kind for choice in choices.waiting("bakery")] == ["budget"]
    relay.pass_on()
    assert journal.said == [("bakery", Budget(0))]


def test_a_crash_before_it_was_noted_says_it_again(relay, journal, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ChoiceTable, "note", lambda *_: (_ for _ in ()).throw(OSError("crashed")))
        with pytest.raises(OSError, match="crashed"):
            relay.choose_budget("bakery", 4, "Jan")
    relay.choose_budget("bakery", 5, "Jan")
    assert journal.said[-1] == ("bakery", Budget(5))
    assert {said for _, said in journal.said} == {Budget(4), Budget(5)}


def test_the_incident_behind_an_exemption_is_answered_anew(relay, store, journal):
    incident = Incident(
        "a", "bakery", "scan", "scan", "T1046", "10.0.0.7", 0, 3, 90, 0.1, 1, 2, 1,
        "title", "titel", "desc", "besch", (), status="normal", revision=2,
    )  # fmt: skip
    store.handle([IncidentEvent("close", incident, 1)])
    gone = msgspec.structs.replace(ROW, subject="10.0.0.8", uid="gone", since=4)
    store.show_exemptions({"bakery": [ROW, gone]})
    assert relay.normal("bakery") == [ROW, gone]
    relay.take_back("bakery", ROW.id, "Jan")
    assert journal.said == [
        ("bakery", Verdict("a", "undone", "Jan", msgspec.msgpack.encode(incident)))
    ]
    relay.take_back("bakery", gone.id, "Jan")
    assert journal.said[1:] == [("bakery", Exemption("scan", "10.0.0.8", 0, "Jan"))]


def test_of_what_a_story_exempted_one_thing_is_taken_back_and_the_last_with_its_answer(
    relay, store, journal
):
    part = Incident(
        "a", "bakery", "c2", "beacon", "T1071", "10.0.0.7", 0, 3, 90, 0.1, 1, 2, 1,
        "title", "titel", "desc", "besch", (), status="normal", revision=2, story="s",
    )  # fmt: skip
    story = Story("s", "bakery", "10.0.0.7", 1, 2, (Part.of(part),), 3, status="normal", revision=3)
    store.handle([IncidentEvent("close", part, 1), StoryEvent("close", story, 1)])
    shop, bank = (
        Exempted("c2", "", 10**9, 5, "Jan", "s", machine="10.0.0.7", peer=peer)
        for peer in ("203.0.113.7", "203.0.113.8")
    )
    store.show_exemptions({"bakery": [shop, bank]})
    relay.take_back("bakery", shop.id, "Piet")
    store.show_exemptions({"bakery": [bank]})
    relay.take_back("bakery", bank.id, "Piet")
    seen = msgspec.msgpack.encode(StorySeen(story, (part,)))
    assert journal.said == [
        ("bakery", Exemption("c2", "", 0, "Piet", "10.0.0.7", "203.0.113.7")),
        ("bakery", Verdict("s", "undone", "Piet", seen)),
    ]


def test_what_is_unknown_or_absurd_is_refused(relay, journal):
    for budget in (-1, float("nan"), float("inf"), 1001):
        with pytest.raises(ValueError, match="a budget is 0 to 1000 calls a week, not"):
            relay.choose_budget("bakery", budget, "Jan")
    for ask in (relay.budget, relay.normal, lambda site: relay.choose_budget(site, 1, "Jan")):
        with pytest.raises(KeyError, match="there is no site 'clinic'"):
            ask("clinic")
    with pytest.raises(KeyError, match="calls nothing normal under 'nope'"):
        relay.take_back("bakery", "nope", "Jan")
    relay.pass_on()
    assert journal.taken == []


def test_a_choice_that_cannot_be_read_holds_nothing_up(relay, choices, journal, caplog):
    choices.choose("bakery", ROW.taken_back(), "Jan", 1)
    with choices._use() as database:
        database.execute("UPDATE choices SET body = x'7b7d'")
    relay.choose_budget("bakery", 1, "Jan")
    assert [said for _, said in journal.said] == [Budget(1)]
    assert "choice ignored" in caplog.text

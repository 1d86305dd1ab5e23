"""What is told, and when: never twice, never a flood, and never what was over before it could be told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dijkwacht_records.notices import Notice, Told, compose
from dijkwacht_records.notices.letter import MOST_LINES

GATHER_S, PER_HOUR = 10.0, 3


def notice(about):
    return Notice(
        (f"{about} is silent.", f"{about} is stil."), (f"{about} is back", f"{about} is er weer")
    )


class Clocks:
    """Seconds since start, and µs UTC of the wall."""

    def __init__(self):
        self.now, self.wall = 100.0, 1_790_000_000_000_000

    def go(self, seconds):
        self.now += seconds
        self.wall += round(seconds * 1e6)


@pytest.fixture
def clocks():
    return Clocks()


def make(clocks, path=None):
    return Told(path, PER_HOUR, GATHER_S, lambda: clocks.now, lambda: clocks.wall)


def tell(told, *standing, **verdicts):
    told.tell({about: notice(about) for about in standing}, lambda a: verdicts.get(a, "well"))


def deliver(told):
    """(begun, ended) of one message, which arrives."""
    assert told.due_in() == 0
    began, ended = told.take()
    told.settle(began, ended)
    told.keep(told.kept())
    return [about for about, _ in began], [about for about, _ in ended]


def test_it_is_told_once_when_it_begins_and_once_when_it_is_over(clocks):
    told = make(clocks)
    tell(told)
    assert told.due_in() is None
    tell(told, "till")
    assert told.due_in() == GATHER_S
    clocks.go(GATHER_S)
    tell(told, "till")
    assert deliver(told) == (["till"], [])
    tell(told, "till")
    assert told.due_in() is None
    tell(told)
    clocks.go(GATHER_S)
    assert deliver(told) == ([], ["till"])
    assert told.due_in() is None


def test_what_comes_together_is_one_message(clocks):
    told = make(clocks)
    tell(told, "till")
    clocks.go(3)
    tell(told, "till", "desk")
    clocks.go(7)
    assert deliver(told) == (["till", "desk"], [])


def test_what_is_over_before_it_was_told_is_not_told(clocks):
    told = make(clocks)
    for _ in range(50):
        tell(told, "till")
        clocks.go(4)
        tell(told)
        clocks.go(4)
        assert told.due_in() is None


def test_an_hour_has_so_many_messages_and_the_rest_is_one(clocks):
    told = make(clocks)
    sent = 0
    for minute in range(60):
        tell(told, *(f"agent-{n}" for n in range(minute)))
        clocks.go(60)
        if told.due_in() == 0:
            deliver(told)
            sent += 1
    assert sent == PER_HOUR
    clocks.go(3600)
    assert len(deliver(told)[0]) > 40


def test_who_is_gone_is_not_said_to_be_back(clocks):
    told = make(clocks)
    tell(told, "till", "desk")
    clocks.go(GATHER_S)
    deliver(told)
    tell(told, till="gone", desk="unsure")
    assert told.due_in() is None
    tell(told)
    clocks.go(GATHER_S)
    assert deliver(told) == ([], ["desk"])


def test_it_remembers_over_a_restart_what_it_told_and_how_often(clocks, tmp_path):
    told = make(clocks, tmp_path / "told.json")
    for about in ("a", "b", "c"):
        tell(told, about)
        clocks.go(GATHER_S)
        deliver(told)
    again = make(clocks, tmp_path / "told.json")
    assert again.due_in() is None, "nobody has looked yet"
    tell(again, "c")
    assert again.due_in() is None
    tell(again, c="unsure")
    assert again.due_in() is None
    tell(again)
    assert again.due_in() > 3000, "three in this hour have left"
    assert (tmp_path / "told.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"delivered": 3}', b"\xff\xfe"])
def test_a_file_that_is_damaged_costs_one_message(clocks, tmp_path, body):
    (tmp_path / "told.json").write_bytes(body)
    told = make(clocks, tmp_path / "told.json")
    tell(told, "till")
    clocks.go(GATHER_S)
    assert deliver(told) == (["till"], [])


def test_a_folder_that_takes_nothing_stops_nobody(clocks, tmp_path):
    told = make(clocks, tmp_path / "no" / "told.json")
    tell(told, "till")
    clocks.go(GATHER_S)
    assert deliver(told) == (["till"], [])


class OneMessageEach(RuleBasedStateMachine):
    """Whatever happens, a receiver never hears the same thing twice in a row of one subject."""

    def __init__(self):
        super().__init__()
        self.clocks = Clocks()
        self.told = make(self.clocks)
        self.standing, self.heard, self.times = set(), {}, []

    @rule(about=st.sampled_from("abc"))
    def turn(self, about):
        self.standing ^= {about}
        tell(self.told, *sorted(self.standing))

    @rule(seconds=st.floats(0, 3000))
    def wait(self, seconds):
        self.clocks.go(seconds)

    @rule()
    def send(self):
        if self.told.due_in() == 0:
            began, ended = deliver(self.told)
            for about in began:
                assert self.heard.get(about) != "began"
                self.heard[about] = "began"
            for about in ended:
                assert self.heard.get(about) == "began"
                self.heard[about] = "ended"
            assert began or ended
            self.times.append(self.clocks.now)

    @invariant()
    def no_flood(self):
        assert sum(self.clocks.now - time < 3600 for time in self.times) <= PER_HOUR


TestOneMessageEach = OneMessageEach.TestCase


def test_a_message_has_both_languages_or_one():
    both = compose("Dijkwacht", "both", [("till", notice("till"))], [("desk", notice("desk"))])
    assert both.text == (
        "till is stil.\nVoorbij: desk is er weer\n\n"
        "till is silent.\nOver: desk is back\n\nDijkwacht"
    )
    assert (both.title, both.began, both.ended) == ("till is stil. (+1)", ["till"], ["desk"])
    english = compose("Dijkwacht", "en", [], [("desk", notice("desk"))])
    assert (english.text, english.title) == (
        "Over: desk is back\n\nDijkwacht",
        "Over: desk is back",
    )


@given(st.integers(1, 500))
def test_a_message_is_bounded(count):
    many = [(f"{n}", notice(f"agent-{n}" * 40)) for n in range(count)]
    letter = compose("Dijkwacht", "both", many)
    assert len(letter.text.splitlines()) <= 2 * MOST_LINES + 6
    assert len(letter.title) <= 150
    assert ("and " in letter.text) == (count > MOST_LINES)

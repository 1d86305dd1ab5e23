"""A clock that is off, in words, and when it is news."""

import pytest

from dijkwacht_agent.clock import ClockTrouble, wrong_clock
from dijkwacht_agent.error_words import words

HOUR, DAY = 3600, 86_400


class Heard:
    """Who compares the clocks: ``clock_offset`` is what to add to ours, µs."""

    clock_offset = 0


@pytest.mark.parametrize(
    ("ahead_s", "english", "dutch"),
    [
        (-61, "61 seconds behind", "61 seconden achter"),
        (150, "2 minutes ahead", "2 minuten voor"),
        (5 * HOUR, "5 hours ahead", "5 uur voor"),
        (-47 * HOUR, "47 hours behind", "47 uur achter"),
        (3 * DAY, "3 days ahead", "3 dagen voor"),
        (-500 * DAY, "500 days behind", "500 dagen achter"),
        (-4000 * DAY, "11 years behind", "11 jaar achter"),
    ],
)
def test_it_is_said_as_people_say_it(ahead_s, english, dutch):
    assert english in words(wrong_clock(ahead_s), "en")
    assert dutch in words(wrong_clock(ahead_s), "nl")


@pytest.mark.parametrize("ahead_s", [0, 59, -59])
def test_a_minute_is_no_matter(ahead_s):
    assert wrong_clock(ahead_s) is None


def test_it_is_news_once_and_again_when_it_has_changed():
    heard = Heard()
    clock = ClockTrouble(heard)
    assert clock.trouble is None
    told = []
    for ahead_s in (149, 151, 160, 140, 2 * HOUR, 2 * HOUR + 9):
        heard.clock_offset = -ahead_s * 1_000_000
        told.append(words(clock.trouble, "en").partition("machine is ")[2].split(":")[0])
    assert told == ["2 minutes ahead"] * 4 + ["2 hours ahead"] * 2
    heard.clock_offset = 0
    assert clock.trouble is None
    heard.clock_offset = 400 * 1_000_000
    assert "7 minutes behind" in words(clock.trouble, "en")

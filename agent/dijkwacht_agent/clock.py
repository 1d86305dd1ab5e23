"""How far the clock of this machine is off, in words, and whether the owner should hear of it."""

from __future__ import annotations

from typing import Final, Protocol

from dijkwacht_records.errors import Message

CLOCK_LIMIT_S: Final = 60.0
"""As far as clocks may differ."""
_SPANS: Final = (
    (2 * 365 * 86_400.0, 365.25 * 86_400, "span_years"),
    (2 * 86_400.0, 86_400.0, "span_days"),
    (2 * 3600.0, 3600.0, "span_hours"),
    (120.0, 60.0, "span_minutes"),
    (0.0, 1.0, "span_seconds"),
)
"""From how many seconds on, seconds in one, what it is called. Two at least: it is never one day."""
_NEWS: Final = 0.2
"""A clock that is off by so much more or less than was told is told again."""


def span(seconds: float) -> Message:
    """So long, of either sign, as people say it: rounded, or each second would be news."""
    size = abs(seconds)
    unit, key = next((unit, key) for least, unit, key in _SPANS if size >= least)
    return Message(key, {"count": round(size / unit)})


def off(ahead_s: float) -> dict[str, str | int | float | Message]:
    """By ``much``, to which ``side``: what fills a sentence on a clock that is so far ahead."""
    side = Message("side_ahead" if ahead_s > 0 else "side_behind")
    return {"much": span(ahead_s), "side": side}


def wrong_clock(ahead_s: float) -> Message | None:
    """What an owner should know of a clock that is so far ahead; ``None`` if it is right."""
    return Message("clock_off", off(ahead_s)) if abs(ahead_s) >= CLOCK_LIMIT_S else None


class Compared(Protocol):
    """Who hears the collector's clock: `Uplink`."""

    clock_offset: int


class ClockTrouble:
    """Of an agent that runs: what the collector's replies say of our clock.

    Not a connection's word, which is kept open when the clock has long been put right.
    """

    well_again = "the clock is right again"

    def __init__(self, uplink: Compared) -> None:
        self._uplink = uplink
        self._told_s = 0.0

    @property
    def trouble(self) -> Message | None:
        """What is wrong with the clock, or ``None``."""
        ahead_s = -self._uplink.clock_offset / 1e6
        if abs(ahead_s) < CLOCK_LIMIT_S:
            self._told_s = 0.0
            return None
        if abs(ahead_s - self._told_s) > _NEWS * abs(self._told_s):
            self._told_s = ahead_s
        return wrong_clock(self._told_s)

"""Habits: what is done again and again, with a period and a day's shape."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dijkwacht_lab.traffic.ledger import DAY, HOUR, Ledger

WEEKDAY: Final = (
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.02, 0.15, 0.7, 1.0, 1.0, 0.9,
    0.45, 0.85, 1.0, 0.9, 0.75, 0.35, 0.1, 0.05, 0.05, 0.03, 0.0, 0.0,
)  # fmt: skip
"""How busy people are, hour by hour."""
WEEKEND: Final = 0.04
_ARRIVING: Final = {8: 0.5, 9: 0.4, 10: 0.12, 11: 0.1, 13: 0.35, 14: 0.1, 15: 0.12, 16: 0.08}
"""Share of people who sign in or unlock their screen within the hour."""

Presence = Callable[[int], float]
"""At this moment (µs UTC), what share of its turns does a habit take? 0 to 1."""


@dataclass(slots=True)
class Habit:
    """Something done again and again: by the clock (``jitter`` < 1) or at random (``jitter`` 1)."""

    ledger: Ledger
    act: Callable[[int], None]
    period_us: float
    jitter: float
    presence: Presence
    next_us: int = 0
    of: str = ""
    """The name it goes by among the habits that an office may take up; empty for what every office does."""
    dice: random.Random | None = None
    """Its own; the office's, if it has none."""

    def __post_init__(self) -> None:
        rng = self.dice or self.ledger.rng
        self.next_us = self.ledger.start_us + int(rng.random() * self.period_us)

    def turn(self) -> None:
        """Act now, if present, and choose the next moment."""
        now, rng = self.next_us, self.dice or self.ledger.rng
        if rng.random() < self.presence(now):
            self.act(now)
        if self.jitter < 1:
            gap = self.period_us * (1 + self.jitter * (2 * rng.random() - 1))
        else:
            gap = rng.expovariate(1 / self.period_us)
        self.next_us = now + max(int(gap), 1000)


def always(_now: int) -> float:
    """Day and night."""
    return 1.0


def usually(_now: int) -> float:
    """One time in ten it is left out."""
    return 0.9


def at_work(shift_us: int) -> Presence:
    """People's day, ``shift_us`` later than the shape above."""

    def presence(now: int) -> float:
        now -= shift_us
        busy = WEEKDAY[now // HOUR % 24]
        return busy if _is_weekday(now) else busy * WEEKEND

    return presence


def arriving(shift_us: int) -> Presence:
    """When people begin, and come back from lunch."""

    def presence(now: int) -> float:
        now -= shift_us
        return _ARRIVING.get(now // HOUR % 24, 0.0) if _is_weekday(now) else 0.0

    return presence


def switched_on(shift_us: int, *, at_night: bool) -> Presence:
    """A machine that is on from before its owner comes until after they leave, or always."""
    if at_night:
        return always

    def presence(now: int) -> float:
        now -= shift_us
        return float(8 <= now // HOUR % 24 < 18 and _is_weekday(now))

    return presence


def between(first: int, last: int, *, weekends: bool = True) -> Presence:
    """From hour ``first`` until hour ``last``, which may be after midnight; all day if they are one."""

    def presence(now: int) -> float:
        hours = (last - first) % 24 or 24
        return float((now // HOUR - first) % 24 < hours and (weekends or _is_weekday(now)))

    return presence


def at_night(now: int) -> float:
    """From two to three."""
    return float(now // HOUR % 24 == 2)


def size(ledger: Ledger, middle: float, spread_by: float = 1.1) -> int:
    """Bytes: log-normal, as files and pages are."""
    return int(middle * ledger.rng.lognormvariate(0, spread_by))


def _is_weekday(now: int) -> bool:
    return (now // DAY + 3) % 7 < 5

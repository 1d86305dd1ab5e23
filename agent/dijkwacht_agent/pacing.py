"""A source of frames with its own idea of now: the clock's for an interface, a recording's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from dijkwacht_agent.frames import Block, FrameSource
from dijkwacht_agent.sources.capture import HELD_US

LONGEST_GAP_US: Final = 60_000_000
"""A recording may be stitched over months: a longer gap is skipped."""
_LONGEST_SLEEP_S: Final = 0.1


def wall_clock() -> int:
    """µs UTC."""
    return time.time_ns() // 1000


def moment(micros: int) -> str:
    """A time, µs UTC, as the owner's clock shows it, to the minute."""
    return datetime.fromtimestamp(micros / 1e6).astimezone().strftime("%Y-%m-%d %H:%M")


class Live:
    """What comes, as it comes. Now is up to where every frame has been given out.

    While frames come it is the last one's time, for those behind it wait in the ring, however slow we
    are. When none has come it is what ``clock`` says, less what the kernel may hold still.
    """

    patient = False
    """Live capture never waits for the spool: what does not fit is dropped and counted."""

    def __init__(self, source: FrameSource, clock: Callable[[], int] = wall_clock) -> None:
        self.source = source
        self._clock = clock
        self._now: int | None = None

    def now(self) -> int:
        """µs UTC: no older frame will come."""
        return self._clock() - HELD_US if self._now is None else self._now

    def blocks(self) -> Iterator[Block]:
        """The source's blocks."""
        for block in self.source.blocks():
            self._now = max(block.times) if block else self._clock() - HELD_US
            yield block


class Paced:
    """A recording played at ``speed`` times its own; ``None``: as fast as it can be read.

    ``now`` is the time within the recording. ``clock`` and ``sleep`` are in seconds.
    """

    patient = True
    """A recording can wait until the spool has room again."""

    def __init__(
        self,
        source: FrameSource,
        speed: float | None = 1.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.source = source
        self._speed, self._clock, self._sleep = speed, clock, sleep
        self._now = 0
        self._begun: float | None = None

    def now(self) -> int:
        """µs UTC within the recording: up to here, everything has been given out."""
        return self._now

    def blocks(self) -> Iterator[Block]:
        """The recording's frames, none before its time; an empty block while it is waited for."""
        for block in self.source.blocks():
            at = 0
            while at < len(block):
                end = self._due(block, at)
                yield block.cut(at, end)
                at = end

    def _due(self, block: Block, at: int) -> int:
        """Where the frames of ``block`` end that are due by now; sleeps when none is."""
        times = block.times
        if self._speed is None:
            self._now = max(self._now, *times[at:])
            return len(block)
        real = self._clock()
        due = times[at]
        first, begun, self._begun = self._begun is None, self._begun or real, real
        self._now += round((real - begun) * self._speed * 1e6)
        if first or due > self._now + LONGEST_GAP_US:
            self._now = due
        end = at
        while end < len(times) and times[end] <= self._now:
            end += 1
        if end == at:
            self._sleep(min(_LONGEST_SLEEP_S, (due - self._now) / 1e6 / self._speed))
        return end

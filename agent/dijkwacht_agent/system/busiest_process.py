"""What the busiest process takes of the machine: looked up in rounds, a few processes a sample.

A process is known by its number within two rounds, to tell how much it ran between them. Its number
stays in here, and its name, owner and command line are never read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dijkwacht_agent.system.proc_texts import read_process

STEP: Final = 16
"""Processes looked at in one sample: some 0.1 ms."""
MOST: Final = 2_048
"""With more processes than this nothing is said: a round takes two minutes by then."""


class BusiestProcess:
    """Rounds over ``proc``; ``clock`` gives seconds that only rise."""

    def __init__(self, proc: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._proc, self._clock = str(proc), clock
        self._a_second = os.sysconf("SC_CLK_TCK") * (os.cpu_count() or 1)
        self._ran: dict[str, tuple[int, float]] = {}
        self._before: dict[str, tuple[int, float]] = {}
        self._waiting: list[str] = []
        self._most = self._latest = -1.0
        self.processes: int | None = None

    def look(self) -> None:
        """Look at the next few processes."""
        now = self._clock()
        for number in self._waiting[-STEP:]:
            ran = self._read(number)
            if ran is None:
                continue
            self._ran[number] = ran, now
            before, at = self._before.get(number, (ran, now))
            if now > at and ran >= before:  # else the number is another process's now
                self._most = max(self._most, (ran - before) / (now - at) / self._a_second)
        ended = 0 < len(self._waiting) <= STEP
        del self._waiting[-STEP:]
        if ended:
            self._latest, self._most = self._most, -1.0
            self._before, self._ran = self._ran, {}

    def take(self) -> float | None:
        """Its ratio of all processors in the round that ended since the last call; begins another round."""
        latest, self._latest = self._latest, -1.0
        if not self._waiting:
            self._begin()
        return min(1.0, latest) if latest >= 0 else None

    def _begin(self) -> None:
        try:
            numbers = [name for name in os.listdir(self._proc) if name.isdigit()]  # noqa: PTH208, a path each costs more
        except OSError:
            numbers = []
        # Where others' processes are hidden, what is left says nothing about the machine.
        seen_all = "1" in numbers and self._read("1") is not None
        self.processes = len(numbers) if seen_all else None
        self._waiting = numbers if seen_all and len(numbers) <= MOST else []
        if not self._waiting:
            self._before = {}

    def _read(self, number: str) -> int | None:
        try:
            descriptor = os.open(f"{self._proc}/{number}/stat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return read_process(os.read(descriptor, 1024))
        except OSError:
            return None
        finally:
            os.close(descriptor)

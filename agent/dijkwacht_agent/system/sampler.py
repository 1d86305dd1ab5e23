"""Rows of the system table: a few metrics each second, the rest once a heartbeat, all handed over with it.

A name and the frame of a batch cost more bytes than a number does: rows that leave second by second
would take three times as many.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from dijkwacht_agent.system.linux import LinuxMachine
from dijkwacht_agent.system.metrics import rounded
from dijkwacht_agent.system.portable import PortableMachine
from dijkwacht_records.columns import Columns
from dijkwacht_records.tables import TABLE, TABLES, Row

_SYSTEM: Final = TABLES.index(TABLE["system"])
_MOST_WAITING: Final = 1_000


class Machine(Protocol):
    """What can be sampled: (metric, value) pairs of `metrics.METRICS`."""

    def often(self) -> Iterable[tuple[str, float]]:
        """What each sample holds."""

    def seldom(self) -> Iterable[tuple[str, float]]:
        """What is enough to know once a heartbeat."""

    def close(self) -> None:
        """Let go of what is kept open."""


class SystemSampler:
    """Samples ``machine``, by default this one. The first sample holds no changes yet."""

    def __init__(self, machine: Machine | None = None) -> None:
        self._machine = machine or _this_machine()
        self._waiting: list[tuple[int, Row]] = []

    @property
    def full(self) -> bool:
        """Whether so many rows wait that they should be taken before the heartbeat."""
        return len(self._waiting) >= _MOST_WAITING

    def sample(self, now: int) -> None:
        """Look at the machine at ``now`` (µs UTC)."""
        self._note(now, self._machine.often())

    def take(self, now: int) -> Columns:
        """The rows since the last call, and at ``now`` those that are seldom; none without a sample."""
        if self._waiting:
            self._note(now, self._machine.seldom())
        rows, self._waiting = self._waiting, []
        return Columns.of(rows)

    def close(self) -> None:
        """Let go of what is kept open."""
        self._machine.close()

    def _note(self, now: int, metrics: Iterable[tuple[str, float]]) -> None:
        for metric, value in metrics:
            self._waiting.append((_SYSTEM, (now, metric, rounded(metric, float(value)))))


def _this_machine() -> Machine:
    linux = LinuxMachine()
    if linux.there:
        return linux
    linux.close()
    return PortableMachine()

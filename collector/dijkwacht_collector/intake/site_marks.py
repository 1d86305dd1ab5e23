"""What has been seen of one site: every batch of every boot of its agents, for ever, in bounded memory.

A stream, one boot of one agent, is kept as the intervals of its sequence numbers. Those that were
active of late are lists; the others are packed. Nothing is forgotten: what there is no room for is
*not taken*, and stays with its agent.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

import msgspec

from dijkwacht_collector.intake.boots import Boot
from dijkwacht_collector.intake.intervals import extends, holds, put
from dijkwacht_collector.intake.settled_streams import SettledStreams

MOST_AGENTS: Final = 1024
MOST_INTERVALS: Final = 1 << 19
"""Of a site: 12 MiB."""
MOST_OF_AGENT: Final = 1 << 18
"""Intervals of one agent: half a month of restarts every `BOOT_EVERY_US` without a pause, beyond the first."""
MOST_GAPS: Final = 1 << 15
"""Of a stream, where its agent lost what stood between: one for each segment that its spool shed."""
BOOT_EVERY_US: Final = 5_000_000
"""The service manager waits so long before it starts an agent again: honest ones do not boot more often,"""
BOOTS_AT_ONCE: Final = 4096
"""but may have so many boots waiting in a spool."""
MOST_RECENT: Final = 256
MOST_LOOSE: Final = 1 << 16
"""Streams, and intervals of theirs, that are not packed."""

UNKNOWN: Final = -1
_MOST_ROWS: Final = 1 << 62
_BOOT_CHARS: Final = 1 + 32  # a slash and 16 bytes in hex


class AgentMarks(msgspec.Struct, array_like=True):
    """Of an agent: rows made durable, ``intervals`` that its streams take, and ``due``.

    ``due``: when as many boots as it has had would be over, had they come no faster than one in
    `BOOT_EVERY_US`; µs UTC. ``made`` and ``shed``: rows by the last heartbeat, of ``boot``;
    ``made_before`` and ``shed_before``: by those that it does not count on from. ``uncounted``: rows
    that were made durable before these marks counted any; `UNKNOWN` until the agent is heard. ``boots``:
    those whose heartbeats came last.
    """

    rows: int = 0
    intervals: int = 0
    due: int = 0
    boot: bytes = b""
    made: int = 0
    shed: int = 0
    made_before: int = 0
    shed_before: int = 0
    uncounted: int = 0
    boots: list[Boot] = []

    def hear(self, boot: bytes, made: int, shed: int) -> None:
        """A heartbeat came: rows made and shed, since ``boot`` or since the agent was installed.

        Agents of earlier releases begin at 0 with every boot: a figure that is lower then says so.
        """
        made, shed = (min(max(number, 0), _MOST_ROWS) for number in (made, shed))
        if boot != self.boot:
            if made < self.made:
                self.made_before = min(self.made_before + self.made, _MOST_ROWS)
                self.made = 0
            if shed < self.shed:
                self.shed_before = min(self.shed_before + self.shed, _MOST_ROWS)
                self.shed = 0
        self.boot = boot
        self.made, self.shed = max(self.made, made), max(self.shed, shed)
        if self.uncounted == UNKNOWN:
            # What was sent before this heartbeat came before it: next to nothing waits.
            self.uncounted = 0
            self.uncounted = self.figures()["rows_waiting"]

    def figures(self) -> dict[str, int]:
        """Rows of all boots by the columns of the agent table, and those that must still be on their way.

        What was made since the last heartbeat is not in ``rows_made`` and may be durable already.
        """
        made, shed = self.made_before + self.made, self.shed_before + self.shed
        made -= max(self.uncounted, 0)
        waiting = max(made - shed - self.rows, 0)
        return {
            "rows_made": made,
            "rows_durable": self.rows,
            "rows_shed": shed,
            "rows_waiting": waiting,
        }


class SiteState(msgspec.Struct, array_like=True):
    """What a snapshot holds of a site."""

    agents: dict[str, AgentMarks]
    recent: dict[str, list[int]]
    settled: bytes


class SiteMarks:
    """The marks of one site. ``recent``: the intervals of each stream, the one that moved last at the end."""

    def __init__(self, state: SiteState | None = None) -> None:
        state = state or SiteState({}, {}, b"")
        self.agents: Final = state.agents
        self._recent = state.recent
        self._settled = SettledStreams(state.settled)
        self._loose = sum(len(seen) for seen in self._recent.values()) // 2
        self._intervals = sum(agent.intervals for agent in self.agents.values())

    def seen(self, stream: str, seq: int) -> bool:
        """Whether this batch is durable."""
        return holds(self._find(stream), seq)

    def has_room(self, stream: str, seq: int, arrival: int) -> bool:
        """Whether this batch, which is not durable, may become so at ``arrival``, µs UTC."""
        seen = self._find(stream)
        if extends(seen, seq):
            return True
        if self._intervals >= MOST_INTERVALS:
            return False
        agent = self.agents.get(_agent(stream))
        if agent is None:
            return len(self.agents) < MOST_AGENTS
        if agent.intervals >= MOST_OF_AGENT:
            return False
        if seen:
            return len(seen) // 2 <= MOST_GAPS
        ahead = agent.due - arrival
        allowed = BOOTS_AT_ONCE * BOOT_EVERY_US
        # Further ahead than boots can bring it: the clock was set back.
        return ahead <= allowed or ahead > 2 * allowed

    def note(self, stream: str, seq: int, rows: int, arrival: int) -> None:
        """This batch became durable."""
        agent = self.agents.setdefault(_agent(stream), AgentMarks())
        seen = self._recent.pop(stream, None)
        if seen is None:
            seen = self._settled.seen(stream)
            self._loose += len(seen) // 2
        if not seen:
            agent.due = max(agent.due, arrival) + BOOT_EVERY_US
        before = len(seen)
        if put(seen, seq):
            agent.rows += rows
        self._recent[stream] = seen
        if len(seen) != before:
            opened = (len(seen) - before) // 2
            agent.intervals += opened
            self._intervals += opened
            self._loose += opened
        if len(self._recent) > MOST_RECENT or self._loose > MOST_LOOSE:
            self._settle()

    def take_over(self, stream: str, seen: list[int]) -> None:
        """A stream as an earlier version's snapshot has it, which counted no rows."""
        agent = self.agents.setdefault(_agent(stream), AgentMarks(uncounted=UNKNOWN))
        agent.intervals += len(seen) // 2
        self._intervals += len(seen) // 2
        self._loose += len(seen) // 2
        self._recent[stream] = seen
        if len(self._recent) > MOST_RECENT or self._loose > MOST_LOOSE:
            self._settle()

    def state(self) -> SiteState:
        """For a snapshot; it shares what it is made of."""
        return SiteState(self.agents, self._recent, self._settled.dump())

    def _find(self, stream: str) -> list[int]:
        seen = self._recent.get(stream)
        return self._settled.seen(stream) if seen is None else seen

    def _settle(self) -> None:
        """Pack the streams that have rested longest, until half of what may be loose is left."""
        resting: dict[str, list[int]] = {}
        # The one that moved last stays: it will move next.
        for stream in islice(self._recent, len(self._recent) - 1):
            left = len(self._recent) - len(resting)
            if left <= MOST_RECENT // 2 and self._loose <= MOST_LOOSE // 2:
                break
            resting[stream] = self._recent[stream]
            self._loose -= len(resting[stream]) // 2
        for stream in resting:
            del self._recent[stream]
        if resting:
            self._settled.settle(resting)


def _agent(stream: str) -> str:
    return stream[:-_BOOT_CHARS]

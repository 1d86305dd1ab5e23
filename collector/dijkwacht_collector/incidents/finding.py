"""What the open incidents are told, in the order of a step: rare rows, and that event time moved."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from dijkwacht_collector.incidents.incident import Ends, Evidence
from dijkwacht_collector.incidents.peers import NO_ENDS, peer_of

Door = Literal["", "knock", "entered"]
"""``knock``: somebody outside scans, or guesses at, what faces the Internet; ``entered``: something came of it."""
KNOCKS: Final = frozenset({"scan", "bruteforce"})
"""Classes of what somebody outside does to a machine that is a knock."""


class StepOrder(NamedTuple):
    """Where something stands in a step; what happens is sorted by it.

    ``row``: place among all rows of the step. At one row, first event time moves (``rank`` 0), then
    the windows that this ended give their scores (1), then the row itself (2). ``number`` and ``at``
    order what is left: the detector and its row, or the agent and its time.
    """

    row: int
    rank: int
    number: int
    at: int


class Finding(NamedTuple):
    """A rare row as an incident meets it: whose it is, how rare, and its evidence.

    ``agent`` sent it, "" if nobody in particular did: then every agent's clock counts. ``machine``: the
    inside end. ``budget`` is what the site lets the detector have, ``position`` that of the journal's entry.
    ``by``: who pays if it interrupts, "" if that is ``detector``; ``rarity`` and ``budget`` are then that one's,
    ``others`` is evidence of other detectors that makes it so rare, and ``at`` when the last of it came, µs UTC.
    """

    order: StepOrder
    position: int
    site: str
    agent: str
    kind: str
    detector: str
    technique: str
    subject: str
    machine: str
    rarity: float
    budget: float
    evidence: Evidence
    by: str = ""
    door: Door = ""
    others: tuple[Evidence, ...] = ()
    at: int = 0

    @property
    def time(self) -> int:
        """When it is one, µs UTC of event time."""
        return self.at or self.evidence.time

    @property
    def begun(self) -> int:
        """When the first that makes it one was seen, µs UTC of event time."""
        return min(one.time for one in (self.evidence, *self.others))

    @property
    def together(self) -> tuple[str, ...]:
        """The detectors that make it so rare together, if several do."""
        names = (self.detector, *(one.detector for one in self.others))
        return tuple(dict.fromkeys(names)) if self.others else ()

    @property
    def payer(self) -> str:
        """Whose interruption it is, if it is one."""
        return self.by or self.detector

    @property
    def ends(self) -> Ends:
        """The machine and its peer, by which it can be called normal; none of a knock, which its door names."""
        if not self.machine or self.door == "knock":
            return NO_ENDS
        return Ends(self.machine, peer_of(self.kind, self.machine, self.evidence))


class EventTime(NamedTuple):
    """The event time of ``site``'s ``agent`` reached ``time``, µs UTC."""

    order: StepOrder
    position: int
    site: str
    agent: str
    time: int

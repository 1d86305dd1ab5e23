"""The facts that the console shows, whoever has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dijkwacht_collector.incidents import Incident
from dijkwacht_collector.journal import Answer, Trouble
from dijkwacht_collector.metrics import AgentHealth


@dataclass(frozen=True, slots=True)
class SiteView:
    """A site as the console lists it; ``joined`` is µs UTC.

    ``rows_rejected``: rows that were refused for good since the collector's start.
    """

    name: str
    joined: int = 0
    rows_rejected: int = 0


class ConsoleData(Protocol):
    """The facts behind the pages.

    The six readers are called in a worker thread, so that a slow disk never stops the event
    loop; ``answer`` is awaited on the loop and returns when the verdict is durable, and shows if that
    takes no longer than a moment.
    """

    def open_incidents(self) -> Sequence[Incident]:
        """Every incident whose status is ``new``, in any order."""
        ...

    def incident(self, uid: str) -> Incident | None:
        """One incident, open or not; ``None`` if there never was one of that name."""
        ...

    def unreported_until(self, incident: Incident) -> int:
        """Until when nothing of its class and subject is reported, µs UTC; 0 if it is."""
        ...

    def sites(self) -> Sequence[SiteView]:
        """Every known site."""
        ...

    def agents(self) -> Sequence[AgentHealth]:
        """Every known agent; ``Telemetry.agents`` will do."""
        ...

    def trouble(self) -> Trouble:
        """Why the journal takes nothing, if so."""
        ...

    async def answer(self, uid: str, answer: Answer, by: str) -> int:
        """Journal a person's verdict on an incident, or a story; it shows as a later revision than this one.

        -1 if it changes nothing. Raises ``KeyError`` for an unknown one.
        """
        ...

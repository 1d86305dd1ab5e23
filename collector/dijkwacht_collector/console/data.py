"""The facts that the console shows, whoever has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from dijkwacht_collector.incidents import Exempted, Incident, Story, Trial
from dijkwacht_collector.journal import Answer, Trouble
from dijkwacht_collector.metrics import AgentHealth
from dijkwacht_collector.policy import DEFAULT_BUDGET

Fault = Trouble | Literal["not judged"]
"""What keeps the collector from looking at anything: the journal's trouble, or an engine that stopped."""


@dataclass(frozen=True, slots=True)
class SiteView:
    """A site as the console lists it; ``joined`` is µs UTC.

    ``rows_rejected``: rows that were refused for good since the collector's start.
    """

    name: str
    joined: int = 0
    rows_rejected: int = 0


@dataclass(frozen=True, slots=True)
class Promise:
    """How often a site was called in the last 7 days, and how often a week on average it asked for at most."""

    calls: int = 0
    budget: float = DEFAULT_BUDGET


@dataclass(frozen=True, slots=True)
class Normal:
    """Something that a site calls normal; ``path``: the page of the answer that it came of, "" if of none.

    ``ending``: it is being taken back.
    """

    row: Exempted
    path: str = ""
    ending: bool = False


class ConsoleData(Protocol):
    """The facts behind the pages.

    The readers are called in a worker thread, so that a slow disk never stops the event
    loop; ``answer`` is awaited on the loop and returns when the verdict is durable, and shows if that
    takes no longer than a moment.
    """

    def open_stories(self) -> Sequence[Story]:
        """Every story whose status is ``new``, in any order."""
        ...

    def story(self, uid: str) -> Story | None:
        """One story, open or not; ``None`` if there never was one of that name."""
        ...

    def findings(self, story: Story) -> Sequence[Incident]:
        """What is still kept of the story's parts, in their order."""
        ...

    def tried(self, uid: str) -> Trial | None:
        """What "this is normal" on an incident or story would exempt, and would have kept silent lately."""
        ...

    def normal(self, site: str) -> Sequence[Normal]:
        """What a site calls normal, what was said last first. Raises ``KeyError`` if there is no such site."""
        ...

    def take_back(self, site: str, id_: str, by: str) -> None:
        """End one of these; it shows as ``ending`` until it has. Raises ``KeyError`` if there is none."""
        ...

    def lone_incidents(self) -> Sequence[Incident]:
        """Every incident whose status is ``new`` and that is part of no story, in any order."""
        ...

    def incident(self, uid: str) -> Incident | None:
        """One incident, open or not; ``None`` if there never was one of that name."""
        ...

    def unreported_until(self, incident: Incident) -> int:
        """Until when nothing of its class, machine and peers is reported, µs UTC; 0 if it is."""
        ...

    def sites(self) -> Sequence[SiteView]:
        """Every known site."""
        ...

    def promise(self, site: str) -> Promise:
        """What was promised to a known site, and what happened."""
        ...

    def agents(self) -> Sequence[AgentHealth]:
        """Every known agent; ``Telemetry.agents`` will do."""
        ...

    def trouble(self) -> Fault:
        """Why nothing new is looked at, if so."""
        ...

    async def answer(self, uid: str, answer: Answer, by: str) -> int:
        """Journal a person's verdict on an incident or a whole story; it shows as a later revision than this.

        -1 if it changes nothing. Raises ``KeyError`` for an unknown one.
        """
        ...

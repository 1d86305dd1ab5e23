"""The first page: what asks for a person, what is context, and how the watch itself does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from dijkwacht_collector.console import words
from dijkwacht_collector.console.data import ConsoleData, Promise, SiteView
from dijkwacht_collector.console.row_sums import RowSums, row_sums
from dijkwacht_collector.console.story_view import StoryCard, StoryReader, alone
from dijkwacht_collector.console.view import UNKNOWN, Moment, Reader
from dijkwacht_collector.incidents import Story
from dijkwacht_collector.metrics import AgentHealth

MAX_CARDS: Final = 100
MAX_ROWS: Final = 50
_STATE_ORDER: Final = ("offline", "late", "up", "waited", "revoked", "removed")
_ABSENT: Final = frozenset({"offline", "late"})


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent as text; ``style`` is its state's name."""

    site: str
    name: str
    state: str
    style: words.AgentState
    seen: Moment
    packets: str
    dropped: str
    losing: bool
    spool: str
    shed: int
    disk_full: bool
    copied: bool


@dataclass(frozen=True, slots=True)
class SiteRow:
    """One site as text, with the worst that is open there.

    ``open`` are stories. ``promise`` compares the calls of the last 7 days with what the site chose.
    ``absent_agents`` are late or offline; ``watched`` if an agent is up or late.
    """

    name: str
    open: int
    worst: str
    style: str
    promise: str
    agents: int
    absent_agents: int
    watched: bool


@dataclass(frozen=True, slots=True)
class Board:
    """The first page.

    ``calls`` are the open stories that interrupted, ``context`` the others. ``trouble``: what keeps the collector from taking in anything, empty if nothing does.
    ``style`` is that of the headline: the worst severity, ``quiet`` if all is well, else
    ``unwatched``. Agents that are gone, or were never heard, are listed and not counted.
    """

    calls: list[StoryCard]
    context: list[StoryCard]
    sites: list[SiteRow]
    agents: list[AgentRow]
    rows: list[RowSums]
    call_count: int
    context_count: int
    site_count: int
    agent_count: int
    listed_agent_count: int
    absent_agent_count: int
    unwatched_site_count: int
    style: str
    trouble: str


class BoardReader:
    """Turns facts into the first page for ``reader``."""

    def __init__(self, reader: Reader) -> None:
        self._reader: Final = reader

    def board(self, data: ConsoleData) -> Board:
        """Everything the first page shows. Calls ``data``: not on the event loop."""
        stories = StoryReader(self._reader)
        lone = [alone(incident) for incident in data.lone_incidents()]
        folder = dict.fromkeys((story.uid for story in lone), "incidents")
        found = sorted([*data.open_stories(), *lone], key=lambda s: (-s.severity_id, -s.end, s.uid))
        calls, context = [s for s in found if s.calls], [s for s in found if not s.calls]

        def cards(of: list[Story]) -> list[StoryCard]:
            return [
                stories.card(s.with_findings(data.findings(s)), folder.get(s.uid, "stories"))
                for s in of[:MAX_CARDS]
            ]

        agents = data.agents()
        counted = [agent for agent in agents if agent.standing not in words.STATE_OF]
        absent = sum(self._state(agent) in _ABSENT for agent in counted)
        known = data.sites()
        sites = self._sites(known, found, agents)
        by_name = sorted(known, key=lambda site: _natural(site.name))
        unwatched = sum(not site.watched for site in sites)
        trouble = data.trouble()
        style = "unwatched" if absent or unwatched or trouble or not counted else "quiet"
        return Board(
            calls=(called := cards(calls)),
            context=cards(context),
            sites=[
                replace(row, promise=self._promise(data.promise(row.name)))
                for row in sites[:MAX_ROWS]
            ],
            agents=self._agents(agents),
            rows=row_sums(by_name, agents, self._reader.figures)[:MAX_ROWS],
            call_count=len(calls),
            context_count=len(context),
            site_count=len(sites),
            agent_count=len(counted),
            listed_agent_count=len(agents),
            absent_agent_count=absent,
            unwatched_site_count=unwatched,
            style=called[0].style if called else style,
            trouble=self._reader.say(words.TROUBLE[trouble]) if trouble else "",
        )

    def _promise(self, promise: Promise) -> str:
        """What was promised and what happened, in a sentence."""
        ngettext, figures = self._reader.catalogue.ngettext, self._reader.figures
        called = ngettext(
            "%(num)s call in the last 7 days", "%(num)s calls in the last 7 days", promise.calls
        )
        called %= {"num": figures.few(promise.calls)}
        if not promise.budget:
            asked = self._reader.say(words.N_("you chose to have none"))
        else:
            asked = self._reader.say(
                words.N_("promised: on average at most %(num)s a week without cause")
            )
            asked %= {"num": figures.few(promise.budget)}
        return f"{called}; {asked}"

    def _never(self) -> Moment:
        return Moment(self._reader.say(words.N_("never")), "", UNKNOWN)

    def _state(self, agent: AgentHealth) -> words.AgentState:
        if agent.standing in words.STATE_OF:
            return words.STATE_OF[agent.standing]
        return agent.presence(self._reader.now)

    def _agents(self, agents: Sequence[AgentHealth]) -> list[AgentRow]:
        rows = [self._agent(agent) for agent in agents]
        rows.sort(
            key=lambda r: (
                _STATE_ORDER.index(r.style), not (r.losing or r.disk_full or r.copied), _natural(r.site), _natural(r.name)
            )
        )  # fmt: skip
        return rows[:MAX_ROWS]

    def _agent(self, agent: AgentHealth) -> AgentRow:
        state = self._state(agent)
        lost = agent.dropped / agent.packets_seen if agent.packets_seen else 0.0
        return AgentRow(
            site=agent.site,
            name=agent.agent,
            state=self._reader.say(words.AGENT_STATE[state]),
            style=state,
            seen=self._reader.moment(agent.last_seen) if agent.last_seen else self._never(),
            packets=self._reader.figures.short(agent.packets_seen) if agent.heard else UNKNOWN,
            dropped=self._reader.figures.lost(agent.dropped, lost) if agent.heard else UNKNOWN,
            losing=lost > 0.001,
            spool=self._reader.figures.short(agent.spool_bytes, 1024, "B")
            if agent.heard
            else UNKNOWN,
            shed=agent.rows_shed,
            disk_full=agent.disk_full,
            copied=agent.copies > 0,
        )

    def _sites(
        self,
        sites: Sequence[SiteView],
        stories: Sequence[Story],
        agents: Sequence[AgentHealth],
    ) -> list[SiteRow]:
        severities: dict[str, list[int]] = {}
        for story in stories:
            severities.setdefault(story.site, []).append(story.severity_id)
        states: dict[str, list[words.AgentState]] = {}
        for agent in agents:
            if agent.standing in words.STATE_OF:
                continue
            states.setdefault(agent.site, []).append(self._state(agent))
        rows = []
        for site in sites:
            worst = min(max(severities.get(site.name, [0])), 5)
            here = states.get(site.name, [])
            absent = sum(state in _ABSENT for state in here)
            row = SiteRow(
                name=site.name,
                open=len(severities.get(site.name, [])),
                worst=self._reader.say(words.SEVERITY[max(worst, 2)]) if worst else "",
                style=words.SEVERITY_STYLE[max(worst, 2)] if worst else "quiet",
                promise="",
                agents=len(here),
                absent_agents=absent,
                watched=any(state != "offline" for state in here),
            )
            rows.append((-worst, row.watched, -absent, _natural(site.name), row))
        return [row for *_, row in sorted(rows, key=lambda r: r[:4])]


def _natural(name: str) -> list[tuple[int, str]]:
    """The order in which people count: runs of digits by their number.

    >>> sorted(["site-10", "site-2", "site-1", "cafe"], key=_natural)
    ['cafe', 'site-1', 'site-2', 'site-10']
    """
    parts = [(0, part) for part in re.split(r"([0-9]+)", name)]
    # By length first, and not by int(): a hostile name may be longer than Python reads as a number.
    parts[1::2] = [(len(d), d) for d in (part.lstrip("0") for _, part in parts[1::2])]
    return [*parts, (0, name)]

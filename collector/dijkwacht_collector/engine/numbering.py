"""Small numbers for sites and agents: what arrays of the engine are indexed by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

MOST_AGENTS: Final = 256
"""Agents of one site that are distinguished; those past it count as one, `OTHER_AGENTS`."""
OTHER_AGENTS: Final = "others"


@dataclass
class Numbering:
    """Numbers in order of appearance; ``agents`` holds each agent's site and name."""

    sites: list[str] = field(default_factory=list)
    site_numbers: dict[str, int] = field(default_factory=dict)
    agents: list[tuple[int, str]] = field(default_factory=list)
    agent_numbers: dict[tuple[int, str], int] = field(default_factory=dict)
    agents_of: dict[int, int] = field(default_factory=dict)

    def site(self, name: str) -> int:
        """The number of a site, a new one if it was never seen."""
        if name not in self.site_numbers:
            self.site_numbers[name] = len(self.sites)
            self.sites.append(name)
        return self.site_numbers[name]

    def agent(self, site: int, name: str) -> int:
        """The number of a site's agent."""
        known = self.agent_numbers.get((site, name))
        if known is not None:
            return known
        count = self.agents_of.get(site, 0)
        if count >= MOST_AGENTS and name != OTHER_AGENTS:
            return self.agent(site, OTHER_AGENTS)
        self.agents_of[site] = count + 1
        self.agent_numbers[site, name] = len(self.agents)
        self.agents.append((site, name))
        return self.agent_numbers[site, name]

    def site_of(self, agent: int) -> str:
        """The name of an agent's site."""
        return self.sites[self.agents[agent][0]]

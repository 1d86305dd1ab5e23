"""Small numbers for sites and agents: what arrays of the engine are indexed by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.journal import partition_of

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
    agents_of: dict[int, list[int]] = field(default_factory=dict)
    """By site, its agents in order of appearance."""

    partitions: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """By site."""

    site_keys: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    agent_keys: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    """By number, a hash of the name: what is mixed into keys, for numbers differ between engines."""

    def site(self, name: str) -> int:
        """The number of a site, a new one if it was never seen."""
        if name not in self.site_numbers:
            self.site_numbers[name] = len(self.sites)
            self.site_keys = _with_key(self.site_keys, len(self.sites), name)
            self.partitions = np.append(self.partitions, np.int32(partition_of(name)))
            self.sites.append(name)
        return self.site_numbers[name]

    def agent(self, site: int, name: str) -> int:
        """The number of a site's agent."""
        known = self.agent_numbers.get((site, name))
        if known is not None:
            return known
        of_site = self.agents_of.setdefault(site, [])
        if len(of_site) >= MOST_AGENTS and name != OTHER_AGENTS:
            return self.agent(site, OTHER_AGENTS)
        of_site.append(len(self.agents))
        self.agent_numbers[site, name] = len(self.agents)
        self.agent_keys = _with_key(self.agent_keys, len(self.agents), name)
        self.agents.append((site, name))
        return self.agent_numbers[site, name]

    def agents_at(self, site: int) -> dict[int, str]:
        """The agents of a site, number → name, in order of appearance."""
        return {number: self.agents[number][1] for number in self.agents_of.get(site, ())}

    def site_of(self, agent: int) -> str:
        """The name of an agent's site."""
        return self.sites[self.agents[agent][0]]


def _with_key(keys: NDArray[np.uint64], number: int, name: str) -> NDArray[np.uint64]:
    if number >= len(keys):
        keys = np.concatenate((keys, np.zeros(number + 16, np.uint64)))
    keys[number] = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
    return keys

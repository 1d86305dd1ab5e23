"""What became of each site's rows, side by side: whoever looks sees that nothing is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dijkwacht_collector.console.data import SiteView
from dijkwacht_collector.console.figures import Figures
from dijkwacht_collector.metrics import AgentHealth


@dataclass(frozen=True, slots=True)
class RowSums:
    """One site's rows as text: ``made`` = ``durable`` + ``shed`` + ``waiting``, ``rejected`` among the shed."""

    site: str
    made: str
    durable: str
    shed: str
    rejected: str
    waiting: str


def row_sums(
    sites: Sequence[SiteView], agents: Sequence[AgentHealth], figures: Figures
) -> list[RowSums]:
    """Those of ``sites``, in their order, of which an agent has told; by the agents' last heartbeats."""
    told: dict[str, list[AgentHealth]] = {}
    for agent in agents:
        if agent.heard:
            told.setdefault(agent.site, []).append(agent)
    return [
        RowSums(
            site=site.name,
            made=figures.few(sum(agent.rows_made for agent in told[site.name])),
            durable=figures.few(sum(agent.rows_durable for agent in told[site.name])),
            shed=figures.few(sum(agent.rows_shed for agent in told[site.name])),
            rejected=figures.few(site.rows_rejected),
            waiting=figures.few(sum(agent.rows_waiting for agent in told[site.name])),
        )
        for site in sites
        if site.name in told
    ]

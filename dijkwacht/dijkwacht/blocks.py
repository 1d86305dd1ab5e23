"""Strange rows as blocks of text for a terminal, and what a replay found in a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dijkwacht.progress import clock_text
from dijkwacht.terminal import Screen
from dijkwacht_collector.incidents import Incident, Story

if TYPE_CHECKING:
    from dijkwacht.strangest import Strange

INDENT: Final = "  "


def tally(stories: Sequence[Story], incidents: Sequence[Incident]) -> str:
    """How many stories there are, how many of them ask a person to look, and of how many incidents."""
    found = "1 incident" if len(incidents) == 1 else f"{len(incidents):,} incidents"
    if not stories:
        return found
    told = "1 story" if len(stories) == 1 else f"{len(stories):,} stories"
    asking = sum(story.interrupted for story in stories)
    asks = {0: "none asks", 1: "1 asks"}.get(asking, f"{asking:,} ask")
    return f"{told}, {asks} you to look; {found}"


def strange_blocks(found: Sequence[Strange], screen: Screen) -> str:
    """Every strange row as a block: score, when, who and whom; then why."""
    blocks: list[str] = []
    for row in found:
        whom = f"{row.dst}:{row.port}" if row.port else row.dst
        parties = " → ".join(filter(None, (row.src, whom or row.name)))
        merged = f"strongest of {row.rows:,} rows" if row.rows > 1 else ""
        head = (f"{row.score:.4g}", clock_text(row.time), parties, merged)
        blocks += (
            screen.wrapped(" · ".join(filter(None, head)), style="bold"),
            screen.wrapped(row.sentence, INDENT),
        )
    return "".join(f"{block}\n" for block in blocks)

"""What an incident keeps of all its evidence."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Final

from dijkwacht_collector.incidents.finding import Finding
from dijkwacht_collector.incidents.incident import Evidence, Incident

MOST_EVIDENCES: Final = 5
_MOST_AGENTS: Final = 16


def strongest(known: tuple[Evidence, ...], *new: Evidence) -> tuple[Evidence, ...]:
    """The strongest, first; one of each detector and pair of ends."""
    for one in new:
        known = _with(known, one)
    return known


def _with(known: tuple[Evidence, ...], new: Evidence) -> tuple[Evidence, ...]:
    pair = (new.detector, new.src_h, new.dst_h)
    for at, old in enumerate(known):
        if (old.detector, old.src_h, old.dst_h) == pair:
            if new.score <= old.score:
                return known
            known = known[:at] + known[at + 1 :]
            break
    return tuple(sorted((*known, new), key=lambda e: -e.score)[:MOST_EVIDENCES])


def evidence_told(
    known: Incident, finding: Finding, evidences: tuple[Evidence, ...]
) -> Evidence | None:
    """What the words of ``known`` follow from ``finding`` on, or None if they stay.

    They follow what is rarest, at the strongest of ``evidences`` that its detector gave: where a table ends
    all is as rare, and what several detectors say together comes with evidence as it was when it was counted.
    And as their sum is rarer than what goes on, what only grows stronger is told as well.
    """
    own = (one for one in evidences if one.detector == finding.evidence.detector)
    says: Evidence = max((finding.evidence, *own), key=attrgetter("score"))
    grows = finding.detector == known.detector and says is finding.evidence
    return says if finding.rarity <= known.rarity or (known.together and grows) else None


def besides(evidence: Evidence, others: Iterable[Evidence]) -> Iterable[Evidence]:
    """The first of each other detector: of a sweep, each address that it asked is evidence, and it is one sweep."""
    first: dict[str, Evidence] = {evidence.detector: evidence}
    for one in others:
        first.setdefault(one.detector, one)
    return list(first.values())[1:]


def latest(known: tuple[str, ...], agent: str) -> tuple[str, ...]:
    """The agents that contributed, the last one last."""
    if not agent or known[-1:] == (agent,):
        return known
    return (*(other for other in known if other != agent), agent)[-_MOST_AGENTS:]


def confidence(rarity: float) -> int:
    """0–100: 50 where chance would do it once in eight weeks, more with every halving of that."""
    score = 50.0
    while rarity < 0.125 and score < 99:
        rarity *= 2
        score += 5 if score < 90 else 1
    return int(min(score, 99))

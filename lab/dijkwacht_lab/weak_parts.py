"""Weak parts of attacks: as much of a capture as its detectors find rare, and none of them worth a call.

What is kept of a file is chosen by the score that its own detector gives it from a cold start, and by nothing
else: all its rows up to just before anything would alert, with the tables in force, on a site that has been
watched for two days; where they jump from nothing to an alert, the same of every second, fourth, … flow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from dijkwacht_collector.engine.findings import is_inside
from dijkwacht_collector.engine.fusion import Piece
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.incidents import Finding
from dijkwacht_collector.policy import WEAK, RareRow, Scored
from dijkwacht_collector.policy.detector_policy import PRIOR_WEEKS
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.judging import Judging
from dijkwacht_lab.labels import Attackers
from dijkwacht_lab.scoring import Scoring
from dijkwacht_records.addresses import format_address
from dijkwacht_records.tables import TABLES, Row

NumberedRow = tuple[int, Row]
"""(table number, row)"""
THINNED: Final = (1, 2, 4, 8, 16, 32, 64, 128)
"""Of so many flows one is kept, in turn, until something weak is left."""
WATCHED_WEEKS: Final = 2 / 7
"""A site's own quiet weeks make everything rarer than the table has it, and a part must be weak there too."""
RESOLUTION: Final = 1
"""Rows: by so much a part may end earlier than it might have."""
_FLOW_ID: Final = {
    number: table.index("flow_id")
    for number, table in enumerate(TABLES)
    if any(column.name == "flow_id" for column in table.columns)
}


class Sum(NamedTuple):
    """F of a ``machine``, in bits, at ``time`` (µs UTC) and of what."""

    machine: str
    time: int
    total: float
    pieces: tuple[Piece, ...]


class Listener:
    """What the policy makes of opinions, apart from the engine that may be there: a cold start of its own.

    Takes those of one site or more, step after step, as a `Watch` does. Where ``weeks`` are given, what would
    alert on a site that had been quiet for so long counts as an alert, too. ``loud`` counts what would alert, by
    itself or together with others, ``fused`` the latter; ``alerts`` has the machine and time (µs UTC) of what does so by itself; ``rare`` has what is evidence, and ``sums`` F each time that it may have
    risen, in order.
    """

    def __init__(self, detectors: Sequence[AnyDetector], weeks: float = 0.0) -> None:
        self._judging = Judging(detectors)
        self._rarer = 1 + weeks / PRIOR_WEEKS
        self.loud = self.fused = 0
        self.alerts: list[tuple[str, int]] = []
        self.rare: list[Finding] = []
        self.sums: list[Sum] = []

    def __call__(self, told: Sequence[Scored], numbering: Numbering) -> None:
        """Take the opinions of a step."""
        evidence = self._judging.evidence(told, numbering)
        found = [finding for _, finding in evidence]
        self.loud += sum(row.budget > 0.0 and self._alerts(row) for row, _ in evidence)
        scored, sums = self._judging.fusion.sums(found, numbering)
        together = len(self._judging.fusion.lines.judge(scored))
        self.loud, self.fused = self.loud + together, self.fused + together
        self.alerts += [
            (finding.machine, finding.evidence.time)
            for row, finding in evidence
            if row.alerts and row.budget > 0.0
        ]
        self.rare += [one for one in found if one.rarity < WEAK and one.budget > 0.0]
        self.sums += [
            Sum(one.finding.machine, one.finding.evidence.time, float(total), tuple(one.pieces))
            for one, total in zip(sums, scored.scores, strict=True)
        ]

    def _alerts(self, row: RareRow) -> bool:
        return row.alerts or row.rarity <= row.budget * self._rarer


@dataclass(frozen=True, slots=True)
class Part:
    """What is left of an attack: ``rows``, of which nothing alerts from a cold start.

    ``machine`` (as text) is where it is seen, by ``detector`` of ``family`` with ``bits`` of evidence; from
    ``line`` on it would alert. ``others``: bits of other families on that machine. ``thinned``: one flow of so
    many was kept; ``of``: rows that the file has. ``name`` and ``class_`` are the file's.
    """

    name: str
    class_: str
    rows: tuple[NumberedRow, ...]
    of: int
    thinned: int
    machine: str
    family: str
    detector: str
    bits: float
    line: float
    others: dict[str, float]


Hear = Callable[[Sequence[NumberedRow]], Listener]


def heard_of(rows: Sequence[NumberedRow]) -> Listener:
    """What the shipped detectors make of rows from a cold start, the windows at their end included."""
    scoring = Scoring(shipped_detectors())
    listener = Listener(scoring.host.detectors, WATCHED_WEEKS)
    for told in scoring.score(rows):
        listener(told, scoring.numbering)
    listener(scoring.finish(), scoring.numbering)
    return listener


def weak_part(
    name: str,
    class_: str,
    rows: Sequence[NumberedRow],
    truth: Attackers,
    families: frozenset[str],
    hear: Hear = heard_of,
) -> Part | None:
    """The strongest part of a file's ``rows`` that is weak; None if there is none.

    ``families``: the classes of incident that are right for the file; only what names one of the attackers
    counts. ``hear``: who judges.
    """
    for thinned in THINNED:
        kept = list(every(rows, thinned))
        quiet = kept[: _most_quiet(kept, hear)]
        heard = hear(quiet)
        strongest = _strongest(heard, truth, families)
        if strongest is None or heard.loud:
            continue
        bits: dict[str, float] = {}
        for one in heard.rare:
            if one.machine == strongest.machine and one.door != "knock":
                bits[one.kind] = max(bits.get(one.kind, 0.0), bits_of(one.rarity))
        return Part(
            name, class_, tuple(quiet), len(rows), thinned, strongest.machine, strongest.kind,
            strongest.detector, bits.pop(strongest.kind), bits_of(strongest.budget), bits,
        )  # fmt: skip
    return None


def every(rows: Iterable[NumberedRow], nth: int) -> Iterator[NumberedRow]:
    """One flow of ``nth`` with all that is told of it, and of rows that no flow is named in as many."""
    flows: dict[object, int] = {}
    seen = [0] * len(TABLES)
    for number, row in rows:
        if number in _FLOW_ID:
            place = flows.setdefault(row[_FLOW_ID[number]], len(flows))
        else:
            place, seen[number] = seen[number], seen[number] + 1
        if place % nth == 0:
            yield number, row


def bits_of(rarity: float) -> float:
    """log₂ 1/``rarity``, infinite if it is nothing."""
    return math.log2(1 / rarity) if rarity else math.inf


def _most_quiet(rows: Sequence[NumberedRow], hear: Hear) -> int:
    """So many of the first rows, to `RESOLUTION`, do not alert."""
    if not hear(rows).loud:
        return len(rows)
    low, high = 0, len(rows)
    while high - low > RESOLUTION:
        middle = (low + high) // 2
        if hear(rows[:middle]).loud:
            high = middle
        else:
            low = middle
    return low


def _strongest(heard: Listener, truth: Attackers, families: frozenset[str]) -> Finding | None:
    """The rarest evidence of a right family against an attacker, on a machine inside."""
    right = [
        one
        for one in heard.rare
        if one.kind in families
        and one.door != "knock"
        and one.machine in _inside(one)
        and (
            truth.include(one.evidence.src_h, one.evidence.src_mac)
            or truth.include(one.evidence.dst_h, 0)
        )
    ]
    return min(right, key=lambda one: one.rarity, default=None)


def _inside(finding: Finding) -> list[str]:
    ends = finding.evidence.src_h, finding.evidence.dst_h
    return [format_address(end) for end in ends if is_inside(end)]

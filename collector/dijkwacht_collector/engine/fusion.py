"""Fusion: what several families of detectors say of one machine, each too little alone, added up.

A family is an incident class. What one of its detectors finds rare on a machine weighs log₂ 1/r bits, r being
the hours a week in which chance would do it. F is the sum over families of the most bits in an hour and the
23 before it (no family counts for more than `MOST_BITS`), where at least two have any. It is judged as a
detector is, by a table and a share of its own, and speaks through the finding of its strongest part.

What strangers try from outside counts nothing: it says nothing of the machine. Nor does what the site
calls normal, what never interrupts, or a detector in shadow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.incidents import Evidence, Finding
from dijkwacht_collector.policy import (
    FUSION,
    HOUR_US,
    WEAK,
    DetectorPolicy,
    RareRow,
    Scored,
    SiteLines,
)

WINDOW_H: Final = 24
MOST_BITS: Final = 10.0
FEWEST: Final = 2
"""Families that must agree: what one says alone is its own affair."""
MOST_MACHINES: Final = 256
"""Machines of one site of which anything is remembered; past it the one of the longest ago goes."""
MOST_PIECES: Final = 32
"""Pieces remembered of one machine; past it what is over goes, then what says least."""
_BEHIND: Final = 1 << 16
"""More than there are detectors: what a row says by itself comes first."""


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """The most that one family had to say of a machine in an ``hour`` (since 1970), in bits.

    The rest is what a finding would need: whose rows, whose opinion, about whom, and the evidence.
    """

    hour: int
    bits: float
    agent: str
    kind: str
    detector: str
    technique: str
    subject: str
    evidence: Evidence


class MachinePart(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of one machine: ``last`` is the hour that it was heard of last."""

    machine: str
    last: int
    pieces: list[Piece]


class FusionPart(msgspec.Struct, frozen=True, array_like=True):
    """One site's part of a `Fusion`; ``lines`` has the machines for entities, in their order."""

    machines: list[MachinePart]
    lines: SiteLines


class _Machine:
    """Pieces by family, the hours in order."""

    __slots__ = ("last", "pieces", "slot")

    def __init__(self, slot: int) -> None:
        self.slot, self.last = slot, -1
        self.pieces: dict[str, list[Piece]] = {}

    def take(self, piece: Piece) -> bool:
        """Remember ``piece``; False if its family had said as much in that hour."""
        self.last = max(self.last, piece.hour)
        known = self.pieces.setdefault(piece.kind, [])
        same = next((old for old in known if old.hour == piece.hour), None)
        if same is not None and same.bits >= piece.bits:
            return False
        # What was no stronger and is over sooner counts nothing beside it.
        kept = [
            old
            for old in known
            if old.hour > self.last - WINDOW_H
            and (old.hour > piece.hour or old.bits > piece.bits)
            and old is not same
        ]
        self.pieces[piece.kind] = sorted([*kept, piece], key=lambda one: one.hour)
        self._make_room()
        return True

    def _make_room(self) -> None:
        of_all = [one for known in self.pieces.values() for one in known]
        if len(of_all) > MOST_PIECES:
            least = min(
                of_all, key=lambda one: (one.hour > self.last - WINDOW_H, one.bits, one.hour)
            )
            self.pieces[least.kind].remove(least)
            if not self.pieces[least.kind]:
                del self.pieces[least.kind]

    def hour_of(self, piece: Piece) -> int:
        """The hour in which ``piece`` is weighed: the present one, unless it is of more than a day before.

        An agent that lags has its say beside one that does not, whoever comes first.
        """
        return self.last if piece.hour > self.last - WINDOW_H else piece.hour

    def forget(self, until: int | None) -> None:
        """All of it, or what was no later than ``until``, µs UTC."""
        for kind, known in list(self.pieces.items()):
            later = [one for one in known if until is not None and one.evidence.time > until]
            if later:
                self.pieces[kind] = later
            else:
                del self.pieces[kind]

    def strongest(self, hour: int) -> list[Piece]:
        """Of each family the most in ``hour`` and before, the strongest family first."""
        best = []
        for known in self.pieces.values():
            heard = [one for one in known if hour - WINDOW_H < one.hour <= hour]
            if heard:
                best.append(max(heard, key=lambda one: (one.bits, -one.hour)))
        return sorted(best, key=lambda one: (-one.bits, one.kind))


class _Sum(NamedTuple):
    """F of a machine when ``finding`` came."""

    finding: Finding
    pieces: list[Piece]


class Fusion:
    """What is rare on the machines of all sites. ``lines``: what F means on each."""

    def __init__(self, lines: DetectorPolicy) -> None:
        self.lines = lines
        self._sites: dict[str, dict[str, _Machine]] = {}
        self._free: list[int] = []
        self._left: list[int] = []
        """Slots that machines have left of whose last sums, in this step, nobody has judged yet."""
        self._slots = 0

    def weigh(self, findings: Iterable[Finding], numbering: Numbering) -> list[Finding]:
        """Take what is rare in a step, in its order; what several families make of it together."""
        scored, sums = self.sums(findings, numbering)
        return [_fused(row, sums[row.row]) for row in self.lines.judge(scored)]

    def sums(
        self, findings: Iterable[Finding], numbering: Numbering
    ) -> tuple[Scored, Sequence[_Sum]]:
        """F each time that it may have risen, as opinions on machines, and what each is made of."""
        sums: list[_Sum] = []
        rows: list[tuple[int, int, int, float]] = []
        self._free += self._left
        self._left.clear()
        for finding in sorted(findings, key=lambda each: each.order):
            if not _counts(finding):
                continue
            piece = _piece_of(finding)
            machine = self._machine(finding.site, finding.machine)
            if not machine.take(piece):
                continue
            pieces = machine.strongest(machine.hour_of(piece))
            if len(pieces) < FEWEST:
                continue
            total = sum(one.bits for one in pieces)
            site, time = numbering.site(finding.site), finding.evidence.time
            rows.append((time, site, machine.slot, total))
            sums.append(_Sum(finding, pieces))
        return _scored(rows), sums

    def settle(
        self,
        site: str,
        machines: Iterable[str],
        *,
        forget_habits: bool = False,
        until: int | None = None,
    ) -> None:
        """A person has said what this was: what comes is another matter. ``until``: what was later, µs UTC, is."""
        known = self._sites.get(site, {})
        heard = [known[machine] for machine in machines if machine in known]
        for machine in heard:
            machine.forget(until)
        if heard and forget_habits:
            self.lines.forget_habits(np.array([one.slot for one in heard], np.int32))

    def take(self, site: str, number: int) -> FusionPart:
        """All that is remembered of one site, which has a ``number``; it stays."""
        known = self._sites.get(site, {})
        machines = [
            MachinePart(name, one.last, [p for pieces in one.pieces.values() for p in pieces])
            for name, one in known.items()
        ]
        return FusionPart(machines, self.lines.take(number, _slots_of(known.values())))

    def put(self, site: str, number: int, part: FusionPart) -> None:
        """Remember of a site what `take` returned, and nothing else."""
        self._free += [one.slot for one in self._sites.pop(site, {}).values()]
        known = {}
        for kept in part.machines:
            one = known[kept.machine] = _Machine(self._new_slot())
            one.last = kept.last
            for piece in kept.pieces:
                one.pieces.setdefault(piece.kind, []).append(piece)
        if known:
            self._sites[site] = known
        slots = _slots_of(known.values())
        self.lines.put(number, slots, part.lines)

    def _machine(self, site: str, name: str) -> _Machine:
        known = self._sites.setdefault(site, {})
        machine = known.get(name)
        if machine is None:
            if len(known) >= MOST_MACHINES:
                oldest = min(known, key=lambda each: known[each].last)
                self._left.append(known.pop(oldest).slot)
            machine = known[name] = _Machine(self._free_slot())
        return machine

    def _free_slot(self) -> int:
        """One of which nothing is known; at once, as a checkpoint may come before its first sum."""
        if not self._free:
            return self._new_slot()
        slot = self._free.pop()
        self.lines.forget(np.array([slot], np.int32))
        return slot

    def _new_slot(self) -> int:
        self._slots += 1
        return self._slots - 1


def _counts(finding: Finding) -> bool:
    if finding.door == "knock" or not finding.machine:
        return False
    return finding.rarity < WEAK and finding.budget > 0.0


def _piece_of(finding: Finding) -> Piece:
    bits = MOST_BITS if not finding.rarity else min(MOST_BITS, math.log2(1 / finding.rarity))
    return Piece(
        finding.evidence.time // HOUR_US, bits, finding.agent, finding.kind, finding.detector,
        finding.technique, finding.subject, finding.evidence,
    )  # fmt: skip


def _fused(row: RareRow, made: _Sum) -> Finding:
    """The finding of the strongest part, as rare as all are together, at the time of the last."""
    last, strongest = made.finding, made.pieces[0]
    return Finding(
        order=last.order._replace(number=last.order.number + _BEHIND),
        position=last.position,
        site=last.site,
        agent=last.agent,
        kind=strongest.kind,
        detector=strongest.detector,
        technique=strongest.technique,
        subject=strongest.subject,
        machine=last.machine,
        rarity=row.rarity,
        budget=row.budget,
        evidence=strongest.evidence,
        by=FUSION,
        others=tuple(piece.evidence for piece in made.pieces[1:]),
        at=max(last.evidence.time, *(piece.evidence.time for piece in made.pieces)),
    )


def _scored(rows: Sequence[tuple[int, int, int, float]]) -> Scored:
    time, site, slot, sums = zip(*rows, strict=True) if rows else ((), (), (), ())
    count = len(rows)
    return Scored(
        -1, False, np.arange(count, dtype=np.int64), np.zeros(count, np.int32),
        np.array(time, np.int64), np.array(site, np.int32), np.array(slot, np.int32),
        np.zeros(count, np.bool_), np.array(sums, np.float64), np.zeros((count, 0)), {},
        np.arange(count, dtype=np.int64),
    )  # fmt: skip


def _slots_of(machines: Iterable[_Machine]) -> NDArray[np.int32]:
    return np.array([one.slot for one in machines], np.int32)

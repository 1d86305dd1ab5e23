"""Rare rows → findings: numbers become names, and columns the evidence of who did what to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.incidents import KNOCKS, Door, EventTime, Evidence, Finding, StepOrder
from dijkwacht_collector.policy import RareRow, Scored
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_detectors.knowledge.addresses import is_private
from dijkwacht_detectors.knowledge.held_address import HELD_ADDRESS
from dijkwacht_records.addresses import UNSPECIFIED, V4_PREFIX, format_address, format_mac

Positions = Sequence[int] | NDArray[np.int64]
"""The journal position of each row of a step."""
_ENDS: Final = frozenset({"src", "dst"})
_ADDRESSES: Final = 1 << 14
"""So many are remembered, whether they are inside."""


def finding_of(
    rare: RareRow, detector: AnyDetector, numbering: Numbering, positions: Positions
) -> Finding:
    """What an incident must know of a rare row of ``detector``."""
    scored, row = rare.scored, rare.row
    order = int(scored.order[row])
    evidence = evidence_of(scored, row, detector)
    agent = int(scored.agent[row])
    name = numbering.agents[agent][1] if agent >= 0 else ""
    door = door_of(evidence, detector)
    subject = subject_of(evidence, detector, door, name)
    return Finding(
        order=StepOrder(order, 1 if scored.windowed else 2, scored.detector, row),
        position=int(positions[order]),
        site=numbering.sites[scored.site[row]],
        agent=name,
        kind=detector.kind,
        detector=detector.name,
        technique=detector.technique,
        subject=subject,
        machine=machine_of(evidence)
        if detector.subject in _ENDS
        else _held_by(rare, detector) or subject,
        rarity=rare.rarity,
        budget=rare.budget,
        evidence=evidence,
        door=door,
    )


def subject_of(evidence: Evidence, detector: AnyDetector, door: Door, agent: str) -> str:
    """Whose incident it is, of which one is open of a class; who gets in at several machines has one at each."""
    if door == "knock":
        return knocked_at(evidence, detector)
    subject = {
        "src": format_address(evidence.src_h),
        "dst": format_address(evidence.dst_h),
        "mac": format_mac(evidence.src_mac),
        "agent": agent,
    }[detector.subject]
    if door == "entered" and is_inside(evidence.dst_h):
        return f"{subject} > {format_address(evidence.dst_h)}"
    return subject


def evidence_of(scored: Scored, row: int, detector: AnyDetector) -> Evidence:
    """Who, whom, when, how strange, and the detector's facts of one scored row."""
    who, score = detector.who, float(scored.scores[row])
    named = {column: values[row] for column, values in scored.named.items()}
    numbers = zip(detector.facts, map(float, scored.facts[row]), strict=True)
    facts = [(name_, value) for name_, value in numbers if name_ != HELD_ADDRESS]
    return Evidence(
        time=int(scored.time[row]),
        score=score,
        src_h=_address(named, who.src),
        src_mac=int(named[who.mac]) if who.mac else 0,
        dst_h=_address(named, who.dst),
        dst_p=int(named[who.port]) if who.port else 0,
        facts={"score": score} | dict(facts),
        name=named[who.name] if who.name else "",
        detector=detector.name,
    )


def _held_by(rare: RareRow, detector: AnyDetector) -> str:
    """The address that hardware held before the claim in dispute; "" if its detector knows none."""
    if HELD_ADDRESS not in detector.facts:
        return ""
    held = int(rare.scored.facts[rare.row][detector.facts.index(HELD_ADDRESS)])
    return format_address(V4_PREFIX + held.to_bytes(4, "big")) if held else ""


def machine_of(evidence: Evidence) -> str:
    """The inside end of what happened: whom, if that alone is a private address, else who."""
    who, whom = evidence.src_h, evidence.dst_h
    return format_address(whom if is_inside(whom) and not is_inside(who) else who)


def door_of(evidence: Evidence, detector: AnyDetector) -> Door:
    """Whether who did it stands outside and tried a machine inside, or what he tried came off.

    A scan or a guess from outside is a knock, of which an open door has thousands. What a detector that tells
    of somebody who got in says of one from outside, or of a machine inside that then calls there, is no knock.
    Where neither end is a private address, as in captures between public ones, nobody knows who is inside.
    """
    if detector.subject not in _ENDS or UNSPECIFIED in (evidence.src_h, evidence.dst_h):
        return ""
    if is_inside(evidence.src_h) == is_inside(evidence.dst_h):
        return ""
    if detector.entered:
        return "entered"
    return "knock" if detector.kind in KNOCKS and is_inside(evidence.dst_h) else ""


def knocked_at(evidence: Evidence, detector: AnyDetector) -> str:
    """What a knock is one of many at: of guesses the service, ``MACHINE:PORT``, of scans all of it, ``MACHINE:*``.

    Which of a machine's ports are looked at is what a scan tells, and no two ask for the same. The bare
    address is the subject of what the machine does itself, which is another matter.
    """
    machine = format_address(evidence.dst_h)
    port = "*" if detector.kind == "scan" or not evidence.dst_p else str(evidence.dst_p)
    return f"[{machine}]:{port}" if ":" in machine else f"{machine}:{port}"


def event_time_of(
    tick: tuple[int, int, int], numbering: Numbering, positions: Positions
) -> EventTime:
    """A line of `Ticks` by its site's name, at its place among findings."""
    order, agent, time = tick
    return EventTime(
        order=StepOrder(order, 0, agent, time),
        position=int(positions[order]),
        site=numbering.site_of(agent),
        agent=numbering.agents[agent][1],
        time=time,
    )


@lru_cache(_ADDRESSES)  # each finding asks several times, of addresses that come again
def is_inside(packed: bytes) -> bool:
    """A private address, packed in 16 bytes."""
    high, low = np.frombuffer(packed, ">u8").astype(np.uint64)
    return bool(is_private(high, low))


def _address(row: Mapping[str, Any], column: str) -> bytes:
    if not column:
        return UNSPECIFIED
    high, low = row[column]
    return int(high).to_bytes(8, "big") + int(low).to_bytes(8, "big")

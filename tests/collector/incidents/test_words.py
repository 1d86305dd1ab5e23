"""Which evidence the words of an incident follow, as it grows."""

from __future__ import annotations

from typing import Any

from dijkwacht_collector.incidents import (
    Evidence,
    Finding,
    Incident,
    OpenIncidents,
    StepOrder,
    fill,
)
from dijkwacht_collector.incidents.evidences import MOST_EVIDENCES
from dijkwacht_detectors.api import Explanation
from dijkwacht_records.addresses import pack_address

LAPTOP = "10.0.0.9"


def explain(detector: str, evidence: Evidence, subject: str) -> Explanation:
    said = Explanation(f"{detector} {evidence.score} at {{dst}}", "nl", "what now", "wat nu")
    return fill(said, evidence, subject)


def an_evidence(time: int, score: float, detector: str = "scan") -> Evidence:
    src, dst = pack_address(LAPTOP), pack_address(f"10.0.1.{time}")
    return Evidence(time, score, src, 0, dst, 22, {}, "", detector)


def a_finding(time: int, score: float, rarity: float, **other: Any) -> Finding:
    order = StepOrder(time, 2, 0, time)
    return Finding(
        order, time, "bakery", "till", "scan", "scan", "T1046", LAPTOP, LAPTOP, rarity, 1.0,
        an_evidence(time, score),
    )._replace(**other)  # fmt: skip


def what_is_told(*findings: Finding) -> Incident:
    incidents = OpenIncidents()
    incidents.apply(findings, (), explain)
    (incident,) = incidents.current(explain)
    return incident


def test_of_what_is_as_rare_as_can_be_the_strongest_is_told() -> None:
    scores = (5.0, 11.0, 7.0)
    found = what_is_told(*(a_finding(n, score, 1e-9) for n, score in enumerate(scores)))
    assert found.title_en == "scan 11.0 at 10.0.1.1"


def test_what_several_say_together_is_told_with_the_strongest_there_is_by_then() -> None:
    together = a_finding(0, 5.0, 1e-6, others=(an_evidence(0, 4.0, "dns"),))
    found = what_is_told(
        a_finding(0, 5.0, 0.5), a_finding(1, 9.0, 0.4),
        together._replace(order=StepOrder(2, 2, 0, 0)),
    )  # fmt: skip
    assert found.together == ("scan", "dns")
    assert found.title_en == "scan 9.0 at 10.0.1.1"
    assert "dns 4.0" in found.desc_en


def test_what_grows_is_told_though_all_together_was_rarer() -> None:
    together = a_finding(0, 5.0, 1e-6, others=(an_evidence(0, 4.0, "dns"),))
    found = what_is_told(together, a_finding(1, 9.0, 0.5), a_finding(2, 7.0, 0.5))
    assert found.title_en == "scan 9.0 at 10.0.1.1"
    assert found.rarity == 1e-6


def test_another_detector_of_the_class_changes_no_words_unless_it_is_rarer() -> None:
    together = a_finding(0, 5.0, 1e-6, others=(an_evidence(0, 4.0, "dns"),))
    other = an_evidence(1, 9.0, "arp_sweep")
    sweeps = a_finding(1, 9.0, 0.5, detector="arp_sweep", evidence=other)
    assert what_is_told(together, sweeps).title_en == "scan 5.0 at 10.0.1.0"
    rarer = sweeps._replace(rarity=1e-7)
    assert what_is_told(together, rarer).title_en == "arp_sweep 9.0 at 10.0.1.1"


def test_what_has_no_place_among_the_evidences_is_told_if_it_is_rarer() -> None:
    stronger = [a_finding(n, 9.0, 0.5) for n in range(MOST_EVIDENCES)]
    weak = a_finding(9, 1.0, 0.1, detector="arp_sweep", evidence=an_evidence(9, 1.0, "arp_sweep"))
    found = what_is_told(*stronger, weak)
    assert "arp_sweep" not in {one.detector for one in found.evidences}
    assert found.title_en == "arp_sweep 1.0 at 10.0.1.9"


def test_what_else_there_is_is_told_once_a_detector() -> None:
    sweeps = an_evidence(1, 4.0, "dns"), an_evidence(2, 3.0, "dns")
    together = a_finding(0, 5.0, 1e-6, others=sweeps)
    assert what_is_told(together).desc_en.count("dns") == 1
    again = together._replace(order=StepOrder(1, 2, 0, 0), rarity=1e-7)
    found = what_is_told(together, again)
    assert "dns 4.0" in found.desc_en
    assert "dns 3.0" not in found.desc_en

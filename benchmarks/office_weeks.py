"""False incidents of office weeks that nothing was calibrated on: how often would an owner be called?

Seeds from `FIRST_JUDGED` on, and habits that calibration never saw, through the whole engine with policy and
incidents. Every incident of medium severity or above is one too many: its detector, its score against the
line of the shipped table, and the habits whose rows it fell on. ``--habits all`` takes the others as well,
``none`` is a kind office; a family or a single habit can be named too.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import msgspec

from dijkwacht.offline import OfflineCollector, cut
from dijkwacht_collector.incidents.incident import ALERT_SEVERITY, Incident
from dijkwacht_collector.policy.calibration import load_calibration
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.calibrate import FIRST_JUDGED, TRAIN_AFTER, line_of
from dijkwacht_lab.scoreboard import poisson_interval
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_lab.traffic.authors import Authors
from dijkwacht_lab.traffic.habits import HABITS, KEPT_OUT

DAY_US = 86_400_000_000
SIZES = (5, 8, 12, 6, 20, 10, 30, 7, 15, 9, 25, 11)
"""Machines of the offices, in turn."""
BATCH_ROWS = 2_000


class FalseIncident(msgspec.Struct):
    """One incident of an office in which nothing happened."""

    seed: int
    hosts: int
    detector: str
    kind: str
    severity: int
    score: float
    line: float
    src: str
    dst: str
    port: int
    day: float
    facts: dict[str, float]
    habits: tuple[str, ...]
    title: str


def names_of(wanted: str) -> frozenset[str]:
    """``kept-out``, ``all``, ``none``, or habits and families by name, comma-separated."""
    if wanted == "kept-out":
        return KEPT_OUT
    if wanted == "all":
        return frozenset(HABITS)
    if wanted == "none":
        return frozenset()
    asked = wanted.split(",")
    found = {name for name in HABITS if name in asked or name.partition(".")[0] in asked}
    if not found:
        raise SystemExit(f"no habit or family is called {wanted}")
    return frozenset(found)


def week(
    seed: int, hosts: int, days: float, habits: frozenset[str]
) -> tuple[int, list[FalseIncident]]:
    """Rows of one office, and its false incidents. Models are trained once, as live."""
    authors = Authors()
    rate = 0.25 if hosts > 20 else 0.4
    rows = office_rows(seed, hosts, WORKING_MORNING, int(days * DAY_US), rate,
                       habits=habits, authors=authors)  # fmt: skip
    with OfflineCollector() as collector:
        collector.play_all("office", cut(rows, BATCH_ROWS), TRAIN_AFTER)
        told = [i for i in collector.outcome.final() if i.severity_id >= ALERT_SEVERITY]
        return collector.rows, [named(seed, hosts, incident, authors) for incident in told]


def named(seed: int, hosts: int, incident: Incident, authors: Authors) -> FalseIncident:
    """The incident by its strongest evidence."""
    told = incident.evidences[0]
    shares = {detector.name: detector.share for detector in shipped_detectors()}
    name = told.detector or incident.detector
    return FalseIncident(
        seed, hosts, name, incident.kind, incident.severity_id, round(told.score, 2),
        round(line_of(load_calibration(name), shares[name]), 2),
        _address(told.src_h), _address(told.dst_h), told.dst_p,
        round((incident.start - WORKING_MORNING) / DAY_US, 2), told.facts,
        authors.of(told.src_h, told.dst_h, told.src_mac), incident.title_en,
    )  # fmt: skip


def _address(packed: bytes) -> str:
    address = ipaddress.ip_address(packed)
    return str(getattr(address, "ipv4_mapped", None) or address)


def measure(offices: int, days: float, habits: frozenset[str], processes: int) -> dict[str, object]:
    """All offices; how many false incidents a site-week, with the exact Poisson interval (95 %)."""
    asked = [(FIRST_JUDGED + k, SIZES[k % len(SIZES)], days, habits) for k in range(offices)]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        told = [future.result() for future in [pool.submit(week, *each) for each in asked]]
    called = [incident for _, incidents in told for incident in incidents]
    weeks = offices * days / 7
    low, high = poisson_interval(len(called))
    return {
        "site_weeks": round(weeks, 2),
        "habits": len(habits),
        "rows": sum(rows for rows, _ in told),
        "false": len(called),
        "per_site_week": round(len(called) / weeks, 2),
        "interval": [round(low / weeks, 2), round(high / weeks, 2)],
        "incidents": [msgspec.to_builtins(incident) for incident in called],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--offices", type=int, default=12)
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument(
        "--habits", type=names_of, default=KEPT_OUT, help="kept-out, all, none, NAME,..."
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.offices, options.days, options.habits, options.processes)
    if options.json:
        print(json.dumps(found))
        return
    incidents = found.pop("incidents")
    for told in incidents:
        print("{seed} {hosts:>2} machines, day {day}: {detector} {score} (line {line}) {src} -> {dst}:{port} "
              "severity {severity}; {habits}; {title}".format(**told))  # fmt: skip
    print(json.dumps(found))


if __name__ == "__main__":
    main()

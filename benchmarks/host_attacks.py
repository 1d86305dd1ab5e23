"""Which attacks on a machine are told, and how often a machine is told for nothing.

Generated machines that no calibration has seen, with jobs that none has: each is watched for a week and a
day, then attacked once, at a moment drawn at random; told is what passes the line of the shipped table
within the attack. The others are watched for weeks without one: what passes the line then, anew, is false.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final, NamedTuple

import numpy as np

from dijkwacht_collector.policy.calibration import load_calibration
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.calibrate import FIRST_JUDGED, line_of
from dijkwacht_lab.machine_hours import MACHINE_DETECTORS, opinions
from dijkwacht_lab.reached import Peaks
from dijkwacht_lab.traffic.machine_days import (
    ATTACKS,
    JOBS,
    MONDAY_US,
    READING_US,
    READINGS,
    UNSEEN,
    Activity,
    Machine,
)

_WATCHED: Final = 8
_FALSE_DAYS: Final = 28


class Told(NamedTuple):
    """One attack: who told it, and after how many minutes; infinite if nobody did."""

    kind: str
    attack: str
    minutes: dict[str, float]


def machine(seed: int) -> Machine:
    """One with all jobs that there are."""
    return Machine(seed, (*JOBS, *UNSEEN))


def lines() -> dict[str, float]:
    """The lines of the shipped tables, by detector."""
    return {
        d.name: line_of(load_calibration(d.name), d.share)
        for d in shipped_detectors()
        if d.name in MACHINE_DETECTORS
    }


def attacked(seed: int, attack: str) -> Told:
    """An attack while the machine is on."""
    job, rng, its = ATTACKS[attack], np.random.default_rng([seed, len(attack)]), machine(seed)
    hours = rng.uniform(0, 24) if its.always_on else rng.uniform(9, 15)
    begin = _WATCHED * READINGS + int(hours * READINGS / 24)
    end = begin + int(rng.uniform(*job.minutes) * READINGS / 1440)
    line, minutes = lines(), {}
    for detector in shipped_detectors():
        if detector.name not in MACHINE_DETECTORS:
            continue
        minutes[detector.name] = math.inf
        days = machine(seed).days(_WATCHED + 2, [Activity(begin, end, job.effects)])
        for told in opinions(detector, days):
            reading = (told.time - MONDAY_US) // READING_US
            over = (reading > begin) & (reading <= end + 1) & (told.scores >= line[detector.name])
            if over.any() and math.isinf(minutes[detector.name]):
                minutes[detector.name] = float(reading[over][0] - begin) * READING_US / 6e7
    return Told(its.kind, attack, minutes)


def false_hours(seed: int) -> dict[str, int]:
    """Hours in which a machine without an attack passes a line anew, by detector."""
    line, found = lines(), {}
    for detector in shipped_detectors():
        if detector.name in MACHINE_DETECTORS:
            peaks = Peaks()
            for told in opinions(detector, machine(seed).days(_FALSE_DAYS, first=seed % 7)):
                peaks.note(told)
            found[detector.name] = sum(
                1 for low, high in peaks.reached() if high >= line[detector.name] > low
            )
    return found


def measure(machines: int, quiet: int, processes: int) -> dict[str, object]:
    """Shares of attacks told, and false hours a site-week."""
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        asked = [
            pool.submit(attacked, FIRST_JUDGED + n, attack)
            for n in range(machines) for attack in ATTACKS
        ]  # fmt: skip
        quietly = [pool.submit(false_hours, FIRST_JUDGED + 500 + n) for n in range(quiet)]
        told = [future.result() for future in asked]
        false = [future.result() for future in quietly]
    weeks = quiet * _FALSE_DAYS / 7
    return {
        "lines": {name: round(line, 2) for name, line in lines().items()},
        "attacks": {attack: _summary([t for t in told if t.attack == attack]) for attack in ATTACKS},
        "site_weeks": weeks,
        "false_a_site_week": {
            name: round(sum(f[name] for f in false) / max(weeks, 1), 3) for name in MACHINE_DETECTORS
        },
    }  # fmt: skip


def _summary(told: Sequence[Told]) -> dict[str, object]:
    found: dict[str, object] = {"of": len(told)}
    for name in (*MACHINE_DETECTORS, "either"):
        took = [min(t.minutes.values()) if name == "either" else t.minutes[name] for t in told]
        heard = [minutes for minutes in took if math.isfinite(minutes)]
        found[name] = len(heard)
        found[f"{name}_minutes"] = round(statistics.median(heard), 1) if heard else None
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--machines", type=int, default=12, help="machines attacked in each way")
    parser.add_argument("--quiet", type=int, default=12, help="machines that are not attacked")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.machines, options.quiet, options.processes)
    if options.json:
        print(json.dumps(found))
        return
    attacks = found.pop("attacks")
    assert isinstance(attacks, dict)
    print("| attack | of | " + " | ".join((*MACHINE_DETECTORS, "either")) + " | median minutes |")
    print("|---|---:|---:|---:|---:|---:|")
    for attack, told in attacks.items():
        names = (*MACHINE_DETECTORS, "either", "either_minutes")
        print(
            f"| {attack} | {told['of']} | " + " | ".join(str(told[name]) for name in names) + " |"
        )
    print(json.dumps(found))


if __name__ == "__main__":
    main()

"""Is an attack on a machine told in its first minutes, of whose habits nothing is known yet?

Each CSV of the folders' ``hostmetric`` is a machine that is watched for minutes, idle and then attacked. All
detectors of machines score it from a cold start, at the tables in force; `unlike_others` has a model of
generated machines, trained ``--cohorts`` times, each time on others. Then machines with jobs that no
calibration knows are watched for a week from their first reading on: what is told of them is false.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from dijkwacht_collector.policy import Calibrations
from dijkwacht_collector.readers.metrics import MetricsReader
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_detectors.checks import Harness
from dijkwacht_detectors.host_load import HostLoad
from dijkwacht_detectors.system import System
from dijkwacht_detectors.unlike_others import UnlikeOthers
from dijkwacht_lab.calibrate import FIRST_JUDGED, line_of
from dijkwacht_lab.machine_hours import COHORT, opinions, strongest, with_model
from dijkwacht_lab.traffic.machine_days import JOBS, UNSEEN, Machine
from dijkwacht_records.tables import TABLE

_METRIC, _VALUE = (TABLE["system"].index(c) for c in ("metric", "value"))
_ONE_A_WEEK: Final = 1.0
Sample = dict[str, object]


def samples(path: Path) -> Iterator[tuple[str, list[Sample]]]:
    """Of each line its mode, and its rows."""
    reader = MetricsReader(path, lambda _: True)
    with path.open(encoding="utf-8-sig", newline="") as table:
        modes = iter([line["Mode"] for line in csv.DictReader(table)])
    with path.open("rb") as lines:
        for line in lines:
            rows = reader.read(line.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n"))
            if rows is not None:
                told = [{"time": r[0], "metric": r[_METRIC], "value": r[_VALUE]} for _, r in rows]
                yield next(modes), told


def of_file(path: Path, detectors: Sequence[AnyDetector]) -> dict[str, tuple[float, float]]:
    """By detector the strongest score before the attack, and while it lasts."""
    lines = list(samples(path))
    begin = next(n for n, (mode, _) in enumerate(lines) if mode == "Attack")
    attacked = [rows for mode, rows in lines[begin:] if mode == "Attack"]
    told = {}
    for detector in detectors:
        harness = Harness(detector, [])
        parts = [rows for _, rows in lines[:begin]], attacked
        scores = [harness.feed([row for rows in part for row in rows])[0] for part in parts]
        told[detector.name] = tuple(float(np.nan_to_num(part).max()) for part in scores)
    return told  # type: ignore[return-value]


def lines_in_force() -> dict[str, float]:
    """By detector the score from which it interrupts a site that has chosen nothing."""
    calibrations = Calibrations()
    return {
        each.name: line_of(calibrations.table(each), each.share * _ONE_A_WEEK)
        for each in (System(), HostLoad(), UnlikeOthers())
    }


def measure(folders: Sequence[Path], cohorts: int, machines: int) -> dict[str, object]:
    """Everything, as numbers."""
    lines = lines_in_force()
    seeds = [range(COHORT.start + 100 * n, COHORT.stop + 100 * n) for n in range(cohorts)]
    files = sorted(path for folder in folders for path in folder.glob("hostmetrics-*.csv"))
    told = []
    for path in files:
        alone = of_file(path, [System(), HostLoad()])
        with_others = [
            of_file(path, [with_model(UnlikeOthers(), s)])["unlike_others"] for s in seeds
        ]
        told.append({
            "file": path.stem.partition("preprocessed_")[2] or path.stem,
            **{name: round(attack, 1) for name, (_, attack) in alone.items()},
            "before": [round(before, 1) for before, _ in with_others],
            "unlike_others": [round(attack, 1) for _, attack in with_others],
        })  # fmt: skip
    false = sum(
        strongest(list(opinions(with_model(UnlikeOthers(), seeds[n % cohorts]), machine.days(7))))
        >= lines["unlike_others"]
        for n in range(machines)
        for machine in [Machine(FIRST_JUDGED + n, (*JOBS, *UNSEEN))]
    )
    return {"lines": lines, "files": told, "machine_weeks": machines, "false": false}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+", help="folders of hostmetrics-*.csv")
    parser.add_argument("--cohorts", type=int, default=3)
    parser.add_argument("--machines", type=int, default=24)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.folders, options.cohorts, options.machines)
    if options.json:
        print(json.dumps(found))
        return
    print("lines:", ", ".join(f"{name} {line:.1f}" for name, line in found["lines"].items()))  # type: ignore[attr-defined]
    for line in found["files"]:  # type: ignore[attr-defined]
        print("| " + " | ".join(str(value) for value in line.values()) + " |")
    print(f"false: {found['false']} machines of {found['machine_weeks']} in their first week")


if __name__ == "__main__":
    main()

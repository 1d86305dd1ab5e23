"""Makes the table of `fusion`: how often several families find a benign machine rare together.

``python -m dijkwacht_lab.calibrate_fusion LABELS.csv [LABELS.csv ...] --to FOLDER`` comes after
`dijkwacht_lab.calibrate`, on the same captures and offices: what is rare is what the tables say that it made.
The policy runs too, as live, for what a site has taught is not rare there.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_collector.policy import FUSION, FUSION_SHARE
from dijkwacht_collector.policy.spending import HIGH_FACTOR
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.calibrate import (
    LEARNED,
    TRAIN_AFTER,
    Office,
    benign_files,
    file_rows,
    fit_seen,
    line_of,
    rows_of_office,
    steps_of,
)
from dijkwacht_lab.judging import Judging
from dijkwacht_lab.labels import Labelled, attackers
from dijkwacht_lab.reached import Hours, Peaks, SiteHours, seen_by_network
from dijkwacht_lab.scoring import Scoring
from dijkwacht_records.errors import UnreadableInput
from dijkwacht_records.tables import Row

EXPECTED: Final = (4.5, 0.1)
"""Imagined hours (see `dijkwacht_lab.calibrate`): once in ten site-weeks two families agree on 4.5 bits, each on
a machine that nobody attacks: a new program that both have a word for. In generated offices that is rarer."""


def fused_hours_of(
    rows: Iterable[tuple[int, Row]], train_after: int = 0, *, generated: bool = False
) -> SiteHours:
    """Hours of one site's rows, as `calibrate.hours_of`: the sums of its machines."""
    scoring = Scoring([d for d in shipped_detectors() if d.interrupts])
    judging, peaks, hours = Judging(scoring.host.detectors), Peaks(), set[int]()
    for told in steps_of(scoring, rows, hours, train_after):
        evidence = judging.evidence(told, scoring.numbering)
        scored, _ = judging.fusion.sums((finding for _, finding in evidence), scoring.numbering)
        peaks.note(scored)
    return SiteHours(len(hours), {FUSION: peaks.reached()}, generated)


def fused_hours_of_file(item: Labelled) -> SiteHours:
    """Hours of one benign capture."""
    return fused_hours_of(file_rows(item.path, attackers(item)))


def fused_hours_of_office(office: Office, days: float) -> SiteHours:
    """Hours of one generated office, ``days`` from a Monday morning."""
    return fused_hours_of(rows_of_office(office, days), TRAIN_AFTER, generated=True)


def main(arguments: Sequence[str]) -> int:
    """Make the table, and say what it rests on."""
    parser = argparse.ArgumentParser(
        prog="calibrate_fusion", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("labels", type=Path, nargs="*", help="lists of labelled captures")
    parser.add_argument("--to", type=Path, required=True, help="the folder of the tables")
    parser.add_argument("--days", type=float, default=7, help="days of each generated office")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    try:
        files = benign_files(options.labels, "A")
    except UnreadableInput as error:
        parser.error(str(error))
    hours = Hours()
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        largest = sorted(LEARNED, key=lambda office: -office.hosts)
        told: list[Future[SiteHours]] = [
            pool.submit(fused_hours_of_office, each, options.days) for each in largest
        ]
        told += [pool.submit(fused_hours_of_file, item) for item in files]
        hours.sites += [future.result() for future in told]
    made = (
        f"half of the benign captures and {len(LEARNED)} generated offices with habits, {hours.hours} hours; "
        "most bits of a machine an hour, log-linear tail, and imagined hours (see docs/detection.md)"
    )
    table = fit_seen(FUSION, EXPECTED, FUSION_SHARE, seen_by_network(FUSION, hours), made)
    (options.to / f"{FUSION}.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(table), indent=1) + b"\n"
    )
    strongest = sorted(hours.peaks(FUSION))[-8:]
    line, high = line_of(table, FUSION_SHARE), line_of(table, FUSION_SHARE / HIGH_FACTOR)
    sys.stdout.write(
        f"fusion line {line:.2f} high {high:.2f}; {hours.hours} h, {len(hours.peaks(FUSION))} sums, the highest "
        f"{' '.join(f'{score:.2f}' for score in strongest)}\n"
    )
    return 0 if math.isfinite(line) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

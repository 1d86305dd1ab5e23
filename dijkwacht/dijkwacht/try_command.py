"""The strangest rows of a recording under one detector. No collector, no policy: only scores.

DETECTOR.py holds a subclass of SiteDetector, WindowDetector or RowDetector; the detector contract is
in dijkwacht_detectors/api.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dijkwacht.own_detectors import add_detectors
from dijkwacht.progress import clock_text, counted, report, report_problems
from dijkwacht.recording import PATHS, Recorded, add_local
from dijkwacht.shadow import report_shadow
from dijkwacht.silence import remarks
from dijkwacht.strangest import Strange, Tryout
from dijkwacht_collector.engine import DetectorSet
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_detectors.discover import load_detectors, shipped_detectors
from dijkwacht_records.errors import SettingsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add = parser.add_argument
    add("detector", type=Path, metavar="DETECTOR.py", help="a file with a detector")
    add("paths", nargs="+", type=Path, metavar="PATH", help=PATHS)
    add(
        "--top",
        type=int,
        default=20,
        metavar="N",
        help="how many lines, each the strongest row of one who, whom and port (default: 20)",
    )
    add_local(parser)
    add_detectors(parser)
    add("--json", action="store_true", help="JSON lines instead of a table")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if anything was readable, 2 if nothing was."""
    chosen = DetectorSet.with_own(args.detectors)
    detectors = _beside(args.detector, chosen)
    report_shadow(_with_tables(args, chosen, detectors), detectors)
    tryout = Tryout(detectors, max(1, args.top))
    recorded = Recorded(args.paths, args.local)
    report(recorded.inside.describe())
    tryout.play(counted(recorded.rows(), "rows"))
    report_problems(recorded)
    found = tryout.strangest()
    if args.json:
        for row in found:
            sys.stdout.buffer.write(msgspec.json.encode(row) + b"\n")
    else:
        sys.stdout.write(table(found))
    report(f"{tryout.scored:,} scores on {tryout.rows:,} rows")
    for remark in remarks(tryout, found):
        report(remark)
    return 0 if recorded.readable else 2


def _with_tables(
    args: argparse.Namespace, chosen: DetectorSet, detectors: Sequence[AnyDetector]
) -> DetectorSet:
    """All that is tried as one's own, each with the table beside it; what is shipped has the shipped one."""
    shipped = {detector.name for detector in shipped_detectors()}
    if any(detector.name in shipped for detector in detectors):
        return chosen
    return DetectorSet.with_own([args.detector, *args.detectors])


def _beside(path: Path, chosen: DetectorSet) -> list[AnyDetector]:
    """The detectors of the file and those chosen beside it; the file may be one of theirs, too."""
    files = chosen.own_files()
    if path.resolve() in {file.resolve() for file in files.values()}:
        return list(chosen.own)
    detectors = load_detectors(path)
    for detector in detectors:
        if detector.name in files:
            raise SettingsError(
                f"{path}: {files[detector.name]} has a detector named {detector.name}, too"
            )
    return [*detectors, *chosen.own]


def table(found: Sequence[Strange]) -> str:
    """Strange rows for people, strangest first."""
    if not found:
        return "no row got a score\n"
    lines = [f"{'score':>10}  {'when':<19}  {'who':<22}  {'whom':<28}  why"]
    for row in found:
        whom = f"{row.dst}:{row.port}" if row.port else row.dst
        lines.append(
            f"{row.score:>10.4g}  {clock_text(row.time):<19}  {row.src:<22}  "
            f"{whom or row.name:<28}  {row.sentence}"
        )
    return "\n".join(lines) + "\n"

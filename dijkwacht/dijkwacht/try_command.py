"""The strangest rows of a recording under one detector. No collector, no policy: only scores.

DETECTOR.py holds a subclass of SiteDetector, WindowDetector or RowDetector; the detector contract is
in dijkwacht_detectors/api.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dijkwacht.blocks import strange_blocks
from dijkwacht.ctrl_c import CtrlC
from dijkwacht.own_detectors import add_detectors
from dijkwacht.progress import counted, report, report_problems
from dijkwacht.recording import PATHS, Recorded, add_local
from dijkwacht.shadow import report_shadow
from dijkwacht.silence import remarks
from dijkwacht.strangest import Tryout
from dijkwacht.terminal import Screen, add_output, for_people, json_line, write_text
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
    add_output(parser, "one row a block")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if anything was readable, 2 if nothing was."""
    if args.top < 1:
        raise SettingsError(f"--top {args.top}: at least 1")
    chosen = DetectorSet.with_own(args.detectors)
    detectors = _beside(args.detector, chosen)
    report_shadow(_with_tables(args, chosen, detectors), detectors)
    tryout = Tryout(detectors, args.top)
    recorded = Recorded(args.paths, args.local)
    report(recorded.inside.describe())
    with CtrlC() as ctrl_c:
        tryout.play(counted(ctrl_c.until(recorded.rows()), "rows"))
        report_problems(recorded)
        found = tryout.strangest()
        if for_people(args):
            write_text(strange_blocks(found, Screen.of(sys.stdout)))
        else:
            sys.stdout.buffer.writelines(map(json_line, found))
            sys.stdout.buffer.flush()
        report(f"{tryout.scored:,} scores on {tryout.rows:,} rows")
        ctrl_c.raise_if_came()
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

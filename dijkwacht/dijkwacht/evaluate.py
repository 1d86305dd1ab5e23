"""The scoreboard: replay labelled captures, each from a cold start, and hold the result against the truth.

LABELS.csv has the columns kind, file, label_rule and n; the files lie beside it. Several lists make one
scoreboard. Labels are read by the scoreboard alone, never by what is scored.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from dijkwacht.detector_sets import add_sets, check_sets, detectors_beside, write_html
from dijkwacht.own_detectors import add_detectors
from dijkwacht.peers import add_peers, check_peers, peers_beside
from dijkwacht.progress import counted, report
from dijkwacht.recording import add_local
from dijkwacht.revision import source_revision
from dijkwacht.shadow import report_shadow
from dijkwacht.trials import Trial, play
from dijkwacht_collector.engine import DetectorSet
from dijkwacht_lab.halves import choose_half
from dijkwacht_lab.labels import Labelled, read_lists
from dijkwacht_lab.peers.comparison import compared, comparison_table
from dijkwacht_lab.scoreboard import Judged, final_line, summary, table
from dijkwacht_records.errors import SettingsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add = parser.add_argument
    add(
        "labels",
        nargs="+",
        type=Path,
        metavar="LABELS.csv",
        help="lists of labelled files; every option holds for each",
    )
    add(
        "--only",
        nargs="+",
        default=[],
        metavar="CLASS",
        help="these classes only: scan dns benign robust …",
    )
    add(
        "--half",
        choices=("A", "B"),
        help="half of the attacks, by author, and of what is benign: build on A, measure on B",
    )
    add(
        "--final",
        action="store_true",
        help="half B is looked at once, when all is done: print the line for docs/detection.md",
    )
    add(
        "--without",
        nargs="+",
        default=[],
        metavar="DETECTOR",
        help="leave out these of the shipped detectors, or 'fusion' of them, to see what they are worth",
    )
    add(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="files at a time (default: cores)",
    )
    add_local(parser)
    add_detectors(parser)
    add_sets(parser)
    add_peers(parser)
    add("--json", action="store_true", help="one JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if anything was readable, 2 if nothing was."""
    if args.jobs < 1:
        raise SettingsError(f"--jobs {args.jobs}: at least 1")
    listed, again = read_lists(args.labels)
    if again:
        named = f"{again[0].kind} {again[0].path}"
        report(f"listed twice, counted once: {named}, {len(again)} in all")
    if args.half == "B" and not args.final:
        raise SettingsError(
            "--half B: looked at to the end it is another half A; --final if you are done"
        )
    everything = listed
    if args.half:
        listed = choose_half(listed, args.half)
        if not listed:
            raise SettingsError(f"--half {args.half}: none of the listed files is in it")
    known = {labelled.class_ for labelled in listed}
    if unknown := set(args.only) - known:
        raise SettingsError(f"--only {min(unknown)}: one of {' '.join(sorted(known))}")
    chosen = [labelled for labelled in listed if not args.only or labelled.class_ in args.only]
    check_sets(args)
    check_peers(args, chosen)
    report_shadow(DetectorSet.with_own(args.detectors, args.without))
    judging = evaluate(chosen, args.jobs, args.local, args.detectors, args.without)
    judged = list(counted(judging, "files", len(chosen)))
    judged.sort(key=lambda j: (j.labelled.kind, j.labelled.file))
    result = summary(judged)
    by_detector = detectors_beside(args, judged, result)
    result["peers"] = compared(peers_beside(args, everything, judged))
    if args.json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    else:
        beside = by_detector + comparison_table(result, result["peers"])
        sys.stdout.write(table(result) + beside + "\n")
    write_html(args, result)
    if args.final:
        report(final_line(result, args.half or "A and B", source_revision()))
    return 0 if any(not j.outcome.refused for j in judged) else 2


def evaluate(
    chosen: Sequence[Labelled],
    jobs: int = 1,
    local: Sequence[str] = (),
    own: Sequence[Path] = (),
    without: Sequence[str] = (),
) -> Iterator[Judged]:
    """Replay and judge files, ``jobs`` at a time, in the order in which they are done.

    ``own``: files and folders of detectors of one's own; ``without``: those shipped that are left out.
    """
    trials = [Trial(labelled, frozenset(without)) for labelled in chosen]
    for _, judged in play(trials, jobs, local, own):
        yield judged

"""What `dijkwacht evaluate` tells of detectors: a row each, another set on the same files, a page."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from dijkwacht.progress import counted, report
from dijkwacht.revision import source_revision
from dijkwacht.shadow import report_shadow
from dijkwacht.trials import Trial, play
from dijkwacht_collector.engine import DetectorSet
from dijkwacht_lab.by_detector import (
    by_detector,
    detector_table,
    entrants_of,
    promise_in_all,
    scores_of,
    to_leave_out,
    why_missed,
)
from dijkwacht_lab.paired import paired, paired_text
from dijkwacht_lab.scoreboard import Judged
from dijkwacht_lab.scoreboard_page import check_writable, scoreboard_page, write_page
from dijkwacht_records.errors import SettingsError

SHIPPED: Final = "shipped"


def add_sets(parser: argparse.ArgumentParser) -> None:
    """Declare ``--against``, ``--once`` and ``--html``."""
    add = parser.add_argument
    add(
        "--against",
        action="append",
        default=[],
        metavar="SET",
        help="judge the files by another set of detectors too, and list what differs: "
        f"'{SHIPPED}', or a folder or file of one's own beside those (may be repeated)",
    )
    add(
        "--once",
        action="store_true",
        help="each file once: half the time, and nobody learns who catches what alone",
    )
    add("--html", type=Path, metavar="FILE", help="write the scoreboard as a page with plots, too")


def check_sets(args: argparse.Namespace) -> None:
    """Refuse now what would fail at the end. Raises `SettingsError`."""
    if args.html is not None:
        check_writable(args.html)
    if not args.against:
        return
    if not (other := _other(args)) and not (args.detectors or args.without):
        raise SettingsError(f"--against {SHIPPED}: the same set; give --detectors or --without")
    report_shadow(DetectorSet.with_own(other), report=lambda line: report(f"against: {line}"))


def detectors_beside(
    args: argparse.Namespace, judged: Sequence[Judged], result: dict[str, Any]
) -> str:
    """Put into ``result`` what there is to tell of detectors; the same for people, after a line break.

    Of own detectors whose files have one name, in both sets, the one loaded last is whole: this loads the other
    set when the first has judged all it has to.
    """
    entrants = entrants_of(DetectorSet.with_own(args.detectors, args.without))
    lines = [j for j in judged if j.labelled.class_ != "robust"]
    alone = None if args.once else _caught_alone(lines, args)
    result["detectors"] = by_detector(judged, entrants, alone)
    result["promise"] = promise_in_all(judged, entrants)
    for line, one in zip(result["files"], lines, strict=True):
        line["scores"] = scores_of(one, entrants)
        line["why_missed"] = why_missed(one, entrants)
    text = [detector_table(result["detectors"], result["promise"])] if lines else []
    if args.against:
        named, trials = " ".join(args.against), [Trial(j.labelled) for j in lines]
        played = play(trials, args.jobs, args.local, _other(args))
        there = [j for _, j in counted(played, f"files by {named}", len(trials))]
        pairs = paired(lines, there)
        result["against"] = {"set": named, **pairs}
        text.append(paired_text(pairs, named))
    return "".join(f"\n{part}" for part in text)


def write_html(args: argparse.Namespace, result: dict[str, Any]) -> None:
    """Write the page, if one is wanted. Raises `SettingsError`."""
    if args.html is not None:
        write_page(args.html, scoreboard_page(result, args.half or "", source_revision()))


def _other(args: argparse.Namespace) -> list[Path]:
    """Where the own detectors of the other set are."""
    return [Path(name) for name in args.against if name != SHIPPED]


def _caught_alone(judged: Iterable[Judged], args: argparse.Namespace) -> dict[str, list[str]]:
    """Detector → files that are missed without it. Each is judged once more, without whoever had a say."""
    due = to_leave_out(judged)
    trials = [Trial(j.labelled, frozenset({*args.without, name})) for j, name in due]
    whom = {
        (trial.labelled, trial.without): name for trial, (_, name) in zip(trials, due, strict=True)
    }
    missed: dict[str, list[str]] = {}
    played = play(trials, args.jobs, args.local, args.detectors)
    for trial, again in counted(played, "files without one detector", len(trials)):
        if again.status != "caught":
            missed.setdefault(whom[trial.labelled, trial.without], []).append(trial.labelled.file)
    return missed

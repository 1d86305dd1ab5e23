"""The scoreboard: replay labelled captures, each from a cold start, and hold the result against the truth.

LABELS.csv has the columns kind, file, label_rule and n; the files lie beside it. Several lists make one
scoreboard. Labels are read by the scoreboard alone, never by what is scored.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from dijkwacht.kernels import compile_kernels
from dijkwacht.offline import NumberedRow, OfflineCollector, cut
from dijkwacht.own_detectors import add_detectors
from dijkwacht.progress import counted, log_for_people, report
from dijkwacht.recording import Recorded, add_local
from dijkwacht.revision import source_revision
from dijkwacht.score_watch import ScoreWatch
from dijkwacht.shadow import report_shadow
from dijkwacht.stopwatch import spent_by
from dijkwacht_collector.engine import DetectorSet
from dijkwacht_collector.engine.warmup import warm_up
from dijkwacht_detectors.api import SiteDetector
from dijkwacht_lab.by_detector import (
    Entrant,
    by_detector,
    detector_table,
    entrants_of,
    promise_in_all,
    scores_of,
    to_leave_out,
    why_missed,
)
from dijkwacht_lab.halves import choose_half
from dijkwacht_lab.labels import Labelled, read_lists
from dijkwacht_lab.paired import paired, paired_text
from dijkwacht_lab.scoreboard import Judged, Outcome, Watched, final_line, judge, summary, table
from dijkwacht_lab.scoreboard_page import check_writable, scoreboard_page, write_page
from dijkwacht_records.errors import DijkwachtError, SettingsError
from dijkwacht_records.tables import FLOWS

BATCH_ROWS: Final = 100
"""Small, so that the time to detect is exact to a few rows."""
SHIPPED: Final = "shipped"
_PART: Final = FLOWS.index("part")


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
        help="leave out these of the shipped detectors, to see what they are worth",
    )
    add(
        "--against",
        action="append",
        default=[],
        metavar="SET",
        help=f"judge the files by another set of detectors too, and list what differs: '{SHIPPED}', "
        "or a folder or a file of one's own beside those shipped (may be repeated)",
    )
    add(
        "--once",
        action="store_true",
        help="each file once: half the time, and nobody learns who catches what alone",
    )
    add("--html", type=Path, metavar="FILE", help="write a page with plots, too")
    add(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="files at a time (default: cores)",
    )
    add_local(parser)
    add_detectors(parser)
    add("--json", action="store_true", help="one JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if anything was readable, 2 if nothing was."""
    chosen = _chosen(args)
    other = _other_set(args)
    if args.html is not None:
        check_writable(args.html)
    detectors = DetectorSet.with_own(args.detectors, args.without)
    report_shadow(detectors)
    entrants = entrants_of(detectors)
    judging = evaluate(chosen, args.jobs, args.local, args.detectors, args.without)
    judged = list(counted(judging, "files", len(chosen)))
    judged.sort(key=lambda j: (j.labelled.kind, j.labelled.file))
    result = summary(judged)
    alone = None if args.once else _caught_alone(judged, args)
    result |= _of_detectors(judged, entrants, alone, result["files"])
    text = [table(result)]
    if result["files"]:
        text.append(detector_table(result["detectors"], result["promise"]))
    if other is not None:
        named, files = " ".join(args.against), [j.labelled for j in _not_robust(judged)]
        judging = evaluate(files, args.jobs, args.local, other)
        pairs = paired(judged, counted(judging, f"files by {named}", len(files)))
        result["against"] = {"set": named, **pairs}
        text.append(paired_text(pairs, named))
    if args.json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    else:
        sys.stdout.write("\n".join(text) + "\n")
    if args.html is not None:
        write_page(args.html, scoreboard_page(result, args.half or "", source_revision()))
    if args.final:
        report(final_line(result, args.half or "A and B", source_revision()))
    return 0 if any(not j.outcome.refused for j in judged) else 2


def _other_set(args: argparse.Namespace) -> list[Path] | None:
    """Where the own detectors of the set of ``--against`` are; None if there is no such set.

    Raises `SettingsError`. It is loaded again after the first set is done with: of two files of one name, the
    one that was loaded last is whole.
    """
    if not args.against:
        return None
    other = [Path(name) for name in args.against if name != SHIPPED]
    if not (other or args.detectors or args.without):
        raise SettingsError(f"--against {SHIPPED}: the same set; give --detectors or --without")
    report_shadow(DetectorSet.with_own(other), report=lambda line: report(f"against: {line}"))
    return other


def _of_detectors(
    judged: Sequence[Judged],
    entrants: Sequence[Entrant],
    alone: dict[str, list[str]] | None,
    lines: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """Rows by detector and the promise; each of the ``lines`` of files learns its scores, too."""
    for line, one in zip(lines, _not_robust(judged), strict=True):
        line["scores"] = scores_of(one, entrants)
        line["why_missed"] = why_missed(one, entrants)
    return {
        "detectors": by_detector(judged, entrants, alone),
        "promise": promise_in_all(judged, entrants),
    }


def _chosen(args: argparse.Namespace) -> list[Labelled]:
    """The files that were asked for. Raises `SettingsError`."""
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
    if args.half:
        listed = choose_half(listed, args.half)
        if not listed:
            raise SettingsError(f"--half {args.half}: none of the listed files is in it")
    known = {labelled.class_ for labelled in listed}
    if unknown := set(args.only) - known:
        raise SettingsError(f"--only {min(unknown)}: one of {' '.join(sorted(known))}")
    return [labelled for labelled in listed if not args.only or labelled.class_ in args.only]


def _not_robust(judged: Iterable[Judged]) -> list[Judged]:
    return [j for j in judged if j.labelled.class_ != "robust"]


def _caught_alone(judged: Sequence[Judged], args: argparse.Namespace) -> dict[str, list[str]]:
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


@dataclass(frozen=True, slots=True)
class Trial:
    """One file to judge, ``without`` some detectors, shipped or one's own, by name."""

    labelled: Labelled
    without: frozenset[str] = frozenset()


def evaluate(
    chosen: Sequence[Labelled],
    jobs: int = 1,
    local: Sequence[str] = (),
    own: Sequence[Path] = (),
    without: Sequence[str] = (),
) -> Iterator[Judged]:
    """Replay and judge files, ``jobs`` at a time, in the order in which they are done.

    ``own``: files and folders of detectors of one's own; ``without``: those that are left out.
    """
    trials = [Trial(labelled, frozenset(without)) for labelled in chosen]
    for _, judged in play(trials, jobs, local, own):
        yield judged


def play(
    trials: Sequence[Trial], jobs: int = 1, local: Sequence[str] = (), own: Sequence[Path] = ()
) -> Iterator[tuple[Trial, Judged]]:
    """The same of each trial, with what was tried."""
    compile_kernels()  # nobody's time to detect, and nothing of the cost
    if jobs == 1:
        detectors = _loaded(own)
        for trial in trials:
            yield (
                trial,
                judge(
                    trial.labelled, replay_file(trial.labelled.path, local, _left(detectors, trial))
                ),
            )
        return
    # Fresh processes: a fork would copy this one's threads in whatever state they are.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=fresh, initializer=_begin) as pool:
        running = {pool.submit(_replay_there, trial, local, tuple(own)): trial for trial in trials}
        for future in as_completed(running):
            yield running[future], judge(running[future].labelled, future.result())


def _begin() -> None:
    log_for_people()
    compile_kernels()


def _replay_there(trial: Trial, local: Sequence[str], own: tuple[Path, ...]) -> Outcome:
    return replay_file(trial.labelled.path, local, _left(_loaded_here(own), trial))


@cache
def _loaded_here(own: tuple[Path, ...]) -> DetectorSet:
    """One's own are loaded in each process, once: classes of a file cannot be sent to another."""
    return _loaded(own)


def _loaded(own: Sequence[Path]) -> DetectorSet:
    detectors = DetectorSet.with_own(own)
    # What compiles does so here, or it would be the first file's cost.
    if compiled := [one for one in detectors.own if not isinstance(one, SiteDetector)]:
        warm_up(compiled)
    return detectors


def _left(detectors: DetectorSet, trial: Trial) -> DetectorSet:
    own = tuple(one for one in detectors.own if one.name not in trial.without)
    return replace(detectors, own=own, without=trial.without)


def replay_file(
    path: Path, local: Sequence[str] = (), detectors: DetectorSet | None = None
) -> Outcome:
    """One file from a cold start. What should never happen is caught and reported as a crash."""
    began, cpu = time.monotonic(), time.process_time()
    watched, counts = Watched(), [0, 0]
    detectors = detectors or DetectorSet()
    watch = ScoreWatch(detectors, [one.name for one in detectors.detectors()])
    try:
        recorded = Recorded([path], local)
        with OfflineCollector(detectors=detectors, watch=watch) as collector:
            spent = spent_by(collector.hosted)
            for batch in cut(_watch(recorded.rows(), watched, counts), BATCH_ROWS):
                collector.play("lab", batch)
            collector.finish()
            outcome = collector.outcome
    except DijkwachtError as error:
        return Outcome(refused=str(error))
    except Exception as error:  # noqa: BLE001  # the scoreboard is there to show what should not happen
        return Outcome(crash=f"{type(error).__name__}: {error}", wall_s=time.monotonic() - began)
    return Outcome(
        incidents=outcome.final(),
        noticed=outcome.first_alert,
        first=watched.first or 0,
        watched_s=watched.seconds,
        packets=recorded.packets,
        rows=counts[0],
        flows=counts[1],
        cpu_s=time.process_time() - cpu - watch.cpu_s,
        wall_s=time.monotonic() - began,
        refused=""
        if recorded.readable
        else "; ".join(map(str, (*recorded.problems, *recorded.damage))),
        scored={name: (heard.rows, heard.strongest) for name, heard in watch.heard.items()},
        spent_s=spent,
    )


def _watch(
    rows: Iterator[NumberedRow], watched: Watched, counts: list[int]
) -> Iterator[NumberedRow]:
    for number, row in rows:
        watched.see(int(row[0]))
        counts[0] += 1
        counts[1] += number == 0 and row[_PART] == 0
        yield number, row

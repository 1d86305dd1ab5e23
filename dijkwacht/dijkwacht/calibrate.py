"""Learn from benign traffic how rare a detector's scores are: its calibration table, and a report with a picture.

Each BENIGN is a site of its own, heard from a cold start: a recording, a folder that is one, or a list LABELS.csv, of
which the benign files of half A are taken (evaluate --half B has the others). Generated offices with the
habits of real networks are heard beside them. NAME.json and NAME.html are written beside the detector.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht.benign import Listened, Source, for_detector, is_list, listen
from dijkwacht.calibration_report import Calibrated
from dijkwacht.progress import counted, log_for_people, report
from dijkwacht.recording import PATHS, add_local
from dijkwacht_collector.policy import OWN_SHARE, read_calibration
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_detectors.discover import load_detectors, shipped_detectors
from dijkwacht_lab.calibrate import LEARNED, fit, line_of
from dijkwacht_lab.halves import choose_half
from dijkwacht_lab.labels import read_lists
from dijkwacht_lab.machine_hours import reads_machines
from dijkwacht_lab.reached import Hours, seen_by
from dijkwacht_records.errors import SettingsError

OFFICES: Final = 4
DAYS: Final = 7.0
LONGEST: Final = 28.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add = parser.add_argument
    add("detector", type=Path, metavar="DETECTOR.py", help="a file with a detector")
    add("benign", nargs="*", type=Path, metavar="BENIGN", help=f"{PATHS}; or lists LABELS.csv")
    add("--all", action="store_true", help="of a list all benign files, not those of half A alone")
    add(
        "--offices",
        type=int,
        default=OFFICES,
        metavar="N",
        help=f"generated offices, 0 to {len(LEARNED)} (default: {OFFICES})",
    )
    add(
        "--days",
        type=float,
        default=DAYS,
        metavar="D",
        help=f"days of each of them (default: {DAYS:g}; a busy one has a million rows in a week)",
    )
    add(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="sites at a time (default: cores)",
    )
    add_local(parser)
    add("--json", action="store_true", help="the report as JSON lines, one a detector")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if a table was made, 2 if nothing was readable."""
    _refuse_nonsense(args)
    detectors = _own(args.detector)
    sources = list(_sources(args))
    heard = []
    listening = _listen(args.detector, sources, args.jobs, args.local, args.days)
    for one in counted(listening, "sites", len(sources)):
        heard.append(one)
        for problem in one.problems:
            named = not one.readable or problem.startswith(f"{one.source.name}: ")
            report(problem if named else f"{one.source.name}: {problem}")
    recordings = [one for one in heard if one.source.path]
    if recordings and not any(one.readable for one in recordings):
        report("nothing of what was to be benign could be read; no table was made")
        return 2
    for detector in detectors:
        calibrated = _calibrate(args.detector, detector, heard)
        _write(args.detector, calibrated)
        if args.json:
            sys.stdout.buffer.write(msgspec.json.encode(calibrated.facts()) + b"\n")
        else:
            sys.stdout.write(calibrated.text())
        sys.stdout.flush()
        names = " and ".join(_beside(args.detector, detector, s).name for s in ("json", "html"))
        report(f"wrote {names} beside {args.detector}")
    return 0


def _refuse_nonsense(args: argparse.Namespace) -> None:
    if args.jobs < 1:
        raise SettingsError(f"--jobs {args.jobs}: at least 1")
    if not 0 <= args.offices <= len(LEARNED):
        raise SettingsError(f"--offices {args.offices}: 0 to {len(LEARNED)}")
    if not 0 < args.days <= LONGEST:
        raise SettingsError(f"--days {args.days:g}: above 0, at most {LONGEST:g}")
    if not args.benign and not args.offices:
        raise SettingsError("--offices 0 and no BENIGN: there is nothing to learn from")


def _own(file: Path) -> list[AnyDetector]:
    """The detectors of a file that interrupt. Raises `SettingsError` if none may have a table."""
    detectors = load_detectors(file)
    shipped = {detector.name for detector in shipped_detectors()}
    for detector in detectors:
        if detector.name in shipped:
            raise SettingsError(
                f"{file}: a detector named {detector.name} is shipped, and its table with it; "
                "python -m dijkwacht_lab.calibrate makes those"
            )
    asked = [detector for detector in detectors if detector.interrupts]
    if not asked:
        raise SettingsError(f"{file}: what declares interrupts = False needs no table")
    return asked


def _sources(args: argparse.Namespace) -> Iterator[Source]:
    lists = [path for path in args.benign if is_list(path)]
    for path in args.benign:
        if path not in lists:
            yield Source(str(path), path)
    if lists:
        listed, _ = read_lists(lists)
        benign = [item for item in listed if item.class_ == "benign"]
        chosen = benign if args.all else [i for i in choose_half(listed, "A") if i in benign]
        if not chosen:
            named = ", ".join(map(str, lists))
            raise SettingsError(
                f"{named}: none of {len(benign)} benign files is in half A; --all takes them all"
                if benign
                else f"{named}: lists no benign file"
            )
        yield from (Source(item.file, item.path, item) for item in chosen)
    for office in LEARNED[: args.offices]:
        yield Source(f"generated office {office.seed}", office=office)


def _listen(
    file: Path, sources: Sequence[Source], jobs: int, local: Sequence[str], days: float
) -> Iterator[Listened]:
    """All sources, in their order, ``jobs`` at a time."""
    if jobs == 1 or len(sources) == 1:
        for source in sources:
            yield listen(file, source, local, days)
        return
    fresh = multiprocessing.get_context("spawn")
    before = set(multiprocessing.active_children())
    with ProcessPoolExecutor(min(jobs, len(sources)), fresh, _begin) as pool:
        try:
            # the offices first, which take longest
            order = sorted(range(len(sources)), key=lambda n: sources[n].office is None)
            with _ctrl_c_later():
                running = {
                    n: pool.submit(listen, file, sources[n], tuple(local), days) for n in order
                }
            for n in range(len(sources)):
                yield running[n].result()
        except BaseException:  # nobody waits for the rest of an office that nobody wants
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(multiprocessing.active_children()) - before:
                child.terminate()
            raise


@contextmanager
def _ctrl_c_later() -> Iterator[None]:
    """Processes that are started within hear of Ctrl-C at `_begin` and no earlier; this one, when all are.

    What this thread blocks another may be given, and Python tells the main thread all the same.
    """
    came: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGINT, handler)
    if came:
        raise KeyboardInterrupt


def _begin() -> None:
    """In each process: Ctrl-C, which goes to all of them, ends it at once and without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    log_for_people()


def _calibrate(file: Path, detector: AnyDetector, heard: Sequence[Listened]) -> Calibrated:
    hours = Hours(for_detector(heard, machine=reads_machines(detector)))
    offices = sum(one.hours.generated for one in heard)
    read = sum(one.readable and not one.hours.generated for one in heard)
    made = f"{read} benign recordings and {offices} generated offices with habits, {hours.hours} hours; dijkwacht calibrate"
    table = fit(detector, hours, made, OWN_SHARE)
    return Calibrated(
        detector, table, seen_by(detector, hours), heard, _line_before(file, detector)
    )


def _line_before(file: Path, detector: AnyDetector) -> float | None:
    beside = _beside(file, detector, "json")
    try:
        return line_of(read_calibration(beside, detector.name), OWN_SHARE)
    except SettingsError:  # there is none, or none that makes sense: it is replaced
        return None


def _write(file: Path, calibrated: Calibrated) -> None:
    table = msgspec.json.format(msgspec.json.encode(calibrated.table), indent=1) + b"\n"
    _beside(file, calibrated.detector, "json").write_bytes(table)
    _beside(file, calibrated.detector, "html").write_text(calibrated.page(), "utf-8")


def _beside(file: Path, detector: AnyDetector, suffix: str) -> Path:
    return file.with_name(f"{detector.name}.{suffix}")

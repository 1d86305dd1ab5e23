"""Makes the shipped calibration: how many hours of a benign site-week reach a score.

``python -m dijkwacht_lab.calibrate LABELS.csv [LABELS.csv ...]`` replays every second benign capture of
the labelled lists and some weeks of generated offices through the engine's detectors, takes the
strongest score of each hour and detector, and fits a table to them. It says how the other half fares,
and other offices. The offices have habits of real networks, but only of those that calibration may see
(`dijkwacht_lab.traffic.habits.CALIBRATED`), and seeds below `FIRST_JUDGED`: what they are judged by
(`benchmarks/office_weeks.py`) is neither.

What the table is: hours in which somebody reached a score anew (`Peaks`), counted as far as they go, and
beyond the busiest of them a tail that is a straight line in log rate over score. Scores are log₂ of evidence, so that
line is a power law of the evidence. Its slope is the mean excess of the strongest hours, held
towards `TAIL` where there are few; and each detector begins with the imagined hours that it declares
as ``expected``, which stand for what benign networks do and these samples lack (argued in
``docs/detection.md``).
"""

from __future__ import annotations

import argparse
import inspect
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.sources.recording import Recording
from dijkwacht_collector.engine.trainer import FIRST_SAMPLES, train, training_rows
from dijkwacht_collector.policy import Calibration, Scored
from dijkwacht_collector.policy.entity_records import HABIT_BITS
from dijkwacht_collector.policy.spending import HIGH_FACTOR
from dijkwacht_collector.readers import Problems
from dijkwacht_collector.readers.formats import detect_format
from dijkwacht_collector.readers.logs import READERS, read_logs
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_detectors.discover import OWN, shipped_detectors
from dijkwacht_lab.halves import Half, choose_half
from dijkwacht_lab.labels import Attackers, Labelled, attackers, read_lists
from dijkwacht_lab.machine_hours import MACHINE_DETECTORS, opinions, reads_machines, with_model
from dijkwacht_lab.reached import (
    HOUR_US,
    WEEK_HOURS,
    Hours,
    Peaks,
    Reached,
    Seen,
    SiteHours,
    seen_by,
)
from dijkwacht_lab.scoring import Scoring
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_lab.traffic.habits import CALIBRATED
from dijkwacht_lab.traffic.machine_days import Machine
from dijkwacht_records.errors import UnreadableInput
from dijkwacht_records.tables import Row

BINS: Final = 64
FINE_BINS: Final = 48
"""Bins up to scores of `RARE` hours a week, where budgets lie."""
RARE: Final = 1e-3
LOWEST_RATE: Final = 1e-9
"""Hours a week at the far end of the tail."""
STRONGEST: Final = 20
"""The tail begins at the hour that has so many minus one above it."""
_CLOSE: Final = 0.001
"""Scores of a table have three decimals."""
TAIL: Final = (0.5, 12.0)
"""What is believed of the mean excess before any hour is seen, in bits, and for how many hours it
counts. 0.5 bits: twice the evidence is 7 times as rare."""
TRAIN_AFTER: Final = 30_000
"""Rows of an office after which its models are trained, once."""


class Office(NamedTuple):
    """A generated office: ``rate`` is how much its people do, low where there are many."""

    seed: int
    hosts: int
    rate: float = 0.4


LEARNED: Final = (
    Office(1, 5, 1.0), Office(2, 12), Office(3, 8), Office(4, 20), Office(5, 6), Office(6, 30, 0.25),
    Office(7, 10), Office(8, 16), Office(9, 7), Office(10, 14), Office(11, 9), Office(12, 24, 0.25),
    Office(13, 6), Office(14, 18), Office(15, 11), Office(16, 8),
)  # fmt: skip
"""The machines of most small offices, from a practice of five to a firm of thirty."""
HELD_OUT: Final = (Office(101, 9), Office(102, 18))
MACHINES: Final = 48
"""Machines that calibration learns from, by seed from 1 on; `HELD_OUT_MACHINES` are others, of the same jobs."""
HELD_OUT_MACHINES: Final = range(101, 113)
MACHINE_DAYS: Final = 21
FIRST_JUDGED: Final = 9_001
"""Seeds from here on are for tests and benchmarks; nothing is ever calibrated on them."""


Hear = Callable[[AnyDetector, Scored], None]
"""Takes what a detector said in a step."""


def hours_of(
    rows: Iterable[tuple[int, Row]],
    train_after: int = 0,
    *,
    generated: bool = False,
    scoring: Scoring | None = None,
    hear: Hear = lambda _detector, _scored: None,
) -> SiteHours:
    """Run detectors over one site's rows; models are trained once, after so many rows.

    ``scoring``: a new one of the detectors; all shipped ones, if None. ``hear`` is told all that they say.
    """
    scoring = scoring or Scoring(shipped_detectors())
    hours: set[int] = set()
    peaks = {detector.name: Peaks() for detector in scoring.host.detectors}
    for told in steps_of(scoring, rows, hours, train_after):
        for scored in told:
            detector = scoring.host.detectors[scored.detector]
            peaks[detector.name].note(scored)
            hear(detector, scored)
    reached = {name: each.reached() for name, each in peaks.items()}
    return SiteHours(len(hours), reached, generated)


def steps_of(
    scoring: Scoring, rows: Iterable[tuple[int, Row]], hours: set[int], train_after: int = 0
) -> Iterator[Sequence[Scored]]:
    """What is said of one site's rows, step by step; models are trained once, after so many rows.

    ``hours`` (since 1970) takes those that have a row.
    """

    def watched() -> Iterator[tuple[int, Row]]:
        for number, row in rows:
            hours.add(int(row[0]) // HOUR_US)
            yield number, row

    for told in scoring.score(watched()):
        yield told
        if train_after and scoring.rows >= train_after:
            train_after = 0
            train_models(scoring)
    yield scoring.finish()


def train_models(scoring: Scoring) -> None:
    """Train the detectors that have a model on what they kept, and let them go on with it."""
    own = {
        detector.name: Path(inspect.getfile(type(detector)))
        for detector in scoring.host.detectors
        if type(detector).__module__.startswith(f"{OWN}.")
    }
    for name, kept in scoring.host.samples().items():
        if kept.seen.sum() < FIRST_SAMPLES:
            continue
        if bundle := train(name, training_rows(kept), own.get(name)):
            scoring.activate(name, bundle)


def fit(detector: AnyDetector, hours: Hours, made: str, share: float | None = None) -> Calibration:
    """Fit a table to ``hours``, but for the offices that `seen_by` leaves out.

    ``share``: what it will have of an alert budget; None: what it declares.
    """
    share = detector.share if share is None else share
    return fit_seen(detector.name, detector.expected, share, seen_by(detector, hours), made)


def fit_seen(
    name: str, expected: tuple[float, float], share: float, seen: Seen, made: str
) -> Calibration:
    """Fit the table of ``name`` to what was ``seen``; ``expected`` as a detector declares it."""
    anchor, per_week = expected
    lows, highs = seen.spans.T
    peaks = np.sort(highs[highs - lows >= HABIT_BITS])[::-1]
    # where few hours spoke, what is beyond the strongest of them is left to the imagined ones
    begin = float(peaks[STRONGEST - 1 if len(peaks) >= STRONGEST else 0]) if len(peaks) else anchor
    beyond = peaks[peaks > begin]
    believed, weight = TAIL
    excess = (believed * weight + float((beyond - begin).sum())) / (weight + len(beyond))

    def rate(score: float) -> float:
        imagined = per_week * math.exp(-(score - anchor) / believed)
        counted = seen.per_week(score)
        if score > begin and len(peaks):  # never rarer than it was seen to be
            tail = max(len(beyond), 1) * math.exp(-(score - begin) / excess)
            counted = max(counted, tail / max(seen.weeks, 1 / WEEK_HOURS))
        return counted + imagined

    low = min(float(peaks[-1]) if len(peaks) else anchor, anchor) - 1.0
    middle = _first_below(rate, max(anchor, begin, *highs, 0.0), RARE)
    high = _first_below(rate, middle, LOWEST_RATE)
    scores = np.append(
        np.linspace(low, middle, FINE_BINS, endpoint=False),
        np.linspace(middle, high, BINS - FINE_BINS),
    )
    for wanted in (share, share / HIGH_FACTOR):  # where a site's lines are at first
        line = _first_within(rate, low, high, wanted)
        scores[np.abs(scores - line).argmin()] = line
    rates = np.minimum(WEEK_HOURS, [rate(float(score)) for score in scores])
    rates = np.maximum.accumulate(rates[::-1])[::-1]
    return Calibration(
        name,
        1,
        made,
        [round(float(s), 3) for s in scores],
        [float(f"{r:.3g}") for r in rates],
    )


def _first_below(rate: Callable[[float], float], score: float, wanted: float) -> float:
    while rate(score) > wanted:
        score += 0.05
    return score


def _first_within(rate: Callable[[float], float], low: float, high: float, wanted: float) -> float:
    """Where between two scores ``rate`` falls to ``wanted``; a hundredth below, that rounding changes nothing."""
    while high - low > _CLOSE:
        middle = (low + high) / 2
        if rate(middle) > 0.99 * wanted:
            low = middle
        else:
            high = middle
    return math.ceil(high / _CLOSE) * _CLOSE


def benign_files(lists: Iterable[Path], half: Half) -> list[Labelled]:
    """Benign captures of one half of several lists, each once."""
    listed, _ = read_lists(lists)
    return [item for item in choose_half(listed, half) if item.class_ == "benign"]


def file_rows(path: Path, attackers_: Attackers) -> Iterator[tuple[int, Row]]:
    """Rows of a benign capture, without those of scanners that its own label column names."""
    inside = LocalNetworks(None)
    if detect_format(path) in READERS:
        for number, row in read_logs([path], inside.__contains__, Problems()).rows:
            if number != 0 or row[5] not in attackers_.addresses:
                yield number, row
        return
    source, meter = Recording([path]), Meter(inside)
    try:
        for block in source.blocks():
            meter.feed(block)
            yield from meter.take().rows()
        meter.finish()
        yield from meter.take().rows()
    finally:
        source.close()


def hours_of_file(item: Labelled) -> SiteHours:
    """Hours of one benign capture."""
    return hours_of(file_rows(item.path, attackers(item)))


def rows_of_office(office: Office, days: float) -> Iterator[tuple[int, Row]]:
    """The rows of one generated office, ``days`` from a Monday morning."""
    return office_rows(office.seed, office.hosts, WORKING_MORNING, int(days * 24 * HOUR_US),
                       office.rate, habits=CALIBRATED)  # fmt: skip


def hours_of_office(office: Office, days: float) -> SiteHours:
    """Hours of one generated office, ``days`` from a Monday morning."""
    return hours_of(rows_of_office(office, days), train_after=TRAIN_AFTER, generated=True)


def hours_of_machine(seed: int, days: int = MACHINE_DAYS) -> SiteHours:
    """Hours of one generated machine, which is watched from some day of the week on."""
    reached: dict[str, list[Reached]] = {}
    for detector in shipped_detectors():
        if detector.name in MACHINE_DETECTORS:
            peaks = Peaks()
            for told in opinions(with_model(detector), Machine(seed).days(days, first=seed % 7)):
                peaks.note(told)
            reached[detector.name] = peaks.reached()
    return SiteHours(days * 24, reached, machine=True)


def gather(
    files: Iterable[Labelled],
    offices: Iterable[Office],
    days: float,
    processes: int = 2,
    machines: Iterable[int] = (),
) -> Hours:
    """Hours of benign captures, offices and machines, in ``processes`` at once; the same however many they are."""
    hours = Hours()
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        # The longest first.
        largest = sorted(offices, key=lambda office: -office.hosts)
        told: list[Future[SiteHours]] = [
            pool.submit(hours_of_office, each, days) for each in largest
        ]
        told += [pool.submit(hours_of_machine, seed) for seed in machines]
        told += [pool.submit(hours_of_file, item) for item in files]
        hours.sites += [future.result() for future in told]
    return hours


def main(arguments: Sequence[str]) -> int:
    """Make all tables; print what the held-out half says about them."""
    parser = argparse.ArgumentParser(prog="calibrate", description=__doc__.partition("\n")[0])
    parser.add_argument("labels", type=Path, nargs="*", help="lists of labelled captures")
    parser.add_argument("--to", type=Path, required=True, help="the folder of the tables")
    parser.add_argument("--days", type=float, default=7, help="days of each generated office")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--learn-only", action="store_true", help="leave the held-out half alone")
    parser.add_argument(
        "--only", nargs="+", default=(), help="names of detectors; all, if there is none"
    )
    options = parser.parse_args(arguments)
    wanted = [
        d
        for d in shipped_detectors()
        if d.interrupts and (not options.only or d.name in options.only)
    ]
    others = any(detector.name not in MACHINE_DETECTORS for detector in wanted)
    labels = options.labels if others else []
    try:
        files = benign_files(labels, "A")
    except UnreadableInput as error:
        parser.error(str(error))
    learned = gather(
        files, LEARNED if others else (), options.days, options.processes, range(1, 1 + MACHINES)
    )
    held = Hours()
    if not options.learn_only:
        unseen, offices = benign_files(labels, "B"), HELD_OUT if others else ()
        held = gather(unseen, offices, options.days, options.processes, HELD_OUT_MACHINES)
    sys.stdout.write(f"learned from {learned.hours} h, held out {held.hours} h\n")
    for detector in wanted:
        table = fit(detector, learned, _made(detector, learned))
        target = options.to / f"{detector.name}.json"
        target.write_bytes(msgspec.json.format(msgspec.json.encode(table), indent=1) + b"\n")
        sys.stdout.write(_told(detector, table, learned, held))
    return 0


def _made(detector: AnyDetector, learned: Hours) -> str:
    is_machines = reads_machines(detector)
    hours = sum(site.hours for site in learned.sites if site.machine == is_machines)
    of = (
        f"{MACHINES} generated machines" if is_machines
        else f"half of the benign captures and {len(LEARNED)} generated offices with habits"
    )  # fmt: skip
    return (
        f"{of}, {hours} hours; strongest score an hour, log-linear tail, and imagined hours "
        "(see docs/detection.md)"
    )


def line_of(table: Calibration, per_week: float) -> float:
    """The lowest score of ``table`` that is reached at most ``per_week`` hours a week; infinite if none is."""
    pairs = zip(table.scores, table.per_week, strict=True)
    return next((score for score, rate in pairs if rate <= per_week), math.inf)


def _told(detector: AnyDetector, table: Calibration, learned: Hours, held: Hours) -> str:
    name, share = detector.name, detector.share
    line, high = line_of(table, share), line_of(table, share / HIGH_FACTOR)
    seen, unseen = (sorted(hours.peaks(name)) for hours in (learned, held))
    return (
        f"{name:<14} line {line:5.2f} high {high:5.2f}  learned {_list(seen[-3:])}  "
        f"held out {sum(s >= line for s in unseen)} h over, {_list(unseen[-3:])}\n"
    )


def _list(scores: Iterable[float]) -> str:
    return " ".join(f"{score:.2f}" for score in scores)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

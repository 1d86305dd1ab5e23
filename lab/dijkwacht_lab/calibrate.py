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
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
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
from dijkwacht_collector.policy.entity_records import HABIT, HABIT_BITS
from dijkwacht_collector.readers import Problems
from dijkwacht_collector.readers.formats import detect_format
from dijkwacht_collector.readers.logs import READERS, read_logs
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.halves import Half, choose_half
from dijkwacht_lab.labels import Attackers, Labelled, attackers, read_lists
from dijkwacht_lab.scoring import Scoring
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_lab.traffic.habits import CALIBRATED
from dijkwacht_records.errors import UnreadableInput
from dijkwacht_records.tables import Row

HOUR_US: Final = 3_600_000_000
WEEK_HOURS: Final = 168.0
BINS: Final = 64
FINE_BINS: Final = 48
"""Bins up to scores of `RARE` hours a week, where budgets lie."""
RARE: Final = 1e-3
LOWEST_RATE: Final = 1e-9
"""Hours a week at the far end of the tail."""
STRONGEST: Final = 20
"""The tail begins at the hour that has so many minus one above it."""
TAIL: Final = (0.5, 12.0)
"""What is believed of the mean excess before any hour is seen, in bits, and for how many hours it
counts. 0.5 bits: twice the evidence is 7 times as rare."""
LEFT_OUT: Final = 4
"""One of so many offices is not counted, see `_ordinary`."""
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
FIRST_JUDGED: Final = 9_001
"""Seeds from here on are for tests and benchmarks; nothing is ever calibrated on them."""


Reached = tuple[float, float]
"""What an hour reached anew: scores above the first number, up to and with the second."""


@dataclass
class SiteHours:
    """One site's hours, and by detector what each reached; ``generated`` if it is an office of ours."""

    hours: int
    reached: dict[str, list[Reached]]
    generated: bool = False


@dataclass
class Hours:
    """Hours of many sites."""

    sites: list[SiteHours] = field(default_factory=list)

    @property
    def hours(self) -> int:
        """Of all together."""
        return sum(site.hours for site in self.sites)

    def peaks(self, detector: str) -> list[float]:
        """The strongest score of each hour that reached anything anew."""
        return [high for site in self.sites for _, high in site.reached.get(detector, ())]


class Peaks:
    """What one detector's entities reach, hour by hour, as the policy hears it.

    An entity's score in an hour counts if it had not reached it in `HABIT` - 1 hours before: what it does
    again and again is its habit, of which the site hears no more (`policy`).
    """

    def __init__(self) -> None:
        self._entities: dict[tuple[int, int], dict[int, float]] = {}
        self._lives: dict[int, int] = {}

    def note(self, scored: Scored) -> None:
        """Take the opinions of a step."""
        for slot in np.unique(scored.slot[scored.fresh]).tolist():
            self._lives[slot] = self._lives.get(slot, 0) + 1
        rows = np.flatnonzero(scored.scores > 0.0)
        keys = (scored.time[rows] // HOUR_US << 32) | scored.slot[rows]
        order = np.argsort(keys, kind="stable")
        each, begins = np.unique(keys[order], return_index=True)
        if not len(rows):
            return
        strongest = np.maximum.reduceat(scored.scores[rows][order], begins)
        for key, score in zip(each.tolist(), strongest.tolist(), strict=True):
            slot, hour = key & 0xFFFFFFFF, key >> 32
            hours = self._entities.setdefault((slot, self._lives.get(slot, 0)), {})
            hours[hour] = max(score, hours.get(hour, 0.0))

    def reached(self) -> list[Reached]:
        """Of all hours, what was reached anew, without what lies within another's of the same hour."""
        by_hour: dict[int, list[Reached]] = {}
        for hours in self._entities.values():
            before: list[float] = []
            for hour, score in sorted(hours.items()):
                known = sorted(before, reverse=True)[HABIT - 2] if len(before) >= HABIT - 1 else 0.0
                if score > known:
                    by_hour.setdefault(hour, []).append((known, score))
                before.append(score)
        return [span for spans in by_hour.values() for span in _joined(spans)]


def _joined(spans: list[Reached]) -> Iterator[Reached]:
    spans.sort()
    low, high = spans[0]
    for begin, end in spans[1:]:
        if begin > high:
            yield low, high
            low, high = begin, end
        high = max(high, end)
    yield low, high


def hours_of(
    rows: Iterable[tuple[int, Row]], train_after: int = 0, *, generated: bool = False
) -> SiteHours:
    """Run all detectors over one site's rows; models are trained once, after so many rows."""
    scoring = Scoring(shipped_detectors())
    seen: set[int] = set()
    peaks = {detector.name: Peaks() for detector in scoring.host.detectors}

    def note(opinions: Iterable[Scored]) -> None:
        for scored in opinions:
            peaks[scoring.host.detectors[scored.detector].name].note(scored)

    def watched() -> Iterator[tuple[int, Row]]:
        for number, row in rows:
            seen.add(int(row[0]) // HOUR_US)
            yield number, row

    for opinions in scoring.score(watched()):
        note(opinions)
        if train_after and scoring.rows >= train_after:
            train_after = 0
            _train(scoring)
    note(scoring.finish())
    reached = {name: each.reached() for name, each in peaks.items()}
    return SiteHours(len(seen), reached, generated)


def _train(scoring: Scoring) -> None:
    for name, kept in scoring.host.samples().items():
        if kept.seen.sum() >= FIRST_SAMPLES and (bundle := train(name, training_rows(kept))):
            scoring.activate(name, bundle)


def fit(detector: AnyDetector, hours: Hours, made: str) -> Calibration:
    """Fit a table to ``hours``, but for the offices that `_ordinary` leaves out."""
    sites = _ordinary(detector.name, hours.sites)
    weeks = sum(site.hours for site in sites) / WEEK_HOURS
    anchor, per_week = detector.expected
    told = [span for site in sites for span in site.reached.get(detector.name, ())]
    lows, highs = np.array(told or np.zeros((0, 2))).T
    peaks = np.sort(highs[highs - lows >= HABIT_BITS])[::-1]
    # where few hours spoke, what is beyond the strongest of them is left to the imagined ones
    begin = float(peaks[STRONGEST - 1 if len(peaks) >= STRONGEST else 0]) if len(peaks) else anchor
    beyond = peaks[peaks > begin]
    believed, weight = TAIL
    excess = (believed * weight + float((beyond - begin).sum())) / (weight + len(beyond))

    def rate(score: float) -> float:
        imagined = per_week * math.exp(-(score - anchor) / believed)
        counted = float(((lows < score) & (highs >= score)).sum())
        if score > begin and len(peaks):  # never rarer than it was seen to be
            counted = max(counted, max(len(beyond), 1) * math.exp(-(score - begin) / excess))
        return counted / max(weeks, 1 / WEEK_HOURS) + imagined

    low = min(float(peaks[-1]) if len(peaks) else anchor, anchor) - 1.0
    middle = _first_below(rate, max(anchor, begin, *highs, 0.0), RARE)
    high = _first_below(rate, middle, LOWEST_RATE)
    scores = np.append(
        np.linspace(low, middle, FINE_BINS, endpoint=False),
        np.linspace(middle, high, BINS - FINE_BINS),
    )
    rates = np.minimum(WEEK_HOURS, [rate(float(score)) for score in scores])
    rates = np.maximum.accumulate(rates[::-1])[::-1]
    return Calibration(
        detector.name,
        1,
        made,
        [round(float(s), 3) for s in scores],
        [float(f"{r:.3g}") for r in rates],
    )


def _ordinary(detector: str, sites: Sequence[SiteHours]) -> list[SiteHours]:
    """All but the quarter of the generated offices in which ``detector`` spoke strongest.

    What one office in some does that others never do, it teaches the policy itself, in two hours; a
    table that knew it would make every other site deaf. What that costs is measured on other offices.
    """

    def strongest(site: SiteHours) -> float:
        return max((high for _, high in site.reached.get(detector, ())), default=0.0)

    offices = sorted((site for site in sites if site.generated), key=strongest)
    kept = offices[: len(offices) - len(offices) // LEFT_OUT]
    return [site for site in sites if not site.generated] + kept


def _first_below(rate: Callable[[float], float], score: float, wanted: float) -> float:
    while rate(score) > wanted:
        score += 0.05
    return score


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


def hours_of_office(office: Office, days: float) -> SiteHours:
    """Hours of one generated office, ``days`` from a Monday morning."""
    rows = office_rows(office.seed, office.hosts, WORKING_MORNING, int(days * 24 * HOUR_US),
                       office.rate, habits=CALIBRATED)  # fmt: skip
    return hours_of(rows, train_after=TRAIN_AFTER, generated=True)


def gather(
    files: Iterable[Labelled], offices: Iterable[Office], days: float, processes: int = 2
) -> Hours:
    """Hours of benign captures and of offices, in ``processes`` at once; the same however many they are."""
    hours = Hours()
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        # The longest first.
        largest = sorted(offices, key=lambda office: -office.hosts)
        told: list[Future[SiteHours]] = [
            pool.submit(hours_of_office, each, days) for each in largest
        ]
        told += [pool.submit(hours_of_file, item) for item in files]
        hours.sites += [future.result() for future in told]
    return hours


def main(arguments: Sequence[str]) -> int:
    """Make all tables; print what the held-out half says about them."""
    parser = argparse.ArgumentParser(prog="calibrate", description=__doc__.partition("\n")[0])
    parser.add_argument("labels", type=Path, nargs="+", help="lists of labelled captures")
    parser.add_argument("--to", type=Path, required=True, help="the folder of the tables")
    parser.add_argument("--days", type=float, default=7, help="days of each generated office")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--learn-only", action="store_true", help="leave the held-out half alone")
    options = parser.parse_args(arguments)
    try:
        files = benign_files(options.labels, "A")
    except UnreadableInput as error:
        parser.error(str(error))
    learned = gather(files, LEARNED, options.days, options.processes)
    held = Hours()
    if not options.learn_only:
        unseen = benign_files(options.labels, "B")
        held = gather(unseen, HELD_OUT, options.days, options.processes)
    made = (
        f"half of the benign captures and {len(LEARNED)} generated offices with habits, "
        f"{learned.hours} hours; strongest score an hour, log-linear tail, and imagined hours "
        "(see docs/detection.md)"
    )
    sys.stdout.write(f"learned from {learned.hours} h, held out {held.hours} h\n")
    for detector in shipped_detectors():
        if not detector.interrupts:
            continue
        table = fit(detector, learned, made)
        target = options.to / f"{detector.name}.json"
        target.write_bytes(msgspec.json.format(msgspec.json.encode(table), indent=1) + b"\n")
        sys.stdout.write(_told(detector, table, learned, held))
    return 0


def line_of(table: Calibration, per_week: float) -> float:
    """The lowest score of ``table`` that is reached at most ``per_week`` hours a week; infinite if none is."""
    pairs = zip(table.scores, table.per_week, strict=True)
    return next((score for score, rate in pairs if rate <= per_week), math.inf)


def _told(detector: AnyDetector, table: Calibration, learned: Hours, held: Hours) -> str:
    name, share = detector.name, detector.share
    line, high = line_of(table, share), line_of(table, share / 30)
    seen, unseen = (sorted(hours.peaks(name)) for hours in (learned, held))
    return (
        f"{name:<14} line {line:5.2f} high {high:5.2f}  learned {_list(seen[-3:])}  "
        f"held out {sum(s >= line for s in unseen)} h over, {_list(unseen[-3:])}\n"
    )


def _list(scores: Iterable[float]) -> str:
    return " ".join(f"{score:.2f}" for score in scores)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""Makes the shipped calibration: how many hours of a benign site-week reach a score.

``python -m dijkwacht_lab.calibrate CAPTURES`` replays every second benign capture of the labelled
list and some weeks of generated office traffic through the engine's detectors, takes the strongest
score of each hour and detector, and fits a table to them. It says how the other half fares.

What the table is: hours that reached a score, counted as far as they go, and beyond the busiest of
them a tail that is a straight line in log rate over score. Scores are log₂ of evidence, so that
line is a power law of the evidence. Its slope is the mean excess of the strongest hours, held
towards `TAIL` where there are few; and each detector begins with the imagined hours that it declares
as ``expected``, which stand for what benign networks do and these samples lack (argued in
``docs/detection.md``).
"""

from __future__ import annotations

import argparse
import math
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.sources.recording import Recording
from dijkwacht_collector.engine.trainer import FIRST_SAMPLES, train, training_rows
from dijkwacht_collector.policy import Calibration, Scored
from dijkwacht_collector.readers import Problems
from dijkwacht_collector.readers.formats import detect_format
from dijkwacht_collector.readers.logs import READERS, read_logs
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.labels import attackers, read_labels
from dijkwacht_lab.scoring import Scoring
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
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


@dataclass
class Hours:
    """The strongest score of each hour and site, by detector, and how many hours there were."""

    peaks: dict[str, list[float]] = field(default_factory=dict)
    hours: int = 0

    def add(self, other: Hours) -> None:
        """Take another site's hours."""
        self.hours += other.hours
        for name, scores in other.peaks.items():
            self.peaks.setdefault(name, []).extend(scores)


def hours_of(rows: Iterable[tuple[int, Row]], train_after: int = 0) -> Hours:
    """Run all detectors over one site's rows; models are trained once, after so many rows."""
    scoring = Scoring(shipped_detectors())
    seen: set[int] = set()
    peaks: dict[str, dict[int, float]] = {d.name: {} for d in scoring.host.detectors}

    def note(opinions: Iterable[Scored]) -> None:
        for scored in opinions:
            strongest = peaks[scoring.host.detectors[scored.detector].name]
            for i in np.flatnonzero(~np.isnan(scored.scores)):
                hour = int(scored.time[i]) // HOUR_US
                strongest[hour] = max(float(scored.scores[i]), strongest.get(hour, -math.inf))

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
    return Hours({name: list(scores.values()) for name, scores in peaks.items()}, len(seen))


def _train(scoring: Scoring) -> None:
    for name, kept in scoring.host.samples().items():
        if kept.seen.sum() >= FIRST_SAMPLES and (bundle := train(name, training_rows(kept))):
            scoring.activate(name, bundle)


def fit(detector: AnyDetector, hours: Hours, made: str) -> Calibration:
    """Fit a table to ``hours``."""
    weeks = hours.hours / WEEK_HOURS
    anchor, per_week = detector.expected
    peaks = np.sort([score for score in hours.peaks.get(detector.name, []) if score > 0.0])[::-1]
    begin = float(peaks[STRONGEST - 1]) if len(peaks) >= STRONGEST else anchor
    beyond = peaks[peaks > begin]
    believed, weight = TAIL
    excess = (believed * weight + float((beyond - begin).sum())) / (weight + len(beyond))

    def rate(score: float) -> float:
        imagined = per_week * math.exp(-(score - anchor) / believed)
        counted = float((peaks >= score).sum())
        if score > begin:  # never rarer than it was seen to be
            counted = max(counted, max(len(beyond), 1) * math.exp(-(score - begin) / excess))
        return counted / weeks + imagined

    low = min(float(peaks[-1]) if len(peaks) else anchor, anchor) - 1.0
    middle = _first_below(rate, max(anchor, begin), RARE)
    high = _first_below(rate, middle, LOWEST_RATE)
    scores = np.append(
        np.linspace(low, middle, FINE_BINS, endpoint=False),
        np.linspace(middle, high, BINS - FINE_BINS),
    )
    rates = np.minimum(WEEK_HOURS, [rate(float(score)) for score in scores])
    rates = np.minimum.accumulate(rates)
    return Calibration(
        detector.name,
        1,
        made,
        [round(float(s), 3) for s in scores],
        [float(f"{r:.3g}") for r in rates],
    )


def _first_below(rate: Callable[[float], float], score: float, wanted: float) -> float:
    while rate(score) > wanted:
        score += 0.05
    return score


def benign_files(captures: Path, half: int) -> list[Path]:
    """Benign captures of one half: which half a file is in is decided by its name alone."""
    return [
        item.path
        for item in read_labels(captures / "LABELS.csv")
        if item.class_ == "benign" and zlib.crc32(item.file.encode()) % 2 == half
    ]


def file_rows(path: Path, attackers_: Any) -> Iterator[tuple[int, Row]]:
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


def office(seed: int, hosts: int, days: int) -> Hours:
    """One generated office, ``days`` from a Monday morning."""
    rows = office_rows(seed, hosts, WORKING_MORNING, days * 86_400_000_000)
    return hours_of(rows, train_after=30_000)


def gather(captures: Path, half: int, offices: Sequence[tuple[int, int, int]]) -> Hours:
    """Hours of one half of the benign captures and of some offices (seed, hosts, days)."""
    hours = Hours()
    by_path = {item.path: item for item in read_labels(captures / "LABELS.csv")}
    for path in benign_files(captures, half):
        hours.add(hours_of(file_rows(path, attackers(by_path[path]))))
    for seed, hosts, days in offices:
        hours.add(office(seed, hosts, days))
    return hours


def main(arguments: Sequence[str]) -> int:
    """Make all tables; print what the held-out half says about them."""
    parser = argparse.ArgumentParser(prog="calibrate", description=__doc__.partition("\n")[0])
    parser.add_argument("captures", type=Path, help="the folder of labelled captures")
    parser.add_argument("--to", type=Path, required=True, help="the folder of the tables")
    parser.add_argument("--days", type=int, default=7, help="days of each generated office")
    options = parser.parse_args(arguments)
    learned = gather(options.captures, 0, [(1, 5, options.days), (2, 12, options.days)])
    held = gather(options.captures, 1, [(3, 8, options.days)])
    made = (
        f"half of the benign captures and two generated offices, {learned.hours} hours; strongest "
        "score an hour, log-linear tail, and imagined hours (see docs/detection.md)"
    )
    sys.stdout.write(f"learned from {learned.hours} h, held out {held.hours} h\n")
    for detector in shipped_detectors():
        name, share = detector.name, detector.share
        table = fit(detector, learned, made)
        target = options.to / f"{name}.json"
        target.write_bytes(msgspec.json.format(msgspec.json.encode(table), indent=1) + b"\n")
        line = next((s for s, r in zip(table.scores, table.per_week, strict=True) if r <= share), 0)
        high = next(
            (s for s, r in zip(table.scores, table.per_week, strict=True) if r <= share / 30), 0
        )
        for_sure = sorted(learned.peaks.get(name, []))[-3:]
        unseen = held.peaks.get(name, [])
        sys.stdout.write(
            f"{name:<14} line {line:5.2f} high {high:5.2f}  learned {_list(for_sure)}  "
            f"held out {sum(s >= line for s in unseen)} h over, {_list(sorted(unseen)[-3:])}\n"
        )
    return 0


def _list(scores: Iterable[float]) -> str:
    return " ".join(f"{score:.2f}" for score in scores)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

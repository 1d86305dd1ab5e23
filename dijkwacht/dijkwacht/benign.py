"""What a detector of one's own says on benign traffic: recordings, lists of labelled ones, generated offices."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from dijkwacht.recording import NumberedRow, Recorded
from dijkwacht.strangest import parties, refuse, source_of
from dijkwacht_collector.engine.findings import evidence_of
from dijkwacht_collector.policy import Scored
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_detectors.discover import load_detectors
from dijkwacht_detectors.reading import reads_of
from dijkwacht_lab.calibrate import TRAIN_AFTER, Office, hours_of, rows_of_office
from dijkwacht_lab.labels import Attackers, Labelled, attackers
from dijkwacht_lab.reached import HOUR_US, SiteHours
from dijkwacht_lab.scoring import Scoring
from dijkwacht_records.errors import DetectorError, UnreadableInput
from dijkwacht_records.tables import FLOWS, TABLES

HIGHEST: Final = 1_000.0
"""No evidence is 2^1000 to one: a score beyond it is not its logarithm, and no tail can be drawn to it."""
_ORIGINATOR: Final = FLOWS.index("orig_h")
_TABLES: Final = [table.name for table in TABLES]


class Source(NamedTuple):
    """One benign site: a recording, of a list or not, or else an office that is generated."""

    name: str
    path: Path | None = None
    listed: Labelled | None = None
    office: Office | None = None


class Moment(NamedTuple):
    """The strongest score of an hour: when (µs UTC), and who did it to whom; ``machine`` is the first of these."""

    score: float
    time: int
    who: str
    source: str
    machine: str


@dataclass(slots=True)
class Said:
    """What one detector said of one source: rows of its tables, those with a score, and above 0; by hour."""

    rows: int = 0
    scored: int = 0
    positive: int = 0
    hours: dict[int, Moment] = field(default_factory=dict)


@dataclass(slots=True)
class Listened:
    """A source, heard to the end. ``hours.reached`` and ``said`` are by detector; ``problems``: a line each."""

    source: Source
    hours: SiteHours
    said: dict[str, Said]
    readable: bool = True
    problems: list[str] = field(default_factory=list)


def is_list(path: Path) -> bool:
    """Whether a file is a list of labelled captures, by its first line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return {"kind", "file", "label_rule"} <= set(next(csv.reader(file), ()))
    except (OSError, ValueError, csv.Error):
        return False


def listen(file: Path, source: Source, local: Sequence[str], days: float) -> Listened:
    """Let the detectors of a file hear a source from a cold start.

    ``local``: prefixes inside of a recording's site; ``days``: the length of an office. Raises
    `DetectorError` as soon as a detector fails, or has a score above `HIGHEST`.
    """
    scoring = Scoring([type(detector)() for detector in _loaded(file)], refuse)
    said = {detector.name: Said() for detector in scoring.host.detectors}
    tables: Counter[int] = Counter()

    def hear(detector: AnyDetector, scored: Scored) -> None:
        _note(said[detector.name], detector, scored, source.name)

    def passed(rows: Iterator[NumberedRow]) -> Iterator[NumberedRow]:
        for number, row in rows:
            tables[number] += 1
            yield number, row

    if source.office is not None:
        rows = passed(rows_of_office(source.office, days))
        heard = Listened(
            source,
            hours_of(rows, TRAIN_AFTER, generated=True, scoring=scoring, hear=hear),
            said,
        )
    else:
        assert source.path is not None
        recorded = Recorded([source.path], local)
        try:
            truth = attackers(source.listed) if source.listed else Attackers()
        except UnreadableInput as error:
            return Listened(source, SiteHours(0, {}), said, False, [str(error)])
        rows = passed(_benign(recorded.rows(), truth))
        heard = Listened(source, hours_of(rows, scoring=scoring, hear=hear), said)
        heard.readable = bool(recorded.readable)
        heard.problems = [*map(str, recorded.problems), *recorded.damage]
    for detector in scoring.host.detectors:
        said[detector.name].rows = sum(tables[_TABLES.index(table)] for table in reads_of(detector))
    return heard


def for_detector(heard: Sequence[Listened], *, machine: bool) -> list[SiteHours]:
    """The hours of all sources, as a table is fitted to them; ``machine``: of one that reads metrics alone."""
    return [replace(one.hours, machine=machine) for one in heard]


@cache
def _loaded(file: Path) -> list[AnyDetector]:
    """Once a process: what a detector remembers is of the class that was loaded."""
    return load_detectors(file)


def _benign(rows: Iterator[NumberedRow], truth: Attackers) -> Iterator[NumberedRow]:
    """Without the flows of scanners that the recording's own labels name."""
    for number, row in rows:
        if _TABLES[number] != FLOWS.name or row[_ORIGINATOR] not in truth.addresses:
            yield number, row


def _note(said: Said, detector: AnyDetector, scored: Scored, source: str) -> None:
    said.scored += int((~np.isnan(scored.scores)).sum())
    rows = np.flatnonzero(scored.scores > 0.0)
    said.positive += len(rows)
    if not len(rows):
        return
    scores, hours = scored.scores[rows], scored.time[rows] // HOUR_US
    if (highest := float(scores.max())) > HIGHEST:
        raise DetectorError(
            detector.name,
            f"a score of {highest:.4g}: a score is the log₂ of how strange a row is; "
            "try np.log2(1 + …) of it",
        )
    for hour in np.unique(hours).tolist():
        here = np.flatnonzero(hours == hour)
        best = int(here[np.argmax(scores[here])])
        known = said.hours.get(hour)
        if known is None or scores[best] > known.score:
            evidence = evidence_of(scored, int(rows[best]), detector)
            who = parties(evidence) or "–"
            by = source_of(evidence)
            said.hours[hour] = Moment(evidence.score, evidence.time, who, source, by)

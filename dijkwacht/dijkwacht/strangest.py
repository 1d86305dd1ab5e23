"""The strangest rows of a recording under some detectors: scores alone, nothing is judged."""

from __future__ import annotations

import heapq
import inspect
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from dijkwacht.offline import NumberedRow
from dijkwacht_collector.engine.findings import evidence_of
from dijkwacht_collector.incidents import PLACEHOLDERS, Evidence, fill
from dijkwacht_collector.policy import Scored
from dijkwacht_detectors.api import AnyDetector, Explanation
from dijkwacht_detectors.reading import kinds_of, reads_of
from dijkwacht_lab.scoring import Scoring
from dijkwacht_records.addresses import format_address, format_mac
from dijkwacht_records.errors import DetectorError

MOST_KEPT: Final = 20_000
_Place = tuple[str, str, str, int]
"""Detector, who, whom and port."""


@dataclass(frozen=True, slots=True)
class Strange:
    """One row and what a detector makes of it; ``rows``: how many it stands for, of the same who, whom and port."""

    detector: str
    time: int
    score: float
    src: str
    dst: str
    port: int
    name: str
    facts: Mapping[str, float]
    sentence: str
    rows: int = 1


@dataclass(slots=True)
class Tryout:
    """Detectors on one recording; `play` it and ask for `strangest`.

    Raises `DetectorError` as soon as a detector fails, with the place in its file.
    """

    detectors: Sequence[AnyDetector]
    top: int = 20
    rows: int = 0
    scored: int = 0
    scored_by: Counter[str] = field(default_factory=Counter)
    rows_of: Counter[int] = field(default_factory=Counter)
    """How many rows of each table there were, by its number."""
    first: list[NumberedRow] = field(default_factory=list)
    """The first rows, at most `MOST_KEPT`: all of a small recording."""
    _best: dict[_Place, tuple[float, int, AnyDetector, Evidence]] = field(default_factory=dict)
    _merged: Counter[_Place] = field(default_factory=Counter)

    def play(self, rows: Iterable[NumberedRow]) -> None:
        """Score and learn all rows, in order."""
        scoring = Scoring(self.detectors, refuse)
        for scored in scoring.score(self._counted(rows)):
            self._keep(scored)
        self._keep(scoring.finish())
        self.rows = scoring.rows

    def strangest(self) -> list[Strange]:
        """The strangest rows, at most one for each of who, whom and where."""
        best = heapq.nlargest(self.top, self._best.items(), key=lambda b: (b[1][0], -b[1][1]))
        return [
            replace(_strange(detector, evidence), rows=self._merged[place])
            for place, (_, _, detector, evidence) in best
        ]

    @property
    def places(self) -> int:
        """How many lines there would be without a limit: of each who, whom and where one."""
        return len(self._best)

    def _counted(self, rows: Iterable[NumberedRow]) -> Iterator[NumberedRow]:
        for numbered in rows:
            self.rows_of[numbered[0]] += 1
            if len(self.first) < MOST_KEPT:
                self.first.append(numbered)
            yield numbered

    def _keep(self, opinions: Iterable[Scored]) -> None:
        for scored in opinions:
            detector = self.detectors[scored.detector]
            for row in np.flatnonzero(~np.isnan(scored.scores)):
                self.scored += 1
                self.scored_by[detector.name] += 1
                evidence = evidence_of(scored, int(row), detector)
                key = (
                    detector.name,
                    source_of(evidence),
                    format_address(evidence.dst_h),
                    evidence.dst_p,
                )
                self._merged[key] += 1
                known = self._best.get(key)
                if known is None or evidence.score > known[0]:
                    self._best[key] = (evidence.score, self.scored, detector, evidence)


def _strange(detector: AnyDetector, evidence: Evidence) -> Strange:
    try:
        words = detector.explain(evidence.facts)
    except Exception as error:  # noqa: BLE001  # a student's code may fail in any way
        raise failure_of(detector, error, "explain: ") from None
    if not isinstance(words, Explanation):
        raise DetectorError(detector.name, f"explain returned {words!r}, not an Explanation")
    try:
        sentence = fill(words, evidence, "").title_en
    except (LookupError, ValueError, AttributeError):
        known = ", ".join(f"{{{place}}}" for place in PLACEHOLDERS)
        raise DetectorError(
            detector.name, f"explain: {words.title_en!r} cannot be filled in; it may hold {known}"
        ) from None
    return Strange(
        detector.name,
        evidence.time,
        evidence.score,
        source_of(evidence),
        format_address(evidence.dst_h),
        evidence.dst_p,
        evidence.name,
        evidence.facts,
        sentence,
    )


def source_of(evidence: Evidence) -> str:
    """Who did it: an address, else a MAC, else nothing."""
    return format_address(evidence.src_h) or format_mac(evidence.src_mac)


def parties(evidence: Evidence) -> str:
    """Who and whom, as far as known: ``192.0.2.1 → 192.0.2.9:443``; empty if neither is."""
    whom = format_address(evidence.dst_h)
    if whom and evidence.dst_p:
        whom = f"{whom}:{evidence.dst_p}"
    return " → ".join(filter(None, (source_of(evidence), whom or evidence.name)))


def refuse(detector: AnyDetector, error: BaseException) -> None:
    """The engine goes on without a detector that fails; a student wants to know why and where."""
    raise failure_of(detector, error) from None


def failure_of(detector: AnyDetector, error: BaseException, during: str = "") -> DetectorError:
    """What went wrong in a detector, in one line, with the place in its file."""
    return DetectorError(detector.name, f"{during}{told_error(detector, error)}")


def told_error(detector: AnyDetector, error: BaseException) -> str:
    """The same without the detector's name."""
    own = inspect.getfile(type(detector))
    frames = traceback.extract_tb(error.__traceback__)
    last = next((frame for frame in reversed(frames) if frame.filename == own), None)
    where = f"{Path(last.filename).name} line {last.lineno}: " if last else ""
    first = str(error).strip().partition("\n")[0]
    said = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return f"{where}{said}{_hint(detector, error)}"


def _hint(detector: AnyDetector, error: BaseException) -> str:
    """What a column or a fact that is not there is, most often."""
    missing = error.args[0] if isinstance(error, KeyError) and error.args else None
    if missing in kinds_of(tuple(reads_of(detector))):
        return f" (a detector is handed only the columns that it reads; add {missing!r} to reads)"
    return ""

"""Why a detector said nothing of a recording, and what the lines that are shown stand for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

import numpy as np

from dijkwacht.offline import NumberedRow
from dijkwacht.progress import clock_text
from dijkwacht.strangest import Strange, Tryout, refuse
from dijkwacht_collector.readers.logs import row_time
from dijkwacht_detectors.api import AnyDetector
from dijkwacht_detectors.reading import reads_of
from dijkwacht_detectors.state.memory import state_fields
from dijkwacht_lab.scoring import Scoring
from dijkwacht_records.errors import DetectorError
from dijkwacht_records.tables import TABLES

ROUNDS: Final = 10
"""How often a small recording is played, one after the other, to see whether a detector is still warming up."""
_MOST_ROWS: Final = 100_000
_MINUTE_US: Final = 60_000_000
_NAMES: Final = [table.name for table in TABLES]


def remarks(tryout: Tryout, found: Sequence[Strange]) -> Iterator[str]:
    """What a person must know to understand ``found``, a line each."""
    if len(found) < tryout.scored:
        yield (
            f"a line is the strongest row of one who, whom and port: {tryout.scored:,} scores are "
            f"{tryout.places:,} lines, {len(found):,} of them shown, for "
            f"{sum(strange.rows for strange in found):,} scores"
        )
    for detector in tryout.detectors:
        if not tryout.scored_by[detector.name]:
            yield f"{detector.name}: no row got a score: {_why(tryout, detector)}"


def _why(tryout: Tryout, detector: AnyDetector) -> str:
    tables = tuple(reads_of(detector))
    here = {table: tryout.rows_of[_NAMES.index(table)] for table in tables}
    rows = sum(here.values())
    if not tryout.rows:
        return "there is no row at all"
    if not rows:
        others = ", ".join(f"{n:,} of {_NAMES[t]}" for t, n in sorted(tryout.rows_of.items()))
        return f"it reads {_and(tables)}, of which there is no row; there are {others}"
    had = _and([f"{n:,} of {table}" if n else f"none of {table}" for table, n in here.items()])
    said = f"it was given {had}, and gave each NaN, which is no opinion"
    if "samples" in state_fields(detector):
        return f"{said}; it scores by a model made of what it keeps, and none is made here"
    if tryout.rows > len(tryout.first) or tryout.rows * 2 > _MOST_ROWS:
        return f"{said}, until {clock_text(row_time(tryout.first[-1]))} and after"
    return f"{said}; {_played_again(tryout, detector)}"


def _played_again(tryout: Tryout, detector: AnyDetector) -> str:
    """Whether it would speak if there were more of the same."""
    rows, numbers = tryout.first, {_NAMES.index(table) for table in reads_of(detector)}
    begin, end = min(map(row_time, rows)), max(map(row_time, rows))
    length = ((end - begin) // _MINUTE_US + 2) * _MINUTE_US
    rounds = max(2, min(ROUNDS, _MOST_ROWS // len(rows)))
    scoring = Scoring([type(detector)()], refuse)
    try:
        spoke = _first_score(scoring, _over_and_over(rows, length, rounds))
    except DetectorError as error:
        return f"played {rounds} times over, it fails: {error}"
    if spoke is None:
        return f"played {rounds} times over it says no more, so this is no warm-up: see when it returns NaN"
    round_ = min((spoke - begin) // length, rounds - 1)
    its = [row_time(row) for row in rows if row[0] in numbers]
    before = round_ * len(its) + sum(time + round_ * length < spoke for time in its)
    return (
        f"it is a warm-up: played over and over, it has its first score after {before:,} rows, "
        f"and here are {len(its):,}; try a longer recording, or several at once"
    )


def _over_and_over(rows: Sequence[NumberedRow], length: int, rounds: int) -> Iterator[NumberedRow]:
    """The rows again and again, each time ``length`` µs later: whole minutes, as windows are cut."""
    for round_ in range(rounds):
        for number, row in rows:
            yield number, (int(row[0]) + round_ * length, *row[1:])


def _first_score(scoring: Scoring, rows: Iterator[NumberedRow]) -> int | None:
    """The time of the first row with a score, µs UTC."""
    for step in chain(
        scoring.score(rows), (scoring.finish() for _ in range(1))
    ):  # each in its turn
        for scored in step:
            told = scored.time[~np.isnan(scored.scores)]
            if len(told):
                return int(told.min())
    return None


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))

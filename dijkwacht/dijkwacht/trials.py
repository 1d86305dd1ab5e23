"""Replay labelled files, each from a cold start, with some detectors left out or all there."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from dijkwacht.kernels import compile_kernels
from dijkwacht.offline import NumberedRow, OfflineCollector, cut
from dijkwacht.progress import log_for_people
from dijkwacht.recording import Recorded
from dijkwacht.score_watch import ScoreWatch
from dijkwacht.stopwatch import spent_by
from dijkwacht_collector.engine import DetectorSet
from dijkwacht_collector.engine.warmup import warm_up
from dijkwacht_detectors.api import SiteDetector
from dijkwacht_lab.labels import Labelled
from dijkwacht_lab.scoreboard import Judged, Outcome, Watched, judge
from dijkwacht_records.errors import DijkwachtError
from dijkwacht_records.tables import FLOWS

BATCH_ROWS: Final = 100
"""Small, so that the time to detect is exact to a few rows."""
_PART: Final = FLOWS.index("part")


@dataclass(frozen=True, slots=True)
class Trial:
    """One file to judge, ``without`` some detectors, shipped or one's own, by name."""

    labelled: Labelled
    without: frozenset[str] = frozenset()


def play(
    trials: Sequence[Trial], jobs: int = 1, local: Sequence[str] = (), own: Sequence[Path] = ()
) -> Iterator[tuple[Trial, Judged]]:
    """Replay and judge trials, ``jobs`` at a time, each with what came of it, in the order in which they are done.

    ``own``: files and folders of detectors of one's own.
    """
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
    with ProcessPoolExecutor(
        min(jobs, max(1, len(trials))), mp_context=fresh, initializer=_begin
    ) as pool:
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
    # What compiles does so here, or it would be the first file's cost. What fails will be told of real rows.
    if compiled := [one for one in detectors.own if not isinstance(one, SiteDetector)]:
        logging.disable()
        try:
            warm_up(compiled)
        finally:
            logging.disable(logging.NOTSET)
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
        calls=[call for story in outcome.stories.values() for call in story.calls],
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

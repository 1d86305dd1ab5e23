"""Realised ÷ promised, over sites that nothing was calibrated on: are people interrupted as rarely as promised?

Generated offices of many sizes in which nothing is wrong, with habits that calibration never saw and seeds that
nothing else uses, through the whole engine with policy, incidents and stories. Each is measured twice over
periods of ``--days``: from its first row, when nothing is known of it, and from a day later on. Definitions are
in `dijkwacht_lab.promise`. ``--check`` exits 1 if either is beyond its bars.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Final, NamedTuple

from dijkwacht.offline import OfflineCollector, Outcome, cut
from dijkwacht_collector.engine import DetectorSet
from dijkwacht_collector.engine.watched_time import UNSEEN
from dijkwacht_lab.by_detector import entrants_of
from dijkwacht_lab.calibrate import FIRST_JUDGED, TRAIN_AFTER
from dijkwacht_lab.promise import (
    BenignSite,
    Period,
    broken,
    interruptions_in,
    promise_of_sites,
    promise_table,
)
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_lab.traffic.habits import KEPT_OUT
from dijkwacht_records.tables import Row

DAY_US: Final = 86_400_000_000
FIRST_SEED: Final = FIRST_JUDGED + 12_000
"""Far beyond those of the other benchmarks, so that what was looked at there is not what is measured here."""
SIZES: Final = (5, 8, 12, 6, 20, 10, 30, 7, 15, 9, 25, 11, 16, 5, 13, 18, 6, 22, 8, 14)
"""Machines of the offices, in turn."""
_MANY: Final = 20
_BATCH_ROWS: Final = 2_000
COLD, LATER = "cold start", "after a day"


class Watch(NamedTuple):
    """One office as it was measured: from a cold start, and after a day. ``cpu_s``: generation included."""

    seed: int
    hosts: int
    cold: BenignSite
    later: BenignSite
    rows: int
    cpu_s: float


def watch(seed: int, hosts: int, days: float) -> Watch:
    """One office for ``days`` and a day more. Models are trained once, as live."""
    began = time.process_time()
    lasts = int(days * DAY_US)
    cold, later = Period(0, lasts), Period(DAY_US, lasts)
    rate = 0.25 if hosts > _MANY else 0.4
    rows = office_rows(seed, hosts, WORKING_MORNING, lasts + DAY_US, rate, habits=KEPT_OUT)
    with OfflineCollector() as collector:
        collector.play_all("office", cut(seen_by((cold, later), rows), _BATCH_ROWS), TRAIN_AFTER)
        calls = [*interruptions_of(collector.outcome)]
    of = [BenignSite(p.watched_s, interruptions_in(p, calls)) for p in (cold, later)]
    return Watch(seed, hosts, of[0], of[1], collector.rows, time.process_time() - began)


def seen_by(
    periods: Sequence[Period], rows: Iterable[tuple[int, Row]]
) -> Iterator[tuple[int, Row]]:
    """The same rows, once the ``periods`` have seen those that packets made."""
    for number, row in rows:
        if number not in UNSEEN:
            for period in periods:
                period.see(int(row[0]))
        yield number, row


def interruptions_of(outcome: Outcome) -> Iterator[tuple[int, str]]:
    """When somebody was interrupted, µs UTC of event time, and by which detector."""
    for story in outcome.stories.values():
        for call in story.calls:
            yield call.time, call.detector


def offices(count: int) -> list[tuple[int, int]]:
    """Seed and machines of each."""
    return [(FIRST_SEED + k, SIZES[k % len(SIZES)]) for k in range(count)]


def measure(sites: int, days: float, processes: int) -> dict[str, Any]:
    """So many offices, watched by so many processes: `result_of` them."""
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        asked = [pool.submit(watch, *office, days) for office in offices(sites)]
        return result_of([one.result() for one in asked], days)


def result_of(told: Sequence[Watch], days: float) -> dict[str, Any]:
    """By beginning, `promise_of_sites`; and what each office did."""
    shares = {one.name: one.share for one in entrants_of(DetectorSet())}
    return {
        "days": days,
        COLD: promise_of_sites([one.cold for one in told], shares),
        LATER: promise_of_sites([one.later for one in told], shares),
        "rows": sum(one.rows for one in told),
        "cpu_seconds": sum(one.cpu_s for one in told),
        "offices": [
            {"seed": one.seed, "machines": one.hosts, COLD: list(one.cold.interruptions),
             LATER: list(one.later.interruptions)}
            for one in told
        ],
    }  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 if a bar is broken and ``--check`` was given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sites", type=int, default=40)
    parser.add_argument("--days", type=float, default=7, help="of each period")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help="exit 1 beyond the bars")
    options = parser.parse_args(arguments)
    found = measure(options.sites, options.days, options.processes)
    results = {name: found[name] for name in (COLD, LATER)}
    text = json.dumps(found) if options.json else promise_table(results)
    sys.stdout.write(text + "\n")
    beyond = [f"{name}: {line}" for name, of in results.items() for line in broken(of)]
    sys.stderr.write("".join(f"{line}\n" for line in beyond))
    return 1 if options.check and beyond else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

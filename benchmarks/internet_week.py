"""A server that faces the Internet for a week: how often is its owner called, and is he when somebody gets in?

Each seed is a generated office whose server everybody can reach (`dijkwacht_lab.traffic.open_door`), run through the
whole engine three times: as it is; with one guess that is right at a random time; and with the server calling somewhere
new some time within eight minutes after that. Counted are stories that interrupted, of the whole office and of the server; told is how many
seconds after the log-in the first interruption about the server came, and after the call the first that `door_followed`
made or was part of. All times are event time, as rows have it: what the way from agent to collector takes comes on top.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Final

import msgspec

from dijkwacht.offline import OfflineCollector, Outcome, cut
from dijkwacht_collector.incidents.incident import ALERT_SEVERITY
from dijkwacht_lab.calibrate import FIRST_JUDGED, TRAIN_AFTER
from dijkwacht_lab.traffic import WORKING_MORNING
from dijkwacht_lab.traffic.dice import Dice
from dijkwacht_lab.traffic.open_door import BreakIn, Week, open_door
from dijkwacht_records.addresses import format_address

SECOND: Final = 1_000_000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR
SIZES: Final = (5, 8, 12, 6, 10)
BATCH_ROWS: Final = 2_000
BAR_S: Final = 60.0


class Told(msgspec.Struct):
    """What became of one run. Seconds are None where nobody was told."""

    rows: int
    stories: int
    of_server: int
    by: list[str]
    entered_s: float | None = None
    followed_s: float | None = None


def moment_of(seed: int, days: float) -> int:
    """When the guess that is right is made: at any time from the second day on, µs UTC."""
    return WORKING_MORNING + int(
        Dice(f"moment {seed}").uniform(min(1.2, days / 2), days - 0.05) * DAY
    )


def run(seed: int, days: float, case: str) -> Told:
    """One week of ``seed``: ``case`` is quiet, guessed or followed."""
    hosts, at = SIZES[seed % len(SIZES)], moment_of(seed, days)
    after = int(Dice(f"after {seed}").wide(5, 480)) * SECOND if case == "followed" else 0
    how = None if case == "quiet" else BreakIn(at, after, Dice(f"stays {seed}").chance(0.5))
    week = open_door(seed, hosts, WORKING_MORNING, int(days * DAY), how=how)
    with OfflineCollector() as collector:
        collector.play_all("office", cut(week.rows, BATCH_ROWS), TRAIN_AFTER)
        return told(week, collector.outcome, collector.rows, how)


def told(week: Week, outcome: Outcome, rows: int, how: BreakIn | None) -> Told:
    """What ``outcome`` says of a week."""
    server = format_address(week.server.address)
    called = [story for story in outcome.stories.values() if story.interrupted]
    calls = [(call, story.machine) for story in called for call in story.calls]
    made = Told(rows, len(called), sum(story.machine == server for story in called),
                sorted(f"{call.detector} {call.kind}" for call, _ in calls))  # fmt: skip
    if how is None:
        return made
    mine = [call for call, machine in calls if machine == server]
    made.entered_s = _first((call.time for call in mine), how.at)
    if how.fetches_after:
        parts = [
            incident.start for incident in outcome.final()
            if "door_followed" in {incident.detector, *(e.detector for e in incident.evidences)}
            and incident.machine == server and incident.severity_id >= ALERT_SEVERITY
        ]  # fmt: skip
        made.followed_s = _first(parts, how.at + how.fetches_after)
    return made


def _first(times: Any, at: int) -> float | None:
    after = [time - at for time in times if time >= at - 2 * SECOND]
    return round(min(after) / SECOND, 1) if after else None


def measure(seeds: Sequence[int], days: float, processes: int) -> dict[str, Any]:
    """All seeds, each in its three cases, and what they come to."""
    cases = ("quiet", "guessed", "followed")
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        runs = {
            (seed, case): pool.submit(run, seed, days, case) for seed in seeds for case in cases
        }
        made = {key: future.result() for key, future in runs.items()}
    quiet = [made[seed, "quiet"] for seed in seeds]
    entered = [made[seed, "guessed"].entered_s for seed in seeds]
    followed = [made[seed, "followed"].followed_s for seed in seeds]
    return {
        "seeds": len(seeds), "days": days,
        "stories": {"of the server": [one.of_server for one in quiet], "of all": [one.stories for one in quiet]},
        "guessed": _summary(entered), "followed": _summary(followed),
        "runs": {f"{seed} {case}": msgspec.to_builtins(one) for (seed, case), one in made.items()},
    }  # fmt: skip


def _summary(seconds: Sequence[float | None]) -> dict[str, Any]:
    known = [one for one in seconds if one is not None]
    return {
        "told": len(known), "of": len(seconds), "within a minute": sum(one <= BAR_S for one in known),
        "median_s": statistics.median(known) if known else None, "most_s": max(known, default=None),
    }  # fmt: skip


def tell(figures: dict[str, Any]) -> str:
    """The figures in a few lines."""
    stories = figures["stories"]
    return "\n".join((
        f"{figures['seeds']} weeks of {figures['days']:g} days at an open door",
        f"stories that interrupted: of the server {stories['of the server']}, of all machines {stories['of all']}",
        *(f"{name}: {it['told']} of {it['of']} told, {it['within a minute']} within a minute, median {it['median_s']} s, "
          f"at most {it['most_s']} s" for name, it in ((n, figures[n]) for n in ("guessed", "followed"))),
    ))  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Print the figures, as text or as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=FIRST_JUDGED, help="the first seed")
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    seeds = range(options.first, options.first + options.seeds)
    figures = measure(seeds, options.days, options.processes)
    sys.stdout.write((json.dumps(figures) if options.json else tell(figures)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

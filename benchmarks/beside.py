"""A measurement of two checkouts in turn, so that a figure stands beside what it was on the same machine in the same minutes.

    python benchmarks/beside.py --before ../before --pairs 5 -- engine --batch-rows 100 1000

What stands behind ``--`` is what `dijkwacht bench` takes. Each is measured in a process of its own, one before and
one now, then the other way round, as often as ``--pairs`` says. Told are the medians, and of the ratios of the
pairs (now by before) the median and both ends. What measures and what makes the input is of this checkout for both, so that both
have the same rows; with ``--own-lab`` each has its own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dijkwacht import bench
from dijkwacht.progress import report

THIS = Path(bench.__file__).resolve().parent.parent.parent
ROOMS = ("agent", "collector", "detectors", "records", "dijkwacht")
FIGURES = r"(_per_second|_per_cpu_second|p50_seconds|p99_seconds|max_seconds|growth|times|total)$"
_MEASURE = """
import importlib, json, sys
from dijkwacht.kernels import compile_kernels
compile_kernels()
measure = importlib.import_module("dijkwacht_lab.bench." + sys.argv[1]).measure
print(json.dumps(measure(**json.loads(sys.argv[2]))))
"""


class Ratio(NamedTuple):
    """One figure of both: medians, and now by before in each pair."""

    figure: str
    before: float
    now: float
    ratios: list[float]

    def __str__(self) -> str:
        middle = statistics.median(self.ratios)
        return (f"{self.figure:<58} {self.before:>12,.4g} {self.now:>12,.4g} "
                f"{middle:>6.3f} ({min(self.ratios):.3f} – {max(self.ratios):.3f})")  # fmt: skip


def measured(
    checkout: Path, path: str, options: Mapping[str, Any], *, own_lab: bool = False
) -> dict[str, Any]:
    """What `dijkwacht bench` says of a checkout. Raises `subprocess.CalledProcessError`."""
    lab = checkout if own_lab else THIS
    places = [lab / "lab", *(checkout / room for room in ROOMS)]
    said = subprocess.run(
        [sys.executable, "-c", _MEASURE, path, json.dumps(options)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([*map(str, places), *_others()])},
        stdout=subprocess.PIPE, text=True, check=True, cwd=checkout,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    return found


def _others() -> list[str]:
    """What of PYTHONPATH is of no checkout."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [place for place in given if place and not (Path(place).parent / "detectors").is_dir()]


def figures(value: object, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number of what was said, by its place; the points of an engine by what they are."""
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield name, float(value)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if key != "points" or not isinstance(each, list):
                yield from figures(each, f"{name}.{key}" if name else key)
        for point in value.get("points", ()):
            label = f"{point['input']}, {point['sites']} sites, {point['batch_rows']} a batch"
            yield from figures(point, label)
        parts = value.get("nanoseconds_per_row")
        if isinstance(parts, Mapping):
            yield f"{name}.nanoseconds_per_row.total".lstrip("."), float(sum(parts.values()))


def pairs_of(
    before: Path, path: str, options: Mapping[str, Any], pairs: int, *, own_lab: bool = False
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Before and now, so many times, each first in turn."""
    found = []
    for number in range(pairs):
        sides = [before, THIS] if number % 2 == 0 else [THIS, before]
        said = {side: measured(side, path, options, own_lab=own_lab) for side in sides}
        found.append((said[before], said[THIS]))
        report(f"pair {number + 1} of {pairs}")
    return found


def compared(
    pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], wanted: str = FIGURES
) -> list[Ratio]:
    """The figures that every run has and whose names match ``wanted``."""
    sides = [(dict(figures(before)), dict(figures(now))) for before, now in pairs]
    names = [name for name in sides[0][1] if all(name in side for pair in sides for side in pair)]
    found = []
    for name in names:
        if re.search(wanted, name) and all(before[name] for before, _ in sides):
            before, now = ([pair[at][name] for pair in sides] for at in (0, 1))
            ratios = [b / a for a, b in zip(before, now, strict=True)]
            found.append(Ratio(name, statistics.median(before), statistics.median(now), ratios))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--before", type=Path, required=True, metavar="CHECKOUT")
    add("--pairs", type=int, default=5)
    add("--own-lab", action="store_true", help="each measures itself")
    add("--figures", default=FIGURES, metavar="PATTERN", help="which figures, by their names")
    add("--json", action="store_true")
    add("bench", nargs=argparse.REMAINDER, help="-- what dijkwacht bench takes")
    given = parser.parse_args()
    asked = argparse.ArgumentParser(prog="beside.py … --")
    bench.add_arguments(asked)
    what = asked.parse_args([word for word in given.bench if word != "--"])
    before = given.before.resolve()
    if not (before / "detectors").is_dir() or before == THIS:
        parser.error(f"--before {given.before}: another checkout of this")
    if given.pairs < 1:
        parser.error("--pairs: at least 1")
    pairs = pairs_of(before, what.path, bench.options_of(what), given.pairs, own_lab=given.own_lab)
    found = compared(pairs, given.figures)
    if given.json:
        print(json.dumps([one._asdict() for one in found]))
        return
    print(
        f"{'figure, of ' + str(given.pairs) + ' pairs':<58} {'before':>12} {'now':>12}  ratio (from – to)"
    )
    for one in found:
        print(one)


if __name__ == "__main__":
    main()

"""What this is held to, in one table: each figure, what it was before, what is asked, what is hoped for.

    python benchmarks/figures.py
    python benchmarks/figures.py --before ../before --pairs 3

With ``--before CHECKOUT`` each is measured of both in turn (`beside`), and medians are told. What an engine keeps after a week is
another benchmark's: it takes an hour.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from beside import THIS, measured, pairs_of

from dijkwacht.progress import report

Said = Mapping[str, Any]
WORST = ("uploads", "churn", "fresh", "in turn", "one table", "one site")
ENGINE = {
    "batch_rows": [100, 1000],
    "sites": [1000, 10, 100, 10_000],
    "inputs": ["mixed", *WORST],
    "peers": True,
}
RIVER = "River"


class Figure(NamedTuple):
    """``path`` is one of `dijkwacht bench`'s; ``of`` finds the number in what it says, None if it is not there."""

    path: str
    name: str
    floor: float
    goal: float
    of: Callable[[Said], float | None]

    @property
    def more_is_better(self) -> bool:
        """Of rates, not of times."""
        return self.goal >= self.floor


def _point(said: Said, batch_rows: int) -> float | None:
    rates = [one["rows_per_second"] for one in said["points"]
             if one["input"] == "mixed" and one["batch_rows"] == batch_rows]  # fmt: skip
    return rates[0] if rates else None


def _worst(said: Said) -> float | None:
    rates = [one["rows_per_second"] for one in said["points"] if one["input"] in WORST]
    return min(rates, default=None)


def _times(said: Said) -> float | None:
    known = [
        one["times"]
        for one in said.get("peers", ())
        if one["name"].startswith(RIVER) and "times" in one
    ]
    return known[0] if known else None


def _pause(said: Said) -> float | None:
    longest = [
        one["max_seconds"] for one in said.get("pauses", {}).values() if "max_seconds" in one
    ]
    return max(longest, default=None)


TABLE = (
    Figure("engine", "rows/s, 100 a batch", 1.0e6, 1.7e6, lambda said: _point(said, 100)),
    Figure("engine", "rows/s, 1,000 a batch", 1.5e6, 2.5e6, lambda said: _point(said, 1000)),
    Figure("engine", "rows/s, the worst input", 0.5e6, 0.8e6, _worst),
    Figure("engine", "times River's rate", 55, 90, _times),
    Figure("engine", "ns a row, 10,000 sites by 10", 1.6, 1.3, lambda said: said.get("growth")),
    Figure("intake", "rows/s scored, 1,000 a post", 0.8e6, 1.25e6, lambda said: said["rows_per_second"]),
    Figure("intake", "posts/s, 100 rows each", 3500, 5000, lambda said: said["posts_per_second"]),
    Figure("latency", "s to an incident, p50", 0.005, 0.003, lambda said: said["p50_seconds"]),
    Figure("latency", "s to an incident, p99", 0.020, 0.010, lambda said: said["p99_seconds"]),
    Figure("latency", "s of the longest pause", 0.010, 0.005, _pause),
)  # fmt: skip


class Line(NamedTuple):
    """A figure as it came out; None where it could not be measured."""

    figure: Figure
    before: float | None
    now: float | None

    def __str__(self) -> str:
        figure = self.figure
        cells = [f"{figure.path:<8}{figure.name:<31}"]
        cells += [f"{_short(n):>9}" for n in (self.before, self.now, figure.floor, figure.goal)]
        return "".join(cells) + f"  {self.verdict}"

    @property
    def verdict(self) -> str:
        """Where it stands between what is asked and what is hoped for."""
        if self.now is None:
            return "not measured"
        sign = 1 if self.figure.more_is_better else -1
        if sign * self.now >= sign * self.figure.goal:
            return "goal"
        return "floor" if sign * self.now >= sign * self.figure.floor else "below"


def _short(number: float | None) -> str:
    if number is None:
        return "–"
    if number >= 1e6:
        return f"{number / 1e6:.2f} M"
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def lines_of(said: Mapping[str, Sequence[tuple[Said | None, Said]]]) -> list[Line]:
    """``said``: by path, what was said before (None if that was not asked) and now, each time."""

    def middle(figure: Figure, sides: Sequence[Said | None]) -> float | None:
        known = [
            found for side in sides if side is not None if (found := figure.of(side)) is not None
        ]
        return statistics.median(known) if known else None

    return [
        Line(figure, *(middle(figure, [pair[at] for pair in said[figure.path]]) for at in (0, 1)))
        for figure in TABLE
        if figure.path in said
    ]  # fmt: skip


def _said(
    path: str, asked: Said, before: Path | None, pairs: int
) -> list[tuple[Said | None, Said]]:
    """Of both in turn; of this alone where the other cannot be measured like this, which is said."""
    if before is not None:
        try:
            return [*pairs_of(before.resolve(), path, asked, pairs)]
        except subprocess.CalledProcessError:
            report(f"{path}: {before} cannot be measured, so this one stands alone")
    return [(None, measured(THIS, path, asked))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--before", type=Path, metavar="CHECKOUT")
    add("--pairs", type=int, default=3)
    add(
        "--json",
        action="store_true",
        help="all that was said, a line for each, instead of the table",
    )
    options = parser.parse_args()
    said: dict[str, list[tuple[Said | None, Said]]] = {}
    for path in dict.fromkeys(figure.path for figure in TABLE):
        asked = ENGINE if path == "engine" else {}
        report(f"measuring {path} …")
        said[path] = _said(path, asked, options.before, options.pairs)
        if options.json:
            print(json.dumps({path: said[path]}), flush=True)
            continue
        if len(said) == 1:
            print(f"{'':<39}{'before':>9}{'now':>9}{'floor':>9}{'goal':>9}")
        for line in lines_of({path: said[path]}):
            print(line, flush=True)
    if options.json:
        return
    for one in said["engine"][0][1]["peers"]:
        if "missing" in one:
            print(f"without {one['name']}: {one['missing']}")
    for path, pairs in said.items():
        for why in dict.fromkeys(why for _, now in pairs for why in now.get("failed", ())):
            print(f"{path}: {why}")


if __name__ == "__main__":
    main()

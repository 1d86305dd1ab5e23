"""Are attacks on a machine told from its own idling? Area under the curve, by file.

Each CSV of the folders' ``hostmetric`` is a machine for some minutes, a sample about each second, which its
column of modes divides: `host_load` learns the first half of what is idle, and the samples of the attack are
held against the second half, by its whole score (with the sum, which remembers) and by T² alone, reading by
reading. Recovery is left out. There are minutes, not days: the detector speaks at once, and what it
learned of the first half counts from then on like what it learned of a machine in days. Twice: with all
metrics, and without those of memory, which rise by the clock.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dijkwacht_collector.readers.metrics import MetricsReader
from dijkwacht_detectors.checks import Harness
from dijkwacht_detectors.host_load import HostLoad
from dijkwacht_records.tables import TABLE

_TIME, _METRIC, _VALUE = (TABLE["system"].index(c) for c in ("time", "metric", "value"))
_SECOND_US: Final = 1_000_000
_READING: Final = HostLoad.reading_us // _SECOND_US
Sample = dict[str, object]


class Soon(HostLoad):
    """The detector without patience: there is no first day."""

    warm_up_s = 0
    fewest = 2


def samples(path: Path, *, memory: bool) -> tuple[list[list[Sample]], list[str]]:
    """What each line says of its machine, and the line's mode; a second between lines."""
    reader = MetricsReader(path, lambda _: True)
    told: list[list[Sample]] = []
    with path.open("rb") as lines:
        for line in lines:
            rows = reader.read(line.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n"))
            if rows is None:
                continue
            told.append([
                {"time": len(told) * _SECOND_US, "metric": row[_METRIC], "value": row[_VALUE]}
                for _, row in rows if memory or "memory" not in str(row[_METRIC])
            ])  # fmt: skip
    with path.open(encoding="utf-8-sig", newline="") as table:
        modes = [line["Mode"] for line in csv.DictReader(table)]
    if len(modes) != len(told):
        raise SystemExit(f"{path}: {len(told)} samples, {len(modes)} modes")
    return told, modes


def area(innocent: NDArray[np.float64], guilty: NDArray[np.float64]) -> float:
    """How often a guilty one scores more than an innocent one, ties by half."""
    more = (guilty[:, None] > innocent[None, :]).mean()
    return float(more + 0.5 * (guilty[:, None] == innocent[None, :]).mean())


def areas(path: Path, *, memory: bool) -> tuple[float, float, float]:
    """Area under the curve of the whole score, of T² reading by reading, and of time alone.

    The last is how often T² is more in the later half of what is idle here than in the earlier.
    """
    told, modes = samples(path, memory=memory)
    idle = [n for n, mode in enumerate(modes) if mode.startswith("Idle")]
    attack = [n for n, mode in enumerate(modes) if mode == "Attack"]
    begin = len(idle) // 2
    harness = Harness(Soon(), [])
    _feed(harness, [told[n] for n in idle[:begin]], 0)
    harness.memory.state["observed"][:] = harness.memory.state["readings"][:] = Soon.memory
    innocent = _feed(harness, [told[n] for n in idle[begin:]], begin)
    guilty = _feed(harness, [told[n] for n in attack], len(idle))
    middle = len(innocent[1]) // 2
    clock = area(innocent[1][:middle], innocent[1][middle:])
    return area(innocent[0], guilty[0]), area(innocent[1], guilty[1]), clock


def _feed(
    harness: Harness, told: Sequence[list[Sample]], begin: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores and T² of the readings of some samples, which begin with a reading of their own."""
    rows = [row | {"time": n * _SECOND_US} for n, sample in enumerate(told) for row in sample]
    first = -(-begin // _READING) * _READING * _SECOND_US
    scores, facts = harness.feed([row | {"time": int(row["time"]) + first} for row in rows])
    # what stands at the first sample is of the reading before
    scored = np.flatnonzero(~np.isnan(scores))[1:]
    return scores[scored], facts[scored, 0] ** 2


def measure(folders: Sequence[Path]) -> list[dict[str, object]]:
    """A line a file: areas with and without memory's metrics."""
    files = sorted(path for folder in folders for path in folder.glob("hostmetrics-*.csv"))
    if not files:
        raise SystemExit("no hostmetrics-*.csv in there")
    told: list[dict[str, object]] = []
    for path in files:
        whole, plain, clock = areas(path, memory=True)
        whole_without, plain_without, _ = areas(path, memory=False)
        name = path.stem.partition("preprocessed_")[2] or path.stem
        told.append({
            "file": name, "score": round(whole, 3), "without_memory": round(whole_without, 3),
            "reading": round(plain, 3), "reading_without_memory": round(plain_without, 3),
            "idle_by_time": round(clock, 3),
        })  # fmt: skip
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+", help="folders of hostmetrics-*.csv")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    told = measure(options.folders)
    if options.json:
        print(json.dumps(told))
        return
    print(
        "| file | score | without memory | by reading | without memory | idle by time |\n|---|---:|---:|---:|---:|---:|"
    )
    for line in told:
        print(
            "| "
            + " | ".join(f"{v:.2f}" if isinstance(v, float) else str(v)[:60] for v in line.values())
            + " |"
        )
    for word, pick in (("median", statistics.median), ("least", min)):
        found = [pick([float(str(line[k])) for line in told]) for k in list(told[0])[1:]]
        print(f"| {word} | " + " | ".join(f"{v:.2f}" for v in found) + " |")


if __name__ == "__main__":
    main()

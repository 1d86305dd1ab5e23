"""What each shipped detector is worth: what would be missed without it, and what it says falsely.

Judges the labelled captures with all detectors, and once without each of them. ``LABELS.csv`` as
`dijkwacht evaluate` takes them; half B is judged with ``--final`` only. Prints a table in Markdown, or
one JSON object. What it costs a row is told by `dijkwacht bench engine --json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dijkwacht.evaluate import evaluate
from dijkwacht.progress import counted
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.by_detector import heard_in
from dijkwacht_lab.halves import Half, choose_half
from dijkwacht_lab.labels import Labelled, read_lists
from dijkwacht_lab.scoreboard import Judged

Result = dict[str, Any]


def judged(files: Sequence[Labelled], without: Sequence[str] = ()) -> dict[str, Judged]:
    """What comes of each file, by its name."""
    title = f"files without {without[0]}" if without else "files"
    lines = counted(evaluate(files, 2, without=without), title, len(files))
    return {j.labelled.file: j for j in lines}


def worth(listed: Sequence[Labelled], halves: Sequence[Half]) -> dict[str, Result]:
    """By detector and half: the files that only it catches, and those that only it is wrong about."""
    result: dict[str, Result] = {detector.name: {} for detector in shipped_detectors()}
    for half in halves:
        files = [f for f in choose_half(listed, half) if f.class_ not in ("robust", "hostmetric")]
        whole = judged(files)
        for name, of in result.items():
            its = [f for f in files if name in heard_in(whole[f.file].outcome.incidents)]
            still = judged(its, [name]) if its else {}
            of[half] = {
                "missed": [f for f, j in still.items() if _caught(whole[f]) and not _caught(j)],
                "false": [f for f, j in still.items() if whole[f].false and not j.false],
            }
    return result


def _caught(judged: Judged) -> bool:
    return judged.status == "caught"


def table(result: dict[str, Result], halves: Sequence[Half]) -> str:
    """One line a detector: counts by half."""
    heads = [f"missed without it, {h} | false with it, {h}" for h in halves]
    lines = [f"| detector | {' | '.join(heads)} |", "|---" * (1 + 2 * len(halves)) + "|"]
    for name, of in sorted(result.items()):
        cells = [f"{len(of[h]['missed'])} | {len(of[h]['false'])}" for h in halves]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Judge, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("labels", nargs="+", type=Path, metavar="LABELS.csv")
    parser.add_argument("--final", action="store_true", help="half B too")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    listed, _ = read_lists(options.labels)
    halves: list[Half] = ["A", "B"] if options.final else ["A"]
    result = worth(listed, halves)
    sys.stdout.write(
        (json.dumps(result, indent=1) if options.json else table(result, halves)) + "\n"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

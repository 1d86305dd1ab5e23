"""What each shipped detector is worth: what would be missed without it, and what it says falsely.

Judges the labelled captures with all detectors, and once without each of them. ``LABELS.csv`` as
`dijkwacht evaluate` takes them; half B is judged with ``--final`` only. Prints a table in Markdown, or
one JSON object, each with the share of the alert budget that it declares: who is worth more may have more. What it costs a row is told by `dijkwacht bench engine --json`.
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
    """By detector its share, and by half the files that only it catches, and that only it is wrong about.

    ``caught``: files in whose catch it has a say, alone or not.
    """
    result: dict[str, Result] = {d.name: {"share": d.share} for d in shipped_detectors()}
    for half in halves:
        files = [f for f in choose_half(listed, half) if f.class_ not in ("robust", "hostmetric")]
        whole = judged(files)
        for name, of in result.items():
            its = [f for f in files if name in heard_in(whole[f.file].outcome.incidents)]
            still = judged(its, [name]) if its else {}
            of[half] = {
                "caught": [
                    f for f, j in whole.items() if _caught(j) and name in heard_in(j.rights)
                ],
                "missed": [f for f, j in still.items() if _caught(whole[f]) and not _caught(j)],
                "false": [f for f, j in still.items() if whole[f].false and not j.false],
            }
    return result


def _caught(judged: Judged) -> bool:
    return judged.status == "caught"


def table(result: dict[str, Result], halves: Sequence[Half]) -> str:
    """One line a detector: its share, and counts by half."""
    counts = {"caught": "has a say in", "missed": "missed without it", "false": "false with it"}
    heads = [f"{head}, {h}" for h in halves for head in counts.values()]
    lines = [f"| detector | share | {' | '.join(heads)} |", "|---" * (2 + len(heads)) + "|"]
    for name, of in sorted(result.items()):
        cells = [str(len(of[h][key])) for h in halves for key in counts]
        lines.append(f"| `{name}` | {of['share']:.4f} | {' | '.join(cells)} |")
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

"""Bytes of a flow row on the wire: the `flows` table of each recording, encoded alone. Prints one JSON object.

Every file under the folders that are named, with 1,000 flow rows or more, is cut into batches of at
least 1,000 rows; generated offices are cut into batches of just 1,000. Both versions of the contract are
measured on the same rows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path

from dijkwacht.progress import report
from dijkwacht.recording import Recorded
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records import wire
from dijkwacht_records.contracts import CONTRACTS
from dijkwacht_records.errors import DijkwachtError
from dijkwacht_records.tables import FLOWS, TABLES, Row

_FLOWS = TABLES.index(FLOWS)
_BATCH_ROWS = 1_000
_YEAR_US = 365 * 86_400_000_000
Rows = list[tuple[int, Row]]


def bytes_a_row(rows: Rows) -> dict[str, float]:
    """By contract: wire bytes of ``rows``, in as many batches as have at least 1,000, by their number."""
    batches = len(rows) // _BATCH_ROWS
    bounds = [len(rows) * n // batches for n in range(batches + 1)]
    sizes = {}
    for contract in CONTRACTS:
        wires = (
            wire.encode("site", "agent", bytes(16), n, 1, rows[begin:end], contract)
            for n, (begin, end) in enumerate(pairwise(bounds))
        )
        sizes[str(contract)] = round(sum(map(len, wires)) / len(rows), 2)
    return sizes


def recordings(folders: Sequence[Path]) -> Iterator[tuple[str, Rows]]:
    """The flow rows of each file that has enough of them."""
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        recorded = Recorded([path])
        try:
            rows = [pair for pair in recorded.rows() if pair[0] == _FLOWS]
        except DijkwachtError:
            continue
        if len(rows) >= _BATCH_ROWS:
            yield f"{path.parent.parent.name}/{path.parent.name}/{path.name}", rows


def offices(count: int) -> Iterator[tuple[str, Rows]]:
    """4,000 flow rows of each generated office."""
    for seed in range(count):
        rows = (p for p in office_rows(seed, 25, WORKING_MORNING, _YEAR_US) if p[0] == _FLOWS)
        yield f"office {seed}", list(islice(rows, 4 * _BATCH_ROWS))


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="*", help="folders of captures and Zeek logs")
    parser.add_argument("--offices", type=int, default=20, help="generated offices (20)")
    args = parser.parse_args(arguments)
    result: dict[str, object] = {}
    for kind, source in (
        ("recordings", recordings(args.folders)),
        ("offices", offices(args.offices)),
    ):
        sizes = {}
        for name, rows in source:
            sizes[name] = bytes_a_row(rows)
            report(f"{name}: {sizes[name]}")
        if sizes:
            by_contract = {c: [size[c] for size in sizes.values()] for c in map(str, CONTRACTS)}
            result[kind] = {
                "files": len(sizes),
                "median": {c: statistics.median(found) for c, found in by_contract.items()},
                "most": {c: max(found) for c, found in by_contract.items()},
                "above_20": [n for n, size in sizes.items() if size[str(max(CONTRACTS))] > 20],
            }
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

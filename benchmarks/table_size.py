"""Bytes a table costs on the wire on a site's day: recordings metered, cut into batches as an agent cuts them.

Every file under the folders that are named is metered; its rows leave each half second of event time,
4,096 at most together. A table's bytes are its share of those of the batches it is in, by what it and the
others take alone. Minutes with a row are active; a day has so many hours of them. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from dijkwacht.progress import report
from dijkwacht.recording import Recorded
from dijkwacht_agent.batches import CUT_ROWS, MAX_AGE_US
from dijkwacht_records import wire
from dijkwacht_records.contracts import CONTRACTS, LATEST
from dijkwacht_records.errors import DijkwachtError
from dijkwacht_records.tables import TABLES, Row

_MINUTE_US = 60_000_000
_HOUR_MINUTES = 60
Rows = list[tuple[int, Row]]


def batches(rows: Rows) -> Iterator[Rows]:
    """``rows``, in the order they were made, as they would leave."""
    held: Rows = []
    latest = since = 0
    for pair in rows:
        latest = max(latest, int(pair[1][0]))
        if held and (latest - since >= MAX_AGE_US or len(held) >= CUT_ROWS):
            yield held
            held = []
        if not held:
            since = latest
        held.append(pair)
    if held:
        yield held


def encoded(rows: Rows, contract: int) -> int:
    """Wire bytes of one batch."""
    return len(wire.encode("site", "agent", bytes(16), 0, 1, rows, contract))


class Sums:
    """Bytes and rows by table, and how long there was something to say."""

    def __init__(self, contract: int) -> None:
        self.contract = contract
        self.bytes = dict.fromkeys((table.name for table in TABLES), 0.0)
        self.rows: Counter[str] = Counter()
        self.minutes = self.batches = 0

    def add(self, rows: Rows) -> None:
        """One recording."""
        rows = [pair for pair in rows if pair[0] < len(CONTRACTS[self.contract].columns)]
        empty = encoded([], self.contract)
        for batch in batches(rows):
            numbers = sorted({number for number, _ in batch})
            alone = [
                encoded([pair for pair in batch if pair[0] == number], self.contract) - empty
                for number in numbers
            ]
            whole = encoded(batch, self.contract)
            self.batches += 1
            for number, share in zip(numbers, alone, strict=True):
                self.bytes[TABLES[number].name] += whole * share / sum(alone)
        self.rows.update(TABLES[number].name for number, _ in rows)
        self.minutes += len({int(row[0]) // _MINUTE_US for _, row in rows})

    def day(self, hours: float) -> dict[str, object]:
        """A day of so many active hours."""
        days = self.minutes / _HOUR_MINUTES / hours or 1.0
        tables = {
            name: {
                "rows": self.rows[name],
                "bytes_a_row": round(self.bytes[name] / self.rows[name], 1),
                "rows_a_day": round(self.rows[name] / days),
                "bytes_a_day": round(self.bytes[name] / days),
            }
            for name in (table.name for table in TABLES)
            if self.rows[name]
        }
        return {
            "active_hours": round(self.minutes / _HOUR_MINUTES, 1),
            "batches": self.batches,
            "bytes_a_day": round(sum(self.bytes.values()) / days),
            "tables": tables,
        }


def recordings(folders: Sequence[Path]) -> Iterator[tuple[Path, Rows]]:
    """Every file that can be read, and its rows."""
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        try:
            yield path, list(Recorded([path]).rows())
        except DijkwachtError:
            continue


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="folders of captures and Zeek logs")
    parser.add_argument("--hours", type=float, default=8.0, help="active hours of a day (8)")
    parser.add_argument("--contract", type=int, choices=CONTRACTS, default=LATEST)
    args = parser.parse_args(arguments)
    sums = Sums(args.contract)
    for path, rows in recordings(args.folders):
        sums.add(rows)
        report(f"{path.name}: {len(rows):,} rows")
    print(json.dumps(sums.day(args.hours), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

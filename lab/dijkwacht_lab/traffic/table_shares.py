"""Which share of an office's rows is of which table.

``python -m dijkwacht_lab.traffic.table_shares`` prints it for a week of an office of twelve machines.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.tables import TABLES

_WEEK_US = 7 * 86_400_000_000


def table_shares(rows: Iterable[tuple[int, Any]]) -> dict[str, float]:
    """Percent of ``rows`` (table number, anything) by table, largest first.

    >>> table_shares([(0, ()), (0, ()), (1, ()), (0, ())])
    {'flows': 75.0, 'dns': 25.0}
    """
    return shares_of_counts(Counter(number for number, _ in rows))


def shares_of_counts(counts: Mapping[int, int]) -> dict[str, float]:
    """The same of rows that were counted by table number."""
    whole = sum(counts.values())
    by_size = sorted(counts.items(), key=lambda item: -item[1])
    return {TABLES[number].name: round(100 * count / whole, 3) for number, count in by_size}


if __name__ == "__main__":
    week = office_rows(seed=1, hosts=12, start_us=WORKING_MORNING, duration_us=_WEEK_US)
    sys.stdout.write(json.dumps(table_shares(week)) + "\n")

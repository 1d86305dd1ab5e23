"""Batches of generated offices as they would arrive: the input of what is measured."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Final

from dijkwacht_collector.journal import Entry, partition_of
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.contracts import WRITES
from dijkwacht_records.tables import Row
from dijkwacht_records.wire import encode

_HOSTS: Final = 25
_YEAR_US: Final = 365 * 86_400_000_000
RowsOfSite = Callable[[int], Iterator[tuple[int, Row]]]
"""Makes the (table number, row) pairs of the site of that number."""


def ordinary_rows(site: int) -> Iterator[tuple[int, Row]]:
    """A year of an office of 25 machines, as its agent would make it."""
    return office_rows(site, _HOSTS, WORKING_MORNING, _YEAR_US)


def generated_entries(
    sites: int,
    rows_per_site: int,
    batch_rows: int,
    contract: int = max(WRITES),
    rows_of_site: RowsOfSite = ordinary_rows,
) -> list[Entry]:
    """Batches of offices as they would arrive, interleaved; ``rows_of_site`` makes an office's rows."""
    # One office at a time: half a megabyte each, ten thousand of them at once are gigabytes.
    queues = [
        list(_site_batches(site, rows_of_site(site), rows_per_site, batch_rows, contract))
        for site in range(sites)
    ]
    merged = heapq.merge(*queues, key=lambda item: item[:2])
    return [
        Entry(position, "batch", partition_of(site), arrival, site, payload)
        for position, (arrival, site, payload) in enumerate(merged, 1)
    ]


def _site_batches(
    site: int,
    made: Iterator[tuple[int, Row]],
    rows_per_site: int,
    batch_rows: int,
    contract: int,
) -> Iterator[tuple[int, str, bytes]]:
    name, rows, seq = f"site-{site:04d}", list[tuple[int, Row]](), 0
    for count, row in enumerate(made, 1):
        rows.append(row)
        if len(rows) == batch_rows or count == rows_per_site:
            arrival = int(rows[-1][1][0])
            yield arrival, name, encode(name, "agent-1", bytes(16), seq, arrival, rows, contract)
            rows, seq = [], seq + 1
        if count == rows_per_site:
            return

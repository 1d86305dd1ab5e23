"""Several logs of several formats as one recording.

A format has one module here. Which one reads a file follows from what stands in it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from dijkwacht_collector.readers import IsInside, Problems
from dijkwacht_collector.readers.argus import ArgusReader
from dijkwacht_collector.readers.eve import EveReader
from dijkwacht_collector.readers.formats import Format, detect_format
from dijkwacht_collector.readers.lines import LineReader, LogFile
from dijkwacht_collector.readers.metrics import MetricsReader
from dijkwacht_collector.readers.rows import NumberedRow
from dijkwacht_collector.readers.zeek import ZeekReader
from dijkwacht_records.errors import UnreadableInput
from dijkwacht_records.tables import TABLES

READERS: Final[Mapping[Format, Callable[[Path, IsInside], LineReader]]] = {
    Format.ZEEK_TSV: ZeekReader,
    Format.ZEEK_JSON: ZeekReader,
    Format.ARGUS: ArgusReader,
    Format.METRICS: MetricsReader,
    Format.SURICATA_EVE: EveReader,
}
"""What this version reads, beside packets; other formats are recognised so that they can be named."""
LOGS: Final = ("Zeek logs", "Argus flows", "Suricata EVE", "system metrics (CSV)")
"""What they are called to people."""
_FIRST_FLOW: Final = 1 << 32
"""Beyond what a meter counts to, whose flows may be in the same recording."""
_FLOW_ID: Final = {
    TABLES.index(table): table.index("flow_id")
    for table in TABLES
    if any(column.name == "flow_id" for column in table.columns)
}


class LogRows(NamedTuple):
    """What several logs held: rows by time, and how many of the files could be read."""

    rows: list[NumberedRow]
    readable: int


def read_logs(paths: Sequence[Path], is_inside: IsInside, problems: Problems) -> LogRows:
    """All rows of several logs as one recording: sorted by row time, equal times as the logs stand.

    Sensors write a connection when it ends, so a log is not sorted by what became row time; a
    recording is bounded and is sorted whole. Files that are no log, or hold nothing readable, are
    counted in ``problems``.
    """
    logs: list[list[NumberedRow]] = []
    readable = 0
    for path in paths:
        try:
            found = detect_format(path)
            make = READERS.get(found)
            if make is None:
                problems.add(str(path), "start", f"a log; this is {found.value}")
                continue
            log = LogFile(path, make(path, is_inside), problems)
            logs.append(sorted(log.rows(), key=row_time))
            readable += log.readable
        except UnreadableInput as error:
            problems.add(error.path, error.place, error.expected)
    return LogRows(_number_flows(heapq.merge(*logs, key=row_time)), readable)


def _number_flows(rows: Iterable[NumberedRow]) -> list[NumberedRow]:
    """Flows numbered as their rows come: what a sensor calls them would be eight bytes of every row sent."""
    numbers: dict[object, int] = {}
    numbered = []
    for table, row in rows:
        at = _FLOW_ID.get(table)
        if at is not None:
            number = numbers.setdefault(row[at], _FIRST_FLOW + len(numbers))
            row = (*row[:at], number, *row[at + 1 :])  # noqa: PLW2901  # the same row, numbered
        numbered.append((table, row))
    return numbered


def row_time(numbered: NumberedRow) -> int:
    """The time of a (table number, row) pair, µs UTC."""
    time = numbered[1][0]
    assert isinstance(time, int)
    return time

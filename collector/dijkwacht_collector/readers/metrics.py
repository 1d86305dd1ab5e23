"""Tables of system metrics as comma-separated values: lines → rows of the table ``system``.

The first line names the columns. Of each line only the time and the columns of `_RULES` are looked at;
what a machine was suffering from, when, and in which run stands in others and is gone before anything
sees a row. Names and units become those that our own agent uses.

Amounts a second stand for what moved in one second: such tables are sampled about that often. Times of
day without a date begin on `FIRST_DAY`, and so do rows without any time, one a second. A series that
calls its only column ``value`` (Numenta's benchmark) is named by its file, as far as that is possible.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from dijkwacht_collector.readers import IsInside
from dijkwacht_collector.readers.fields import Bad, moment
from dijkwacht_collector.readers.rows import NumberedRow, row_of

FIRST_DAY: Final = moment("2001-01-01")
"""A Monday, UTC: when something happened that has no date."""
_DAY_US: Final = 86_400_000_000
_SECOND_US: Final = 1_000_000
_TIMES: Final = frozenset({"time", "timestamp", "date", "datetime"})
_TIME_OF_DAY: Final = re.compile(r"(\d{1,2}):(\d{2}):(\d{2}(?:\.\d{1,9})?)", re.ASCII)
_LATEST: Final = 1 << 53
_KILO: Final = 1024.0
_PERCENT: Final = 0.01


class _Rule(NamedTuple):
    """Columns whose name matches, in lower case, are ``metric``, times ``scale``; several add up."""

    name: re.Pattern[str]
    metric: str
    scale: float = 1.0


def _rules(*lines: tuple[str, str, float]) -> tuple[_Rule, ...]:
    return tuple(_Rule(re.compile(name), metric, scale) for name, metric, scale in lines)


_CARD: Final = r"(?!lo\b)[^\s()]+"
_RULES: Final = _rules(
    (r"cpu usage \(%\)", "cpu_ratio", _PERCENT),
    (r"cpu usage wait \(?%\)?", "cpu_iowait_ratio", _PERCENT),
    (r"cpu temperature \(.{1,2}c\)", "cpu_temperature_celsius", 1),
    (r"cpu power \(w\)", "cpu_power_watts", 1),
    (r"gpu usage \(%\)", "gpu_ratio", _PERCENT),
    (r"gpu memory usage \(%\)", "gpu_memory_used_ratio", _PERCENT),
    (r"gpu temperature \(.{1,2}c\)", "gpu_temperature_celsius", 1),
    (r"memory usage \(%\)", "memory_used_ratio", _PERCENT),
    (r"jfs usage \(%\)", "disk_used_ratio", _PERCENT),
    (r"disk(?: [^\s()]+)? read \(ko/s\)", "disk_read_bytes", _KILO),
    (r"disk(?: [^\s()]+)? write \(ko/s\)", "disk_write_bytes", _KILO),
    (r"disk(?: [^\s()]+)? read \(mo/s\)", "disk_read_bytes", _KILO * _KILO),
    (r"disk(?: [^\s()]+)? write \(mo/s\)", "disk_write_bytes", _KILO * _KILO),
    (r"disk [^\s()]+ transfers", "disk_transfers", 1),
    (r"network \(ko/s\)", "net_bytes", _KILO),
    (rf"network {_CARD} received \(ko/s\)", "net_in_bytes", _KILO),
    (rf"network {_CARD} sent \(ko/s\)", "net_out_bytes", _KILO),
    (rf"network packet {_CARD} received", "net_in_packets", 1),
    (rf"network packet {_CARD} sent", "net_out_packets", 1),
    (r"process forks", "started_processes", 1),
    (r"process switches", "context_switches", 1),
    (r"processes blocked", "blocked_processes", 1),
    (r"processes runnable", "running_processes", 1),
)
_SEVERAL: Final = frozenset(
    {"disk_read_bytes", "disk_write_bytes", "disk_transfers"}
    | {"net_in_bytes", "net_out_bytes", "net_in_packets", "net_out_packets"}
)
"""Metrics of a whole machine that a table may have by disk or card."""
_OWN: Final = frozenset({rule.metric for rule in _RULES} | {"swap_used_ratio", "load_ratio"})
"""Names that a column may have as they are."""
_DISK: Final = re.compile(r"disk ([^\s()]+) ")
_SERIES: Final = (
    (re.compile(r"cpu_?utilization"), "cpu_ratio", _PERCENT),
    (re.compile(r"disk_?write_?bytes"), "disk_write_bytes", 1.0),
    (re.compile(r"disk_?read_?bytes"), "disk_read_bytes", 1.0),
    (re.compile(r"network_?in"), "net_in_bytes", 1.0),
    (re.compile(r"network_?out"), "net_out_bytes", 1.0),
)
_UNNAMED: Final = ("series_value", 1.0)


class _Column(NamedTuple):
    place: int
    metric: str
    scale: float


def is_header(names: Sequence[str]) -> bool:
    """Do these name a table of system metrics?"""
    plain = [name.strip().lower() for name in names]
    return bool(_columns(plain)) or ("value" in plain and not _TIMES.isdisjoint(plain))


def _columns(names: Sequence[str]) -> list[_Column]:
    """The columns that are metrics; a partition's are part of its disk's."""
    disks = {found[1] for name in names if (found := _DISK.match(name))}
    parts = {part for part in disks for disk in disks if part != disk and part.startswith(disk)}
    columns: list[_Column] = []
    known: set[str] = set()
    for place, name in enumerate(names):
        disk = _DISK.match(name)
        if name in names[:place] or (disk and disk[1] in parts):
            continue
        rule = next((rule for rule in _RULES if rule.name.fullmatch(name)), None)
        metric, scale = (rule.metric, rule.scale) if rule else (name, 1.0)
        if metric in _OWN and (metric not in known or metric in _SEVERAL):
            known.add(metric)
            columns.append(_Column(place, metric, scale))
    return columns


def _series(path: Path) -> tuple[str, float]:
    name = path.name.lower()
    return next(((m, scale) for word, m, scale in _SERIES if word.search(name)), _UNNAMED)


class MetricsReader:
    """Reads one table; its columns may change where another header comes."""

    def __init__(self, path: Path, _is_inside: IsInside) -> None:
        self._path = path
        self._columns: list[_Column] = []
        self._swap: tuple[int, int] | None = None
        self._time: int | None = None
        self._day = FIRST_DAY
        self._last = -1
        self._rows = 0

    def read(self, line: bytes) -> Iterable[NumberedRow] | None:
        """The rows of one line, one a metric; ``None`` for a header. Raises `Bad`."""
        try:
            values = next(csv.reader([line.decode("utf-8", "replace")], strict=True))
        except (csv.Error, StopIteration):
            raise Bad("comma-separated values") from None
        if not self._is_sample(values) and is_header(values):
            self._begin([value.strip().lower() for value in values])
            return None
        if not self._columns:
            raise Bad("a header that names system metrics before the first sample")
        wanted = [column.place for column in self._columns] + [self._time or 0]
        if len(values) <= max(wanted):
            raise Bad(f"{max(wanted) + 1} columns")
        sums: dict[str, float] = {}
        for place, metric, scale in self._columns:
            number = _number(values[place], metric)
            if number is not None:
                sums[metric] = sums.get(metric, 0.0) + abs(number) * scale
        swap = self._swap_used(values)
        if swap is not None:
            sums["swap_used_ratio"] = swap
        time = self._when(values)
        return [row_of("system", time=time, metric=m, value=v) for m, v in sums.items()]

    def finish(self) -> Iterable[NumberedRow]:
        """Nothing waits."""
        return ()

    def _is_sample(self, values: Sequence[str]) -> bool:
        """A line with a reading is no header, whatever words stand in its other columns."""
        return any(
            values[place][:1].isdigit() for place, _, _ in self._columns if place < len(values)
        )

    def _begin(self, names: list[str]) -> None:
        self._columns = _columns(names)
        self._time = next((i for i, name in enumerate(names) if name in _TIMES), None)
        self._swap = None
        if "swap free (mo)" in names and "swap usage (mo)" in names:
            self._swap = names.index("swap usage (mo)"), names.index("swap free (mo)")
        if not self._columns:
            self._columns = [_Column(names.index("value"), *_series(self._path))]

    def _swap_used(self, values: Sequence[str]) -> float | None:
        if self._swap is None or len(values) <= max(self._swap):
            return None
        used, free = (_number(values[place], "swap_used_ratio") or 0.0 for place in self._swap)
        return used / (used + free) if used + free > 0 else None

    def _when(self, values: Sequence[str]) -> int:
        """µs UTC; the date of a time of day is the day after wherever it leaps back half a day."""
        if self._time is None:
            self._rows += 1
            return FIRST_DAY + (self._rows - 1) * _SECOND_US
        text = values[self._time].strip()
        found = _TIME_OF_DAY.fullmatch(text)
        if found is None:
            return _moment(text)
        hours, minutes, seconds = int(found[1]), int(found[2]), float(found[3])
        if hours > 23 or minutes > 59 or seconds >= 61:
            raise Bad("a time of day")
        since = (hours * 60 + minutes) * 60 * _SECOND_US + round(seconds * _SECOND_US)
        if self._last - since > _DAY_US // 2:
            self._day += _DAY_US
        self._last = since
        return self._day + since


def _moment(text: str) -> int:
    try:
        return moment(text)
    except (ValueError, OverflowError):
        pass
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not abs(number) * _SECOND_US <= _LATEST:
        raise Bad("a time")
    return round(number * _SECOND_US)


def _number(text: str, name: str) -> float | None:
    """A finite number, ``None`` for an empty cell. Raises `Bad`."""
    if not text.strip():
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Bad(f"a number for {name}")
    return number

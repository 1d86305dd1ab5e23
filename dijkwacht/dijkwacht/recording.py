"""Recordings: any mix of packet captures and other sensors' logs → rows in the order of time.

Captures go through the same meter as live traffic, logs through the collector's readers; any of them may
be gzip, and ``-`` is standard input. Several paths are one recording. What could not be read is counted
and named, and the rest goes on.
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from dijkwacht.spooled import Spooled
from dijkwacht_agent.arguments import network
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.sources.export_file import read_exports
from dijkwacht_agent.sources.recording import Recording
from dijkwacht_collector.readers import Problems
from dijkwacht_collector.readers.formats import PACKETS, Format, detect_format
from dijkwacht_collector.readers.logs import LOGS, READERS, read_logs, row_time
from dijkwacht_records.errors import SettingsError, UnreadableInput
from dijkwacht_records.tables import Row

NumberedRow = tuple[int, Row]
"""(table number, row)"""

_WANTED: Final = f"packets (pcap, pcapng), {', '.join(LOGS)}, flow export (NetFlow, IPFIX)"
PATHS: Final = f"{_WANTED}, any of them gzip; folders; - for standard input"
"""What the commands read, for their help."""
_NFCAPD: Final = (
    "NetFlow as it is sent; this is nfdump's own format: nfreplay -v 9 -H 127.0.0.1 -p 2055 -r FILE "
    "sends it to dijkwacht-agent run --flow-export 127.0.0.1:2055"
)


def add_local(parser: argparse.ArgumentParser) -> None:
    """The option that declares what is inside, as `Recorded` takes it."""
    parser.add_argument(
        "--local",
        type=network,
        action="append",
        default=[],
        metavar="CIDR",
        help="inside the site; may be repeated (default: private ranges)",
    )


class Recorded:
    """What some paths hold together; iterate once over `rows`.

    ``local``: prefixes that are inside the site, else the private ranges. Raises `SettingsError` for
    text that is no prefix. ``problems`` and the counters fill while `rows` is read; ``readable`` is
    how many files could be read, known when it ends; ``damage`` is what was wrong within captures,
    the first of ``damaged`` places, and ``dropped`` counts packets that were not metered.
    """

    def __init__(self, paths: Sequence[Path], local: Sequence[str] = ()) -> None:
        try:
            self.inside = LocalNetworks(list(local) or None)
        except ValueError as error:
            raise SettingsError(f"--local {error}") from None
        self._spooled = Spooled()
        self.problems = Problems(self._spooled.plain)
        self.readable = 0
        self.packets = 0
        self.dropped: Mapping[str, int] = {}
        self.damage: Sequence[str] = ()
        self.damaged = 0
        self._captures: list[Path] = []
        self._logs: list[Path] = []
        self._exports: list[Path] = []
        for path in self._files(paths):
            self._sort(path)

    def rows(self) -> Iterator[NumberedRow]:
        """Yield rows, captures and logs merged by time; the order within each source is kept."""
        logs = read_logs(self._logs, self.inside.__contains__, self.problems)
        self.readable += logs.readable
        told = list(heapq.merge(logs.rows, *map(self._exported, self._exports), key=row_time))
        if not self._captures:
            yield from told
            return
        if not told:
            yield from self._metered()
            return
        at = 0
        for row in self._metered():
            while at < len(told) and row_time(told[at]) < row_time(row):
                yield told[at]
                at += 1
            yield row
        yield from told[at:]

    def _exported(self, path: Path) -> list[NumberedRow]:
        try:
            rows = read_exports(path, self.inside, self._note)
        except UnreadableInput as error:
            self._note(error)
            return []
        self.readable += bool(rows)
        return rows

    def _note(self, problem: UnreadableInput) -> None:
        self.problems.add(problem.path, problem.place, problem.expected)

    def _metered(self) -> Iterator[NumberedRow]:
        source = Recording(self._captures)
        meter = Meter(self.inside)
        try:
            for block in source.blocks():
                self.packets += len(block)
                meter.feed(block)
                yield from meter.take().rows()
            meter.finish()
            yield from meter.take().rows()
        except UnreadableInput:
            # Damage and not one frame: what it was stands in the source's problems.
            self.readable -= len(self._captures)
        finally:
            source.close()
            self.damage = [self._spooled.plain(problem) for problem in source.problems]
            self.damaged = source.problem_count
            self.dropped = {
                name.removeprefix("dropped_"): count
                for name, count in meter.counters.items()
                if name.startswith("dropped_") and count
            }

    def _files(self, paths: Sequence[Path]) -> Iterator[Path]:
        """Files as given, directories as the files in them, by name."""
        for path in paths:
            if path.is_dir():
                within = (p for p in path.rglob("*") if p.is_file())
                files = sorted(p for p in within if not p.name.startswith("."))
                if not files:
                    self.problems.add(str(path), "folder", f"{_WANTED}; it holds no file")
                yield from files
            else:
                try:
                    yield self._spooled.keep(path)
                except OSError as error:
                    self.problems.add(str(path), "start", f"a copy on disk ({error.strerror})")

    def _sort(self, path: Path) -> None:
        try:
            found = detect_format(path)
        except UnreadableInput as error:
            self.problems.add(error.path, error.place, error.expected)
            return
        if found in PACKETS:
            self._capture(path)
        elif found in READERS:
            self._logs.append(path)
        elif found is Format.FLOW_EXPORT:
            self._exports.append(path)
        elif found is Format.NFCAPD:
            self.problems.add(str(path), "start", _NFCAPD)
        else:
            what = "it holds nothing" if found is Format.EMPTY else f"this is {found.value}"
            self.problems.add(str(path), "start", f"{_WANTED}; {what}")

    def _capture(self, path: Path) -> None:
        """Keep a capture that opens: one that does not must not close the others."""
        try:
            Recording([path]).close()
        except UnreadableInput as error:
            self.problems.add(error.path, error.place, error.expected)
            return
        self._captures.append(path)
        self.readable += 1

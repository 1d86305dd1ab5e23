"""Zeek's logs, as tab-separated text or JSON lines, plain or gzip: lines → rows of the contract.

Which log a file is follows from its columns. A header that appears again further down (logs
laid end to end) starts anew. Of each line only the columns of `zeek_rows.COLUMNS` are looked at;
label columns, whatever they are called and however they were glued on, never leave this module.
"""

from __future__ import annotations

import gzip
import heapq
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, cast

import msgspec

from dijkwacht_collector.readers import IsInside, Problems
from dijkwacht_collector.readers.formats import ZEEK, detect_format
from dijkwacht_collector.readers.zeek_rows import COLUMNS, Bad, Fields, Value, rows_of, which_log
from dijkwacht_records.errors import UnreadableInput
from dijkwacht_records.tables import TABLES, Row

MAX_LINE_BYTES: Final = 1 << 20
_FIRST_FLOW: Final = 1 << 32
"""Beyond what a meter counts to, whose flows may be in the same recording."""
_FLOW_ID: Final = {
    TABLES.index(table): table.index("flow_id")
    for table in TABLES
    if any(column.name == "flow_id" for column in table.columns)
}
_WORD: Final = re.compile(rb"#([a-z_]+)")


class ZeekRows(NamedTuple):
    """What several logs held: rows by time, and how many of the files could be read."""

    rows: list[tuple[int, Row]]
    readable: int


_json = msgspec.json.Decoder(dict[str, msgspec.Raw])
_value = msgspec.json.Decoder(
    str | int | float | bool | list[str | int | float | bool | None] | None
)


@dataclass(slots=True)
class ZeekLog:
    """One log file. Iterate over `rows`; what was skipped is in ``problems`` afterwards."""

    path: Path
    is_inside: IsInside
    problems: Problems
    readable: bool = field(default=False, init=False)
    """After `rows`: a line could be read, or there was none but a header of a known log."""

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yield (table number, row) in the order of the file, one or more a line.

        Lines that cannot be read are counted and passed over. Raises `UnreadableInput` if the file
        cannot be opened.
        """
        before = len(self.problems)
        for place, fields in self._lines():
            try:
                found = rows_of(fields, self.is_inside)
            except Bad as bad:
                self.problems.add(str(self.path), place, str(bad))
                continue
            self.readable = True
            yield from found
        self.readable |= len(self.problems) == before

    def _lines(self) -> Iterator[tuple[str, Fields]]:
        parse: _Header | _Json | None = None
        for number, line in enumerate(self._text(), 1):
            place = f"line {number}"
            if len(line) >= MAX_LINE_BYTES and not line.endswith(b"\n"):
                self.problems.add(str(self.path), place, f"lines below {MAX_LINE_BYTES} bytes")
                continue
            text = line.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
            if not text.strip():
                continue
            if text.startswith(b"#"):
                parse = self._header(parse, text, place)
                continue
            if parse is None or (isinstance(parse, _Header) and not parse.names):
                if not text.startswith(b"{"):
                    self.problems.add(str(self.path), place, "a #fields line before the first row")
                    continue
                parse = _Json(self.path)
            try:
                fields = parse.fields(text)
            except Bad as bad:
                self.problems.add(str(self.path), place, str(bad))
                continue
            if fields is not None:
                yield place, fields
        if isinstance(parse, _Header) and not parse.names:
            self.problems.add(str(self.path), "end", "a #fields line")

    def _header(self, before: _Header | _Json | None, line: bytes, place: str) -> _Header:
        """A ``#`` line: what the lines below it look like."""
        header = before if isinstance(before, _Header) else _Header()
        found = _WORD.match(line)
        word = found[1] if found else b""
        if word == b"separator":
            return _Header(separator=_unescape(line[len(b"#separator") :].strip()))
        if word == b"set_separator":
            header.set_separator = header.rest(line)
        elif word == b"empty_field":
            header.empty = header.rest(line)
        elif word == b"unset_field":
            header.unset = header.rest(line)
        elif word == b"path":
            header.path = header.rest(line)
        elif word == b"fields":
            header.begin(line)
            if header.log is None:
                name = header.path or "unnamed"
                wanted = (
                    f"the columns of a {name} log"
                    if name in COLUMNS
                    else f"one of the logs {', '.join(COLUMNS)}; {name} is skipped"
                )
                self.problems.add(str(self.path), place, wanted)
        return header

    def _text(self) -> Iterator[bytes]:
        """Lines, unpacked. A gzip stream that breaks off ends the file and is counted."""
        try:
            with _open(self.path) as file:
                while line := file.readline(MAX_LINE_BYTES):
                    yield line
        except (EOFError, zlib.error, gzip.BadGzipFile):
            self.problems.add(str(self.path), "end", "the rest of a gzip stream")
        except OSError as error:
            raise UnreadableInput(
                str(self.path), "start", f"a file that can be read ({error.strerror})"
            ) from None


class _Header:
    """What ``#`` lines declared, and the splitting of lines by it."""

    def __init__(self, separator: str = "\t") -> None:
        self.separator = separator
        self.set_separator, self.empty, self.unset, self.path = ",", "(empty)", "-", ""
        self.names: list[str] = []
        self.log: str | None = None
        self._wanted: list[tuple[int, str]] = []

    def rest(self, line: bytes) -> str:
        """What follows the first word of a header line."""
        text = line.decode("utf-8", "replace")
        _, found, rest = text.partition(self.separator)
        return rest if found else text.partition(" ")[2]

    def begin(self, line: bytes) -> None:
        """Take the names of the columns from a ``#fields`` line."""
        names = self._cut(line.decode("utf-8", "replace"))[1:]
        if not names:
            # Copied by way of a page or a terminal: tabs became spaces.
            self.separator = " "
            names = self._cut(line.decode("utf-8", "replace"))[1:]
        self.names = names
        self.log = which_log(names)
        wanted = COLUMNS.get(self.log or "", frozenset())
        # The first of two columns of one name is Zeek's own; anything appended comes after it.
        self._wanted = [
            (i, name) for i, name in enumerate(names) if name in wanted and name not in names[:i]
        ]

    def _cut(self, text: str) -> list[str]:
        return text.split() if self.separator == " " else text.split(self.separator)

    def fields(self, line: bytes) -> Fields | None:
        """Cut one line; ``None`` in a log that is skipped. Raises `Bad`."""
        if self.log is None:
            return None
        values = self._cut(line.decode("utf-8", "replace"))
        if len(values) <= self._wanted[-1][0]:
            raise Bad(f"{len(self.names)} columns")
        found: dict[str, Value] = {}
        for position, name in self._wanted:
            value = values[position]
            if value != self.unset:
                found[name] = "" if value == self.empty else value
        return Fields(self.log, found, self.set_separator)


class _Json:
    """JSON lines: unset columns are missing, so the log is identified from many lines at once."""

    def __init__(self, path: Path) -> None:
        self._log = which_log(_keys_of_head(path))

    def fields(self, line: bytes) -> Fields | None:
        """Read one line. Raises `Bad`."""
        try:
            raw = _json.decode(line)
            log = self._log
            if "_path" in raw:
                log = which_log(raw)
            if log is None:
                raise Bad(f"one of the logs {', '.join(COLUMNS)}")
            found = {name: _value.decode(raw[name]) for name in COLUMNS[log] if name in raw}
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Bad("a JSON object of Zeek's columns") from None
        return Fields(log, {name: v for name, v in found.items() if v is not None}, ",")


def _keys_of_head(path: Path) -> set[str]:
    keys: set[str] = set()
    with _open(path) as file:
        for line in file.readlines(256 * 1024):
            try:
                keys |= _json.decode(line).keys()
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
    return keys


def _open(path: Path) -> BinaryIO:
    file = path.open("rb")
    if file.read(2) == b"\x1f\x8b":
        file.close()
        return cast("BinaryIO", gzip.open(path, "rb"))
    file.seek(0)
    return file


def _unescape(text: bytes) -> str:
    if text.startswith(b"\\x") and len(text) == 4:
        try:
            return chr(int(text[2:4], 16))
        except ValueError:
            return "\t"
    return text.decode("utf-8", "replace") or "\t"


def read_logs(paths: Sequence[Path], is_inside: IsInside, problems: Problems) -> ZeekRows:
    """All rows of several logs as one recording: sorted by row time, equal times as the logs stand.

    Zeek writes a connection when it ends, so a log is not sorted by what became row time; a
    recording is bounded and is sorted whole. Files that are not Zeek's, or hold nothing readable,
    are counted in ``problems``.
    """
    logs: list[list[tuple[int, Row]]] = []
    readable = 0
    for path in paths:
        try:
            if (found := detect_format(path)) not in ZEEK:
                problems.add(str(path), "start", f"a Zeek log; this is {found.value}")
                continue
            log = ZeekLog(path, is_inside, problems)
            logs.append(sorted(log.rows(), key=row_time))
            readable += log.readable
        except UnreadableInput as error:
            problems.add(error.path, error.place, error.expected)
    return ZeekRows(_number_flows(heapq.merge(*logs, key=row_time)), readable)


def _number_flows(rows: Iterable[tuple[int, Row]]) -> list[tuple[int, Row]]:
    """Flows numbered as their rows come: what Zeek calls them would be eight bytes of every row sent."""
    numbers: dict[object, int] = {}
    numbered = []
    for table, row in rows:
        at = _FLOW_ID.get(table)
        if at is not None:
            number = numbers.setdefault(row[at], _FIRST_FLOW + len(numbers))
            row = (*row[:at], number, *row[at + 1 :])  # noqa: PLW2901  # the same row, numbered
        numbered.append((table, row))
    return numbered


def row_time(numbered: tuple[int, Row]) -> int:
    """The time of a (table number, row) pair, µs UTC."""
    time = numbered[1][0]
    assert isinstance(time, int)
    return time

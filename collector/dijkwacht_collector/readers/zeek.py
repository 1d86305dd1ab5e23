"""Zeek's logs, as tab-separated text or JSON lines, plain or gzip: lines → rows of the contract.

Which log a file is follows from its columns. A header that appears again further down (logs
laid end to end) starts anew. Of each line only the columns of `zeek_rows.COLUMNS` are looked at;
label columns, whatever they are called and however they were glued on, never leave this module.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_collector.readers import IsInside
from dijkwacht_collector.readers.fields import Bad, Fields, Value
from dijkwacht_collector.readers.formats import read_head
from dijkwacht_collector.readers.rows import NumberedRow
from dijkwacht_collector.readers.zeek_rows import COLUMNS, ZeekRows, which_log

_WORD: Final = re.compile(rb"#([a-z_]+)")
_json = msgspec.json.Decoder(dict[str, msgspec.Raw])
_value = msgspec.json.Decoder(
    str | int | float | bool | list[str | int | float | bool | None] | None
)


class ZeekReader:
    """Reads one log file, or several laid end to end."""

    def __init__(self, path: Path, is_inside: IsInside) -> None:
        self._path, self._rows = path, ZeekRows(is_inside)
        self._parse: _Header | _Json | None = None

    def read(self, line: bytes) -> Iterable[NumberedRow] | None:
        """The rows of one line, ``None`` for ``#`` lines and those of a log that is skipped."""
        if line.startswith(b"#"):
            self._header(line)
            return None
        parse = self._parse
        if parse is None or (isinstance(parse, _Header) and not parse.names):
            if not line.startswith(b"{"):
                raise Bad("a #fields line before the first row")
            parse = self._parse = _Json(self._path)
        fields = parse.fields(line)
        return None if fields is None else self._rows.of(fields)

    def finish(self) -> Iterable[NumberedRow]:
        """Nothing waits. Raises `Bad` if a header broke off."""
        if isinstance(self._parse, _Header) and not self._parse.names:
            raise Bad("a #fields line")
        return ()

    def _header(self, line: bytes) -> None:
        """A ``#`` line: what the lines below it look like."""
        header = self._parse if isinstance(self._parse, _Header) else _Header()
        self._parse = header
        found = _WORD.match(line)
        word = found[1] if found else b""
        if word == b"separator":
            self._parse = _Header(separator=_unescape(line[len(b"#separator") :].strip()))
        elif word == b"set_separator":
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
                if name in COLUMNS:
                    raise Bad(f"the columns of a {name} log")
                raise Bad(f"one of the logs {', '.join(COLUMNS)}; {name} is skipped")


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
                path = _value.decode(raw["_path"])
                log = path if isinstance(path, str) and path in COLUMNS else which_log(raw)
            if log is None:
                raise Bad(f"one of the logs {', '.join(COLUMNS)}")
            found = {name: _value.decode(raw[name]) for name in COLUMNS[log] if name in raw}
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Bad("a JSON object of Zeek's columns") from None
        return Fields(log, {name: v for name, v in found.items() if v is not None}, ",")


def _keys_of_head(path: Path) -> set[str]:
    keys: set[str] = set()
    for line in read_head(path, 256 * 1024).splitlines():
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            keys |= _json.decode(line).keys()
    return keys


def _unescape(text: bytes) -> str:
    if text.startswith(b"\\x") and len(text) == 4:
        try:
            return chr(int(text[2:4], 16))
        except ValueError:
            return "\t"
    return text.decode("utf-8", "replace") or "\t"

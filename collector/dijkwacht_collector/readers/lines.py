"""What all logs of lines have in common: unpacking, limits, and counting what cannot be read."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from dijkwacht_collector.readers import Problems
from dijkwacht_collector.readers.fields import Bad
from dijkwacht_collector.readers.rows import NumberedRow
from dijkwacht_records.errors import UnreadableInput
from dijkwacht_records.gzipped import BROKEN, GROWS, open_plain

MAX_LINE_BYTES: Final = 1 << 20
_BUFFER: Final = 256 * 1024
_MARK: Final = b"\xef\xbb\xbf"


class LineReader(Protocol):
    """Makes rows of one file's lines. One reader reads one file, from its first line to its last."""

    def read(self, line: bytes) -> Iterable[NumberedRow] | None:
        """The rows that a line makes, without its end; ``None`` for a line that is none of the data.

        Raises `Bad` for a line that cannot be read.
        """
        ...

    def finish(self) -> Iterable[NumberedRow]:
        """Rows that waited for a further line. Raises `Bad` if the file ended too early."""
        ...


@dataclass(slots=True)
class LogFile:
    """One file of lines. Iterate over `rows`; what was skipped is in ``problems`` afterwards."""

    path: Path
    reader: LineReader
    problems: Problems
    readable: bool = field(default=False, init=False)
    """After `rows`: a line could be read, or there was none but a header of a known log."""

    def rows(self) -> Iterator[NumberedRow]:
        """Yield rows in the order of the file, some for each line.

        Lines that cannot be read are counted and passed over. Raises `UnreadableInput` if the file
        cannot be opened.
        """
        before = len(self.problems)
        for number, line in self._lines():
            try:
                found = self.reader.read(line)
            except Bad as bad:
                self._skip(f"line {number}", str(bad))
                continue
            if found is not None:
                self.readable = True
                yield from found
        try:
            yield from self.reader.finish()
        except Bad as bad:
            self._skip("end", str(bad))
        self.readable |= len(self.problems) == before

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Lines with text in them, numbered from 1, without what ends them."""
        rest_of_long = False
        for number, line in enumerate(self._text(), 1):
            whole = len(line) < MAX_LINE_BYTES or line.endswith(b"\n")
            if rest_of_long or not whole:
                if not rest_of_long:
                    self._skip(f"line {number}", f"lines below {MAX_LINE_BYTES} bytes")
                rest_of_long = not whole
                continue
            text = line.removeprefix(_MARK).rstrip(b"\r\n")
            if text.strip():
                yield number, text

    def _text(self) -> Iterator[bytes]:
        """Lines, unpacked. A gzip stream that breaks off ends the file and is counted."""
        try:
            with io.BufferedReader(open_plain(self.path), _BUFFER) as file:
                while line := file.readline(MAX_LINE_BYTES):
                    yield line
        except OSError as error:
            if error.strerror in (BROKEN, GROWS):
                self._skip("end", error.strerror)
                return
            raise UnreadableInput(
                str(self.path), "start", f"a file that can be read ({error.strerror})"
            ) from None

    def _skip(self, place: str, expected: str) -> None:
        self.problems.add(str(self.path), place, expected)

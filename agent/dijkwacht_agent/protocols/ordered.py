"""A TCP connection's payloads in order: what is new, cut into messages or lines. Bounded by what is kept of one.

Nothing waits for what is missing: a segment that comes after a later one is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

KEPT: Final = 4096
"""Bytes of a message that are read; the rest of a longer one is passed over."""
LINE: Final = 512
"""Bytes of a line that are read."""
HEAD: Final = 8
"""Bytes that tell a message's length."""
MAX_IN_PAYLOAD: Final = 256
"""Messages or lines read in one payload; the rest of it is left out."""
_NUMBERS: Final = 1 << 32
_BEHIND: Final = 1 << 31


class Side:
    """One direction: which bytes are new."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = -1

    def take(self, sequence: int, payload: bytes, size: int) -> tuple[int, bytes]:
        """How many bytes are missing before ``payload``, and what of it was not seen before.

        ``size``: its length on the wire; what was not captured of it is not missing before the next.
        """
        ahead = (sequence - self._next) % _NUMBERS if self._next >= 0 else 0
        if ahead >= _BEHIND:
            seen = _NUMBERS - ahead
            if seen >= size:
                return 0, b""
            payload = payload[seen:]
            ahead = 0
        self._next = (sequence + size) % _NUMBERS
        return ahead, payload


Measure = Callable[[bytes], int]
"""Length of the message that begins with these bytes, 0 if they are too few, -1 if none begins so."""


class Messages:
    """Cuts one direction into messages whose beginning tells their length; holds `KEPT` bytes at most.

    Where the beginning of a message is lost, the next that begins a segment is taken up.
    """

    __slots__ = ("_held", "_lost", "_measure", "_skip", "_until", "rest")

    def __init__(
        self, measure: Measure, held: bytes = b"", until: Callable[[bytes], bool] | None = None
    ) -> None:
        self._measure = measure
        self._until = until
        self.rest: bytes | None = None
        """What came behind the message that was the last by ``until``."""
        self._held = held
        self._skip = 0
        self._lost = False

    def feed(self, missing: int, data: bytes, cut: int = 0) -> list[bytes]:
        """The messages of which all, or `KEPT` bytes, or all there will be, is here with ``data``.

        ``cut``: so many bytes behind ``data`` were not captured.
        """
        found: list[bytes] = []
        if missing:
            self._miss(missing, found)
        at, end = min(self._skip, len(data)), len(data)
        self._skip -= at
        while at < end:
            held = self._held
            total = self._measure(held[:HEAD] + data[at : at + HEAD])
            if total < 0 or len(found) >= MAX_IN_PAYLOAD:
                self._held, self._lost = b"", True
                break
            if not total:
                self._held = held + data[at:]
                break
            self._lost = False
            kept = min(total, KEPT)
            piece = data[at : at + kept - len(held)]
            at += len(piece)
            if len(held) + len(piece) < kept:
                self._held = held + piece
                break
            found.append(held + piece)
            self._held = b""
            passed = min(total - kept, end - at)
            self._skip = total - kept - passed
            at += passed
            if self._until is not None and self._until(found[-1]):
                self.rest = data[at:]
                break
        if cut:
            self._miss(cut, found)
        return found

    def _miss(self, missing: int, found: list[bytes]) -> None:
        if self._held:
            self._leave(found)
        if missing <= self._skip:
            self._skip -= missing
        else:
            self._skip, self._lost = 0, True

    def _leave(self, found: list[bytes]) -> None:
        """Of the message that was begun no more comes; where it ends is known, if its length is."""
        total = self._measure(self._held[:HEAD])
        if total > 0:
            found.append(self._held)
            self._skip = total - len(self._held)
        self._held = b""

    @property
    def kept(self) -> int:
        """Bytes of a message that is not whole."""
        return len(self._held)

    @property
    def lost(self) -> bool:
        """Where the next message begins is not known."""
        return self._lost


Sayable = Callable[[bytes], int]
"""How many of the bytes of a line, perhaps unfinished, may be looked at: no password is among them."""


class Lines:
    """Cuts one direction into lines, without their end; holds `LINE` bytes at most, and what is sayable of them."""

    __slots__ = ("_dropping", "_held", "_sayable", "skip")

    def __init__(self, sayable: Sayable) -> None:
        self._sayable = sayable
        self._held = b""
        self._dropping = False
        self.skip = 0
        """Bytes to pass over before the next line: whoever reads the lines may set it at each."""

    def feed(self, data: bytes, *, cut: bool = False) -> Iterator[bytes]:
        """Each line that ends in ``data``, as far as it is sayable once those before it were read.

        ``cut``: the end of ``data`` was not captured, and nor will be more of the last line.
        """
        at = 0
        for _ in range(MAX_IN_PAYLOAD):
            passed = min(self.skip, len(data) - at)
            self.skip -= passed
            at += passed
            if at >= len(data):
                return
            end = data.find(b"\n", at)
            line = self._held
            if not self._dropping:
                line += data[at : min(end if end >= 0 else len(data), at + LINE - len(line))]
                sayable = min(self._sayable(line), LINE)
                whole = len(line)
                line = line[:sayable]
                self._dropping = sayable < whole or whole >= LINE
            if end < 0 and not cut:
                self._held = line
                return
            self._held, self._dropping = b"", False
            at = end + 1 if end >= 0 else len(data)
            yield line.removesuffix(b"\r")

    def miss(self, missing: int) -> None:
        """So many bytes are missing before what comes next."""
        self._held, self._dropping = b"", False
        self.skip = max(self.skip - missing, 0)

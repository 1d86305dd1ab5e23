"""One direction of a TCP connection cut into messages, of which only the beginnings are kept.

A message's length stands in its beginning, so that bodies are passed over by their length on the wire:
nothing of them is copied, and it does not matter whether the capture holds them. Where bytes are missing
inside a body, reading goes on behind it; where the beginning of a message is missing, it goes on at the
next segment that begins with one. A segment that comes before its turn is read as if what is missing were
lost; when that comes after all it counts as seen before, as every repetition does.

State: the next sequence number, how much is to be passed over, and at most `KEPT` bytes of a beginning.
"""

from __future__ import annotations

from typing import Final, NamedTuple

KEPT: Final = 2048
"""Bytes of a message that are read; whatever is behind them is passed over."""
MAX_IN_PAYLOAD: Final = 1024
"""Messages read in one payload; what is behind them is passed over, and where one ends is then lost."""
_NUMBERS: Final = 1 << 32
_BEHIND: Final = 1 << 31
_FAR: Final = 1 << 26
"""No repetition comes from so far back: the numbers begin anew."""


class Message(NamedTuple):
    """The beginning of a message of ``size`` bytes on the wire."""

    data: bytes
    size: int


class Segments:
    """Reads one direction. A subclass says in `measure` how long a message is."""

    __slots__ = ("_expected", "_held", "_skip")

    def __init__(self) -> None:
        self._expected = -1
        self._held = b""
        self._skip = 0

    def measure(self, data: bytes) -> int:
        """Bytes of the message that begins with ``data``; 0 if too few are here, -1 if none begins so.

        What it says of a beginning it says of every longer one.
        """
        raise NotImplementedError

    def begun(self, data: bytes, size: int) -> None:
        """A message of ``size`` bytes begins with ``data``; its end is where the next begins."""

    def lose(self) -> None:
        """Where the next message begins is not known."""
        self._held, self._skip = b"", 0

    @property
    def kept(self) -> int:
        """Bytes of a beginning that is not whole."""
        return len(self._held)

    def passes(self, sequence: int, size: int) -> bool:
        """Whether a segment is nothing but the body of a message that was read; it is passed over then."""
        if sequence != self._expected or size > self._skip:
            return False
        self._expected = (sequence + size) % _NUMBERS
        self._skip -= size
        return True

    def read(self, sequence: int, payload: bytes, size: int) -> list[Message]:
        """The messages whose beginning is whole with this segment of ``size`` bytes on the wire."""
        found: list[Message] = []
        if self._expected >= 0:
            ahead = (sequence - self._expected) % _NUMBERS
            if ahead >= _BEHIND:
                seen = _NUMBERS - ahead
                if seen > _FAR:
                    self.lose()
                elif seen >= size:
                    return found
                else:
                    payload, size, sequence = payload[seen:], size - seen, sequence + seen
            elif ahead:
                self._miss(ahead, found)
        self._expected = (sequence + size) % _NUMBERS
        if self._skip >= size:
            self._skip -= size
        else:
            self._cut(payload, size, found)
        return found

    def _cut(self, payload: bytes, size: int, found: list[Message]) -> None:
        at, self._skip = self._skip, 0
        captured = len(payload)
        for _ in range(MAX_IN_PAYLOAD):
            before = len(self._held)
            data = self._held + payload[at : at + KEPT - before]
            total = self.measure(data) if at < captured else -1
            if total < 0:
                break
            if len(data) < KEPT and len(data) < (total or KEPT) and captured >= size:
                self._held = data  # more of it comes
                return
            if not total:
                break
            self._held = b""
            found.append(Message(data[:total], total))
            self.begun(data, total)
            at += total - before
            if at >= size:
                self._skip = at - size
                return
        self.lose()

    def _miss(self, missing: int, found: list[Message]) -> None:
        """Bytes are missing: the message that was begun stays as it is."""
        if held := self._held:
            total = self.measure(held)
            self._held = b""
            if total > 0:
                found.append(Message(held, total))
                self.begun(held, total)
                self._skip = total - len(held)
        if missing <= self._skip:
            self._skip -= missing
        else:
            self.lose()

"""Frames from recordings: pcap and pcapng, one file or many merged by time.

Formats are told by content. Files are streamed, and hostile: every length is checked against what
the file still holds, what cannot be read is a line in ``problems``, and what can be read is read.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from operator import itemgetter
from pathlib import Path
from stat import S_ISREG
from struct import Struct
from typing import Final

from dijkwacht_agent.frames import Frame
from dijkwacht_records.errors import UnreadableInput

MAX_RECORD: Final = 16 * 1024 * 1024
MAX_INTERFACES: Final = 65_536
MAX_PROBLEMS: Final = 100
LATEST: Final = 1 << 61
_CHUNK: Final = 256 * 1024
_MIN_CHUNK: Final = 16 * 1024
_ALL_CHUNKS: Final = 16 * 1024 * 1024
_BLOCK_FRAMES: Final = 1024
_BLOCK_BYTES: Final = 1024 * 1024
_LINK_BITS: Final = 0x03FFFFFF  # the rest tells of checksums at the frame's end

_PCAP: Final = {  # magic → (byte order, units of the fraction in a second, bytes of a record's header)
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000, 16),
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000, 16),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000, 16),
    b"\x34\xcd\xb2\xa1": ("<", 1_000_000, 24),
    b"\xa1\xb2\xcd\x34": (">", 1_000_000, 24),
}
_SECTION: Final = b"\x0a\x0d\x0d\x0a"
_BYTE_ORDER: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET = 1, 2, 3, 6
_PACKETS: Final = frozenset({_OLD_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET})
_SECTION_NUMBER: Final = 0x0A0D0D0A  # the same in both byte orders
_TSRESOL, _TSOFFSET = 9, 14

Interface = tuple[int, int, int, int]
"""``(link_type, snap length, ticks in a second, offset in µs)``."""


def is_recording(path: Path) -> bool:
    """Whether ``path`` begins like a pcap or pcapng file. Raises ``OSError``."""
    with path.open("rb") as file:
        magic = file.read(4)
    return magic in _PCAP or magic == _SECTION


class Recording:
    """A `FrameSource` over one or more files, merged by time into one recording.

    What cannot be read is counted in ``problem_count``; ``problems`` holds the first `MAX_PROBLEMS` of
    them as ``file: place: what``. Raises `UnreadableInput` where no file is pcap or pcapng, and at the
    end of `blocks` where there were problems and not one frame.
    """

    def __init__(self, paths: Sequence[Path | str]) -> None:
        self.dropped = 0
        self.problem_count = 0
        self._problems: list[UnreadableInput] = []
        self._readers: list[_Reader] = []
        chunk = min(max(_ALL_CHUNKS // max(len(paths), 1), _MIN_CHUNK), _CHUNK)
        for path in paths:
            try:
                self._readers.append(_Reader(Path(path), self._note, chunk))
            except UnreadableInput as error:
                self._note(error)
        if self._problems and not self._readers:
            raise self._problems[0]

    @property
    def problems(self) -> list[str]:
        """What could not be read, so far."""
        return [str(problem) for problem in self._problems]

    def blocks(self) -> Iterator[list[Frame]]:
        """Yield every frame, oldest first as far as each file is in order."""
        nothing = True
        for block in self._merged():
            nothing = False
            yield block
        if nothing and self._problems:
            raise self._problems[0]

    def close(self) -> None:
        """Close the files."""
        for reader in self._readers:
            reader.close()

    def _merged(self) -> Iterator[list[Frame]]:
        streams = [reader.blocks() for reader in self._readers]
        if len(streams) == 1:
            yield from streams[0]
            return
        yield from _in_blocks(heapq.merge(*map(_each, streams), key=itemgetter(0)))

    def _note(self, problem: UnreadableInput) -> None:
        self.problem_count += 1
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(problem)


def _each(blocks: Iterator[list[Frame]]) -> Iterator[Frame]:
    for block in blocks:
        yield from block


def _in_blocks(frames: Iterator[Frame]) -> Iterator[list[Frame]]:
    block: list[Frame] = []
    held = 0
    for frame in frames:
        block.append(frame)
        held += len(frame[2])
        if len(block) == _BLOCK_FRAMES or held > _BLOCK_BYTES:
            yield block
            block, held = [], 0
    if block:
        yield block


class _Reader:
    """One file. ``buffer`` is a window on it that moves forward only."""

    def __init__(self, path: Path, note: Callable[[UnreadableInput], None], chunk: int) -> None:
        self._path = path
        self._note = note
        self._chunk = chunk
        self._buffer = b""
        self._start = 0  # place of the buffer in the file
        try:
            self._file = path.open("rb", buffering=0)
            status = os.fstat(self._file.fileno())
            self._size = status.st_size if S_ISREG(status.st_mode) else 1 << 62  # a pipe: unknown
            self._fill(0, 24)
        except OSError as error:
            raise UnreadableInput(
                str(path), "open", f"a readable file ({error.strerror})"
            ) from None
        magic = self._buffer[:4]
        whole = len(self._buffer) >= (24 if magic in _PCAP else 12)
        if not whole or (magic not in _PCAP and magic != _SECTION):
            self.close()
            raise UnreadableInput(str(path), "byte 0", "a pcap or pcapng file")

    def close(self) -> None:
        self._file.close()

    def blocks(self) -> Iterator[list[Frame]]:
        """Yield the frames of the file; close it at the end."""
        with closing(self._file):
            try:
                if self._buffer[:4] == _SECTION:
                    yield from _in_blocks(self._pcapng())
                else:
                    yield from self._pcap()
            except OSError as error:
                self._problem(0, f"to read on ({error.strerror})")

    def _fill(self, at: int, need: int) -> bool:
        """Move the window to begin at ``at`` and hold ``need`` bytes, if the file has them."""
        left = self._size - self._start - at
        rest = self._buffer[at:]
        self._start += at
        if need > left or need > MAX_RECORD:
            self._buffer = rest
            return False
        parts, have = [rest], len(rest)
        while have < need:
            part = self._file.read(max(self._chunk, need - have))
            if not part:
                break
            parts.append(part)
            have += len(part)
        self._buffer = b"".join(parts)
        return have >= need

    def _problem(self, at: int, expected: str) -> None:
        self._note(UnreadableInput(str(self._path), f"byte {self._start + at}", expected))

    def _pcap(self) -> Iterator[list[Frame]]:
        order, units, head = _PCAP[self._buffer[:4]]
        link_type = Struct(order + "I").unpack_from(self._buffer, 20)[0] & _LINK_BITS
        header = Struct(order + "IIII").unpack_from
        scale = units // 1_000_000
        buffer, at, size = self._buffer, 24, len(self._buffer)
        while True:
            frames: list[Frame] = []
            append = frames.append
            need = head
            while at + head <= size:
                seconds, fraction, length, wire_len = header(buffer, at)
                body = at + head
                end = body + length
                if end > size:
                    need = head + length
                    break
                time = seconds * 1_000_000 + (fraction if scale == 1 else fraction // scale)
                append(
                    (
                        time,
                        link_type,
                        buffer[body:end],
                        max(wire_len, length),
                        0,
                    )
                )
                at = end
            if frames:
                yield frames
            if not self._fill(at, need):
                break
            buffer, at, size = self._buffer, 0, len(self._buffer)
        if self._buffer:
            self._problem(0, f"a record of {need} bytes, the file has {self._left()} more")

    def _left(self) -> int:
        return max(self._size - self._start, 0)

    def _pcapng(self) -> Iterator[Frame]:
        interfaces: list[Interface] = []
        last = 0  # for packets that say nothing of time
        for at, order, kind, body in self._sections():
            if kind in _PACKETS:
                frame = self._packet(at, order, kind, body, interfaces, last)
                if frame is not None:
                    last = frame[0]
                    yield frame
            elif kind == _INTERFACE:
                self._interface(at, order, body, interfaces)
            elif kind == _SECTION_NUMBER:
                interfaces = []

    def _sections(self) -> Iterator[tuple[int, str, int, bytes]]:
        """Yield the blocks of all sections: (place in the buffer, byte order, type, body)."""
        header = {order: Struct(order + "II").unpack_from for order in "<>"}
        order = "<"
        at = 0
        while True:
            if len(self._buffer) - at < 12:
                if not self._fill(at, 12):
                    break
                at = 0
            if self._buffer[at : at + 4] == _SECTION:
                known = _BYTE_ORDER.get(self._buffer[at + 8 : at + 12])
                if known is None:
                    self._problem(at, "the byte-order mark of a section")
                    return
                order = known
            kind, length = header[order](self._buffer, at)
            if length < 12 or length % 4:
                self._problem(at, f"a block, not one of {length} bytes")
                return
            if len(self._buffer) - at < length:
                if not self._fill(at, length):
                    self._problem(0, f"a block of {length} bytes, the file has {self._left()} more")
                    return
                at = 0
            yield at, order, kind, self._buffer[at + 8 : at + length - 4]
            at += length
        if self._buffer:
            self._problem(0, f"a block, not {len(self._buffer)} bytes")

    def _interface(self, at: int, order: str, body: bytes, interfaces: list[Interface]) -> None:
        if len(body) < 8 or len(interfaces) >= MAX_INTERFACES:
            self._problem(at, "an interface with a link type, and not so many of them")
            return
        link_type, snap = Struct(order + "HxxI").unpack_from(body)
        units, offset = 1_000_000, 0
        option = Struct(order + "HH").unpack_from
        place = 8
        while place + 4 <= len(body):
            code, length = option(body, place)
            value = body[place + 4 : place + 4 + length]
            if not code or len(value) < length:
                break
            if code == _TSRESOL and length == 1:
                units = 2 ** (value[0] & 127) if value[0] & 128 else 10 ** value[0]
            elif code == _TSOFFSET and length == 8:
                offset = Struct(order + "q").unpack(value)[0] * 1_000_000
            place += 4 + length + (-length & 3)
        interfaces.append((link_type, snap, units, offset))

    def _packet(
        self, at: int, order: str, kind: int, body: bytes, interfaces: list[Interface], last: int
    ) -> Frame | None:
        """The frame in a packet block of any of the three kinds; ``None`` if it holds none."""
        fixed = 4 if kind == _SIMPLE_PACKET else 20
        if len(body) < fixed:
            self._problem(at, "a packet block with its header")
            return None
        if kind == _SIMPLE_PACKET:
            number, high, low, length = 0, 0, 0, 0
            (wire_len,) = Struct(order + "I").unpack_from(body)
        elif kind == _ENHANCED_PACKET:
            number, high, low, length, wire_len = Struct(order + "IIIII").unpack_from(body)
        else:
            number, high, low, length, wire_len = Struct(order + "HxxIIII").unpack_from(body)
        if number >= len(interfaces):
            self._problem(at, f"a packet of a described interface, not of number {number}")
            return None
        link_type, snap, units, offset = interfaces[number]
        if kind == _SIMPLE_PACKET:
            length = min(wire_len, snap or wire_len, len(body) - fixed)
            time = last
        else:
            ticks = high << 32 | low
            time = (ticks if units == 1_000_000 else ticks * 1_000_000 // units) + offset
        if length > len(body) - fixed:
            self._problem(at, f"a packet of at most {len(body) - fixed} bytes, not {length}")
            return None
        time = min(max(time, 0), LATEST)
        return time, link_type, body[fixed : fixed + length], max(wire_len, length), 0

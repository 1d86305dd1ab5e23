"""One pcap or pcapng file, plain or gzip, streamed, and hostile.

Every length is checked against what the file still holds, and nothing is held but a window on it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from io import FileIO, RawIOBase
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from stat import S_ISREG
from struct import Struct
from typing import Final

from dijkwacht_agent.frames import Block
from dijkwacht_records.errors import UnreadableInput
from dijkwacht_records.gzipped import open_plain

MAX_RECORD: Final = 16 * 1024 * 1024
"""Bytes in one record or block; a longer one is taken for an error, and ends the reading."""
MAX_INTERFACES: Final = 65_536
LATEST: Final = 253_402_300_799_999_999
"""The end of the year 9999, µs UTC: no calendar goes on from there."""
_LINK_BITS: Final = 0x03FFFFFF  # the rest describes checksums at the frame's end

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
_SIMPLE_HEAD: Final = {order: Struct(order + "I").unpack_from for order in "<>"}
_ENHANCED_HEAD: Final = {order: Struct(order + "IIIII").unpack_from for order in "<>"}
_OLD_HEAD: Final = {order: Struct(order + "HxxIIII").unpack_from for order in "<>"}
_SECTION_NUMBER: Final = 0x0A0D0D0A  # the same in both byte orders
_TSRESOL, _TSOFFSET = 9, 14
_UNKNOWN_LINK: Final = 1 << 16
_UNKNOWN_SIZE: Final = 1 << 62  # of a pipe, and of what is packed

Interface = tuple[int, int, int, int]
"""``(link_type, snap length, ticks in a second, offset in µs)``."""
Placed = tuple[bytes, int, int, int, int, int]
"""A frame where it lies: ``(window, link_type, time, begin, end, wire_len)``."""


def is_recording(path: Path) -> bool:
    """Whether ``path`` begins like a pcap or pcapng file, unpacked. Raises ``OSError``."""
    with closing(open_plain(path)) as file:
        magic = file.read(4)
    return magic in _PCAP or magic == _SECTION


def _size(file: RawIOBase) -> int:
    if isinstance(file, FileIO):
        status = os.fstat(file.fileno())
        if S_ISREG(status.st_mode):
            return status.st_size
    return _UNKNOWN_SIZE


class PacketFile:
    """One file: ``path``, read ``chunk`` bytes at a time.

    What is wrong with it is reported to ``note``, and reading goes on where it can. Raises
    `UnreadableInput` if it cannot be opened or is neither pcap nor pcapng.
    """

    def __init__(self, path: Path, note: Callable[[UnreadableInput], None], chunk: int) -> None:
        self._path = path
        self._note = note
        self._chunk = chunk
        self._buffer = b""  # a window on the file that moves forward only
        self._start = 0  # place of the buffer in the file
        try:
            self._file = open_plain(path)
            self._size = _size(self._file)
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
        """Close the file; `blocks` then ends early."""
        self._file.close()

    def blocks(self) -> Iterator[Block]:
        """Yield the frames of the file; close it at the end."""
        with closing(self._file):
            try:
                if self._buffer[:4] == _SECTION:
                    yield from self._pcapng()
                else:
                    yield from self._pcap()
            except OSError as error:
                self._problem(0, f"to read on ({error.strerror})")

    def _fill(self, at: int, need: int) -> bool:
        """Move the window to begin at ``at`` and hold ``need`` bytes, if the file has them."""
        left = self._size - self._start - at
        rest = self._buffer[at:]
        self._start += at
        if need > left or need > MAX_RECORD or self._file.closed:
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

    def _pcap(self) -> Iterator[Block]:
        order, units, head = _PCAP[self._buffer[:4]]
        link_type = Struct(order + "I").unpack_from(self._buffer, 20)[0] & _LINK_BITS
        header = Struct(order + "IIII").unpack_from
        scale = units // 1_000_000
        buffer, at, size = self._buffer, 24, len(self._buffer)
        while True:
            times: list[int] = []
            begins: list[int] = []
            ends: list[int] = []
            wire_lens: list[int] = []
            need = head
            while at + head <= size:
                seconds, fraction, length, wire_len = header(buffer, at)
                body = at + head
                end = body + length
                if end > size:
                    need = head + length
                    break
                times.append(seconds * 1_000_000 + (fraction if scale == 1 else fraction // scale))
                begins.append(body)
                ends.append(end)
                # A call of max() would be felt in the packets a second.
                wire_lens.append(wire_len if wire_len > length else length)  # noqa: FURB136
                at = end
            if times:
                vlans = [0] * len(times)
                yield Block(buffer, link_type, times, begins, ends, wire_lens, vlans)
            if not self._fill(at, need):
                break
            buffer, at, size = self._buffer, 0, len(self._buffer)
        if self._buffer:
            self._short("record", need)

    def _short(self, what: str, need: int) -> None:
        """Report that a record or block of ``need`` bytes is not there."""
        if self._file.closed:
            return
        if need > MAX_RECORD:
            self._problem(0, f"a {what} of at most {MAX_RECORD} bytes, not {need}")
        else:
            left = len(self._buffer) if self._size == _UNKNOWN_SIZE else self._size - self._start
            self._problem(0, f"a {what} of {need} bytes, the file has {left} more")

    def _pcapng(self) -> Iterator[Block]:
        in_one = itemgetter(0, 1)  # the window and the link type
        for (window, link_type), placed in groupby(self._packets(), in_one):
            _, _, times, begins, ends, wire_lens = zip(*placed, strict=True)
            yield Block(window, link_type, times, begins, ends, wire_lens, [0] * len(times))

    def _packets(self) -> Iterator[Placed]:
        interfaces: list[Interface] = []
        last = 0  # for packets without a time
        for at, order, kind, end in self._sections():
            if kind in _PACKETS:
                placed = self._packet(at, order, kind, end, interfaces, last)
                if placed is not None:
                    last = placed[2]
                    yield placed
            elif kind == _INTERFACE:
                self._interface(at, order, self._buffer[at + 8 : end], interfaces)
            elif kind == _SECTION_NUMBER:
                interfaces = []

    def _sections(self) -> Iterator[tuple[int, str, int, int]]:
        """Yield the blocks of all sections: (place in the buffer, byte order, type, end of its body)."""
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
                    self._short("block", length)
                    return
                at = 0
            yield at, order, kind, at + length - 4
            at += length
        if self._buffer and not self._file.closed:
            self._problem(0, f"a block, not {len(self._buffer)} bytes")

    def _interface(self, at: int, order: str, body: bytes, interfaces: list[Interface]) -> None:
        if len(interfaces) >= MAX_INTERFACES:
            self._problem(at, f"at most {MAX_INTERFACES} interfaces")
            return
        if len(body) < 8:
            self._problem(at, "an interface with a link type")
            interfaces.append((_UNKNOWN_LINK, 0, 1_000_000, 0))  # the next keeps its number
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
        self, at: int, order: str, kind: int, end: int, interfaces: list[Interface], last: int
    ) -> Placed | None:
        """Find the frame in a packet block of any of the three kinds; ``None`` if it holds none."""
        window, begin = self._buffer, at + (12 if kind == _SIMPLE_PACKET else 28)
        room = end - begin
        if room < 0:
            self._problem(at, "a packet block with its header")
            return None
        if kind == _SIMPLE_PACKET:
            number, high, low, length = 0, 0, 0, 0
            (wire_len,) = _SIMPLE_HEAD[order](window, at + 8)
        elif kind == _ENHANCED_PACKET:
            number, high, low, length, wire_len = _ENHANCED_HEAD[order](window, at + 8)
        else:
            number, high, low, length, wire_len = _OLD_HEAD[order](window, at + 8)
        if number >= len(interfaces):
            self._problem(at, f"a packet of a described interface, not of number {number}")
            return None
        link_type, snap, units, offset = interfaces[number]
        if kind == _SIMPLE_PACKET:
            length = min(wire_len, snap or wire_len, room)
            time = last
        else:
            ticks = high << 32 | low
            time = (ticks if units == 1_000_000 else ticks * 1_000_000 // units) + offset
        if length > room:
            self._problem(at, f"a packet of at most {room} bytes, not {length}")
            return None
        if time > LATEST:
            self._problem(at, "a packet's time before the year 10000")
            return None
        time = max(time, 0)
        return window, link_type, time, begin, begin + length, max(wire_len, length)

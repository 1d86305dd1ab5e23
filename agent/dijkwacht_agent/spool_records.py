"""How a record lies in a segment of the spool, and how the next one is found behind a damaged one.

``magic · bytes · rows · position · crc32 · wire``, where the position counts the rows of all records
up to and with this one, since the first: what the next good record says shows how many a damaged
one had. The first release wrote neither position nor a checksum over all of the head.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import Final, NamedTuple

from dijkwacht_records.planes import MAX_ROWS
from dijkwacht_records.wire import MAX_WIRE_BYTES

HEADER: Final = struct.Struct(">4sIIQI")
OLD_HEADER: Final = struct.Struct(">4sIII")
_MAGIC: Final = b"DWS2"
_OLD_MAGIC: Final = b"DWS1"
_OF_BOTH: Final = b"DWS"
_SUM_BYTES: Final = 4
_WINDOW: Final = 64 * 1024


class Found(NamedTuple):
    """A good record: ``wire`` holds ``rows`` rows; it lies from ``begin`` to ``end``.

    ``upto`` is its position; 0 in one of the first release.
    """

    wire: bytes
    rows: int
    upto: int
    begin: int
    end: int


def encode_record(wire: bytes, rows: int, upto: int) -> bytes:
    """The bytes of a record; there are ``rows`` rows in it, one at least."""
    head = HEADER.pack(_MAGIC, len(wire), rows, upto, 0)[:-_SUM_BYTES]
    return head + _checksum(head, wire) + wire


def find_record(file: int, at: int, end: int) -> Found | None:
    """The first good record that begins at ``at`` or behind it; none is read past ``end``.

    Raises ``OSError`` where the file cannot be read, which says nothing of what is in it.
    """
    found = _read(file, at, end)
    at += 1
    while found is None and at < end:
        window = os.pread(file, min(_WINDOW, end - at), at)
        place = window.find(_OF_BOTH)
        while place >= 0 and (found := _read(file, at + place, end)) is None:
            place = window.find(_OF_BOTH, place + 1)
        if len(window) < len(_OF_BOTH):
            break
        at += len(window) - len(_OF_BOTH) + 1  # a magic may lie across two windows
    return found


def _read(file: int, at: int, end: int) -> Found | None:
    head = os.pread(file, min(HEADER.size, end - at), at)
    if head.startswith(_MAGIC) and len(head) == HEADER.size:
        _, length, rows, upto, _ = HEADER.unpack(head)
        begin = at + HEADER.size
        plausible = rows <= upto
    elif head.startswith(_OLD_MAGIC) and len(head) >= OLD_HEADER.size:
        _, length, rows, old_sum = OLD_HEADER.unpack_from(head)
        begin, upto, plausible = at + OLD_HEADER.size, 0, True
    else:
        return None
    # Before anything is read that long: what is damaged may be the length.
    if not (plausible and 0 < rows <= MAX_ROWS and length <= min(MAX_WIRE_BYTES, end - begin)):
        return None
    wire = os.pread(file, length, begin)
    if len(wire) < length:
        return None
    if upto:
        good = _checksum(head[:-_SUM_BYTES], wire) == head[-_SUM_BYTES:]
    else:
        good = zlib.crc32(wire, rows) == old_sum
    return Found(wire, rows, upto, at, begin + length) if good else None


def _checksum(head: bytes, wire: bytes) -> bytes:
    return zlib.crc32(wire, zlib.crc32(head)).to_bytes(_SUM_BYTES, "big")

"""What a journal holds: entries, and how one lies on disk.

A segment begins with 1,044 bytes: ``DWJ``, the format's version 3, a salt (u32), the position of its
first entry (u64), the last position of each partition before it (128 × u64), a crc32 of these (u32).
Version 2, still read, had no positions, version 1 no checksum either. Every entry follows as one
frame, little-endian::

    marker 4 │ length u32 │ crc32 u32 │ position u64 │ durable u64 │ arrival i64 │ kind u8
    │ partition u8 │ site length u8 │ key length u8 │ site │ key │ payload

``length`` counts what comes after the checksum, which covers the same bytes and starts from the
segment's salt: bytes that a stranger sent inside a payload never look like a frame. ``durable`` is
the last position that was on disk when the frame was written; it distinguishes a torn tail (nothing behind
it was ever acknowledged) from damage.
"""

from __future__ import annotations

import functools
import hashlib
import struct
import zlib
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from dijkwacht_records.wire import Batch

PARTITIONS: Final = 128
"""Fixed for life: a site's rows are one sequence, whoever reads them."""

Kind = Literal["batch", "verdict", "exemption", "budget", "model", "release", "table", "strike"]
KINDS: Final[tuple[Kind, ...]] = (
    "batch", "verdict", "exemption", "budget", "model", "release", "table", "strike",
)  # fmt: skip
"""Everything that can change a verdict; a kind's place here is its number on disk."""

FORMAT: Final = 3
_HEADLESS_FORMAT: Final = 2
_UNCHECKED_FORMAT: Final = 1
MAGIC: Final = b"DWJ"
MARKER: Final = b"\xd1DWE"
MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024

_HEADER: Final = struct.Struct("<3sBIQ")
_HEADS: Final = struct.Struct(f"<{PARTITIONS}Q")
_CHECKSUM: Final = struct.Struct("<I")
HEADER_BYTES: Final = _HEADER.size + _HEADS.size + _CHECKSUM.size
_FRAME: Final = struct.Struct("<4sII")
_HEAD: Final = struct.Struct("<QQqBBBB")
FRAME_BYTES: Final = _FRAME.size + _HEAD.size
_MAX_LENGTH: Final = _HEAD.size + 510 + MAX_PAYLOAD_BYTES


class Entry(NamedTuple):
    """One thing that happened, in the order in which it counts.

    ``position`` orders what is in one ``partition``; ``arrival`` is µs UTC by the collector's clock; what ``payload``
    holds is in ``payloads.py``; ``key`` names a batch as its agent counts it (agent/boot/seq), so
    that sending it again is known for ever. ``batch``: what the payload holds, where somebody in this
    process has read it lately; it is not on disk.
    """

    position: int
    kind: Kind
    partition: int
    arrival: int
    site: str
    payload: bytes
    key: str = ""
    batch: Batch | None = None


class Draft(NamedTuple):
    """An entry that has no position yet."""

    kind: Kind
    site: str
    arrival: int
    payload: bytes
    key: str = ""
    batch: Batch | None = None


class Header(NamedTuple):
    """How a segment begins. ``size``: its bytes; ``checked``: a checksum vouches for the salt.

    ``heads``: the last position of each partition before the segment, by partition; None if an earlier
    version did not write them.
    """

    salt: int
    first: int
    size: int
    checked: bool
    heads: tuple[int, ...] | None = None


class Frame(NamedTuple):
    """A frame found in a segment: the entry, what was durable when it was written, its end."""

    entry: Entry
    durable: int
    end: int


class BadFrame(Exception):
    """The bytes at this offset are no whole frame or header; ``short``: there may be more to come."""

    def __init__(self, message: str, *, short: bool = False) -> None:
        super().__init__(message)
        self.short = short


@functools.lru_cache(maxsize=65_536)
def partition_of(site: str) -> int:
    """The partition that holds ``site``, 0 to 127.

    >>> partition_of("bakery")
    95
    """
    digest = hashlib.blake2b(site.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % PARTITIONS


def check_draft(draft: Draft) -> None:
    """Raises ``ValueError`` for a site, key or payload that is too long for a frame."""
    lengths = len(draft.site.encode()), len(draft.key.encode()), len(draft.payload)
    if max(lengths[:2]) > 255 or lengths[2] > MAX_PAYLOAD_BYTES:
        raise ValueError(f"{lengths}: site, key or payload too long for the journal")


def write_header(salt: int, first: int, heads: Sequence[int]) -> bytes:
    """How a new segment begins; ``heads`` as in `Header`."""
    header = _HEADER.pack(MAGIC, FORMAT, salt, first) + _HEADS.pack(*heads)
    return header + _CHECKSUM.pack(zlib.crc32(header))


def read_header(data: bytes) -> Header:
    """The header at the start of ``data``, of this version or an earlier one. Raises `BadFrame`."""
    if len(data) < _HEADER.size or not data.startswith(MAGIC):
        raise BadFrame("not a journal segment of this version")
    _, version, salt, first = _HEADER.unpack_from(data)
    if version == _UNCHECKED_FORMAT:
        return Header(salt, first, _HEADER.size, checked=False)
    end = _HEADER.size + (_HEADS.size if version == FORMAT else 0)
    size = end + _CHECKSUM.size
    if version not in (_HEADLESS_FORMAT, FORMAT) or len(data) < size:
        raise BadFrame("not a journal segment of this version")
    if _CHECKSUM.unpack_from(data, end)[0] != zlib.crc32(data[:end]):
        raise BadFrame("the header's checksum differs")
    heads = _HEADS.unpack_from(data, _HEADER.size) if version == FORMAT else None
    return Header(salt, first, size, checked=True, heads=heads)


def write_frame(draft: Draft, partition: int, position: int, durable: int, salt: int) -> bytes:
    """One frame of a draft that `check_draft` let pass."""
    site, key = draft.site.encode(), draft.key.encode()
    head = _HEAD.pack(
        position,
        durable,
        draft.arrival,
        KINDS.index(draft.kind),
        partition,
        len(site),
        len(key),
    )
    front = head + site + key
    crc = zlib.crc32(draft.payload, zlib.crc32(front, salt))
    length = len(front) + len(draft.payload)
    return b"".join((_FRAME.pack(MARKER, length, crc), front, draft.payload))


def read_frame(data: bytes, at: int, salt: int) -> Frame:
    """The frame at offset ``at`` of ``data``. Raises `BadFrame`."""
    if len(data) - at < FRAME_BYTES:
        raise BadFrame("the frame's head is cut short", short=True)
    marker, length, crc = _FRAME.unpack_from(data, at)
    if marker != MARKER or not _HEAD.size <= length <= _MAX_LENGTH:
        raise BadFrame("no frame begins here")
    body = at + _FRAME.size
    end = body + length
    if end > len(data):
        raise BadFrame("the frame is cut short", short=True)
    if zlib.crc32(memoryview(data)[body:end], salt) != crc:
        raise BadFrame("checksum differs")
    position, durable, arrival, kind, partition, sites, keys = _HEAD.unpack_from(data, body)
    if kind >= len(KINDS):
        raise BadFrame(f"unknown kind {kind}")
    text = body + _HEAD.size
    payload = text + sites + keys
    entry = Entry(
        position,
        KINDS[kind],
        partition,
        arrival,
        data[text : text + sites].decode(),
        data[payload:end],
        data[text + sites : payload].decode(),
    )
    return Frame(entry, durable, end)

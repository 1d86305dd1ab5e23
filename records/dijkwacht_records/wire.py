"""Batches as bytes: rows of several tables, as columns, compressed; whatever version they are of.

::

    b"DWB" version | zstd( what `layout_1` or `layout_2` says )

``order`` holds the table number of each row in the order the agent made them, so that cutting a
stream into other batches changes nothing. `docs/decisions/0002-wire-format.md` has the measurements
of version 1, `0016-contract-2.md` those of 2, `0015-versions-of-the-contract.md` how they meet.

The decoder reads hostile bytes: the declared size is checked before anything is decompressed, every
length must be exactly ``rows × width``, every index and every text must be in range. It raises
`MalformedBatch` or `UnknownContract`, nothing else.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterable, Iterator
from typing import Final

import msgspec
import zstandard

from dijkwacht_records import layout_1, layout_2
from dijkwacht_records.byte_planes import LIMIT
from dijkwacht_records.columns import Columns
from dijkwacht_records.contracts import CONTRACTS, LATEST, READS
from dijkwacht_records.errors import MalformedBatch, UnknownContract
from dijkwacht_records.head import Head
from dijkwacht_records.planes import MAX_ROWS, Planes, check, columns
from dijkwacht_records.tables import Row

MAX_WIRE_BYTES: Final = 256 * 1024
MAX_PLAIN_BYTES: Final = 8 * 1024 * 1024
MAGIC: Final = b"DWB"
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
"""What a site or an agent may be called: a DNS label."""
_MAX_WINDOW = 8 * 1024 * 1024


class Batch(Head):
    """One batch, its columns still packed.

    ``made`` counts the rows the agent has made since boot, up to the last of these, and is 0 in contract 1.
    """

    made: int
    planes: Planes

    @property
    def rows(self) -> int:
        """Rows in all tables together, those of unknown ones among them."""
        return self.planes.rows


class _Local(threading.local):
    """A decompressor for each thread: making one costs more than a small batch, sharing is unsafe."""

    def __init__(self) -> None:
        self.decompressor = zstandard.ZstdDecompressor()


_local = _Local()
_encode_msgpack = msgspec.msgpack.Encoder().encode
_decode_1 = msgspec.msgpack.Decoder(layout_1.Layout).decode
_decode_2 = msgspec.msgpack.Decoder(layout_2.Layout).decode


def encode(
    site: str,
    agent: str,
    boot: bytes,
    seq: int,
    sent: int,
    rows: Columns | Iterable[tuple[int, Row]],
    contract: int = LATEST,
    made: int = 0,
) -> bytes:
    """Return the wire bytes of ``rows``: columns, or (table number, row) pairs in the order made.

    Rows of tables that ``contract`` lacks are left out, and so are columns; those that rows lack have
    their defaults. The result may exceed `MAX_WIRE_BYTES`; the caller then cuts its rows in two.
    Raises ``ValueError`` for more than `MAX_ROWS` rows or a value outside its column's range.
    """
    version = CONTRACTS[contract]
    held = rows if isinstance(rows, Columns) else Columns.of(rows)
    held = held.shaped(version.columns)
    if len(held) > MAX_ROWS:
        raise ValueError(f"{len(held)} rows in one batch, at most {MAX_ROWS}")
    head = site, agent, boot, seq, sent
    if contract == 1:
        plain = _encode_msgpack(layout_1.lay_out(head, held))
        frame = zstandard.ZstdCompressor(level=1).compress(plain)
    else:
        frame = layout_2.compress(layout_2.lay_out(head, made, held))
    return MAGIC + bytes([contract]) + frame


def decode(wire: bytes | memoryview, reads: Collection[int] = READS) -> Batch:
    """Read one batch of a contract among ``reads`` from bytes that anybody may have sent.

    Raises `UnknownContract` for another version and `MalformedBatch` for everything else that is
    wrong. A batch that is returned has columns whose lengths, indices and texts are all in range.
    """
    batch = read(wire, reads)
    check(batch.planes)
    return batch


def read(wire: bytes | memoryview, reads: Collection[int] = READS) -> Batch:
    """As `decode`, but what the columns hold is left to whoever unpacks them."""
    if len(wire) > MAX_WIRE_BYTES:
        raise MalformedBatch(f"{len(wire)} bytes, at most {MAX_WIRE_BYTES}")
    batch = read_checked(wire, reads)
    _check_head(batch)
    return batch


def read_checked(wire: bytes | memoryview, reads: Collection[int] = READS) -> Batch:
    """Read bytes that `decode` has accepted before, as the journal holds them.

    Skips the checks of columns; bytes from anywhere else belong to `decode`.
    """
    if len(wire) < 5 or bytes(wire[:3]) != MAGIC:
        raise MalformedBatch("not a batch: it does not begin with DWB")
    contract = wire[3]
    if contract not in reads or contract not in CONTRACTS:
        raise UnknownContract(contract, sorted(reads))
    plain = _decompress(bytes(wire[4:]))
    try:
        if contract == 1:
            old = _decode_1(plain)
            held, made = layout_1.read(old), 0
            return Batch(old.site, old.agent, old.boot, old.seq, old.sent, made, held)
        new = _decode_2(plain)
        held, made = layout_2.read(new, contract), new.made
        return Batch(new.site, new.agent, new.boot, new.seq, new.sent, made, held)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBatch(f"not a batch: {error}") from None


def unpack_rows(batch: Batch) -> Iterator[tuple[int, Row]]:
    """Yield (table number, row) in the order the agent made them; the plain reading of a batch."""
    return columns(batch.planes).rows()


def contract_of(wire: bytes) -> int:
    """The version of the contract in which a batch was written, as its bytes say; for bytes that `decode` accepts."""
    return wire[len(MAGIC)]


def plain_size(wire: bytes) -> int:
    """Bytes that `decode` may unpack ``wire`` to, by its frame's own head; 0 if it has none and is refused."""
    try:
        declared = zstandard.frame_content_size(wire[4:32])
    except zstandard.ZstdError:
        return 0
    return MAX_PLAIN_BYTES if declared < 0 else min(declared, MAX_PLAIN_BYTES)


def _decompress(frame: bytes) -> bytes:
    try:
        declared = zstandard.get_frame_parameters(frame)
        # The library obeys max_output_size only for frames that do not declare their size.
        if declared.content_size > MAX_PLAIN_BYTES or declared.window_size > _MAX_WINDOW:
            raise MalformedBatch(f"declares {declared.content_size} bytes or too large a window")
        return _local.decompressor.decompress(
            frame, max_output_size=MAX_PLAIN_BYTES, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise MalformedBatch(f"not a zstd frame: {error}") from None


def _check_head(batch: Batch) -> None:
    for what, name in (("site", batch.site), ("agent", batch.agent)):
        if not NAME.fullmatch(name):
            raise MalformedBatch(f"{what} is not a name")
    numbers = batch.seq, batch.sent, batch.made
    if len(batch.boot) != 16 or not all(0 <= number < LIMIT for number in numbers):
        raise MalformedBatch("boot, seq, sent or made out of range")

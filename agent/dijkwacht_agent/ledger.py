"""What became of every row since the state folder's first use.

Rows are counted in the order in which the spool got them: ``spooled`` of them came in, and those up
to ``settled`` need no more care. Since both only grow, and every row that is settled is journalled,
rejected or shed, rows made = journalled + rejected + shed + waiting.

The file is two slots that are written in turn, each by one call into a block that exists already: a
process that is killed leaves one whole, and a disk that is full still takes it. It is not synced at
each write; after a power failure it may be some seconds old.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from pathlib import Path
from typing import Final

import msgspec

LEDGER_FILE: Final = "ledger"
REASONS: Final = ("malformed", "too_large", "rejected")
"""Why the collector refuses a batch for good."""
CAUSES: Final = ("full", "damaged", "refused")
"""Why the agent drops rows: no room for them, damage to what was on disk, or a value or a
table that the contract cannot hold."""
_MAGIC: Final = b"DWL1"
_SLOT: Final = struct.Struct(f">4sQ?4Q{len(REASONS)}Q{len(CAUSES)}Q2Q")
_SUM_BYTES: Final = 4
_SLOT_BYTES: Final = 4096


class Accounts(msgspec.Struct, frozen=True):
    """Rows since the state folder's first use, by what became of them.

    ``made`` is the sum of all others; ``rejected`` is by `REASONS`, ``shed`` by `CAUSES`.
    """

    made: int
    journalled: int
    rejected: dict[str, int]
    shed: dict[str, int]
    waiting: int

    @property
    def lost(self) -> int:
        """Rows that reach no journal."""
        return sum(self.rejected.values()) + sum(self.shed.values())


class Ledger:
    """The account, kept in ``path`` by `write`. ``found``: there was one that could be read.

    ``damaged``: there was one that could not. ``anew``: it had to begin before rows that were there
    already. ``old`` is how far the records of a first release's
    segment are settled, which have no positions: (segment, offset).
    """

    def __init__(self, path: Path) -> None:
        self.begun = self.spooled = self.settled = self.journalled = 0
        self.rejected = dict.fromkeys(REASONS, 0)
        self.shed = dict.fromkeys(CAUSES, 0)
        self.old = 0, 0
        self.open = self.anew = False
        self._path = path
        self._turn = 0
        self._file = -1
        content = _content(path)
        first, second = self._take(content), self._take(content[_SLOT_BYTES:])
        self.found = first or second
        self.damaged = not self.found and any(content)

    def begin(self, position: int) -> None:
        """Count from ``position`` on: what came before it is not known."""
        self.begun = self.settled = position
        self.spooled = max(self.spooled, position)

    def add(self, rows: int) -> int:
        """``rows`` more came in; returns the position of the last of them."""
        self.spooled += rows
        return self.spooled

    def refuse(self, rows: int) -> None:
        """``rows`` were made that cannot be written at all."""
        self.shed["refused"] += rows

    def settle(self, upto: int, reason: str | None = None) -> None:
        """The rows up to ``upto`` are journalled, or were rejected for ``reason``."""
        rows = upto - self.settled
        if reason is None:
            self.journalled += rows
        else:
            self.rejected[reason] += rows
        self.settled = upto

    def rescue(self, rows: int, reason: str | None = None) -> None:
        """``rows`` that were dropped as ``full`` had arrived, or were rejected for ``reason``."""
        self.shed["full"] -= rows
        if reason is None:
            self.journalled += rows
        else:
            self.rejected[reason] += rows

    def drop(self, upto: int, cause: str) -> None:
        """The rows up to ``upto`` that are not settled are lost."""
        self.shed[cause] += max(0, upto - self.settled)
        self.settled = max(self.settled, upto)

    def accounts(self, waiting: int | None = None) -> Accounts:
        """The sums, where ``waiting`` rows are known to wait: the rest of the unsettled is damaged.

        Without it, everything unsettled is taken to wait.
        """
        unsettled = self.spooled - self.settled
        waiting = unsettled if waiting is None else waiting
        shed = self.shed | {"damaged": self.shed["damaged"] + unsettled - waiting}
        made = self.spooled - self.begun + self.shed["refused"]
        return Accounts(made, self.journalled, dict(self.rejected), shed, waiting)

    def write(self) -> None:
        """Write it down; where that fails, the next time does it too."""
        fields = self.open, self.begun, self.spooled, self.settled, self.journalled
        sums = *self.rejected.values(), *self.shed.values(), *self.old
        slot = _SLOT.pack(_MAGIC, self._turn + 1, *fields, *sums)
        slot += zlib.crc32(slot).to_bytes(_SUM_BYTES, "big")
        with contextlib.suppress(OSError):
            if self._file < 0:
                self._file = _open(self._path)
            if os.pwrite(self._file, slot, self._turn % 2 * _SLOT_BYTES) == len(slot):
                self._turn += 1

    def sync(self) -> None:
        """Bring it through the kernel to the disk."""
        with contextlib.suppress(OSError):
            if self._file >= 0:
                os.fsync(self._file)

    def close(self) -> None:
        """Write it down for the last time."""
        if self.open:
            self.open = False
            self.write()
            self.sync()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _take(self, slot: bytes) -> bool:
        """Become what ``slot`` says, if it is whole and later than what is known."""
        body = slot[: _SLOT.size]
        checksum = slot[_SLOT.size : _SLOT.size + _SUM_BYTES]
        if len(body) < _SLOT.size or zlib.crc32(body).to_bytes(_SUM_BYTES, "big") != checksum:
            return False
        magic, turn, self_open, begun, spooled, settled, journalled, *sums = _SLOT.unpack(body)
        if magic != _MAGIC:
            return False
        if turn <= self._turn:
            return True
        self._turn, self.open = turn, self_open
        self.begun, self.spooled, self.settled, self.journalled = (
            begun,
            spooled,
            settled,
            journalled,
        )
        self.rejected = dict(zip(REASONS, sums, strict=False))
        self.shed = dict(zip(CAUSES, sums[len(REASONS) :], strict=False))
        self.old = sums[-2], sums[-1]
        return True


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _open(path: Path) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.fstat(file).st_size < 2 * _SLOT_BYTES:
            room = bytes(2 * _SLOT_BYTES)
            if os.pwrite(file, room, 0) < len(room):
                os.ftruncate(file, 0)
    except OSError:
        os.close(file)
        raise
    return file

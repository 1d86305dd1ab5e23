"""Snapshots of marks as earlier versions wrote them: the highest number of a stream, and a window below it."""

from __future__ import annotations

from typing import Final

import msgspec

from dijkwacht_collector.intake.intervals import put
from dijkwacht_collector.journal import unseal

_WINDOW: Final = 256
_SEALED: Final = (b"DWM\x03", b"DWM\x02")
_UNSEALED: Final = b"\x82"  # how the first version's began: a map of two


class Mark(msgspec.Struct, array_like=True):
    """``window``: bit n is the number n below ``top``; what is below the window counts as seen."""

    top: int
    window: bytes

    def seen(self) -> list[int]:
        """The same as intervals."""
        below = max(self.top - _WINDOW + 1, 0)
        seen = [0, below] if below else []
        bits = int.from_bytes(self.window, "little")
        for age in range(self.top - below, -1, -1):
            if bits >> age & 1:
                put(seen, self.top - age)
        return seen


class Snapshot(msgspec.Struct):
    """``after``: position up to which each partition was read; the first versions had one for all."""

    streams: dict[str, Mark]
    after: dict[int, int] = {}
    position: int = 0


def read(data: bytes) -> Snapshot:
    """Raises ``JournalError``, ``ValueError`` or ``MsgspecError`` for what is no such snapshot."""
    body: memoryview | bytes = data
    if not data.startswith(_UNSEALED):
        body = unseal(
            next((magic for magic in _SEALED if data.startswith(magic)), _SEALED[0]), data
        )
    return msgspec.msgpack.decode(body, type=Snapshot)

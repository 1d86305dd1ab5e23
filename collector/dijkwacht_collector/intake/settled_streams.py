"""Streams that have come to rest, packed: 24 bytes for each interval of each, found by bisection."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

RECORD_BYTES: Final = 24


class SettledStreams:
    """A table of what was seen, uint64[3, records]: a hash of the stream, where an interval begins and ends.

    It is sorted by hash, then begin.
    """

    def __init__(self, data: bytes = b"") -> None:
        if len(data) % RECORD_BYTES:
            raise ValueError(f"{len(data)} bytes are no whole number of records")
        self._table: NDArray[np.uint64] = (
            np.frombuffer(data, "<u8").astype(np.uint64).reshape(3, -1)
        )

    def __len__(self) -> int:
        return len(self._table[0])

    def seen(self, stream: str) -> list[int]:
        """The intervals of ``stream`` (see `intervals`); none if it never came to rest."""
        if not len(self):
            return []
        name = np.uint64(_hash(stream))
        first = self._table[0].searchsorted(name, "left")
        end = self._table[0].searchsorted(name, "right")
        return [int(bound) for bound in self._table[1:, first:end].T.flat]

    def settle(self, streams: Mapping[str, list[int]]) -> None:
        """Take ``streams`` in; they replace what was kept of them."""
        named = sorted((_hash(stream), seen) for stream, seen in streams.items())
        names = np.array([name for name, _ in named], np.uint64)
        first = self._table[0].searchsorted(names, "left")
        end = self._table[0].searchsorted(names, "right")
        others = np.ones(len(self), np.bool_)
        for begin, behind in zip(first.tolist(), end.tolist(), strict=True):
            others[begin:behind] = False
        kept = self._table[:, others]
        records = np.array(
            [
                (name, seen[at], seen[at + 1])
                for name, seen in named
                for at in range(0, len(seen), 2)
            ],
            np.uint64,
        ).T
        self._table = np.insert(kept, kept[0].searchsorted(records[0]), records, axis=1)

    def dump(self) -> bytes:
        """All of it, as the constructor takes it."""
        return self._table.astype("<u8").tobytes()


def _hash(stream: str) -> int:
    digest = hashlib.blake2b(stream.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")

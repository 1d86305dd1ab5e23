"""What one flow did by remote calls and on shares, counted by kind until its part is cut: rows of ``rpc``."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from dijkwacht_records.rpc_interfaces import RpcInterface
from dijkwacht_records.tables import Row
from dijkwacht_records.vocabulary import RpcKind, RpcStatus, RpcVia, ShareKind

MAX_ROWS: Final = 32
"""Distinct rows of a part; beyond them operations are merged."""
MAX_MERGED: Final = 16
"""And so many merged ones; all that is left stands in one more."""
NO_OPERATION: Final = -1
_KEPT_A_ROW: Final = 470


class Counter(IntEnum):
    """Place of a count in a row's counts."""

    COUNT = 0
    READS = 1
    WRITES = 2
    CREATES = 3
    RENAMES = 4
    DELETES = 5
    READ_BYTES = 6
    WRITE_BYTES = 7


class Key(NamedTuple):
    """What the requests of a row have in common."""

    via: RpcVia
    kind: RpcKind
    status: RpcStatus
    iface: RpcInterface = RpcInterface.NONE
    op: int = NO_OPERATION
    share: ShareKind = ShareKind.NONE


class RpcRows:
    """Counts requests that are alike. Keeps `MAX_ROWS` + `MAX_MERGED` + 1 rows at most."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[Key, tuple[list[int], list[int]]] = {}

    def count(self, time: int, key: Key) -> list[int]:
        """One request, known at ``time`` (µs); returns the row's counts, to add to by `Counter`."""
        entry = self._counts.get(key)
        if entry is None:
            entry = self._entry(key)
        latest, counts = entry
        latest[0] = time
        counts[Counter.COUNT] += 1
        return counts

    def kept(self) -> int:
        """About how many bytes it keeps."""
        return _KEPT_A_ROW * len(self._counts)

    def rows(self, flow_id: int, orig_h: bytes, resp_h: bytes, resp_p: int) -> list[Row]:
        """All rows, which are forgotten here."""
        rows: list[Row] = [
            (
                latest[0],
                flow_id,
                orig_h,
                resp_h,
                resp_p,
                int(key.via),
                int(key.kind),
                int(key.iface),
                key.op,
                int(key.share),
                int(key.status),
                *counts,
            )
            for key, (latest, counts) in self._counts.items()
        ]
        self._counts.clear()
        return rows

    def _entry(self, key: Key) -> tuple[list[int], list[int]]:
        if len(self._counts) >= MAX_ROWS:
            key = key._replace(op=NO_OPERATION)
            if key not in self._counts and len(self._counts) >= MAX_ROWS + MAX_MERGED:
                key = Key(key.via, RpcKind.OTHER, RpcStatus.OTHER)
        return self._counts.setdefault(key, ([0], [0] * len(Counter)))

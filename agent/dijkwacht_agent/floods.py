"""Flows that a full table gave up before their first row: alike and counted, a row a second.

A flood that gives a row a flow floods the collector as well. What it looks like stands in few rows:
where it goes, else where it comes from, else that there was more.
"""

from __future__ import annotations

from typing import Final

from dijkwacht_agent.dissect import whole
from dijkwacht_agent.flow import LOCAL, SECOND, Flow
from dijkwacht_agent.made_rows import MadeRows
from dijkwacht_records.addresses import UNSPECIFIED
from dijkwacht_records.tables import FLOODS, TABLES

NEVER: Final = 1 << 62
MAX_KEYS: Final = 32
"""Rows a second by where flows go, and as many again by where they come from."""
MAX_DISTINCT: Final = 64
_FLOODS: Final = TABLES.index(FLOODS)

_Key = tuple[bytes, int, int, int]
"""Address, port, protocol and local bits; what does not tell apart is empty or 0."""


class _Alike:
    """Some flows: what they share, and how many there are of what they do not."""

    __slots__ = (
        "flows", "hints", "last", "local", "orig_bytes", "orig_pkts", "origs", "proto", "resp_p",
        "resps", "start",
    )  # fmt: skip

    def __init__(self, flow: Flow) -> None:
        self.start = self.last = flow.start
        self.proto, self.resp_p = flow.proto, flow.resp_p
        self.local, self.hints = flow.marks & LOCAL, flow.hints
        self.flows = self.orig_pkts = self.orig_bytes = 0
        self.origs, self.resps = set[bytes](), set[bytes]()

    def add(self, flow: Flow, orig: bytes, resp: bytes) -> None:
        """Count ``flow`` among them."""
        self.flows += 1
        self.orig_pkts += flow.orig_pkts
        self.orig_bytes += flow.orig_bytes
        self.last = max(self.last, flow.last)
        if flow.proto != self.proto:
            self.proto = 0
        if flow.resp_p != self.resp_p:
            self.resp_p = 0
        if len(self.origs) < MAX_DISTINCT:
            self.origs.add(orig)
        if len(self.resps) < MAX_DISTINCT:
            self.resps.add(resp)


class Floods:
    """``counted``: flows so far; ``due``: when (µs) `tell` must be called."""

    def __init__(self, made: MadeRows) -> None:
        self.counted = 0
        self.due = NEVER
        self._made = made
        self._alike: dict[_Key, _Alike] = {}
        self._targets = self._sources = 0

    def count(self, flow: Flow, time: int) -> int:
        """Count ``flow``, given up at ``time`` (µs); return when `tell` is due."""
        self.counted += 1
        if self.due == NEVER:
            self.due = (time // SECOND + 1) * SECOND
        key, local, half = flow.key, flow.marks & LOCAL, (len(flow.key) - 7) // 2
        orig, resp = key[:half], key[half : 2 * half]
        alike = (
            self._alike.get((resp, flow.resp_p, flow.proto, local))
            or self._alike.get((orig, -1, -1, local))
            or self._begin(flow, orig, resp, local)
        )
        alike.add(flow, orig, resp)
        return self.due

    def _begin(self, flow: Flow, orig: bytes, resp: bytes, local: int) -> _Alike:
        """The first of its kind in this second, or one of the rest."""
        if self._targets < MAX_KEYS:
            self._targets += 1
            key = resp, flow.resp_p, flow.proto, local
        elif self._sources < MAX_KEYS:
            self._sources += 1
            key = orig, -1, -1, local
        else:
            key = b"", -1, -1, local
        alike = self._alike.get(key)
        if alike is None:
            alike = self._alike[key] = _Alike(flow)
        return alike

    def tell(self) -> None:
        """Add the rows of this second."""
        for alike in self._alike.values():
            self._made.add(_FLOODS, _row(alike))
        self._alike.clear()
        self._targets = self._sources = 0
        self.due = NEVER


def _row(alike: _Alike) -> tuple[int | bytes, ...]:
    origs, resps = alike.origs, alike.resps
    return (
        alike.last,
        alike.start,
        whole(next(iter(origs))) if len(origs) == 1 else UNSPECIFIED,
        whole(next(iter(resps))) if len(resps) == 1 else UNSPECIFIED,
        alike.resp_p,
        alike.proto,
        alike.flows,
        len(origs),
        len(resps),
        alike.orig_pkts,
        alike.orig_bytes,
        alike.local & 1,
        alike.local >> 1,
        alike.hints,
    )

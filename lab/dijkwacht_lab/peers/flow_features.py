"""Rows → what a flow library gives of each whole flow, under the names that nfstream uses.

Nfstream itself reads packets alone. The generated offices, by which interruptions a week are counted, have none,
nor have other sensors' logs; so our meter's flows are put together from their parts as nfstream would: a
flow is told of at its end, or after half an hour. Bytes are payload where nfstream counts those of the IP
packet, flags are seen or not where it counts them, and the spread of sizes and pauses is not in a row.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dijkwacht_records.tables import FLOWS, TABLES, FlowState, Row

ACTIVE_US: Final = 1800 * 1_000_000
"""After so long a flow that goes on is told of, and begun anew."""
FEATURES: Final = (
    "dst_port", "protocol",
    "bidirectional_duration_ms", "bidirectional_packets", "bidirectional_bytes",
    "src2dst_packets", "src2dst_bytes", "src2dst_mean_ps",
    "dst2src_packets", "dst2src_bytes", "dst2src_mean_ps",
    "src2dst_syn", "src2dst_rst", "src2dst_fin", "src2dst_psh",
    "dst2src_syn", "dst2src_rst", "dst2src_fin", "dst2src_psh",
)  # fmt: skip
_FLOWS: Final = TABLES.index(FLOWS)
_SYN, _RST, _FIN, _PSH = 0x02, 0x04, 0x01, 0x08
_TIME, _START, _ID, _STATE, _ORIG_H, _RESP_P, _PROTO = map(
    FLOWS.index, ("time", "start", "flow_id", "state", "orig_h", "resp_p", "proto")
)
_SUMS: Final = tuple(map(FLOWS.index, ("orig_pkts", "resp_pkts", "orig_bytes", "resp_bytes")))
_FLAGS: Final = tuple(map(FLOWS.index, ("orig_flags", "resp_flags")))


class SiteFlows(NamedTuple):
    """The flows of one capture or office, in the order of their ends.

    ``features``: float32[n, len(FEATURES)], counts as log(1 + count). ``ended``: µs UTC, int64[n].
    ``source``: index into ``addresses`` (16 bytes each), int32[n]. ``hours``: how many hours have a row.
    """

    features: NDArray[np.float32]
    ended: NDArray[np.int64]
    source: NDArray[np.int32]
    addresses: list[bytes]
    hours: int = 0


def flows_of(rows: Iterable[tuple[int, Row]]) -> SiteFlows:
    """Put the parts of flows together. Memory is that of the open flows, and 88 bytes a flow that ended."""
    features, ended, source = array("f"), array("q"), array("i")
    addresses: dict[bytes, int] = {}
    hours: set[int] = set()
    open_: dict[int, list[int]] = {}

    def end(row: Row, sums: list[int]) -> None:
        features.extend(_features(row, sums))
        ended.append(int(row[_TIME]))
        source.append(addresses.setdefault(row[_ORIG_H], len(addresses)))  # type: ignore[arg-type]

    last: dict[int, Row] = {}
    for number, row in rows:
        hours.add(int(row[_TIME]) // 3_600_000_000)
        if number != _FLOWS:
            continue
        name = int(row[_ID])
        sums = open_.get(name)
        if sums is None:
            sums = open_[name] = [int(row[_START]), 0, 0, 0, 0, 0, 0]
        for place, column in enumerate(_SUMS, 1):
            sums[place] += int(row[column])
        for place, column in enumerate(_FLAGS, 5):
            sums[place] |= int(row[column])
        if row[_STATE] == FlowState.END:
            end(row, sums)
            del open_[name]
            last.pop(name, None)
        elif int(row[_TIME]) - sums[0] >= ACTIVE_US:
            end(row, sums)
            open_[name] = [int(row[_TIME]), 0, 0, 0, 0, 0, 0]
            last.pop(name, None)
        else:
            last[name] = row
    for name, row in last.items():
        end(row, open_[name])
    width = len(FEATURES)
    return SiteFlows(
        np.frombuffer(features, np.float32).reshape(-1, width),
        np.frombuffer(ended, np.int64),
        np.frombuffer(source, np.int32),
        list(addresses),
        len(hours),
    )


def _features(row: Row, sums: list[int]) -> tuple[float, ...]:
    start, up_packets, down_packets, up_bytes, down_bytes, up_flags, down_flags = sums
    log = math.log1p
    return (
        float(row[_RESP_P]), float(row[_PROTO]),
        log(max(int(row[_TIME]) - start, 0) / 1000), log(up_packets + down_packets),
        log(up_bytes + down_bytes),
        log(up_packets), log(up_bytes), log(up_bytes / max(up_packets, 1)),
        log(down_packets), log(down_bytes), log(down_bytes / max(down_packets, 1)),
        *(float(bool(up_flags & flag)) for flag in (_SYN, _RST, _FIN, _PSH)),
        *(float(bool(down_flags & flag)) for flag in (_SYN, _RST, _FIN, _PSH)),
    )  # fmt: skip

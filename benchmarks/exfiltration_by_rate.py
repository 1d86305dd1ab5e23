"""Which uploads are seen: sizes and rates, by four ways, in a generated office's first day and its tenth.

    python benchmarks/exfiltration_by_rate.py [--offices 2] [--json]

An office lives for ten days. At four moments a PC of it uploads once, to an address the office never
called, and nothing else happens until it is done; each upload begins from what the detectors of class
``exfil`` knew at that moment. It is seen if one of them reaches the score from which it interrupts a site, by
the tables in force. Uploads of more than half a day are left out.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dijkwacht.progress import report
from dijkwacht_collector.policy import Calibrations
from dijkwacht_collector.policy.detector_policy import DetectorPolicy
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.scoring import Scoring
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.hints import NAMED, SPEECH, Named, Speech
from dijkwacht_records.tables import FLOWS, TABLES, ConnState, FlowState, Row, Value

_FLOWS = TABLES.index(FLOWS)
_AT = {column.name: place for place, column in enumerate(FLOWS.columns)}
_HOUR = 3_600_000_000
_SECOND = 1_000_000
_PART = 15 * _SECOND
_DAY = 24 * _HOUR
_LONGEST_S = 12 * 3600
_HOSTS = 8
_DEST = pack_address("203.0.113.66")

SIZES_MB = (0.3, 1, 3, 10, 30, 100, 300, 1000, 2000)
RATES_MBIT = (0.05, 0.5, 5.0, 20.0)
WAYS = {
    "HTTP": (Speech.HTTP, 80),
    "TLS": (Speech.TLS, 443),
    "SSH": (Speech.SSH, 22),
    "own protocol": (Speech.BYTES, 4444),
}
MOMENTS = {
    "day 1, own hours": 2 * _HOUR,
    "night 1": 18 * _HOUR,
    "day 10, own hours": 9 * _DAY + 2 * _HOUR,
    "night 10": 9 * _DAY + 18 * _HOUR,
}


class Upload(NamedTuple):
    """What is sent."""

    way: str
    named: Named
    mb: float
    mbit: float

    @property
    def seconds(self) -> float:
        return self.mb * 8 / self.mbit

    @property
    def kind(self) -> str:
        return f"{self.way}, {'named' if self.named is Named.BY_ORIG else 'unnamed'}"


def uploads() -> Iterator[Upload]:
    """All that are tried."""
    for way in WAYS:
        for named in (Named.BY_ORIG, Named.NOBODY):
            for mb in SIZES_MB:
                for mbit in RATES_MBIT:
                    upload = Upload(way, named, mb, mbit)
                    if upload.seconds <= _LONGEST_S:
                        yield upload


def rows_of(upload: Upload, sender: Value, at: int) -> Iterator[tuple[int, Row]]:
    """Its flow, in parts as an agent makes them; what comes back is acknowledged only."""
    speech, port = WAYS[upload.way]
    end = at + int(upload.seconds * _SECOND)
    cuts = [*range(at + _PART, end, _PART), end]
    if cuts[0] > at + _SECOND:
        cuts.insert(0, at + _SECOND)
    sent = 0
    for part, until in enumerate(cuts):
        last = until == end
        total = int(upload.mb * 1e6 * (until - at) / (end - at))
        values = {
            "time": until, "start": at, "flow_id": 1 << 50, "part": part,
            "state": FlowState.END if last else FlowState.UPDATE if part else FlowState.OPEN,
            "orig_h": sender, "resp_h": _DEST, "orig_p": 50_000, "resp_p": port, "proto": 6,
            "conn_state": ConnState.SF if last else ConnState.S1,
            "orig_pkts": 1 + (total - sent) // 1400, "resp_pkts": 1 + (total - sent) // 2800,
            "orig_bytes": total - sent, "resp_bytes": 2000 if not part else 100, "local_orig": 1,
            "hints": 0 if part else SPEECH.put(speech) | NAMED.put(upload.named),
        }  # fmt: skip
        yield _FLOWS, tuple(values.get(column.name, 0) for column in FLOWS.columns)
        sent = total


def busiest(rows: Iterable[tuple[int, Row]]) -> Value:
    """The machine inside that calls most addresses outside: somebody's PC."""
    called: dict[Value, set[Value]] = defaultdict(set)
    for number, row in rows:
        if number == _FLOWS and row[_AT["local_orig"]] and not row[_AT["local_resp"]]:
            called[row[_AT["orig_h"]]].add(row[_AT["resp_h"]])
    return max(called, key=lambda machine: len(called[machine]))


def lives(seed: int) -> Iterator[tuple[str, int, Value, Scoring]]:
    """One office: (moment, µs, a PC's address, what the detectors know by then)."""
    detectors = [d for d in shipped_detectors() if d.kind == "exfil"]
    scoring = Scoring(detectors)
    sender = busiest(office_rows(seed, _HOSTS, WORKING_MORNING, 2 * _HOUR))
    rows = office_rows(seed, _HOSTS, WORKING_MORNING, max(MOMENTS.values()) + _HOUR)
    held: tuple[int, Row] | None = None

    def until(moment: int) -> Iterator[tuple[int, Row]]:
        nonlocal held
        while (held := held or next(rows, None)) is not None and int(held[1][0]) < moment:
            given, held = held, None
            if given[0] == _FLOWS:
                yield given

    for name, after in MOMENTS.items():
        report(f"office {seed}: {name}")
        for _ in scoring.score(until(WORKING_MORNING + after)):
            pass  # learned
        yield name, WORKING_MORNING + after, sender, scoring


def lines(scoring: Scoring) -> list[float]:
    """From which score each detector interrupts a site that has no history of its own."""
    known, found = Calibrations(), []
    for detector in scoring.host.detectors:
        policy = DetectorPolicy(known.table(detector), known.share(detector))
        policy.make_room(1, 1)
        found.append(float(policy.threshold[0]))
    return found


def seen(scoring: Scoring, upload: Upload, sender: Value, at: int) -> bool:
    """Does any detector reach its line?"""
    alone, reached = copy.deepcopy(scoring), lines(scoring)
    return any(
        bool((scored.scores[~np.isnan(scored.scores)] >= reached[scored.detector]).any())
        for opinions in alone.score(rows_of(upload, sender, at))
        for scored in opinions
    )


def measure(offices: int) -> list[dict[str, object]]:
    """Recall by moment, kind and size, over rates and offices."""
    tried: Counter[tuple[str, str, float]] = Counter()
    found: Counter[tuple[str, str, float]] = Counter()
    for seed in range(101, 101 + offices):
        for moment, at, sender, scoring in lives(seed):
            for upload in uploads():
                cell = moment, upload.kind, upload.mb
                tried[cell] += 1
                found[cell] += seen(scoring, upload, sender, at)
    return [
        {"moment": moment, "kind": kind, "mb": mb, "tried": many, "recall": round(found[moment, kind, mb] / many, 2)}
        for (moment, kind, mb), many in tried.items()
    ]  # fmt: skip


def table(cells: Sequence[dict[str, object]]) -> str:
    """One line a moment and kind, one column a size."""
    recall = {(c["moment"], c["kind"], c["mb"]): c["recall"] for c in cells}
    told = [f"{'recall by MB':<44}" + "".join(f"{mb:>6g}" for mb in SIZES_MB)]
    for moment, kind in dict.fromkeys((c["moment"], c["kind"]) for c in cells):
        values = (recall.get((moment, kind, mb)) for mb in SIZES_MB)
        told.append(f"{moment:<20}{kind:<24}" + "".join("     –" if v is None else f"{v:>6}" for v in values))  # fmt: skip
    return "\n".join(told)


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offices", type=int, default=2, help="generated offices (2)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(arguments)
    cells = measure(args.offices)
    print(json.dumps({"offices": args.offices, "cells": cells}) if args.json else table(cells))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Which beacons are seen, by how much they vary, how often they call, and for how long one watches.

Each case is a made-up office PC with a beacon of a day among its ordinary traffic; period (10 s to 1 h),
sizes and beginning are drawn. A case is caught when a score of `beacon` or `beacon_names` for one of its
calls reaches the line of that detector's shipped table; ``hours`` is how long after its beginning. Prints a table by kind of
beacon and jitter, and one by period over all jitters; with --json, every case.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Final

import numpy as np

from dijkwacht_collector.policy.calibration import load_calibration
from dijkwacht_detectors.beacon import Beacon
from dijkwacht_detectors.beacon_names import BeaconNames
from dijkwacht_lab.scoring import Scoring
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.hints import NAMED, Named
from dijkwacht_records.tables import DEFAULTS, FLOWS, TABLES, TLS, ConnState, FlowState, Row

JITTERS: Final = (0.0, 0.1, 0.25, 0.5)
WATCHED_H: Final = (1, 4, 8, 24)
PERIODS_S: Final = ((10, 60), (60, 300), (300, 900), (900, 3600))
_SECOND_US, _HOUR_US = 1_000_000, 3_600_000_000
_FLOW, _TLS = TABLES.index(FLOWS), TABLES.index(TLS)
_OFFICES: Final = 4
Numbered = tuple[int, Row]


@dataclass(frozen=True, slots=True)
class Kind:
    """``days`` are those that the site has watched the PC; ``own`` is a program with a fingerprint
    of its own, ``shared`` a server that the PC calls itself."""

    name: str
    port: int
    named: Named
    days: int = 0
    own: bool = True
    shared: bool = False


KINDS: Final = (
    Kind("odd port, no name", 4444, Named.NOBODY),
    Kind("odd port, DNS not seen", 4444, Named.UNKNOWN),
    Kind("odd port, named", 4444, Named.BY_ORIG),
    Kind("443, no name", 443, Named.NOBODY),
    Kind("443, named", 443, Named.BY_ORIG),
    Kind("443, named, PC known 4 days", 443, Named.BY_ORIG, days=4),
    Kind("443, named, known, system's TLS", 443, Named.BY_ORIG, days=4, own=False),
    Kind("443, a server the PC uses", 443, Named.BY_ORIG, days=4, own=False, shared=True),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One beacon, and after how many hours it was caught; never is infinity."""

    kind: str
    jitter: float
    period_s: float
    hours: float


@cache
def pc_rows(seed: int, days: int) -> tuple[Numbered, ...]:
    """Flows and hellos of one office PC, whose DNS is seen: what it calls outside has a name."""
    rows = office_rows(seed, 1, WORKING_MORNING, days * 24 * _HOUR_US)
    return tuple((n, _with_name(n, row)) for n, row in rows if n in (_FLOW, _TLS))


def _with_name(number: int, row: Row) -> Row:
    if number != _FLOW or row[FLOWS.index("local_resp")] or row[FLOWS.index("part")]:
        return row
    hints = FLOWS.index("hints")
    return (*row[:hints], NAMED.put(Named.BY_ORIG), *row[hints + 1 :])


def _busiest(rows: Sequence[Numbered]) -> tuple[bytes, str]:
    """The server that most hellos of ``rows`` go to, by address and name."""
    said: dict[tuple[bytes, str], int] = {}
    for number, row in rows:
        if number == _TLS:
            server = row[TLS.index("resp_h")], row[TLS.index("server_name")]
            said[server] = said.get(server, 0) + 1  # type: ignore[index,arg-type]
    return max(said, key=lambda server: said[server])


def _row(number: int, **values: int | bytes | str) -> Numbered:
    columns = TABLES[number].columns
    known = zip(columns, DEFAULTS[number], strict=True)
    return number, tuple(values.get(c.name, default) for c, default in known)


def beacon_rows(
    kind: Kind, ends: tuple[bytes, bytes, str], begin: int, gap: Callable[[], float], size: int
) -> Iterator[Numbered]:
    """A day of calls, each a flow that is over at once, with a hello before it at 443."""
    orig, resp, name = ends
    rng = random.Random(size)
    at, number = begin, 1 << 50
    while at < begin + 24 * _HOUR_US:
        number += 1
        if kind.port == 443:
            named = name if kind.named == Named.BY_ORIG else ""
            yield _row(
                _TLS, time=at + 20_000, flow_id=number, orig_h=orig, resp_h=resp, resp_p=443,
                version=0x0303, server_name=named, ja4="t12d190800_own" if kind.own else "",
            )  # fmt: skip
        yield _row(
            _FLOW, time=at + 200_000, start=at, flow_id=number, state=FlowState.END, orig_h=orig,
            resp_h=resp, orig_p=40_000, resp_p=kind.port, proto=6, conn_state=ConnState.SF,
            orig_pkts=6, resp_pkts=5, orig_bytes=size + rng.randrange(1 + size // 20),
            resp_bytes=180 + rng.randrange(60), local_orig=1, hints=NAMED.put(kind.named),
        )  # fmt: skip
        at += int(gap() * _SECOND_US)


def play(kind: Kind, jitter: float, seed: int) -> Case:
    """One case, drawn from ``seed``."""
    rng = random.Random(f"{kind.name} {jitter} {seed}")
    low, high = PERIODS_S[0][0], PERIODS_S[-1][1]
    period = math.exp(rng.uniform(math.log(low), math.log(high)))
    own = pc_rows(seed % _OFFICES, kind.days + 2)
    begin = WORKING_MORNING + kind.days * 24 * _HOUR_US + rng.randrange(6 * _HOUR_US)
    end = begin + 24 * _HOUR_US
    orig = next(row[FLOWS.index("orig_h")] for n, row in own if n == _FLOW)
    server = _busiest(own) if kind.shared else (pack_address("203.0.113.77"), "cdn.quiet.example")
    made = beacon_rows(
        kind, (orig, *server), begin,  # type: ignore[arg-type]
        lambda: period * rng.uniform(1 - jitter, 1 + jitter), rng.randrange(150, 900),
    )  # fmt: skip
    before = (pair for pair in own if int(pair[1][0]) < end)
    rows = heapq.merge(before, made, key=lambda pair: int(pair[1][0]))
    caught = _first_caught(rows, server[0], begin)
    return Case(kind.name, jitter, round(period, 1), (caught - begin) / _HOUR_US)


def _first_caught(rows: Iterator[Numbered], server: bytes, begin: int) -> float:
    """When a call to ``server`` first reached its detector's line, µs; infinity if none did."""
    scoring = Scoring([Beacon(), BeaconNames()])
    wanted = np.frombuffer(server, ">u8").astype(np.uint64)
    for step in scoring.score(rows):
        times = [
            int(one.time[i])
            for one in step
            for i in np.flatnonzero(
                (one.scores >= _line(scoring.host.detectors[one.detector].name))
                & (one.named["resp_h"] == wanted).all(axis=1)
                & (one.time >= begin)
            )
        ]
        if times:
            return min(times)
    return math.inf


@cache
def _line(detector: str) -> float:
    """The score from which on a site is interrupted, before it has a history of its own."""
    share = {type(d).name: d.share for d in (Beacon(), BeaconNames())}[detector]
    table = load_calibration(detector)
    return next(
        (s for s, r in zip(table.scores, table.per_week, strict=True) if r <= share), math.inf
    )


def recall(cases: Sequence[Case], hours: float) -> float:
    """Share of ``cases`` that were caught within ``hours``."""
    return sum(case.hours <= hours for case in cases) / max(len(cases), 1)


def tables(cases: Sequence[Case]) -> str:
    """Recall in per cent as two tables, in Markdown."""
    heads = [f"{jitter:.0%} in 24 h" for jitter in JITTERS]
    heads += [f"50% in {hours} h" for hours in WATCHED_H[:-1]]
    lines = [f"| beacon | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for kind in KINDS:
        own = [case for case in cases if case.kind == kind.name]
        of = [recall([c for c in own if c.jitter == jitter], 24) for jitter in JITTERS]
        half = [c for c in own if c.jitter == JITTERS[-1]]
        of += [recall(half, hours) for hours in WATCHED_H[:-1]]
        lines.append(f"| {kind.name} | {' | '.join(f'{100 * share:.0f}' for share in of)} |")
    heads = [f"{low}-{high} s" for low, high in PERIODS_S]
    lines += ["", f"| any jitter, in 24 h | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for kind in KINDS:
        spans = [
            [c for c in cases if c.kind == kind.name and low <= c.period_s < high]
            for low, high in PERIODS_S
        ]
        told = [f"{100 * recall(span, 24):.0f}" if span else "-" for span in spans]
        lines.append(f"| {kind.name} | {' | '.join(told)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=12, help="cases of each kind and jitter")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    played = [play(k, j, seed) for k in KINDS for j in JITTERS for seed in range(given.seeds)]
    if given.json:
        print(json.dumps([asdict(c) | {"hours": min(c.hours, 1e9)} for c in played], indent=1))
    else:
        print(tables(played))

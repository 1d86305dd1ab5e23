"""How slow may a search of the network be, and still be told?

``python benchmarks/scans_by_rate.py`` lets machines probe at rates from thirty a minute to one an hour, on a timer,
with half the gap's jitter, and by chance: the addresses of their own network, of other networks inside, the ports of
one machine, and addresses outside, with a system's SYNs and with a tool's. A case is found when one of the detectors
reaches the line of its table for the machine that probes. Prints, by rate and place, how many of how many were found
and the median time it took.

In the own network whoever is not there is asked for by ARP and never called; all else are calls, of which a case draws
whether they are refused or not answered. An office of twenty machines goes on around them; it was watched for a day
when they begin.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import product
from typing import Any, Final

import numpy as np

from dijkwacht_collector.policy import load_calibration
from dijkwacht_detectors.api import RowDetector
from dijkwacht_detectors.arp_sweep import ArpSweep
from dijkwacht_detectors.dark_addresses import DarkAddresses
from dijkwacht_detectors.dark_neighbours import DarkNeighbours
from dijkwacht_detectors.scan import Scan
from dijkwacht_lab.scoring import Scoring
from dijkwacht_lab.traffic import WORKING_MORNING, new_ledger, rows_of
from dijkwacht_lab.traffic.devices import furnish
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.hints import NAMED, OPTIONS, WINDOW, Named, SynOptions, SynWindow
from dijkwacht_records.tables import DEFAULTS, TABLE, TABLES, ConnState, FlowState, Row

SECOND: Final = 1_000_000
HOUR: Final = 3_600 * SECOND
DAY: Final = 24 * HOUR
HOSTS: Final = 20
MOST_PROBES: Final = 250
RATES: Final = {"30/min": 2.0, "5/min": 12.0, "1/min": 60.0, "1/5 min": 300.0, "1/h": 3600.0}
PACES: Final = ("timer", "half", "chance")
PLACES: Final = (
    "own network",
    "other networks inside",
    "ports of one machine",
    "outside",
    "outside, a tool's SYNs",
)
_SYSTEM: Final = OPTIONS.put(SynOptions.TWENTY) | WINDOW.put(SynWindow.LARGE)
_TOOL: Final = OPTIONS.put(SynOptions.FOUR) | WINDOW.put(SynWindow.SCANNER)
_PORTS: Final = (22, 23, 80, 443, 445, 1433, 3306, 3389, 5900, 8080)
_FLOWS, _ARP = (TABLES.index(TABLE[name]) for name in ("flows", "arp"))
Rows = Iterator[tuple[int, Row]]


def row(table: int, **values: Any) -> tuple[int, Row]:
    """A row with these values and, for the rest, defaults."""
    columns = zip(TABLES[table].columns, DEFAULTS[table], strict=True)
    return table, tuple(values.get(column.name, default) for column, default in columns)


def address(*parts: int) -> bytes:
    """An IPv4 address."""
    return V4_PREFIX + bytes(parts)


@dataclass(frozen=True)
class Case:
    """One machine that probes; ``inside`` are the addresses of its office that are in use, by prefix."""

    rate: str
    pace: str
    place: str
    source: bytes
    prefix: bytes
    inside: frozenset[bytes]

    def rows(self, begin: int, until: int, seed: int) -> Rows:
        """What is seen of it from ``begin`` on, µs."""
        rng = random.Random(f"{seed} {self.rate} {self.pace} {self.place}")
        probe = {
            "own network": self._neighbours,
            "other networks inside": self._networks,
            "ports of one machine": self._ports,
        }.get(self.place, self._outside)(rng)
        at = float(begin)
        for rows_of_probe in probe:
            at += SECOND * _gap(rng, RATES[self.rate], self.pace)
            if at >= until:
                return
            yield from rows_of_probe(round(at))

    def _neighbours(self, rng: random.Random) -> Iterator[Any]:
        numbers = rng.sample(range(1, 255), MOST_PROBES)
        for number in numbers:
            target = self.prefix + bytes((number,))
            yield lambda at, target=target: self._ask(at, target)

    def _networks(self, rng: random.Random) -> Iterator[Any]:
        nets = [(10, rng.randrange(100, 250), n) for n in range(4)]
        alive = {address(*net, n) for net in nets for n in rng.sample(range(1, 255), HOSTS)}
        port = rng.choice(_PORTS)
        for _ in range(MOST_PROBES):
            target = address(*rng.choice(nets), rng.randrange(1, 255))
            state = ConnState.REJ if target in alive else ConnState.S0
            yield lambda at, target=target, state=state: [self._call(at, target, port, state, 1)]

    def _ports(self, rng: random.Random) -> Iterator[Any]:
        target = rng.choice(sorted(self.inside))
        state = rng.choice((ConnState.REJ, ConnState.S0))
        for port in rng.sample(range(1, 1024), MOST_PROBES):
            is_open = rng.random() < 0.02
            its = ConnState.SF if is_open else state
            yield lambda at, port=port, its=its: [self._call(at, target, port, its, 1)]

    def _outside(self, rng: random.Random) -> Iterator[Any]:
        port = rng.choice(_PORTS)
        hints = NAMED.put(Named.NOBODY) | (_TOOL if "tool" in self.place else _SYSTEM)
        for _ in range(MOST_PROBES):
            target = address(198, 18, rng.randrange(256), rng.randrange(1, 255))
            state = ConnState.S0 if rng.random() < 0.95 else ConnState.REJ
            yield lambda at, target=target, state=state: [
                self._call(at, target, port, state, 0, hints)
            ]

    def _ask(self, at: int, target: bytes) -> list[tuple[int, Row]]:
        mac = int.from_bytes(self.source[12:], "big")
        asks = row(
            _ARP, time=at, op=1, eth_src=mac, sender_mac=mac, sender_h=self.source, target_h=target
        )
        if target not in self.inside:
            return [asks]
        return [asks, self._call(at + 900, target, 445, ConnState.REJ, 1)]

    def _call(
        self,
        at: int,
        target: bytes,
        port: int,
        state: ConnState,
        local: int,
        hints: int = _SYSTEM,
    ) -> tuple[int, Row]:
        answered = int(state != ConnState.S0)
        moved = 400 if state == ConnState.SF else 0
        return row(
            _FLOWS, time=at, start=at, flow_id=at, state=int(FlowState.END), orig_h=self.source, resp_h=target,
            orig_p=40_000, resp_p=port, proto=6, conn_state=int(state), orig_flags=2, orig_pkts=1, resp_pkts=answered,
            orig_bytes=moved, resp_bytes=moved, local_orig=1, local_resp=local, hints=hints,
        )  # fmt: skip


def _gap(rng: random.Random, every: float, pace: str) -> float:
    if pace == "timer":
        return every * (1.0 + 0.01 * rng.random())
    return every * rng.uniform(0.5, 1.5) if pace == "half" else rng.expovariate(1.0 / every)


def line_of(detector: RowDetector) -> float:
    """The score at which the table in force gives the detector's share of a site's budget."""
    table = load_calibration(detector.name)
    pairs = zip(table.scores, table.per_week, strict=True)
    return next((score for score, rate in pairs if rate <= detector.share), math.inf)


def found_after(seed: int, days: int, watched_us: int) -> list[tuple[Case, float, str]]:
    """Each case of one office with the seconds until it was found, infinite if it was not, and by whom."""
    ledger = new_ledger(seed, WORKING_MORNING)
    habits = furnish(ledger, HOSTS, 0.3, 60 * SECOND)
    inside, prefix = frozenset(ledger.devices), ledger.prefix
    # they stand in no network that is probed, so that none of them makes another's target look alive
    cases = [
        Case(*kind, address(172, 30, n // 250, n % 250 + 1), prefix, inside)
        for n, kind in enumerate(product(RATES, PACES, PLACES))
    ]
    begin = WORKING_MORNING + watched_us
    until = begin + days * DAY
    streams = [rows_of(ledger, habits, until), *(case.rows(begin, until, seed) for case in cases)]
    detectors: list[RowDetector] = [Scan(), ArpSweep(), DarkAddresses(), DarkNeighbours()]
    lines = {detector.name: line_of(detector) for detector in detectors}
    scoring = Scoring(detectors)
    found: dict[bytes, tuple[float, str]] = {}
    rows: Iterable[tuple[int, Row]] = merge(*streams, key=lambda pair: pair[1][0])
    for opinions in scoring.score(rows):
        for scored in opinions:
            detector = scoring.host.detectors[scored.detector]
            for i in np.flatnonzero(scored.scores >= lines[detector.name]):
                high, low = scored.named[detector.who.src][i]
                source = int(high).to_bytes(8, "big") + int(low).to_bytes(8, "big")
                found.setdefault(source, ((int(scored.time[i]) - begin) / SECOND, detector.name))
    return [(case, *found.get(case.source, (math.inf, ""))) for case in cases]


def measure(seeds: Sequence[int], days: int, watched_us: int) -> dict[str, Any]:
    """By rate and place: cases, how many were found, the median seconds, and which detectors were first."""
    told = [one for seed in seeds for one in found_after(seed, days, watched_us)]
    figures: dict[str, Any] = {}
    for rate, place in product(RATES, PLACES):
        its = [(after, by) for case, after, by in told if (case.rate, case.place) == (rate, place)]
        times = [after for after, _ in its if not math.isinf(after)]
        figures.setdefault(rate, {})[place] = {
            "cases": len(its),
            "found": len(times),
            "median_s": round(statistics.median(times), 1) if times else None,
            "by": sorted({by for _, by in its if by}),
        }
    return figures


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def tell(figures: dict[str, Any]) -> str:
    """The figures as a table."""
    lines = ["| probes | " + " | ".join(PLACES) + " |", "|---|" + "---:|" * len(PLACES)]
    for rate, by_place in figures.items():
        cells = []
        for place in PLACES:
            it = by_place[place]
            median = "" if it["median_s"] is None else f", {_time(it['median_s'])}"
            cells.append(f"{it['found']} of {it['cases']}{median}")
        lines.append(f"| {rate} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Print the figures as a table or as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5, help="offices, each with all cases")
    parser.add_argument("--days", type=int, default=3, help="how long they probe")
    parser.add_argument("--watched", type=float, default=24, help="hours before they begin")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    seeds = range(9_101, 9_101 + options.seeds)
    figures = measure(seeds, options.days, round(options.watched * HOUR))
    sys.stdout.write((json.dumps(figures) if options.json else tell(figures)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

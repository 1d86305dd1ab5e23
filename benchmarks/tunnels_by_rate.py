"""How slow a DNS tunnel may be and still be found, and whom else that interrupts.

    python benchmarks/tunnels_by_rate.py [--offices 1] [--days 3] [--json]

Made-up tunnels, each of a machine and a domain of its own, are laid into days of a generated office and scored by
`dns_tunnel`, `slow_tunnel` and `private_resolver` with the tables in force: by names an hour, what is asked for
(addresses, texts), and where it is asked: at the office's resolver, or at a server of the tunnel's own. A name holds 24, 40
or 56 characters of data, a few more or less. A tunnel is found when a score reaches its detector's line. Beside them
stand innocents: guards that ask about hashes, one machine's reports under new names, and content networks.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np

from dijkwacht_collector.policy import load_calibration
from dijkwacht_detectors.api import RowDetector
from dijkwacht_detectors.dns_tunnel import DnsTunnel
from dijkwacht_detectors.private_resolver import PrivateResolver
from dijkwacht_detectors.slow_tunnel import SlowTunnel
from dijkwacht_lab.scoring import Scoring
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import DEFAULTS, DNS, TABLES, Row

SECOND: Final = 1_000_000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR
HOSTS: Final = 8
FIRST_OFFICE: Final = 9_301
RATES: Final = {
    "1000/h": 1000,
    "300/h": 300,
    "100/h": 100,
    "30/h": 30,
    "10/h": 10,
    "5/h": 5,
    "2/h": 2,
}
LENGTHS: Final = (24, 40, 56)
MOST_NAMES: Final = 2_000
QTYPES: Final = {"addresses": 1, "texts": 16}
_DNS: Final = TABLES.index(DNS)
_RESOLVER: Final = pack_address("10.77.0.1")
Rows = Iterator[tuple[int, Row]]


class Case(NamedTuple):
    """One who asks; ``rate`` and ``kind`` are where it stands in the tables printed."""

    rate: str
    kind: str
    source: bytes
    rows: Callable[[], Rows]


def row(**values: Any) -> tuple[int, Row]:
    """A question with its answer, and for the rest defaults."""
    columns = zip(DNS.columns, DEFAULTS[_DNS], strict=True)
    given = {"resp_p": 53, "question": 1, "rcode": 0, "answers": 1, "answer_bytes": 120} | values
    return _DNS, tuple(given.get(column.name, default) for column, default in columns)


def questions(
    source: bytes,
    server: bytes,
    an_hour: float,
    days: float,
    name: Callable[[random.Random, int], str],
    qtype: int = 1,
) -> Rows:
    """Names by chance in time, so many an hour on average."""
    draw = random.Random(source)
    at = 0.0
    for n in range(MOST_NAMES if an_hour > 50 else 10**9):
        at += draw.expovariate(an_hour / 3600)
        if at * SECOND >= days * DAY - 2 * HOUR:
            return
        yield row(
            time=WORKING_MORNING + HOUR + round(at * SECOND), orig_h=source, resp_h=server, query=name(draw, n), qtype=qtype,
        )  # fmt: skip


def _digits(draw: random.Random, length: int) -> str:
    return f"{draw.getrandbits(4 * length):0{length}x}"


def tunnels(days: float) -> Iterator[Case]:
    """All that carry data."""
    cases = product(RATES.items(), QTYPES.items(), (False, True), LENGTHS)
    for number, ((rate, an_hour), (what, qtype), own, length) in enumerate(cases):
        source = pack_address(
            f"10.77.1.{number + 1}" if number < 250 else f"10.77.2.{number - 249}"
        )
        server = pack_address(f"203.0.113.{number % 250 + 1}") if own else _RESOLVER

        def name(draw: random.Random, _: int, length: int = length, number: int = number) -> str:
            return (
                f"{_digits(draw, length + draw.randrange(-6, 7))}.t{number}.tunnel{number}.example"
            )

        def rows(
            source: bytes = source,
            server: bytes = server,
            an_hour: int = an_hour,
            name: Any = name,
            qtype: int = qtype,
        ) -> Rows:
            return questions(source, server, an_hour, days, name, qtype)

        yield Case(
            rate, f"{what}, {'a server of its own' if own else 'the resolver'}", source, rows
        )


def innocents(days: float) -> Iterator[Case]:
    """Programs whose names are new too."""
    shapes: dict[str, tuple[float, Callable[[random.Random, int], str]]] = {
        "hashes, 40 an hour": (40, lambda draw, _: f"{_digits(draw, 40)}.files.guard.example"),
        "hashes, 400 an hour": (400, lambda draw, _: f"{_digits(draw, 32)}.av.guard2.example"),
        "reports, 2 an hour": (
            2,
            lambda draw, n: f"{_digits(draw, 30 + n % 4)}.rum.reports.example",
        ),
        "content, 60 an hour": (
            60,
            lambda draw, _: (
                f"{_digits(random.Random(draw.randrange(90)), 16)}.edge.content.example"
            ),
        ),
        "machines, 20 an hour": (
            20,
            lambda draw, _: f"ip-10-{draw.randrange(256)}-{draw.randrange(256)}.eu.cloud.example",
        ),
        "pages, 60 an hour": (60, lambda draw, _: f"www.shop{draw.randrange(4000)}.market.example"),
    }
    for number, (kind, (an_hour, name)) in enumerate(shapes.items()):
        source = pack_address(f"10.77.3.{number + 1}")

        def rows(source: bytes = source, an_hour: float = an_hour, name: Any = name) -> Rows:
            return questions(source, _RESOLVER, an_hour, days, name)

        yield Case("innocents", kind, source, rows)


def line_of(detector: RowDetector) -> float:
    """The score at which the table in force gives the detector's share of a site's budget."""
    table = load_calibration(detector.name)
    pairs = zip(table.scores, table.per_week, strict=True)
    return next((score for score, rate in pairs if rate <= detector.share), math.inf)


Found = dict[tuple[bytes, str], tuple[float, float]]
"""By source and detector: hours from the first question to the line, and bits above it; both may be infinite."""


def found_after(cases: Sequence[Case], seed: int, days: float) -> Found:
    """What each detector says of each case, one at a time in an office's days, as tunnels of one site would help each other."""
    detectors: list[RowDetector] = [DnsTunnel(), SlowTunnel(), PrivateResolver()]
    lines = {detector.name: line_of(detector) for detector in detectors}
    office = [
        pair
        for pair in office_rows(seed, HOSTS, WORKING_MORNING, int(days * DAY), 0.3)
        if pair[0] == _DNS
    ]
    found: Found = {}
    for case in cases:
        scoring = Scoring(detectors)
        begun = 0
        for opinions in scoring.score(merge(office, case.rows(), key=lambda pair: pair[1][0])):
            for scored in opinions:
                name = scoring.host.detectors[scored.detector].name
                for i in np.flatnonzero(~np.isnan(scored.scores)):
                    high, low = scored.named["orig_h"][i]
                    if int(high).to_bytes(8, "big") + int(low).to_bytes(8, "big") != case.source:
                        continue
                    begun = begun or WORKING_MORNING + HOUR
                    over = float(scored.scores[i]) - lines[name]
                    after, most = found.get((case.source, name), (math.inf, -math.inf))
                    if over >= 0.0:
                        after = min(after, (int(scored.time[i]) - begun) / HOUR)
                    found[case.source, name] = after, max(most, over)
    return found


def measure(offices: int, days: float) -> dict[str, Any]:
    """All figures: found by rate, kind and detector, with the median hours; and the innocents."""
    names = ("dns_tunnel", "slow_tunnel", "private_resolver")
    never = (math.inf, -math.inf)
    guilty, quiet = list(tunnels(days)), list(innocents(days))
    kinds = list(dict.fromkeys(case.kind for case in guilty))
    cells: dict[str, dict[str, list[tuple[float, str]]]] = {
        rate: {kind: [] for kind in kinds} for rate in RATES
    }
    nearest: dict[str, float] = {case.kind: -math.inf for case in quiet}
    for seed in range(FIRST_OFFICE, FIRST_OFFICE + offices):
        found = found_after([*guilty, *quiet], seed, days)
        for case in guilty:
            soonest = min((found.get((case.source, name), never)[0], name) for name in names)
            cells[case.rate][case.kind].append(soonest)
        for case in quiet:
            over = max(found.get((case.source, name), never)[1] for name in names)
            nearest[case.kind] = max(nearest[case.kind], over)
    return {
        "offices": offices,
        "days": days,
        "rates": {
            rate: {kind: _summary(each) for kind, each in by_kind.items()}
            for rate, by_kind in cells.items()
        },
        "innocents": {
            kind: None if math.isinf(over) else round(over, 2) for kind, over in nearest.items()
        },
    }


def _summary(soonest: Iterable[tuple[float, str]]) -> dict[str, Any]:
    told = list(soonest)
    hours = [after for after, _ in told if not math.isinf(after)]
    by = sorted({name for after, name in told if not math.isinf(after)})
    median = round(statistics.median(hours), 2) if hours else None
    return {"cases": len(told), "found": len(hours), "median_h": median, "first_by": by}


def tell(figures: dict[str, Any]) -> str:
    """The figures as a table."""
    kinds = list(next(iter(figures["rates"].values())))
    lines = ["| names | " + " | ".join(kinds) + " |", "|---|" + "---:|" * len(kinds)]
    for rate, by_kind in figures["rates"].items():
        cells = [
            f"{it['found']} of {it['cases']}"
            + ("" if it["median_h"] is None else f", {it['median_h']:.3g} h")
            for it in by_kind.values()
        ]
        lines.append(f"| {rate} | " + " | ".join(cells) + " |")
    for kind, over in figures["innocents"].items():
        lines.append(
            f"{kind}: " + ("no score" if over is None else f"{over:+.2f} bits from the line")
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Print the figures as a table or as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--offices", type=int, default=1, help="generated offices (1)")
    parser.add_argument("--days", type=float, default=3, help="how long each is watched (3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    figures = measure(options.offices, options.days)
    sys.stdout.write((json.dumps(figures) if options.json else tell(figures)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

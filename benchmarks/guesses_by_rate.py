"""How slow a guesser may be and still be found, and whom else that interrupts.

Guesses of made-up log-ins are laid into a day of a generated office, each guesser with an address and a target of its
own, and scored by `guessing` and `bruteforce` with the tables in force; so are, for a week, programs with an
old password and programs that poll. A guesser is found when a score reaches its detector's line. Guessers
give up after 600 tries or a day. Paces: on a timer, within half of it either way, and by chance alone. What has no
log-in to read, an unknown service, is judged by its shape: one connection at a time, a list of words, four at once.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import product
from typing import Any, Final

import numpy as np

from dijkwacht_collector.policy import load_calibration
from dijkwacht_detectors.api import RowDetector
from dijkwacht_detectors.bruteforce import Bruteforce
from dijkwacht_detectors.guessing import Guessing
from dijkwacht_lab.scoring import Scoring
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.hints import SPEECH, Speech
from dijkwacht_records.tables import DEFAULTS, TABLE, TABLES, ConnState, FlowState, Row
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus

SECOND: Final = 1_000_000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR
HOSTS: Final = 8
MOST_TRIES: Final = 600
MOST_CALLS: Final = 20_000
"""Of one innocent: a week at 30 s, an hour and more at 0.2 s."""
ACCOUNTS: Final = 60
RATES: Final = {"30/min": 2.0, "10/min": 6.0, "1/min": 60.0, "1/5 min": 300.0, "1/h": 3600.0}
PACES: Final = ("timer", "half", "chance")
PORTS: Final = {
    AuthService.SSH: 22,
    AuthService.SMB: 445,
    AuthService.KERBEROS: 88,
    AuthService.RDP: 3389,
    AuthService.IMAP: 143,
}
METHODS: Final = {
    AuthService.SMB: AuthMethod.NTLM,
    AuthService.KERBEROS: AuthMethod.KERBEROS_AS,
    AuthService.IMAP: AuthMethod.PASSWORD,
}
PLACES: Final = (
    *product((AuthService.SSH, AuthService.RDP), (False, True)),
    (AuthService.SMB, False),
    (AuthService.KERBEROS, False),
    (AuthService.IMAP, True),
)
"""Service, and whether it is guessed from outside."""
_NUMBERED: Final = {name: TABLES.index(TABLE[name]) for name in ("flows", "auth")}
Rows = Iterator[tuple[int, Row]]


@dataclass(frozen=True)
class Case:
    """One who tries or asks; ``group`` and ``kind`` are where it stands in the tables printed."""

    group: str
    kind: str
    source: bytes
    rows: Callable[[], Rows]


def row(table: str, **values: Any) -> tuple[int, Row]:
    """A row with these values and, for the rest, defaults."""
    number = _NUMBERED[table]
    columns = zip(TABLE[table].columns, DEFAULTS[number], strict=True)
    return number, tuple(values.get(column.name, default) for column, default in columns)


def moments(rng: random.Random, every: float, pace: str, most: int, until: int) -> Iterator[int]:
    """When something happens, µs from the beginning, ``every`` so many seconds on average."""
    at = rng.random() * every
    for _ in range(most):
        gap = {
            "timer": every * (1.0 + 0.01 * rng.random()),
            "half": every * rng.uniform(0.5, 1.5),
            "chance": rng.expovariate(1.0 / every),
        }[pace]
        at += gap
        if at * SECOND >= until:
            return
        yield round(at * SECOND)


class Ends:
    """Hands out sources and targets, none twice."""

    def __init__(self) -> None:
        self._given = 0

    def take(self, *, outside: bool) -> tuple[bytes, bytes]:
        """A source, public if it is ``outside``, and a target inside."""
        self._given += 1
        high, low = divmod(self._given, 250)
        net = "198.18" if outside else "10.77"
        return pack_address(f"{net}.{high}.{low + 1}"), pack_address(f"10.78.{high}.{low + 1}")


def connection(ends: tuple[bytes, bytes], at: int, lasts: float, **values: Any) -> tuple[int, Row]:
    """A whole TCP connection that ends ``at`` (µs)."""
    inside = int(ends[0][12] == 10)
    return row(
        "flows", time=at, start=at - round(lasts * SECOND), flow_id=at, proto=6, orig_h=ends[0], resp_h=ends[1],
        state=int(FlowState.END), conn_state=int(ConnState.SF), orig_pkts=9, resp_pkts=9, local_orig=inside,
        local_resp=1, **values,
    )  # fmt: skip


def log_ins(
    ends: tuple[bytes, bytes], service: AuthService, times: Iterable[int], accounts: int
) -> Rows:
    """Refusals, with the connections that carried them; ``accounts`` in turn."""
    lately: deque[int] = deque()
    for n, at in enumerate(times):
        time = WORKING_MORNING + HOUR + at
        lately.append(at)
        while at - lately[0] >= HOUR:
            lately.popleft()
        yield connection(
            ends, time, 0.6, resp_p=PORTS[service], orig_bytes=1500 + n % 9, resp_bytes=1700
        )
        yield row(
            "auth", time=time, flow_id=time, orig_h=ends[0], resp_h=ends[1], resp_p=PORTS[service],
            service=int(service), method=int(METHODS.get(service, AuthMethod.UNKNOWN)), failed=1,
            status=int(AuthStatus.WRONG_PASSWORD if service == AuthService.KERBEROS else AuthStatus.REFUSED),
            accounts=0 if service == AuthService.SSH else min(len(lately), accounts),
        )  # fmt: skip


def calls(
    ends: tuple[bytes, bytes], port: int, times: Iterable[int], shape: str, speech: Speech
) -> Rows:
    """Brief connections of nearly one size to a service that no log-in can be read of."""
    words = random.Random(port)
    for n, at in enumerate(times):
        asked = 80 + words.randrange(12) if shape == "words" else 80
        if shape == "at once" and n % 4 == 0:
            base = at
        together = base + n % 4 * 10_000 if shape == "at once" else at
        yield connection(
            ends, WORKING_MORNING + HOUR + together, 0.08, resp_p=port, orig_bytes=asked, resp_bytes=64,
            hints=SPEECH.put(speech),
        )  # fmt: skip


def guessers(seed: int) -> Iterator[Case]:
    """All that try passwords."""
    ends = Ends()
    for (rate, every), pace in product(RATES.items(), PACES):
        for service, outside in PLACES:
            for accounts in (1,) if service == AuthService.SSH else (1, ACCOUNTS):
                who = ends.take(outside=outside)
                where = "outside" if outside else "inside"
                many = "unseen" if service == AuthService.SSH else "many" if accounts > 1 else "one"
                kind = f"{service.name.lower()} {where}, {many}, {pace}"
                yield Case(
                    rate,
                    kind,
                    who[0],
                    _log_ins(who, service, (seed, rate, kind), every, pace, accounts),
                )
        for shape in ("one by one", "words", "at once"):
            who = ends.take(outside=False)
            kind = f"unknown service, {shape}, {pace}"
            yield Case(rate, kind, who[0], _calls(who, (seed, rate, kind), every, pace, shape))


def _log_ins(
    ends: tuple[bytes, bytes],
    service: AuthService,
    seed: object,
    every: float,
    pace: str,
    accounts: int,
    most: int = MOST_TRIES,
    until: int = 23 * HOUR,
) -> Callable[[], Rows]:
    rng = random.Random(repr(seed))
    return lambda: log_ins(ends, service, moments(rng, every, pace, most, until), accounts)


def _calls(
    ends: tuple[bytes, bytes], seed: object, every: float, pace: str, shape: str
) -> Callable[[], Rows]:
    rng = random.Random(repr(seed))
    times = moments(rng, every, pace, MOST_TRIES, 23 * HOUR)
    return lambda: calls(ends, 7000, times, shape, Speech.BYTES)


def innocents(seed: int, days: int) -> Iterator[Case]:
    """Programs with an old password, people who touch such a drive, and programs that poll."""
    ends, until = Ends(), days * DAY - 2 * HOUR
    for service, (every, pace) in product(
        PORTS, ((30.0, "timer"), (300.0, "timer"), (600.0, "chance"))
    ):
        who = ends.take(outside=False)
        kind = f"{service.name.lower()} every {every:g} s, {pace}"
        rows = _log_ins(who, service, (seed, kind), every, pace, 1, MOST_CALLS, until)
        yield Case("old password", kind, who[0], rows)
    services = ((8123, Speech.HTTP), (3000, Speech.NOTHING), (2404, Speech.BYTES))
    for every, pace, (port, speech) in product(
        (0.2, 1.0, 2.0, 5.0, 30.0, 60.0), ("timer", "half"), services
    ):
        who = ends.take(outside=False)
        kind = f"port {port} every {every:g} s, {pace}"
        rng = random.Random(f"{seed} {kind}")
        times = moments(rng, every, pace, MOST_CALLS, until)
        yield Case("poll", kind, who[0], _polls(who, port, times, speech))


def _polls(
    ends: tuple[bytes, bytes], port: int, times: Iterable[int], speech: Speech
) -> Callable[[], Rows]:
    return lambda: calls(ends, port, times, "one by one", speech)


def line_of(detector: RowDetector) -> float:
    """The score at which the table in force gives the detector's share of a site's budget."""
    table = load_calibration(detector.name)
    pairs = zip(table.scores, table.per_week, strict=True)
    return next((score for score, rate in pairs if rate <= detector.share), math.inf)


def found_after(cases: Sequence[Case], seed: int, span: int) -> dict[bytes, tuple[float, float]]:
    """By source: (seconds from the first try to the line, strongest score above it; both may be infinite)."""
    detectors = [Guessing(), Bruteforce()]
    lines = {detector.name: line_of(detector) for detector in detectors}
    scoring = Scoring(detectors)
    office = office_rows(seed, HOSTS, WORKING_MORNING, span)
    streams = [office, *(case.rows() for case in cases)]
    found: dict[bytes, tuple[float, float]] = {}
    begun = {case.source: 0 for case in cases}

    def watched(rows: Iterable[tuple[int, Row]]) -> Rows:
        for number, made in rows:
            if number == _NUMBERED["flows"]:
                source = made[5]
                if begun.get(source) == 0:
                    begun[source] = made[0]
            yield number, made

    for opinions in scoring.score(watched(merge(*streams, key=lambda pair: pair[1][0]))):
        for scored in opinions:
            line = lines[scoring.host.detectors[scored.detector].name]
            for i in np.flatnonzero(~np.isnan(scored.scores)):
                high, low = scored.named["orig_h"][i]
                source = int(high).to_bytes(8, "big") + int(low).to_bytes(8, "big")
                if source not in begun:
                    continue
                over = float(scored.scores[i]) - line
                after, most = found.get(source, (math.inf, -math.inf))
                if over >= 0.0:
                    after = min(after, (int(scored.time[i]) - begun[source]) / SECOND)
                found[source] = after, max(most, over)
    return found


def measure(seed: int, days: int) -> dict[str, Any]:
    """All figures: recall and median time by rate, the innocents, and each case."""
    guess, quiet = list(guessers(seed)), list(innocents(seed, days))
    found = found_after(guess, seed, DAY)
    minded = found_after(quiet, seed + 1, days * DAY)
    never = (math.inf, -math.inf)
    figures: dict[str, Any] = {"rates": {}, "innocents": {}, "cases": []}
    for rate in RATES:
        cases = [case for case in guess if case.group == rate]
        parts = {
            "log-ins": [c for c in cases if "unknown" not in c.kind],
            "many accounts": [c for c in cases if ", many," in c.kind],
            "one account": [c for c in cases if ", one," in c.kind],
            "ssh": [c for c in cases if ", unseen," in c.kind],
            "shape alone": [c for c in cases if "unknown" in c.kind],
        }
        figures["rates"][rate] = {
            name: summary([found.get(c.source, never)[0] for c in part])
            for name, part in parts.items()
        }
    for group in ("old password", "poll"):
        cases = [case for case in quiet if case.group == group]
        over = [c.kind for c in cases if minded.get(c.source, never)[1] >= 0.0]
        nearest = max(minded.get(c.source, never)[1] for c in cases)
        figures["innocents"][group] = {
            "cases": len(cases), "interrupt": over, "nearest_bits": round(nearest, 2),
        }  # fmt: skip
    for case in (*guess, *quiet):
        after, over = (found if case.group in RATES else minded).get(case.source, never)
        figures["cases"].append(
            {
                "group": case.group,
                "kind": case.kind,
                "after_s": None if math.isinf(after) else round(after, 1),
                "bits_above_line": None if math.isinf(over) else round(over, 2),
            }
        )
    return figures


def summary(after: Sequence[float]) -> dict[str, Any]:
    """Cases, how many were found, and the median seconds until then."""
    times = [time for time in after if not math.isinf(time)]
    median = round(statistics.median(times), 1) if times else None
    return {"cases": len(after), "found": len(times), "median_s": median}


def tell(figures: dict[str, Any]) -> str:
    """The figures as a table."""
    parts = list(next(iter(figures["rates"].values())))
    lines = ["| guesses | " + " | ".join(parts) + " |", "|---|" + "---:|" * len(parts)]
    for rate, by_part in figures["rates"].items():
        cells = []
        for part in parts:
            it = by_part[part]
            median = "" if it["median_s"] is None else f", {it['median_s'] / 60:.0f} min"
            cells.append(f"{it['found']} of {it['cases']}{median}")
        lines.append(f"| {rate} | " + " | ".join(cells) + " |")
    for group, it in figures["innocents"].items():
        lines.append(
            f"{group}: {len(it['interrupt'])} of {it['cases']} interrupt {it['interrupt']}; the nearest is "
            f"{it['nearest_bits']:+.2f} bits from the line"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Print the figures as a table or as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=int, default=7, help="how long the innocents are watched")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    figures = measure(options.seed, options.days)
    sys.stdout.write((json.dumps(figures) if options.json else tell(figures)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

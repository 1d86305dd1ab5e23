"""What two weak parts of attacks make together: are they told, and what does that cost a quiet office?

    python benchmarks/fusion_pairs.py --half A --pairs 100 ../shared/captures/LABELS.csv …

Of each attack capture as much is kept as nothing would alert on (`dijkwacht_lab.weak_parts`). Two of different
families befall one machine of a generated office of a seed and habits that no calibration saw, the first on its
second day in working hours, the second 1 to 20 hours later; with fusion and without. Told is an interruption
about that machine from the second part on. Private machines that it spoke to join the office with it, or with
``--familiar`` are such as it had, whom it may call every day. A pair is left out if it is told without fusion (its office makes one
of its parts stranger than it was), or before its second part. Other offices live for a week in which nothing
happens, with fusion and without. Half B is judged with ``--final`` only.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec

from dijkwacht.offline import OfflineCollector
from dijkwacht.progress import report
from dijkwacht_collector.engine import DetectorSet
from dijkwacht_collector.engine.engine import Watch
from dijkwacht_collector.incidents import Incident
from dijkwacht_collector.policy import FUSION, FUSION_SHARE, load_calibration
from dijkwacht_lab.calibrate import FIRST_JUDGED, TRAIN_AFTER, file_rows, line_of
from dijkwacht_lab.halves import Half, choose_half
from dijkwacht_lab.labels import ACCEPTED, Attackers, Labelled, attackers, read_lists
from dijkwacht_lab.paired import binomial_interval, sign_test
from dijkwacht_lab.scoreboard import poisson_interval
from dijkwacht_lab.traffic import WORKING_MORNING, new_ledger, office_rows
from dijkwacht_lab.traffic.cast import Cast
from dijkwacht_lab.traffic.devices import furnish
from dijkwacht_lab.traffic.habits import KEPT_OUT
from dijkwacht_lab.traffic.site import Device
from dijkwacht_lab.transplant import Office, cast_roles, merged, transplanted
from dijkwacht_lab.weak_parts import Listener, NumberedRow, Part, Sum, weak_part
from dijkwacht_records.addresses import format_address, pack_address

HOUR_US = 3_600_000_000
FIRST_SEED = FIRST_JUDGED + 3_000
"""Pairs take seeds from here on, quiet offices from `QUIET` further on."""
QUIET = 1_000
SIZES = (5, 8, 12, 6, 10, 7, 9, 11)
"""Machines of the offices, in turn."""
WORKING_US = 8 * HOUR_US
LATER_H = (1.0, 20.0)
"""Between the beginnings of the two parts."""
AFTER_US = HOUR_US
"""The office goes on so long after the second part, so that what waits for its end is said."""
BATCH_ROWS = 2_000
LINES = (4.0, 4.5, 4.85, 5.0, 5.5, 6.0)
STRANGERS = range(100, 200)
"""Numbers of machines that an office gets by an attack."""
WITHOUT = DetectorSet(without=frozenset({FUSION}))


class Pair(msgspec.Struct):
    """Two parts, in the order in which they come, and the ``hosts`` machines of the office with that seed."""

    seed: int
    hosts: int
    first: Part
    second: Part


class Told(msgspec.Struct):
    """What came of a pair.

    ``f`` is the most that fusion made of the machine from the second part on, of ``pieces``. Minutes are from the
    beginning of the second part; None if nobody was told. ``early``: told before that, by fusion; ``alone``:
    told without it.
    """

    seed: int
    hosts: int
    parts: list[dict[str, Any]]
    later_h: float
    f: float
    pieces: list[tuple[str, float]]
    minutes: float | None
    early: bool
    alone: bool
    said: str


class Interruption(msgspec.Struct):
    """Somebody was called for ``machine``, first at ``time`` (µs UTC); ``by`` names the detectors."""

    time: int
    machine: str
    kind: str
    title: str
    by: list[tuple[str, float]]


def interruptions(collector: OfflineCollector) -> list[Interruption]:
    """All that asked for a person, in order: the calls of stories."""
    outcome = collector.outcome
    told = [
        _interruption(call.time, story.machine, outcome.incidents[call.finding])
        for story in outcome.stories.values()
        for call in story.calls
    ]
    return sorted(told, key=lambda one: one.time)


def _interruption(time: int, machine: str, incident: Incident) -> Interruption:
    """``machine``: "" where several are one story; then it is that of the finding which called."""
    by = [(each.detector or incident.detector, round(each.score, 2)) for each in incident.evidences]
    return Interruption(time, machine or incident.machine, incident.kind, incident.title_en, by)


def play(
    rows: Iterable[NumberedRow],
    cuts: Sequence[int] = (),
    detectors: DetectorSet | None = None,
    watch: Watch | None = None,
) -> list[Interruption]:
    """Who was called in an office. Models are trained once, as live; no batch spans one of ``cuts`` (µs UTC)."""
    with OfflineCollector(detectors=detectors, watch=watch) as collector:
        collector.play_all("office", _batches(rows, cuts), TRAIN_AFTER)
        return interruptions(collector)


def _batches(rows: Iterable[NumberedRow], cuts: Sequence[int]) -> Iterator[list[NumberedRow]]:
    batch: list[NumberedRow] = []
    left = sorted(cuts)
    for number, row in rows:
        if len(batch) >= BATCH_ROWS or (left and row[0] >= left[0]):
            left = [cut for cut in left if row[0] < cut]
            yield batch
            batch = []
        batch.append((number, row))
    yield batch


def office(seed: int, hosts: int, days: float) -> Iterator[NumberedRow]:
    """Rows of an office that calibration never saw."""
    rate = 0.25 if hosts > 20 else 0.4
    length = int(days * 24 * HOUR_US)
    return office_rows(seed, hosts, WORKING_MORNING, length, rate, habits=KEPT_OUT)


def place_of(pair: Pair, dice: random.Random, *, familiar: bool) -> Office:
    """Where it befalls whom; the other machines are those of the office if ``familiar``, else new to it."""
    ledger = new_ledger(pair.seed, WORKING_MORNING)
    furnish(ledger, pair.hosts, 0.4, 60_000_000)
    cast = Cast(ledger)
    host = dice.choice(cast.pcs)
    if familiar:
        others = [one for one in cast.everyone() if one is not host]
    else:
        free = [ledger.inside(n) for n in STRANGERS if ledger.inside(n) not in ledger.devices]
        others = [Device(address, 0x020000000000 + n, "new") for n, address in enumerate(free)]
    return Office(host, others, ledger.gateway)


def befall(pair: Pair, *, familiar: bool = False) -> Told:
    """Let both parts happen to one machine, with fusion and without; ``familiar`` as of `place_of`."""
    dice = random.Random(f"pair {pair.seed}")
    place = place_of(pair, dice, familiar=familiar)
    host = place.host
    first = WORKING_MORNING + 24 * HOUR_US + int(dice.uniform(0, WORKING_US))
    second = first + int(dice.uniform(*LATER_H) * HOUR_US)
    parts = []
    for number, (part, begin) in enumerate(((pair.first, first), (pair.second, second))):
        roles = cast_roles(part.rows, pack_address(part.machine), place)
        parts.append(list(transplanted(part.rows, roles, host.address, begin, number)))
    end = max(int(row[0]) for part in parts for _, row in part) + AFTER_US
    days = (end - WORKING_MORNING) / (24 * HOUR_US)

    def rows() -> Iterator[NumberedRow]:
        return merged(office(pair.seed, pair.hosts, days), *parts)

    listener = Listener(DetectorSet().detectors())
    machine, cuts = format_address(host.address), (first, second)
    fused = [one for one in play(rows(), cuts, watch=listener) if one.machine == machine]
    # Without fusion nobody is called but for what alerts by itself: where nothing does, there is nothing to run.
    alerts = [each for each in listener.alerts if each[0] == machine]
    plain = [one for one in play(rows(), cuts, WITHOUT) if one.machine == machine] if alerts else []
    sums = [one for one in listener.sums if one.machine == machine and one.time >= second]
    most = max(sums, key=lambda one: one.total, default=Sum(machine, 0, 0.0, ()))
    after = [one for one in fused if one.time >= second]
    return Told(
        pair.seed, pair.hosts, [_described(pair.first), _described(pair.second)],
        round((second - first) / HOUR_US, 1), round(most.total, 2),
        [(piece.detector, round(piece.bits, 2)) for piece in most.pieces],
        round((after[0].time - second) / 6e7, 1) if after else None,
        any(one.time < second for one in fused), bool(plain), after[0].title if after else "",
    )  # fmt: skip


def _described(part: Part) -> dict[str, Any]:
    return {
        "file": part.name, "class": part.class_, "family": part.family, "detector": part.detector,
        "bits": round(part.bits, 2), "line": round(part.line, 2), "rows": len(part.rows),
        "thinned": part.thinned,
    }  # fmt: skip


def week(seed: int, hosts: int, days: float) -> dict[str, Any]:
    """An office in which nothing happens, with fusion and without."""
    listener = Listener(DetectorSet().detectors())
    fused = play(office(seed, hosts, days), watch=listener)
    # Where fusion has said nothing, it is the same without.
    plain = play(office(seed, hosts, days), (), WITHOUT) if listener.fused else fused
    before = Counter((one.machine, one.kind, one.time) for one in plain)
    added = [one for one in fused if not before[one.machine, one.kind, one.time]]
    most = max(listener.sums, key=lambda one: one.total, default=Sum("", 0, 0.0, ()))
    return {
        "seed": seed, "hosts": hosts, "with": len(fused), "without": len(plain),
        "f": round(most.total, 2),
        "pieces": [(piece.detector, round(piece.bits, 2)) for piece in most.pieces],
        "added": [msgspec.to_builtins(one) for one in added],
    }  # fmt: skip


def part_of(item: Labelled) -> Part | None:
    """The weak part of a capture."""
    rows = list(file_rows(item.path, Attackers()))
    return weak_part(item.file, item.class_, rows, attackers(item), ACCEPTED[item.class_])


def drawn(parts: Sequence[Part], count: int, seed: int) -> list[Pair]:
    """Pairs of different families, as many as ``count`` if there are, no two of them the same."""
    dice = random.Random(f"pairs {seed}")
    all_pairs = [pair for pair in combinations(parts, 2) if pair[0].family != pair[1].family]
    chosen = dice.sample(all_pairs, min(count, len(all_pairs)))
    return [
        Pair(seed + n, SIZES[n % len(SIZES)], *dice.sample(pair, 2))
        for n, pair in enumerate(chosen)
    ]


def summary(told: Sequence[Told]) -> dict[str, Any]:
    """Shares of the pairs that count, by bits and by the line that there might be."""
    counted = [one for one in told if not one.alone and not one.early]
    heard = sum(one.minutes is not None for one in counted)
    low, high = binomial_interval(heard, len(counted))
    by_bits: dict[int, list[bool]] = {}
    for one in counted:
        bits = sum(part["bits"] for part in one.parts)
        by_bits.setdefault(math.floor(bits), []).append(one.minutes is not None)
    return {
        "pairs": len(told),
        "alone": sum(one.alone for one in told),
        "early": sum(one.early and not one.alone for one in told),
        "counted": len(counted),
        "told": heard,
        "missed_unseen": sum(one.minutes is None and not one.pieces for one in counted),
        "share": round(heard / max(len(counted), 1), 3),
        "interval": [round(low, 3), round(high, 3)],
        "line": line_of(load_calibration(FUSION), FUSION_SHARE),
        "told_by_line": {line: sum(one.f >= line for one in counted) for line in LINES},
        "told_by_bits": {bits: [sum(of), len(of)] for bits, of in sorted(by_bits.items())},
    }


def quiet_summary(weeks: Sequence[dict[str, Any]], days: float) -> dict[str, Any]:
    """Interruptions of quiet offices, with and without, and an exact test over offices that differ."""
    more = sum(one["with"] > one["without"] for one in weeks)
    fewer = sum(one["with"] < one["without"] for one in weeks)
    total = {side: sum(one[side] for one in weeks) for side in ("with", "without")}
    length = len(weeks) * days / 7
    return {
        "site_weeks": round(length, 2), **total, "more": more, "fewer": fewer,
        "p": sign_test(more, fewer),
        "interval": {
            side: [round(b / max(length, 1e-9), 2) for b in poisson_interval(n)]
            for side, n in total.items()
        },
    }  # fmt: skip


def chosen_files(lists: Sequence[Path], half: Half) -> list[Labelled]:
    """Attack captures of one half."""
    listed, _ = read_lists(lists)
    return [f for f in choose_half(listed, half)
            if f.class_ in ACCEPTED and "hostmetric" not in f.kind]  # fmt: skip


def parser_of(says: str, first_seed: int) -> argparse.ArgumentParser:
    """What a benchmark that lets captures happen in offices is asked; see `judged`."""
    parser = argparse.ArgumentParser(description=says.partition("\n")[0])
    add = parser.add_argument
    add("labels", nargs="+", type=Path, metavar="LABELS.csv")
    add("--half", choices=("A", "B"), default="A")
    add("--final", action="store_true", help="half B is looked at once, when all is done")
    add("--seeds", type=int, default=first_seed, metavar="FIRST", help="others, for a second run")
    add("--processes", type=int, default=2)
    add("--json", action="store_true")
    return parser


def judged(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """What was asked, if it is nothing that calibration has seen, nor half B by the way."""
    options = parser.parse_args()
    if options.half == "B" and not options.final:
        parser.error("--half B: looked at to the end it is another half A; --final if you are done")
    if options.seeds < FIRST_JUDGED:
        parser.error(f"--seeds {options.seeds}: from {FIRST_JUDGED} on, calibration has the others")
    return options


def main() -> None:
    parser = parser_of(__doc__, FIRST_SEED)
    add = parser.add_argument
    add("--pairs", type=int, default=100)
    add("--offices", type=int, default=12, help="in which nothing happens")
    add("--days", type=float, default=7, help="of each of these")
    add("--familiar", action="store_true",
        help="who is attacked beside the machine are the office's own; else they are new to it")  # fmt: skip
    options = judged(parser)
    files = chosen_files(options.labels, options.half)
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        parts = [part for part in pool.map(part_of, files if options.pairs else ()) if part]
        if options.pairs:
            report(f"{len(parts)} of {len(files)} captures leave a weak part")
        pairs = drawn(parts, options.pairs, options.seeds)
        befallen = [pool.submit(befall, pair, familiar=options.familiar) for pair in pairs]
        quiet = [
            pool.submit(week, options.seeds + QUIET + n, SIZES[n % len(SIZES)], options.days)
            for n in range(options.offices)
        ]
        for future in as_completed((*befallen, *quiet)):
            result = future.result()
            for line in [told_text(result)] if isinstance(result, Told) else week_text(result):
                report(line)
        told = [future.result() for future in befallen]
        weeks = [future.result() for future in quiet]
    found = {
        "half": options.half, "seeds": options.seeds, "familiar": options.familiar, "files": len(files),
        "parts": [_described(part) for part in parts], "summary": summary(told),
        "pairs": [msgspec.to_builtins(one) for one in told],
        "quiet": quiet_summary(weeks, options.days), "weeks": weeks,
    }  # fmt: skip
    print(json.dumps(found) if options.json else text(found))


def told_text(one: Told) -> str:
    """A pair in a line."""
    heard = "missed" if one.minutes is None else f"told after {one.minutes} min"
    how = "alone" if one.alone else "early" if one.early else heard
    parts = " + ".join(f"{part['detector']} {part['bits']}" for part in one.parts)
    made = ", ".join(f"{name} {bits}" for name, bits in one.pieces)
    return f"pair {one.seed} {how}: {parts}, {one.later_h} h later: F {one.f} ({made})"


def week_text(one: dict[str, Any]) -> list[str]:
    """A quiet office in a line, and one for each that fusion adds."""
    made = ", ".join(f"{name} {bits}" for name, bits in one["pieces"])
    said = f"{one['with']} with fusion, {one['without']} without"
    lines = [
        f"office {one['seed']}, {one['hosts']} machines: {said}; at most F {one['f']} ({made})"
    ]
    lines += [
        f"added: {a['kind']} at {a['machine']}, {a['by']}: {a['title']}" for a in one["added"]
    ]
    return lines


def text(found: dict[str, Any]) -> str:
    """For people: the parts, and what it comes to. Pairs and offices were told as they came."""
    lines = [f"part {'/'.join(map(str, (p['class'], p['family'], p['detector'])))} {p['bits']} bits (line {p['line']}), "
             f"{p['rows']} rows, one flow of {p['thinned']}: {p['file']}" for p in found["parts"]]  # fmt: skip
    by_class = Counter((part["class"], part["family"]) for part in found["parts"])
    lines.append(f"weak parts {len(found['parts'])} of {found['files']} captures of half {found['half']}: "
                 + ", ".join(f"{of} as {family} {n}" for (of, family), n in sorted(by_class.items())))  # fmt: skip
    lines += [json.dumps(found["summary"]), json.dumps(found["quiet"])]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

"""A real attack in an office week: how often is somebody called for it?

    python benchmarks/attack_week.py --half A --attacks 20 ../shared/captures/LABELS.csv …

A capture that is told alone befalls a machine of a generated office of a seed and habits that no calibration saw,
in working hours of its third day; whom it spoke to inside joins the office with it. The same office lives the
week without it, too. Counted are the calls of stories: those for the machine that the attack befell from its
beginning on, and those for others that the office without it does not have. Once is what was promised; a second
call is for what is much rarer, and of another kind. Half B is judged with ``--final`` only.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

import msgspec
from fusion_pairs import (
    HOUR_US,
    SIZES,
    STRANGERS,
    Interruption,
    chosen_files,
    judged,
    office,
    parser_of,
    play,
)

from dijkwacht.offline import OfflineCollector, cut
from dijkwacht.progress import report
from dijkwacht_collector.incidents.incident import ALERT_SEVERITY
from dijkwacht_lab.calibrate import FIRST_JUDGED, file_rows
from dijkwacht_lab.labels import ACCEPTED, Attackers, Labelled
from dijkwacht_lab.traffic import WORKING_MORNING, new_ledger
from dijkwacht_lab.traffic.cast import Cast
from dijkwacht_lab.traffic.devices import furnish
from dijkwacht_lab.traffic.site import Device
from dijkwacht_lab.transplant import NumberedRow, Office, cast_roles, merged, transplanted
from dijkwacht_records.addresses import format_address, pack_address

FIRST_SEED = FIRST_JUDGED + 5_000
BEGINS_US = 48 * HOUR_US
WORKING_US = 8 * HOUR_US
MOST_ROWS = 100_000
"""Rows of a capture, from its beginning: a flood says nothing new after that."""
BATCH_ROWS = 100


class Attack(msgspec.Struct):
    """The rows of a capture, and the private machine whose finding was told."""

    file: str
    class_: str
    machine: str
    rows: list[NumberedRow]


class Week(msgspec.Struct):
    """What an attack made of an office week; ``calls`` are (detector's incident class, minutes after it began)."""

    seed: int
    hosts: int
    file: str
    class_: str
    calls: list[tuple[str, float]]
    elsewhere: list[tuple[str, str]]


def attack_of(item: Labelled) -> Attack | None:
    """The attack, if it is told from a cold start, in its class, of a private machine."""
    rows = [
        row for row, _ in zip(file_rows(item.path, Attackers()), range(MOST_ROWS), strict=False)
    ]
    with OfflineCollector() as collector:
        for batch in cut(rows, BATCH_ROWS):
            collector.play("office", batch)
        collector.finish()
        told = [
            one
            for one in collector.outcome.final()
            if one.severity_id >= ALERT_SEVERITY and one.kind in ACCEPTED[item.class_]
        ]
    private = [one.machine for one in told if one.machine.startswith(("10.", "172.", "192.168."))]
    if not private:
        return None
    return Attack(item.file, item.class_, private[0], rows)


def befall(attack: Attack, seed: int, hosts: int) -> Week:
    """Let it happen in an office."""
    dice = random.Random(f"attack {seed}")
    ledger = new_ledger(seed, WORKING_MORNING)
    furnish(ledger, hosts, 0.4, 60_000_000)
    host = dice.choice(Cast(ledger).pcs)
    free = [ledger.inside(n) for n in STRANGERS if ledger.inside(n) not in ledger.devices]
    others = [Device(address, 0x020000000000 + n, "new") for n, address in enumerate(free)]
    roles = cast_roles(
        attack.rows, pack_address(attack.machine), Office(host, others, ledger.gateway)
    )
    begin = WORKING_MORNING + BEGINS_US + int(dice.uniform(0, WORKING_US))
    moved = list(transplanted(attack.rows, roles, host.address, begin, 1))
    with_it = play(merged(office(seed, hosts, 7), moved), (begin,))
    without = Counter(map(_named, play(office(seed, hosts, 7))))
    machine = format_address(host.address)
    calls = [one for one in with_it if one.machine == machine and one.time >= begin]
    others_called = Counter(_named(one) for one in with_it if one not in calls) - without
    return Week(
        seed, hosts, attack.file, attack.class_,
        [(one.kind, round((one.time - begin) / 6e7, 1)) for one in calls],
        sorted(others_called.elements()),
    )  # fmt: skip


def _named(one: Interruption) -> tuple[str, str]:
    return one.machine, one.kind


def summary(weeks: Sequence[Week]) -> dict[str, Any]:
    """How many attacks called so often, and what they called for besides."""
    times = Counter(len(week.calls) for week in weeks)
    return {
        "attacks": len(weeks),
        "called": {str(count): times[count] for count in sorted(times)},
        "elsewhere": sum(len(week.elsewhere) for week in weeks),
    }


def main() -> None:
    parser = parser_of(__doc__, FIRST_SEED)
    parser.add_argument("--attacks", type=int, default=20)
    options = judged(parser)
    files = chosen_files(options.labels, options.half)
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        attacks = [attack for attack in pool.map(attack_of, files) if attack]
        dice = random.Random(f"attacks {options.seeds}")
        chosen = dice.sample(attacks, min(options.attacks, len(attacks)))
        running = [
            pool.submit(befall, attack, options.seeds + n, SIZES[n % len(SIZES)])
            for n, attack in enumerate(chosen)
        ]
        weeks = []
        for future in as_completed(running):
            week = future.result()
            weeks.append(week)
            report(
                f"{week.seed} {week.class_} {week.file}: {week.calls} elsewhere {week.elsewhere}"
            )
    weeks.sort(key=lambda week: week.seed)
    found = {"half": options.half, "seeds": options.seeds, "told_alone": len(attacks), **summary(weeks),
             "weeks": [msgspec.to_builtins(week) for week in weeks]}  # fmt: skip
    print(json.dumps(found) if options.json else json.dumps(summary(weeks)))


if __name__ == "__main__":
    main()

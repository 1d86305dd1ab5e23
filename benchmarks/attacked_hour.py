"""An hour of some tens of generated sites in the mix of captures, a third of them with an attack of theirs."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, zip_longest
from typing import NamedTuple, cast

from dijkwacht.offline import NumberedRow, cut
from dijkwacht.recording import Recorded
from dijkwacht_lab.bench.mixed_rows import mixed_rows
from dijkwacht_lab.labels import ACCEPTED, Attackers, Labelled, attackers
from dijkwacht_lab.traffic import WORKING_MORNING, new_ledger
from dijkwacht_lab.traffic.cast import Cast
from dijkwacht_lab.traffic.devices import furnish
from dijkwacht_lab.traffic.site import Device
from dijkwacht_lab.transplant import Office, cast_roles, merged, transplanted
from dijkwacht_records.addresses import format_address
from dijkwacht_records.errors import DijkwachtError
from dijkwacht_records.tables import FLOWS, TABLES

BATCH_ROWS = 100
SITES = 30
"""Of the generated hour; every `ATTACKED`th is attacked."""
ATTACKED = 3
ROWS_A_SITE = 20_000
"""About an hour of one."""
BEGINS_US = 600_000_000
"""An attack begins so long after its site's hour."""
MOST_ROWS = 10_000
"""Rows of an attack: a flood says nothing new after that."""
STRANGERS = range(100, 140)
"""Numbers of machines that a site gets by an attack."""

Playing = Iterator[tuple[str, Sequence[NumberedRow]]]


class Attack(NamedTuple):
    """The rows of a capture, and the private machine that began most of them."""

    file: str
    rows: list[NumberedRow]
    machine: bytes


def attacked_hour(listed: Sequence[Labelled]) -> Playing:
    """The hour, with attacks of ``listed``, of `candidates`."""
    return hour(chosen_attacks(listed, len(range(0, SITES, ATTACKED))))


def hour(attacks: Iterable[Attack], sites: int = SITES, rows_a_site: int = ROWS_A_SITE) -> Playing:
    """Batches of sites as they would arrive, the attacks each at one of them."""
    told = iter(attacks)
    lives = [
        _life(site, rows_a_site, next(told) if site % ATTACKED == 0 else None)
        for site in range(sites)
    ]
    for _, _, name, batch in heapq.merge(*lives, key=lambda one: one[:2]):
        yield name, batch


def _life(
    site: int, rows_a_site: int, attack: Attack | None
) -> Iterator[tuple[int, int, str, list[NumberedRow]]]:
    rows: Iterable[NumberedRow] = islice(mixed_rows(site), rows_a_site)
    if attack is not None:
        rows = merged(rows, _befallen(site, attack))
    clock = 0
    for batch in cut(rows, BATCH_ROWS):
        clock = max(clock, *(int(row[0]) for _, row in batch))
        yield clock, site, f"site-{site:02d}", batch


def _befallen(site: int, attack: Attack) -> Iterator[NumberedRow]:
    """The attack as if it came from a machine of the generated site."""
    ledger = new_ledger(site, WORKING_MORNING)
    furnish(ledger, 25, 1.0, 60_000_000)
    free = [ledger.inside(n) for n in STRANGERS if ledger.inside(n) not in ledger.devices]
    others = [Device(address, 0x020000000000 + n, "new") for n, address in enumerate(free)]
    host = Cast(ledger).pcs[0]
    roles = cast_roles(attack.rows, attack.machine, Office(host, others, ledger.gateway))
    return transplanted(attack.rows, roles, host.address, WORKING_MORNING + BEGINS_US, site)


def loudest(rows: Iterable[NumberedRow], attack: Attackers) -> bytes | None:
    """The private machine, if there is one, that began most flows; of those that attack, where they are known."""
    flows, origin = TABLES.index(FLOWS), FLOWS.index("orig_h")
    began = Counter(cast("bytes", row[origin]) for number, row in rows if number == flows)
    private = [
        address
        for address, _ in sorted(began.items(), key=lambda one: (-one[1], one[0]))
        if format_address(address).startswith(("10.", "172.", "192.168."))
    ]
    return next((one for one in private if one in attack.addresses), next(iter(private), None))


def candidates(listed: Sequence[Labelled]) -> tuple[Labelled, ...]:
    """The attacks, of each class in turn, its largest first."""
    classes: dict[str, list[Labelled]] = {name: [] for name in sorted(ACCEPTED)}
    for one in sorted(listed, key=lambda one: (-one.size, one.file)):
        if one.class_ in classes and "hostmetric" not in one.kind:
            classes[one.class_].append(one)
    return tuple(one for turn in zip_longest(*classes.values()) for one in turn if one)


def chosen_attacks(listed: Sequence[Labelled], wanted: int) -> list[Attack]:
    """The first ``wanted`` that a private machine began. Raises ValueError if there are fewer."""
    found: list[Attack] = []
    for one in listed:
        if len(found) == wanted:
            break
        try:
            rows = list(islice(Recorded([one.path]).rows(), MOST_ROWS))
            machine = loudest(rows, attackers(one))
        except DijkwachtError:  # a list of names, a rule of another kind: the next one will do
            continue
        if machine is not None:
            found.append(Attack(one.file, rows, machine))
    if len(found) < wanted:
        raise ValueError(f"{len(found)} attacks are there for an hour that wants {wanted}")
    return found

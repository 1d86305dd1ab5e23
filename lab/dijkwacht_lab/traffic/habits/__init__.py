"""Habits of small networks, by family: what an office does that looks like something else.

Each habit furnishes an office with some of it; periods, spreads, counts, lengths, sizes, ports, and
whether anybody answers are drawn over wide ranges, anew for each office. Nothing here knows how a
detector works. A vulnerability scanner, a stranger who guesses passwords, and two machines that quarrel
about one address are no habits: to say so is right.

`CALIBRATED` are those that the shipped tables may be made from, `KEPT_OUT` those that they are tried on.
The families in `unseen` are kept out, whole: they were written later than the detectors, by somebody who
did not know them, and nothing may be calibrated on them. Once what they showed has been acted on, they
move here, and others must be written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import ModuleType
from typing import Final

from dijkwacht_lab.traffic.cast import Cast
from dijkwacht_lab.traffic.dice import Dice
from dijkwacht_lab.traffic.habit import Habit
from dijkwacht_lab.traffic.habits import (
    benches,
    browsing,
    buildings,
    calls,
    cameras,
    changes,
    classrooms,
    counters,
    databases,
    domains,
    doors,
    entertainment,
    enthusiasms,
    groups,
    guards,
    guests,
    hosting,
    infrastructure,
    lookouts,
    lookups,
    mail,
    management,
    monitoring,
    nameservers,
    neighbours,
    passwords,
    plain_web,
    polling,
    printing,
    servers_of_the_link,
    storage,
    support,
    things,
    tills,
    travellers,
    tunnels,
    unseen,
    updates,
    upheavals,
    workshops,
)
from dijkwacht_lab.traffic.habits.premises import Premises
from dijkwacht_lab.traffic.ledger import Ledger

Furnish = Callable[[Premises], None]
"""Gives an office some of a habit."""

_FAMILIES: Final[tuple[ModuleType, ...]] = (
    benches, browsing, buildings, calls, cameras, changes, classrooms, counters, databases, domains,
    doors, entertainment, enthusiasms, groups, guards, guests, hosting, infrastructure, lookouts, lookups,
    mail, management, monitoring, nameservers, neighbours, passwords, plain_web, polling, printing,
    servers_of_the_link, storage, support, things, tills, travellers, tunnels, updates, upheavals,
    workshops,
)  # fmt: skip


def _habits_of(family: ModuleType) -> dict[str, Furnish]:
    prefix = family.__name__.rpartition(".")[2]
    return {
        f"{prefix}.{name}": value
        for name, value in vars(family).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == family.__name__
        and callable(value)
    }  # fmt: skip


def _named(families: tuple[ModuleType, ...]) -> dict[str, dict[str, Furnish]]:
    return {family.__name__.rpartition(".")[2]: _habits_of(family) for family in families}


_UNSEEN: Final = _named(unseen.FAMILIES)
FAMILIES: Final = _named(_FAMILIES) | _UNSEEN
HABITS: Final = {name: furnish for family in FAMILIES.values() for name, furnish in family.items()}
"""Every habit by ``family.name``."""
KEPT_OUT: Final = frozenset(name for family in _UNSEEN.values() for name in family)
CALIBRATED: Final = frozenset(HABITS) - KEPT_OUT

A_MACHINE: Final = (0.4, 1.2)
"""Habits that an office has for each of its machines: each is some device's, or somebody's program."""
MOST_SHARE: Final = 0.6
"""Of the habits it is offered, no office has more."""
ADDRESSES_LEFT: Final = 64
"""With fewer free addresses an office takes up no more: the greediest habit wants nearly so many."""


def take_up(
    ledger: Ledger, cast: Cast, seed: int, names: Collection[str], hosts: int, rate: float
) -> list[Habit]:
    """Let an office of ``hosts`` machines have some of the habits ``names``, each with dice of its own.

    How many is drawn from `A_MACHINE`, and which, and how, depends on ``seed`` and their names, unless its
    addresses run out. Raises ``KeyError`` for an unknown name.
    """
    wanted = round(hosts * Dice(f"habits {seed}").uniform(*A_MACHINE))
    ranked = sorted(names, key=lambda name: Dice(f"rank {name} {seed}").uniform(0.0, 1.0))
    begun: list[Habit] = []
    for name in ranked[: max(1, min(wanted, int(MOST_SHARE * len(names))))]:
        if cast.free < ADDRESSES_LEFT:
            break
        premises = Premises(ledger, cast, Dice(f"{name} {seed}"), name, rate)
        HABITS[name](premises)
        begun += premises.habits
    return begun

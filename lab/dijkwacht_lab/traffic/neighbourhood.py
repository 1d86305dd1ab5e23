"""IPv6 as every office has it: machines that look for neighbours and routers, whether or not there is a way out."""

from __future__ import annotations

import random
from typing import Final

from dijkwacht_lab.traffic.habit import Habit, always, between
from dijkwacht_lab.traffic.ledger import HOUR, MINUTE, SECOND, Device, Ledger
from dijkwacht_lab.traffic.neighbours_written import (
    Neighbour,
    Router,
    advertise,
    arrive,
    ask,
    local,
)

_ROUTED: Final = 0.6
"""Share of offices whose router speaks IPv6 on the inside."""


def look_around(ledger: Ledger) -> list[Habit]:
    """What the devices of an office that is furnished ask each other; its router announces itself, if it routes.

    The dice are its own: those of the office fall as they would without it.
    """
    dice = random.Random(f"neighbours {ledger.gateway.mac}")  # noqa: S311 - repeatable by purpose, not a secret
    devices, routed = [*ledger.devices.values()], dice.random() < _ROUTED

    def router() -> Router:
        return Router(_of(ledger.gateway), carries=1)

    def wake(at: int) -> None:
        arrive(ledger, at, _of(dice.choice(devices)), (router(),) if routed else ())

    def look(at: int) -> None:
        device, other = dice.choice(devices), dice.choice(devices)
        if device is not other:
            ask(ledger, at, _of(device), _of(other), answered=dice.random() < 0.8)

    def announce(at: int) -> None:
        advertise(ledger, at, router())

    habits = [
        Habit(ledger, wake, 8 * HOUR / len(devices), 1, between(6, 20), dice=dice),
        Habit(ledger, look, 40 * MINUTE / len(devices), 1, between(7, 19), dice=dice),
    ]
    if routed:
        period = dice.choice((60, 200, 400, 600)) * SECOND
        habits.append(Habit(ledger, announce, period, 0.3, always, dice=dice))
    return habits


def _of(device: Device) -> Neighbour:
    return Neighbour(local(device.mac), device.mac)

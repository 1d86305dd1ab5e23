"""One process of an office: ``python -m dijkwacht_lab.office.role PLAN FOLDER SECONDS ROLE [WORD…]``.

A role is a service (``internet``, ``gateway``, ``server``, ``printer``), a host's name (its person
arrives and works), or ``carry HOST ADDRESS KILOBYTES PIECE``.
It says ``ready`` on stdout when it serves or has arrived, and ends by itself after SECONDS.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from dijkwacht_lab.office import services
from dijkwacht_lab.office.people import Person
from dijkwacht_lab.office.plans import PLANS, Plan

_SERVICES = {
    "internet": services.internet,
    "gateway": services.gateway,
    "server": services.server,
    "printer": services.printer,
}


async def _live(plan: Plan, folder: Path, role: str, words: list[str]) -> None:
    if role in _SERVICES:
        await _SERVICES[role](plan, folder)
        _ready()
        await asyncio.Event().wait()
    elif role == "carry":
        host, address, kilobytes, piece = words
        await Person(plan, plan.host(host)).carry(address, float(kilobytes), int(piece))
    else:
        person = Person(plan, plan.host(role))
        await person.arrive()
        _ready()
        await person.work()


def _ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


async def _within(seconds: float, plan: Plan, folder: Path, role: str, words: list[str]) -> None:
    try:
        async with asyncio.timeout(seconds):
            await _live(plan, folder, role, words)
    except TimeoutError:
        return


if __name__ == "__main__":
    name, place, seconds, role, *words = sys.argv[1:]
    asyncio.run(_within(float(seconds), PLANS[name], Path(place), role, words))

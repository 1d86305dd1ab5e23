"""Security software: asks names and clouds about files, and looks for machines itself."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import switched_on
from dijkwacht_lab.traffic.habits.premises import Pace, Premises
from dijkwacht_lab.traffic.programs import SHIELD
from dijkwacht_lab.traffic.site import HOUR, MINUTE, SECOND, UDP, Device

_TXT, _A = 16, 1
_HEX: Final = "0123456789abcdef"
_BASE32: Final = "abcdefghijklmnopqrstuvwxyz234567"


def hash_lookups(here: Premises) -> None:
    """Each file that is opened is asked about by name: its hash, under a domain of the maker's."""
    dice = here.dice
    length, alphabet = dice.count(16, 64), dice.choice((_HEX, _BASE32))
    labels = dice.count(1, 4)
    domain = f"{dice.choice(('avqs', 'gti', 'rep', 'c'))}.guard-{dice.randrange(50)}.example"
    text, known = dice.choice((0.0, 0.1, 1.0)), dice.uniform(0, 1)
    burst = dice.count(1, 200)
    for pc in here.pcs():

        def ask(at: int, pc: Device = pc) -> None:
            for _ in range(dice.count(1, burst)):
                parts = [
                    "".join(dice.choices(alphabet, k=max(length // labels, 6)))
                    for _ in range(labels)
                ]
                qtype = _TXT if dice.chance(text) else _A
                found = dice.chance(known)
                at = here.ledger.ask(
                    at, pc, f"{'.'.join(parts)}.{domain}", qtype, 0 if found else 3, int(found)
                )
                at += dice.count(1_000, 2_000_000)

        here.every(ask, dice.wide(2, 200) * MINUTE / here.rate, 1, switched_on(0, at_night=False))


def device_search(here: Premises) -> None:
    """A guard on each PC in turn looks for machines that it does not know: ARP, then some ports."""
    dice = here.dice
    pcs = here.pcs(0.3)
    ports = dice.some((80, 443, 22, 23, 445, 139, 161, 3389, 5900, 8080, 554, 9100), 0.2, 0.9)
    gap = int(dice.wide(1_000, 500_000))
    share = dice.uniform(0.3, 1)

    def look(at: int) -> None:
        pc = dice.choice(pcs)
        alive = {device.address: device for device in here.everyone() if device is not pc}
        for number in range(1, 255):
            at += gap
            address = here.ledger.inside(number)
            if address not in alive:
                if dice.chance(share):
                    here.seeks(at, pc, address, 1)
                continue
            here.ledger.arp(at, pc, alive[address])
            for port in ports:
                if dice.chance(0.75):
                    here.refused(at, pc, alive[address], port)
                else:
                    here.call(at, pc, alive[address], port, (0, 0), 40_000)

    here.every(look, dice.wide(1, 60) * HOUR, 0.3)


def telemetry(here: Premises) -> None:
    """A guard's agent reports every few seconds, over TLS, to one of its maker's machines."""
    dice = here.dice
    place = here.home(0.1)
    gap = dice.wide(5, 300) * SECOND
    held = dice.chance(0.5)
    lasts = here.holds(HOUR // 4, 8 * HOUR)
    up, down = dice.count(200, 4_000), dice.count(60, 900)
    for pc in here.pcs(0.5):
        when = switched_on(0, at_night=dice.chance(0.3))

        def report(at: int, pc: Device = pc) -> None:
            if held:
                here.keeps(at, pc, place, 443, Pace(int(gap), lasts), (up, down), shown=SHIELD)
            else:
                here.call(at, pc, place, 443, (dice.size(up, 0.1), down), 200000, shown=SHIELD)

        here.every(report, lasts if held else max(gap, 20 * SECOND), 0.02, when)


def names_tested(here: Premises) -> None:
    """Browsers and guards ask for names that cannot be, to see whether somebody lies: three at a start."""
    dice = here.dice
    letters = "abcdefghijklmnopqrstuvwxyz"
    pcs = here.pcs(0.5)
    suffix = dice.choice(("", "", ".office.example"))

    def test(at: int) -> None:
        pc = dice.choice(pcs)
        for _ in range(dice.choice((3, 3, 6, 12))):
            name = "".join(dice.choices(letters, k=dice.randrange(7, 16)))
            at = here.ledger.ask(at, pc, name + suffix, 1, 3, 0)

    here.every(test, dice.wide(2, 60) * MINUTE, 1, switched_on(0, at_night=False))


def relayed_scan(here: Premises) -> None:
    """A guard's server wakes its agents by UDP and TCP at a port of its own; some are asleep."""
    dice, server = here.dice, here.server()
    port = dice.choice((7, 9, 1514, 2222, 8192, 15000, 65080))
    pulse = Talk(dice.count(8, 60), 40, 60, 95, 5)
    pcs = here.pcs(0.6)

    def wake(at: int) -> None:
        for pc in pcs:
            if dice.chance(0.4):
                here.silence(at, server, pc, port, dice.choice((UDP, 6)))
            else:
                here.call(
                    at,
                    server,
                    pc,
                    port,
                    (20 * pulse.turns, 30 * pulse.turns),
                    4 * SECOND,
                    Shown(pulse),
                )

    here.every(wake, dice.wide(1, 120) * MINUTE, 0.05)

"""Machines that look for others they have on a list, of which some are gone, moved, or not here."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.habit import always, between, switched_on
from dijkwacht_lab.traffic.habits.premises import Premises
from dijkwacht_lab.traffic.site import DAY, HOUR, ICMP, MINUTE, SECOND, TCP, UDP, Device

_PRINTS: Final = (161, 515, 631, 9_100)


def same_numbers(here: Premises) -> None:
    """A laptop's two offices have the same private network: here it asks for machines that are there."""
    dice, laptop = here.dice, here.pc()
    there = [here.dark() for _ in range(dice.count(2, 15))]
    here_by_day = between(8, 18, weekends=False)
    share = dice.uniform(0.2, 1.0)

    def look(at: int) -> None:
        for address in dice.some(there, 0.1, share):
            at += dice.count(2_000, 3_000_000)
            here.seeks(at, laptop, address, dice.count(1, 4))

    here.every(look, dice.wide(1, 90) * MINUTE, 0.3, here_by_day)


def old_inventory(here: Premises) -> None:
    """An inventory works off its list of years ago, a machine at a time, with a pause after each."""
    dice, server = here.dice, here.server()
    listed: list[Device | bytes] = [*dice.some(here.everyone(), 0.3, 1.0)]
    listed += [here.dark() for _ in range(dice.count(3, 24))]
    dice.shuffle(listed)
    pause = dice.wide(0.5, 900) * SECOND
    ports = dice.some((135, 445, 22, 161, 5_985), 0.2, 0.6)

    def visit(at: int) -> None:
        for one in listed:
            at += int(pause * dice.uniform(0.7, 1.3))
            if isinstance(one, bytes):
                here.seeks(at, server, one)
                continue
            for port in ports:
                here.call(at, server, one, port, (300, 700), 40_000)

    here.every(visit, max(dice.wide(2, 170) * HOUR, 1.5 * pause * len(listed)), 0.05)


def printer_search(here: Premises) -> None:
    """A program for printers asks the ones that it knows for toner; half of them were scrapped."""
    dice, asker = here.dice, here.pc()
    printers = [here.adds("printer") for _ in range(dice.count(1, 4))]
    scrapped = [here.dark() for _ in range(dice.count(1, 10))]
    port = dice.choice(_PRINTS)

    def ask(at: int) -> None:
        for printer in printers:
            here.datagrams(at, asker, printer, port, (80, 140))
        for address in scrapped:
            at += dice.count(10_000, 20_000_000)
            here.seeks(at, asker, address, dice.count(1, 3))

    here.every(ask, dice.wide(0.2, 48) * HOUR, 0.1, switched_on(0, at_night=dice.chance(0.5)))


def access_points(here: Premises) -> None:
    """A controller asks its access points how they are; some hang in a shop that was closed."""
    dice, controller = here.dice, here.adds("controller")
    points = [here.adds("point") for _ in range(dice.count(1, 6))]
    closed: list[bytes] = [here.dark() if dice.chance(0.5) else here.elsewhere()
                           for _ in range(dice.count(1, 12))]  # fmt: skip
    port, proto = dice.choice(((22, TCP), (8_080, TCP), (161, UDP), (5_246, UDP), (0, ICMP)))

    def poll(at: int) -> None:
        for point in points:
            if proto == TCP:
                here.call(at, controller, point, port, (600, 2_000))
            else:
                here.ping(at, controller, point)
        for address in closed:
            at += dice.count(50_000, 2_000_000)
            here.silence(at, controller, address, port, proto)

    here.every(poll, dice.wide(10, 900) * SECOND, 0.05)


def guests_of_a_host(here: Premises) -> None:
    """A hypervisor's manager looks whether its virtual machines are up; those of tests are mostly not."""
    dice, host = here.dice, here.server()
    guests = [here.adds("guest") for _ in range(dice.count(1, 8))]
    up = dice.uniform(0.2, 1.0)
    deleted = [here.dark() for _ in range(dice.count(1, 8))]

    def look(at: int) -> None:
        for guest in guests:
            at += dice.count(1_000, 500_000)
            if dice.chance(up):
                here.ledger.arp(at, host, guest)
                here.ping(at, host, guest)
            else:
                here.seeks(at, host, guest.address, 1)
        for address in deleted:
            at += dice.count(1_000, 500_000)
            here.seeks(at, host, address, dice.count(1, 3))

    here.every(look, dice.wide(0.3, 240) * MINUTE, 0.05)


def speed_dials(here: Premises) -> None:
    """Desk telephones page each other by address; the list is of the last move."""
    dice = here.dice
    phones = [here.adds("desk-phone") for _ in range(dice.count(2, 8))]
    moved = [here.dark() for _ in range(dice.count(1, 9))]

    def page(at: int) -> None:
        caller = dice.choice(phones)
        for other in phones:
            if other is not caller and dice.chance(0.6):
                here.datagrams(at, caller, other, 5_060, (480, 420))
        for address in dice.some(moved, 0.3, 1.0):
            here.seeks(at, caller, address, dice.count(1, 3))

    here.every(page, dice.wide(5, 600) * MINUTE, 1, between(7, 19, weekends=dice.chance(0.3)))


def backup_by_list(here: Premises) -> None:
    """A NAS fetches from the PCs on its list by night: most are off, and some were replaced."""
    dice, store = here.dice, here.server()
    pcs = here.pcs(0.3)
    replaced = [here.dark() for _ in range(dice.count(1, 7))]

    def fetch(at: int) -> None:
        for pc in pcs:
            at += dice.count(1, 600) * SECOND
            if dice.chance(0.3):
                here.call(at, store, pc, 445, (9_000, dice.size(4e6)), dice.count(2, 90) * SECOND)
            else:
                here.seeks(at, store, pc.address, dice.count(1, 5))
        for address in replaced:
            at += dice.count(1, 600) * SECOND
            here.seeks(at, store, address, dice.count(1, 5))

    here.every(fetch, DAY, 0.02)


def media_controls(here: Premises) -> None:
    """An app asks the loudspeakers and screens that it saw last year, and what others announce to it."""
    dice = here.dice
    seen = [here.dark() for _ in range(dice.count(1, 8))]
    phones = here.phones()

    def open_app(at: int) -> None:
        phone = dice.choice(phones)
        here.ledger.shout(at, phone, "_sound._tcp.local", 5_353)
        for address in dice.some(seen, 0.3, 1.0):
            here.seeks(at + dice.count(1_000, 4_000_000), phone, address, dice.count(1, 2))

    here.every(open_app, dice.wide(10, 900) * MINUTE, 1, between(9, 23))


def branch_by_tunnel(here: Premises) -> None:
    """A server watches the branch office's machines; while the tunnel is down, none answers."""
    dice, server = here.dice, here.server()
    first = here.elsewhere()
    there = [first[:15] + bytes((number,))
             for number in dice.sample(range(2, 250), dice.count(3, 30))]  # fmt: skip
    port = dice.choice((443, 161, 3_389, 10_050))
    down = dice.uniform(0.0, 0.2)

    def watch(at: int) -> None:
        is_down = dice.chance(down)
        for address in there:
            at += dice.count(1_000, 4_000_000)
            if is_down or dice.chance(0.02):
                here.silence(at, server, address, port)
            else:
                here.call(at, server, address, port, (500, 1_500))

    here.every(watch, dice.wide(0.5, 60) * MINUTE, 0.05, always)

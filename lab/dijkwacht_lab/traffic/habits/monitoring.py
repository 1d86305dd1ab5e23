"""Watching over the office: sweeps, pings, scrapes and checks by the minute."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import always, between
from dijkwacht_lab.traffic.habits.premises import Premises
from dijkwacht_lab.traffic.programs import TLS_1_2, program
from dijkwacht_lab.traffic.site import HOUR, ICMP, MINUTE, SECOND, Call, Device
from dijkwacht_records.vocabulary import Alpn

_PROBE: Final = program("a monitoring probe", Alpn.HTTP_1_1, TLS_1_2)
_SCRAPED: Final = (9100, 9182, 10050, 5666, 12489, 6556, 161, 8080)
_CHECKED: Final = (22, 25, 53, 80, 139, 443, 445, 1433, 3306, 3389, 5900, 8080, 8443, 9100)


def sweep(here: Premises) -> None:
    """A monitoring program looks for every address of the office: by ARP and ping, some by TCP too."""
    dice, watcher = here.dice, here.server()
    first = dice.randrange(1, 64)
    numbers = range(first, min(254, first + dice.count(30, 253)))
    period = dice.wide(1, 15) * MINUTE
    # What sweeps every minute does so while somebody looks at it; the patient never stop.
    begins = dice.randrange(24)
    when = always if period > 6 * MINUTE else between(begins, (begins + dice.count(2, 12)) % 24)
    gap = int(dice.wide(1_000, 300_000))
    port = dice.choice((0, 0, 0, 22, 80, 135, 445))
    tries = dice.count(1, 3)

    def look(at: int) -> None:
        alive = {device.address: device for device in here.everyone()}
        for number in numbers:
            at += gap
            address = here.ledger.inside(number)
            device = alive.get(address)
            if device is None:
                here.seeks(at, watcher, address, tries)
                continue
            here.ledger.arp(at, watcher, device)
            if port and number % 3:
                here.refused(at, watcher, device, port)
            else:
                here.ping(at, watcher, device)

    here.every(look, period, dice.choice((0.0, 0.01, 0.2)), when)


def scrapes(here: Premises) -> None:
    """A server asks agents on machines for their figures, each with the same question."""
    dice, watcher = here.dice, here.server()
    port = dice.choice(_SCRAPED)
    up, down = dice.count(60, 900), dice.count(200, 60_000)
    period = dice.wide(15, 300) * SECOND
    for device in dice.some(here.everyone(), 0.1, 0.7):
        absent = dice.chance(0.2)

        def scrape(at: int, device: Device = device, absent: bool = absent) -> None:
            if absent:
                here.refused(at, watcher, device, port)
            elif port == 161:
                here.datagrams(at, watcher, device, port, (up, down))
            else:
                here.call(at, watcher, device, port, (up, dice.size(down, 0.05)))

        here.every(scrape, period, 0.01)


def walks(here: Premises) -> None:
    """SNMP walks through printers and switches, of which some are no longer there."""
    dice, watcher = here.dice, here.server()
    asked: list[Device | bytes] = [*dice.some(here.everyone(), 0.1, 0.5)]
    asked += [here.dark() for _ in range(dice.count(1, 8))]
    questions = dice.count(4, 200)

    def walk(at: int) -> None:
        for device in asked:
            if isinstance(device, bytes):
                here.seeks(at, watcher, device)
            else:
                talk = Talk(2 * questions, 82, 96, dice.randrange(40, 95), 30)
                here.datagrams(at, watcher, device, 161, (82 * questions, 96 * questions),
                               questions * dice.count(2_000, 60_000), Shown(talk))  # fmt: skip

    here.every(walk, dice.wide(30, 900) * SECOND, 0.02)


def checks(here: Premises) -> None:
    """Is it up? Connections to a few services inside and outside, opened and closed at once."""
    dice, watcher = here.dice, here.server()
    period = dice.wide(20, 600) * SECOND
    inside = [
        (device, dice.choice(_CHECKED), dice.chance(0.25))
        for device in dice.some(here.everyone(), 0.1, 0.5)
    ]
    outside = [here.home(0.2) for _ in range(dice.count(1, 20))]

    def check(at: int) -> None:
        for device, port, down in inside:
            if down:
                here.refused(at, watcher, device, port)
            else:
                here.call(at, watcher, device, port, (0, 0), 30_000)
        for place in outside:
            here.call(at, watcher, place, 443, (620, 3000), 90000, shown=_PROBE)

    here.every(check, period, 0.01)


def line_checks(here: Premises) -> None:
    """A router or a server pings names and addresses outside, to know whether the line is up."""
    dice = here.dice
    watcher = here.server() if dice.chance(0.5) else here.ledger.gateway
    targets = [here.bare() for _ in range(dice.count(1, 4))]
    period = dice.wide(1, 60) * SECOND

    def check(at: int) -> None:
        for target in targets:
            if dice.chance(0.01):
                here.silence(at, watcher, target, 0, 1)
            else:
                here.ping(at, watcher, target)

    here.every(check, max(period, 10 * SECOND), 0.01)


def large_pings(here: Premises) -> None:
    """A line or a cable is watched by pings of a size that somebody chose; now and then somebody tests it by hand."""
    dice, watcher = here.dice, here.server()
    size = dice.choice((56, 256, 500, 1_000, 1_400, 1_472))
    goals: list[bytes] = [here.bare() if dice.chance(0.6) else here.pc().address
                          for _ in range(dice.count(1, 4))]  # fmt: skip
    number = dice.count(1, 20)

    def send(at: int, goal: bytes, number: int, gap: int) -> None:
        lasts = max((number - 1) * gap, 1_000)
        here.ledger.flow(at, Call(watcher.address, goal, 0, ICMP, 8), up=size * number, down=size * number,
                         last_us=lasts, shown=Shown(Talk(2 * number, size, size, 100, 1)))  # fmt: skip

    def watch(at: int) -> None:
        for goal in goals:
            at += dice.count(1, 9) * SECOND
            send(at, goal, number, SECOND)

    def test(at: int) -> None:
        gap = dice.choice((SECOND, SECOND, SECOND // 2, SECOND // 5, SECOND // 100))
        send(at, dice.choice(goals), int(dice.wide(5, 60) * SECOND) // gap, gap)

    here.every(watch, dice.wide(0.5, 10) * MINUTE, 0.02)
    here.every(test, dice.wide(30, 2_000) * HOUR, 1, between(8, 18))


def who_is_home(here: Premises) -> None:
    """Home automation looks for telephones by ARP and ping; at night they are not there."""
    dice = here.dice
    hub = here.adds("hub")
    phones = here.phones()
    here_by_day = between(8, 18, weekends=False)
    period = dice.wide(10, 120) * SECOND

    def look(at: int) -> None:
        for phone in phones:
            if here_by_day(at) and dice.chance(0.8):
                here.ledger.arp(at, hub, phone)
                here.ping(at, hub, phone)
            else:
                here.seeks(at, hub, phone.address, 1)

    here.every(look, period, 0.02)

"""Kitchens, receptions and shop floors: tickets, rooms, shelves, scales, orders from platforms."""

from __future__ import annotations

from functools import partial
from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import always, between
from dijkwacht_lab.traffic.habits.premises import Over, Pace, Premises
from dijkwacht_lab.traffic.programs import CLOUD, TLS_1_2, program
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, TCP, UDP, Device, Kind
from dijkwacht_records.hints import Speech
from dijkwacht_records.vocabulary import Alpn

_TABLET: Final = program("an order platform's tablet", Alpn.H2, quic=True, asks=2)
_LABELS: Final = program("a base of shelf labels", Alpn.NONE, TLS_1_2)


def kitchen_tickets(here: Premises) -> None:
    """Tills send tickets to kitchen printers and ask them for paper every few seconds; one is off until noon."""
    dice = here.dice
    tills = [here.adds("till", Kind.UNIX) for _ in range(dice.count(1, 4))]
    opens = between(dice.randrange(8, 17), dice.randrange(20, 24))
    period = dice.wide(2, 60) * SECOND

    def ask(at: int, printer: Device) -> None:
        here.call(at, tills[0], printer, 9100, (8, 4), 40_000)

    def cook(at: int, printer: Device) -> None:
        if dice.chance(0.02):
            for number in range(dice.count(1, 20)):
                here.refused(at + number * 3 * SECOND, tills[0], printer, 9100)
        here.call(at, dice.choice(tills), printer, 9100, (dice.size(1_500, 0.6), 0), SECOND)

    def off(at: int, address: bytes) -> None:
        here.seeks(at, tills[-1], address, dice.count(1, 5))

    for _ in range(dice.count(1, 4)):
        printer = here.adds("kitchen")
        if dice.chance(0.6):
            here.every(partial(ask, printer=printer), max(period, 8 * SECOND), 0.02, opens)
        here.every(partial(cook, printer=printer), dice.wide(0.5, 20) * MINUTE, 1, opens)
    if dice.chance(0.4):
        here.every(partial(off, address=here.dark()), dice.wide(5, 90) * SECOND, 0.05, opens)


def front_desk(here: Premises) -> None:
    """A hotel's program holds lines with telephones, locks, televisions and minibars, each with a word of life."""
    dice, server = here.dice, here.server()
    others = [
        here.adds(name, Kind.WINDOWS)
        for name in dice.some(("pbx", "locks", "tv", "minibar", "wifi"), 0.4)
    ]

    def link(at: int, other: Device, port: int, lasts: int) -> None:
        gap = int(dice.wide(15, 600) * SECOND)
        caller, called = (other, server) if port & 1 else (server, other)
        if dice.chance(0.1):
            for number in range(dice.count(1, 90)):
                here.refused(at + number * 10 * SECOND, caller, called, port)
            at += 15 * MINUTE
        shown = Shown(
            Talk(2 * lasts // gap, 26, 26, dice.randrange(40, 98), 60), speech=Speech.TEXT
        )
        here.keeps(at, caller, called, port, Pace(gap, lasts), (40, 40), shown=shown)

    def arrivals(at: int) -> None:
        for _ in range(dice.count(1, 60)):
            here.call(at, here.pc(), server, dice.choice((1433, 5010, 8080)), (900, 4_000), SECOND)
            at += dice.count(1, 90) * SECOND

    for other in others:
        lasts = here.holds(HOUR, 11 * HOUR)
        port = dice.randrange(5_000, 6_000)
        here.every(partial(link, other=other, port=port, lasts=lasts), lasts * 1.1, 0.05)
    here.every(arrivals, dice.wide(1, 12) * HOUR, 1, between(7, 23))


def shelf_labels(here: Premises) -> None:
    """Bases of shelf labels keep a line with their maker; at night all prices and pictures come, by the ten thousand."""
    dice = here.dice
    home = here.home(0.2)
    labels = dice.count(100, 20_000)
    gap, lasts = int(dice.wide(15, 120) * SECOND), here.holds(HOUR, 9 * HOUR)

    def keep(at: int, base: Device) -> None:
        said = Over(_LABELS, Shown(Talk(2 * lasts // gap, 46, 40, dice.randrange(50, 95), 30)))
        here.keeps(at, base, home, 443, Pace(gap, lasts), (120, 90), shown=said)

    def relabel(at: int, base: Device) -> None:
        for _ in range(dice.count(1, 40)):
            share = dice.size(labels * 1_500 / 20, 0.7)
            here.call(at, base, home, 443, (share // 9, share), 20 * SECOND, shown=_LABELS)
            at += dice.count(2, 200) * SECOND

    for _ in range(dice.count(1, 4)):
        base = here.adds("labels", Kind.UNIX)
        here.every(partial(keep, base=base), lasts * 1.01, 0)
        here.every(partial(relabel, base=base), DAY, 0.002)


def order_tablets(here: Premises) -> None:
    """A tablet of each delivery platform asks for orders every few seconds, all evening, and prints by Wi-Fi."""
    dice = here.dice
    printer = here.cast.printer or here.adds("receipts")
    opens = between(dice.randrange(10, 17), dice.randrange(21, 24))
    for _ in range(dice.count(1, 4)):
        tablet, home = here.adds("tablet", Kind.UNIX), here.place()
        up, down = dice.count(300, 1_800), dice.count(90, 2_500)
        held = dice.chance(0.5)
        gap = int(dice.wide(3, 60) * SECOND)

        def ask(
            at: int, tablet: Device = tablet, home: int = home, moved: tuple[int, int] = (up, down)
        ) -> None:
            here.call(at, tablet, home, 443, moved, 400_000, shown=_TABLET)

        def keep(at: int, tablet: Device = tablet, home: int = home, gap: int = gap) -> None:
            lasts = here.holds(10 * MINUTE, 3 * HOUR)
            said = Over(_TABLET, Shown(Talk(2 * lasts // gap, 31, 28, dice.randrange(60, 98), 20)))
            here.keeps(at, tablet, home, 443, Pace(gap, lasts), (38, 36), shown=said)

        def order(at: int, tablet: Device = tablet, home: int = home) -> None:
            here.call(at, tablet, home, 443, (2_500, dice.size(9_000)), SECOND, shown=_TABLET)
            here.call(at + 9 * SECOND, tablet, printer, 9100, (dice.size(4_000, 0.3), 30), SECOND)

        if held:
            here.every(keep, dice.wide(0.3, 3.2) * HOUR, 0.1, opens)
        else:
            here.every(ask, max(gap, 6 * SECOND), 0.03, opens)
        here.every(order, dice.wide(3, 90) * MINUTE, 1, opens)


def scales(here: Premises) -> None:
    """A back office fills scales with articles each night, and asks their sales by the hour; some are unplugged."""
    dice, server = here.dice, here.server()
    port = dice.choice((1001, 3001, 4001, 6000, 21, 1025))
    articles = dice.count(50, 6_000)
    all_scales = [here.adds("scale") for _ in range(dice.count(1, 6))]
    unplugged = [here.dark() for _ in range(dice.randrange(3))]

    def fill(at: int) -> None:
        for scale in all_scales:
            here.call(at, server, scale, port, (articles * 180, articles * 12), articles * 9_000)
            if port == 21:
                data = dice.randrange(1_024, 5_000)
                here.call(at + SECOND, scale, server, data, (articles * 30, 0), 9 * SECOND)
            at += dice.count(1, 200) * SECOND
        for address in unplugged:
            here.seeks(at, server, address, dice.count(1, 9))

    def ask(at: int) -> None:
        for scale in all_scales:
            here.call(at, server, scale, port, (60, dice.size(2_000)), SECOND)
            at += dice.count(100_000, 5_000_000)
        for address in unplugged:
            here.seeks(at, server, address, 3)

    here.every(fill, DAY, 0.003)
    here.every(ask, dice.wide(1, 120) * MINUTE, 0.02, dice.choice((always, between(7, 21))))


def footfall(here: Premises) -> None:
    """Counters over the doors send numbers by plain HTTP or FTP each quarter of an hour, all at the same second."""
    dice = here.dice
    home = here.home(0.4)
    port = dice.choice((80, 80, 443, 21, 8080))
    period = dice.choice((MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR))
    up = dice.count(200, 4_000)

    def tell(at: int, counter: Device) -> None:
        if dice.chance(0.02):
            here.silence(at, counter, home, port)
            return
        here.call(at, counter, home, port, (up, 180), SECOND, shown=CLOUD if port == 443 else None)
        if port == 21:
            data = dice.randrange(30_000, 60_000)
            here.call(at + 400_000, counter, home, data, (up, 0), SECOND // 3)

    def view(at: int) -> None:
        # Its maker's tool looks for counters by a broadcast that each answers.
        pc = here.pc()
        here.ledger.unanswered(at, pc.address, here.ledger.inside(255), 3702, UDP)
        here.call(at + SECOND, pc, counters[0], 80, (900, 30_000), 2 * SECOND)

    counters = [here.adds("counter") for _ in range(dice.count(1, 5))]
    for counter in counters:
        here.every(partial(tell, counter=counter), period, 0.0)
    here.every(view, dice.wide(9, 200) * HOUR, 1, between(8, 19))


def kiosks(here: Premises) -> None:
    """Screens at which customers order load their whole menu each morning, and speak with terminal and kitchen inside."""
    dice, server = here.dice, here.server()
    menu = dice.wide(1, 900) * 1e6
    port = dice.choice((80, 3000, 5000, 8080, 8081))
    opens = between(dice.randrange(7, 12), dice.randrange(18, 24))
    pulse, lasts = int(dice.wide(5, 60) * SECOND), here.holds(HOUR, 6 * HOUR)

    def load(at: int, kiosk: Device) -> None:
        for _ in range(dice.count(4, 80)):
            here.call(
                at,
                kiosk,
                here.place(),
                443,
                (1_500, dice.size(menu / 40)),
                4 * SECOND,
                shown=kiosk.browser,
            )
            at += dice.count(10_000, 3_000_000)

    def keep(at: int, kiosk: Device) -> None:
        shown = Shown(
            Talk(2 * lasts // pulse, 9, 7, dice.randrange(70, 99), 15), speech=Speech.HTTP
        )
        here.keeps(at, kiosk, server, port, Pace(pulse, lasts, TCP), (30, 20), shown=shown)

    def order(at: int, facts: tuple[Device, Device]) -> None:
        kiosk, terminal = facts
        here.call(at, kiosk, terminal, 20007, (400, 900), dice.count(5, 60) * SECOND)
        here.call(
            at, kiosk, server, port, (dice.size(2_000, 0.4), 800), SECOND, Shown(speech=Speech.HTTP)
        )

    for _ in range(dice.count(1, 4)):
        kiosk, terminal = here.adds("kiosk", Kind.UNIX), here.adds("pinpad")
        here.every(partial(load, kiosk=kiosk), DAY, 0.002)
        here.every(partial(keep, kiosk=kiosk), lasts * 1.01, 0)
        here.every(partial(order, facts=(kiosk, terminal)), dice.wide(1, 30) * MINUTE, 1, opens)

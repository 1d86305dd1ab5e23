"""The building itself: heating, doors, blinds, alarms, and whoever trades its power."""

from __future__ import annotations

from functools import partial
from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import between
from dijkwacht_lab.traffic.habits.premises import Over, Pace, Premises
from dijkwacht_lab.traffic.programs import TLS_1_2, program
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, TCP, UDP, Device, Kind
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.vocabulary import Alpn

_KNX: Final = V4_PREFIX + bytes((224, 0, 23, 12))
_AGGREGATOR: Final = program("an aggregator's box", Alpn.NONE, TLS_1_2, 8883)


def bacnet(here: Premises) -> None:
    """BACnet: who is there? is cried, each controller cries back, and a workstation reads them in turn."""
    dice = here.dice
    desk = dice.choice([here.server(), here.pc()])
    everyone = here.ledger.inside(255)
    boxes = [here.adds("ahu") for _ in range(dice.count(1, 8))]
    gone = [here.dark() for _ in range(dice.randrange(3))]
    gap, lasts = int(dice.wide(2, 120) * SECOND), here.holds(HOUR, 6 * HOUR)

    def cry(at: int) -> None:
        here.ledger.unanswered(at, desk.address, everyone, 47808, UDP)
        for box in boxes:
            at += dice.count(3_000, 400_000)
            here.ledger.unanswered(at, box.address, everyone, 47808, UDP)

    def read(at: int, box: Device) -> None:
        moved = dice.count(20, 400), dice.count(20, 1_200)
        talk = Talk(2 * lasts // gap, *moved, dice.randrange(60, 100), dice.randrange(3, 60))
        here.keeps(at, desk, box, 47808, Pace(gap, lasts, UDP), moved, shown=Shown(talk))

    def seek(at: int) -> None:
        for address in gone:
            here.seeks(at, desk, address, 1)

    here.every(cry, dice.wide(1, 120) * MINUTE, 0.02)
    here.every(seek, dice.wide(0.2, 20) * MINUTE, 0.05)
    for box in boxes:
        here.every(partial(read, box=box), lasts * 1.01, 0)


def knx(here: Premises) -> None:
    """KNX: a visualisation's tunnel by UDP, asked each minute whether it lives, and telegrams to a group."""
    dice = here.dice
    router, shows = here.adds("knx-ip"), here.server()
    lasts = here.holds()
    busy = dice.wide(0.3, 90) * SECOND

    def tunnel(at: int) -> None:
        gap = int(min(busy, 60 * SECOND))
        here.datagrams(at, shows, router, 3671, (26, 20))
        talk = Talk(2 * lasts // gap, 21, 10, dice.randrange(60, 98), dice.randrange(20, 200))
        pace = Pace(gap, lasts, UDP)
        here.keeps(at + 50_000, shows, router, 3671, pace, (21, 31), shown=Shown(talk))

    def tell(at: int) -> None:
        for _ in range(dice.count(1, 30)):
            here.ledger.unanswered(at, router.address, _KNX, 3671, UDP)
            at += dice.count(30_000, 3_000_000)

    here.every(tunnel, lasts * 1.003, 0)
    if dice.chance(0.5):
        here.every(tell, dice.wide(0.5, 30) * MINUTE, 1)


def doors(here: Premises) -> None:
    """Door controllers: one server asks each for its cards, all lists at night; one is on the other floor, off."""
    dice, server = here.dice, here.server()
    port = dice.choice((4370, 3001, 4050, 10001, 60000, 8000, dice.randrange(1_100, 60_000)))
    proto = UDP if port in {4370, 60000} else TCP
    period = dice.wide(2, 90) * SECOND
    cards = dice.count(20, 4_000)
    off = here.dark() if dice.chance(0.3) else None

    def ask(at: int, door: Device) -> None:
        if proto == UDP:
            here.datagrams(at, server, door, port, (dice.count(16, 70), dice.count(16, 90)))
        else:
            here.call(at, server, door, port, (40, dice.count(30, 90)), 60_000)

    def fill(at: int, door: Device) -> None:
        here.call(
            at, server, door, dice.choice((port, 80)), (cards * 40, cards * 8), cards * 20_000
        )

    for _ in range(dice.count(1, 8)):
        door = here.adds("door")
        here.every(partial(ask, door=door), max(period, 8 * SECOND), 0.01)
        here.every(partial(fill, door=door), DAY, 0.001)
    if off is not None:
        here.every(partial(_knock, here, server, off), dice.wide(10, 600) * SECOND, 0.05)


def _knock(here: Premises, who: Device, address: bytes, at: int) -> None:
    here.seeks(at, who, address)


def alarm_panel(here: Premises) -> None:
    """A burglar alarm shows two receivers of its centre that it lives, by bare address; now and then one is away."""
    dice = here.dice
    panel = here.adds("alarm")
    centres = [here.bare(), here.bare()]
    port = dice.randrange(1_024, 60_000) if dice.chance(0.7) else dice.choice((12345, 7700, 10001))
    proto = dice.choice((TCP, UDP))
    beat = dice.choice((10, 20, 30, 60, 90, 120, 180, 300)) * SECOND
    size = dice.count(40, 200)

    def live(at: int) -> None:
        if dice.chance(0.01):
            for number in range(dice.count(1, 12)):
                here.silence(at + number * 5 * SECOND, panel, centres[0], port, proto)
            at += MINUTE
        elif not dice.chance(0.2):
            _message(at, centres[0])
            return
        _message(at, centres[1])

    def _message(at: int, centre: bytes) -> None:
        if proto == UDP:
            here.datagrams(at, panel, centre, port, (size, size // 2))
        else:
            here.call(at, panel, centre, port, (size, size // 2), 200_000)

    def armed(at: int) -> None:
        for _ in range(dice.count(1, 6)):
            at += dice.count(1, 20) * SECOND
            here.call(at, panel, centres[0], port, (size + dice.count(10, 90), size), SECOND)

    here.every(live, max(beat, 15 * SECOND), 0.01)
    here.every(armed, dice.wide(4, 14) * HOUR, 1, between(6, 22))
    here.every(lambda at: here.call(at, panel, centres[1], port, (size, size)), DAY, 0.0)


def balancing(here: Premises) -> None:
    """A box that trades a battery's power: figures of the meter every few seconds, orders back, meters asked by Modbus."""
    dice = here.dice
    box, home = here.adds("ems", Kind.UNIX), here.home(0.2)
    gap, lasts = int(dice.choice((1, 2, 4, 5, 10)) * SECOND), here.holds(HOUR, 10 * HOUR)
    up, down = dice.count(60, 900), dice.count(4, 90)
    asked = [here.adds(name) for name in dice.some(("meter", "battery", "inverter", "heatpump"))]

    def trade(at: int) -> None:
        turns = Talk(2 * lasts // gap, up, down, dice.randrange(70, 100), dice.randrange(1, 25))
        said = Over(_AGGREGATOR, Shown(turns))
        here.keeps(at, box, home, 8883, Pace(gap, lasts), (up, down), shown=said)

    def read(at: int, other: Device) -> None:
        moved = 12 * dice.count(1, 6), dice.count(9, 250)
        turns = Talk(2 * lasts // gap, 12, moved[1], dice.randrange(60, 100), dice.randrange(1, 40))
        here.keeps(at, box, other, 502, Pace(gap, lasts), moved, shown=Shown(turns))

    here.every(trade, lasts * 1.001, 0)
    for other in asked:
        here.every(partial(read, other=other), lasts * 1.004, 0)


def lift_line(here: Premises) -> None:
    """A lift calls its maker every three days to see that it could, and tells its trips by the hour."""
    dice = here.dice
    lift, home = here.adds("lift"), here.bare()
    port = dice.choice((443, 8883, 5060, dice.randrange(1_024, 60_000)))
    trips = dice.wide(200, 60_000)

    def tell(at: int) -> None:
        size = dice.size(trips, 0.5)
        here.call(at, lift, home, port, (size, 300), 3 * SECOND)

    def speak(at: int) -> None:
        talk = int(dice.wide(5, 60) * SECOND)
        here.datagrams(at, lift, home, 5060, (1_400, 1_100), 2 * SECOND)
        rate = dice.choice((8_600, 4_300))  # a second each way
        moved = rate * (talk // SECOND), rate * (talk // SECOND)
        media = here.bare()
        here.datagrams(at + SECOND, lift, media, dice.randrange(10_000, 30_000), moved, talk)

    here.every(tell, dice.wide(0.2, 24) * HOUR, 0.01)
    here.every(speak, 3 * DAY, 0.001)

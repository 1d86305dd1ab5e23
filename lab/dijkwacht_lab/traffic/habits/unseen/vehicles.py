"""Cars, vans and what fills them: charge points, cars in the yard, films of journeys, a garage's testers."""

from __future__ import annotations

from functools import partial
from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import between
from dijkwacht_lab.traffic.habits.premises import Over, Pace, Premises
from dijkwacht_lab.traffic.programs import CLOUD, TLS_1_2, program
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, UDP, Device, Kind
from dijkwacht_records.hints import Speech
from dijkwacht_records.vocabulary import Alpn

_CHARGER: Final = program("a charge point", Alpn.HTTP_1_1, TLS_1_2)
_CAR: Final = program("a car", Alpn.NONE, asks=2)
_MB: Final = 1_000_000


def charge_points(here: Premises) -> None:
    """OCPP: a socket held with the operator, in the clear or not; figures by the minute while somebody charges; backs off when lost."""
    dice = here.dice
    home = here.home(0.3)
    port = dice.choice((80, 443, 443, 8080, 9000, dice.randrange(1_024, 60_000)))
    secret = port == 443
    pulse = dice.choice((30, 60, 240, 300, 600, 900)) * SECOND
    meter = dice.choice((10, 30, 60, 60, 300)) * SECOND
    main = here.adds("charger", Kind.UNIX)
    others = [here.adds("charger", Kind.UNIX) for _ in range(dice.randrange(4))]

    def keep(at: int, box: Device, lasts: int) -> None:
        if dice.chance(0.15):
            wait = 5 * SECOND
            for _ in range(dice.count(2, 9)):
                here.silence(at, box, home, port)
                at += wait
                wait *= 2
        gap = meter if dice.chance(0.4) else pulse
        turns = Talk(2 * lasts // gap, 90, 70, dice.randrange(50, 98), dice.randrange(2, 60))
        shown = Shown(turns, speech=Speech.NOTHING if secret else Speech.HTTP)
        moved = (dice.count(60, 900), dice.count(30, 90))
        here.keeps(
            at,
            box,
            home,
            port,
            Pace(gap, lasts),
            moved,
            shown=Over(_CHARGER if secret else None, shown),
        )

    def share(at: int, box: Device) -> None:
        # The main one shares out what the fuse allows.
        here.call(at, main, box, 502, (12, 60), 90_000)

    def firmware(at: int) -> None:
        size = int(dice.wide(2, 400) * _MB)
        for box in [main, *others]:
            here.call(
                at, box, here.place(), dice.choice((21, 80, 80, 8080)), (900, size), 90 * SECOND
            )
            at += dice.count(1, 900) * SECOND

    for box in [main, *others]:
        lasts = here.holds(HOUR, 11 * HOUR)
        here.every(partial(keep, box=box, lasts=lasts), lasts * 1.02, 0.01)
    for box in others:
        here.every(partial(share, box=box), dice.wide(10, 120) * SECOND, 0.02)
    here.every(firmware, dice.wide(3, 60) * DAY, 1)


def cars_at_home(here: Premises) -> None:
    """Cars come into the yard's wireless network in the evening, send what they drove, and fetch maps and programs by night."""
    dice = here.dice
    home, files_home = here.home(0.2), here.place()
    seeker = here.server()
    drove, maps = dice.wide(0.1, 3_000) * _MB, dice.wide(20, 9_000) * _MB

    def come(at: int, car: Device) -> None:
        here.ledger.lease(at, car, arrives=True)
        here.ledger.arp(at + SECOND, car, here.ledger.gateway)
        at += dice.count(2, 90) * SECOND
        volume = dice.size(drove, 0.8)
        here.call(at, car, home, 443, (volume, volume // 90), SECOND + volume // 2, shown=_CAR)
        for _ in range(dice.count(1, 20)):
            at += dice.count(10, 1_800) * SECOND
            here.call(
                at, car, home, dice.choice((443, 443, 8883)), (1_900, 900), 2 * SECOND, shown=_CAR
            )

    def fetch(at: int, car: Device) -> None:
        for _ in range(dice.count(1, 12)):
            volume = dice.size(maps / 6)
            here.call(
                at, car, files_home, 443, (volume // 150, volume), SECOND + volume // 4, shown=_CAR
            )
            at += dice.count(1, 300) * SECOND

    def asleep(at: int, car: Device) -> None:
        here.seeks(at, seeker, car.address, 2)

    for _ in range(dice.count(1, 5)):
        car = here.adds("car", Kind.UNIX)
        here.every(partial(come, car=car), dice.wide(5, 30) * HOUR, 0.4, between(6, 22))
        here.every(partial(fetch, car=car), dice.wide(1, 30) * DAY, 1, between(21, 6))
        if dice.chance(0.3):
            here.every(partial(asleep, car=car), dice.wide(1, 30) * MINUTE, 0.1)


def films_of_journeys(here: Premises) -> None:
    """Vans come back at the same hour, and each gives its day's film and its driver's hours to a box, which sends all out."""
    dice = here.dice
    box, home = here.server(), here.home(0.4)
    port = dice.choice((443, 443, 21, 22, 9000, dice.randrange(1_024, 60_000)))
    film = dice.wide(5, 9_000) * _MB
    vans = [here.adds("van", Kind.UNIX) for _ in range(dice.count(1, 8))]
    back = dice.randrange(14, 20)
    directly = dice.chance(0.5)

    def come(at: int) -> None:
        for van in vans:
            begun = at + dice.count(1, 3_000) * SECOND
            here.ledger.lease(begun, van, arrives=True)
            volume = dice.size(film, 0.5)
            lasts = 2 * SECOND + volume // 5
            if directly:
                said = CLOUD if port == 443 else None
                here.call(
                    begun + 9 * SECOND, van, home, port, (volume, volume // 200), lasts, shown=said
                )
            else:
                here.call(
                    begun + 9 * SECOND,
                    van,
                    box,
                    dice.choice((21, 22, 8080)),
                    (volume, volume // 90),
                    lasts,
                )
                here.call(
                    begun + 9 * SECOND + lasts,
                    box,
                    home,
                    443,
                    (volume, volume // 200),
                    lasts,
                    shown=CLOUD,
                )

    def hours(at: int) -> None:
        for _ in vans:
            here.call(at, box, home, 443, (dice.size(60_000, 0.3), 900), SECOND, shown=CLOUD)
            at += dice.count(1, 60) * SECOND

    here.every(come, HOUR, 0.05, between(back, back + 1, weekends=False))
    here.every(hours, dice.choice((DAY, 7 * DAY)), 0.01)


def diagnosis(here: Premises) -> None:
    """A garage's tester looks for a car by broadcast, speaks with it for an hour, and asks the maker for each step."""
    dice = here.dice
    tester, maker = here.adds("tester", Kind.WINDOWS), here.home(0.1)
    cars = [here.ledger.inside(here.cast.take()) for _ in range(dice.count(1, 4))]
    gap = int(dice.wide(0.3, 9) * SECOND)
    image = dice.wide(0.2, 2_000) * _MB

    def test(at: int) -> None:
        car = Device(dice.choice(cars), here.ledger.new_mac(), "", Kind.UNIX)
        here.ledger.join(car)
        here.ledger.lease(at, car, arrives=True)
        for number in range(dice.count(3, 40)):
            here.ledger.unanswered(
                at + number * SECOND // 2, tester.address, here.ledger.inside(255), 13400, UDP
            )
        for number in range(3):
            here.ledger.unanswered(
                at + number * SECOND // 2, car.address, here.ledger.inside(255), 13400, UDP
            )
        at += 30 * SECOND
        lasts = int(dice.wide(2, 150) * MINUTE)
        turns = Talk(2 * lasts // gap, 14, 20, dice.randrange(40, 95), 120)
        here.keeps(at, tester, car, 13400, Pace(gap, lasts), (20, 60), shown=Shown(turns))
        until = at + lasts
        while at < until:
            here.call(
                at, tester, maker, 443, (dice.size(3_000), dice.size(9_000)), SECOND, shown=CLOUD
            )
            at += dice.count(5, 400) * SECOND
        if dice.chance(0.2):
            volume = dice.size(image)
            here.call(at, tester, maker, 443, (volume // 100, volume), 60 * SECOND, shown=CLOUD)
            here.call(at + MINUTE, tester, car, 13400, (volume, volume // 90), 10 * MINUTE)

    here.every(test, dice.wide(0.5, 20) * HOUR, 1, between(7, 18, weekends=False))

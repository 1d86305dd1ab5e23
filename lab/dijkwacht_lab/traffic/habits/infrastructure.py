"""Access points, switches and routers that report to whoever manages them."""

from __future__ import annotations

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habits.premises import Pace, Premises, Where
from dijkwacht_lab.traffic.site import HOUR, MINUTE, SECOND, TCP, UDP, Device, Kind
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.hints import Speech


def informs(here: Premises) -> None:
    """Each access point posts its state every few seconds to a controller, inside or at a bare address."""
    dice = here.dice
    outside = dice.chance(0.6)
    controller = here.bare() if outside else here.server()
    port = dice.choice((8080, 8080, 8880, 8443, 443, 3799))
    gap = dice.wide(5, 60) * SECOND
    up, down = dice.count(900, 12_000), dice.count(120, 900)
    spread = dice.choice((0.005, 0.03, 0.1))
    lost = dice.uniform(0, 0.05)
    for _ in range(dice.count(1, 5)):
        point = here.adds("ap", Kind.UNIX)

        def inform(at: int, point: Device = point) -> None:
            if dice.chance(lost):
                here.silence(at, point, controller, port)
            else:
                here.call(at, point, controller, port, (dice.size(up, 0.05), down), 90_000,
                          Shown(speech=Speech.HTTP))  # fmt: skip

        here.every(inform, max(gap, 10 * SECOND), spread)


def cloud_managed(here: Premises) -> None:
    """A switch keeps one connection or one exchange of datagrams with its cloud, at a port of the maker's."""
    dice = here.dice
    gap = int(dice.wide(8, 60) * SECOND)
    proto = dice.choice((UDP, UDP, TCP))
    port = dice.choice((7351, 7734, 29810, 29814, 16384, 9543, 10000, 2083, 6633))
    up, down = dice.count(30, 600), dice.count(20, 300)
    for _ in range(dice.count(1, 6)):
        switch, home, lasts = (
            here.adds("switch", Kind.APPLIANCE),
            here.home(0.8),
            here.holds(HOUR, 12 * HOUR),
        )
        alike, spread = dice.randrange(60, 101), dice.randrange(0, 25)

        def report(
            at: int,
            switch: Device = switch,
            home: Where = home,
            how: tuple[int, int, int] = (lasts, alike, spread),
        ) -> None:
            lasts, alike, spread = how
            talk = Talk(2 * lasts // gap, up, down, alike, spread)
            here.keeps(
                at, switch, home, port, Pace(gap, lasts, proto), (up, down), shown=Shown(talk)
            )

        here.every(report, lasts, 0)


def gateway_reports(here: Premises) -> None:
    """The router itself reports to the provider: management, flow records, logs, all unasked."""
    dice, gateway = here.dice, here.ledger.gateway
    home = here.bare()
    port = dice.choice((7547, 2055, 9995, 514, 6343, 51005))
    proto = TCP if port == 7547 else UDP

    def report(at: int) -> None:
        size = dice.size(9_000, 1)
        if proto == TCP:
            here.call(at, gateway, home, port, (size, 900), SECOND)
        else:
            for number in range(dice.count(1, 20)):
                here.ledger.unanswered(at + number * SECOND, gateway.address, home, port, UDP)

    here.every(report, dice.wide(20, 3_600) * SECOND, 0.05)


def wireless_sign_in(here: Premises) -> None:
    """RADIUS: each telephone that comes into the wireless network is asked for, some refused time and again."""
    dice, server = here.dice, here.server()
    point = here.adds("ap", Kind.UNIX)

    def admit(at: int) -> None:
        rounds = dice.count(1, 14)
        here.datagrams(at, point, server, 1812, (260 * rounds, 180 * rounds), 30_000 * rounds)
        here.datagrams(at + SECOND, point, server, 1813, (300, 60))

    here.every(admit, dice.wide(10, 1_800) * SECOND, 1)


def discovery_shouts(here: Premises) -> None:
    """Access points look for a controller: broadcasts, names that do not exist, the address of a factory's default."""
    dice = here.dice
    everyone = here.ledger.inside(255)
    default = V4_PREFIX + bytes((192, 168, 1, 20))
    for _ in range(dice.count(1, 6)):
        point = here.adds("ap", Kind.UNIX)
        port = dice.choice((10001, 29810, 5246, 12222, 1900))

        def shout(at: int, point: Device = point, port: int = port) -> None:
            here.ledger.unanswered(at, point.address, everyone, port, UDP)
            if dice.chance(0.3):
                at = here.ledger.ask(
                    at, point, dice.choice(("unifi", "omada", "capwap-controller")), 1, 3, 0
                )
                here.silence(at, point, default, 8080)

        here.every(shout, dice.wide(5, 300) * SECOND, 0.05)


def searching_router(here: Premises) -> None:
    """The router looks for every address that it has ever given, once and again: ARP by the dozen."""
    dice, gateway = here.dice, here.ledger.gateway
    numbers = [here.cast.take() for _ in range(dice.count(3, 60))]
    gap = int(dice.wide(500, 300_000))

    def look(at: int) -> None:
        for device in here.everyone():
            here.ledger.arp(at, gateway, device)
            at += gap
        for number in numbers:
            here.seeks(at, gateway, here.ledger.inside(number), dice.count(1, 3))
            at += gap

    here.every(look, dice.wide(0.5, 60) * MINUTE, 0.1)

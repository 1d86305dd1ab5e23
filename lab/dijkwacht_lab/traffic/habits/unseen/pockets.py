"""Telephones, tablets, handhelds and what Apple's and Google's machines do among themselves."""

from __future__ import annotations

from functools import partial
from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import always, between
from dijkwacht_lab.traffic.habits.premises import Over, Pace, Premises
from dijkwacht_lab.traffic.programs import CLOUD, PUSH, TELEPHONES, program, unnamed
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, UDP, Device, Kind
from dijkwacht_records.hints import Speech
from dijkwacht_records.vocabulary import Alpn

_DAYTIME: Final = between(7, 20)
_NEAR: Final = unnamed(
    program("telephones among themselves", Alpn.NONE), "telephones among themselves"
)
_SCANNER: Final = program("a handheld", Alpn.HTTP_1_1)
_SEALED: Final = Shown(speech=Speech.TLS)
_MB: Final = 1_000_000


def relayed(here: Premises) -> None:
    """A telephone's private relay: all it reads goes to a few addresses by QUIC, for hours, and to TCP when that is shut."""
    dice = here.dice
    for phone in here.phones():
        relays = [here.home(0.3) for _ in range(dice.count(1, 4))]
        shut = dice.uniform(0, 0.3)

        def read(
            at: int,
            phone: Device = phone,
            relays: list[int | bytes | Device] = relays,
            shut: float = shut,
        ) -> None:
            relay = dice.choice(relays)
            lasts = int(dice.wide(0.2, 90) * MINUTE)
            seconds = lasts // SECOND
            down = dice.size(9_000 * seconds, 1.3)
            if dice.chance(shut):
                for _ in range(dice.count(1, 6)):
                    here.silence(at, phone, relay, 443, UDP)
                    at += 2 * SECOND
                here.call(at, phone, relay, 443, (down // 9, down), lasts, shown=TELEPHONES[0])
                return
            turns = Talk(seconds + 9, 90, 1_200, 30, 200)
            shown = Shown(turns, speech=Speech.QUIC)
            here.datagrams(at, phone, relay, 443, (down // 9 + 1_300, down), lasts, shown)

        here.every(read, dice.wide(2, 60) * MINUTE / here.rate, 1, _DAYTIME)


def sleep_proxy(here: Premises) -> None:
    """A loudspeaker or television answers ARP for Macs that sleep, and lets go when they wake: one address, two machines by turns."""
    dice = here.dice
    proxy = here.adds("homepod", Kind.APPLE)
    macs = [here.adds("mac", Kind.APPLE) for _ in range(dice.count(1, 3))]
    period = dice.wide(1, 8) * HOUR
    askers = [here.ledger.gateway, *here.phones()]

    def sleep(at: int, mac: Device) -> None:
        stands_in = Device(mac.address, proxy.mac, mac.name)
        until = at + int(period * dice.uniform(0.1, 0.6))
        here.datagrams(at, mac, proxy, 5353, (dice.count(300, 1_400), 90))
        here.ledger.arp(at + SECOND, stands_in, stands_in, answered=False)
        while (at := at + int(dice.wide(0.5, 40) * MINUTE)) < until:
            here.ledger.arp(at, dice.choice(askers), stands_in)
            here.ledger.announce(at + 90_000, proxy, f"{mac.name}.local")
        here.ledger.arp(until + SECOND, mac, mac, answered=False)
        at = until + 2 * SECOND
        here.ledger.arp(at, mac, here.ledger.gateway)
        for _ in range(dice.count(3, 40)):
            at += dice.count(20_000, 20_000_000)
            here.call(
                at,
                mac,
                here.ledger.place(),
                443,
                (1_900, dice.size(20_000)),
                2 * SECOND,
                shown=mac.browser,
            )

    for mac in macs:
        here.every(partial(sleep, mac=mac), period, 0.3)


def near(here: Premises) -> None:
    """Telephones, tablets and Macs of one owner call each other at high ports whenever one wakes; those that sleep do not answer."""
    dice = here.dice
    mine = [*here.phones(), *dice.some(here.cast.pcs, 0.1, 0.5), here.adds("tablet", Kind.APPLE)]
    ports = {device.address: dice.randrange(49_152, 65_535) for device in mine}
    asleep = dice.uniform(0.1, 0.8)

    def wake(at: int) -> None:
        one = dice.choice(mine)
        for name in (
            "_companion-link._tcp.local",
            "_airplay._tcp.local",
            "_remotepairing._tcp.local",
        ):
            here.ledger.shout(at, one, name, 5353)
        for other in mine:
            if other is one:
                continue
            if dice.chance(asleep):
                here.silence(at, one, other.address, ports[other.address])
                continue
            if dice.chance(0.1):
                ports[other.address] = dice.randrange(49_152, 65_535)
            lasts = int(dice.wide(1, 300) * SECOND)
            moved = dice.size(2_000), dice.size(3_000)
            port = dice.choice((7000, ports[other.address], ports[other.address]))
            here.call(
                at + SECOND,
                one,
                other,
                port,
                moved,
                lasts,
                shown=Over(_NEAR, _SEALED) if dice.chance(0.5) else None,
            )
            at += dice.count(10_000, 3_000_000)

    here.every(wake, dice.wide(1, 60) * MINUTE, 1, _DAYTIME)


def store_inside(here: Premises) -> None:
    """A Mac keeps programs for all: on the day of an update telephones and tablets draw gigabytes from its high port."""
    dice = here.dice
    store = here.adds("mini", Kind.APPLE)
    port, home = dice.randrange(49_152, 65_535), here.place()
    size = dice.wide(10, 6_000) * _MB
    all_day = dice.chance(0.4)
    phones = here.phones()

    def draw(at: int) -> None:
        for device in [*phones, *dice.some(here.cast.pcs, 0, 0.3)]:
            begun = at + dice.count(1, 7_000) * SECOND
            for _ in range(dice.count(1, 12)):
                volume = dice.size(size / 5)
                shown = Shown(speech=Speech.HTTP)
                here.call(
                    begun,
                    device,
                    store,
                    port,
                    (volume // 800, volume),
                    SECOND + volume // 20,
                    shown,
                )
                begun += dice.count(1, 60) * SECOND
        here.call(at, store, home, 443, (90_000, int(size)), 90 * SECOND, shown=CLOUD)

    def register(at: int) -> None:
        here.call(at, store, home, 443, (1_900, 1_200), SECOND, shown=CLOUD)

    here.every(draw, dice.wide(10, 170) * HOUR, 1, always if all_day else _DAYTIME)
    here.every(register, dice.choice((5, 15, 60)) * MINUTE, 0.02)


def handhelds(here: Premises) -> None:
    """Scanners in a store roam: a terminal's connection or short questions, begun anew at each corner, and addresses asked again."""
    dice, server = here.dice, here.server()
    port = dice.choice((23, 23, 4020, 8080, 443, 1433))
    corners = dice.wide(0.5, 40) * MINUTE
    shift = between(dice.randrange(5, 9), dice.randrange(15, 23), weekends=dice.chance(0.4))

    def walk(at: int, one: Device) -> None:
        lasts = int(dice.expovariate(1 / corners)) + 5 * SECOND
        if dice.chance(0.3):
            here.ledger.lease(at, one, arrives=dice.chance(0.3))
            here.ledger.arp(at + SECOND, one, here.ledger.gateway)
        if dice.chance(0.1):
            for number in range(dice.count(1, 5)):
                here.refused(at + number * 2 * SECOND, one, server, port)
        scans = max(lasts // int(dice.wide(2, 40) * SECOND), 1)
        if port in {23, 4020}:
            turns = Talk(2 * scans + 8, 14, 400, 30, 180)
            here.call(
                at + 2 * SECOND,
                one,
                server,
                port,
                (16 * scans + 90, 500 * scans),
                lasts,
                Shown(turns, speech=Speech.TEXT, resp_first=True),
            )
            return
        for _ in range(min(scans, 60)):
            said = Over(_SCANNER if port == 443 else None, Shown())
            here.call(
                at + 2 * SECOND, one, server, port, (700, dice.size(1_200, 0.3)), 200_000, said
            )
            at += lasts // min(scans, 60)

    for _ in range(dice.count(1, 6)):
        one = here.adds("handheld", Kind.UNIX)
        here.every(partial(walk, one=one), corners * 1.1, 0.5, shift)


def rolled_out(here: Premises) -> None:
    """New tablets are set up in one afternoon: each asks the same dozens of places and draws the same programs at once."""
    dice = here.dice
    places = [here.place() for _ in range(dice.count(8, 60))]
    size = dice.wide(50, 8_000) * _MB
    phones = here.phones()
    seats = [here.dark() for _ in range(dice.count(2, 12))]

    def set_up(at: int) -> None:
        for seat in seats:
            kind = dice.choice((Kind.APPLE, Kind.UNIX))
            tablet = here.ledger.join(Device(seat, here.ledger.new_mac(), "tablet", kind))
            begun = at + dice.count(1, 3_600) * SECOND
            here.ledger.lease(begun, tablet, arrives=True)
            for place in places:
                volume = dice.size(size / len(places), 1.3)
                here.call(
                    begun,
                    tablet,
                    place,
                    443,
                    (2_400, volume),
                    SECOND + volume // 9,
                    shown=TELEPHONES[0],
                )
                begun += dice.count(20_000, 20_000_000)

    def check(at: int) -> None:
        for phone in phones:
            here.call(
                at,
                phone,
                places[0],
                443,
                (dice.size(4_000), 2_500),
                2 * SECOND,
                shown=TELEPHONES[1],
            )
            at += dice.count(1, 200) * SECOND

    for moment in here.moments(1, 1):
        here.once(set_up, moment)
    here.every(check, dice.choice((HOUR, 4 * HOUR, DAY)), 0.1)


def watches(here: Premises) -> None:
    """Watches and trackers come into the wireless network to be charged: a night's figures, music, a new system, then silence."""
    dice = here.dice
    home = here.place()
    lasts = here.holds(10 * MINUTE, 5 * HOUR)

    def charge(at: int, watch: Device) -> None:
        here.ledger.lease(at, watch, arrives=True)
        for _ in range(dice.count(2, 30)):
            here.call(
                at,
                watch,
                dice.choice((home, here.place())),
                443,
                (dice.size(20_000), 3_000),
                SECOND,
                shown=TELEPHONES[0],
            )
            at += dice.count(1, 300) * SECOND
        if dice.chance(0.2):
            volume = int(dice.wide(5, 900) * _MB)
            here.call(
                at,
                watch,
                here.place(),
                443,
                (volume // 90, volume),
                3 * MINUTE,
                shown=TELEPHONES[0],
            )
        here.keeps(
            at, watch, home, 5223, Pace(5 * MINUTE, lasts), (90, 90), shown=Over(PUSH, _SEALED)
        )

    for _ in range(dice.count(1, 4)):
        watch = here.adds("watch", Kind.APPLE)
        here.every(partial(charge, watch=watch), dice.wide(8, 40) * HOUR, 0.4)

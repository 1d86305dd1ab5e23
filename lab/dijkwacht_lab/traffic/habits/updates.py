"""New versions of everything: from peers, from a server of the office, by torrent."""

from __future__ import annotations

from dijkwacht_lab.traffic.facts import Shown
from dijkwacht_lab.traffic.habit import between, switched_on
from dijkwacht_lab.traffic.habits.premises import Premises
from dijkwacht_lab.traffic.programs import UPDATER
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, UDP, Device
from dijkwacht_records.hints import Speech


def peers(here: Premises) -> None:
    """PCs get parts of updates from each other at 7680, and try peers outside that do not answer."""
    dice = here.dice
    pcs = here.pcs(0.5)
    strangers = dice.count(1, 60)

    def fetch(at: int) -> None:
        pc = dice.choice(pcs)
        for other in here.cast.pcs:
            if other is pc:
                continue
            if dice.chance(0.5):
                here.call(at, pc, other, 7680, (900, dice.size(900_000, 2)), 3 * SECOND)
            elif dice.chance(0.5):
                here.refused(at, pc, other, 7680)
            else:
                here.silence(at, pc, other, 7680)
        for _ in range(dice.count(1, strangers)):
            at += dice.count(1_000, 3_000_000)
            here.silence(at, pc, here.bare(), 7680)

    here.every(fetch, dice.wide(1, 40) * HOUR / len(pcs), 1, switched_on(0, at_night=True))


def office_updates(here: Premises) -> None:
    """A server of the office hands updates out: every PC asks, all of them on the day of the month."""
    dice, server = here.dice, here.server()
    port = dice.choice((8530, 8531, 3142, 2221, 7074, 8014, 8080))
    speech = Speech.TLS if port == 8531 else Speech.HTTP
    period = dice.wide(0.1, 22) * HOUR
    for pc in here.pcs(0.7):

        def ask(at: int, pc: Device = pc) -> None:
            for _ in range(dice.count(1, 8)):
                down = dice.size(4_000, 2.5)
                here.call(at, pc, server, port, (900, down), 1 + down // 8, Shown(speech=speech))
                at += SECOND

        here.every(ask, period, 0.2, switched_on(0, at_night=dice.chance(0.2)))


def torrents(here: Premises) -> None:
    """A game or a system's image comes from hundreds of peers, of whom half do not answer."""
    dice = here.dice
    pc = here.pc()
    peers_an_hour = dice.count(100, 3_000)
    port = dice.randrange(6_881, 60_000)
    mb = dice.wide(0.05, 30)

    def download(at: int) -> None:
        lasts = int(dice.wide(10, 240) * MINUTE)
        wanted = peers_an_hour * lasts // HOUR + 1
        for _ in range(min(wanted, 6_000)):
            begun = at + int(dice.random() * lasts)
            peer, own = (
                here.bare(),
                dice.choice((port, 6_881, 51_413, dice.randrange(1_024, 65_535))),
            )
            fate = dice.random()
            if fate < 0.45:
                here.silence(begun, pc, peer, own, dice.choice((UDP, UDP, 6)))
            elif fate < 0.55:
                here.refused(begun, pc, peer, own)
            elif fate < 0.85:
                here.datagrams(begun, pc, peer, own, (110, 300), 90_000)
            else:
                here.call(
                    begun, pc, peer, own, (20_000, dice.size(mb * 1e6)), dice.count(5, 500) * SECOND
                )

    here.every(download, dice.wide(12, 150) * HOUR, 1, between(7, 24))


def patch_day(here: Premises) -> None:
    """All PCs fetch large updates within the same hours, from a content network's many machines."""
    dice = here.dice
    volume = dice.wide(100, 4_000) * 1e6

    def fetch(at: int) -> None:
        for pc in here.pcs(0.7):
            begun = at + int(dice.random() * HOUR)
            for _ in range(dice.count(2, 20)):
                size = dice.size(volume / 8, 0.8)
                here.call(begun, pc, here.place(), 443, (4000, size), 1 + size // 20, shown=UPDATER)
                begun += dice.count(1, 40) * SECOND

    here.every(fetch, 7 * DAY, 0.02)


def packages(here: Premises) -> None:
    """A Linux machine asks its mirrors for news by plain HTTP, at hours of its own."""
    dice = here.dice
    server = here.server()
    mirrors = [here.place() for _ in range(dice.count(1, 6))]

    def update(at: int) -> None:
        for mirror in mirrors:
            for _ in range(dice.count(1, 10)):
                here.call(at, server, mirror, 80, (300, dice.size(30_000, 2)), 500_000)
                at += 300_000

    here.every(update, dice.wide(1, 24) * HOUR, 0.3)

"""Power and great days: supplies that tell, machines that sleep, new servers, new PCs, restored files, moved mail."""

from __future__ import annotations

from functools import partial
from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk, files, session, tree
from dijkwacht_lab.traffic.habit import between
from dijkwacht_lab.traffic.habits.premises import Over, Pace, Premises
from dijkwacht_lab.traffic.programs import BACKUP, CLOUD, MAIL, UPDATER
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, Device, Kind
from dijkwacht_records.hints import Speech
from dijkwacht_records.vocabulary import AuthMethod, ShareKind

_MB: Final = 1_000_000
_OFFICE_HOURS: Final = between(8, 18, weekends=False)


def supply_watch(here: Premises) -> None:
    """Machines ask a power supply every few seconds how it is; in a dip it tells them all at once, by datagrams and mail."""
    dice = here.dice
    supply = here.adds("ups")
    asked = dice.choice((3493, 3551, 161, 80, 6547))
    gap = int(dice.wide(2, 60) * SECOND)
    held = asked == 3493 or dice.chance(0.3)
    lasts = here.holds(HOUR, 11 * HOUR)
    watchers = dice.some(here.everyone(), 0.1, 0.4)
    watchers = [device for device in watchers if device is not supply][:8] or [here.pc()]

    def keep(at: int, one: Device) -> None:
        turns = Talk(2 * lasts // gap, 22, 34, dice.randrange(80, 100), dice.randrange(1, 25))
        here.keeps(
            at,
            one,
            supply,
            asked,
            Pace(gap, lasts),
            (22, 36),
            shown=Shown(turns, speech=Speech.TEXT),
        )

    def ask(at: int, one: Device) -> None:
        if asked == 161:
            here.datagrams(at, one, supply, 161, (90, 110))
        else:
            here.call(at, one, supply, asked, (30, 900), 60_000)

    def dip(at: int) -> None:
        for one in watchers:
            for number in range(dice.count(1, 5)):
                here.pours(at + number * 5 * SECOND, supply, one.address, 162, Pace(SECOND, 1), 140)
        here.call(at, supply, here.place(), 25, (1_200, 400), 2 * SECOND)

    act, period = (keep, lasts * 1.002) if held else (ask, max(gap, 12 * SECOND))
    for one in watchers:
        here.every(partial(act, one=one), period, 0.0 if held else 0.01)
    here.every(dip, dice.wide(0.3, 20) * DAY, 1)


def sleepers(here: Premises) -> None:
    """PCs that sleep wake by themselves every hour or two, at night too, fetch mail and news for a minute, and sleep again."""
    dice = here.dice
    period = dice.wide(0.3, 4) * HOUR
    for pc in here.pcs(0.2, 0.8):
        places = [here.place() for _ in range(dice.count(1, 12))]

        def wake(at: int, pc: Device = pc, places: list[int] = places) -> None:
            here.ledger.lease(at, pc, arrives=False)
            here.ledger.arp(at + 90_000, pc, here.ledger.gateway)
            for place in places:
                at += dice.count(5_000, 3_000_000)
                here.call(
                    at,
                    pc,
                    place,
                    443,
                    (dice.size(1_800, 0.4), dice.size(5_000)),
                    SECOND,
                    shown=UPDATER,
                )

        here.every(wake, period, dice.choice((0.005, 0.1)), between(18, 8))


def generator_trial(here: Premises) -> None:
    """Once a week the emergency power is tried: switches drop for seconds, everybody's connections begin anew together."""
    dice = here.dice
    panel, home = here.adds("generator"), here.home(0.5)
    gap, lasts = int(dice.wide(5, 300) * SECOND), here.holds()

    def tell(at: int) -> None:
        here.keeps(
            at,
            panel,
            home,
            dice.choice((502, 1883, 5000)),
            Pace(gap, lasts),
            (dice.count(30, 300), 20),
        )

    def trial(at: int) -> None:
        for _ in range(2):  # over, and half an hour later back
            for device in here.everyone():
                begun = at + dice.count(1, 90) * SECOND
                if dice.chance(0.5):
                    here.ledger.lease(begun, device, arrives=dice.chance(0.3))
                here.ledger.arp(begun + SECOND, device, here.ledger.gateway)
                for _ in range(dice.count(1, 9)):
                    begun += dice.count(20_000, 5_000_000)
                    here.call(begun, device, here.place(), 443, (900, 4_000), SECOND, shown=CLOUD)
            at += int(dice.wide(2, 60) * MINUTE)

    here.every(tell, lasts * 1.002, 0)
    here.every(trial, 7 * DAY, 0.0)


def new_server(here: Premises) -> None:
    """Everything is copied from the old server to the new for days; then PCs that still seek the old one are refused."""
    dice, old = here.dice, here.server()
    new = here.adds("newserver", Kind.WINDOWS)
    pcs = here.pcs(0.3, 1.0)
    volume = int(dice.wide(2_000, 900_000) * _MB)
    mirror = dice.chance(0.5)

    def copy(at: int) -> None:
        lasts = int(dice.wide(0.2, 8) * HOUR)
        count = volume // 900_000 + 20
        told = [
            *session(9_000, AuthMethod.KERBEROS, ""),
            tree(20_000, ShareKind.DRIVE if mirror else ShareKind.OTHER, count=2),
        ]
        told += [
            files(lasts * number // 6, ShareKind.DRIVE if mirror else ShareKind.OTHER, creates=count // 3,
                  reads=(count // 3, volume // 6)) for number in range(1, 6)
        ]  # fmt: skip
        here.call(at, new, old, 445, (volume // 90, volume), lasts, Shown(counted=tuple(told)))

    def seek(at: int) -> None:
        pc = dice.choice(pcs)
        for number in range(dice.count(1, 6)):
            here.refused(at + number * SECOND, pc, old, 445)
        told = (*session(9_000, AuthMethod.KERBEROS, ""), tree(20_000, ShareKind.OTHER))
        here.call(
            at + 9 * SECOND, pc, new, 445, (9_000, dice.size(90_000)), MINUTE, Shown(counted=told)
        )

    for moment in here.moments(1, 6):
        here.once(copy, moment)
    here.every(seek, dice.wide(3, 90) * MINUTE, 1, _OFFICE_HOURS)


def new_desks(here: Premises) -> None:
    """New PCs are unpacked: dozens of gigabytes of updates and programs each, and the old one's files drawn straight over."""
    dice = here.dice
    olds = here.pcs(0.1, 0.5)[:8]
    seats = [here.dark() for _ in olds]
    programs = dice.wide(500, 40_000) * _MB
    moves = dice.wide(200, 90_000) * _MB

    def unpack(at: int) -> None:
        for old, seat in zip(olds, seats, strict=True):
            fresh = here.ledger.join(Device(seat, here.ledger.new_mac(), "fresh", Kind.WINDOWS))
            begun = at + dice.count(1, 5_000) * SECOND
            here.ledger.lease(begun, fresh, arrives=True)
            for _ in range(dice.count(10, 90)):
                volume = dice.size(programs / 40, 1.4)
                here.call(
                    begun,
                    fresh,
                    here.place(),
                    dice.choice((443, 443, 80)),
                    (volume // 200, volume),
                    SECOND + volume // 12,
                    shown=UPDATER,
                )
                begun += dice.count(50_000, 60_000_000)
            volume, lasts = int(moves), int(dice.wide(5, 200) * MINUTE)
            count = volume // 200_000 + 9
            told = [*session(9_000, AuthMethod.NTLM, "owner"), tree(20_000, ShareKind.OTHER)]
            told += [
                files(
                    lasts * n // 5,
                    ShareKind.OTHER,
                    creates=count // 4,
                    reads=(count // 4, volume // 4),
                )
                for n in range(1, 5)
            ]
            here.call(
                begun, fresh, old, 445, (volume // 80, volume), lasts, Shown(counted=tuple(told))
            )

    def check(at: int) -> None:
        here.call(at, dice.choice(olds), here.place(), 443, (1_500, 9_000), SECOND, shown=UPDATER)

    for moment in here.moments(1, 1):
        here.once(unpack, moment)
    here.every(check, dice.wide(0.2, 6) * HOUR, 1, _OFFICE_HOURS)


def restored(here: Premises) -> None:
    """A folder or a whole server is fetched back from the cloud: far more in than ever, in many lanes, and rewritten on the share."""
    dice, server = here.dice, here.server()
    cloud = here.home(0.1)
    volume = dice.wide(20, 400_000) * _MB
    lanes = dice.count(1, 16)

    def fetch(at: int) -> None:
        lasts = int(dice.wide(2, 500) * MINUTE)
        for lane in range(lanes):
            size = dice.size(volume / lanes, 0.3)
            here.call(
                at + lane * 50_000, server, cloud, 443, (size // 120, size), lasts, shown=BACKUP
            )
        pc = here.pc()
        count = dice.count(20, 60_000)
        told = [*session(9_000, AuthMethod.KERBEROS, ""), tree(20_000, ShareKind.OTHER)]
        told += [
            files(
                lasts * n // 5,
                creates=count // 4,
                writes=(count // 4, int(volume) // 4),
                changes=(0, count // 9),
            )
            for n in range(1, 5)
        ]
        if pc is not server:
            here.call(
                at + MINUTE,
                pc,
                server,
                445,
                (int(volume), int(volume) // 90),
                lasts,
                Shown(counted=tuple(told)),
            )

    def check(at: int) -> None:
        here.call(at, server, cloud, 443, (1_200, dice.size(3_000)), SECOND, shown=BACKUP)

    for moment in here.moments(1, 3):
        here.once(fetch, moment)
    here.every(check, dice.choice((15, 60, 240)) * MINUTE, 0.02)


def mail_moved(here: Premises) -> None:
    """Mail moves to another house: a program reads every letter over IMAP and writes it elsewhere, for days; PCs fetch all anew."""
    dice, server = here.dice, here.server()
    old, new = here.home(0.4), here.place()
    letters = dice.count(200, 90_000)
    mean = dice.wide(8_000, 400_000)
    pause = dice.wide(5, 900) * SECOND

    def move(at: int) -> None:
        count = max(letters // dice.count(2, 90), 1)
        size = int(count * mean)
        lasts = int(dice.wide(1, 300) * MINUTE)
        turns = Talk(2 * count, 60, int(mean), 20, 150)
        here.call(at, server, old, 993, (60 * count, size), lasts, shown=Over(MAIL, Shown(turns)))
        here.call(at, server, new, 443, (size, 900 * count), lasts, shown=CLOUD)
        while dice.chance(0.3):  # the new house asks to be slower
            at += int(pause)
            here.call(at, server, new, 443, (2_000, 400), SECOND, shown=CLOUD)

    def fetch(at: int) -> None:
        for pc in here.pcs(0.4, 1.0):
            begun = at + dice.count(1, 3_600) * SECOND
            for _ in range(dice.count(2, 30)):
                here.call(
                    begun,
                    pc,
                    new,
                    443,
                    (9_000, dice.size(letters * mean / 200)),
                    40 * SECOND,
                    shown=CLOUD,
                )
                begun += dice.count(1, 60) * SECOND

    here.every(move, dice.wide(0.5, 12) * HOUR, 1)
    for moment in here.moments(1, 1):
        here.once(fetch, moment)


def mobile_line(here: Premises) -> None:
    """The router changes to its mobile line when cable fails: everybody's connections begin anew, and many do not get through."""
    dice, gateway = here.dice, here.ledger.gateway
    checks = [here.bare() for _ in range(dice.count(1, 4))]
    period = dice.choice((5, 10, 15, 30, 60)) * SECOND

    def check(at: int) -> None:
        for address in checks:
            here.ping(at, gateway, address)

    def fail(at: int) -> None:
        for _ in range(dice.count(2, 12)):
            for address in checks:
                here.silence(at, gateway, address, 0, 1)
            at += 5 * SECOND
        for device in here.everyone():
            begun = at + dice.count(1, 200) * SECOND
            for _ in range(dice.count(1, 10)):
                place = here.place()
                if dice.chance(0.4):
                    here.silence(begun, device, place, 443)
                else:
                    here.call(
                        begun, device, place, 443, (900, 4_000), 3 * SECOND, shown=device.browser
                    )
                begun += dice.count(1, 30) * SECOND

    here.every(check, max(period, 10 * SECOND), 0.01)
    for moment in here.moments(1, 5):
        here.once(fail, moment)

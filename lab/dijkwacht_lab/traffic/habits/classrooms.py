"""Schools, courses and training rooms: one who watches many, exams, images, waking, profiles, filtered pages."""

from __future__ import annotations

from functools import partial
from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk, files, session, tree
from dijkwacht_lab.traffic.habit import between
from dijkwacht_lab.traffic.habits.premises import Pace, Premises
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, UDP, Device
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.vocabulary import AuthMethod, ShareKind

_MB: Final = 1_000_000
_ALL: Final = V4_PREFIX + b"\xff\xff\xff\xff"
_LESSONS: Final = between(8, 17, weekends=False)


def teachers_eye(here: Premises) -> None:
    """A teacher's program connects to all pupils' PCs at once and draws their screens, small, each second; some are off."""
    dice = here.dice
    teacher = here.adds("teacher")
    pupils = here.pcs(0.4, 1.0)
    port = dice.choice((11100, 11100, 5405, 796, 5900, 1053))
    absent = [here.dark() for _ in range(dice.count(1, 6))]
    rate = dice.count(600, 90_000)
    again = dice.wide(3, 120) * SECOND

    def watch(at: int) -> None:
        lasts = int(dice.wide(5, 100) * MINUTE)
        begun = at
        for pupil in pupils:
            begun += dice.count(1_000, 300_000)
            if dice.chance(0.1):
                here.refused(begun, teacher, pupil, port)
                continue
            turns = Talk(2 * lasts // SECOND, 12, rate, 30, dice.randrange(10, 90))
            seconds = lasts // SECOND
            here.call(
                begun, teacher, pupil, port, (16 * seconds, rate * seconds), lasts, Shown(turns)
            )
        while at < begun + lasts:
            for address in absent:
                here.seeks(at, teacher, address, 1)
            at += int(max(again, 10 * SECOND))

    here.every(watch, dice.wide(1, 8) * HOUR, 1, _LESSONS)


def exam(here: Premises) -> None:
    """All open the same exam at once: within a minute dozens of connections each, then a pulse from each until it ends."""
    dice = here.dice
    site, parts = here.place(), [here.place() for _ in range(dice.count(1, 8))]
    pulse = int(dice.choice((5, 10, 15, 30, 60)) * SECOND)
    up, down = dice.count(300, 2_500), dice.count(80, 900)
    writers = here.pcs(0.5, 1.0)

    def sit(at: int) -> None:
        lasts = int(dice.wide(20, 180) * MINUTE)
        for pc in writers:
            begun = at + dice.count(1, 90) * SECOND
            for part in [site, *parts]:
                here.call(
                    begun, pc, part, 443, (1_900, dice.size(300_000)), 3 * SECOND, shown=pc.browser
                )
                begun += dice.count(20_000, 2_000_000)
            until = begun + lasts
            while begun < until:
                here.call(begun, pc, site, 443, (up, down), 300_000, shown=pc.browser)
                begun += int(pulse * dice.uniform(0.95, 1.05))

    here.every(sit, dice.wide(10, 120) * HOUR, 1, _LESSONS)


def imaging(here: Premises) -> None:
    """A room is made new: PCs boot from the network, small files by TFTP, then one image to all at once or to each."""
    dice, server = here.dice, here.server()
    group = V4_PREFIX + bytes((239, 192, 7, dice.randrange(1, 250)))
    together = dice.chance(0.5)
    size = int(dice.wide(2_000, 60_000) * _MB)
    at_hours = dice.choice((_LESSONS, between(17, 23), between(22, 6)))

    def make_new(at: int) -> None:
        pcs = here.pcs(0.4, 1.0)
        lasts = int(dice.wide(5, 150) * MINUTE)
        for pc in pcs:
            begun = at + dice.count(1, 180) * SECOND
            for number in range(dice.count(2, 5)):
                here.ledger.lease(begun + number * 8 * SECOND, pc, arrives=True)
            begun += 40 * SECOND
            here.datagrams(begun, pc, server, 4011, (320, 400))
            for number in range(dice.count(2, 12)):
                here.pours(begun + number * SECOND, pc, server.address, 69, Pace(SECOND, 1), 60)
                blocks = dice.count(10, 4_000)
                moved = blocks * 4, blocks * 1_456
                here.datagrams(
                    begun + number * SECOND,
                    server,
                    pc,
                    dice.randrange(49_152, 65_535),
                    moved[::-1],
                    blocks * 900,
                )
            if not together:
                turns = Shown(None, (*session(9_000, AuthMethod.NTLM, "deploy"), tree(20_000, ShareKind.HIDDEN),
                                  files(lasts // 2, ShareKind.HIDDEN, creates=40, reads=(size // 60_000, size))))  # fmt: skip
                here.call(begun + MINUTE, pc, server, 445, (size // 90, size), lasts, turns)
        if together:
            gap = max(lasts * 1_400 // size, 1)
            here.pours(at + 5 * MINUTE, server, group, 9000, Pace(gap, lasts), 1_400)

    here.every(make_new, dice.wide(20, 160) * HOUR, 1, at_hours)


def waking(here: Premises) -> None:
    """A server wakes all PCs before lessons by magic datagrams to everybody, and pings each until it is there."""
    dice, server = here.dice, here.server()
    port = dice.choice((7, 9, 9, 40000))
    where = dice.choice((_ALL, here.ledger.inside(255)))
    pcs, broken = here.pcs(0.5, 1.0), [here.dark() for _ in range(dice.randrange(4))]

    def wake(at: int) -> None:
        for pc in pcs:
            for number in range(dice.count(1, 4)):
                here.ledger.unanswered(at + number * SECOND, server.address, where, port, UDP)
            up = at + dice.count(10, 120) * SECOND
            here.ledger.lease(up, pc, arrives=dice.chance(0.5))
            here.ledger.arp(up + SECOND, server, pc)
            here.ping(up + SECOND, server, pc)
            at += dice.count(20_000, 3_000_000)
        for address in broken:
            here.seeks(at, server, address, dice.count(1, 20))

    here.every(wake, dice.choice((DAY, DAY, 12 * HOUR)), 0.001)


def profiles(here: Premises) -> None:
    """At each bell a class signs in: every PC draws a whole profile from the server, and writes it back at the end."""
    dice, server = here.dice, here.server()
    size = dice.wide(3, 900) * _MB
    share = dice.choice((ShareKind.HIDDEN, ShareKind.OTHER))

    def copy(at: int, pc: Device, *, back: bool) -> None:
        volume, lasts = dice.size(size, 0.6), int(dice.wide(5, 300) * SECOND)
        count = volume // 40_000 + 9
        moves = {"writes": (count, volume)} if back else {"reads": (count, volume)}
        told = [*session(9_000, AuthMethod.KERBEROS, ""), tree(20_000, share, count=2)]
        told += [
            files(
                lasts // 2,
                share,
                creates=count,
                changes=(count // 9, count // 5) if back else (0, 0),
                **moves,
            )
        ]
        moved = (volume, volume // 60) if back else (volume // 60, volume)
        here.call(at, pc, server, 445, moved, lasts, Shown(counted=tuple(told)))

    def lesson(at: int) -> None:
        ends = at + int(dice.choice((45, 50, 90)) * MINUTE)
        for pc in here.pcs(0.4, 1.0):
            copy(at + dice.count(1, 200) * SECOND, pc, back=False)
            copy(ends + dice.count(1, 90) * SECOND, pc, back=True)

    here.every(lesson, dice.wide(1, 10) * HOUR, 0.2, _LESSONS)


def page_filter(here: Premises) -> None:
    """A filter for children asks a bare address about every page by UDP; the pages it denies are reset, again and again."""
    dice = here.dice
    judge = here.bare()
    port = dice.choice((53, 9020, 4445, dice.randrange(1_024, 60_000)))
    denies = dice.uniform(0.01, 0.3)
    notice = here.ledger.gateway

    def look(at: int, pc: Device) -> None:
        for _ in range(dice.count(1, 25)):
            here.datagrams(at, pc, judge, port, (dice.count(40, 160), dice.count(16, 90)), 30_000)
            if dice.chance(denies):
                blocked = here.place()
                for _ in range(dice.count(1, 5)):
                    here.refused(at + 60_000, pc, blocked, 443)
                here.call(at + 200_000, pc, notice, 80, (400, 2_500))
            at += dice.count(20_000, 4_000_000)

    for pc in here.pcs(0.3, 1.0):
        here.every(partial(look, pc=pc), dice.wide(0.3, 30) * MINUTE / here.rate, 1, _LESSONS)

"""Programs and their databases: pools, health checks, restarts."""

from __future__ import annotations

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import between
from dijkwacht_lab.traffic.habits.premises import Pace, Premises
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, Device

_PORTS = (1433, 3306, 5432, 1521, 27017, 6379, 5672, 9200)


def pool(here: Premises) -> None:
    """A program holds a pool of connections, opened together, closed when old, without a word in between."""
    dice = here.dice
    app, base = here.server(), here.adds("database")
    port, width = dice.choice(_PORTS), dice.count(3, 60)
    age = int(dice.wide(1, 200) * MINUTE)

    def renew(at: int) -> None:
        for number in range(width):
            turns = dice.count(2, 40)
            here.call(at + number * dice.count(500, 90_000), app, base, port, (300 * turns, 900 * turns),
                      3 * SECOND, Shown(Talk(turns, 120, 300, 60)))  # fmt: skip

    here.every(renew, max(age, width * 4 * SECOND), 0.02)


def health(here: Premises) -> None:
    """Is the database alive? One question each second to half a minute, in one connection or in new ones."""
    dice = here.dice
    app, base = here.pc(), here.adds("database")
    port = dice.choice(_PORTS)
    gap = int(dice.wide(0.5, 30) * SECOND)
    lasts = here.holds(HOUR, 9 * HOUR)
    one = dice.chance(0.5)

    def ask(at: int) -> None:
        if one:
            talk = Talk(2 * lasts // gap, 30, 60, dice.randrange(85, 101), dice.randrange(0, 12))
            here.keeps(at, app, base, port, Pace(gap, lasts), (30, 60), shown=Shown(talk))
        else:
            here.call(at, app, base, port, (400, 700), 20_000)

    here.every(ask, lasts if one else max(gap, 4 * SECOND), 0.01)


def stopped(here: Premises) -> None:
    """The database is stopped for its backup: the programs try again every second, and are refused."""
    dice = here.dice
    apps, base = [*here.pcs(0.1, 0.6), here.server()], here.adds("database")
    port = dice.choice(_PORTS)
    gap = dice.wide(0.5, 15) * SECOND
    width = dice.count(1, 12)

    def stop(at: int) -> None:
        until = at + int(dice.wide(0.2, 40) * MINUTE)
        while at < until:
            at += int(gap * dice.uniform(0.9, 1.1))
            for app in apps:
                for _ in range(dice.count(1, width)):
                    here.refused(at, app, base, port)

    here.every(stop, dice.choice((DAY, DAY, 7 * DAY)), 0.01)


def copies(here: Premises) -> None:
    """A second database follows the first: a stream that never ends, sizes alike when nothing happens."""
    dice = here.dice
    first, second = here.adds("database"), here.server()
    port = dice.choice(_PORTS)
    gap, lasts = int(dice.wide(1, 30) * SECOND), here.holds()
    busy = dice.wide(1, 9_000)

    def follow(at: int) -> None:
        talk = Talk(2 * lasts // gap, 34, 39, dice.randrange(40, 101), dice.randrange(0, 60))
        here.keeps(
            at, second, first, port, Pace(gap, lasts), (34, 39 + int(busy)), shown=Shown(talk)
        )

    here.every(follow, lasts, 0)


def log_ins_each_time(here: Premises) -> None:
    """A program without a pool: connects, logs in, asks one thing and leaves, all sizes alike, all day."""
    dice, base = here.dice, here.server()
    port = dice.choice((3306, 5432, 1433, 27017))
    turns = dice.count(4, 16)
    up, down = dice.count(60, 400), dice.count(80, 900)
    gap = dice.wide(0.3, 60) * SECOND
    for pc in here.pcs(0.05, 0.3):

        def ask(at: int, pc: Device = pc) -> None:
            here.call(
                at,
                pc,
                base,
                port,
                (up * turns, down * turns),
                60_000,
                Shown(Talk(turns, up, down, 60)),
            )

        here.every(
            ask, max(gap, 2 * SECOND), dice.choice((0.05, 1)), between(8, 17, weekends=False)
        )

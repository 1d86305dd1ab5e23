"""Things: locks, hubs, inverters, thermostats; old firmware that calls and calls."""

from __future__ import annotations

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habits.premises import Over, Pace, Premises, Where
from dijkwacht_lab.traffic.programs import THINGS
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, TCP, UDP, Device
from dijkwacht_records.hints import Speech

_Pulse = tuple[Where, int, int, tuple[int, int], int, int, Talk]


def dead_server(here: Premises) -> None:
    """A hub calls a server that its maker has switched off, every few seconds, for days."""
    dice = here.dice
    hub, home = here.adds("hub"), here.home(0.6)
    port = dice.choice((9999, 8883, 1883, 443, 80, 6667, 7000, dice.randrange(1_025, 65_000)))
    fate = dice.choice(("silence", "refused", "empty"))
    period = dice.wide(1.5, 120) * SECOND
    spread = dice.choice((0.005, 0.03, 0.2))
    ends = here.ledger.start_us + int(dice.wide(0.1, 14) * DAY)

    def call(at: int) -> None:
        if fate == "silence":
            here.silence(at, hub, home, port)
        elif fate == "refused":
            here.refused(at, hub, home, port)
        else:
            here.call(at, hub, home, port, (0, 0), 90_000)

    here.every(call, max(period, 3 * SECOND), spread, lambda now: float(now < ends))


def brokered(here: Premises) -> None:
    """Things that keep a connection with a broker (MQTT), a pulse every half minute to five minutes."""
    dice = here.dice
    for _ in range(dice.count(1, 8)):
        thing, home = here.adds("thing"), here.home(0.4)
        port = dice.choice((1883, 8883, 8886, 443))
        gap, lasts = int(dice.wide(20, 290) * SECOND), here.holds()
        size = dice.choice((2, 4, 37, 69, 101))
        reports = dice.wide(1, 300) * MINUTE

        def report(at: int, thing: Device = thing, home: Where = home) -> None:
            here.call(at, thing, home, 443, (dice.size(900), 300), shown=THINGS[1])

        def pulse(
            at: int,
            thing: Device = thing,
            how: tuple[Where, int, int, int, int] = (home, port, gap, lasts, size),
        ) -> None:
            where, port, gap, lasts, size = how
            program = THINGS[0] if port != 1883 else None
            talk = Talk(
                2 * lasts // gap, size, size, dice.randrange(70, 101), dice.randrange(0, 40)
            )
            here.keeps(
                at,
                thing,
                where,
                port,
                Pace(gap, lasts),
                (size, size),
                shown=Over(program, Shown(talk)),
            )

        here.every(pulse, lasts * 1.02, 0.01)
        here.every(report, reports, 0.3)


def own_language(here: Premises) -> None:
    """Things that speak their own binary to bare addresses of their firmware, at odd ports, TCP or UDP."""
    dice = here.dice
    for _ in range(dice.count(1, 5)):
        thing, home = here.adds("thing"), here.home(0.8)
        proto = dice.choice((TCP, TCP, UDP))
        port = dice.choice((dice.randrange(1_025, 65_000), 8000, 10443, 20003, 6668, 5432, 7777))
        gap = int(dice.wide(8, 250 if proto == TCP else 55) * SECOND)
        moved = dice.count(8, 300), dice.count(4, 300)
        lasts = here.holds(HOUR // 3, 12 * HOUR)
        talk = Talk(2 * lasts // gap, *moved, dice.randrange(50, 101), dice.randrange(0, 60))
        first = dice.chance(0.3)

        def speak(
            at: int, thing: Device = thing, first: bool = first,
            how: _Pulse = (home, port, gap, moved, lasts, proto, talk),
        ) -> None:  # fmt: skip
            where, port, gap, moved, lasts, proto, talk = how
            here.keeps(
                at,
                thing,
                where,
                port,
                Pace(gap, lasts, proto),
                moved,
                shown=Shown(talk, resp_first=first),
            )

        here.every(speak, lasts * dice.uniform(1.0, 1.2), dice.choice((0, 0.02)))


def inverter(here: Premises) -> None:
    """Solar panels and heat pumps report by the minute of the clock: more out than in, from dawn to dusk."""
    dice = here.dice
    thing, home = here.adds("inverter"), here.home(0.5)
    port = dice.choice((10000, 5005, 443, 80, 8082, 14_000 + dice.randrange(9_999)))
    up, down = dice.count(60, 9_000), dice.count(4, 300)
    fails = dice.uniform(0, 0.1)

    def report(at: int) -> None:
        if dice.chance(fails):
            here.silence(at, thing, home, port)
        else:
            here.call(at, thing, home, port, (up, down), 300_000,
                      Shown(speech=dice.choice((Speech.BYTES, Speech.HTTP))))  # fmt: skip

    here.every(
        report, dice.choice((10, 30, 60, 120, 300, 900)) * SECOND, dice.choice((0, 0.002, 0.02))
    )


def inside_hub(here: Premises) -> None:
    """A hub of home automation asks lamps, plugs and meters in turn, each at its own port, some of them dead."""
    dice = here.dice
    hub = here.server() if dice.chance(0.5) else here.adds("hub")
    port = dice.choice((80, 6053, 6668, 9999, 55443, 8081, 38899, 502))
    period = dice.wide(5, 120) * SECOND
    up, down = dice.count(30, 400), dice.count(30, 900)
    proto = UDP if port == 38899 else TCP
    for _ in range(dice.count(2, 12)):
        lamp, dead = here.adds("lamp"), dice.chance(0.15)

        def ask(at: int, lamp: Device = lamp, dead: bool = dead) -> None:
            if dead:
                here.seeks(at, hub, lamp.address, 1)
            elif proto == UDP:
                here.datagrams(at, hub, lamp, port, (up, down))
            else:
                here.call(at, hub, lamp, port, (up, down), 40_000)

        here.every(ask, max(period, 12 * SECOND), 0.03)


def many_failing(here: Premises) -> None:
    """A thing whose firmware knows a list of servers tries them one after the other: most are gone."""
    dice = here.dice
    thing = here.adds("player")
    homes = [here.bare() for _ in range(dice.count(3, 40))]
    port = dice.choice((80, 443, 123, 8080, 10000, 53))
    alive = dice.uniform(0, 0.3)

    def search(at: int) -> None:
        for home in homes:
            if dice.chance(alive):
                here.call(at, thing, home, port, (300, 300))
            else:
                here.silence(at, thing, home, port, UDP if port in {123, 53} else TCP)
            at += dice.count(100_000, 9_000_000)

    here.every(search, dice.wide(2, 240) * MINUTE, 0.1)


def scale(here: Premises) -> None:
    """A scale, clock or reader calls a PC, which asks it in words every so often; or the PC calls it."""
    dice = here.dice
    thing, pc = here.adds("scale"), here.pc()
    calls = dice.chance(0.3)
    port = dice.choice((4001, 8899, 9004, 9761, 23_000, dice.randrange(1_025, 65_000)))
    gap, lasts = int(dice.wide(1, 120) * SECOND), here.holds(HOUR // 2, 10 * HOUR)
    asked, told = dice.count(2, 12), dice.count(10, 60)
    moved = (told, asked) if calls else (asked, told)
    first = calls or dice.chance(0.5)

    def stay(at: int) -> None:
        talk = Talk(2 * lasts // gap, *moved, dice.randrange(50, 101), dice.randrange(0, 120))
        who, where = (thing, pc) if calls else (pc, thing)
        here.keeps(
            at, who, where, port, Pace(gap, lasts), moved, Shown(talk, (), Speech.TEXT, first)
        )

    here.every(stay, max(lasts + MINUTE, 8 * HOUR), 0.2)


def feed(here: Premises) -> None:
    """A server outside tells a receiver what comes in, in words: ships, weather, prices, signs of life."""
    dice = here.dice
    who, home = here.adds("receiver"), here.home(0.1)
    port = dice.choice((14_580, 2_101, 5_000, 8_000, 7_300, dice.randrange(1_025, 65_000)))
    gap, lasts = int(dice.wide(2, 120) * SECOND), here.holds(HOUR, 12 * HOUR)
    size = dice.count(30, 500)

    def listen(at: int) -> None:
        talk = Talk(lasts // gap, 20, size, dice.choice((10, 40, 100)), dice.randrange(0, 130))
        here.keeps(at, who, home, port, Pace(gap, lasts), (1, size), Shown(talk, (), Speech.TEXT))

    here.every(listen, lasts + 2 * MINUTE, 0.01)

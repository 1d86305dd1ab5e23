"""What enthusiasts leave running: sums for science, a probe that measures the net, time for strangers, aircraft, short waves."""

from __future__ import annotations

from functools import partial
from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import always, between
from dijkwacht_lab.traffic.habits.premises import Over, Pace, Premises
from dijkwacht_lab.traffic.programs import CLOUD, TLS_1_2, program
from dijkwacht_lab.traffic.site import HOUR, ICMP, MINUTE, SECOND, UDP, Call, Device, Kind
from dijkwacht_records.hints import Speech
from dijkwacht_records.vocabulary import Alpn

_SUMS: Final = program("a program of sums", Alpn.HTTP_1_1, TLS_1_2)
_MB: Final = 1_000_000


def sums(here: Premises) -> None:
    """PCs compute for science at night: work fetched and results sent, tried again for hours when the project is down."""
    dice = here.dice
    servers = [here.home(0.3) for _ in range(dice.count(1, 6))]
    port = dice.choice((80, 443, 443, 8080))
    work, result = dice.wide(0.02, 90) * _MB, dice.wide(0.01, 60) * _MB
    fails = dice.uniform(0, 0.4)

    def turn(at: int, pc: Device) -> None:
        server = dice.choice(servers)
        wait = MINUTE
        while dice.chance(fails):
            here.silence(at, pc, server, port)
            at += int(wait * dice.uniform(0.5, 1.5))
            wait = min(2 * wait, 4 * HOUR)
        said = Over(
            _SUMS if port == 443 else None,
            Shown(speech=Speech.NOTHING if port == 443 else Speech.HTTP),
        )
        sent, got = dice.size(result, 0.5), dice.size(work, 0.5)
        here.call(at, pc, server, port, (sent, 900), SECOND + sent // 2, said)
        here.call(at + 9 * SECOND, pc, server, port, (4_000, got), SECOND + got // 4, said)

    for pc in here.pcs(0.1, 0.6):
        here.every(
            partial(turn, pc=pc),
            dice.wide(0.2, 12) * HOUR,
            1,
            dice.choice((always, between(18, 8))),
        )


def measuring_probe(here: Premises) -> None:
    """A small probe measures the net for others: pings, traces, names and pages of targets everywhere, and one line home by SSH."""
    dice = here.dice
    probe, home = here.adds("probe"), here.home(0.2)
    targets = [here.bare() for _ in range(dice.count(6, 120))]
    period = dice.choice((60, 240, 240, 300, 900)) * SECOND
    lasts = here.holds(HOUR, 11 * HOUR)
    port = dice.choice((443, 22))
    dead = dice.uniform(0, 0.2)

    def keep(at: int) -> None:
        here.keeps(at, probe, home, port, Pace(int(dice.wide(15, 180) * SECOND), lasts), (dice.count(60, 2_000), 60),
                   shown=Shown(speech=Speech.SSH))  # fmt: skip

    def measure(at: int) -> None:
        for target in targets:
            at += dice.count(1_000, 900_000)
            if dice.chance(dead):
                here.silence(at, probe, target, 0, ICMP)
            else:
                here.ping(at, probe, target)

    def others(at: int) -> None:
        for target in dice.sample(targets, dice.count(1, 6)):
            what = dice.choice((53, 123, 443, 33434))
            if what == 443:
                here.call(at, probe, target, 443, (300, 3_000), SECOND, shown=_SUMS)
            elif what == 33434:
                for hop in range(dice.count(3, 20)):
                    here.silence(at + hop * SECOND // 2, probe, target, 33434 + hop, UDP)
            else:
                here.datagrams(at, probe, target, what, (48, 90), 40_000)
            at += dice.count(1, 20) * SECOND

    here.every(keep, lasts * 1.002, 0)
    here.every(measure, period, 0.02)
    here.every(others, dice.wide(1, 30) * MINUTE, 0.3)


def time_for_strangers(here: Premises) -> None:
    """A server of the office gives the time to strangers, one or two datagrams each, from everywhere, and asks a few itself."""
    dice, server = here.dice, here.server()
    a_minute = dice.wide(0.2, 12)
    peers = [here.bare() for _ in range(dice.count(3, 9))]
    poll = 1 << dice.randrange(6, 11)

    def give(at: int) -> None:
        stranger = here.bare()
        for _ in range(dice.count(1, 8)):
            call = Call(stranger, server.address, 123, UDP)
            here.ledger.flow(at, call, up=48, down=48, last_us=400, beats=(400,))
            at += dice.count(1, 64) * SECOND

    def ask(at: int) -> None:
        for peer in peers:
            here.datagrams(at, server, peer, 123, (48, 48), 30_000)
            at += dice.count(100_000, 5_000_000)

    def judged(at: int) -> None:
        call = Call(peers[0], server.address, 123, UDP)
        here.ledger.flow(at, call, up=48, down=48, last_us=300, beats=(300,))

    here.every(give, 3 * MINUTE / a_minute, 1)
    here.every(ask, poll * SECOND, 0.05)
    here.every(judged, 15 * MINUTE, 0.1)


def aircraft(here: Premises) -> None:
    """A receiver hears aircraft and feeds several maps: streams that never end, out far more than in, and a word of time by UDP."""
    dice = here.dice
    receiver = here.adds("receiver", Kind.UNIX)
    maps = [
        (here.home(0.3), dice.choice((30004, 30005, 1234, 443, dice.randrange(2_000, 60_000))))
        for _ in range(dice.count(1, 5))
    ]
    rate = dice.wide(60, 12_000)
    lasts = here.holds(HOUR, 11 * HOUR)

    def feed(at: int, where: tuple[bytes | int | Device, int]) -> None:
        seconds = lasts // SECOND
        if dice.chance(0.05):
            for number in range(dice.count(1, 40)):
                here.silence(at + number * 15 * SECOND, receiver, where[0], where[1])
            at += 10 * MINUTE
        moved = int(rate * seconds), 9 * seconds
        here.call(
            at, receiver, where[0], where[1], moved, lasts, shown=CLOUD if where[1] == 443 else None
        )

    def place_by_time(at: int) -> None:
        here.keeps(
            at,
            receiver,
            maps[0][0],
            dice.randrange(30_000, 60_000),
            Pace(SECOND, lasts, UDP),
            (int(rate / 3) + 9, 40),
        )

    def look(at: int) -> None:
        pc = here.pc()
        minutes = dice.count(1, 90)
        turns = Talk(2 * 60 * minutes, 420, 3_000, 70, 15)
        here.call(
            at,
            pc,
            receiver,
            8080,
            (420 * 60 * minutes, 3_000 * 60 * minutes),
            minutes * MINUTE,
            Shown(turns),
        )

    for where in maps:
        here.every(partial(feed, where=where), lasts * 1.002, 0)
    if dice.chance(0.6):
        here.every(place_by_time, lasts * 1.002, 0)
    here.every(look, dice.wide(2, 60) * HOUR, 1, between(8, 23))


def short_waves(here: Premises) -> None:
    """A radio amateur's station: text streams of calls from clusters by telnet and APRS, reports by UDP, a repeater's pulses."""
    dice = here.dice
    station = here.adds("station", Kind.UNIX)
    streams = [
        (here.home(0.3), port) for port in dice.some((14580, 7300, 7373, 23, 8000), 0.2, 0.8)
    ]
    reflector, port = here.bare(), dice.choice((62031, 42000, 20001, 5198, 30001))
    lasts = here.holds(20 * MINUTE, 11 * HOUR)
    pulse = dice.choice((1, 5, 10, 10, 20, 30)) * SECOND
    rate = dice.count(4, 2_000)

    def listen(at: int, where: tuple[bytes | int | Device, int]) -> None:
        seconds = lasts // SECOND
        shown = Shown(speech=Speech.TEXT, resp_first=True)
        here.call(
            at, station, where[0], where[1], (seconds // 20 + 60, rate * seconds), lasts, shown
        )

    def link(at: int) -> None:
        turns = Talk(2 * lasts // pulse, 11, 7, dice.randrange(80, 100), dice.randrange(1, 20))
        here.keeps(
            at, station, reflector, port, Pace(pulse, lasts, UDP), (11, 9), shown=Shown(turns)
        )

    def speak(at: int) -> None:
        seconds = dice.count(3, 600)
        moved = (55 * 17 * seconds, 90) if dice.chance(0.5) else (90, 55 * 17 * seconds)
        here.datagrams(at, station, reflector, port + 1, moved, seconds * SECOND)

    def report(at: int) -> None:
        for _ in range(dice.count(1, 9)):
            here.pours(at, station, here.bare(), 4739, Pace(SECOND, 1), dice.count(90, 1_300))
            at += dice.count(1, 9) * SECOND

    for where in streams:
        here.every(partial(listen, where=where), lasts * 1.003, 0)
    here.every(link, lasts * 1.003, 0)
    here.every(speak, dice.wide(3, 300) * MINUTE, 1)
    here.every(report, dice.choice((2, 5, 5, 15)) * MINUTE, 0.05)


def coins_at_home(here: Premises) -> None:
    """Somebody reads the pages of the pool that his computer at home mines for."""
    dice, pc = here.dice, here.pc()
    pool = dice.choice(("nanopool.org", "nicehash.com", "f2pool.com", "2miners.com"))
    pages = dice.some([pool, f"www.{pool}", f"api.{pool}", f"static.{pool}"])

    def read(at: int) -> None:
        for page in pages:
            at = here.ledger.ask(at, pc, page) + SECOND // 20

    here.every(read, dice.wide(1, 60) * HOUR, 1, between(8, 18, weekends=False))

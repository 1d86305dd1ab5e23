"""Farms, greenhouses and weather: cows, climate, corrections of position, pictures of nests, radio from sensors."""

from __future__ import annotations

from functools import partial
from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import between
from dijkwacht_lab.traffic.habits.premises import Pace, Premises
from dijkwacht_lab.traffic.programs import THINGS
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, TCP, UDP, Device, Kind
from dijkwacht_records.hints import Speech

_HTTP: Final = Shown(speech=Speech.HTTP)


def milking(here: Premises) -> None:
    """Robots tell the herd's computer each cow, day and night; files go to the breeders by FTP, data ports and all."""
    dice, herd = here.dice, here.server()
    port = dice.choice((1433, 5000, 8100, 3050, dice.randrange(2_000, 20_000)))
    breeder = here.home(0.5)
    shares = dice.chance(0.4)
    robots = [here.adds("robot", Kind.WINDOWS) for _ in range(dice.count(1, 4))]
    beat = dice.wide(5, 90) * SECOND

    def cow(at: int, robot: Device) -> None:
        turns = dice.count(4, 60)
        moved = 160 * turns, 240 * turns
        here.call(
            at,
            robot,
            herd,
            port,
            moved,
            dice.count(1, 400) * SECOND,
            Shown(Talk(turns, 120, 200, 40)),
        )
        if shares:
            here.call(at + SECOND, herd, robot, 445, (dice.size(9_000), dice.size(40_000)), SECOND)

    def beats(at: int, robot: Device) -> None:
        here.call(at, herd, robot, port + 1, (48, 64), 50_000)

    def breed(at: int) -> None:
        here.call(at, herd, breeder, 21, (300, 900), 20 * SECOND)
        for _ in range(dice.count(1, 12)):
            at += SECOND
            data = dice.randrange(40_000, 62_000)
            here.call(at, herd, breeder, data, (dice.size(80_000, 1.4), 0), SECOND)

    for robot in robots:
        here.every(partial(cow, robot=robot), dice.wide(4, 14) * MINUTE, 0.3)
        here.every(partial(beats, robot=robot), max(beat, 12 * SECOND), 0.01)
    here.every(breed, dice.choice((6 * HOUR, DAY, DAY, 7 * DAY)), 0.01)


def greenhouse(here: Premises) -> None:
    """A climate computer is asked by its screen and its maker's box each minute; a mast outside is often out of reach."""
    dice = here.dice
    computer, box = here.adds("climate"), here.adds("gateway-box", Kind.UNIX)
    mast, home = here.dark(), here.home(0.4)
    port = dice.choice((502, 1000, 4001, 8800, dice.randrange(1_100, 30_000)))
    proto = dice.choice((TCP, TCP, UDP))
    down = dice.count(100, 9_000)
    reaches = dice.uniform(0.2, 0.95)

    def ask(at: int) -> None:
        if proto == UDP:
            here.datagrams(at, box, computer, port, (60, down))
        else:
            here.call(at, box, computer, port, (60, down), 700_000)
        here.call(at + SECOND, box, home, 443, (down * 2, 300), SECOND, shown=THINGS[1])

    def look(at: int) -> None:
        pc, lasts = here.pc(), int(dice.wide(1, 90) * MINUTE)
        gap = int(dice.wide(1, 10) * SECOND)
        shown = Shown(Talk(2 * lasts // gap, 30, down, 80, 25))
        here.keeps(at, pc, computer, port, Pace(gap, lasts), (30, down), shown=shown)

    def weather(at: int) -> None:
        if not dice.chance(reaches):
            here.seeks(at, computer, mast, 4)

    here.every(ask, dice.wide(0.5, 10) * MINUTE, 0.01)
    here.every(look, dice.wide(2, 30) * HOUR, 1, between(6, 21))
    here.every(weather, dice.wide(20, 300) * SECOND, 0.05)


def weather(here: Premises) -> None:
    """A weather station cries its wind every few seconds, and tells several networks by plain HTTP, minute by minute."""
    dice = here.dice
    station = here.adds("weather")
    homes = [here.home(0.1) for _ in range(dice.count(1, 5))]
    period = dice.choice((16, 60, 60, 300, 300, 600)) * SECOND
    up = dice.count(250, 700)
    cries = dice.choice((0, 3, 16, 60))
    lasts = here.holds(HOUR, 9 * HOUR)

    def tell(at: int) -> None:
        for home in homes:
            if dice.chance(0.03):
                here.silence(at, station, home, 80)
            else:
                here.call(at, station, home, 80, (dice.size(up, 0.02), 190), 300_000, _HTTP)
            at += dice.count(50_000, 2_000_000)

    def cry(at: int) -> None:
        everyone = here.ledger.inside(255)
        here.pours(at, station, everyone, 50222, Pace(cries * SECOND, lasts), dice.count(90, 210))

    here.every(tell, period, 0.005)
    if cries:
        here.every(cry, lasts * 1.001, 0)


def corrections(here: Premises) -> None:
    """Corrections of position (NTRIP): a mast gives its own to a caster each second, or a tractor takes them in."""
    dice = here.dice
    mast, caster = here.adds("rtk", Kind.UNIX), here.home(0.5)
    port = dice.choice((2101, 2101, 2102, 80, dice.randrange(1_500, 12_000)))
    size = dice.count(80, 1_200)
    gives = dice.chance(0.6)
    lasts = here.holds(20 * MINUTE, 10 * HOUR)
    shown = Shown(speech=Speech.HTTP)

    def stream(at: int) -> None:
        if dice.chance(0.05):
            for _ in range(dice.count(1, 60)):
                here.silence(at, mast, caster, port)
                at += 10 * SECOND
        moved = (size, 0) if gives else (9, size)
        here.keeps(at, mast, caster, port, Pace(SECOND, lasts), moved, shown=shown)

    when = between(0, 0) if gives else between(6, 22)
    here.every(stream, lasts * (1.0005 if gives else 1.6), 0, when)


def nest_camera(here: Premises) -> None:
    """A camera puts a picture of a nest, a building site or a street on a web host by FTP, every few seconds or minutes."""
    dice = here.dice
    camera, host = here.adds("webcam", Kind.UNIX), here.home(0.3)
    size = dice.wide(20_000, 2_000_000)
    stays = dice.chance(0.4)
    active = dice.chance(0.2)
    period = dice.wide(5, 1_800) * SECOND
    when = dice.choice((between(0, 0), between(6, 21)))

    def put(at: int) -> None:
        volume = dice.size(size, 0.15)
        if not stays:
            here.call(at, camera, host, 21, (190, 600), 2 * SECOND)
        here.call(at + 600_000, camera, host, dice.randrange(30_000, 64_000), (volume, 0), SECOND)

    def keep(at: int) -> None:
        lasts = here.holds(10 * MINUTE, 4 * HOUR)
        here.keeps(at, camera, host, 21, Pace(max(int(period), SECOND), lasts), (60, 110))

    def refused(at: int) -> None:
        # The host's disk is full, or it takes no more of them for an hour.
        for _ in range(dice.count(2, 40)):
            here.call(at, camera, host, 21, (90, 240), SECOND)
            at += int(max(period, 5 * SECOND))

    here.every(put, max(period, 6 * SECOND), 0.01, when)
    if stays:
        here.every(keep, 2 * HOUR, 0.1, when)
    if active:
        here.every(refused, dice.wide(20, 150) * HOUR, 1, when)


def sensor_radio(here: Premises) -> None:
    """A LoRa gateway asks its network's server every ten seconds by UDP 1700, and passes on what sensors say."""
    dice = here.dice
    gateway = here.adds("lora", Kind.UNIX)
    homes = [here.home(0.3) for _ in range(dice.count(1, 3))]
    port = dice.choice((1700, 1700, 1680))
    gap, lasts = int(dice.choice((5, 10, 10, 20, 30)) * SECOND), here.holds(HOUR, 11 * HOUR)
    sensors = dice.count(2, 3_000)

    def pull(at: int) -> None:
        for home in homes:
            talk = Talk(2 * lasts // gap, 12, 4, dice.randrange(60, 99), dice.randrange(2, 40))
            here.keeps(at, gateway, home, port, Pace(gap, lasts, UDP), (12, 4), shown=Shown(talk))

    def push(at: int) -> None:
        for home in homes:
            here.datagrams(at, gateway, home, port, (dice.count(180, 420), 4))

    here.every(pull, lasts * 1.001, 0)
    here.every(push, max(20 * MINUTE / sensors, 8 * SECOND), 1)

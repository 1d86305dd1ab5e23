"""Asking every second or faster: interfaces, machines' controllers, dashboards, snapshots."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import between, switched_on
from dijkwacht_lab.traffic.habits.premises import Over, Pace, Premises
from dijkwacht_lab.traffic.programs import program
from dijkwacht_lab.traffic.site import HOUR, MINUTE, SECOND, Device
from dijkwacht_records.hints import Speech
from dijkwacht_records.vocabulary import Alpn

_PAGE: Final = program("the usual browser", flags=0, asks=6)
_SCRIPT: Final = program("a script", Alpn.HTTP_1_1)
_HTTP: Final = Speech.HTTP


def interface_poll(here: Premises) -> None:
    """A page or a program asks an office server for news, a new connection each time."""
    dice = here.dice
    pc, server = here.pc(), here.server()
    port = dice.choice((3000, 5000, 8000, 8080, 8081, 9000, 80))
    up, down = dice.count(200, 1_500), dice.count(60, 5_000)
    begins = dice.randrange(8, 15)
    when = between(begins, begins + dice.count(1, 5), weekends=False)
    refuses = dice.uniform(0, 0.05)

    def poll(at: int) -> None:
        if dice.chance(refuses):
            here.refused(at, pc, server, port)
        else:
            here.call(
                at, pc, server, port, (up, dice.size(down, 0.02)), 30_000, Shown(speech=_HTTP)
            )

    here.every(poll, dice.wide(0.5, 20) * SECOND, dice.choice((0.01, 0.1, 0.4)), when)


def outside_poll(here: Premises) -> None:
    """A script polls a service outside around the clock, one request a connection."""
    dice = here.dice
    who, place = here.pc(), here.home(0.15)
    up, down = dice.count(500, 3_000), dice.count(300, 9_000)
    tls = dice.chance(0.7)
    port = 443 if tls else dice.choice((80, 8080, 5000, 1880, 9443))
    fails = dice.uniform(0, 0.03)

    def poll(at: int) -> None:
        if dice.chance(fails):
            here.silence(at, who, place, port)
        else:
            here.call(at, who, place, port, (up, dice.size(down, 0.03)), 200000, shown=Over(_SCRIPT if tls else None, Shown(speech=Speech.NOTHING if tls else _HTTP)))  # fmt: skip

    here.every(poll, dice.wide(3, 120) * SECOND, dice.choice((0.005, 0.03, 0.3)))


def controllers(here: Premises) -> None:
    """A PC reads a machine's controller (Modbus, S7, OPC) without pause, in one connection a day."""
    dice, pc = here.dice, here.server()
    plcs = [here.adds("plc") for _ in range(dice.count(1, 4))]
    port = dice.choice((502, 102, 4840, 44818, 9600))
    gap = int(dice.wide(0.1, 5) * SECOND)
    up, down = dice.count(12, 60), dice.count(11, 260)
    lasts = here.holds(HOUR, 8 * HOUR)
    alike = dice.randrange(50, 100)
    for plc in plcs:

        def read(at: int, plc: Device = plc) -> None:
            talk = Talk(2 * lasts // gap, up, down, alike, dice.randrange(1, 40))
            here.keeps(at, pc, plc, port, Pace(gap, lasts), (up, down), shown=Shown(talk))

        here.every(read, lasts, 0)


def dashboard(here: Premises) -> None:
    """A screen on the wall reloads a page outside all day, or day and night."""
    dice = here.dice
    screen = here.adds("screen")
    place = here.place()
    up, down = dice.count(600, 4_000), dice.count(1_000, 200_000)
    when = switched_on(0, at_night=dice.chance(0.5))

    def reload(at: int) -> None:
        here.call(at, screen, place, 443, (up, dice.size(down, 0.05)), 300000, shown=_PAGE)

    here.every(reload, dice.wide(4, 120) * SECOND, dice.choice((0.01, 0.1)), when)


def snapshots(here: Premises) -> None:
    """A program fetches a picture from a camera again and again over HTTP."""
    dice = here.dice
    camera, who = here.adds("camera"), here.pc()
    size = dice.count(8_000, 400_000)
    begins = dice.randrange(6, 18)
    when = between(begins, (begins + dice.count(2, 12)) % 24)
    port = dice.choice((80, 88, 8080, 8000))

    def fetch(at: int) -> None:
        here.call(at, who, camera, port, (220, dice.size(size, 0.2)), 120_000, Shown(speech=_HTTP))

    here.every(fetch, dice.wide(1, 60) * SECOND, 0.03, when)


def one_connection(here: Premises) -> None:
    """A page inside asks in one connection, request after request, for as long as it is open."""
    dice = here.dice
    pc, server = here.pc(), here.server()
    gap = int(dice.wide(0.2, 10) * SECOND)
    lasts = int(dice.wide(10, 400) * MINUTE)
    up, down = dice.count(250, 1_400), dice.count(120, 3_000)
    port = dice.choice((80, 3000, 5000, 8006, 8080, 8123))

    def open_page(at: int) -> None:
        talk = Talk(2 * lasts // gap, up, down, dice.randrange(55, 100), dice.randrange(2, 60))
        here.keeps(
            at, pc, server, port, Pace(gap, lasts), (up, down), shown=Shown(talk, speech=_HTTP)
        )

    here.every(open_page, dice.wide(3, 30) * HOUR, 1, between(8, 18, weekends=False))


def gone_server(here: Premises) -> None:
    """A program on a PC keeps asking a server that was switched off or whose service was stopped."""
    dice = here.dice
    pc = here.pc()
    port = dice.choice((80, 1433, 3306, 5432, 8080, 8443, 9000, 1234, 445))
    stopped = dice.chance(0.5)
    server = here.server() if stopped else here.elsewhere()

    def ask(at: int) -> None:
        if isinstance(server, bytes):
            here.silence(at, pc, server, port)
        else:
            for number in range(3):  # Windows tries thrice
                here.refused(at + number * SECOND // 2, pc, server, port)

    here.every(ask, dice.wide(3, 300) * SECOND, 0.05, switched_on(0, at_night=dice.chance(0.4)))

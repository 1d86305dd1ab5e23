"""Pages that behave oddly, and browsers that hide what they ask."""

from __future__ import annotations

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import always, between, switched_on
from dijkwacht_lab.traffic.habits.premises import Over, Pace, Premises
from dijkwacht_lab.traffic.programs import BARE_BROWSER, program
from dijkwacht_lab.traffic.site import HOUR, MINUTE, SECOND, UDP, Device
from dijkwacht_lab.traffic.world import NAMES
from dijkwacht_records.vocabulary import Alpn

_CRAWLER = program("a checker of links", Alpn.HTTP_1_1)


def hidden_names(here: Premises) -> None:
    """A browser asks its names over HTTPS: from then on it visits addresses that no seen DNS named."""
    dice = here.dice
    for pc in here.pcs(0.1, 0.5):
        resolver = here.bare()
        gap, lasts = int(dice.wide(15, 120) * SECOND), here.holds(HOUR // 10, 3 * HOUR)
        when = switched_on(0, at_night=False)

        def ask(
            at: int, pc: Device = pc, how: tuple[bytes, int, int] = (resolver, gap, lasts)
        ) -> None:
            resolver, gap, lasts = how
            here.keeps(at, pc, resolver, 443, Pace(gap, lasts), (600, 900), shown=BARE_BROWSER)

        def visit(at: int, pc: Device = pc) -> None:
            for _ in range(dice.count(1, 20)):
                here.call(
                    at, pc, here.bare(), 443, (2000, dice.size(30000)), 9 * SECOND, shown=pc.browser
                )

        here.every(ask, lasts, 0.1, when)
        here.every(visit, dice.wide(1, 20) * MINUTE / here.rate, 1, when)


def heavy_pages(here: Premises) -> None:
    """A page of fifty hosts: advertisers of which many are dead, blocked, refused or slow."""
    dice = here.dice
    dead = dice.uniform(0.05, 0.6)
    hosts = dice.count(10, 120)

    def load(at: int) -> None:
        pc = here.pc()
        for _ in range(hosts):
            at += dice.count(1_000, 200_000)
            place = here.place()
            if dice.chance(dead):
                if dice.chance(0.4):
                    here.ledger.ask(at, pc, NAMES[place], 1, 3, 0)
                elif dice.chance(0.7):
                    here.silence(at, pc, place, 443)
                else:
                    here.refused(at, pc, place, 443)
            else:
                here.call(
                    at, pc, place, 443, (1500, dice.size(20000)), 5 * SECOND, shown=pc.browser
                )

    here.every(load, dice.wide(5, 300) * MINUTE / here.rate, 1, between(8, 18, weekends=False))


def open_tab(here: Premises) -> None:
    """A tab that nobody closed asks for news every few seconds, through nights and weekends."""
    dice = here.dice
    pc, place = here.pc(), here.place()
    up, down = dice.count(700, 4_000), dice.count(300, 9_000)

    def ask(at: int) -> None:
        here.call(at, pc, place, 443, (up, down), 200000, shown=pc.browser)

    here.every(ask, dice.wide(3, 120) * SECOND, dice.choice((0.003, 0.02, 0.2)),
               dice.choice((always, between(8, 19))))  # fmt: skip


def speed_tests(here: Premises) -> None:
    """A program measures the line: as fast as it goes down and up, in many connections, by the hour."""
    dice = here.dice
    who = dice.choice([here.pc(), here.server()])
    mbit = dice.wide(10, 900)
    lanes = dice.count(1, 16)
    port = dice.choice((443, 8080, 5201, 5060))

    def measure(at: int) -> None:
        place = here.place()
        for number in range(lanes):
            total = int(mbit * 1e6 / 8 * 10 / lanes)
            here.call(at + number * 1_000, who, place, port, (40_000, total), 10 * SECOND)
            here.call(
                at + 11 * SECOND + number * 1_000, who, place, port, (total, 40_000), 10 * SECOND
            )

    here.every(measure, dice.choice((0.5, 1, 6, 24, 40)) * HOUR, dice.choice((0.01, 1)))


def link_checker(here: Premises) -> None:
    """A program visits hundreds of sites that a page links to: many are gone, by name or by address."""
    dice = here.dice
    pc = here.pc()
    sites = dice.count(50, 1_500)
    gap = int(dice.wide(0.05, 5) * SECOND)
    dead = dice.uniform(0.02, 0.4)

    def check(at: int) -> None:
        for _ in range(sites):
            at += int(dice.expovariate(1 / gap)) + 1
            place, fate = here.place(), dice.random()
            if fate < dead / 2:
                here.ledger.ask(at, pc, NAMES[place], 1, 3, 0)
            elif fate < dead:
                here.silence(at, pc, place, dice.choice((80, 443)))
            else:
                here.call(at, pc, place, 443, (800, dice.size(30000)), SECOND, shown=_CRAWLER)

    here.every(check, dice.wide(20, 200) * HOUR, 1, between(8, 18))


def quiet_sockets(here: Premises) -> None:
    """Pages hold sockets open for hours: trading, chat, maps; a pulse each half minute, data in bursts."""
    dice = here.dice

    def hold(at: int) -> None:
        pc, place = here.pc(), here.place()
        gap, lasts = int(dice.wide(5, 60) * SECOND), int(dice.wide(5, 500) * MINUTE)
        up, down = dice.count(6, 120), dice.count(2, 400)
        talk = Talk(2 * lasts // gap, up, down, dice.randrange(60, 100), dice.randrange(1, 60))
        here.keeps(at, pc, place, dice.choice((443, 443, 8443, 2096)), Pace(gap, lasts), (up, down), shown=Over(pc.browser, Shown(talk)))  # fmt: skip
        here.datagrams(at, pc, here.bare(), 3478, (120, 120)) if dice.chance(0.1) else None
        if dice.chance(0.05):
            here.silence(at, pc, here.bare(), 3478, UDP)

    here.every(hold, dice.wide(0.3, 5) * HOUR, 1, between(8, 18, weekends=False))

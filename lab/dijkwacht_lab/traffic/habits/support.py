"""Technicians: remote support, and the one PC from which everything is administered."""

from __future__ import annotations

from dijkwacht_lab.traffic.facts import Counted, Shown, Talk, log_in
from dijkwacht_lab.traffic.habit import between
from dijkwacht_lab.traffic.habits.premises import Pace, Premises
from dijkwacht_lab.traffic.programs import BARE_BROWSER, program
from dijkwacht_lab.traffic.site import HOUR, MINUTE, SECOND, UDP, Device
from dijkwacht_records.hints import Speech
from dijkwacht_records.vocabulary import Alpn, AuthMethod, AuthService, AuthStatus

_VIEWER = program("a viewer of screens", Alpn.NONE)


def screen_shared(here: Premises) -> None:
    """A supplier looks along for hours: the screen goes out to a bare address, far more than comes in."""
    dice = here.dice
    port = dice.choice((5938, 7070, 6568, 443, 80, 21116, 8041))
    rate = dice.wide(2_000, 200_000)
    hand = dice.wide(350, 4_000)  # bytes a second of mouse and keyboard

    def share(at: int) -> None:
        pc, relay = here.pc(), here.bare()
        lasts = int(dice.wide(2, 400) * MINUTE)
        seconds = lasts // SECOND
        here.call(at, pc, here.place(), 443, (3000, 5000), SECOND, shown=_VIEWER)
        talk = Talk(seconds + 8, 90, 60, dice.randrange(10, 60), 160)
        here.call(
            at + 2 * SECOND,
            pc,
            relay,
            port,
            (int(rate * seconds), int(hand * seconds)),
            lasts,
            Shown(talk),
        )
        for _ in range(dice.count(1, 8) - 1):
            here.silence(at, pc, here.bare(), dice.randrange(1_024, 65_000), UDP)

    here.every(share, dice.wide(4, 100) * HOUR, 1, between(8, 18))


def admins_desk(here: Premises) -> None:
    """From one PC to all servers and things: SSH, RDP, WinRM, VNC, web pages; the first password is often wrong."""
    dice, pc = here.dice, here.pc()
    goals = [
        *dice.some(here.everyone(), 0.2, 0.8),
        *[here.adds("host") for _ in range(dice.count(1, 8))],
    ]
    wrong = dice.uniform(0, 0.4)
    away = dice.uniform(0, 0.3)

    def visit(at: int) -> None:
        for goal in dice.some(goals, 0.05, 0.6):
            at += dice.count(5, 900) * SECOND
            port = dice.choice((22, 22, 3389, 5985, 5986, 5900, 443, 8443, 23))
            if dice.chance(away):
                here.refused(at, pc, goal, port)
                continue
            if port in {443, 8443}:
                here.call(at, pc, goal, port, (9000, 90000), 20 * SECOND, shown=BARE_BROWSER)
                continue
            for _ in range(dice.count(1, 4) if dice.chance(wrong) else 0):
                _refused_log_in(here, at, pc, goal, port)
                at += dice.count(2, 30) * SECOND
            turns, lasts = dice.count(8, 3_000), int(dice.wide(0.2, 200) * MINUTE)
            here.call(at, pc, goal, port, (90 * turns, 200 * turns), lasts,
                      Shown(Talk(turns, 52, 120, 30, 300), speech=_spoken(port)))  # fmt: skip

    here.every(visit, dice.wide(1, 50) * HOUR, 1, between(8, 19))


def remote_desks(here: Premises) -> None:
    """People work on PCs and servers of the office through RDP, all day, several at once."""
    dice = here.dice
    server = here.server()

    def work(at: int) -> None:
        pc = here.pc()
        goal = server if dice.chance(0.6) else here.pc()
        if goal is pc:
            return
        lasts = int(dice.wide(0.1, 9) * HOUR)
        seconds = lasts // SECOND
        turns = int(seconds * dice.wide(0.1, 3))
        here.call(
            at,
            pc,
            goal,
            3389,
            (700 * seconds, 6_000 * seconds),
            lasts,
            Shown(Talk(turns, 60, 900, 25, 200)),
        )

    here.every(work, dice.wide(0.5, 12) * HOUR, 1, between(8, 17, weekends=False))


def borrowed_line(here: Premises) -> None:
    """A supplier's box for its machine keeps a tunnel to the supplier: odd port, bare address, server first."""
    dice = here.dice
    box, home = here.adds("machine"), here.home(0.8)
    port = dice.choice((22, 443, 1194, 5900, dice.randrange(1_025, 65_000)))
    gap, lasts = int(dice.wide(5, 250) * SECOND), here.holds()
    up, down = dice.count(20, 900), dice.count(20, 300)

    def keep(at: int) -> None:
        talk = Talk(2 * lasts // gap, up, down, dice.randrange(40, 101), dice.randrange(0, 60))
        here.keeps(
            at,
            box,
            home,
            port,
            Pace(gap, lasts),
            (up, down),
            shown=Shown(talk, resp_first=dice.chance(0.5)),
        )

    here.every(keep, lasts, 0.01)


def _spoken(port: int) -> Speech:
    return {22: Speech.SSH, 3389: Speech.RDP, 5985: Speech.HTTP}.get(port, Speech.BYTES)


def _refused_log_in(here: Premises, at: int, pc: Device, goal: Device, port: int) -> None:
    service = {22: AuthService.SSH, 3389: AuthService.RDP, 5985: AuthService.HTTP}.get(port)
    told: tuple[Counted, ...] = ()
    if service is not None:
        told = (log_in(SECOND, service, AuthMethod.PASSWORD, "admin", status=AuthStatus.REFUSED),)
    here.call(at, pc, goal, port, (2_200, 2_600), 3 * SECOND, Shown(Talk(22, 64, 64, 30, 90), told))

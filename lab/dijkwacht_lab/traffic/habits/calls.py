"""Calls and messages: meetings, telephones, and messengers that are no TLS at the port of TLS."""

from __future__ import annotations

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import always, between
from dijkwacht_lab.traffic.habits.premises import Pace, Premises, Where
from dijkwacht_lab.traffic.programs import CHAT
from dijkwacht_lab.traffic.site import HOUR, MINUTE, SECOND, UDP, Device
from dijkwacht_records.hints import Speech

_Held = tuple[Where, int, int, int, int, int, bool, Speech]


def meetings(here: Premises) -> None:
    """Video by UDP with machines whose addresses came in the signalling, so that no name leads to them."""
    dice = here.dice
    port = dice.choice((3478, 3479, 3480, 3481, 8801, 9000, 19305, 10000))
    up, down = dice.count(6_000, 400_000), dice.count(6_000, 800_000)
    kept = dice.chance(0.4)

    def meet(at: int) -> None:
        pc, lasts = here.pc(), int(dice.wide(3, 240) * MINUTE)
        here.keeps(at, pc, here.place(), 443, Pace(20 * SECOND, lasts), (400, 400), shown=CHAT)
        for number in range(dice.count(1, 4)):
            peer = here.bare()
            seconds = lasts // SECOND
            here.datagrams(
                at + number * SECOND, pc, peer, port, (up * seconds, down * seconds), lasts
            )
            if dice.chance(0.3):
                here.silence(at, pc, peer, 443 if kept else port, UDP)

    here.every(meet, dice.wide(1, 20) * HOUR / here.rate, 1, between(8, 18, weekends=False))


def peer_calls(here: Premises) -> None:
    """A call between telephones: each address that the other may have is tried, most in vain."""
    dice = here.dice
    who = dice.choice([*here.phones(), here.pc()])
    tries = dice.count(2, 40)

    def call(at: int) -> None:
        for number in range(tries):
            begun = at + number * 40_000
            peer = here.bare() if dice.chance(0.6) else here.elsewhere()
            here.silence(begun, who, peer, dice.randrange(1_024, 65_535), UDP)
        for _ in range(dice.count(1, 8)):
            here.datagrams(at, who, here.bare(), 3478, (120, 140), 90_000)
        lasts = int(dice.wide(0.2, 120) * MINUTE)
        rate = dice.count(3_000, 200_000) * (lasts // SECOND + 1)
        here.datagrams(
            at + SECOND, who, here.bare(), dice.randrange(1_024, 65_535), (rate, rate), lasts
        )

    here.every(call, dice.wide(0.7, 30) * HOUR, 1, between(7, 23))


def desk_telephones(here: Premises) -> None:
    """Telephones on desks register every minute, and speak to addresses that only the call names."""
    dice = here.dice
    exchange = here.home(0.5)
    gap = int(dice.wide(15, 120) * SECOND)
    port = dice.choice((5060, 5060, 5061, 5062, 15060))
    media = here.bare()
    lasts = here.holds(2 * HOUR, 8 * HOUR)
    for _ in range(dice.count(1, 8)):
        phone = here.adds("telephone")
        up, down = dice.count(400, 900), dice.count(300, 900)

        def register(at: int, phone: Device = phone, up: int = up, down: int = down) -> None:
            talk = Talk(2 * lasts // gap, up, down, dice.randrange(60, 100), dice.randrange(0, 20))
            shown = Shown(talk, speech=Speech.TEXT)
            here.keeps(
                at,
                phone,
                exchange,
                port,
                Pace(min(gap, 55 * SECOND), lasts, UDP),
                (up, down),
                shown=shown,
            )

        def speak(at: int, phone: Device = phone) -> None:
            length = int(dice.wide(0.2, 60) * MINUTE)
            total = 8_600 * (length // SECOND + 1)
            here.datagrams(
                at, phone, media, 10_000 + dice.randrange(10_000), (total, total), length
            )

        here.every(register, lasts, 0)
        here.every(speak, dice.wide(0.2, 8) * HOUR, 1, between(8, 18, weekends=False))


def messengers(here: Premises) -> None:
    """A messenger's connection: binary, at 443, 80 or its own port, to a bare address, with a pulse."""
    dice = here.dice
    for who in [*here.phones(), *here.pcs(0.1, 0.4)]:
        where = here.home(0.7)
        port = dice.choice((443, 443, 80, 5222, 5242, 4244, 8080, 33033))
        gap = int(dice.wide(15, 280) * SECOND)
        lasts = here.holds(HOUR // 2, 10 * HOUR)
        up, down = dice.count(20, 400), dice.count(20, 600)
        first = dice.chance(0.2)
        speech = dice.choice((Speech.BYTES, Speech.BYTES, Speech.TEXT))

        held = where, port, gap, lasts, up, down, first, speech

        def hold(at: int, who: Device = who, how: _Held = held) -> None:
            where, port, gap, lasts, up, down, first, speech = how
            talk = Talk(2 * lasts // gap, up, down, dice.randrange(40, 95), dice.randrange(2, 80))
            here.keeps(at, who, where, port, Pace(gap, lasts), (up, down), shown=Shown(talk, speech=speech, resp_first=first))  # fmt: skip

        here.every(hold, lasts * 1.05, 0.05, dice.choice((always, between(8, 18))))


def hold_line(here: Premises) -> None:
    """A call centre's page: a socket that is held all day, and audio over TCP to an odd port."""
    dice = here.dice
    pc, place = here.pc(), here.place()
    port = dice.choice((8089, 7443, 4443, 5061, 8443))
    media = here.bare()

    def shift(at: int) -> None:
        lasts = int(dice.wide(1, 8) * HOUR)
        here.keeps(at, pc, place, port, Pace(30 * SECOND, lasts), (90, 90), shown=CHAT)
        for _ in range(dice.count(3, 60)):
            length = int(dice.wide(0.2, 30) * MINUTE)
            begun = at + int(dice.random() * lasts)
            total = 9_000 * (length // SECOND + 1)
            here.call(begun, pc, media, dice.choice((443, 3478, port)), (total, total), length)

    here.every(shift, 20 * HOUR, 0.3, between(8, 17, weekends=False))

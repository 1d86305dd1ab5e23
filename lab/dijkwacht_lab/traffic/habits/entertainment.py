"""Screens, loudspeakers and assistants in shops, canteens and waiting rooms."""

from __future__ import annotations

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import between, usually
from dijkwacht_lab.traffic.habits.premises import Pace, Premises
from dijkwacht_lab.traffic.programs import THINGS
from dijkwacht_lab.traffic.site import HOUR, MINUTE, SECOND, UDP, Device
from dijkwacht_lab.traffic.world import NAMES
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.hints import Speech

_SSDP = V4_PREFIX + bytes((239, 255, 255, 250))


def television(here: Premises) -> None:
    """A television tells its maker what is watched, and asks for dozens of names that a filter denies."""
    dice = here.dice
    screen, home = here.adds("tv"), here.place()
    denied = [NAMES[here.place()] for _ in range(dice.count(1, 40))]
    stream = here.place()

    def tell(at: int) -> None:
        here.call(at, screen, home, 443, (dice.size(3000), 600), shown=THINGS[1])

    def ask(at: int) -> None:
        for name in dice.some(denied):
            at = here.ledger.ask(at, screen, name, 1, dice.choice((0, 3, 5)), 0)

    def watch(at: int) -> None:
        for _ in range(dice.count(5, 200)):
            here.call(
                at,
                screen,
                stream,
                443,
                (3000, dice.size(4000000.0, 0.4)),
                4 * SECOND,
                shown=THINGS[1],
            )
            at += 6 * SECOND

    here.every(tell, dice.wide(10, 600) * SECOND, 0.05)
    here.every(ask, dice.wide(0.5, 60) * MINUTE, 0.2)
    here.every(watch, dice.wide(0.5, 20) * HOUR, 1, between(8, 23))


def loudspeakers(here: Premises) -> None:
    """Loudspeakers and those who steer them: pulses every few seconds inside, day and night."""
    dice = here.dice
    phone = here.pc()
    port = dice.choice((8009, 1400, 1443, 7000, 4070))
    gap = int(dice.choice((1, 5, 5, 10, 30)) * SECOND)
    for _ in range(dice.count(1, 6)):
        speaker, lasts = here.adds("speaker"), here.holds(HOUR // 2, 9 * HOUR)

        def hold(at: int, speaker: Device = speaker, lasts: int = lasts) -> None:
            talk = Talk(2 * lasts // gap, 110, 110, dice.randrange(80, 101), dice.randrange(1, 15))
            here.keeps(at, phone, speaker, port, Pace(gap, lasts), (110, 110), shown=Shown(talk))

        here.every(hold, lasts * 1.1, 0.05, between(7, 20))


def assistant(here: Premises) -> None:
    """A voice assistant: one connection that lasts, a little sound now and then, a fixed resolver outside."""
    dice = here.dice
    thing, home = here.adds("assistant"), here.home(0.3)
    resolver = here.bare()
    gap, lasts = int(dice.wide(15, 280) * SECOND), here.holds()

    def listen(at: int) -> None:
        here.keeps(at, thing, home, dice.choice((443, 443, 4070, 5228)), Pace(gap, lasts), (80, 90), shown=Shown(Talk(2 * lasts // gap, 80, 90, 85, 6)))  # fmt: skip

    def ask(at: int) -> None:
        here.datagrams(at, thing, resolver, 53, (40, 120), 20_000)

    here.every(listen, lasts, 0.01)
    here.every(ask, dice.wide(20, 900) * SECOND, 1)
    here.every(
        lambda at: here.call(at, thing, home, 443, (dice.size(90_000), 9_000), 4 * SECOND),
        3 * HOUR,
        1,
    )


def signs(here: Premises) -> None:
    """Advertising screens fetch their films at night, all of them, and show they are alive each half minute."""
    dice = here.dice
    home = here.home(0.5)
    port = dice.choice((443, 80, 3478, 9090, 5000))
    period = dice.wide(10, 120) * SECOND
    for _ in range(dice.count(1, 4)):
        sign = here.adds("sign")

        def alive(at: int, sign: Device = sign) -> None:
            here.call(at, sign, home, port, (310, 120), 90_000)

        def fetch(at: int, sign: Device = sign) -> None:
            here.call(at, sign, home, port, (4_000, dice.size(3e8)), 9 * MINUTE)

        here.every(alive, max(period, 15 * SECOND), 0.01)
        here.every(fetch, 24 * HOUR, 0.02, usually)


def consoles(here: Premises) -> None:
    """A game console: fast datagrams with many players' houses, ports opened in the router."""
    dice = here.dice
    console = here.adds("console")
    port = dice.choice((3074, 3478, 9308, 27_000 + dice.randrange(50)))

    def play(at: int) -> None:
        here.ledger.unanswered(at, console.address, _SSDP, 1900, UDP)
        for _ in range(dice.count(2, 60)):
            if dice.chance(0.4):
                here.silence(at, console, here.bare(), port, UDP)
            else:
                lasts = int(dice.wide(1, 1_800) * SECOND)
                total = 4_000 * (lasts // SECOND + 1)
                here.datagrams(at, console, here.bare(), port, (total, total), lasts)
            at += dice.count(1, 60) * SECOND

    here.every(play, dice.wide(2, 60) * HOUR, 1, between(12, 24))


def events_told(here: Premises) -> None:
    """Who steers a device over UPnP subscribes to its events, and the device calls back to say them."""
    dice = here.dice
    device = here.adds("media")
    port = dice.choice((80, 8080, 1400, 49_152, 8_200, 5_000))
    back = dice.choice((2_869, 3_400, 3_500, dice.randrange(49_152, 65_000)))
    steering = here.pcs(0.1, 0.5)
    period = dice.wide(1, 60) * MINUTE

    def subscribe(at: int) -> None:
        for pc in steering:
            here.call(at, pc, device, port, (300, 220), 90_000, Shown(speech=Speech.HTTP))
            for _ in range(dice.count(1, 6)):
                at += dice.count(1, 8) * SECOND
                here.call(at, device, pc, back, (722, 125), 80_000, Shown(speech=Speech.HTTP))

    here.every(subscribe, period, 0.05, between(7, 24))

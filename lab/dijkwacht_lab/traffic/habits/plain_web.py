"""The web in the clear: programs that fetch without encryption, pages by address, streams, lists, caches."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.dice import Dice
from dijkwacht_lab.traffic.facts import Shown
from dijkwacht_lab.traffic.habit import always, between, switched_on
from dijkwacht_lab.traffic.habits.premises import Premises
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, Device
from dijkwacht_records.hints import Speech

_HTTP: Final = Shown(speech=Speech.HTTP)
_PORTS: Final = (80, 80, 80, 8080, 8080, 8081, 8000, 8888, 81)


def _port(dice: Dice, odd: float) -> int:
    return dice.randrange(1_025, 65_000) if dice.chance(odd) else dice.choice(_PORTS)


def old_updaters(here: Premises) -> None:
    """A program on some PCs asks by plain HTTP whether it is the newest, and now and then fetches itself."""
    dice = here.dice
    maker = here.home(0.07)
    port = 80 if dice.chance(0.85) else _port(dice, 0.3)
    asks, size = dice.size(dice.wide(70, 500), 0.02), dice.wide(20_000, 200_000_000)
    fetches = dice.uniform(0.02, 0.6)
    for pc in here.pcs(0.05, 1.0):

        def look(at: int, pc: Device = pc) -> None:
            here.call(at, pc, maker, port, (asks, dice.size(900, 0.2)), SECOND // 4, _HTTP)
            if dice.chance(fetches):
                down = dice.size(size, 0.3)
                at += dice.count(1, 40) * SECOND
                here.call(at, pc, maker, port, (asks + 9, down), 300_000 + down // 5, _HTTP)

        here.every(look, dice.wide(0.2, 9) * DAY, 1, switched_on(0, at_night=False))


def pages_by_address(here: Premises) -> None:
    """A supplier's program is a web page at a bare address: opened by some, for an hour or all day."""
    dice = here.dice
    site, port = here.bare(), _port(dice, 0.3)
    lanes, closes = dice.count(1, 6), dice.chance(0.4)
    asks, size = dice.count(380, 900), dice.wide(900, 300_000)
    files = dice.uniform(0, 0.05)
    for pc in here.pcs(0.05, 0.4):

        def read(at: int, pc: Device = pc) -> None:
            for _ in range(dice.count(1, 12)):
                for _ in range(lanes):
                    pages = 1 if closes else dice.count(1, 9)
                    moved = dice.size(asks * pages, 0.2), dice.size(size * pages, 1)
                    here.call(at, pc, site, port, moved, dice.count(1, 60) * SECOND // 2, _HTTP)
                    at += dice.count(5_000, 300_000)
                if dice.chance(files):
                    down = dice.size(400_000, 1.5)
                    here.call(at, pc, site, port, (asks, down), SECOND + down, _HTTP)
                at += dice.count(2, 240) * SECOND

        here.every(read, dice.wide(0.2, 60) * HOUR, 1, between(8, 18, weekends=False))


def listening(here: Premises) -> None:
    """A radio, or a player on a PC, keeps a stream in the clear for minutes to hours, and changes channel."""
    dice = here.dice
    who = here.pc() if dice.chance(0.4) else here.adds("radio")
    channels = [here.home(0.4) for _ in range(dice.count(1, 8))]
    port = dice.choice((8000, 8000, 80, 8080, 8010, 9000, dice.randrange(7_000, 30_000)))
    rate, asks = dice.wide(5_000, 900_000), dice.count(90, 450)

    def tune(at: int) -> None:
        for _ in range(dice.count(1, 5)):
            lasts = int(dice.wide(0.1, 300) * MINUTE)
            moved = asks, int(rate * lasts / SECOND)
            here.call(at, who, dice.choice(channels), port, moved, lasts, _HTTP)
            at += lasts + SECOND

    here.every(tune, dice.wide(4, 40) * HOUR, 1, between(7, 20))


def firmware(here: Premises) -> None:
    """Things ask their maker in the clear for new firmware, and fetch it in one piece or in many."""
    dice = here.dice
    maker, port = here.home(0.3), _port(dice, 0.2)
    asks, size, pieces = dice.count(80, 400), dice.wide(30_000, 80_000_000), dice.count(1, 20)
    fetches = dice.uniform(0.02, 0.5)
    for _ in range(dice.count(1, 8)):
        thing = here.adds("thing")

        def look(at: int, thing: Device = thing) -> None:
            here.call(at, thing, maker, port, (asks, dice.size(700, 0.3)), SECOND // 3, _HTTP)
            if dice.chance(fetches):
                for _ in range(pieces):
                    at += dice.count(1, 20) * SECOND
                    down = int(size / pieces) + 200
                    here.call(at, thing, maker, port, (asks, down), 300_000 + down, _HTTP)

        here.every(look, dice.wide(0.2, 7) * DAY, 0.2)


def revocations(here: Premises) -> None:
    """Windows asks for lists of certificates that are void, and what time they are good for, by plain HTTP."""
    dice = here.dice
    issuers = [here.place() for _ in range(dice.count(1, 6))]

    def check(at: int) -> None:
        pc = here.pc()
        for _ in range(dice.count(1, 4)):
            up = dice.count(117, 310)
            down = dice.size(1_600, 0.2) if dice.chance(0.7) else dice.size(40_000, 1.5)
            here.call(
                at, pc, dice.choice(issuers), 80, (up, down), dice.count(1, 90) * SECOND, _HTTP
            )
            at += dice.count(1, 20) * SECOND

    here.every(check, dice.wide(0.1, 4) * HOUR / here.rate, 1, switched_on(0, at_night=False))


def nearby_cache(here: Premises) -> None:
    """The provider's cache hands out Windows' and games' updates: a bare address, large ranges in the clear."""
    dice = here.dice
    caches = [here.bare() for _ in range(dice.count(1, 3))]
    lanes = dice.count(1, 8)
    size = dice.wide(300_000, 400_000_000)

    def fetch(at: int) -> None:
        for pc in here.pcs(0.2):
            begun = at + int(dice.random() * HOUR)
            for _ in range(lanes):
                down = dice.size(size, 1)
                ranges = 1 + down // dice.count(1_000_000, 16_000_000)
                moved = dice.count(340, 700) * ranges, down
                here.call(begun, pc, dice.choice(caches), 80, moved, SECOND + down // 4, _HTTP)
                begun += dice.count(1_000, 3_000_000)

    here.every(fetch, dice.wide(0.5, 8) * DAY, 1, switched_on(0, at_night=False))


def plain_messenger(here: Premises) -> None:
    """A messenger whose own ports are blocked posts its messages by plain HTTP to one of its addresses."""
    dice = here.dice
    centres = [here.bare() for _ in range(dice.count(1, 4))]
    port = dice.choice((80, 80, 443))
    pc = here.pc()

    def talk(at: int) -> None:
        centre = dice.choice(centres)
        for _ in range(dice.count(1, 30)):
            rounds = dice.count(1, 40)
            moved = dice.size(330, 0.4) * rounds, dice.size(260, 0.8) * rounds
            here.call(at, pc, centre, port, moved, dice.count(1, 50) * SECOND, _HTTP)
            at += dice.count(1, 60) * SECOND

    here.every(talk, dice.wide(1, 20) * HOUR, 1, between(8, 22))


def little_scripts(here: Premises) -> None:
    """A script of the office fetches rates, stock or a price list in the clear, by the clock."""
    dice = here.dice
    who = dice.choice([here.pc(), here.server()])
    source, port = here.home(0.15), _port(dice, 0.2)
    moved = dice.count(60, 320), dice.wide(400, 4_000_000)

    def fetch(at: int) -> None:
        up, down = moved
        here.call(at, who, source, port, (up, dice.size(down, 0.1)), 300_000 + int(down), _HTTP)

    here.every(fetch, dice.wide(0.02, 30) * HOUR, dice.choice((0.002, 0.05, 1)),
               dice.choice((always, between(8, 18))))  # fmt: skip


def located_programs(here: Premises) -> None:
    """A program on some PCs asks where in the world it is, and fetches weather, news or adverts in the clear."""
    dice = here.dice
    teller = dice.choice(("ip-api.com", "api.ipify.org", "checkip.dyndns.org", "ipinfo.io"))
    sources, port = [here.home(0.05) for _ in range(dice.count(1, 4))], _port(dice, 0.05)
    asks, size = dice.count(90, 600), dice.wide(200, 300_000)
    period, rests = dice.wide(1, 120) * MINUTE, dice.uniform(0, 0.98)
    again, shows = dice.chance(0.6), dice.chance(0.5)
    answers, plain = here.place(), dice.chance(0.7)
    running: set[str] = set()

    def locate(at: int, pc: Device) -> int:
        at = here.ledger.ask(at, pc, teller) + dice.count(20_000, 300_000)
        shown = _HTTP if plain else Shown(speech=Speech.TLS)
        here.call(at, pc, answers, 80 if plain else 443, (150, 420), SECOND // 3, shown)
        return at + dice.count(400_000, 9_000_000)

    for pc in here.pcs(0.05, 0.6):

        def start(at: int, pc: Device = pc) -> None:
            running.add(pc.name)
            at = locate(at, pc)
            for source in sources if shows else ():
                at += dice.count(50_000, 9_000_000)
                here.call(at, pc, source, port, (asks, dice.size(size, 0.3)), SECOND // 2, _HTTP)

        def refresh(at: int, pc: Device = pc) -> None:
            if pc.name not in running or dice.chance(rests):
                return
            if again:
                at = locate(at, pc)
            source = dice.choice(sources)
            here.call(at, pc, source, port, (asks, dice.size(size, 0.3)), SECOND // 2, _HTTP)

        here.every(start, dice.wide(3, 60) * HOUR, 1, between(7, 19))
        here.every(refresh, period, dice.choice((0.01, 0.1, 1)), between(7, 19))


def signs(here: Premises) -> None:
    """A screen on the wall fetches pictures and films from its maker's or agency's server, in the clear."""
    dice = here.dice
    screen = here.pc() if dice.chance(0.3) else here.adds("screen")
    source, port = here.home(0.3), _port(dice, 0.2)
    asks, size = dice.count(90, 400), dice.wide(20_000, 30_000_000)

    def show(at: int) -> None:
        for _ in range(dice.count(1, 20)):
            down = dice.size(size, 1)
            here.call(at, screen, source, port, (asks, down), 300_000 + down // 2, _HTTP)
            at += dice.count(1, 60) * SECOND

    here.every(show, dice.wide(0.5, 60) * HOUR, 1, between(6, 20))

"""Money: payment terminals, tills, banks."""

from __future__ import annotations

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import always, between
from dijkwacht_lab.traffic.habits.premises import Pace, Premises
from dijkwacht_lab.traffic.programs import BACKUP, program
from dijkwacht_lab.traffic.site import HOUR, MINUTE, SECOND, Device
from dijkwacht_records.vocabulary import Alpn

_TERMINAL = program("a payment terminal", Alpn.NONE, 0x0303)


def terminals(here: Premises) -> None:
    """Each payment dials the acquirer's bare address at a port of its own; in between it shows it is alive."""
    dice = here.dice
    acquirers = [here.bare() for _ in range(dice.count(1, 3))]
    port = dice.choice((9990, 2040, 8443, 20002, 4433, 5005, 3101))
    tls = dice.chance(0.6)
    up, down = dice.count(300, 2_500), dice.count(200, 3_000)
    alive = dice.wide(20, 600) * SECOND
    opens = between(dice.randrange(7, 11), dice.randrange(17, 23))
    for _ in range(dice.count(1, 6)):
        terminal = here.adds("terminal")

        def pay(at: int, terminal: Device = terminal) -> None:
            here.call(at, terminal, dice.choice(acquirers), port, (dice.size(up, 0.1), down), 2 * SECOND, shown=_TERMINAL if tls else None)  # fmt: skip

        def beat(at: int, terminal: Device = terminal) -> None:
            if dice.chance(0.02):
                here.silence(at, terminal, acquirers[-1], port)
            else:
                here.call(at, terminal, acquirers[0], port, (64, 64), 200_000)

        here.every(pay, dice.wide(0.7, 60) * MINUTE, 1, opens)
        here.every(beat, max(alive, 20 * SECOND), 0.01)


def tills_database(here: Premises) -> None:
    """Tills and their server: hundreds of short questions at each sale, a count of stock at night."""
    dice, server = here.dice, here.server()
    port = dice.choice((1433, 3306, 5432, 3050, 1521))
    for _ in range(dice.count(1, 5)):
        till = here.adds("till")

        def sell(at: int, till: Device = till) -> None:
            for _ in range(dice.count(1, 12)):
                turns = dice.count(8, 80)
                here.call(
                    at,
                    till,
                    server,
                    port,
                    (140 * turns, 500 * turns),
                    SECOND,
                    Shown(Talk(turns, 90, 200, 40)),
                )
                at += dice.count(50_000, 4_000_000)

        here.every(sell, dice.wide(0.5, 30) * MINUTE, 1, between(9, 21))


def bank_program(here: Premises) -> None:
    """Accounting asks the bank in the night and sends its batch, with a certificate and without a name."""
    dice = here.dice
    who, bank = here.server(), here.bare()
    port = dice.choice((443, 443, 8443, 22, 10443))

    def ask(at: int) -> None:
        for _ in range(dice.count(1, 30)):
            here.call(at, who, bank, port, (dice.size(6000), dice.size(9000)), SECOND, shown=BACKUP if port != 22 else None)  # fmt: skip
            at += dice.count(1, 60) * SECOND

    here.every(
        ask,
        dice.wide(0.5, 24) * HOUR,
        dice.choice((0.001, 0.2)),
        dice.choice((always, between(22, 6))),
    )


def cash_machine(here: Premises) -> None:
    """A machine with coins or a pump reports each sale, its state each half minute, and its loss of line."""
    dice = here.dice
    box, home = here.adds("vending"), here.home(0.7)
    port = dice.choice((1234, 5555, 9001, 11001, 443))
    gap, lasts = int(dice.wide(10, 120) * SECOND), here.holds(HOUR // 4, 8 * HOUR)
    up, down = dice.count(12, 200), dice.count(8, 100)

    def stay(at: int) -> None:
        talk = Talk(2 * lasts // gap, up, down, dice.randrange(70, 101), dice.randrange(0, 25))
        here.keeps(at, box, home, port, Pace(gap, lasts), (up, down), shown=Shown(talk))
        for number in range(dice.count(1, 12) - 1):
            here.silence(at + lasts + (number + 1) * 5 * SECOND, box, home, port)

    here.every(stay, lasts + 90 * SECOND, 0)


def couriers(here: Premises) -> None:
    """A scanner's base looks for parcels' news every few seconds while the shop is open, over plain HTTP."""
    dice = here.dice
    base, place = here.adds("base"), here.home(0.3)

    def ask(at: int) -> None:
        here.call(at, base, place, 80, (310, dice.size(260, 0.1)), 120_000)

    here.every(ask, max(dice.wide(4, 90), 5) * SECOND, dice.choice((0.01, 0.1)), between(8, 20))

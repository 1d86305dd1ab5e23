"""Files and figures with customers, banks and the state: EDI, drop boxes, filings, shops, labels, hosted desks."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import always, between
from dijkwacht_lab.traffic.habits.premises import Over, Pace, Premises
from dijkwacht_lab.traffic.programs import CLOUD, TLS_1_2, program
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, Call
from dijkwacht_records.hints import Speech
from dijkwacht_records.vocabulary import Alpn

_SHOP: Final = program("a shop's connector", Alpn.HTTP_1_1, TLS_1_2)
_FILING: Final = program("a filing program", Alpn.NONE, TLS_1_2)
_PRINTS: Final = program("a label service's agent", Alpn.HTTP_1_1)


def electronic_orders(here: Premises) -> None:
    """AS2: partners post orders to a port of the office and it posts invoices to theirs; receipts come later, by themselves."""
    dice, server = here.dice, here.server()
    partners = [here.bare() for _ in range(dice.count(1, 12))]
    port = dice.choice((4080, 5080, 8080, 443, 10080, dice.randrange(1_024, 60_000)))
    size = dice.wide(2_000, 400_000)

    def incoming(at: int, partner: bytes, volume: int, back: int) -> None:
        here.ledger.flow(
            at, Call(partner, server.address, port), up=volume, down=back, last_us=900_000
        )

    def trade(at: int) -> None:
        partner = dice.choice(partners)
        for _ in range(dice.count(1, 30)):
            later = at + dice.count(1, 900) * SECOND
            if dice.chance(0.5):
                incoming(at, partner, dice.size(size), 200)
                here.call(later, server, partner, port, (1_900, 120), SECOND)
            elif dice.chance(0.05):
                for number in range(dice.count(1, 10)):
                    here.silence(at + number * 5 * MINUTE, server, partner, port)
            else:
                here.call(at, server, partner, port, (dice.size(size), 200), SECOND)
                incoming(later, partner, 1_900, 120)
            at += dice.count(1, 60) * SECOND

    here.every(trade, dice.wide(0.2, 24) * HOUR, 1, dice.choice((always, between(6, 20))))


def drop_box(here: Premises) -> None:
    """Customers put drawings and photographs on the office's FTP or SFTP server, from wherever they are, by the gigabyte."""
    dice, server = here.dice, here.server()
    ftp = dice.chance(0.6)
    customers = [here.bare() for _ in range(dice.count(2, 60))]
    first = dice.randrange(20_000, 60_000)
    size = dice.wide(0.05, 300) * 1e6

    def put(at: int) -> None:
        customer = dice.choice(customers) if dice.chance(0.8) else here.bare()
        number = dice.count(1, 80)
        lasts = number * dice.count(1, 20) * SECOND
        volume = dice.size(size, 1)
        if not ftp:
            here.ledger.flow(
                at,
                Call(customer, server.address, 22),
                up=volume * number,
                down=9_000 * number,
                last_us=lasts,
            )
            return
        here.ledger.flow(
            at, Call(customer, server.address, 21), up=90 * number, down=140 * number, last_us=lasts
        )
        for place in range(number):
            call = Call(customer, server.address, first + dice.randrange(200))
            moved = (volume, 0) if dice.chance(0.8) else (0, dice.size(2_000))
            here.ledger.flow(
                at + lasts * place // number, call, up=moved[0], down=moved[1], last_us=SECOND
            )

    here.every(put, dice.wide(0.3, 60) * HOUR, 1, dice.choice((always, between(7, 23))))


def filings(here: Premises) -> None:
    """Tax forms go to the state one after the other at the end of the month, and each is asked for until it is accepted."""
    dice = here.dice
    pc, state = here.pc(), here.home(0.3)
    port = dice.choice((443, 443, 8443, 10443))
    ask_after = dice.wide(2, 120) * SECOND
    clients = dice.count(1, 300)

    def file(at: int) -> None:
        for _ in range(max(1, clients // dice.count(1, 20))):
            here.call(
                at,
                pc,
                state,
                port,
                (dice.size(30_000), 2_400),
                2 * SECOND,
                shown=Over(_FILING, Shown(speech=Speech.TLS)),
            )
            for _ in range(dice.count(1, 12)):
                at += int(ask_after * dice.uniform(0.95, 1.05))
                here.call(
                    at,
                    pc,
                    state,
                    port,
                    (2_100, 1_700),
                    SECOND,
                    shown=Over(_FILING, Shown(speech=Speech.TLS)),
                )
            at += dice.count(1, 600) * SECOND

    here.every(file, dice.wide(10, 160) * HOUR, 1, between(8, 22, weekends=False))


def hosted_desk(here: Premises) -> None:
    """Bookkeepers work all day on somebody else's machine: RDP over TLS and UDP, or ICA, to a bare or named gateway."""
    dice = here.dice
    gateway = here.home(0.5)
    port, udp = dice.choice(
        ((443, 3391), (443, 0), (3389, 3389), (2598, 2598), (1494, 0), (8443, 4172))
    )
    rate_up, rate_down = dice.wide(60, 3_000), dice.wide(500, 90_000)

    def work(at: int) -> None:
        for pc in here.pcs(0.3, 1.0):
            begun = at + dice.count(1, 1_800) * SECOND
            left = int(dice.wide(0.3, 9) * HOUR)
            for _ in range(dice.count(1, 4)):
                lasts = max(left // dice.count(1, 4), MINUTE)
                moved = (
                    int(rate_up * lasts / SECOND) + 9_000,
                    int(rate_down * lasts / SECOND) + 9_000,
                )
                turns = Talk(2 * lasts // (3 * SECOND), 90, 700, 20, 200)
                said = Over(CLOUD if port in {443, 8443} else None, Shown(turns))
                here.call(begun, pc, gateway, port, moved, lasts, said)
                if udp:
                    here.datagrams(
                        begun + 2 * SECOND, pc, gateway, udp, (moved[0] // 3, moved[1] // 2), lasts
                    )
                begun += lasts + dice.count(2, 900) * SECOND

    here.every(work, DAY / 2, 0.4, between(7, 17, weekends=False))


def shop_sync(here: Premises) -> None:
    """Stock and orders between the office's program and its web shop: the same requests by the minute, everything at night."""
    dice, server = here.dice, here.server()
    shop = here.home(0.15)
    articles = dice.count(20, 60_000)
    up, down = dice.count(500, 3_000), dice.count(300, 20_000)
    period = dice.choice((1, 2, 5, 5, 10, 15, 30, 60)) * MINUTE
    keeps = dice.chance(0.5)

    def some(at: int) -> None:
        for _ in range(dice.count(1, 15)):
            here.call(at, server, shop, 443, (up, dice.size(down, 0.1)), SECOND, shown=_SHOP)
            at += dice.count(60_000, 3_000_000)

    def everything(at: int) -> None:
        if keeps:
            lasts = articles * dice.count(40_000, 900_000)
            turns = Talk(2 * articles, up, down, dice.randrange(30, 98), dice.randrange(10, 90))
            said = Over(_SHOP, Shown(turns))
            here.call(
                at, server, shop, 443, (up * articles, down * articles), min(lasts, 5 * HOUR), said
            )
            return
        for _ in range(min(articles, 2_000)):
            here.call(at, server, shop, 443, (up, dice.size(down, 0.1)), SECOND, shown=_SHOP)
            at += dice.count(200_000, 2_000_000)

    here.every(some, period, 0.004)
    here.every(everything, dice.choice((DAY, DAY, 7 * DAY)), 0.001)


def parcel_labels(here: Premises) -> None:
    """An agent on the packing table waits for labels from a carrier's or printing service, and sends each to a printer."""
    dice = here.dice
    pc, home = here.pc(), here.place()
    printer = here.adds("zebra")
    held = dice.count(20, 120) * SECOND
    polls = dice.chance(0.4)
    busy = between(9, 18)

    def wait(at: int) -> None:
        if polls:
            here.call(at, pc, home, 443, (1_100, 420), 300_000, shown=_PRINTS)
        else:
            here.keeps(at, pc, home, 443, Pace(held, held), (900, 300), shown=_PRINTS)

    def label(at: int) -> None:
        for _ in range(dice.count(1, 40)):
            here.call(at, pc, home, 443, (2_400, dice.size(20_000, 0.3)), SECOND, shown=_PRINTS)
            here.call(at + SECOND, pc, printer, 9100, (dice.size(9_000, 0.2), 0), SECOND)
            at += dice.count(3, 90) * SECOND

    here.every(wait, max(dice.wide(2, 40) * SECOND, 6 * SECOND) if polls else held * 1.01, 0.01)
    here.every(label, dice.wide(0.2, 6) * HOUR, 1, busy)


def price_lists(here: Premises) -> None:
    """Catalogues of suppliers come by FTP once a week, by the gigabyte; of those that stopped, only the log-in is left."""
    dice, server = here.dice, here.server()
    suppliers = [(here.home(0.5), dice.chance(0.2)) for _ in range(dice.count(1, 10))]
    size = dice.wide(0.5, 3_000) * 1e6

    def fetch(at: int) -> None:
        for supplier, stopped in suppliers:
            here.call(at, server, supplier, 21, (140, 700), 4 * SECOND)
            if stopped and dice.chance(0.5):
                here.silence(at + SECOND, server, supplier, dice.randrange(30_000, 60_000))
            elif not stopped:
                for _ in range(dice.count(1, 30)):
                    at += SECOND
                    volume = dice.size(size / 8)
                    data = dice.randrange(30_000, 60_000)
                    here.call(at, server, supplier, data, (0, volume), SECOND + volume // 9)
            at += dice.count(1, 300) * SECOND

    here.every(fetch, dice.choice((DAY, 7 * DAY)), 0.001)

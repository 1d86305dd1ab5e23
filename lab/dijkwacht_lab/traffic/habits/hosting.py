"""What the office offers to the world, and what the world does with it."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habits.premises import Premises
from dijkwacht_lab.traffic.site import ICMP, MINUTE, SECOND, TCP, UDP, Call
from dijkwacht_records.hints import Speech

_PROBED: Final = (
    22,
    23,
    80,
    443,
    445,
    1433,
    3306,
    3389,
    5060,
    5900,
    6379,
    8080,
    8443,
    2323,
    37215,
    7547,
)


def own_site(here: Premises) -> None:
    """A web server of the office has visitors and crawlers from everywhere, by day and by night."""
    dice, server = here.dice, here.server()
    port = dice.choice((80, 443, 443, 8443))
    a_day = dice.count(20, 6_000)
    crawls = dice.uniform(0, 0.1)

    def visited(at: int) -> None:
        visitor = here.bare()
        requests = dice.count(20, 300) if dice.chance(crawls) else dice.count(1, 12)
        for _ in range(requests):
            here.ledger.flow(at, Call(visitor, server.address, port), up=700, down=dice.size(20_000),
                             last_us=dice.count(50_000, 9_000_000))  # fmt: skip
            at += dice.count(100_000, 5_000_000)

    here.every(visited, 24 * 60 * MINUTE / a_day * 5, 1)


def probed(here: Premises) -> None:
    """The internet's ground noise reaches the machine that stands outside: a probe every few minutes, of anything."""
    dice, server = here.dice, here.server()
    a_day = dice.count(100, 8_000)
    open_ports = dice.some((22, 80, 443, 25, 8443), 0.2, 0.8)
    refuses = dice.uniform(0, 1)

    def probe(at: int) -> None:
        stranger = here.bare()
        port = dice.choice(_PROBED) if dice.chance(0.6) else dice.randrange(1, 65_535)
        if port in open_ports:
            here.ledger.flow(
                at, Call(stranger, server.address, port), up=120, down=200, last_us=300_000
            )
        elif dice.chance(refuses):
            here.ledger.refused(at, stranger, server.address, port)
        else:
            here.ledger.unanswered(at, stranger, server.address, port, dice.choice((TCP, TCP, UDP)))

    here.every(probe, 24 * 60 * MINUTE / a_day, 1)


def mail_received(here: Premises) -> None:
    """A mail server of the office: strangers by the hundred, who hang up, are refused, or try again."""
    dice, server = here.dice, here.server()
    a_day = dice.count(50, 4_000)

    def receive(at: int) -> None:
        stranger = here.bare()
        for _ in range(dice.count(1, 4)):
            here.ledger.flow(at, Call(stranger, server.address, 25), up=dice.size(6_000, 1.6), down=900,
                             last_us=dice.count(300_000, 30_000_000))  # fmt: skip
            at += dice.count(1, 300) * SECOND

    here.every(receive, 24 * 60 * MINUTE / a_day * 2, 1)


def watched_from_outside(here: Premises) -> None:
    """A service outside asks from several places, by the minute, whether the office's server is up."""
    dice, server = here.dice, here.server()
    places = [here.bare() for _ in range(dice.count(1, 12))]
    port = dice.choice((443, 80, 25, 1194))
    period = dice.wide(20, 600) * SECOND

    def check(at: int) -> None:
        for place in places:
            if dice.chance(0.3):
                here.ledger.flow(at, Call(place, server.address, 0, ICMP, 8), up=56, down=56,
                                 last_us=20_000, beats=(20_000,))  # fmt: skip
            else:
                here.ledger.flow(
                    at, Call(place, server.address, port), up=300, down=900, last_us=90_000
                )
            at += dice.count(1_000, 3_000_000)

    here.every(check, max(period, len(places) * 5 * SECOND), 0.01)


def home_workers(here: Premises) -> None:
    """People at home reach the office through its gateway: datagrams or a page held open for hours."""
    dice, server = here.dice, here.server()
    houses = [here.bare() for _ in range(dice.count(1, 15))]
    proto, port = dice.choice(((UDP, 1194), (UDP, 51820), (TCP, 443), (TCP, 8443)))

    def work(at: int) -> None:
        lasts = int(dice.wide(5, 500) * MINUTE)
        rate = int(dice.wide(100, 90_000)) * (lasts // SECOND)
        speech = Speech.TLS if proto == TCP else Speech.BYTES
        here.ledger.flow(at, Call(dice.choice(houses), server.address, port, proto), up=rate // 4, down=rate,
                         last_us=lasts, shown=Shown(Talk(lasts // SECOND // 9 + 8, 120, 900, 20, 200), speech=speech))  # fmt: skip

    here.every(work, dice.wide(20, 900) * MINUTE, 1)

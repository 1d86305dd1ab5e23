"""Mail that a server of the office sends and receives itself."""

from __future__ import annotations

from dijkwacht_lab.traffic.habit import between
from dijkwacht_lab.traffic.habits.premises import Premises, Where
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, TCP, Call
from dijkwacht_lab.traffic.world import NAMES, PLACES

_MX = 15


def dead_queue(here: Premises) -> None:
    """Mail for hosts that do not answer is tried again, by the clock, for days."""
    dice, server = here.dice, here.server()
    dead = [here.place() for _ in range(dice.count(2, 60))]
    refuse = dice.uniform(0, 0.3)

    def retry(at: int) -> None:
        for place in dead:
            at = here.ledger.ask(at, server, NAMES[place], _MX, answers=1)
            where: Where = place if dice.chance(0.7) else PLACES[place]
            if dice.chance(refuse):
                here.refused(at, server, where, 25)
            else:
                here.silence(at, server, where, 25)

    here.every(retry, dice.wide(4, 90) * MINUTE, 0.05)


def newsletter(here: Premises) -> None:
    """A letter to all customers: hundreds of mail servers within minutes."""
    dice, server = here.dice, here.server()
    places = [here.place() for _ in range(dice.count(30, 600))]
    gap = int(dice.wide(0.02, 5) * SECOND)
    size = dice.count(8_000, 900_000)

    def send(at: int) -> None:
        for place in places:
            at += gap
            if dice.chance(0.06):
                here.silence(at, server, place, 25)
            else:
                here.call(at, server, place, 25, (size, 900), dice.count(1, 9) * SECOND)

    here.every(send, dice.wide(1, 7) * DAY, 0.1, between(7, 19))


def blocklists(here: Premises) -> None:
    """Each sender is looked up in lists of spammers: backward addresses, mostly not found."""
    dice, server = here.dice, here.server()
    lists = [
        f"{dice.choice(('zen', 'bl', 'dnsbl'))}.list-{n}.example" for n in range(dice.count(1, 6))
    ]
    asks = dice.chance(0.4)

    def receive(at: int) -> None:
        sender = here.bare()
        back = ".".join(str(byte) for byte in reversed(sender[12:]))
        for name in lists:
            listed = dice.chance(0.1)
            at = here.ledger.ask(at, server, f"{back}.{name}", 1, 0 if listed else 3, int(listed))
            if asks and listed:
                at = here.ledger.ask(at, server, f"{back}.{name}", 16)
        call = Call(sender, server.address, 25, TCP)
        here.ledger.flow(at, call, up=dice.size(20_000), down=900, last_us=2 * SECOND)

    here.every(receive, dice.wide(5, 900) * SECOND, 1)


def fetcher(here: Premises) -> None:
    """A program empties several mailboxes elsewhere, by POP without TLS, every few minutes."""
    dice, who = here.dice, here.server()
    boxes = [here.place() for _ in range(dice.count(1, 8))]

    def fetch(at: int) -> None:
        for box in boxes:
            here.call(at, who, box, 110, (110, dice.size(700, 0.8)), 600_000)

    here.every(fetch, dice.wide(0.5, 15) * MINUTE, 0.02)
    here.every(lambda at: here.silence(at, who, boxes[0], 110), dice.wide(1, 20) * HOUR, 1)

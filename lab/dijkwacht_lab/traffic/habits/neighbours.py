"""IPv6 on the local network: routers that come, go and stand in, and addresses that change hands."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.habit import always, between
from dijkwacht_lab.traffic.habits.premises import Premises
from dijkwacht_lab.traffic.neighbours_written import (
    ANNOUNCES,
    ROUTES,
    Neighbour,
    Router,
    advertise,
    arrive,
    ask,
    claim,
    is_free,
    local,
)
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, Device, Kind

_DAYTIME: Final = between(7, 20)


def _of(device: Device) -> Neighbour:
    return Neighbour(local(device.mac), device.mac)


def _gateway(here: Premises) -> Router:
    """The office's router as it is now: it may be replaced."""
    return Router(_of(here.ledger.gateway), carries=1)


def _announced(here: Premises) -> None:
    """The office's router makes itself known, and its machines look now and then whether it is there."""
    dice = here.dice

    def announce(at: int) -> None:
        advertise(here.ledger, at, _gateway(here))

    def look(at: int) -> None:
        device, router = dice.choice(here.everyone()), here.ledger.gateway
        if device is not router:
            ask(here.ledger, at, _of(device), _of(router))
            ask(here.ledger, at + 5 * SECOND, _of(router), _of(device))

    here.every(announce, dice.wide(60, 1_200) * SECOND, 0.3)
    here.every(look, dice.wide(20, 900) * SECOND, 1)


def routed(here: Premises) -> None:
    """One router, which announces itself; machines that wake ask whether there is one."""
    dice = here.dice
    _announced(here)

    def wake(at: int) -> None:
        arrive(here.ledger, at, _of(dice.choice(here.everyone())), (_gateway(here),))

    here.every(wake, dice.wide(3, 120) * MINUTE, 1, _DAYTIME)


def two_routers(here: Premises) -> None:
    """Two routers for two lines, of equal or of different rank, that both announce themselves."""
    dice = here.dice
    _announced(here)
    spare = Router(_of(here.adds("router", Kind.UNIX)), dice.choice((600, 1_800, 9_000)), -dice.randrange(2),
                   resolvers=dice.randrange(3))  # fmt: skip

    def announce(at: int) -> None:
        advertise(here.ledger, at, spare)

    def wake(at: int) -> None:
        arrive(here.ledger, at, _of(dice.choice(here.everyone())), (_gateway(here), spare))

    here.every(announce, dice.wide(60, 1_200) * SECOND, 0.3)
    here.every(wake, dice.wide(3, 120) * MINUTE, 1, _DAYTIME)


def border_routers(here: Premises) -> None:
    """Loudspeakers and lights that route to a network of small things: a route to it, no way out."""
    dice = here.dice
    _announced(here)
    for _ in range(dice.count(1, 4)):
        thing = here.adds("hub", Kind.APPLE)
        router = Router(_of(thing), 0, 0, dice.randrange(3), 0)
        burst = dice.count(1, 4)

        def announce(at: int, router: Router = router, burst: int = burst) -> None:
            for number in range(burst):
                advertise(here.ledger, at + number * 4 * SECOND, router)

        here.every(announce, dice.wide(60, 1_800) * SECOND, 0.5)


def stand_in(here: Premises) -> None:
    """Two routers share one address: one announces itself until it fails or is updated, then the other, until it is back."""
    dice = here.dice
    _announced(here)
    pair = [here.adds("router", Kind.UNIX) for _ in range(2)]
    shared = local(0x00005E000200 | dice.randrange(1, 250))
    virtual = dice.chance(0.4)
    cards = [0x00005E000201] * 2 if virtual else [device.mac for device in pair]
    many = dice.count(1, 6)

    def announce(at: int) -> None:
        advertise(here.ledger, at, Router(Neighbour(shared, cards[0])))

    def look(at: int) -> None:
        ask(here.ledger, at, _of(dice.choice(here.everyone())), Neighbour(shared, cards[0]))

    def take_over(at: int) -> None:
        cards.reverse()
        for number in range(many):
            claim(
                here.ledger,
                at + number * SECOND,
                Neighbour(shared, cards[0]),
                flags=ANNOUNCES | ROUTES,
            )
            announce(at + number * SECOND + 1_000)

    here.every(announce, dice.wide(10, 600) * SECOND, 0.3)
    here.every(look, dice.wide(10, 300) * SECOND, 1)
    for moment in here.moments(1, 3):
        here.once(take_over, moment)
        here.once(take_over, moment + int(dice.wide(1, 600) * MINUTE))


def router_renewed(here: Premises) -> None:
    """A router is unplugged; minutes later another stands there, and announces itself again and again."""
    dice, ledger = here.dice, here.ledger
    here_now = [Router(Neighbour(local(mac), mac)) for mac in (ledger.new_mac(), ledger.new_mac())]
    absent: list[int] = [0]

    def announce(at: int) -> None:
        if at >= absent[0]:
            advertise(ledger, at, here_now[0])

    def look(at: int) -> None:
        if at >= absent[0]:
            ask(ledger, at, _of(dice.choice(here.everyone())), here_now[0].at)

    def renew(at: int) -> None:
        here_now.reverse()
        absent[0] = at + int(dice.wide(2, 60) * MINUTE)
        begun = absent[0]
        for _ in range(dice.count(1, 8)):
            advertise(ledger, begun, here_now[0])
            begun += int(dice.wide(3, 16) * SECOND)
        for device in here.phones():
            arrive(ledger, begun + dice.count(1, 90) * SECOND, _of(device), (here_now[0],))

    here.every(announce, dice.wide(60, 900) * SECOND, 0.3)
    here.every(look, dice.wide(15, 600) * SECOND, 1)
    here.once(renew, here.moments(1, 1)[0])


def passers_by(here: Premises) -> None:
    """Telephones with a hardware address and an address of their own for each visit."""
    dice, ledger = here.dice, here.ledger
    _announced(here)

    def visit(at: int) -> None:
        card = ledger.new_mac()
        guest = Neighbour(local(dice.getrandbits(48)), card)
        arrive(ledger, at, guest, (_gateway(here),))
        for number in range(dice.count(1, 5)):
            is_free(ledger, at + (2 + number) * SECOND, local(dice.getrandbits(48)), card)
        for _ in range(dice.count(1, 40)):
            at += int(dice.wide(5, 120) * SECOND)
            ask(ledger, at, guest, _gateway(here).at)

    here.every(visit, dice.wide(2, 240) * MINUTE, 1, _DAYTIME)


def bridged(here: Premises) -> None:
    """Virtual machines behind one card: the agent sees their frames as they were, and as their host passed them on."""
    dice, ledger = here.dice, here.ledger
    _announced(here)
    host = here.adds("host", Kind.UNIX)
    guests = [here.adds("guest", Kind.UNIX) for _ in range(dice.count(1, 5))]
    late = dice.count(50, 5_000)

    def speak(at: int) -> None:
        guest, router = dice.choice(guests), _gateway(here).at
        for card, after in ((guest.mac, 0), (host.mac, late)):
            ask(ledger, at + after, Neighbour(local(guest.mac), card), router)
        for card, after in ((guest.mac, 0), (host.mac, late)):
            ask(ledger, at + 5 * SECOND + after, router, Neighbour(local(guest.mac), card))

    here.every(speak, dice.wide(5, 300) * SECOND, 1)


def shares_line(here: Premises) -> None:
    """A telephone or computer shares its own line by mistake, and ranks low."""
    dice = here.dice
    _announced(here)
    router = Router(_of(dice.choice(here.phones())), dice.choice((180, 1_800)), -1, 1, 1)

    def share(at: int) -> None:
        until = at + int(dice.wide(1, 120) * MINUTE)
        while at < until:
            advertise(here.ledger, at, router)
            at += int(dice.wide(5, 300) * SECOND)

    here.every(share, dice.wide(10, 100) * HOUR, 1, _DAYTIME)


def docked(here: Premises) -> None:
    """Portables that keep their address whether they are in the dock or on the wireless network."""
    dice, ledger = here.dice, here.ledger
    _announced(here)
    pairs = [(device, [device.mac, ledger.new_mac()]) for device in here.pcs(0.1, 0.6)]

    def move(at: int) -> None:
        device, cards = dice.choice(pairs)
        for _ in range(dice.count(1, 4)):
            cards.reverse()
            moved = Neighbour(local(device.mac), cards[0])
            claim(ledger, at, moved)
            for _ in range(dice.count(1, 12)):
                ask(ledger, at + SECOND, moved, _gateway(here).at)
                ask(ledger, at + 6 * SECOND, _gateway(here).at, moved)
                at += int(dice.wide(10, 600) * SECOND)
            at += int(dice.wide(0.5, 60) * MINUTE)

    here.every(move, dice.wide(2, 40) * HOUR, 1, always)


def sleepers(here: Premises) -> None:
    """A loudspeaker answers for computers that sleep, under their address, until they wake."""
    dice, ledger = here.dice, here.ledger
    _announced(here)
    proxy = here.adds("speaker", Kind.APPLE)
    sleeper = here.adds("mac", Kind.APPLE)

    def sleep(at: int) -> None:
        own, instead = _of(sleeper), Neighbour(local(sleeper.mac), proxy.mac)
        ask(ledger, at, own, _gateway(here).at)
        claim(ledger, at + 3 * SECOND, instead)
        until = at + int(dice.wide(0.05, 9) * HOUR)
        while (at := at + int(dice.wide(1, 90) * MINUTE)) < until:
            ask(ledger, at, _gateway(here).at, instead)
        claim(ledger, until + SECOND, own)
        ask(ledger, until + 2 * SECOND, own, _gateway(here).at)

    here.every(sleep, dice.wide(0.2, 1.5) * DAY, 1)

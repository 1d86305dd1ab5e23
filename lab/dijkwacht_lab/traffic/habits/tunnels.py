"""Private networks: to the office's other branch, to colleagues' houses, to a provider."""

from __future__ import annotations

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import between
from dijkwacht_lab.traffic.habits.premises import Over, Pace, Premises
from dijkwacht_lab.traffic.programs import program
from dijkwacht_lab.traffic.site import HOUR, MINUTE, SECOND, TCP, UDP
from dijkwacht_records.vocabulary import Alpn

_CLIENT = program("a client of private networks", Alpn.NONE)


def light_tunnel(here: Premises) -> None:
    """WireGuard and its like: datagrams to a bare address, one every 25 s when nothing else passes."""
    dice = here.dice
    who, peer = dice.choice([here.pc(), here.server()]), here.home(0.7)
    port = dice.choice((51820, 51820, 41641, 1194, dice.randrange(1_025, 65_000)))
    gap = int(dice.choice((10, 20, 25, 25, 25, 50)) * SECOND)
    lasts = here.holds()
    use = dice.wide(40, 90_000)

    def keep(at: int) -> None:
        talk = Talk(2 * lasts // gap, 32, 32, dice.randrange(50, 101), dice.randrange(0, 30))
        moved = 32 + int(use), 32 + int(use * dice.wide(0.2, 9))
        here.keeps(at, who, peer, port, Pace(gap, lasts, UDP), moved, shown=Shown(talk))

    here.every(keep, lasts, 0)


def heavy_tunnel(here: Premises) -> None:
    """OpenVPN, SSTP or a provider's client over TCP: everything that a laptop does, in one connection."""
    dice = here.dice
    who, gateway = here.pc(), here.home(0.3)
    port = dice.choice((443, 443, 1194, 10443, 4433, 992))
    tls = port == 443 and dice.chance(0.5)

    def dial(at: int) -> None:
        lasts = int(dice.wide(0.2, 10) * HOUR)
        rate = dice.wide(20, 60_000) * (lasts / SECOND)
        turns = int(lasts / SECOND / dice.wide(0.5, 20)) + 8
        here.call(at, who, gateway, port, (int(rate * dice.wide(0.1, 2)), int(rate)), lasts, shown=Over(_CLIENT if tls else None, Shown(Talk(turns, 120, 1300, 20, 200))))  # fmt: skip

    here.every(dial, dice.wide(4, 40) * HOUR, 1, between(7, 20))


def branch(here: Premises) -> None:
    """IPsec between routers, or a PC's: 500, then 4500 for ever, a pulse each 20 s, new keys each hour."""
    dice = here.dice
    who = here.ledger.gateway if dice.chance(0.5) else here.pc()
    peer = here.bare()
    gap, lasts = int(dice.wide(10, 40) * SECOND), here.holds(HOUR, 8 * HOUR)

    def keep(at: int) -> None:
        here.datagrams(at, who, peer, 500, (700, 700), 90_000)
        here.keeps(
            at + SECOND,
            who,
            peer,
            4500,
            Pace(gap, lasts, UDP),
            (dice.count(1, 9000), dice.count(1, 9000)),
        )

    here.every(keep, lasts, 0)


def mesh(here: Premises) -> None:
    """A mesh of colleagues' machines: relays over the world, peers behind routers that are knocked at."""
    dice = here.dice
    who = here.pc()
    peers = [here.bare() for _ in range(dice.count(3, 60))]
    port = dice.choice((41641, 9993, 21820))
    relays = [here.place() for _ in range(dice.count(1, 12))]

    def knock(at: int) -> None:
        for peer in peers:
            if dice.chance(0.6):
                here.silence(at, who, peer, port, UDP)
            else:
                here.datagrams(at, who, peer, port, (140, 140), 60_000)
            if dice.chance(0.2):
                here.silence(at, who, here.elsewhere(), port, UDP)
            at += dice.count(10_000, 900_000)
        for relay in relays:
            here.datagrams(at, who, relay, 3478, (60, 90), 60_000)

    here.every(knock, dice.wide(0.4, 20) * MINUTE, 0.1, between(6, 22))


def way_in(here: Premises) -> None:
    """The owner reaches the office by a connection that a machine inside keeps open to a rented server."""
    dice = here.dice
    who, rented = here.server(), here.bare()
    port = dice.choice((22, 2222, 443, 7000, 8443))
    gap, lasts = int(dice.choice((15, 30, 60, 60)) * SECOND), here.holds()
    fails = dice.uniform(0, 0.2)

    def keep(at: int) -> None:
        if dice.chance(fails):
            for number in range(dice.count(5, 90)):
                here.silence(at + number * 10 * SECOND, who, rented, port, TCP)
            return
        talk = Talk(2 * lasts // gap, 52, 44, dice.randrange(60, 101), dice.randrange(0, 20))
        here.keeps(at, who, rented, port, Pace(gap, lasts), (52, 44), shown=Shown(talk))

    here.every(keep, lasts, 0.01)
    here.every(lambda at: here.call(at, who, rented, port, (dice.size(2e6), 90_000), 20 * MINUTE),
               9 * HOUR, 1, between(18, 24))  # fmt: skip

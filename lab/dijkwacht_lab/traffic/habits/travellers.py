"""Machines that were elsewhere, and look here for what they know from there."""

from __future__ import annotations

from dijkwacht_lab.traffic.habit import between, switched_on
from dijkwacht_lab.traffic.habits.premises import Premises
from dijkwacht_lab.traffic.site import HOUR, ICMP, MINUTE, SECOND, UDP, Device

_NO_SUCH_NAME = 3


def office_laptop(here: Premises) -> None:
    """A laptop of another office looks for its domain, shares and printers, which are not here."""
    dice = here.dice
    laptop = here.pc()
    hosts = [here.elsewhere() for _ in range(dice.count(2, 15))]
    names = [
        f"srv-{number:02}.corp-{dice.randrange(99)}.example" for number in range(dice.count(2, 9))
    ]
    ports = dice.some((445, 139, 88, 389, 135, 9100, 3389, 443, 8530, 53, 80), 0.2, 0.8)

    def look(at: int) -> None:
        for name in names:
            at = here.ledger.ask(at, laptop, name, dice.choice((1, 28, 33)), _NO_SUCH_NAME, 0)
        for host in dice.some(hosts, 0.3, 1):
            for port in dice.some(ports, 0.3, 1):
                at += dice.count(5_000, 900_000)
                here.silence(at, laptop, host, port, UDP if port == 53 else 6)

    here.every(look, dice.wide(1, 40) * MINUTE, 0.2, between(8, 19, weekends=dice.chance(0.5)))


def mapped_drives(here: Premises) -> None:
    """PCs look for a drive on a server that is gone: ARP, names, and 445 that nobody answers."""
    dice = here.dice
    gone = [here.dark() for _ in range(dice.count(1, 4))]
    name = f"old-nas-{dice.randrange(9)}"
    period = dice.wide(15, 900) * SECOND
    for pc in here.pcs(0.1, 0.8):

        def look(at: int, pc: Device = pc) -> None:
            if dice.chance(0.5):
                here.ledger.shout(at, pc, name, 5355)
            here.seeks(at, pc, dice.choice(gone), dice.count(1, 3))

        here.every(look, period, 0.2, switched_on(0, at_night=dice.chance(0.2)))


def tunnel_names(here: Premises) -> None:
    """A VPN client looks for its gateway, by name and by address, and does not get through."""
    dice = here.dice
    laptop, gateways = here.pc(), [here.home(0.5) for _ in range(dice.count(1, 5))]
    proto, port = dice.choice(
        ((UDP, 500), (UDP, 4500), (6, 443), (UDP, 1194), (6, 1723), (6, 10443))
    )

    def dial(at: int) -> None:
        for gateway in gateways:
            here.silence(at, laptop, gateway, port, proto)
            at += 4 * SECOND

    here.every(dial, dice.wide(5, 600) * SECOND, 0.1, switched_on(0, at_night=dice.chance(0.3)))


def old_network(here: Premises) -> None:
    """A machine with addresses of its former network: it asks for the gateway and printers it had there."""
    dice = here.dice
    who = here.adds("display")
    former = here.elsewhere()
    others = [former[:15] + bytes((dice.randrange(1, 255),)) for _ in range(dice.count(1, 20))]

    def seek(at: int) -> None:
        for other in others:
            here.seeks(at, who, other, dice.count(1, 3))
            at += dice.count(1_000, 2_000_000)

    here.every(seek, dice.wide(5, 600) * SECOND, 0.1)


def traces(here: Premises) -> None:
    """Somebody wants to know why it is slow: traces and pings, of growing size and to each hop."""
    dice = here.dice

    def trace(at: int) -> None:
        pc, goal = here.pc(), here.bare()
        for hop in range(dice.count(4, 30)):
            for _ in range(3):
                where = here.bare() if dice.chance(0.5) else goal
                if dice.chance(0.4):
                    here.silence(at, pc, where, 0, ICMP)
                else:
                    here.ping(at, pc, where)
                at += SECOND + hop
            here.ledger.ask(
                at, pc, f"{hop}.{dice.randrange(255)}.18.198.in-addr.arpa", 12, _NO_SUCH_NAME, 0
            )

    here.every(trace, dice.wide(2, 60) * HOUR, 1, between(8, 18, weekends=False))

"""Visitors: telephones that nobody knows, with a new hardware address each day."""

from __future__ import annotations

from dijkwacht_lab.traffic.habit import between
from dijkwacht_lab.traffic.habits.premises import Premises
from dijkwacht_lab.traffic.programs import TELEPHONES
from dijkwacht_lab.traffic.site import DHCP, HOUR, MINUTE, SECOND, UDP, Device, Kind
from dijkwacht_records.addresses import UNSPECIFIED


def visitors(here: Premises) -> None:
    """Telephones come, are given an address that another had yesterday, look at pages, and leave."""
    dice = here.dice
    numbers = [here.cast.take() for _ in range(dice.count(2, 25))]
    a_day = dice.count(2, 120)
    opens, closes = dice.randrange(7, 12), dice.randrange(16, 24)

    def visit(at: int) -> None:
        address = here.ledger.inside(dice.choice(numbers))
        guest = Device(
            address,
            here.ledger.new_mac(),
            dice.choice(("", "", "iPhone", "Galaxy-A54")),
            Kind.APPLE,
        )
        here.ledger.join(guest)
        here.ledger.lease(at, guest, arrives=True)
        here.ledger.arp(at + SECOND, guest, here.ledger.gateway)
        probe = here.place()
        here.call(at + SECOND, guest, probe, 80, (180, 500), 90_000)
        leaves = at + int(dice.wide(2, 240) * MINUTE)
        while at < leaves:
            at += int(dice.expovariate(1 / (2 * MINUTE))) + SECOND
            here.call(at, guest, here.ledger.place(), 443, (1800, dice.size(40000, 1.5)), 9 * SECOND, shown=dice.choice(TELEPHONES))  # fmt: skip

    here.every(visit, (closes - opens) * HOUR / a_day, 1, between(opens, closes))


def other_homes(here: Premises) -> None:
    """A telephone asks for the address it has at home, is told no, and seeks its home's machines."""
    dice = here.dice

    def arrive(at: int) -> None:
        guest = here.adds("visitor", Kind.APPLE)
        wanted = here.elsewhere()
        server = here.ledger.gateway.address
        for number in range(dice.count(1, 6)):
            begun = at + number * SECOND
            asked = (begun, guest.mac, 3, UNSPECIFIED, wanted, UNSPECIFIED, guest.name)
            told = (begun + 900, guest.mac, 6, UNSPECIFIED, UNSPECIFIED, server, "")
            here.ledger.written += [(begun, DHCP, asked), (begun + 900, DHCP, told)]
        here.ledger.lease(at + 8 * SECOND, guest, arrives=True)
        for number in range(dice.count(1, 30)):
            here.silence(at + number * 5 * SECOND, guest, here.elsewhere(), dice.choice((53, 80, 1400, 8009)),
                         dice.choice((UDP, 6)))  # fmt: skip

    here.every(arrive, dice.wide(0.3, 20) * HOUR, 1, between(8, 20))


def restless(here: Premises) -> None:
    """A telephone at the edge of the wireless network comes back every minute: DHCP and ARP each time."""
    dice = here.dice
    phone = dice.choice(here.phones())
    steps = dice.count(2, 40)
    gap = int(dice.wide(2, 60) * SECOND)

    def come_and_go(at: int) -> None:
        for _ in range(steps):
            at += int(gap * dice.uniform(0.5, 1.5))
            here.ledger.lease(at, phone, arrives=dice.chance(0.7))
            here.ledger.arp(at + SECOND, phone, phone, answered=False)
            here.ledger.arp(at + SECOND, phone, here.ledger.gateway)

    here.every(come_and_go, dice.wide(0.2, 10) * HOUR, 1, between(8, 19))


def class_arrives(here: Premises) -> None:
    """A course begins: thirty laptops come within minutes, and look for everything."""
    dice = here.dice
    size = dice.count(5, 40)
    numbers = [here.cast.take() for _ in range(size)]

    def begin(at: int) -> None:
        for number in numbers:
            begun = at + int(dice.random() * 6 * MINUTE)
            guest = Device(here.ledger.inside(number), here.ledger.new_mac(), f"laptop-{number}")
            here.ledger.join(guest)
            here.ledger.lease(begun, guest, arrives=True)
            for name in ("_ipp._tcp.local", "_smb._tcp.local", "isatap", "wpad"):
                here.ledger.shout(begun + SECOND, guest, name, 5353 if "local" in name else 5355)
            for _ in range(dice.count(4, 60)):
                begun += int(dice.expovariate(1 / (5 * SECOND)))
                here.call(begun, guest, here.ledger.place(), 443, (1500, dice.size(20000)), 3 * SECOND, shown=guest.browser)  # fmt: skip

    here.every(begin, dice.wide(8, 100) * HOUR, 1, between(8, 16, weekends=False))

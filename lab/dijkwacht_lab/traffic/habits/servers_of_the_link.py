"""Who hands out addresses and answers for names on one's own network, where that is not one machine alone."""

from __future__ import annotations

from dijkwacht_lab.traffic.habit import between, switched_on
from dijkwacht_lab.traffic.habits.premises import Premises
from dijkwacht_lab.traffic.site import DHCP, HOUR, MINUTE, SECOND, Device, Kind
from dijkwacht_records.addresses import UNSPECIFIED, V4_PREFIX

_MDNS, _LLMNR, _NETBIOS = 5353, 5355, 137


def fail_over_pair(here: Premises) -> None:
    """Two servers share the clients, or one stands by for hours in which the first is down."""
    dice, ledger = here.dice, here.ledger
    first, second = here.server(), here.adds("dhcp", Kind.UNIX)
    ledger.leases_from = first.address
    if dice.chance(0.5):
        for device in here.everyone():
            ledger.leases_of[device.mac] = dice.choice((first, second)).address
    else:
        falls = ledger.start_us + int(dice.random() * 72 * HOUR)
        rises = falls + int(dice.wide(0.1, 8) * HOUR)

        def fall_or_rise(at: int) -> None:
            ledger.leases_from = (second if at < rises else first).address

        for at in (falls, rises):
            here.once(fall_or_rise, at)
    for device in here.everyone():

        def renew(at: int, device: Device = device) -> None:
            ledger.lease(at, device, arrives=dice.chance(0.3))

        here.every(renew, dice.wide(0.5, 24) * HOUR, 0.3)


def replaced_router(here: Premises) -> None:
    """The provider sends a new box, which hands out addresses from its own; the old one is heard no more."""
    dice = here.dice
    box = here.adds("router", Kind.UNIX)
    clients = here.everyone()

    def replace(at: int) -> None:
        here.ledger.leases_from = box.address
        for device in clients:
            if dice.chance(0.9):
                at += int(dice.wide(0.1, 60) * SECOND)
                here.ledger.lease(at, device, arrives=True)

    here.once(replace, here.ledger.start_us + int(dice.uniform(0.1, 6.5) * 24 * HOUR))


def second_access_point(here: Premises) -> None:
    """Telephones roam between two access points, each of which relays their DHCP to the one server."""
    dice = here.dice
    for phone in here.phones():

        def roam(at: int, phone: Device = phone) -> None:
            here.ledger.lease(at, phone, arrives=dice.chance(0.6))

        here.every(roam, dice.wide(2, 120) * MINUTE, 1, switched_on(0, at_night=False))


def guests_network(here: Premises) -> None:
    """A network for guests, with a server and addresses of its own, is heard where the cable carries both."""
    dice = here.dice
    net = V4_PREFIX + bytes((192, 168, dice.randrange(256)))
    server = net + b"\x01"
    begins = here.ledger.start_us + int(dice.choice((0.0, dice.uniform(0, 6))) * 24 * HOUR)
    staff = here.phones() if dice.chance(0.3) else []

    def visit(at: int) -> None:
        if at < begins:
            return
        mac = dice.choice(staff).mac if staff and dice.chance(0.2) else here.ledger.new_mac()
        guest = Device(
            net + bytes((dice.randrange(2, 255),)),
            mac,
            dice.choice(("", "iPhone", "Pixel-8")),
            Kind.APPLE,
        )
        here.ledger.lease(at, guest, arrives=True, server=server)

    here.every(visit, dice.wide(1, 120) * MINUTE, 1, between(8, 22))


def machines_in_a_machine(here: Premises) -> None:
    """A PC's virtual machines get addresses from the PC, on a network that only it has."""
    dice = here.dice
    net = V4_PREFIX + bytes(
        dice.choice(((192, 168, 122), (192, 168, 56), (172, 17, 0), (10, 0, 2)))
    )
    guests = [
        Device(net + bytes((10 + number,)), here.ledger.new_mac(), f"vm-{number}", Kind.UNIX)
        for number in range(dice.count(1, 12))
    ]

    def boot(at: int) -> None:
        for guest in dice.some(guests):
            here.ledger.lease(at, guest, arrives=True, server=net + b"\x01")
            at += dice.count(1, 30) * SECOND

    here.every(boot, dice.wide(0.2, 40) * HOUR, 1, switched_on(0, at_night=False))


def boot_server(here: Premises) -> None:
    """PCs that boot from the network are offered a file by one server, and an address by another."""
    dice, server = here.dice, here.server()
    pcs = here.pcs()

    def boot(at: int) -> None:
        pc = dice.choice(pcs)
        here.ledger.lease(at, pc, arrives=True)
        offered = (at + 1_300, pc.mac, 2, UNSPECIFIED, UNSPECIFIED, server.address, "")
        here.ledger.written.append((at + 1_300, DHCP, offered))

    here.every(boot, dice.wide(1, 60) * HOUR, 1, between(7, 18))


def neighbours(here: Premises) -> None:
    """PCs call out for each other and for what is no longer there; who bears the name answers."""
    dice = here.dice
    gone = [f"old-{number}" for number in range(dice.count(1, 12))] + ["wpad"]
    named = {device.name: device for device in here.everyone()}
    second = dice.some(list(named.values()), 0, 0.2)
    named |= {f"{device.name}-files": device for device in second}
    off = dice.uniform(0, 0.3)
    for pc in here.pcs():
        ports = dice.choice(((_LLMNR, _MDNS), (_LLMNR,), (_NETBIOS, _LLMNR)))

        def seek(at: int, pc: Device = pc, ports: tuple[int, ...] = ports) -> None:
            name = dice.choice([*named, *gone])
            teller = named.get(name)
            answers = teller if teller is not pc and not dice.chance(off) else None
            for port in ports:
                asked = f"{name}.local" if port == _MDNS else name
                here.ledger.calls_out(at, pc, asked, port, answers)

        here.every(seek, dice.wide(1, 90) * MINUTE, 1, switched_on(0, at_night=False))


def sleep_proxy(here: Premises) -> None:
    """A box under the television answers for machines while they sleep, by mDNS."""
    dice, box = here.dice, here.adds("tv-box", Kind.APPLE)
    sleepers = here.pcs()
    sleeps = dice.uniform(0.1, 0.9)
    for asker in here.phones():

        def seek(at: int, asker: Device = asker) -> None:
            device = dice.choice(sleepers)
            teller = box if dice.chance(sleeps) else device
            here.ledger.calls_out(at, asker, f"{device.name}.local", _MDNS, teller)

        here.every(seek, dice.wide(5, 240) * MINUTE, 1)


def reflector(here: Premises) -> None:
    """The router repeats mDNS from another network of the house, questions and answers."""
    dice, gateway = here.dice, here.ledger.gateway
    others = [f"thing-{dice.randrange(9_999)}.local" for _ in range(dice.count(3, 60))]
    off = dice.uniform(0, 0.2)

    def repeat(at: int) -> None:
        name = dice.choice(others)
        asker = gateway if dice.chance(0.3) else dice.choice(here.phones())
        if dice.chance(0.5):
            here.ledger.announce(at, gateway, name)
        answered = asker is not gateway and not dice.chance(off)
        here.ledger.calls_out(at, asker, name, _MDNS, gateway if answered else None)

    here.every(repeat, dice.wide(0.5, 30) * MINUTE, 1)


def name_server_of_old(here: Premises) -> None:
    """A NetBIOS name server is asked directly, and knows everybody; some ask everybody first."""
    dice, server = here.dice, here.server()
    names = [device.name for device in here.everyone()]

    def look(at: int) -> None:
        pc = dice.choice(here.pcs())
        here.ledger.ask_directly(at, pc, dice.choice(names), server)

    here.every(look, dice.wide(1, 60) * MINUTE, 1, between(8, 18))


def machines_behind_a_card(here: Premises) -> None:
    """A host bridges its machines onto the network under its own hardware address, and announces all when it roams."""
    dice, host = here.dice, here.server()
    guests = [
        Device(here.dark(), host.mac, f"guest-{number}", Kind.UNIX)
        for number in range(dice.count(2, 12))
    ]
    rounds = dice.count(1, 5)

    def roam(at: int) -> None:
        for guest in guests:
            here.ledger.tells_all(at + dice.count(1, 900_000), host.mac, guest.address, rounds)

    def work(at: int) -> None:
        guest = dice.choice(guests)
        here.ledger.arp(at, guest, here.ledger.gateway)
        here.ledger.arp(at + SECOND, dice.choice(here.everyone()), guest)

    here.every(roam, dice.wide(0.2, 48) * HOUR, 1)
    here.every(work, dice.wide(5, 300) * SECOND, 1)


def shared_addresses(here: Premises) -> None:
    """Two routers share addresses: one holds them, by its own hardware address or one for each, and the other takes over."""
    dice = here.dice
    routers = [here.adds("router-a", Kind.UNIX), here.adds("router-b", Kind.UNIX)]
    addresses = [here.dark() for _ in range(dice.count(1, 5))]
    own = [here.ledger.new_mac() for _ in addresses] if dice.chance(0.5) else []
    repeats, refreshes = dice.count(1, 5), dice.chance(0.5)
    holder = [0]

    def tell(at: int, times: int) -> None:
        for number, address in enumerate(addresses):
            mac = own[number] if own else routers[holder[0]].mac
            here.ledger.tells_all(at + number * 10_000, mac, address, times)

    def change(at: int) -> None:
        holder[0] ^= 1
        tell(at, repeats)

    def work(at: int) -> None:
        number = dice.randrange(len(addresses))
        mac = own[number] if own else routers[holder[0]].mac
        if refreshes and dice.chance(0.3):
            tell(at, 1)
        here.ledger.arp(at, dice.choice(here.everyone()), Device(addresses[number], mac, "shared"))
        here.ledger.arp(at + SECOND, routers[dice.randrange(2)], dice.choice(here.everyone()))

    here.every(change, dice.wide(1, 100) * HOUR, 1)
    here.every(work, dice.wide(5, 120) * SECOND, 1)


def answers_for_a_wing(here: Premises) -> None:
    """The router answers ARP for machines that lie behind it."""
    dice, gateway = here.dice, here.ledger.gateway
    behind = [Device(here.dark(), gateway.mac, "behind") for _ in range(dice.count(3, 20))]

    def seek(at: int) -> None:
        here.ledger.arp(at, dice.choice(here.everyone()), dice.choice(behind))

    here.every(seek, dice.wide(2, 300) * SECOND, 1)

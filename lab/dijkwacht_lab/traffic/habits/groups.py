"""Words to everybody: multicast and broadcast of every kind."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.habit import switched_on
from dijkwacht_lab.traffic.habits.premises import Premises
from dijkwacht_lab.traffic.site import DNS, HOUR, MINUTE, SECOND, UDP, Device
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.tables import NO_ANSWER

_SSDP: Final = V4_PREFIX + bytes((239, 255, 255, 250))
_ALL: Final = V4_PREFIX + bytes((255, 255, 255, 255))
_IGMP, _ICMP6 = 2, 58
_SERVICES: Final = (
    "_airplay._tcp.local", "_googlecast._tcp.local", "_ipp._tcp.local", "_spotify-connect._tcp.local",
    "_hap._tcp.local", "_companion-link._tcp.local", "_smb._tcp.local", "_matter._tcp.local",
)  # fmt: skip


def service_search(here: Premises) -> None:
    """mDNS: telephones and PCs ask for services in bursts, things answer and announce themselves."""
    dice = here.dice
    for device in dice.some(here.everyone(), 0.05, 0.5):
        wanted = dice.some(_SERVICES)

        def ask(at: int, device: Device = device, wanted: list[str] = wanted) -> None:
            for _ in range(dice.count(1, 8)):
                for name in wanted:
                    here.ledger.shout(at, device, name, 5353)
                at += dice.count(1, 20) * SECOND
            if dice.chance(0.3):
                here.ledger.announce(at, device, f"{device.name}.local")

        here.every(ask, dice.wide(1, 120) * MINUTE, 1)


def plug_and_play(here: Premises) -> None:
    """SSDP and WSD: questions to a group, each answered by a datagram from whoever offers something."""
    dice = here.dice
    for device in dice.some(here.everyone(), 0.05, 0.4):
        port = dice.choice((1900, 1900, 3702))

        def ask(at: int, device: Device = device, port: int = port) -> None:
            for _ in range(dice.count(1, 10)):
                here.ledger.unanswered(at, device.address, _SSDP, port, UDP)
                for other in dice.some(here.everyone(), 0, 0.3):
                    here.datagrams(
                        at + 9_000, other, device, dice.randrange(49_152, 65_535), (400, 0)
                    )
                at += 3 * SECOND

        here.every(ask, dice.wide(1, 60) * MINUTE, 0.2)


def old_names(here: Premises) -> None:
    """NetBIOS: machines cry their names and ask for others', every few minutes, to the broadcast address."""
    dice = here.dice
    everyone = here.ledger.inside(255)
    for device in here.pcs():
        names = [
            f"{dice.choice(('workgroup', 'wpad', 'oldserver', 'isatap', device.name))}"
            for _ in range(3)
        ]

        def cry(at: int, device: Device = device, names: list[str] = names) -> None:
            for name in names:
                for number in range(3):
                    begun = at + number * 750_000
                    row = (begun, device.address, everyone, 137, name, 32, 1, NO_ANSWER, 0, 0)
                    here.ledger.written.append((begun, DNS, row))
                here.ledger.unanswered(at, device.address, everyone, 137, UDP)
            here.ledger.unanswered(at, device.address, everyone, 138, UDP)

        here.every(cry, dice.wide(1, 30) * MINUTE, 0.3, switched_on(0, at_night=dice.chance(0.2)))


def memberships(here: Premises) -> None:
    """IGMP and IPv6: questions of the router, reports of all, neighbours sought at addresses by the dozen."""
    dice, gateway = here.dice, here.ledger.gateway
    group = b"\xff\x02" + b"\0" * 13 + b"\x16"
    own = {
        device.mac: b"\xfe\x80" + b"\0" * 8 + device.mac.to_bytes(6, "big")
        for device in here.everyone()
    }

    def ask(at: int) -> None:
        here.ledger.unanswered(at, gateway.address, V4_PREFIX + bytes((224, 0, 0, 1)), 0, _IGMP)
        for device in here.everyone():
            begun = at + dice.count(1_000, 9_000_000)
            here.ledger.unanswered(
                begun, device.address, V4_PREFIX + bytes((224, 0, 0, 22)), 0, _IGMP
            )
            if device.mac in own:
                here.ledger.unanswered(begun, own[device.mac], group, 0, _ICMP6)
                other = b"\xff\x02" + b"\0" * 9 + b"\x01\xff" + dice.randbytes(3)
                here.ledger.unanswered(begun, own[device.mac], other, 0, _ICMP6)

    here.every(ask, dice.wide(60, 900) * SECOND, 0.01)


def broadcasts(here: Premises) -> None:
    """Programs that look for their licence server, their phone, their till, by broadcast every few seconds."""
    dice = here.dice
    for device in here.pcs(0.1, 0.6):
        port = dice.choice((17500, 6001, 475, 1947, 57621, 32412, 48899, 5678, 27036))
        where = dice.choice((_ALL, here.ledger.inside(255)))

        def cry(at: int, device: Device = device, port: int = port, where: bytes = where) -> None:
            here.ledger.unanswered(at, device.address, where, port, UDP)

        here.every(
            cry, dice.wide(10, 900) * SECOND, 0.02, switched_on(0, at_night=dice.chance(0.4))
        )


def announcers(here: Premises) -> None:
    """Machines that say their own address again and again: ARP about themselves, in rounds."""
    dice = here.dice
    for device in dice.some(here.everyone(), 0.05, 0.3):
        rounds = dice.count(1, 6)

        def announce(at: int, device: Device = device, rounds: int = rounds) -> None:
            for number in range(rounds):
                here.ledger.arp(at + number * 2 * SECOND, device, device, answered=False)

        here.every(announce, dice.wide(0.01, 6) * HOUR, 0.1)

"""What happens to everybody at once: power, line, router, addresses, clocks, the agent itself."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.habits.premises import Premises
from dijkwacht_lab.traffic.site import FLOWS, HOUR, MINUTE, SECOND, TCP, UDP, Device
from dijkwacht_lab.traffic.world import NAMES
from dijkwacht_records.tables import ConnState, FlowState

_DATA: Final = 0x18
_SERVFAIL: Final = 2


def power_cut(here: Premises) -> None:
    """The power comes back: all machines boot within minutes, before the router and the line are there."""
    dice = here.dice

    def boot(at: int) -> None:
        ready = at + int(dice.wide(20, 400) * SECOND)
        for device in here.everyone():
            begun = at + int(dice.wide(2, 120) * SECOND)
            for number in range(dice.count(1, 8)):
                here.ledger.lease(begun + number * 4 * SECOND, device, arrives=True)
            for _ in range(dice.count(2, 60)):
                begun += int(dice.expovariate(1 / (2 * SECOND)))
                where = here.place()
                if begun < ready:
                    here.ledger.ask(begun, device, NAMES[where], 1, _SERVFAIL, 0)
                    here.silence(
                        begun,
                        device,
                        here.bare(),
                        dice.choice((443, 123, 8883)),
                        dice.choice((TCP, UDP)),
                    )
                else:
                    here.call(begun, device, where, 443, (900, 5000), SECOND, shown=device.browser)

    for moment in here.moments(1, 4):
        here.once(boot, moment)


def line_down(here: Premises) -> None:
    """The line is down for minutes or hours: everybody calls, again and again, and nobody answers."""
    dice = here.dice
    tries = dice.wide(2, 40)

    def fall(at: int) -> None:
        back = at + int(dice.wide(1, 180) * MINUTE)
        for device in here.everyone():
            homes = [here.bare() for _ in range(dice.count(1, 8))]
            begun = at + int(dice.random() * MINUTE)
            while begun < back:
                begun += int(dice.expovariate(tries / (2 * MINUTE))) + SECOND
                if dice.chance(0.5):
                    here.ledger.ask(begun, device, NAMES[here.place()], 1, _SERVFAIL, 0)
                else:
                    here.silence(
                        begun, device, dice.choice(homes), dice.choice((443, 443, 80, 993, 8883))
                    )

    for moment in here.moments(1, 5):
        here.once(fall, moment)


def router_replaced(here: Premises) -> None:
    """Another router takes the gateway's address: a new one, or the second of two that stand in for each other.

    From then on only that one answers: two that both do are a quarrel, and to say so is right.
    """
    dice, gateway = here.dice, here.ledger.gateway
    cards = [gateway.mac, here.ledger.new_mac()]

    def change(at: int) -> None:
        cards.reverse()
        gateway.mac = cards[0]
        for number in range(dice.count(1, 6)):
            here.ledger.arp(at + number * SECOND, gateway, gateway, answered=False)
        for device in here.everyone():
            here.ledger.arp(at + dice.count(1, 600) * SECOND, device, gateway)

    for moment in here.moments(1, 2):
        here.once(change, moment)


def address_passed_on(here: Premises) -> None:
    """Addresses go from one machine to another: docking stations, leases that ran out, wired and wireless."""
    dice = here.dice
    pairs = [(device, here.ledger.new_mac()) for device in here.pcs(0.1, 0.6)]

    def pass_on(at: int) -> None:
        device, other = dice.choice(pairs)
        wireless = Device(device.address, other, device.name)
        for _ in range(dice.count(1, 5)):
            here.ledger.lease(at, wireless, arrives=True)
            here.ledger.arp(at + SECOND, wireless, wireless, answered=False)
            here.ledger.arp(at + 2 * SECOND, wireless, here.ledger.gateway)
            at += int(dice.wide(0.2, 60) * MINUTE)
            here.ledger.arp(at, device, here.ledger.gateway)

    here.every(pass_on, dice.wide(2, 80) * HOUR, 1)


def agent_restarts(here: Premises) -> None:
    """The agent begins again: its counts fall to nothing, and connections are met in their middle."""
    dice, ledger = here.dice, here.ledger

    def restart(at: int) -> None:
        ledger.packets = 0
        for device in here.everyone():
            for _ in range(dice.count(1, 12)):
                _midstream(here, at + int(dice.random() * 20 * SECOND), device, here.bare())

    for moment in here.moments(1, 12):
        here.once(restart, moment)


def time_servers(here: Premises) -> None:
    """Machines that ask pools for the time: other names and addresses each time, some without an answer."""
    dice = here.dice
    for device in dice.some(here.everyone(), 0.1, 0.5):
        asked = dice.count(1, 6)

        def ask(at: int, device: Device = device, asked: int = asked) -> None:
            for number in range(asked):
                server = here.bare()
                name = f"{number}.pool-{dice.randrange(3)}.example"
                at = here.ledger.ask(at, device, name, 1, 0, 4, (server,))
                if dice.chance(0.1):
                    here.silence(at, device, server, 123, UDP)
                else:
                    here.datagrams(at, device, server, 123, (48, 48), 30_000)

        here.every(ask, dice.wide(64, 40_000) * SECOND, 0.05)


def _midstream(here: Premises, at: int, device: Device, peer: bytes) -> None:
    """A flow whose beginning was not seen; who began it is a guess, wrong half the time."""
    dice, ledger = here.dice, here.ledger
    ledger.flows += 1
    back = dice.chance(0.5)
    orig, resp = (peer, device.address) if back else (device.address, peer)
    ports = (443, dice.randrange(30_000, 65_000)) if back else (dice.randrange(30_000, 65_000), 443)
    row = (at, at, ledger.flows, 0, int(FlowState.END), orig, resp, *ports, TCP, 0, int(ConnState.OTH),
           _DATA, _DATA, 4, 4, dice.size(900), dice.size(900), int(not back), int(back), 0)  # fmt: skip
    ledger.written.append((at + SECOND, FLOWS, row))

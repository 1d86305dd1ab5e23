"""The devices of a made-up office, and what each does when: habits with a period and a day's shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dijkwacht_lab.traffic.ledger import DAY, HOUR, ICMP, MINUTE, SECOND, UDP, Call, Device, Ledger
from dijkwacht_lab.traffic.programs import MAIL, THINGS
from dijkwacht_lab.traffic.world import PLACES, spread

WEEKDAY: Final = (
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.02, 0.15, 0.7, 1.0, 1.0, 0.9,
    0.45, 0.85, 1.0, 0.9, 0.75, 0.35, 0.1, 0.05, 0.05, 0.03, 0.0, 0.0,
)  # fmt: skip
"""How busy people are, hour by hour."""
WEEKEND: Final = 0.04

_MAIL, _CLOUD, _UPDATES, _SHIELD, _PUSH, _TIME, _VAULT, _CALLS = range(40, 48)

Presence = Callable[[int], float]
"""At this moment (µs UTC), what share of its turns does a habit take? 0 to 1."""


@dataclass(slots=True)
class Habit:
    """Something done again and again: by the clock (``jitter`` < 1) or at random (``jitter`` 1)."""

    ledger: Ledger
    act: Callable[[int], None]
    period_us: float
    jitter: float
    presence: Presence
    next_us: int = 0

    def __post_init__(self) -> None:
        self.next_us = self.ledger.start_us + int(self.ledger.rng.random() * self.period_us)

    def turn(self) -> None:
        """Act now, if present, and choose the next moment."""
        now, rng = self.next_us, self.ledger.rng
        if rng.random() < self.presence(now):
            self.act(now)
        if self.jitter < 1:
            gap = self.period_us * (1 + self.jitter * (2 * rng.random() - 1))
        else:
            gap = rng.expovariate(1 / self.period_us)
        self.next_us = now + max(int(gap), 1000)


def furnish(ledger: Ledger, hosts: int, rate: float, heartbeat_us: int) -> list[Habit]:
    """Put ``hosts`` devices in an office: a server and a printer first, then people's, then things.

    Four or more have a server and a printer, eight or more two small devices too, thirty or more
    a camera; of the rest two in three are PCs and one a telephone.
    """
    habits = _office(ledger, heartbeat_us)
    served = hosts >= 4
    server = Device(ledger.inside(2), ledger.new_mac(), "nas")
    printer = Device(ledger.inside(3), ledger.new_mac(), "printer")
    if served:
        habits += _server(ledger, server) + _printer(ledger, printer)
    left = hosts - 2 * served
    things = 0 if hosts < 8 else 2 + hosts // 15
    for number in range(left):
        device = Device(ledger.inside(10 + number % 240), ledger.new_mac(), "")
        if number < things:
            device.name = f"thing-{number}"
            habits += _thing(ledger, device, server, camera=number == 2)
        elif number % 3 == 2:
            device.name = f"phone-{number}"
            habits += _telephone(ledger, device, rate)
        else:
            device.name = f"pc-{number}"
            habits += _computer(ledger, device, rate, (server, printer) if served else None)
    return habits


def _always(_now: int) -> float:
    return 1.0


def _at_work(shift_us: int) -> Presence:
    """People's day, ``shift_us`` later than the shape above."""

    def presence(now: int) -> float:
        now -= shift_us
        busy = WEEKDAY[now // HOUR % 24]
        return busy if (now // DAY + 3) % 7 < 5 else busy * WEEKEND

    return presence


def _switched_on(shift_us: int, *, at_night: bool) -> Presence:
    """A machine that is on from before its owner comes until after they leave, or always."""
    if at_night:
        return _always

    def presence(now: int) -> float:
        now -= shift_us
        return float(8 <= now // HOUR % 24 < 18 and (now // DAY + 3) % 7 < 5)

    return presence


def _at_night(now: int) -> float:
    return float(now // HOUR % 24 == 2)


def _size(ledger: Ledger, middle: float, spread_by: float = 1.1) -> int:
    """Bytes: log-normal, as files and pages are."""
    return int(middle * ledger.rng.lognormvariate(0, spread_by))


def _network(ledger: Ledger, device: Device, presence: Presence, period_us: int) -> list[Habit]:
    """What every device does: keep its lease, find its gateway, ask the time."""

    def lease(at: int) -> None:
        ledger.lease(at, device, arrives=ledger.rng.random() < 0.3)

    def find(at: int) -> None:
        ledger.arp(at, device, ledger.gateway)

    def time(at: int) -> None:
        ledger.flow(at, Call(device.address, PLACES[_TIME], 123, UDP, 123), up=48, down=48,
                    last_us=20_000, beats=(20_000,))  # fmt: skip

    return [
        Habit(ledger, lease, 6 * HOUR, 0.1, presence),
        Habit(ledger, find, period_us, 0.5, presence),
        Habit(ledger, time, 1024 * SECOND, 0.02, presence),
    ]


def _computer(
    ledger: Ledger, pc: Device, rate: float, services: tuple[Device, Device] | None
) -> list[Habit]:
    shift = int(ledger.rng.gauss(0, 25 * MINUTE))
    people = _at_work(shift)
    on = _switched_on(shift, at_night=ledger.rng.random() < 0.2)
    habits = [
        *_network(ledger, pc, on, 4 * MINUTE),
        *_desk(ledger, pc, rate, people),
        *_background(ledger, pc, on),
    ]
    if services:
        habits += _paperwork(ledger, pc, services, rate, people)
    return habits


def _desk(ledger: Ledger, pc: Device, rate: float, people: Presence) -> list[Habit]:
    """What somebody at a PC does: read, call, open files that the antivirus asks about."""
    rng = ledger.rng

    def browse(at: int) -> None:
        first = ledger.place()
        for number in range(1 + int(rng.expovariate(0.28))):
            place = ledger.place() if number else first
            ledger.visit(at, pc, place, 900 + _size(ledger, 1_500), _size(ledger, 18_000, 1.5),
                         int(rng.lognormvariate(13.8, 1.6)))  # fmt: skip
            at += int(rng.expovariate(1) * 150_000)

    def shield(at: int) -> None:
        for _ in range(1 + rng.getrandbits(2)):
            name = f"{rng.getrandbits(96):024x}.avqs.shield.example"
            at = ledger.ask(at, pc, name, 1 if rng.random() < 0.8 else 16, 3 * rng.getrandbits(1))

    def call(at: int) -> None:
        lasts = int((5 + rng.expovariate(1 / 20)) * MINUTE)
        rate_up = 20_000 + rng.getrandbits(17)
        ledger.flow(at, Call(pc.address, PLACES[_CALLS + rng.getrandbits(3)], 3478, UDP),
                    up=rate_up * (lasts // SECOND), down=2 * rate_up * (lasts // SECOND),
                    last_us=lasts)  # fmt: skip

    return [
        Habit(ledger, browse, 75 * SECOND / rate, 1, people),
        Habit(ledger, shield, 12 * MINUTE / rate, 1, people),
        Habit(ledger, call, 5 * HOUR / rate, 1, people),
    ]


def _background(ledger: Ledger, pc: Device, on: Presence) -> list[Habit]:
    """What a PC does by itself: poll mail and cloud, look for updates, shout for printers."""
    rng = ledger.rng
    beat = rng.choice((60, 90, 120, 300)) * SECOND

    def mail(at: int) -> None:
        attaches = rng.random() < 0.01
        ledger.visit(at, pc, _MAIL, _size(ledger, 1_500_000 if attaches else 900, 0.4),
                     _size(ledger, 6_000), 350_000, MAIL)  # fmt: skip

    def cloud(at: int) -> None:
        saves = rng.random() < 0.02
        ledger.visit(at, pc, _CLOUD + spread(pc.mac, 4) * 50,
                     _size(ledger, 400_000 if saves else 1_200, 0.3), 2_400, 280_000)  # fmt: skip

    def update(at: int) -> None:
        fetches = rng.random() < 0.1
        ledger.visit(at, pc, _UPDATES, 2_000, _size(ledger, 3e7 if fetches else 9_000),
                     40 * SECOND if fetches else 700_000)  # fmt: skip

    def chatter(at: int) -> None:
        kind = rng.random()
        if kind < 0.5:
            ledger.shout(at, pc, "_ipp._tcp.local", 5353)
        elif kind < 0.7:
            ledger.shout(at, pc, f"{pc.name}", 5355)
        elif kind < 0.85:
            ledger.ask(at, pc, "wpad.office.example", 1, 3, 0)
        else:
            other = rng.randrange(1, 60)
            ledger.ask(at, pc, f"{other}.1.168.192.in-addr.arpa", 12, 3, 0)

    return [
        Habit(ledger, mail, beat * 2, 0.1, on),
        Habit(ledger, cloud, beat, 0.15, on),
        Habit(ledger, update, 3 * HOUR, 0.3, on),
        Habit(ledger, chatter, 9 * MINUTE, 1, on),
    ]


def _paperwork(
    ledger: Ledger, pc: Device, services: tuple[Device, Device], rate: float, people: Presence
) -> list[Habit]:
    """Files on the office's server, paper from its printer."""
    rng = ledger.rng
    server, printer = services

    def files(at: int) -> None:
        ledger.arp(at, pc, server)
        writes = rng.random() < 0.3
        ledger.flow(at, Call(pc.address, server.address, 445), up=_size(ledger, 250_000 if writes else 9_000),
                    down=_size(ledger, 8_000 if writes else 600_000),
                    last_us=int(rng.expovariate(1 / 90) * SECOND))  # fmt: skip

    def paper(at: int) -> None:
        ledger.arp(at, pc, printer)
        if rng.random() < 0.05:  # it sleeps
            ledger.unanswered(at, pc.address, printer.address, 9100)
        else:
            ledger.flow(at, Call(pc.address, printer.address, 9100), up=_size(ledger, 300_000), down=400,
                        last_us=4 * SECOND)  # fmt: skip

    return [
        Habit(ledger, files, 12 * MINUTE / rate, 1, people),
        Habit(ledger, paper, 2 * HOUR / rate, 1, people),
    ]


def _telephone(ledger: Ledger, phone: Device, rate: float) -> list[Habit]:
    rng = ledger.rng
    shift = int(rng.gauss(0, 30 * MINUTE))
    people, on = _at_work(shift), _switched_on(shift, at_night=False)

    def push(at: int) -> None:
        beats = [600_000, *range(240 * SECOND, 20 * MINUTE, 240 * SECOND)]
        ledger.flow(at, Call(phone.address, PLACES[_PUSH], 5228), up=1_800, down=2_600,
                    last_us=beats[-1], beats=beats)  # fmt: skip

    def look(at: int) -> None:
        for _ in range(1 + rng.getrandbits(2)):
            ledger.visit(at, phone, ledger.place(), 1_400, _size(ledger, 25_000, 1.4),
                         int(rng.lognormvariate(14, 1.2)))  # fmt: skip

    return [
        *_network(ledger, phone, on, 8 * MINUTE),
        Habit(ledger, push, 25 * MINUTE, 0.2, on),
        Habit(ledger, look, 6 * MINUTE / rate, 1, people),
    ]


def _thing(ledger: Ledger, thing: Device, server: Device, *, camera: bool) -> list[Habit]:
    """A thermostat, a till, a camera: calls home as regularly as anything that ever called home."""
    rng = ledger.rng
    home = 200 + spread(thing.mac, 300)
    firmware = THINGS[thing.mac % len(THINGS)]

    def report(at: int) -> None:
        ledger.visit(at, thing, home, 620 + rng.getrandbits(6), 410, 240_000,
                     firmware)  # fmt: skip

    def film(at: int) -> None:
        ledger.flow(at, Call(thing.address, server.address, 554), up=HOUR // SECOND * 60_000, down=9_000,
                    last_us=HOUR - SECOND)  # fmt: skip

    habits = _network(ledger, thing, _always, 5 * MINUTE)
    habits.append(Habit(ledger, report, rng.choice((60, 300, 600)) * SECOND, 0.02, _always))
    if camera:
        habits.append(Habit(ledger, film, HOUR, 0, _always))
    return habits


def _server(ledger: Ledger, server: Device) -> list[Habit]:
    rng = ledger.rng

    def ping(at: int) -> None:
        ledger.flow(at, Call(server.address, ledger.gateway.address, 0, ICMP, 8), up=56, down=56,
                    last_us=800, beats=(800,))  # fmt: skip

    def backup(at: int) -> None:
        lasts = int((12 + 6 * rng.random()) * MINUTE)
        ledger.visit(at, server, _VAULT, _size(ledger, 4e8, 0.2), 900_000, lasts)

    return [
        *_network(ledger, server, _always, 3 * MINUTE),
        Habit(ledger, ping, MINUTE, 0.01, _always),
        Habit(ledger, backup, HOUR, 0, _at_night),
    ]


def _printer(ledger: Ledger, printer: Device) -> list[Habit]:
    def announce(at: int) -> None:
        ledger.shout(at, printer, "_ipp._tcp.local", 5353)

    return [
        *_network(ledger, printer, _always, 10 * MINUTE),
        Habit(ledger, announce, 20 * MINUTE, 0.1, _always),
    ]


def _office(ledger: Ledger, heartbeat_us: int) -> list[Habit]:
    """The agent itself: its heartbeat, and the machine it runs on."""
    rng = ledger.rng
    people = _at_work(0)

    def heartbeat(at: int) -> None:
        ledger.heartbeat(at)

    def sample(at: int) -> None:
        busy = 0.04 + 0.3 * people(at)
        ledger.metric(at, "cpu_ratio", min(1.0, busy * rng.lognormvariate(0, 0.3)))
        ledger.metric(at, "memory_used_ratio", 0.4 + 0.1 * busy + 0.01 * rng.random())
        ledger.metric(at, "net_in_bytes", float(_size(ledger, 2e5 * busy, 0.6)))
        ledger.metric(at, "net_out_bytes", float(_size(ledger, 5e4 * busy, 0.6)))

    return [
        Habit(ledger, heartbeat, heartbeat_us, 0, _always),
        Habit(ledger, sample, MINUTE, 0, _always),
    ]

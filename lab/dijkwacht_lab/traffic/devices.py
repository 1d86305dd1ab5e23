"""The devices of a made-up office, and what those do that nobody sits at."""

from __future__ import annotations

from typing import NamedTuple

from dijkwacht_lab.traffic.administration import administer
from dijkwacht_lab.traffic.domain import join_domain
from dijkwacht_lab.traffic.facts import Shown, Talk, log_in
from dijkwacht_lab.traffic.habit import Habit, Presence, always, at_night, at_work, size
from dijkwacht_lab.traffic.habit import switched_on as on_from_morning
from dijkwacht_lab.traffic.ledger import (
    HOUR,
    ICMP,
    MINUTE,
    SECOND,
    UDP,
    Call,
    Device,
    Kind,
    Ledger,
)
from dijkwacht_lab.traffic.machine import watch_over
from dijkwacht_lab.traffic.neighbourhood import look_around
from dijkwacht_lab.traffic.people import sit_at, telephone
from dijkwacht_lab.traffic.programs import BACKUP, BROWSERS, SUBMISSION, TELEPHONES, THINGS
from dijkwacht_lab.traffic.shares import Shares, file_work
from dijkwacht_lab.traffic.world import PLACES, spread
from dijkwacht_records.vocabulary import AuthMethod, AuthService

_TIME, _VAULT, _POST = 45, 46, 48


class Office(NamedTuple):
    """What an office has for all: a file server and a printer, and a domain's controller if it has one."""

    server: Device
    printer: Device
    controller: Device | None


def furnish(ledger: Ledger, hosts: int, rate: float, heartbeat_us: int) -> list[Habit]:
    """Put ``hosts`` devices in an office: a server and a printer first, then people's, then things.

    Four or more have a server and a printer; eight or more two small devices too, and half of those
    a domain with a controller of its own; thirty or more a camera; of the rest two in three are PCs
    and one a telephone. Who sits at the first PC looks after the office.
    """
    habits = watch_over(ledger, heartbeat_us)
    office = _services(ledger, hosts)
    served = 0
    if office is not None:
        served = 2 + (office.controller is not None)
        habits += _server(ledger, office.server) + _printer(ledger, office.printer)
        if office.controller is not None:
            habits += _network(ledger, office.controller, always, 3 * MINUTE)
    shares = None
    if office is not None:
        shares = Shares(ledger, office.server, in_domain=office.controller is not None)
    left = hosts - served
    things = 0 if hosts < 8 else 2 + hosts // 15
    small = [_thing(ledger, number) for number in range(min(things, left))]
    for number, thing in enumerate(small):
        habits += _report(ledger, thing, office.server if office and number == 2 else None)
    administers = hosts >= 8
    for number in range(len(small), left):
        if number % 3 == 2:
            habits += _telephone(ledger, number, rate)
            continue
        pc, at_night_too = _computer(ledger, number)
        shift = int(ledger.rng.gauss(0, 25 * MINUTE))
        people, on = at_work(shift), on_from_morning(shift, at_night=at_night_too)
        habits += _network(ledger, pc, on, 4 * MINUTE)
        habits += sit_at(ledger, pc, rate, people, on)
        if office is None or shares is None:
            continue
        habits += file_work(shares, pc, office.printer, rate, people)
        if office.controller is not None:
            habits += join_domain(ledger, pc, office.controller, shift, on)
        if administers:
            habits += administer(ledger, pc, office.server, [office.printer, *small], people)
            administers = False
    return habits + look_around(ledger)


def _services(ledger: Ledger, hosts: int) -> Office | None:
    if hosts < 4:
        return None
    server = Device(ledger.inside(2), ledger.new_mac(), "nas", Kind.UNIX)
    printer = Device(ledger.inside(3), ledger.new_mac(), "printer", Kind.APPLIANCE)
    controller = None
    if hosts >= 8 and ledger.rng.random() < 0.5:
        controller = ledger.join(Device(ledger.inside(4), ledger.new_mac(), "dc"))
    return Office(ledger.join(server), ledger.join(printer), controller)


def _computer(ledger: Ledger, number: int) -> tuple[Device, bool]:
    """A PC, and whether it is on at night."""
    rng = ledger.rng
    apple = rng.random() < 0.12
    browser = BROWSERS[min(int(rng.expovariate(1.1)), len(BROWSERS) - 1)]
    pc = Device(
        _address(ledger, number), ledger.new_mac(), f"pc-{number}",
        Kind.APPLE if apple else Kind.WINDOWS, browser,
    )  # fmt: skip
    return ledger.join(pc), rng.random() < 0.2


def _telephone(ledger: Ledger, number: int, rate: float) -> list[Habit]:
    rng = ledger.rng
    apple = rng.random() < 0.45
    phone = Device(
        _address(ledger, number), ledger.new_mac(), f"phone-{number}",
        Kind.APPLE if apple else Kind.UNIX, TELEPHONES[apple],
        hides=not apple and rng.random() < 0.5,
    )  # fmt: skip
    ledger.join(phone)
    shift = int(rng.gauss(0, 30 * MINUTE))
    on = on_from_morning(shift, at_night=False)
    people = at_work(shift)
    return _network(ledger, phone, on, 8 * MINUTE) + telephone(ledger, phone, rate, people, on)


def _address(ledger: Ledger, number: int) -> bytes:
    return ledger.inside(10 + number % 240)


def _network(ledger: Ledger, device: Device, presence: Presence, period_us: int) -> list[Habit]:
    """What every device does: keep its lease, find its gateway, ask the time."""

    def lease(at: int) -> None:
        ledger.lease(at, device, arrives=ledger.rng.random() < 0.3)

    def find(at: int) -> None:
        ledger.arp(at, device, ledger.gateway)

    def time(at: int) -> None:
        at = ledger.look_up(at, device, _TIME)
        ledger.flow(at, Call(device.address, PLACES[_TIME], 123, UDP, 123), up=48, down=48,
                    last_us=20_000, beats=(20_000,))  # fmt: skip

    return [
        Habit(ledger, lease, 6 * HOUR, 0.1, presence),
        Habit(ledger, find, period_us, 0.5, presence),
        Habit(ledger, time, 1024 * SECOND, 0.02, presence),
    ]


def _thing(ledger: Ledger, number: int) -> Device:
    kind = (Kind.SMALL, Kind.UNIX, Kind.APPLIANCE)[number % 3]
    name = f"thing-{number}"
    return ledger.join(Device(_address(ledger, number), ledger.new_mac(), name, kind))


def _report(ledger: Ledger, thing: Device, films_to: Device | None) -> list[Habit]:
    """A thermostat, a till, a camera: calls home as regularly as anything that ever called home."""
    rng = ledger.rng
    home = 200 + spread(thing.mac, 300)
    firmware = THINGS[thing.mac % len(THINGS)]

    def report(at: int) -> None:
        ledger.visit(at, thing, home, 620 + rng.getrandbits(6), 410, 240_000, firmware)

    habits = _network(ledger, thing, always, 5 * MINUTE)
    habits.append(Habit(ledger, report, rng.choice((60, 300, 600)) * SECOND, 0.02, always))
    if films_to is not None:
        shown = Shown(Talk(2 * HOUR // (30 * SECOND), 1_380, 180, 90, 20))

        def film(at: int) -> None:
            ledger.flow(at, Call(thing.address, films_to.address, 554),
                        up=HOUR // SECOND * 60_000, down=90_000, last_us=HOUR - SECOND,
                        shown=shown)  # fmt: skip

        habits.append(Habit(ledger, film, HOUR, 0, always))
    return habits


def _server(ledger: Ledger, server: Device) -> list[Habit]:
    rng = ledger.rng

    def ping(at: int) -> None:
        ledger.flow(at, Call(server.address, ledger.gateway.address, 0, ICMP, 8), up=56, down=56,
                    last_us=800, beats=(800,))  # fmt: skip

    def backup(at: int) -> None:
        lasts = int((12 + 6 * rng.random()) * MINUTE)
        ledger.visit(at, server, _VAULT, size(ledger, 4e8, 0.2), 900_000, lasts, BACKUP)

    def announce(at: int) -> None:
        ledger.announce(at, server, "_smb._tcp.local")

    return [
        *_network(ledger, server, always, 3 * MINUTE),
        Habit(ledger, ping, MINUTE, 0.01, always),
        Habit(ledger, backup, HOUR, 0, at_night),
        Habit(ledger, announce, 40 * MINUTE, 0.1, always),
    ]


def _printer(ledger: Ledger, printer: Device) -> list[Habit]:
    rng = ledger.rng
    people = at_work(0)

    def announce(at: int) -> None:
        ledger.announce(at, printer, "_ipp._tcp.local")

    def scan(at: int) -> None:
        """A scan is mailed; printers of some age log in to the mail server in clear."""
        if printer.mac & 1:
            at = ledger.look_up(at, printer, _POST)
            counted = log_in(300_000, AuthService.SMTP, AuthMethod.PASSWORD, "scans")
            ledger.flow(at, Call(printer.address, PLACES[_POST], 587), up=size(ledger, 700_000),
                        down=900, last_us=8 * SECOND,
                        shown=Shown(Talk(17, 30, 40), (counted,)))  # fmt: skip
            return
        ledger.visit(at, printer, _POST, size(ledger, 700_000), 3_000, 8 * SECOND, SUBMISSION)

    return [
        *_network(ledger, printer, always, 10 * MINUTE),
        Habit(ledger, announce, 20 * MINUTE, 0.1, always),
        Habit(ledger, scan, (2 + rng.random()) * HOUR, 1, people),
    ]

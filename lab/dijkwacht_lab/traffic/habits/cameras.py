"""Cameras and their recorders: pictures by day and night, inside and to a cloud."""

from __future__ import annotations

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habits.premises import Pace, Premises, Where
from dijkwacht_lab.traffic.site import HOUR, MINUTE, SECOND, UDP, Device
from dijkwacht_records.hints import Speech


def recorder(here: Premises) -> None:
    """A recorder draws film from cameras all day; one of them drops out now and then."""
    dice = here.dice
    box = here.adds("recorder")
    rate = dice.count(20_000, 900_000)
    port = dice.choice((554, 554, 8000, 8554, 34567, 37777))
    for _ in range(dice.count(1, 5)):
        camera, lasts = here.adds("camera"), here.holds(HOUR // 2, 12 * HOUR)

        def film(at: int, camera: Device = camera, lasts: int = lasts) -> None:
            if dice.chance(0.1):
                for number in range(dice.count(3, 60)):
                    here.refused(at + number * 5 * SECOND, box, camera, port)
            here.call(at, box, camera, port, (lasts // SECOND * 90, lasts // SECOND * rate), lasts)

        here.every(film, lasts * 1.01, 0)


def cloud_camera(here: Premises) -> None:
    """A camera sends film to its maker all day and night: far more goes out than comes in."""
    dice = here.dice
    rate = dice.wide(2_000, 500_000)
    port = dice.choice((443, 443, 80, 8443, 32100, 9000, 1935))
    proto = UDP if port == 32100 or dice.chance(0.2) else 6
    for _ in range(dice.count(1, 4)):
        camera, home, lasts = here.adds("camera"), here.home(0.6), here.holds(MINUTE, 6 * HOUR)

        def send(at: int, facts: tuple[Device, int] = (camera, lasts), home: Where = home) -> None:
            camera, lasts = facts
            total = int(rate * (lasts / SECOND)), lasts // SECOND * 30 + 400
            if proto == UDP:
                here.datagrams(at, camera, home, port, total, lasts)
            else:
                here.call(at, camera, home, port, total, lasts)

        here.every(send, lasts * 1.02, 0)


def motion(here: Premises) -> None:
    """A camera that sends a clip when something moves, from a bare address's view out of the blue."""
    dice = here.dice
    camera, home = here.adds("doorbell"), here.home(0.5)
    size = dice.wide(0.2, 60) * 1e6
    pulse = int(dice.wide(15, 240) * SECOND)
    lasts = here.holds()

    def clip(at: int) -> None:
        volume = dice.size(size, 0.6)
        here.call(
            at, camera, home, dice.choice((443, 443, 80)), (volume, volume // 90), 20 * SECOND
        )

    def keep(at: int) -> None:
        talk = Talk(2 * lasts // pulse, 48, 48, 90, 3)
        here.keeps(at, camera, home, dice.choice((9999, 8883, 20002, 443)), Pace(pulse, lasts), (48, 48), shown=Shown(talk))  # fmt: skip

    here.every(clip, dice.wide(2, 300) * MINUTE, 1)
    here.every(keep, lasts * 1.02, 0)


def search(here: Premises) -> None:
    """A recorder looks for cameras at every address: by ARP, then by the ports that cameras have."""
    dice = here.dice
    box = here.adds("recorder")
    ports = dice.some((80, 554, 8000, 8899, 34567, 37777, 9000), 0.2, 0.9)
    group = b"\0" * 10 + b"\xff\xff\xef\xff\xff\xfa"
    gap = int(dice.wide(2_000, 400_000))

    def look(at: int) -> None:
        here.ledger.unanswered(at, box.address, group, 3702, UDP)
        alive = {device.address: device for device in here.everyone()}
        for number in range(1, 255):
            at += gap
            device = alive.get(here.ledger.inside(number))
            if device is None:
                here.seeks(at, box, here.ledger.inside(number), 1)
                continue
            for port in ports:
                here.refused(at, box, device, port)

    here.every(look, dice.wide(0.3, 48) * HOUR, 0.1)


def relays(here: Premises) -> None:
    """A camera that wants to be seen from outside pings relays over the world, by UDP, every few seconds."""
    dice = here.dice
    camera = here.adds("camera")
    known = [here.bare() for _ in range(dice.count(3, 12))]
    port = dice.choice((32100, 8800, 6000, 10001, 32761, 51700))
    dead = dice.uniform(0, 0.7)
    held = int(dice.wide(20, 55) * SECOND)
    lasts = here.holds(HOUR, 6 * HOUR)

    def knock(at: int) -> None:
        for relay in known:
            if dice.chance(dead):
                here.silence(at, camera, relay, port, UDP)
            else:
                here.datagrams(at, camera, relay, port, (44, 52), 80_000)

    def stay(at: int) -> None:
        here.keeps(at, camera, known[0], port, Pace(held, lasts, UDP), (44, 52), shown=Shown(Talk(2 * lasts // held, 44, 52, 95, 4), speech=Speech.BYTES))  # fmt: skip

    here.every(knock, dice.wide(20, 600) * SECOND, 0.02)
    here.every(stay, lasts, 0)

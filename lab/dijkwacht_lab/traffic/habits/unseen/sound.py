"""Sound, light and pictures: radio by internet, networks of audio, rooms that are steered, weekly broadcasts."""

from __future__ import annotations

from functools import partial
from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import always, between
from dijkwacht_lab.traffic.habits.premises import Over, Pace, Premises
from dijkwacht_lab.traffic.programs import CLOUD, TLS_1_2, program
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, UDP, Device, Kind
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.hints import Speech
from dijkwacht_records.vocabulary import Alpn

_IGMP: Final = 2
_PTP: Final = V4_PREFIX + bytes((224, 0, 1, 129))
_SAP: Final = V4_PREFIX + bytes((239, 255, 255, 255))
_SACN: Final = V4_PREFIX + bytes((239, 255, 0))
_PLAYER: Final = program("a radio", Alpn.NONE, TLS_1_2)
_HTTP: Final = Shown(speech=Speech.HTTP)


def radio(here: Premises) -> None:
    """Music from an internet station all day: one stream at an even rate from an odd port, taken up again when it breaks."""
    dice = here.dice
    player = here.adds("radio") if dice.chance(0.6) else here.pc()
    station = here.home(0.3)
    spare = here.bare()
    port = dice.choice((80, 443, 8000, 8000, 8010, 8443, 9000, dice.randrange(7_000, 9_999)))
    rate = dice.choice((64, 96, 128, 128, 192, 320)) * 125
    lasts = here.holds(3 * MINUTE, 10 * HOUR)
    when = dice.choice((always, between(7, 19), between(8, 18, weekends=False)))
    name = dice.choice((0, 20, 60, 300))

    def play(at: int) -> None:
        if dice.chance(0.06):
            for number in range(dice.count(1, 40)):
                here.silence(at + number * 3 * SECOND, player, spare, port)
            at += 2 * MINUTE
        seconds = lasts // SECOND
        shown = Over(_PLAYER, Shown()) if port in {443, 8443} else _HTTP
        here.call(
            at, player, station, port, (420 + 40 * (seconds // 60), rate * seconds), lasts, shown
        )

    def title(at: int) -> None:
        here.call(at, player, station, 80, (310, 700), 200_000)

    here.every(play, lasts * 1.002, 0, when)
    if name:
        here.every(title, max(name, 20) * SECOND, 0.02, when)


def audio_network(here: Premises) -> None:
    """Audio over the network: clocks by multicast several times a second, announcements, and sound itself to groups."""
    dice = here.dice
    boxes = [here.adds("audio") for _ in range(dice.count(2, 6))]
    master = boxes[0]
    lasts = here.holds(HOUR, 9 * HOUR)
    beat = int(dice.choice((0.125, 0.25, 0.5, 1)) * SECOND)
    sound = dice.chance(0.5)
    when = dice.choice((always, between(8, 24)))

    def clock(at: int) -> None:
        here.pours(at, master, _PTP, 319, Pace(beat, lasts), 44)
        here.pours(at, master, _PTP, 320, Pace(2 * beat, lasts), 60)

    def answer(at: int, box: Device) -> None:
        here.pours(at, box, _PTP, 319, Pace(4 * beat, lasts), 44)
        here.ledger.announce(at, box, f"{box.name}._netaudio-arc._udp.local")
        if sound:
            group = V4_PREFIX + bytes((239, 69, dice.randrange(256), dice.randrange(1, 255)))
            here.pours(at, box, group, 5004, Pace(1_000, lasts), dice.choice((294, 582, 1_158)))

    def tell(at: int) -> None:
        for box in boxes:
            here.ledger.unanswered(at, box.address, _SAP, 9875, UDP)
            here.ledger.unanswered(at, box.address, V4_PREFIX + bytes((224, 0, 0, 22)), 0, _IGMP)
            at += dice.count(1_000, 2_000_000)

    here.every(clock, lasts * 1.001, 0, when)
    for box in boxes[1:]:
        here.every(partial(answer, box=box), lasts * 1.001, 0, when)
    here.every(tell, dice.choice((10, 30, 30, 300)) * SECOND, 0.05, when)


def room_control(here: Premises) -> None:
    """A room's controller asks projector, screen and switch every few seconds how they are; at night they are off."""
    dice = here.dice
    controller = here.adds("room", Kind.UNIX)
    ports = {"projector": 4352, "display": 1515, "switcher": 23, "dsp": 1710, "blinds": 41794}
    on = between(7, dice.randrange(17, 23), weekends=dice.chance(0.3))
    gap = dice.wide(2, 90) * SECOND

    def ask(at: int, facts: tuple[Device, int]) -> None:
        other, port = facts
        if not on(at):
            here.seeks(at, controller, other.address, 1)
        elif dice.chance(0.01):
            here.refused(at, controller, other, port)
        else:
            shown = Shown(speech=Speech.TEXT, resp_first=True)
            here.call(
                at,
                controller,
                other,
                port,
                (dice.count(8, 30), dice.count(9, 60)),
                SECOND // 2,
                shown,
            )

    def keep(at: int, other: Device, port: int, lasts: int) -> None:
        step = int(gap)
        shown = Shown(
            Talk(2 * lasts // step, 14, 10, dice.randrange(60, 99), 30), speech=Speech.TEXT
        )
        here.keeps(at, controller, other, port, Pace(step, lasts), (14, 12), shown=shown)

    for name in dice.some(sorted(ports), 0.3):
        other, lasts = here.adds(name), here.holds(HOUR, 8 * HOUR)
        if dice.chance(0.4):
            here.every(
                partial(keep, other=other, port=ports[name], lasts=lasts), lasts * 1.02, 0, on
            )
        else:
            here.every(partial(ask, facts=(other, ports[name])), max(gap, 10 * SECOND), 0.02)


def stage_lights(here: Premises) -> None:
    """A lighting desk sends all its lamps' levels forty times a second to everybody or to groups, on evenings."""
    dice = here.dice
    desk = here.adds("desk")
    nodes = [here.adds("dimmer") for _ in range(dice.count(1, 5))]
    groups = [_SACN + bytes((number + 1,)) for number in range(dice.count(1, 12))]
    broadcast = dice.chance(0.5)
    gap = SECOND // dice.choice((1, 25, 30, 40, 44))

    def show(at: int) -> None:
        lasts = int(dice.wide(0.2, 7) * HOUR)
        if broadcast:
            here.pours(at, desk, here.ledger.inside(255), 6454, Pace(gap // 2 + 1, lasts), 530)
        else:
            for group in groups:
                here.pours(at, desk, group, 5568, Pace(gap, lasts), 638)
        until = at + lasts
        while at < until and broadcast:
            for node in nodes:
                here.pours(at, node, desk.address, 6454, Pace(SECOND, 1), 239)
            at += dice.count(3, 30) * SECOND

    here.every(show, dice.wide(4, 90) * HOUR, 1, between(9, 23))


def weekly_stream(here: Premises) -> None:
    """A church, club or council sends itself to a platform: for an hour or two one stream goes out, megabits a second."""
    dice = here.dice
    encoder, platform = here.adds("encoder", Kind.UNIX), here.home(0.2)
    port = dice.choice((1935, 1935, 443, 9000, 10080))
    rate = dice.wide(100_000, 1_200_000)
    evening = between(dice.randrange(8, 20), dice.randrange(21, 24))

    def send(at: int) -> None:
        lasts = int(dice.wide(15, 180) * MINUTE)
        begun = at
        for _ in range(dice.count(1, 4)):
            part = max(lasts // dice.count(1, 4), MINUTE)
            volume = int(rate * (part / SECOND))
            if port in {9000, 10080}:
                here.datagrams(begun, encoder, platform, port, (volume, volume // 90), part)
            else:
                said = CLOUD if port == 443 else None
                here.call(begun, encoder, platform, port, (volume, volume // 900 + 400), part, said)
            begun += part + dice.count(1, 30) * SECOND
        pc = here.pc()
        while at < begun:
            here.call(at, pc, platform, 443, (1_800, dice.size(30_000)), SECOND, shown=pc.browser)
            at += dice.count(5, 60) * SECOND

    here.every(send, dice.choice((DAY, 7 * DAY, 7 * DAY, dice.wide(20, 170) * HOUR)), 0.02)
    here.every(send, dice.wide(30, 300) * HOUR, 1, evening)


def television_line(here: Premises) -> None:
    """The provider's television: a box joins groups, megabits come in by UDP from bare addresses, and lost parts are asked for."""
    dice = here.dice
    box, sender = here.adds("stb", Kind.UNIX), here.bare()
    rate = dice.count(300_000, 1_500_000)
    port = dice.choice((5000, 8208, 10000, 49152, dice.randrange(5_000, 60_000)))

    def watch(at: int) -> None:
        until = at + int(dice.wide(5, 400) * MINUTE)
        while at < until:
            group = V4_PREFIX + bytes(
                (232, dice.randrange(256), dice.randrange(256), dice.randrange(1, 255))
            )
            lasts = min(int(dice.wide(0.1, 90) * MINUTE), until - at + SECOND)
            here.ledger.unanswered(at, box.address, V4_PREFIX + bytes((224, 0, 0, 22)), 0, _IGMP)
            stream = Pace(max(1_316 * SECOND // rate, 1), lasts)
            here.pours(at + 90_000, _at(box, sender), group, port, stream, 1_316)
            if dice.chance(0.6):
                here.datagrams(
                    at + SECOND, box, sender, port + 1, (dice.count(60, 9_000), dice.size(90_000))
                )
            at += lasts + dice.count(1_000, 900_000)

    def zap(at: int) -> None:
        here.call(at, box, here.place(), 443, (2_000, dice.size(60_000)), SECOND, shown=CLOUD)

    here.every(watch, dice.wide(2, 20) * HOUR, 1, between(6, 24))
    here.every(zap, dice.wide(1, 60) * MINUTE, 1)


def _at(device: Device, address: bytes) -> Device:
    return Device(address, device.mac, "")


def paging(here: Premises) -> None:
    """Loudspeakers in halls: a gong and words to a group now and then, and each speaker pinged whether it still hangs."""
    dice = here.dice
    source = here.adds("paging", Kind.UNIX)
    speakers = [here.adds("speaker") for _ in range(dice.count(1, 6))]
    group = V4_PREFIX + bytes((239, 1, dice.randrange(256), dice.randrange(1, 250)))
    port = dice.choice((5004, 10000, 2000, dice.randrange(10_000, 60_000)))
    fallen = here.dark() if dice.chance(0.3) else None

    def speak(at: int) -> None:
        lasts = int(dice.wide(3, 120) * SECOND)
        here.pours(at, source, group, port, Pace(20_000, lasts), 172)

    def check(at: int) -> None:
        for speaker in speakers:
            here.ledger.arp(at, source, speaker)
            here.ping(at, source, speaker)
            at += dice.count(1_000, 900_000)
        if fallen is not None:
            here.seeks(at, source, fallen, 3)

    here.every(speak, dice.wide(5, 400) * MINUTE, 1, between(7, 18))
    here.every(check, dice.wide(20, 900) * SECOND, 0.02)

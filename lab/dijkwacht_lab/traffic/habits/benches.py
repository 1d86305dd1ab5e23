"""Makers' and machine builders' benches: printers in three dimensions, machines that tell their state, boards, instruments."""

from __future__ import annotations

from functools import partial
from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk, files, session, tree
from dijkwacht_lab.traffic.habit import always, between
from dijkwacht_lab.traffic.habits.premises import Over, Pace, Premises
from dijkwacht_lab.traffic.programs import CLOUD, TLS_1_2, program, unnamed
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, UDP, Device, Kind
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.hints import Speech
from dijkwacht_records.vocabulary import Alpn, AuthMethod, ShareKind

_SLICER: Final = unnamed(program("a slicer", Alpn.NONE, TLS_1_2), "a slicer")
_REGISTRY: Final = program("a fetcher of packages", Alpn.HTTP_1_1)
_SSDP: Final = V4_PREFIX + bytes((239, 255, 255, 250))
_MB: Final = 1_000_000
_SHIFTS: Final = between(6, 22, weekends=False)
_OFFICE_HOURS: Final = between(8, 18, weekends=False)


def print_farm(here: Premises) -> None:
    """Printers in three dimensions: a page held open on each for a day, films of the bed, and files of megabytes by FTPS or HTTP."""
    dice, pc = here.dice, here.pc()
    closed = dice.chance(0.5)
    state, film = (
        (8883, 6000) if closed else (dice.choice((80, 5000, 7125)), dice.choice((80, 8080, 8081)))
    )
    gap = int(dice.wide(0.5, 5) * SECOND)
    up, down = dice.count(20, 200), dice.count(200, 3_000)
    rate = dice.count(20_000, 900_000)

    def keep(at: int, printer: Device) -> None:
        lasts = here.holds(10 * MINUTE, 10 * HOUR)
        turns = Talk(2 * lasts // gap, up, down, dice.randrange(20, 90), dice.randrange(5, 90))
        said = Shown(turns, speech=Speech.TLS if closed else Speech.HTTP)
        here.keeps(
            at,
            pc,
            printer,
            state,
            Pace(gap, lasts),
            (up, down),
            shown=Over(_SLICER if closed else None, said),
        )

    def look(at: int, printer: Device) -> None:
        seconds = int(dice.wide(20, 9_000))
        here.call(at, pc, printer, film, (300, rate * seconds), seconds * SECOND)

    def send(at: int, printer: Device) -> None:
        volume = int(dice.wide(0.5, 300) * _MB)
        if closed:
            here.call(
                at,
                pc,
                printer,
                990,
                (900, 3_000),
                20 * SECOND,
                Over(_SLICER, Shown(speech=Speech.TLS)),
            )
        here.call(
            at + SECOND,
            pc,
            printer,
            dice.randrange(40_000, 60_000) if closed else state,
            (volume, 900),
            9 * SECOND,
        )

    def cry(at: int, printer: Device) -> None:
        here.ledger.unanswered(at, printer.address, _SSDP, 2021 if closed else 1900, UDP)

    for _ in range(dice.count(1, 5)):
        printer = here.adds("printer3d", Kind.UNIX)
        here.every(partial(keep, printer=printer), dice.wide(2, 12) * HOUR, 0.3)
        here.every(partial(look, printer=printer), dice.wide(1, 20) * HOUR, 1)
        here.every(partial(send, printer=printer), dice.wide(2, 50) * HOUR, 1, between(8, 23))
        here.every(partial(cry, printer=printer), dice.wide(5, 300) * SECOND, 0.02)


def machine_data(here: Premises) -> None:
    """A collector asks lathes and mills their state every second to minute; by night they are off, and it asks all the same."""
    dice, collector = here.dice, here.server()
    port = dice.choice((8193, 5000, 4840, 19000, 7878, 683, 62937))
    gap = dice.wide(1, 60) * SECOND
    held = dice.chance(0.6)
    up, down = dice.count(12, 300), dice.count(20, 6_000)
    on = dice.choice((_SHIFTS, _OFFICE_HOURS))
    lasts = here.holds(10 * MINUTE, 4 * HOUR)

    def ask(at: int, machine: Device) -> None:
        if not on(at):
            here.seeks(at, collector, machine.address, dice.count(1, 3))
        else:
            here.call(at, collector, machine, port, (up, down), 90_000)

    def keep(at: int, machine: Device) -> None:
        if not on(at):
            for number in range(dice.count(3, 60)):
                here.seeks(at + number * MINUTE, collector, machine.address, 3)
            return
        turns = Talk(2 * lasts // int(gap), up, down, dice.randrange(40, 98), dice.randrange(2, 60))
        here.keeps(
            at, collector, machine, port, Pace(int(gap), lasts), (up, down), shown=Shown(turns)
        )

    def programs(at: int, machine: Device) -> None:
        count = dice.count(1, 40)
        volume = count * dice.count(2_000, 3_000_000)
        told = [*session(9_000, AuthMethod.NTLM, "cnc"), tree(20_000, ShareKind.OTHER)]
        told.append(files(SECOND, creates=count, reads=(count, volume)))
        here.call(
            at,
            machine,
            collector,
            dice.choice((139, 445)),
            (volume // 50, volume),
            3 * SECOND,
            Shown(counted=tuple(told)),
        )

    for _ in range(dice.count(1, 6)):
        machine = here.adds("mill", Kind.APPLIANCE)
        if held:
            here.every(partial(keep, machine=machine), lasts * 1.02, 0.01)
        else:
            here.every(partial(ask, machine=machine), max(gap, 10 * SECOND), 0.01)
        here.every(partial(programs, machine=machine), dice.wide(0.5, 20) * HOUR, 1, on)


def laser(here: Premises) -> None:
    """A laser cutter takes its work by UDP, a thousand bytes at a time, each acknowledged; and is asked where its head is."""
    dice, pc = here.dice, here.pc()
    cutter = here.adds("laser")
    port = dice.choice((50200, 50200, 50207, dice.randrange(2_000, 60_000)))

    def cut(at: int) -> None:
        chunks = dice.count(4, 9_000)
        turns = Talk(2 * chunks, 1_026, 1, dice.randrange(90, 100), 40)
        lasts = chunks * dice.count(3_000, 30_000) + SECOND
        here.datagrams(at, pc, cutter, port, (chunks * 1_026, chunks), lasts, Shown(turns))

    def ask(at: int) -> None:
        lasts = int(dice.wide(1, 200) * MINUTE)
        gap = int(dice.wide(0.2, 3) * SECOND)
        turns = Talk(2 * lasts // gap, 6, 11, dice.randrange(80, 100), 20)
        here.keeps(at, pc, cutter, port, Pace(gap, lasts, UDP), (6, 11), shown=Shown(turns))

    here.every(cut, dice.wide(5, 300) * MINUTE, 1, _OFFICE_HOURS)
    here.every(ask, dice.wide(0.5, 9) * HOUR, 1, _OFFICE_HOURS)


def fitters_visit(here: Premises) -> None:
    """A fitter's laptop comes to a machine: it cries for controllers, finds some by ARP, reads and writes each, and is gone."""
    dice = here.dice
    plcs = [here.adds("plc", Kind.SMALL) for _ in range(dice.count(1, 5))]
    laptop_at, panel = here.dark(), here.adds("hmi", Kind.WINDOWS)
    port = dice.choice((102, 44818, 502, 11740, 1217, 4840))
    gap = int(dice.wide(0.1, 5) * SECOND)
    maker = here.place()

    def visit(at: int) -> None:
        laptop = here.ledger.join(
            Device(laptop_at, here.ledger.new_mac(), "field-laptop", Kind.WINDOWS)
        )
        here.ledger.lease(at, laptop, arrives=True)
        for _ in range(dice.count(1, 12)):
            at += dice.count(1, 30) * SECOND
            here.ledger.unanswered(at, laptop.address, here.ledger.inside(255), 44818, UDP)
            here.ledger.arp(at, laptop, dice.choice(plcs))
        for plc in plcs:
            here.call(at, laptop, plc, port, (2_000, 90_000), 20 * SECOND)
            lasts = int(dice.wide(2, 120) * MINUTE)
            here.keeps(at + MINUTE, laptop, plc, port, Pace(gap, lasts), (60, 240))
            here.call(
                at + MINUTE, laptop, plc, dice.choice((80, 8080)), (3_000, 60_000), 4 * SECOND
            )
            if dice.chance(0.5):
                here.call(
                    at + 2 * MINUTE,
                    laptop,
                    plc,
                    port,
                    (int(dice.wide(0.02, 30) * _MB), 9_000),
                    MINUTE,
                )
            at += lasts + dice.count(1, 900) * SECOND
            here.call(at, laptop, maker, 443, (4_000, dice.size(90_000)), SECOND, shown=CLOUD)

    def work(at: int) -> None:
        lasts = 2 * HOUR
        for plc in plcs:
            here.keeps(at, panel, plc, port, Pace(gap * 4, lasts), (40, 160))

    for moment in here.moments(1, 3):
        here.once(visit, moment)
    here.every(work, 2 * HOUR * 1.001, 0)


def far_editor(here: Premises) -> None:
    """A maker of programs edits on a rented machine by SSH: held for a day, keystrokes, trees of files, a second one that only lives."""
    dice = here.dice
    far = here.home(0.6)
    port = dice.choice((22, 22, 22, 2222, dice.randrange(1_025, 60_000)))
    keepalive = int(dice.choice((15, 30, 60, 300)) * SECOND)
    shown = Shown(speech=Speech.SSH, resp_first=True)

    def edit(at: int, pc: Device) -> None:
        lasts = here.holds(5 * MINUTE, 9 * HOUR)
        moved = dice.size(300_000, 1.5), dice.size(3_000_000, 1.5)
        turns = Talk(
            lasts // (2 * SECOND), 68, 160, dice.randrange(10, 50), dice.randrange(100, 400)
        )
        here.call(at, pc, far, port, moved, lasts, shown._replace(talk=turns))
        if dice.chance(0.5):
            idle = Talk(2 * lasts // keepalive, 52, 44, 97, 6)
            here.keeps(
                at + SECOND,
                pc,
                far,
                port,
                Pace(keepalive, lasts),
                (52, 44),
                shown=shown._replace(talk=idle),
            )

    def copy(at: int) -> None:
        pc = here.pc()
        for _ in range(dice.count(1, 40)):
            volume = dice.size(400_000, 2)
            moved = (volume, 4_000) if dice.chance(0.5) else (4_000, volume)
            here.call(
                at, pc, far, port, (moved[0] + 3_000, moved[1] + 3_000), SECOND + volume // 3, shown
            )
            at += dice.count(1, 60) * SECOND

    for pc in here.pcs(0.1, 0.5):
        here.every(partial(edit, pc=pc), dice.wide(1, 20) * HOUR, 1, between(8, 24))
    here.every(copy, dice.wide(0.5, 20) * HOUR, 1, between(8, 24))


def dependencies(here: Premises) -> None:
    """A program is built anew: hundreds of packages from one registry in a minute, in many connections, and mirrors that fail."""
    dice = here.dice
    registry, others = here.place(), [here.place() for _ in range(dice.count(1, 12))]
    who = dice.choice([here.pc(), here.server()])
    lanes = dice.count(2, 60)
    size = dice.wide(3_000, 4_000_000)

    def build(at: int) -> None:
        for _ in range(lanes):
            count = dice.count(1, 60)
            volume = dice.size(size, 1) * count
            said = Over(_REGISTRY, Shown(Talk(2 * count, 420, 1_300, 40, 90)))
            here.call(
                at, who, registry, 443, (500 * count, volume), dice.count(1, 40) * SECOND, said
            )
            at += dice.count(1_000, 300_000)
        for place in others:
            for _ in range(dice.count(1, 15)):
                if dice.chance(0.05):
                    here.silence(at, who, place, 443)
                here.call(
                    at, who, place, 443, (1_100, dice.size(size, 1.5)), 2 * SECOND, shown=_REGISTRY
                )
                at += dice.count(1_000, 900_000)

    here.every(build, dice.wide(0.2, 40) * HOUR, 1, dice.choice((always, between(8, 23))))


def boards(here: Premises) -> None:
    """Boards on a bench boot from a server every few minutes (DHCP, TFTP, NFS), log by UDP, crash, and boot again."""
    dice, server = here.dice, here.server()
    boards_here = [here.adds("board", Kind.UNIX) for _ in range(dice.count(1, 6))]
    image = int(dice.wide(0.2, 60) * _MB)
    fails = dice.uniform(0, 0.5)
    nfs = dice.chance(0.5)

    def boot(at: int, board: Device) -> None:
        for _ in range(1 + dice.chance(fails) * dice.count(1, 20)):
            for number in range(dice.count(1, 3)):
                here.ledger.lease(at + number * 3 * SECOND, board, arrives=True)
            at += 10 * SECOND
            here.pours(at, board, server.address, 69, Pace(SECOND, 1), 48)
            blocks = image // 1_468
            port = dice.randrange(1_024, 4_000)
            here.datagrams(
                at + 20_000, server, board, port, (image, blocks * 4), SECOND + image // 2
            )
            at += 2 * SECOND + image // 2
            if nfs:
                here.datagrams(at, board, server, 111, (90, 60))
                here.call(
                    at + SECOND,
                    board,
                    server,
                    2049,
                    (dice.size(90_000), dice.size(9 * _MB)),
                    40 * SECOND,
                )
            at += dice.count(20, 200) * SECOND

    def log(at: int, board: Device) -> None:
        lasts = int(dice.wide(1, 120) * MINUTE)
        here.pours(
            at, board, server.address, 514, Pace(int(dice.wide(0.05, 20) * SECOND), lasts), 120
        )

    for board in boards_here:
        here.every(partial(boot, board=board), dice.wide(10, 600) * MINUTE, 1, between(8, 20))
        here.every(partial(log, board=board), dice.wide(0.5, 6) * HOUR, 1)
    here.every(lambda at: here.call(at, here.pc(), boards_here[0], 22, (9_000, 40_000), 9 * MINUTE),
               dice.wide(0.3, 9) * HOUR, 1, _OFFICE_HOURS)  # fmt: skip


def instruments(here: Premises) -> None:
    """Measuring instruments are asked ten times a second for hours, at 5025 or a port that 111 gave; found by a cry at 111."""
    dice, pc = here.dice, here.pc()
    port = dice.choice((5025, 5025, 5555, 111, 2101, 1861))
    given = dice.randrange(600, 1_024)
    scopes = [here.adds("scope", Kind.APPLIANCE) for _ in range(dice.count(1, 4))]
    gap = int(dice.wide(0.02, 10) * SECOND)
    night = dice.chance(0.3)

    def measure(at: int) -> None:
        lasts = int(dice.wide(1, 600) * MINUTE)
        for scope in scopes:
            if port == 111:
                here.call(at, pc, scope, 111, (60, 32), 20_000)
            down = dice.count(12, 20_000)
            turns = Talk(2 * lasts // gap, 18, down, dice.randrange(60, 100), dice.randrange(3, 70))
            at += SECOND
            here.keeps(
                at,
                pc,
                scope,
                given if port == 111 else port,
                Pace(gap, lasts),
                (18, down),
                shown=Shown(turns),
            )

    def find(at: int) -> None:
        for number in range(dice.count(1, 4)):
            here.ledger.unanswered(
                at + number * SECOND, pc.address, here.ledger.inside(255), 111, UDP
            )
        here.ledger.shout(at + SECOND, pc, "_lxi._tcp.local", 5353)
        for scope in scopes:
            here.call(
                at + 2 * SECOND, pc, scope, 80, (400, 9_000), SECOND, Shown(speech=Speech.HTTP)
            )

    here.every(measure, dice.wide(2, 60) * HOUR, 1, always if night else _OFFICE_HOURS)
    here.every(find, dice.wide(0.3, 30) * HOUR, 1, _OFFICE_HOURS)
    here.every(
        lambda at: here.call(at, pc, here.place(), 443, (900, 4_000), SECOND, shown=CLOUD), DAY, 0.2
    )

"""What is old and still runs: licence servers, terminals, serial boxes, Unix desks, old Windows, faxes."""

from __future__ import annotations

from functools import partial
from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk, files, session, tree
from dijkwacht_lab.traffic.habit import always, between, switched_on
from dijkwacht_lab.traffic.habits.premises import Pace, Premises
from dijkwacht_lab.traffic.site import DAY, DNS, HOUR, MINUTE, SECOND, UDP, Call, Device, Kind
from dijkwacht_records.hints import Speech
from dijkwacht_records.tables import NO_ANSWER
from dijkwacht_records.vocabulary import AuthMethod, ShareKind

_OFFICE_HOURS: Final = between(7, 18, weekends=False)
_TELNET: Final = Speech.TEXT


def licences(here: Premises) -> None:
    """Drawing programs hold a licence of a server inside: a pulse every two minutes, refused when all are taken or it moved."""
    dice, server = here.dice, here.server()
    first, vendor = dice.choice(((27000, 0), (1947, 1947), (22350, 22350), (5053, 0), (6001, 6001)))
    vendor = vendor or dice.randrange(1_024, 62_000)
    full = dice.uniform(0, 0.4)
    pulse = int(dice.choice((30, 60, 120, 120, 300)) * SECOND)
    cries = dice.chance(0.5)

    def draw(at: int, pc: Device) -> None:
        if cries:
            here.ledger.unanswered(at, pc.address, here.ledger.inside(255), first, UDP)
        here.call(at, pc, server, first, (147, 147), 60_000)
        lasts = here.holds(2 * MINUTE, 7 * HOUR)
        while dice.chance(full):
            here.call(at, pc, server, vendor, (400, 140), 90_000)
            at += dice.count(1, 60) * SECOND
        turns = Talk(2 * lasts // pulse, 147, 147, dice.randrange(60, 98), dice.randrange(2, 30))
        here.keeps(
            at + SECOND, pc, server, vendor, Pace(pulse, lasts), (150, 150), shown=Shown(turns)
        )

    def down(at: int) -> None:
        for pc in pcs:
            begun = at + dice.count(1, 60) * SECOND
            for number in range(dice.count(2, 40)):
                here.refused(begun + number * 15 * SECOND, pc, server, vendor)

    pcs = here.pcs(0.2, 0.8)
    for pc in pcs:
        here.every(partial(draw, pc=pc), dice.wide(0.7, 9) * HOUR, 1, _OFFICE_HOURS)
    here.every(down, dice.wide(1, 20) * DAY, 1)


def green_screens(here: Premises) -> None:
    """Clerks work on a machine of another age by telnet: keystrokes and screens all day, inside or over the branch's line."""
    dice = here.dice
    host = here.adds("midrange", Kind.APPLIANCE) if dice.chance(0.6) else here.elsewhere()
    port = dice.choice((23, 23, 23, 992, 2023, 3270))
    waits = dice.uniform(0, 0.3)
    printer = here.cast.printer or here.adds("lineprinter")
    prints = host if isinstance(host, Device) else here.server()

    def clerk(at: int, pc: Device) -> None:
        lasts = here.holds(5 * MINUTE, 8 * HOUR)
        gap = int(dice.wide(2, 90) * SECOND)
        moved = dice.count(12, 90), dice.count(90, 1_900)
        turns = Talk(2 * lasts // gap, *moved, dice.randrange(10, 50), dice.randrange(80, 300))
        said = Shown(turns, speech=Speech.TLS if port == 992 else _TELNET, resp_first=port != 992)
        here.keeps(at, pc, host, port, Pace(gap, lasts), moved, shown=said)
        if dice.chance(waits):  # signed off for doing nothing, and on again
            here.call(
                at + lasts, pc, host, port, (200, 1_900), 20 * SECOND, said._replace(talk=None)
            )

    def print_out(at: int) -> None:
        # The old machine opens the connection to the printer, not the clerk's PC.
        for _ in range(dice.count(1, 20)):
            here.call(at, prints, printer, 515, (dice.size(20_000), 3), 2 * SECOND)
            at += dice.count(2, 60) * SECOND

    for pc in here.pcs(0.2, 1.0):
        here.every(partial(clerk, pc=pc), dice.wide(1, 9) * HOUR, 1, _OFFICE_HOURS)
    here.every(print_out, dice.wide(0.3, 12) * HOUR, 1, _OFFICE_HOURS)


def serial_boxes(here: Premises) -> None:
    """Boxes that carry serial lines (scales, readers, meters): a program holds each open, and opens it again when it fails."""
    dice = here.dice
    asks = dice.choice([here.server(), here.pc()])
    port = dice.choice((4001, 966, 950, 10001, 2101, 23, 8000, 7001))
    gap = int(dice.wide(0.2, 120) * SECOND)
    up, down = dice.count(2, 60), dice.count(4, 300)

    def hold(at: int, box: Device, lasts: int) -> None:
        if dice.chance(0.2):
            for _ in range(dice.count(2, 200)):
                here.refused(at, asks, box, port)  # the former connection still has the line
                at += dice.count(1, 10) * SECOND
        turns = Talk(2 * lasts // gap, up, down, dice.randrange(50, 100), dice.randrange(2, 120))
        here.keeps(at, asks, box, port, Pace(gap, lasts), (up, down), shown=Shown(turns))

    def search(at: int) -> None:
        here.ledger.unanswered(at, asks.address, here.ledger.inside(255), 4800, UDP)

    for _ in range(dice.count(1, 4)):
        lasts = here.holds(10 * MINUTE, 11 * HOUR)
        here.every(partial(hold, box=here.adds("serial"), lasts=lasts), lasts * 1.15, 0.1)
    here.every(search, dice.wide(0.1, 30) * HOUR, 0.5)


def unix_desks(here: Premises) -> None:
    """Unix machines mount their homes by NFS, ask for ports at 111, and some for names by NIS."""
    dice, server = here.dice, here.server()
    desks = [here.adds("ws", Kind.UNIX) for _ in range(dice.count(1, 5))]
    mount = dice.randrange(20_000, 60_000)
    names = dice.chance(0.3)
    on = switched_on(0, at_night=dice.chance(0.5))
    rate = dice.wide(50, 60_000)

    def ask(at: int, desk: Device) -> None:
        here.datagrams(at, desk, server, 111, (56, 28))
        if names:
            here.datagrams(at + 90_000, desk, server, 800 + dice.randrange(200), (90, 120))
        here.call(at + SECOND, desk, server, mount, (180, 120), 40_000)

    def live(at: int, facts: tuple[Device, int]) -> None:
        desk, lasts = facts
        seconds = lasts // SECOND
        turns = Talk(seconds // 2 + 8, 140, 120, 40, 200)
        moved = int(rate * seconds), int(rate * seconds * dice.wide(0.1, 30))
        here.call(at, desk, server, 2049, moved, lasts, Shown(turns))

    for desk in desks:
        lasts = here.holds(HOUR, 9 * HOUR)
        here.every(partial(ask, desk=desk), dice.wide(2, 200) * MINUTE, 0.3, on)
        here.every(partial(live, facts=(desk, lasts)), lasts * 1.005, 0, on)


def old_windows(here: Premises) -> None:
    """A machine of 2005 steers something dear: it cries elections and names, asks dead servers, and shares by SMB without Kerberos."""
    dice = here.dice
    old, everyone = here.adds("instrument-pc", Kind.WINDOWS), here.ledger.inside(255)
    dead = [here.bare() for _ in range(dice.count(1, 6))]
    reader = here.pc()
    names = ("workgroup", "msbrowse", old.name, "wpad")

    def cry(at: int) -> None:
        for name in dice.sample(names, dice.count(1, len(names))):
            row = (at, old.address, everyone, 137, name, 32, 1, NO_ANSWER, 0, 0)
            here.ledger.written.append((at, DNS, row))
            here.ledger.unanswered(at, old.address, everyone, 137, UDP)
            at += 750_000
        for number in range(dice.count(1, 8)):
            here.ledger.unanswered(at + number * SECOND, old.address, everyone, 138, UDP)

    def update(at: int) -> None:
        for address in dead:
            for number in range(dice.count(1, 4)):
                here.silence(
                    at + number * 20 * SECOND, old, address, dice.choice((80, 80, 443, 123))
                )
        at = here.ledger.ask(at, old, "time.old.example", 1, 3, 0)
        here.ledger.ask(at, old, "wpad", 1, 3, 0)

    def fetch(at: int) -> None:
        count = dice.count(1, 900)
        volume = count * dice.count(9_000, 4_000_000)
        told = [*session(9_000, AuthMethod.NTLM, "lab"), tree(20_000, ShareKind.OTHER)]
        told.append(
            files(
                SECOND,
                creates=count,
                reads=(count, volume),
                changes=(0, count if dice.chance(0.4) else 0),
            )
        )
        port = dice.choice((139, 445))
        here.call(
            at,
            reader,
            old,
            port,
            (volume // 60, volume),
            2 * SECOND + volume // 9,
            Shown(counted=tuple(told)),
        )

    here.every(cry, dice.wide(1, 15) * MINUTE, 0.2)
    here.every(update, dice.wide(1, 24) * HOUR, 0.1)
    here.every(
        fetch,
        dice.wide(0.1, 12) * HOUR,
        dice.choice((0.02, 1)),
        dice.choice((always, _OFFICE_HOURS)),
    )


def faxes(here: Premises) -> None:
    """A fax over the internet: signalling, then minutes of even datagrams to an address nobody named; again when it fails."""
    dice = here.dice
    fax, provider = here.adds("fax"), here.home(0.4)
    sends = here.server()
    tries = dice.uniform(0.02, 0.5)
    register = dice.choice((60, 180, 300, 600, 3_600)) * SECOND

    def register_it(at: int) -> None:
        here.datagrams(at, fax, provider, 5060, (1_100, 900))

    def page(at: int) -> None:
        for _ in range(1 + dice.chance(tries) * dice.count(1, 8)):
            lasts = int(dice.wide(15, 400) * SECOND)
            seconds = lasts // SECOND
            here.datagrams(at, fax, provider, 5060, (3_000, 2_600), 3 * SECOND)
            rate = dice.choice((1_800, 8_600))  # T.38, or sound as it is
            moved = (
                (rate * seconds, 90 * seconds)
                if dice.chance(0.5)
                else (rate * seconds, rate * seconds)
            )
            here.datagrams(
                at + SECOND, fax, here.bare(), dice.randrange(6_000, 40_000), moved, lasts
            )
            at += lasts + dice.count(60, 600) * SECOND

    def from_server(at: int) -> None:
        here.call(
            at, sends, fax, dice.choice((4559, 9100, 1034)), (dice.size(60_000), 900), 5 * SECOND
        )
        page(at + 6 * SECOND)

    here.every(register_it, max(register, 20 * SECOND), 0.02)
    here.every(page, dice.wide(0.3, 30) * HOUR, 1)
    here.every(from_server, dice.wide(0.5, 60) * HOUR, 1, between(8, 18, weekends=False))


def dial_in(here: Premises) -> None:
    """A supplier of a machine comes in through the router's tunnel once in a while: from an address of no network here."""
    dice = here.dice
    machine, supplier = here.adds("panel", Kind.WINDOWS), here.elsewhere()
    ports = dice.some((102, 502, 5900, 44818, 1217, 4840, 80, 11740), 0.2, 0.6)
    orders = here.server()

    def come(at: int) -> None:
        for port in ports:
            lasts = int(dice.wide(1, 120) * MINUTE)
            seconds = lasts // SECOND
            here.ledger.flow(at, Call(supplier, machine.address, port), up=dice.size(200) * seconds,
                             down=dice.size(2_000) * seconds, last_us=lasts)  # fmt: skip
            at += dice.count(1, 200) * SECOND
        if dice.chance(0.2):
            here.ledger.refused(at, supplier, machine.address, dice.choice((22, 21, 8080)))

    def fetch(at: int) -> None:
        told = (*session(9_000, AuthMethod.NTLM, "panel"), tree(20_000, ShareKind.OTHER))
        here.call(at, machine, orders, 445, (4_000, 30_000), SECOND, Shown(counted=told))

    for moment in here.moments(1, 4):
        here.once(come, moment)
    here.every(fetch, dice.wide(0.1, 20) * HOUR, 0.3, between(7, 17))


def desk_shares(here: Premises) -> None:
    """No server at all: one colleague's PC has the files, the others write to it, and it sleeps now and then."""
    dice, keeper = here.dice, here.pc()
    others = [pc for pc in here.pcs(0.5, 1.0) if pc is not keeper] or [
        here.adds("laptop", Kind.WINDOWS)
    ]
    sleeps = dice.uniform(0, 0.5)

    def work(at: int, pc: Device) -> None:
        if dice.chance(sleeps):
            here.seeks(at, pc, keeper.address, 3)
            return
        count = dice.count(1, 60)
        volume = count * dice.count(9_000, 2_000_000)
        told = [*session(9_000, AuthMethod.NTLM, pc.name), tree(20_000, ShareKind.OTHER)]
        told.append(files(SECOND, creates=count * 3, reads=(count, volume // 2), writes=(count, volume // 2),
                          changes=(dice.count(1, count), dice.count(1, count))))  # fmt: skip
        here.call(
            at,
            pc,
            keeper,
            445,
            (volume // 2, volume // 2),
            int(dice.wide(2, 600) * SECOND),
            Shown(counted=tuple(told)),
        )

    for pc in others:
        here.every(partial(work, pc=pc), dice.wide(3, 90) * MINUTE, 1, _OFFICE_HOURS)
    here.every(lambda at: here.call(at, others[0], keeper, 5357, (800, 2_000), SECOND, Shown(speech=Speech.HTTP)),
               dice.wide(10, 300) * MINUTE, 0.2, _OFFICE_HOURS)  # fmt: skip

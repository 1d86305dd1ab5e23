"""Doctors, dentists, vets, pharmacies, care: pictures, results, cards, bedsides and dispensers."""

from __future__ import annotations

from functools import partial
from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk
from dijkwacht_lab.traffic.habit import between, usually
from dijkwacht_lab.traffic.habits.premises import Over, Pace, Premises
from dijkwacht_lab.traffic.programs import BACKUP, TLS_1_2, program, unnamed
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, TCP, UDP, Call, Device, Kind
from dijkwacht_records.hints import Speech
from dijkwacht_records.vocabulary import Alpn

_CARDS: Final = program("a card terminal", Alpn.NONE, TLS_1_2, 4742)
_PRACTICE: Final = unnamed(
    program("a practice's program", Alpn.NONE, TLS_1_2), "a practice's program"
)
_MB: Final = 1_000_000


def pictures(here: Premises) -> None:
    """DICOM: an apparatus asks for its worklist and an echo, and sends studies; the archive sends them on at night."""
    dice, archive = here.dice, here.server()
    port = dice.choice((104, 104, 11112, 4242, dice.randrange(2_000, 12_000)))
    hospital = here.elsewhere() if dice.chance(0.5) else here.bare()
    size = dice.wide(0.3, 400) * _MB
    opens = between(8, 18, weekends=False)

    def look(at: int, apparatus: Device) -> None:
        here.call(at, apparatus, archive, port, (900, dice.size(4_000, 0.5)), 300_000)
        if dice.chance(0.2):
            here.call(at + SECOND, apparatus, archive, port, (420, 300), 90_000)

    def send(at: int, apparatus: Device) -> None:
        for _ in range(dice.count(1, 6)):
            volume = dice.size(size, 0.7)
            turns = Talk(2 * (volume // 16_000 + 2), 16_000, 90, 50, 60)
            lasts = SECOND + volume // dice.count(5, 90)
            here.call(at, apparatus, archive, port, (volume, volume // 150), lasts, Shown(turns))
            at += lasts + dice.count(1, 90) * SECOND

    def send_on(at: int) -> None:
        for _ in range(dice.count(1, 40)):
            volume = dice.size(size, 0.7)
            here.call(at, archive, hospital, port, (volume, volume // 150), SECOND + volume // 3)
            at += dice.count(2, 400) * SECOND

    for _ in range(dice.count(1, 3)):
        apparatus = here.adds("xray")
        here.every(partial(look, apparatus=apparatus), dice.wide(0.3, 20) * MINUTE, 0.02, opens)
        here.every(partial(send, apparatus=apparatus), dice.wide(5, 180) * MINUTE, 1, opens)
    here.every(send_on, DAY, 0.005, usually)


def results(here: Premises) -> None:
    """HL7: analysers keep a connection with the practice's server; when it is not up they knock every few seconds."""
    dice, server = here.dice, here.server()
    port = dice.choice((2575, 6661, 1200, 4000, dice.randrange(2_000, 30_000)))
    gap = dice.wide(5, 120) * SECOND

    def keep(at: int, machine: Device, lasts: int) -> None:
        if dice.chance(0.15):
            for _ in range(dice.count(5, 120)):
                here.refused(at, machine, server, port)
                at += int(gap)
        up = dice.count(200, 6_000)
        beat = int(dice.wide(15, 900) * SECOND)
        shown = Shown(Talk(2 * lasts // beat, up, 90, dice.randrange(20, 90), 140))
        here.keeps(at, machine, server, port, Pace(beat, lasts), (up, 90), shown=shown)

    for _ in range(dice.count(1, 4)):
        lasts = here.holds(HOUR, 10 * HOUR)
        keep_it = partial(keep, machine=here.adds("analyser"), lasts=lasts)
        here.every(keep_it, lasts * 1.05, 0.02)


def cards(here: Premises) -> None:
    """A connector for health cards: terminals cry for it, it asks them over TLS, and it calls PCs back with events."""
    dice = here.dice
    box, home = here.adds("connector", Kind.UNIX), here.bare()
    terminals = [here.adds("reader") for _ in range(dice.count(1, 5))]
    pcs = here.pcs(0.2, 0.8)
    events = dice.randrange(10_000, 60_000)
    lasts = here.holds()
    opens = between(7, 19, weekends=False)

    def cry(at: int, terminal: Device) -> None:
        here.ledger.unanswered(at, terminal.address, here.ledger.inside(255), 4742, UDP)

    def command(at: int, terminal: Device) -> None:
        gap = int(dice.wide(10, 120) * SECOND)
        said = Over(
            _CARDS,
            Shown(Talk(2 * lasts // gap, 90, 60, dice.randrange(30, 95), 90), speech=Speech.TLS),
        )
        here.keeps(at, box, terminal, 4742, Pace(gap, lasts), (90, 60), shown=said)

    def patient(at: int) -> None:
        pc = dice.choice(pcs)
        for _ in range(dice.count(1, 10)):
            here.call(at, pc, box, dice.choice((443, 443, 8443)), (3_000, 9_000), SECOND, _PRACTICE)
            at += dice.count(100_000, 3_000_000)
        if dice.chance(0.2):
            here.silence(at, box, dice.choice(pcs), events)  # the program there is not open
        else:
            here.call(at, box, pc, events, (900, 0), 200_000)

    for terminal in terminals:
        here.every(partial(cry, terminal=terminal), dice.wide(10, 600) * SECOND, 0.02)
        here.every(partial(command, terminal=terminal), lasts * 1.01, 0)
    here.every(patient, dice.wide(2, 40) * MINUTE, 1, opens)
    here.every(lambda at: here.keeps(at, box, home, 4500, Pace(20 * SECOND, lasts, UDP), (900, 1_400)),
               lasts * 1.001, 0)  # fmt: skip


def bedsides(here: Premises) -> None:
    """Nurse calls and monitors send to a central screen several times a second, for as long as somebody lies there."""
    dice, centre = here.dice, here.adds("central")
    port = dice.randrange(2_000, 60_000)
    gap, size = int(dice.wide(0.1, 4) * SECOND), dice.count(40, 1_400)
    answers = dice.chance(0.4)
    everyone = here.ledger.inside(255) if dice.chance(0.4) else None

    def watch(at: int, bed: Device) -> None:
        lasts = here.holds(10 * MINUTE, 9 * HOUR)
        if answers:
            here.keeps(at, bed, centre, port, Pace(gap, lasts, UDP), (size, 24))
        else:
            here.pours(at, bed, centre.address, port, Pace(gap, lasts), size)

    def cry(at: int, bed: Device) -> None:
        if everyone is not None:
            here.ledger.unanswered(at, bed.address, everyone, port, UDP)
        else:
            here.datagrams(at, bed, centre, port + 1, (30, 30))

    for _ in range(dice.count(1, 8)):
        bed = here.adds("bed")
        here.every(partial(watch, bed=bed), dice.wide(1, 18) * HOUR, 1)
        here.every(partial(cry, bed=bed), dice.wide(15, 300) * SECOND, 0.02)


def dispenser(here: Premises) -> None:
    """A pharmacy's robot and its program: alive? every few seconds in one connection, the whole stock at night."""
    dice = here.dice
    robot, asks = here.adds("picker", Kind.WINDOWS), here.server()
    port = dice.choice((6050, 6050, 4711, dice.randrange(2_000, 20_000)))
    gap, lasts = int(dice.wide(1, 40) * SECOND), here.holds(HOUR, 9 * HOUR)
    stock = int(dice.wide(0.1, 9) * _MB)

    def keep(at: int) -> None:
        turns = Talk(2 * lasts // gap, 190, 210, dice.randrange(60, 98), dice.randrange(3, 50))
        shown = Shown(turns, speech=Speech.TEXT)
        here.keeps(at, asks, robot, port, Pace(gap, lasts), (200, 230), shown=shown)

    def count(at: int) -> None:
        here.call(at, asks, robot, port, (400, stock), 30 * SECOND, Shown(speech=Speech.TEXT))

    def served(at: int) -> None:
        for _ in range(dice.count(1, 6)):
            here.call(at, here.pc(), asks, 8080, (900, 1_200))
            at += dice.count(1, 9) * SECOND

    here.every(keep, lasts * 1.002, 0)
    here.every(count, DAY, 0.0)
    here.every(served, dice.wide(1, 20) * MINUTE, 1, between(8, 18))


def letters(here: Premises) -> None:
    """A practice looks for letters and laboratory files in an SFTP or mail box every few minutes, nearly always in vain."""
    dice, server = here.dice, here.server()
    where = here.home(0.4)
    port = dice.choice((22, 22, 2222, 995, 443))
    period = dice.choice((1, 2, 5, 5, 10, 15, 30)) * MINUTE

    def look(at: int) -> None:
        found = dice.chance(0.1)
        down = dice.size(60_000, 1.4) if found else dice.count(2_400, 2_600)
        said = Over(
            BACKUP if port == 443 else None,
            Shown(speech=Speech.SSH if port != 443 else Speech.NOTHING),
        )
        if port == 995:
            said = Over(BACKUP, Shown(speech=Speech.TLS))
        here.call(at, server, where, port, (2_900, down), 2 * SECOND, said)

    def inbound(at: int) -> None:
        # The laboratory's own program comes in through its tunnel, whose addresses are its own.
        laboratory = here.elsewhere()
        for _ in range(dice.count(1, 20)):
            here.ledger.flow(at, Call(laboratory, server.address, 2575, TCP), up=dice.size(3_000),
                             down=120, last_us=400_000)  # fmt: skip
            at += dice.count(1, 60) * SECOND

    here.every(look, period, 0.003)
    if dice.chance(0.3):
        here.every(inbound, dice.wide(1, 24) * HOUR, 0.3, between(7, 20))

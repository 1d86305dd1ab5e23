"""Paper: printers watched, printed to, scanned from."""

from __future__ import annotations

from dijkwacht_lab.traffic.facts import Shown, calls, files, session, tree
from dijkwacht_lab.traffic.habit import between, switched_on
from dijkwacht_lab.traffic.habits.premises import Premises
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, UDP, Device
from dijkwacht_records.hints import Speech
from dijkwacht_records.rpc_interfaces import RpcInterface
from dijkwacht_records.vocabulary import AuthMethod, ShareKind


def printer_watch(here: Premises) -> None:
    """Every PC asks every printer for paper and toner, by SNMP and WSD; one printer was given away."""
    dice = here.dice
    printers = [here.cast.printer or here.adds("printer")]
    printers += [here.adds("printer") for _ in range(dice.count(1, 4) - 1)]
    gone = [here.dark() for _ in range(dice.count(1, 3))]
    port = dice.choice((161, 161, 5357, 80, 631, 3911))
    period = dice.wide(10, 900) * SECOND
    for pc in here.pcs():

        def watch(at: int, pc: Device = pc) -> None:
            for printer in printers:
                if port == 161:
                    here.datagrams(at, pc, printer, port, (85, 92))
                else:
                    here.call(
                        at, pc, printer, port, (700, 2_400), 60_000, Shown(speech=Speech.HTTP)
                    )
            for address in gone:
                here.seeks(at, pc, address, dice.count(1, 3))

        here.every(watch, period, 0.1, switched_on(0, at_night=dice.chance(0.2)))


def print_server(here: Premises) -> None:
    """PCs print through a server: printers listed and opened; a PC that lacks a driver fetches it there.

    It asks which files the driver has, reads them from the server, and adds the driver at home: to add
    one at the server takes rights over it, and is its administrator's doing.
    """
    dice, server = here.dice, here.server()
    fetched = dice.uniform(0, 0.05)

    def paper(at: int) -> None:
        pc = here.pc()
        ops = [1, 69, 8, 26, 78, 17, 19, 23, 29, 35]
        lacks = dice.chance(fetched)
        told = [*session(9_000, AuthMethod.KERBEROS, ""), tree(15_000, ShareKind.IPC),
                *calls(30_000, RpcInterface.SPOOLSS, *dice.some(ops, 0.5, 1), *((11, 53) if lacks else ()))]  # fmt: skip
        if lacks:
            size = dice.size(9_000_000)
            told += [
                tree(40_000, ShareKind.PRINTER),
                files(90_000, ShareKind.PRINTER, creates=dice.count(4, 60), reads=(size // 60_000 + 1, size)),
            ]  # fmt: skip
        here.call(at, pc, server, 445, (dice.size(400_000), 90_000), dice.count(1, 60) * SECOND,
                  Shown(counted=tuple(told)))  # fmt: skip

    here.every(paper, dice.wide(1, 60) * MINUTE / here.rate, 1, between(8, 18, weekends=False))


def scans_to_folders(here: Premises) -> None:
    """The copier writes what it scanned into a folder of somebody's PC, or of the server."""
    dice = here.dice
    copier = here.cast.printer or here.adds("copier")
    folders = [*here.pcs(0.3), here.server()]
    asleep = dice.uniform(0, 0.3)

    def scan(at: int) -> None:
        folder = dice.choice(folders)
        if dice.chance(asleep):
            for number in range(3):
                here.silence(at + number * 10 * SECOND, copier, folder, 445)
            return
        size = dice.size(3_000_000)
        told = (*session(9_000, AuthMethod.NTLM, "scans"), tree(15_000, ShareKind.OTHER),
                files(SECOND, creates=2, writes=(size // 60_000 + 1, size)))  # fmt: skip
        here.call(
            at, copier, folder, 445, (size, 9_000), dice.count(2, 40) * SECOND, Shown(counted=told)
        )

    here.every(scan, dice.wide(4, 400) * MINUTE, 1, between(8, 18, weekends=False))


def scans_by_mail(here: Premises) -> None:
    """The copier mails what it scanned, without TLS, through a mail server outside."""
    dice = here.dice
    copier, place = here.adds("copier"), here.place()
    port = dice.choice((25, 587, 465))
    middle = dice.wide(2e5, 2e7)

    def scan(at: int) -> None:
        here.call(at, copier, place, port, (dice.size(middle), 1_200), dice.count(2, 90) * SECOND)

    here.every(scan, dice.wide(8, 900) * MINUTE, 1, between(8, 18, weekends=False))


def toner_reports(here: Premises) -> None:
    """Printers tell their maker or lessor what was printed, each at its minute of the day or hour."""
    dice = here.dice
    collector, home = here.server(), here.home(0.4)
    port = dice.choice((443, 80, 8080, 50002))
    printers = [here.adds("printer") for _ in range(dice.count(1, 5))]
    dark = dice.count(10, 250)

    def report(at: int) -> None:
        for printer in printers:
            here.datagrams(at, collector, printer, 161, (85 * 60, 92 * 60), 3 * SECOND)
        here.call(
            at,
            collector,
            home,
            port,
            (dice.size(9_000, 0.1), 700),
            SECOND,
            Shown(speech=Speech.HTTP),
        )

    def discover(at: int) -> None:
        for number in range(1, dark):
            here.seeks(at + number * 50_000, collector, here.ledger.inside(number), 1)
            here.ledger.unanswered(at, collector.address, here.ledger.inside(255), 161, UDP)

    here.every(report, dice.wide(0.1, 24) * HOUR, 0.002)
    here.every(discover, DAY, 0.02)


def scans_called_for(here: Premises) -> None:
    """Somebody opens the copier's page; the copier then calls the program on the PC that is to take the scan."""
    dice = here.dice
    copier = here.cast.printer or here.adds("copier")
    port = dice.choice((80, 443, 631, 8080))
    back = dice.choice((54_921, 9_220, 1_865, 2_968, 50_100, dice.randrange(1_025, 65_000)))
    speech = dice.choice((Speech.BYTES, Speech.BYTES, Speech.HTTP))

    def scan(at: int) -> None:
        pc = here.pc()
        here.call(at, pc, copier, port, (900, 14_000), SECOND)
        at += dice.count(1, 80) * SECOND
        here.call(at, copier, pc, back, (dice.size(900_000), 2_000), dice.count(2, 40) * SECOND,
                  Shown(speech=speech))  # fmt: skip

    here.every(scan, dice.wide(10, 600) * MINUTE, 1, between(8, 18, weekends=False))

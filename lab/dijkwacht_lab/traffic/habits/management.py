"""Management from afar: inventories, installers, agents that serve a technician."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.facts import Counted, Shown, Talk, calls, files, sealed, session, tree
from dijkwacht_lab.traffic.habit import switched_on, usually
from dijkwacht_lab.traffic.habits.premises import Over, Pace, Premises
from dijkwacht_lab.traffic.programs import program
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, Device
from dijkwacht_records.hints import Speech
from dijkwacht_records.rpc_interfaces import RpcInterface as I
from dijkwacht_records.vocabulary import Alpn, AuthMethod, RpcVia, ShareKind

_AGENT: Final = program("a manager's agent", Alpn.HTTP_1_1)


def inventory(here: Premises) -> None:
    """A server lists hardware and programs of every PC by WMI, and finds machines by asking all addresses."""
    dice, server = here.dice, here.server()
    pcs = here.pcs(0.6)
    queries = dice.count(3, 80)
    sweeps = dice.chance(0.7)
    opens = dice.chance(0.5)
    gap = int(dice.wide(0.05, 60) * SECOND)

    def collect(at: int) -> None:
        alive = {device.address: device for device in here.everyone()}
        for number in range(1, 255 if sweeps else 1):
            at += gap // 20
            device = alive.get(here.ledger.inside(number))
            if device is None:
                here.seeks(at, server, here.ledger.inside(number), 1)
            else:
                here.refused(at, server, device, dice.choice((135, 445, 22, 161, 443)))
        for pc in pcs:
            at += gap
            if dice.chance(0.2):
                here.silence(at, server, pc, 135)
                continue
            _asks_windows(here, at, server, pc, queries)
            if opens:
                _opens_drives(here, at + SECOND, server, pc)

    here.every(collect, dice.wide(4, 48) * HOUR, 0.05)


def nightly_service(here: Premises) -> None:
    """A management tool starts its service on every PC each night, through the administrative share."""
    dice, server = here.dice, here.server()
    pcs = here.pcs(0.5)
    brings = dice.chance(0.6)
    removes = dice.chance(0.6)
    gap = int(dice.wide(0.1, 300) * SECOND)

    def start(at: int) -> None:
        for pc in pcs:
            at += gap
            told: list[Counted] = [
                *session(9_000, AuthMethod.KERBEROS, ""),
                tree(15_000, ShareKind.ADMIN),
            ]
            if brings:
                told.append(files(30_000, ShareKind.ADMIN, creates=2, writes=(12, 700_000)))
            ops = (15, 12, 19, 6) if brings else (15, 16, 19, 6)
            told += calls(60_000, I.SVCCTL, *ops, *((2,) if removes else ()), 0)
            up = 720_000 if brings else 9_000
            here.call(
                at,
                server,
                pc,
                445,
                (up, 12_000),
                dice.count(1, 40) * SECOND,
                Shown(counted=tuple(told)),
            )

    here.every(start, DAY, 0.005, usually)


def tasks_spread(here: Premises) -> None:
    """An administrator's script registers a task on all PCs, or sets a value of their registry."""
    dice, server = here.dice, here.server()
    pcs = here.pcs(0.3)
    how = dice.choice((calls(40_000, I.TASKS, 0, 1, 12, 13), calls(40_000, I.WINREG, 2, 15, 22, 5),
                       calls(40_000, I.WINREG, 2, 15, 17, 5), calls(40_000, I.EVENTLOG, 7, 10, 2)))  # fmt: skip

    def spread(at: int) -> None:
        for pc in pcs:
            at += dice.count(1, 90) * SECOND
            told = (*session(9_000, AuthMethod.NTLM, "admin"), tree(15_000, ShareKind.IPC), *how)
            here.call(at, server, pc, 445, (6_000, 5_000), 2 * SECOND, Shown(counted=told))

    here.every(spread, dice.wide(1, 10) * DAY, 0.2, switched_on(0, at_night=True))


def shares_listed(here: Premises) -> None:
    """A program asks every PC who is in session and what it shares, a dozen times a day."""
    dice, server = here.dice, here.server()
    pcs = here.pcs(0.6)
    ops = dice.choice(((12,), (15, 21), (12, 15, 21), (16,)))
    also = dice.choice(((), calls(70_000, I.SAMR, 64, 6, 5, 7, 13, 1), calls(70_000, I.LSARPC, 44, 15, 0),
                        calls(70_000, I.WKSSVC, 0, 2)))  # fmt: skip

    def ask(at: int) -> None:
        for pc in pcs:
            at += dice.count(50_000, 9_000_000)
            told = (*session(9_000, AuthMethod.KERBEROS, ""), tree(15_000, ShareKind.IPC),
                    *calls(30_000, I.SRVSVC, *ops), *also)  # fmt: skip
            here.call(at, server, pc, 445, (5_000, 6_000), SECOND // 2, Shown(counted=told))

    here.every(ask, dice.wide(0.5, 24) * HOUR, 0.1)


def deep_inventory(here: Premises) -> None:
    """A program asks every PC for all that it can: registry, services, sessions, shares, accounts, offers."""
    dice = here.dice
    asker = dice.choice((here.server(), here.adds("inventory"), here.pc()))
    pcs = here.pcs(0.6)
    told: list[Counted] = [
        *session(9_000, AuthMethod.NTLM, "inventory"),
        tree(15_000, ShareKind.IPC),
    ]
    for iface, ops in (
        (I.WINREG, (2, 15, 16, 17, 9, 10, 5)), (I.SVCCTL, (15, 16, 14, 17, 42, 6, 0)), (I.SRVSVC, (12, 15, 21, 9)),
        (I.WKSSVC, (0, 2)), (I.SAMR, (64, 6, 5, 7, 13, 15, 33, 34, 36, 1)), (I.LSARPC, (44, 15, 57, 0)),
    ):  # fmt: skip
        if dice.chance(0.5):
            told += calls(30_000, iface, *dice.some(ops, 0.8, 1))
    offers = dice.count(1, 400) if dice.chance(0.2) else 0

    def ask(at: int) -> None:
        for pc in pcs:
            at += dice.count(1, 60) * SECOND
            here.call(at, asker, pc, 445, (9_000, 20_000), 2 * SECOND, Shown(counted=tuple(told)))
            if offers:
                here.call(at + SECOND, asker, pc, 135, (60 * offers, 190 * offers), SECOND,
                          Shown(counted=calls(30_000, I.EPM, *(2,) * offers, via=RpcVia.TCP)))  # fmt: skip

    here.every(ask, dice.wide(2, 72) * HOUR, 0.05)


def powershell_polled(here: Premises) -> None:
    """A console or a monitor runs commands by PowerShell on the servers, over and over."""
    dice = here.dice
    console = dice.choice((here.pc(), here.server()))
    served = [here.adds("host") for _ in range(dice.count(1, 5))]
    commands = dice.count(2, 20)
    port = dice.choice((5985, 5985, 5986))

    def poll(at: int) -> None:
        for host in served:
            at += dice.count(1, 9) * SECOND
            talk = Talk(2 * commands, 2_300, 1_400, dice.randrange(5, 60), 120)
            here.call(
                at,
                console,
                host,
                port,
                (2_600 * commands, 1_900 * commands),
                commands * SECOND,
                Shown(talk),
            )

    here.every(poll, dice.wide(1, 120) * MINUTE, 0.05)


def stores_mirrored(here: Premises) -> None:
    """Two servers keep copies of each other's shares, encrypted or not: each visits the other at the same times."""
    dice, first = here.dice, here.server()
    second = here.adds("store")
    is_sealed = dice.chance(0.6)
    apart = int(dice.wide(0.05, 600) * SECOND)

    def copy(at: int) -> None:
        for one, other in ((first, second), (second, first)):
            told = list(session(9_000, AuthMethod.KERBEROS, ""))
            told.append(
                sealed(60_000, dice.count(4, 900))
                if is_sealed
                else files(60_000, creates=40, reads=(90, 4_000_000), writes=(9, 90_000))
            )
            here.call(
                at, one, other, 445, (60_000, 4_100_000), 9 * SECOND, Shown(counted=tuple(told))
            )
            at += apart

    here.every(copy, dice.wide(2, 1_440) * MINUTE, 0.05)


def technicians_agent(here: Premises) -> None:
    """The agent of a technician's service: a pulse to a named or bare machine, day and night."""
    dice = here.dice
    home = here.home(0.4)
    port = dice.choice((443, 443, 80, 8040, 8041, 5721, 5938, 8443, 4505, 4506))
    gap = int(dice.wide(5, 250) * SECOND)
    lasts = here.holds(HOUR, 12 * HOUR)
    up, down = dice.count(10, 400), dice.count(10, 400)
    tls = port == 443
    for device in dice.some([*here.pcs(0.5), here.server()], 0.4):

        def pulse(at: int, device: Device = device) -> None:
            talk = Talk(2 * lasts // gap, up, down, dice.randrange(60, 100), dice.randrange(1, 30))
            here.keeps(at, device, home, port, Pace(gap, lasts), (up, down), shown=Over(_AGENT if tls else None, Shown(talk)))  # fmt: skip

        here.every(pulse, lasts * 1.01, 0.005)


def state_enforced(here: Premises) -> None:
    """One machine logs in to all servers and things by SSH every half hour, to see that they are as they should be."""
    dice = here.dice
    master = here.server()
    served = [here.adds("host") for _ in range(dice.count(2, 25))]
    commands = dice.count(2, 60)
    gone = dice.chance(0.4)

    def enforce(at: int) -> None:
        for number, host in enumerate(served):
            at += dice.count(20_000, 4_000_000)
            if gone and number == 0:
                here.silence(at, master, host, 22)
                continue
            talk = Talk(8 + 2 * commands, 90, 120, dice.randrange(20, 60), 120)
            here.call(at, master, host, 22, (3_000 + 400 * commands, 2_500 + 900 * commands),
                      commands * SECOND, Shown(talk))  # fmt: skip

    here.every(enforce, dice.wide(5, 240) * MINUTE, 0.02)


def _asks_windows(here: Premises, at: int, server: Device, pc: Device, queries: int) -> None:
    """DCOM first, then WMI queries at a port that the endpoint mapper gave."""
    tcp = RpcVia.TCP
    here.call(at, server, pc, 135, (900, 1_100), 90_000,
              Shown(counted=(*calls(20_000, I.OXID, 5, via=tcp), *calls(40_000, I.DCOM, 4, via=tcp))))  # fmt: skip
    told = [*calls(30_000, I.WMI_LOGIN, 6, 3, via=tcp), *calls(60_000, I.WMI, *(20,) * queries, via=tcp),
            *calls(90_000, I.DCOM_OBJECT, 5, via=tcp)]  # fmt: skip
    here.call(at + 200_000, server, pc, here.dice.randrange(49_664, 49_700),
              (900 * queries, 9_000 * queries), queries * SECOND // 4, Shown(counted=tuple(told)))  # fmt: skip


def _opens_drives(here: Premises, at: int, server: Device, pc: Device) -> None:
    told = (*session(9_000, AuthMethod.KERBEROS, ""), tree(15_000, ShareKind.ADMIN), tree(18_000, ShareKind.DRIVE),
            *calls(30_000, I.WINREG, 2, 15, 17, 9, 5), files(80_000, ShareKind.DRIVE, creates=9, reads=(9, 90_000)))  # fmt: skip
    here.call(at, server, pc, 445, (9_000, 99_000), 3 * SECOND, Shown(counted=told))


def program_pushed(here: Premises) -> None:
    """A server puts a program on PCs through their administrative shares; the program then calls the server."""
    dice, server = here.dice, here.server()
    back = dice.choice((8_530, 2_222, 13_000, 10_123, 8_081, dice.randrange(1_025, 65_000)))
    speech = dice.choice((Speech.TLS, Speech.BYTES, Speech.HTTP, Speech.TEXT))

    def push(at: int) -> None:
        for pc in here.pcs():
            size = dice.size(30_000_000)
            told = (*session(9_000, AuthMethod.KERBEROS, ""), tree(20_000, ShareKind.ADMIN),
                    files(SECOND, ShareKind.ADMIN, creates=4, writes=(size // 60_000 + 1, size)),
                    *calls(3 * SECOND, I.SVCCTL, 15, 12, 19))  # fmt: skip
            here.call(at, server, pc, 445, (size, 20_000), 9 * SECOND, Shown(counted=told))
            here.call(at + dice.count(10, 58) * SECOND, pc, server, back, (4_000, 9_000), 5 * SECOND,
                      Shown(speech=speech))  # fmt: skip
            at += dice.count(1, 100) * SECOND

    for moment in here.moments(1, 3):
        here.once(push, moment)

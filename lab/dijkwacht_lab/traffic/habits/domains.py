"""Signing in to a Windows domain, and what its controllers do among themselves."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.facts import Shown, calls, files, log_in, session, tree
from dijkwacht_lab.traffic.habit import between, switched_on
from dijkwacht_lab.traffic.habits.premises import Premises
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, UDP, Device
from dijkwacht_records.rpc_interfaces import RpcInterface
from dijkwacht_records.vocabulary import (
    AuthMethod,
    AuthService,
    AuthStatus,
    EtypeClass,
    RpcVia,
    ShareKind,
)

_TCP: Final = RpcVia.TCP


def sign_ins(here: Premises) -> None:
    """PCs sign in: names of services, tickets, the directory, netlogon, policies; once in a while wrongly."""
    dice, server = here.dice, here.controller()
    wrong = dice.uniform(0, 0.15)
    etype = dice.choice((EtypeClass.AES, EtypeClass.AES, EtypeClass.RC4))
    services = dice.count(2, 40)

    def sign_in(at: int) -> None:
        pc = here.pc()
        at = here.ledger.ask(at, pc, "_ldap._tcp.dc._msdcs.office.example", 33)
        here.datagrams(at, pc, server, 389, (220, 190), 3_000)
        steps = [
            AuthStatus.PREAUTH_REQUIRED,
            *[AuthStatus.WRONG_PASSWORD] * (dice.chance(wrong) * 2),
            AuthStatus.NONE,
        ]
        for status in steps:
            told = log_in(
                4_000,
                AuthService.KERBEROS,
                AuthMethod.KERBEROS_AS,
                pc.name,
                etype=etype,
                status=status,
            )
            here.call(at, pc, server, 88, (260, 1_400), 9_000, Shown(counted=(told,)))
            at += 40_000
        for _ in range(dice.count(1, services)):
            told = log_in(4_000, AuthService.KERBEROS, AuthMethod.KERBEROS_TGS, "", etype=etype)
            here.call(at, pc, server, 88, (1_500, 1_500), 9_000, Shown(counted=(told,)))
            at += 15_000
        here.call(at, pc, server, 135, (700, 900), 60_000,
                  Shown(counted=calls(20_000, RpcInterface.EPM, 3, via=_TCP)))  # fmt: skip
        told_rpc = (*calls(30_000, RpcInterface.NETLOGON, 4, 26, 29, 21, via=_TCP),
                    *calls(90_000, RpcInterface.LSARPC, 76, 77, via=_TCP))  # fmt: skip
        here.call(at, pc, server, 49_668, (2_400, 3_100), 2 * SECOND, Shown(counted=told_rpc))
        if dice.chance(0.4):
            here.call(at, pc, server, 49_668, (1_400, 2_100), SECOND,
                      Shown(counted=calls(30_000, RpcInterface.DRSUAPI, 0, 12, 1, via=_TCP)))  # fmt: skip
        _policies(here, at, pc, server)

    here.every(sign_in, dice.wide(3, 120) * MINUTE, 1, switched_on(0, at_night=dice.chance(0.3)))


def policies(here: Premises) -> None:
    """Every PC reads its policies from the domain's share each hour and a half."""
    dice, server = here.dice, here.controller()
    for pc in here.pcs(0.6):

        def read(at: int, pc: Device = pc) -> None:
            _policies(here, at, pc, server)

        here.every(read, 90 * MINUTE, 0.2, switched_on(0, at_night=dice.chance(0.3)))


def second_controller(here: Premises) -> None:
    """Two controllers replicate the directory to each other, every few minutes and whenever it changes."""
    dice, first = here.dice, here.controller()
    second = here.adds("dc")
    period = dice.wide(0.3, 60) * MINUTE
    ops = dice.count(1, 12)

    def replicate(at: int) -> None:
        for one, other in ((first, second), (second, first)):
            told = calls(40_000, RpcInterface.DRSUAPI, 0, *(3,) * ops, via=_TCP)
            here.call(
                at, one, other, 49_667, (2_000 * ops, 9_000 * ops), 2 * SECOND, Shown(counted=told)
            )
            if dice.chance(0.1):
                here.call(at, one, other, 445, (9_000, 90_000), SECOND,
                          Shown(counted=(tree(9_000, ShareKind.DOMAIN), files(90_000, ShareKind.DOMAIN, reads=(9, 90_000)))))  # fmt: skip

    here.every(replicate, period, 0.3)


def cloud_directory(here: Premises) -> None:
    """A server that is no controller copies password hashes from the directory for a cloud, every two minutes."""
    dice, controller = here.dice, here.controller()
    syncs = here.adds("sync")
    ops = dice.count(1, 30)
    place = here.place()
    asks = (*((16,) if dice.chance(0.3) else ()), *((12,) if dice.chance(0.3) else ()))

    def copy(at: int) -> None:
        told = calls(40_000, RpcInterface.DRSUAPI, 0, *asks, *(3,) * ops, 1, via=_TCP)
        here.call(
            at, syncs, controller, 49_667, (900 * ops, 4_000 * ops), SECOND, Shown(counted=told)
        )
        here.call(at + SECOND, syncs, place, 443, (4_000, 3_000), SECOND)

    here.every(copy, dice.choice((2, 2, 30)) * MINUTE, dice.choice((0.005, 0.05)))


def directory_readers(here: Premises) -> None:
    """A program reads accounts and groups of the domain: a copier's address book, a file server's rights."""
    dice, server = here.dice, here.controller()
    readers = [here.adds("reader"), *here.pcs(0.1, 0.4)]
    ops = dice.choice(
        ((64, 6, 5, 7, 17, 34, 1), (64, 5, 7, 13, 1), (64, 5, 7, 19, 25, 1), (64, 5, 7, 11, 40, 1))
    )

    def read(at: int) -> None:
        reader = dice.choice(readers)
        told = (*session(9_000, AuthMethod.NTLM, "reader"), tree(15_000, ShareKind.IPC),
                *calls(30_000, RpcInterface.SAMR, *ops), *calls(90_000, RpcInterface.LSARPC, 44, 15, 57, 0))  # fmt: skip
        here.call(at, reader, server, 445, (9_000, 20_000), 2 * SECOND, Shown(counted=told))
        told_bind = log_in(9_000, AuthService.LDAP, AuthMethod.PASSWORD, "reader")
        here.call(
            at, reader, server, 389, (2_000, dice.size(90_000)), SECOND, Shown(counted=(told_bind,))
        )

    here.every(read, dice.wide(0.1, 24) * HOUR, 0.2)


def trust_lost(here: Premises) -> None:
    """A computer, or a store, whose trust in the domain is gone tries to prove itself at every need."""
    dice, server = here.dice, here.controller()
    proofs = (4, dice.choice((15, 26, 26)))
    tries = dice.count(1, 6)

    def prove(at: int) -> None:
        told = calls(30_000, RpcInterface.NETLOGON, *proofs * tries, via=_TCP)
        here.call(at, lost, server, 49_668, (400 * tries, 300 * tries), SECOND, Shown(counted=told))

    lost = dice.choice((here.pc(), here.adds("store")))
    here.every(prove, dice.wide(30, 3_600) * SECOND, 0.3)


def accounts_mirrored(here: Premises) -> None:
    """A store or a copier in the domain keeps a list of all accounts and groups, with their members."""
    dice, server = here.dice, here.controller()
    mirror = here.adds("mirror")
    listing = [
        *dice.some((11, 13, 15, 40, 48, 51), 0.4, 1),
        *dice.some((17, 18, 19, 20, 25, 27, 33, 34, 36, 39), 0.5),
    ]
    groups = dice.count(1, 60)

    def copy(at: int) -> None:
        told = (*session(9_000, AuthMethod.KERBEROS, ""), tree(15_000, ShareKind.IPC),
                *calls(30_000, RpcInterface.SAMR, 64, 6, 5, 7, *listing, *(25,) * (groups * (25 in listing)), 1))  # fmt: skip
        here.call(at, mirror, server, 445, (9_000, 60_000), 3 * SECOND, Shown(counted=told))

    here.every(copy, dice.wide(0.1, 24) * HOUR, 0.1)


def morning(here: Premises) -> None:
    """At nine everybody signs in at once: tickets by the hundred, of many accounts."""
    dice, server = here.dice, here.controller()

    def arrive(at: int) -> None:
        for pc in here.pcs(0.6):
            begun = at + int(dice.wide(1, 1_200) * SECOND)
            for number in range(dice.count(2, 60)):
                method = AuthMethod.KERBEROS_TGS if number else AuthMethod.KERBEROS_AS
                told = log_in(4_000, AuthService.KERBEROS, method, pc.name, etype=EtypeClass.AES)
                here.datagrams(begun, pc, server, 88, (1_400, 1_500), 9_000, Shown(counted=(told,)))
                begun += dice.count(1_000, 900_000)

    here.every(arrive, DAY, 0, between(0, 23))


def time_by_domain(here: Premises) -> None:
    """PCs ask the controller for the time, and the names of dead controllers that are still in the DNS."""
    dice, server = here.dice, here.controller()
    dead = [here.dark() for _ in range(dice.count(1, 3))]
    port = dice.choice((88, 389, 445, 135))
    for pc in here.pcs():

        def ask(at: int, pc: Device = pc) -> None:
            here.datagrams(at, pc, server, 123, (68, 68), 2_000)
            for address in dead:
                here.silence(at, pc, address, port, UDP if port == 389 else 6)

        here.every(ask, dice.wide(64, 9_000) * SECOND, 0.1, switched_on(0, at_night=False))


def _policies(here: Premises, at: int, pc: Device, server: Device) -> None:
    count = here.dice.count(3, 90)
    told = (*session(9_000, AuthMethod.KERBEROS, ""), tree(15_000, ShareKind.DOMAIN),
            files(60_000, ShareKind.DOMAIN, creates=count, reads=(count, count * 3_000)))  # fmt: skip
    here.call(at, pc, server, 445, (300 * count, 3_400 * count), 12 * SECOND, Shown(counted=told))
    bound = log_in(9_000, AuthService.LDAP, AuthMethod.KERBEROS)
    here.call(at, pc, server, 389, (900, 4_000), SECOND, Shown(counted=(bound,)))

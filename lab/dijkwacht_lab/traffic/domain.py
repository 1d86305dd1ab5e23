"""A Windows domain: tickets, sign-ins, directory, policies, as a PC and its controller exchange them."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.facts import (
    Counted,
    Shown,
    Talk,
    calls,
    files,
    log_in,
    not_found,
    session,
    tree,
)
from dijkwacht_lab.traffic.habit import Habit, Presence, arriving
from dijkwacht_lab.traffic.ledger import HOUR, MINUTE, SECOND, UDP, Call, Device, Ledger
from dijkwacht_records.hints import Speech
from dijkwacht_records.rpc_interfaces import RpcInterface
from dijkwacht_records.vocabulary import (
    AuthMethod,
    AuthService,
    AuthStatus,
    EtypeClass,
    RpcVia,
    ShareKind,
)

_HOST, _USER = "host", "user"
_ENDPOINT_MAPPER, _REPLICATION, _NETLOGON = 135, 49_155, 49_158
_TICKET_US: Final = 9_000
_AS, _TGS = AuthMethod.KERBEROS_AS, AuthMethod.KERBEROS_TGS
_BY_TICKET: Final = AuthMethod.KERBEROS


class Member:
    """A PC of a domain, and the controller it asks."""

    def __init__(self, ledger: Ledger, pc: Device, controller: Device) -> None:
        self.ledger, self.pc, self.controller = ledger, pc, controller

    def sign_in(self, at: int) -> None:
        """Somebody comes: a ticket for the person, one for each service, the directory, scripts."""
        rng = self.ledger.rng
        at = self._find(at)
        luck = rng.random()
        if luck < 0.03:
            for _ in range(1 + (luck < 0.01)):
                at = self._ticket_for(at, _USER, AuthStatus.WRONG_PASSWORD) + 9 * SECOND
        elif luck < 0.035:  # and has to choose a new one first
            at = self._ticket_for(at, _USER, AuthStatus.EXPIRED) + 60 * SECOND
        at = self._ticket_for(at, _USER)
        for _ in range(2 + rng.getrandbits(1)):
            at = self._ticket_to_service(at)
        at = self._ask_directory(at)
        if rng.random() < 0.4:
            at = self._call(at, _REPLICATION, RpcInterface.DRSUAPI, 0, 12, 1)
        if rng.random() < 0.5:
            at = self._call(at, _NETLOGON, RpcInterface.LSARPC, 76, 77)
        if rng.random() < 0.2:  # to which groups does the person belong?
            self._look_up_groups(at)
        self._read_policies(at)

    def renew(self, at: int) -> None:
        """Policies are read again, as every member does every hour and a half."""
        rng = self.ledger.rng
        at = self._find(at)
        if rng.random() < 0.15:  # tickets last ten hours
            at = self._ticket_for(at, _HOST)
            at = self._ticket_to_service(at)
            at = self._call(at, _NETLOGON, RpcInterface.NETLOGON, 4, 26, 21, 29)
        self._read_policies(self._ask_directory(at))

    def _find(self, at: int) -> int:
        """Which controller is near? Asked of DNS, then of the controller itself."""
        name = "_ldap._tcp.dc._msdcs.office.example"
        if self.ledger.rng.random() < 0.4:
            at = self.ledger.ask(at, self.pc, name, 33, 0, 1, (self.controller.address,))
        self.ledger.flow(at, self._to(389, UDP), up=180, down=170, last_us=1_800)
        return at + 4_000

    def _ticket_for(self, at: int, account: str, refusal: AuthStatus = AuthStatus.NONE) -> int:
        """A ticket for an account: refused without a proof first, then given or refused."""
        account = f"{self.pc.name} {account}"
        for status in (AuthStatus.PREAUTH_REQUIRED, refusal):
            self._kerberos(at, log_in(2_000, AuthService.KERBEROS, _AS, account,
                                      etype=EtypeClass.AES, status=status))  # fmt: skip
            at += _TICKET_US
        return at

    def _ticket_to_service(self, at: int) -> int:
        """A ticket for a service: nearly all by AES, by RC4 where an old server's account knows no other."""
        luck = self.ledger.rng.random()
        etype = EtypeClass.RC4 if luck < 0.06 else EtypeClass.AES
        status = AuthStatus.UNKNOWN_SERVICE if luck > 0.97 else AuthStatus.NONE
        self._kerberos(at, log_in(2_000, AuthService.KERBEROS, _TGS, etype=etype, status=status))
        return at + _TICKET_US

    def _kerberos(self, at: int, counted: Counted) -> None:
        self.ledger.flow(at, self._to(88), up=1_450, down=1_500, last_us=4_000,
                         shown=Shown(counted=(counted,)))  # fmt: skip

    def _ask_directory(self, at: int) -> int:
        counted = log_in(15_000, AuthService.LDAP, _BY_TICKET)
        questions = 3 + self.ledger.rng.getrandbits(3)
        self.ledger.flow(at, self._to(389), up=2_100 + 350 * questions, down=2_400 * questions,
                         last_us=int((1 + self.ledger.rng.expovariate(1)) * 300_000),
                         shown=Shown(Talk(2 * questions, 350, 2_390, 18, 190), (counted,)))  # fmt: skip
        return at + 60_000

    def _read_policies(self, at: int) -> None:
        """The controller's SYSVOL: what is told to this machine, and scripts."""
        rng = self.ledger.rng
        told = 2 + rng.getrandbits(3)
        steps = [
            *session(20_000, _BY_TICKET, ""),
            tree(30_000, ShareKind.IPC),
            tree(40_000, ShareKind.DOMAIN),
            files(300_000, ShareKind.DOMAIN, creates=told, reads=(told, 560 * told)),
        ]
        if rng.random() < 0.5:
            steps.append(not_found(300_000, 1 + rng.getrandbits(1), ShareKind.DOMAIN))
        turns = 14 + 6 * told
        self.ledger.flow(at, self._to(445), up=190 * turns, down=260 * turns,
                         last_us=12 * SECOND,
                         shown=Shown(Talk(turns, 159, 252, 16, 310), tuple(steps)))  # fmt: skip

    def _call(self, at: int, port: int, iface: RpcInterface, *ops: int) -> int:
        """Where is the service? Then calls on its own port, signed with a ticket."""
        counted = calls(1_000, RpcInterface.EPM, 3, via=RpcVia.TCP)
        self.ledger.flow(at, self._to(_ENDPOINT_MAPPER), up=272, down=236, last_us=3_000,
                         shown=Shown(counted=counted))  # fmt: skip
        at += 5_000
        counted = calls(9_000, iface, *ops, via=RpcVia.TCP)
        if iface is RpcInterface.DRSUAPI:
            counted += (log_in(9_000, AuthService.RPC, _BY_TICKET),)
        shown = Shown(Talk(3 + 2 * len(ops), 252, 260, 40, 150), counted, Speech.RPC)
        self.ledger.flow(at, self._to(port), up=2_300, down=1_400, last_us=240_000, shown=shown)
        return at + 250_000

    def _look_up_groups(self, at: int) -> None:
        steps = (
            *session(20_000, _BY_TICKET, ""),
            tree(30_000, ShareKind.IPC),
            *calls(60_000, RpcInterface.LSARPC, 44, 77, 57, 0),
            *calls(90_000, RpcInterface.SAMR, 64, 6, 5, 7, 17, 34, 36, 39, 1),
        )
        self.ledger.flow(at, self._to(445), up=7_000, down=6_200, last_us=800_000,
                         shown=Shown(Talk(42, 136, 84, 20, 280), steps))  # fmt: skip

    def _to(self, port: int, proto: int = 6) -> Call:
        return Call(self.pc.address, self.controller.address, port, proto)


def join_domain(
    ledger: Ledger, pc: Device, controller: Device, shift_us: int, on: Presence
) -> list[Habit]:
    """What membership adds to a PC's day."""
    member = Member(ledger, pc, controller)
    return [
        Habit(ledger, member.sign_in, HOUR, 0.4, arriving(shift_us)),
        Habit(ledger, member.renew, 105 * MINUTE, 0.15, on),
    ]

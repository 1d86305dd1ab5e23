"""Files on the office's server, paper from its printer."""

from __future__ import annotations

from typing import Final, NamedTuple

from dijkwacht_lab.traffic.facts import (
    Counted,
    Shown,
    Talk,
    calls,
    files,
    not_found,
    sealed,
    session,
    tree,
)
from dijkwacht_lab.traffic.habit import Habit, Presence, size
from dijkwacht_lab.traffic.ledger import HOUR, MINUTE, SECOND, Call, Device, Ledger
from dijkwacht_records.rpc_interfaces import RpcInterface
from dijkwacht_records.vocabulary import AuthMethod, AuthStatus, ShareKind

_PART_US: Final = 15 * SECOND
_AT_ONCE: Final = 1 << 18
"""Bytes that one read or write moves at most, as servers of files allow it."""
_SIGNED_IN_US: Final = 40_000
_BEGUN_US: Final = 200_000
_A_MESSAGE: Final = 170
"""Bytes of a request or an answer without its data."""


class Work(NamedTuple):
    """What is done on a share within some seconds: operations, and bytes of them."""

    creates: int = 0
    reads: int = 0
    read_bytes: int = 0
    writes: int = 0
    write_bytes: int = 0
    renames: int = 0
    deletes: int = 0
    missing: int = 0

    def counted(self, after: int) -> list[Counted]:
        """As rows of ``rpc`` count it."""
        told = [
            files(
                after, creates=self.creates, reads=(self.reads, self.read_bytes),
                writes=(self.writes, self.write_bytes), changes=(self.renames, self.deletes),
            )
        ]  # fmt: skip
        return [*told, not_found(after, self.missing)] if self.missing else told

    @property
    def messages(self) -> int:
        """Requests, those among them that look, ask and close."""
        return 3 * self.creates + self.reads + self.writes + self.renames + self.deletes


class Shares:
    """A file server and how this office uses it: by which log-in, and encrypted or not.

    In a domain (``in_domain``) a log-in is a ticket, and what is printed goes by way of the server.
    """

    def __init__(self, ledger: Ledger, server: Device, *, in_domain: bool) -> None:
        self.ledger, self.server = ledger, server
        self.method = AuthMethod.KERBEROS if in_domain else AuthMethod.NTLM
        self.prints = in_domain
        self.seals = ledger.rng.random() < 0.2

    def connect(self, at: int, pc: Device) -> None:
        """One connection: a session, a share, and some work on it until it falls silent."""
        rng = self.ledger.rng
        call = Call(pc.address, self.server.address, 445)
        if rng.random() < 0.006:
            at = self._mistype(at, call, pc)
        lasts = _BEGUN_US + int(rng.expovariate(1 / 90) * SECOND)
        steps = [*session(_SIGNED_IN_US, self.method, pc.name), tree(_SIGNED_IN_US, ShareKind.IPC)]
        if rng.random() < 0.15:  # somebody looks which shares there are
            steps += calls(70_000, RpcInterface.SRVSVC, 21, 15)
            steps += calls(70_000, RpcInterface.WKSSVC, 0)
        elif rng.random() < 0.5:
            steps += calls(70_000, RpcInterface.SRVSVC, 16)
        steps.append(tree(90_000, ShareKind.OTHER))
        up = down = 2_500
        messages = 9
        for after in range(_BEGUN_US, lasts + 1, _PART_US):
            work = self._work()
            steps += [sealed(after, work.messages)] if self.seals else work.counted(after)
            messages += work.messages
            up += work.write_bytes + _A_MESSAGE * work.messages
            down += work.read_bytes + _A_MESSAGE * work.messages
        self.ledger.flow(at, call, up=up, down=down, last_us=lasts,
                         shown=Shown(Talk(2 * messages, 124, 132, 22, 230), tuple(steps)))  # fmt: skip

    def print_out(self, at: int, pc: Device) -> None:
        """A document goes to the server, page by page ([MS-RPRN]), and is printed from there."""
        pages = 1 + int(self.ledger.rng.expovariate(1 / 4))
        steps = (
            *session(_SIGNED_IN_US, self.method, pc.name),
            tree(_SIGNED_IN_US, ShareKind.IPC),
            *calls(90_000, RpcInterface.SPOOLSS, 69, 8, 65, 17, *(18, 19, 20) * pages, 23, 29),
        )
        amount = 60_000 * pages
        self.ledger.flow(at, Call(pc.address, self.server.address, 445), up=amount + 4_000,
                         down=3_500 + 300 * pages, last_us=(2 + pages) * SECOND,
                         shown=Shown(Talk(26 + 8 * pages, 140, 132, 25, 220), steps))  # fmt: skip

    def _work(self) -> Work:
        """What somebody, or a program for somebody, does in a quarter of a minute."""
        ledger, luck = self.ledger, self.ledger.rng.random()
        if luck < 0.45:  # a folder is looked at; a program asks whether anything changed
            return Work(creates=1 + ledger.rng.getrandbits(4), missing=ledger.rng.getrandbits(2))
        amount = size(ledger, 350_000, 1.4)
        moves = 1 + amount // _AT_ONCE
        if luck < 0.72:
            return Work(creates=4, reads=moves, read_bytes=amount, missing=1)
        if (
            luck < 0.92
        ):  # saved as offices do: a new file is written, names are exchanged, the old one goes
            return Work(6, 3, 40_000, moves, amount, 2, 1, 3)
        if luck < 0.96:  # a folder is copied from there
            copied = 3 + int(ledger.rng.expovariate(1 / 40))
            return Work(2 * copied, copied * moves, copied * amount)
        if luck < 0.98:  # or to there
            copied = 3 + int(ledger.rng.expovariate(1 / 25))
            return Work(2 * copied, 0, 0, copied * moves, copied * amount, 0, 0, copied)
        thrown = 1 + int(ledger.rng.expovariate(1 / 8))
        return Work(creates=2 * thrown, deletes=thrown)

    def _mistype(self, at: int, call: Call, pc: Device) -> int:
        """A password is wrong, once or twice; returns when it is right."""
        for _ in range(1 + (self.ledger.rng.random() < 0.3)):
            steps = session(_SIGNED_IN_US, AuthMethod.NTLM, pc.name, AuthStatus.WRONG_PASSWORD)
            self.ledger.flow(at, call, up=1_300, down=1_100, last_us=400_000,
                             shown=Shown(Talk(8, 240, 300, 20), steps))  # fmt: skip
            at += 12 * SECOND
        return at


def file_work(
    shares: Shares, pc: Device, printer: Device, rate: float, people: Presence
) -> list[Habit]:
    """Somebody's files, the program that all work with, and paper."""
    ledger, server = shares.ledger, shares.server
    rng = ledger.rng
    database = (1433, 3306, 5432)[server.mac % 3]

    def work(at: int) -> None:
        ledger.arp(at, pc, server)
        shares.connect(at, pc)

    def paper(at: int) -> None:
        if shares.prints:
            shares.print_out(at, pc)
            return
        ledger.arp(at, pc, printer)
        if rng.random() < 0.05:  # it sleeps
            ledger.unanswered(at, pc.address, printer.address, 9100)
        else:
            ledger.flow(at, Call(pc.address, printer.address, 9100), up=size(ledger, 300_000),
                        down=400, last_us=4 * SECOND)  # fmt: skip

    def book(at: int) -> None:
        """The books are kept in a database: a question and an answer, many of them, then a pause."""
        questions = 10 + int(rng.expovariate(1 / 60))
        minutes = 1 + int(rng.expovariate(1 / 12))
        ledger.flow(at, Call(pc.address, server.address, database),
                    up=210 * questions, down=900 * questions, last_us=minutes * MINUTE,
                    shown=Shown(Talk(2 * questions, 190, 340, 25, 260)))  # fmt: skip

    return [
        Habit(ledger, work, 12 * MINUTE / rate, 1, people),
        Habit(ledger, paper, 2 * HOUR / rate, 1, people),
        Habit(ledger, book, 1.5 * HOUR / rate, 1, people),
    ]

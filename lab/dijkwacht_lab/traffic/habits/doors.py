"""Doors that stand open to the Internet for people of the office: who comes, errs, and what is fetched then."""

from __future__ import annotations

from typing import Final, NamedTuple

from dijkwacht_lab.traffic.facts import Counted, Shown, log_in, session
from dijkwacht_lab.traffic.habit import always, between, switched_on
from dijkwacht_lab.traffic.habits.premises import Premises
from dijkwacht_lab.traffic.programs import UPDATER
from dijkwacht_lab.traffic.site import HOUR, MINUTE, SECOND, Call, Device
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus

_AFTER: Final = 400_000


class _Service(NamedTuple):
    """What is logged in to, how, and at which port."""

    port: int
    name: AuthService
    method: AuthMethod


_SSH: Final = _Service(22, AuthService.SSH, AuthMethod.UNKNOWN)
_RDP: Final = _Service(3389, AuthService.RDP, AuthMethod.NTLM)
_IMAP: Final = _Service(143, AuthService.IMAP, AuthMethod.PASSWORD)
_POP: Final = _Service(110, AuthService.POP, AuthMethod.PASSWORD)
_SMTP: Final = _Service(587, AuthService.SMTP, AuthMethod.PASSWORD)


def _told(service: _Service, account: str, *, good: bool) -> Counted:
    refused = (
        AuthStatus.REFUSED if service.name in (AuthService.SSH, AuthService.RDP)
        else AuthStatus.WRONG_PASSWORD
    )  # fmt: skip
    named = "" if service.name is AuthService.SSH else account
    return log_in(
        _AFTER, service.name, service.method, named, status=AuthStatus.NONE if good else refused
    )


def _logs_in(
    here: Premises, at: int, who: bytes, server: Device, service: _Service,
    *, good: bool, account: str = "somebody", lasts: int = SECOND,
) -> None:  # fmt: skip
    """One connection from ``who``, and the log-in that it carries."""
    moved = (2_400 + lasts // 20_000, 3_200 + lasts // 6_000) if good else (1_500, 1_900)
    here.ledger.flow(at, Call(who, server.address, service.port), up=moved[0], down=moved[1], last_us=lasts,
                     shown=Shown(counted=(_told(service, account, good=good),)))  # fmt: skip


def looked_after_from_home(here: Premises) -> None:
    """Who looks after the server logs in from home, installs something or pulls a program, and leaves."""
    dice, server = here.dice, here.server()
    homes = [here.bare() for _ in range(dice.count(1, 4))]
    slips, fetches = dice.uniform(0, 0.5), dice.uniform(0.1, 0.9)

    def come(at: int) -> None:
        home = dice.choice(homes)
        while dice.chance(slips):
            _logs_in(here, at, home, server, _SSH, good=False)
            at += dice.count(3, 30) * SECOND
        lasts = int(dice.wide(0.5, 90) * MINUTE)
        _logs_in(here, at, home, server, _SSH, good=True, lasts=lasts)
        if not dice.chance(fetches):
            return
        for _ in range(dice.count(1, 12)):
            at += int(dice.wide(5, 300) * SECOND)
            where = here.bare() if dice.chance(0.05) else here.place()
            here.call(
                at, server, where, 443, (900, dice.size(400_000, 2)), 2 * SECOND, shown=UPDATER
            )

    here.every(come, dice.wide(4, 120) * HOUR, 1, between(7, 24))


def updates_itself(here: Premises) -> None:
    """A server that has visitors fetches its updates at night, from whatever network serves them today."""
    dice, server = here.dice, here.server()
    port = dice.choice((80, 443, 25))
    mirrors = [here.place() for _ in range(dice.count(2, 40))]

    def visited(at: int) -> None:
        here.ledger.flow(at, Call(here.bare(), server.address, port), up=700, down=dice.size(9_000),
                         last_us=dice.count(50_000, 9_000_000))  # fmt: skip

    def update(at: int) -> None:
        for _ in range(dice.count(1, 5)):
            here.call(
                at,
                server,
                dice.choice(mirrors),
                dice.choice((80, 443)),
                (900, dice.size(90_000, 2)),
                SECOND,
            )
            at += dice.count(1, 90) * SECOND

    here.every(visited, dice.wide(0.5, 40) * MINUTE, 1)
    here.every(update, dice.choice((6, 24, 24, 168)) * HOUR, dice.choice((0.05, 0.5)))


def forgets_at_home(here: Premises) -> None:
    """Somebody at home has forgotten a password: tries all that come to mind, asks a colleague, and is in."""
    dice, server = here.dice, here.server()
    service = dice.choice((_SSH, _RDP, _RDP))

    def come(at: int) -> None:
        home = here.bare()
        for _ in range(dice.count(1, 14)):
            _logs_in(here, at, home, server, service, good=False)
            at += dice.count(4, 60) * SECOND
        at += int(dice.wide(0.1, 60) * MINUTE)
        _logs_in(here, at, home, server, service, good=True, lasts=int(dice.wide(1, 200) * MINUTE))

    here.every(come, dice.wide(20, 400) * HOUR, 1, switched_on(0, at_night=False))


def mail_from_afar(here: Premises) -> None:
    """Telephones fetch mail from the office's server over the air; one has an old password for hours or days."""
    dice, server = here.dice, here.server()
    service = dice.choice((_IMAP, _POP, _SMTP))
    phones = [[here.bare()] for _ in range(dice.count(1, 8))]
    wrong_from = here.ledger.start_us + int(dice.wide(2, 120) * HOUR)
    wrong_until = wrong_from + int(dice.wide(0.3, 60) * HOUR)
    moves = dice.uniform(0, 0.2)

    def fetch(at: int) -> None:
        for number, phone in enumerate(phones):
            if dice.chance(moves):
                phone[0] = here.bare()
            good = number > 0 or not wrong_from <= at < wrong_until
            _logs_in(
                here,
                at + number * 900_000,
                phone[0],
                server,
                service,
                good=good,
                account=f"a{number}",
            )

    here.every(fetch, dice.wide(1, 30) * MINUTE, dice.choice((0.02, 0.3)))


def old_password_mended(here: Premises) -> None:
    """A scanner or a script inside has an old password at a server, for hours, until somebody types in the new one."""
    dice, server = here.dice, here.server()
    who = dice.choice(here.everyone())
    period, pace = dice.wide(5, 900) * SECOND, dice.choice((0.02, 0.02, 0.3, 1))
    change = here.ledger.start_us + int(dice.wide(1, 150) * HOUR)
    mended = change + int(dice.wide(0.1, 48) * HOUR)
    if who is server:
        who = here.pc()

    def attempt(at: int) -> None:
        good = not change <= at < mended
        status = AuthStatus.NONE if good else AuthStatus.WRONG_PASSWORD
        told = session(_AFTER, AuthMethod.NTLM, who.name, status)
        here.call(at, who, server, 445, (900, 1_000), 150_000, Shown(counted=told))

    here.every(attempt, period, pace, always)


def sessions_by_script(here: Premises) -> None:
    """A machine asks a server over SSH, by the clock, how it fares; whoever sits there works on it as well.

    Nothing is read of the log-ins, as by a router that tells flows alone.
    """
    dice, server, who = here.dice, here.server(), here.pc()

    def check(at: int) -> None:
        here.call(at, who, server, 22, (2_300, 2_900), dice.count(200_000, 3_000_000))

    def work(at: int) -> None:
        lasts = int(dice.wide(2, 240) * MINUTE)
        here.call(at, who, server, 22, (lasts // 9_000, lasts // 2_000), lasts)

    here.every(check, dice.wide(30, 3_600) * SECOND, dice.choice((0.01, 0.3)))
    here.every(work, dice.wide(4, 90) * HOUR, 1, switched_on(0, at_night=False))


def another_office(here: Premises) -> None:
    """People of another office, all behind one address, log in to the server: some of them wrong, all day."""
    dice, server = here.dice, here.server()
    gateway, wrong = here.bare(), dice.uniform(0.01, 0.4)
    people = dice.count(3, 40)
    service = dice.choice((_RDP, _SSH, _IMAP))

    def come(at: int) -> None:
        account = f"b{dice.randrange(people)}"
        while dice.chance(wrong):
            _logs_in(here, at, gateway, server, service, good=False, account=account)
            at += dice.count(3, 20) * SECOND
        _logs_in(here, at, gateway, server, service, good=True, account=account,
                 lasts=int(dice.wide(0.1, 60) * MINUTE))  # fmt: skip

    here.every(come, dice.wide(2, 60) * MINUTE, 1, between(7, 19, weekends=False))

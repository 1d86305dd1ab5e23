"""Old passwords that programs go on trying for weeks after somebody chose a new one."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.facts import Shown, log_in, session
from dijkwacht_lab.traffic.habit import Presence, always, switched_on
from dijkwacht_lab.traffic.habits.premises import Pace, Premises, Where
from dijkwacht_lab.traffic.programs import MAIL, program
from dijkwacht_lab.traffic.site import MINUTE, SECOND, UDP
from dijkwacht_records.hints import Speech
from dijkwacht_records.vocabulary import Alpn, AuthMethod, AuthService, AuthStatus, EtypeClass

_WEB: Final = program("a program that syncs calendars", Alpn.HTTP_1_1)
_AFTER: Final = 60_000
_WHY: Final = (AuthStatus.WRONG_PASSWORD, AuthStatus.LOCKED, AuthStatus.EXPIRED)


def old_mail_password(here: Premises) -> None:
    """A mail program or telephone tries its old password: by IMAP, POP, SMTP, plain or over TLS."""
    dice = here.dice
    who = dice.choice([*here.phones(), *here.pcs()])
    where: Where = here.place()
    service, port = dice.choice((
        (AuthService.IMAP, 143), (AuthService.POP, 110), (AuthService.SMTP, 587),
        (AuthService.IMAP, 993), (AuthService.IMAP, 993),
    ))  # fmt: skip
    tries = dice.count(1, 4)

    def attempt(at: int) -> None:
        for number in range(tries):
            begun = at + number * 2 * SECOND
            if port == 993:
                here.call(begun, who, where, port, (620, 5400), 400000, shown=MAIL)
                continue
            refused = log_in(_AFTER, service, AuthMethod.PASSWORD, who.name,
                             status=AuthStatus.WRONG_PASSWORD)  # fmt: skip
            here.call(begun, who, where, port, (90, 320), 350_000, Shown(counted=(refused,)))

    here.every(attempt, dice.wide(0.5, 30) * MINUTE, dice.choice((0.01, 0.2)), _awake(here))


def old_share_password(here: Premises) -> None:
    """A scanner, a service or a mapped drive logs in to a share with a password of last year."""
    dice = here.dice
    who = dice.choice([here.pc(), here.cast.printer or here.adds("scanner")])
    server = here.server()
    status = dice.choice(_WHY)
    tries = dice.count(1, 6)

    def attempt(at: int) -> None:
        told = [s for number in range(tries)
                for s in session(_AFTER * (number + 1), AuthMethod.NTLM, who.name, status)]  # fmt: skip
        here.call(at, who, server, 445, (900 * tries, 1_100 * tries), _AFTER * (tries + 2),
                  Shown(counted=tuple(told)))  # fmt: skip

    here.every(attempt, dice.wide(8, 1_800) * SECOND, dice.choice((0.01, 0.1, 0.3)), _awake(here))


def old_directory_password(here: Premises) -> None:
    """A service asks the domain for a ticket, or binds to the directory, with an old password."""
    dice = here.dice
    who, server = here.pc(), here.server()
    status = dice.choice(_WHY)
    kerberos = dice.chance(0.5)

    def attempt(at: int) -> None:
        if kerberos:
            for step in (AuthStatus.PREAUTH_REQUIRED, status):
                told = log_in(4_000, AuthService.KERBEROS, AuthMethod.KERBEROS_AS, who.name,
                              etype=EtypeClass.AES, status=step)  # fmt: skip
                here.call(at, who, server, 88, (240, 190), 8_000, Shown(counted=(told,)))
                at += 20_000
        else:
            told = log_in(9_000, AuthService.LDAP, AuthMethod.PASSWORD, who.name,
                          status=AuthStatus.WRONG_PASSWORD)  # fmt: skip
            here.call(at, who, server, 389, (80, 110), 20_000, Shown(counted=(told,)))

    here.every(attempt, dice.wide(10, 3_600) * SECOND, dice.choice((0.01, 0.2)), _awake(here))


def old_web_password(here: Premises) -> None:
    """A program asks a device or a service over HTTP and is told 401, time after time."""
    dice = here.dice
    who = here.pc()
    inside = dice.chance(0.6)
    where: Where = here.adds("camera") if inside else here.place()
    port = dice.choice((80, 8080, 8000, 5000)) if inside else 443
    both = dice.chance(0.5)  # first without, then with the password: a digest's way

    def attempt(at: int) -> None:
        if port == 443:
            here.call(at, who, where, port, (900, 700), 150000, shown=_WEB)
            return
        told = [log_in(20_000, AuthService.HTTP, AuthMethod.PASSWORD, who.name,
                       status=AuthStatus.WRONG_PASSWORD)] * (1 + both)  # fmt: skip
        here.call(at, who, where, port, (330, 420), 60_000,
                  Shown(counted=tuple(told), speech=Speech.HTTP))  # fmt: skip

    here.every(attempt, dice.wide(1, 600) * SECOND, dice.choice((0.01, 0.2)), _awake(here))


def old_call_password(here: Premises) -> None:
    """A telephone registers with an exchange that no longer knows it: 401, 403, again."""
    dice = here.dice
    phone = here.adds("telephone")
    exchange = here.home(0.5)
    up, down = dice.count(500, 900), dice.count(300, 600)

    def register(at: int) -> None:
        where = exchange
        here.keeps(at, phone, where, 5060, Pace(15 * SECOND, 16 * SECOND, UDP), (2 * up, 2 * down), shown=Shown(speech=Speech.TEXT))  # fmt: skip

    here.every(register, dice.wide(20, 300) * SECOND, 0.02)


def mistyped(here: Premises) -> None:
    """People come back from the weekend: wrong two or three times, locked, and right at last."""
    dice, server = here.dice, here.server()

    def come_back(at: int) -> None:
        pc = here.pc()
        for number in range(dice.count(1, 6)):
            told = session(_AFTER, AuthMethod.NTLM, pc.name, AuthStatus.WRONG_PASSWORD)
            here.call(at, pc, server, 445, (900, 1_000), 150_000, Shown(counted=told))
            at += dice.count(2, 25) * SECOND + number
        told = session(_AFTER, AuthMethod.NTLM, pc.name)
        here.call(at, pc, server, 445, (4_000, 9_000), 20 * SECOND, Shown(counted=told))

    here.every(come_back, dice.wide(40, 1_500) * MINUTE, 1, switched_on(0, at_night=False))


def _awake(here: Premises) -> Presence:
    return always if here.dice.chance(0.6) else switched_on(0, at_night=False)

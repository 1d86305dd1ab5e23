"""What somebody does who looks after an office: shells, desktops, pages of printers and cameras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dijkwacht_lab.traffic.facts import Shown, Talk, log_in
from dijkwacht_lab.traffic.habit import Habit, Presence
from dijkwacht_lab.traffic.ledger import HOUR, MINUTE, SECOND, Call, Device, Ledger
from dijkwacht_lab.traffic.programs import BARE_BROWSER
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus

_TYPED: Final = 30 * SECOND
"""How long it takes to think of the other password."""


def administer(
    ledger: Ledger, pc: Device, server: Device, things: Sequence[Device], people: Presence
) -> list[Habit]:
    """Habits of who keeps server and things going from ``pc``."""
    rng = ledger.rng

    def shell(at: int) -> None:
        """A shell on the server; the first keys that an agent offers may be others'."""
        wrong = (AuthStatus.REFUSED,) * (rng.random() < 0.08) * (1 + rng.getrandbits(1))
        steps = tuple(
            log_in(700_000, AuthService.SSH, AuthMethod.UNKNOWN, status=status)
            for status in (*wrong, AuthStatus.NONE)
        )
        minutes = 1 + int(rng.expovariate(1 / 9))
        turns = 20 + minutes * (40 + rng.getrandbits(6))
        ledger.flow(at, Call(pc.address, server.address, 22), up=48 * turns, down=130 * turns,
                    last_us=minutes * MINUTE,
                    shown=Shown(Talk(turns, 36, 36, 75, 170), steps))  # fmt: skip

    def desktop(at: int) -> None:
        """The server's desktop."""
        call = Call(pc.address, server.address, 3389)
        if rng.random() < 0.06:
            wrong = log_in(2 * SECOND, AuthService.RDP, AuthMethod.UNKNOWN, pc.name,
                           status=AuthStatus.REFUSED)  # fmt: skip
            ledger.flow(at, call, up=1_900, down=2_300, last_us=2 * SECOND,
                        shown=Shown(Talk(10, 90, 140), (wrong,)))  # fmt: skip
            at += _TYPED
        seconds = int((2 + rng.expovariate(1 / 15)) * 60)
        right = log_in(3 * SECOND, AuthService.RDP, AuthMethod.UNKNOWN, pc.name)
        ledger.flow(at, call, up=1_600 * seconds, down=28_000 * seconds,
                    last_us=seconds * SECOND,
                    shown=Shown(Talk(11 * seconds, 90, 93, 22, 150), (right,)))  # fmt: skip

    def page(at: int) -> None:
        """The page of a printer, a camera or the gateway: its own certificate, or none and a password."""
        thing = rng.choice((*things, server, ledger.gateway))
        if thing.mac & 1:
            ledger.page(at, pc, thing, BARE_BROWSER, 8443 if thing.mac & 2 else 443)
            return
        wrong = (AuthStatus.REFUSED,) * (rng.random() < 0.1)
        asked = (*wrong, *(AuthStatus.NONE,) * 9)
        steps = tuple(
            log_in(SECOND, AuthService.HTTP, AuthMethod.PASSWORD, "admin", status=status)
            for status in asked
        )
        turns = 2 * len(asked) + 2
        ledger.flow(at, Call(pc.address, thing.address, 80), up=460 * turns, down=3_000 * turns,
                    last_us=12 * SECOND,
                    shown=Shown(Talk(turns, 470, 1_900, 25, 200), steps))  # fmt: skip

    return [
        Habit(ledger, shell, 3 * HOUR, 1, people),
        Habit(ledger, desktop, 6 * HOUR, 1, people),
        Habit(ledger, page, 4 * HOUR, 1, people),
    ]

"""The Internet at an open door: who comes by a server that everybody can reach, for a week, and one who gets in.

Rates, sizes and ports are as inbound captures of half A show them: SSH guessed 140 times in 270 s with 1.1 kB up and
1.5 kB down, SSH tools that hang up at the banner, remote desktop and SMB searched over a network by one source at a
time. How many come a day, from where, at which pace, how long each goes on and when nobody comes is drawn anew
for each seed, over wide ranges. Addresses are of 198.18.0.0/15, as all of the world outside here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from dijkwacht_lab.traffic import new_ledger, rows_of
from dijkwacht_lab.traffic.cast import Cast
from dijkwacht_lab.traffic.devices import furnish
from dijkwacht_lab.traffic.dice import Dice
from dijkwacht_lab.traffic.facts import Counted, Shown, log_in
from dijkwacht_lab.traffic.habit import Habit, always
from dijkwacht_lab.traffic.habits import take_up
from dijkwacht_lab.traffic.ledger import Ledger
from dijkwacht_lab.traffic.site import DAY, HOUR, MINUTE, SECOND, UDP, Call, Device, Kind
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.tables import Row
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus

_TRIED: Final = (
    21, 22, 23, 25, 53, 80, 110, 135, 139, 143, 443, 445, 1433, 2222, 2323, 3306, 3389, 5060, 5432,
    5555, 5900, 6379, 7547, 8080, 8443, 8728, 9200, 27017, 37215,
)  # fmt: skip
_MOST_TRIES: Final = 400
_OUTSIDE: Final = 198 << 24 | 18 << 16
_NEVER: Final = 100 * 365 * DAY
_AFTER: Final = 30_000
_FIRST_PART: Final = 600_000
"""µs after which the first part of a connection is told, and with it what it carried."""


class Service(NamedTuple):
    """What is guessed at a port: bytes up and down of a refusal, µs that it takes, and how it is logged in to."""

    port: int
    service: AuthService
    method: AuthMethod
    moved: tuple[int, int]
    lasts: int
    status: AuthStatus = AuthStatus.REFUSED

    def told(self, account: str, *, good: bool = False) -> Counted:
        """The log-in, as the agent tells it."""
        named = "" if self.service is AuthService.SSH else account
        status = AuthStatus.NONE if good else self.status
        return log_in(_AFTER, self.service, self.method, named, status=status)


SSH: Final = Service(22, AuthService.SSH, AuthMethod.UNKNOWN, (1_080, 1_557), 1_900_000)
RDP: Final = Service(3389, AuthService.RDP, AuthMethod.NTLM, (1_400, 2_100), 700_000)
SMTP: Final = Service(25, AuthService.SMTP, AuthMethod.PASSWORD, (190, 420), 900_000, AuthStatus.WRONG_PASSWORD)  # fmt: skip
WEB: Final = Service(80, AuthService.HTTP, AuthMethod.PASSWORD, (420, 390), 200_000, AuthStatus.WRONG_PASSWORD)  # fmt: skip


class BreakIn(NamedTuple):
    """One guess that succeeds.

    ``at``: when the log-in is accepted, µs UTC. ``fetches_after``: µs from then on until the server calls somewhere
    new; it does not, if 0. ``stays``: the session goes on for minutes, and else is over within seconds.
    """

    at: int
    fetches_after: int = 0
    stays: bool = True


class _Comers:
    """Those who come from outside to ``server``: their dice, and what they do, as habits of their own."""

    def __init__(self, ledger: Ledger, server: Device, dice: Dice) -> None:
        self.ledger, self.server, self.dice = ledger, server, dice
        self.habits: list[Habit] = []

    def stranger(self) -> bytes:
        """An address outside."""
        return V4_PREFIX + (_OUTSIDE | self.dice.getrandbits(17)).to_bytes(4, "big")

    def once(self, act: Callable[[int], None], at: int) -> None:
        """``act`` at one moment, µs UTC."""
        habit = Habit(self.ledger, act, _NEVER, 0, always, of="open door", dice=self.dice)
        habit.next_us = at
        self.habits.append(habit)

    def refuse(self, at: int, source: bytes, service: Service, account: str) -> None:
        """One guess that is refused; now and then the tool hangs up at the banner."""
        call = Call(source, self.server.address, service.port)
        if service is SSH and self.dice.chance(0.05):
            self.ledger.flow(at, call, up=0, down=41, last_us=60_000)
            return
        up, down = service.moved
        lasts = int(service.lasts * self.dice.uniform(0.7, 1.6))
        self.ledger.flow(at, call, up=up + self.dice.randrange(9), down=down, last_us=lasts,
                         shown=Shown(counted=(service.told(account),)))  # fmt: skip


class OpenDoor(_Comers):
    """Everybody who comes by until ``until``, µs UTC. ``services`` are guessed, ``open_ports`` answer.

    ``quiet``: the UTC hour from which on fewer come, and for how many hours. ``pause``: nobody comes for more than a
    day, as where a line is down upstream; only in what lasts longer than three days.
    """

    def __init__(self, ledger: Ledger, server: Device, dice: Dice, until: int) -> None:
        super().__init__(ledger, server, dice)
        self.until = until
        self.services = [SSH, *dice.some((RDP, SMTP, WEB), 0.2, 1.0)]
        self.open_ports = {each.port for each in self.services}
        self._refuses = dice.random()
        self.quiet = dice.randrange(24), dice.count(2, 8)
        lasts = int(dice.uniform(25, 40) * HOUR)
        begin = ledger.start_us + int(dice.random() * max(until - ledger.start_us - lasts, 0))
        is_long = until - ledger.start_us > 3 * DAY
        self.pause = (begin, begin + lasts) if is_long else (0, 0)
        sources = dice.count(1_500, 5_000) / 7.0
        self._come(self._guess, 0.4 * sources)
        self._come(self._probe, 0.6 * sources)
        self._come(self._search, dice.wide(0.5, 8))
        if WEB in self.services:
            self._come(self._read, dice.wide(50, 1_500))

    def comes(self, at: int) -> float:
        """Share of those who would come at ``at`` that do."""
        if self.pause[0] <= at < self.pause[1] or at >= self.until:
            return 0.0
        first, hours = self.quiet
        return 0.1 if (at // HOUR - first) % 24 < hours else 1.0

    def _come(self, act: Callable[[int], None], a_day: float) -> None:
        self.habits.append(
            Habit(self.ledger, act, DAY / a_day, 1, self.comes, of="open door", dice=self.dice)
        )

    def _guess(self, at: int) -> None:
        """One source's tries: most give up at once, some go on for hours."""
        dice, source = self.dice, self.stranger()
        service = SSH if dice.chance(0.6) else dice.choice(self.services)
        accounts, gap = dice.count(1, 60), dice.wide(0.6, 240)
        for number in range(dice.count(1, _MOST_TRIES)):
            if not self.comes(at):
                return
            self.refuse(at, source, service, f"u{number % accounts}")
            at += int(gap * dice.uniform(0.6, 1.4) * SECOND)

    def _probe(self, at: int) -> None:
        """One who looks whether anybody is at a port or a few, and comes back perhaps."""
        dice, source = self.dice, self.stranger()
        for _ in range(dice.count(1, 6)):
            self._touch(at, source, dice.choice(_TRIED) if dice.chance(0.8) else _any_port(dice))
            at += int(dice.wide(0.1, 4_000) * SECOND)
            if not self.comes(at):
                return
        if dice.chance(0.05):
            port = dice.choice((53, 161, 1900))
            self.ledger.unanswered(at, source, self.server.address, port, UDP)

    def _search(self, at: int) -> None:
        """One who tries port after port: those of a list, and up to a thousand besides."""
        dice, source = self.dice, self.stranger()
        gap = dice.wide(0.01, 30)
        ports = [*_TRIED, *(_any_port(dice) for _ in range(dice.count(1, 1_000)))]
        dice.shuffle(ports)
        for port in ports:
            if not self.comes(at):
                return
            self._touch(at, source, port)
            at += int(gap * dice.uniform(0.5, 1.5) * SECOND)

    def _touch(self, at: int, source: bytes, port: int) -> None:
        dice, ledger, server = self.dice, self.ledger, self.server.address
        if port in self.open_ports:
            ledger.flow(at, Call(source, server, port), up=dice.randrange(300), down=dice.randrange(40, 900),
                        last_us=dice.count(60_000, 900_000))  # fmt: skip
        elif dice.chance(self._refuses):
            ledger.refused(at, source, server, port)
        else:
            ledger.unanswered(at, source, server, port)

    def _read(self, at: int) -> None:
        """A visitor of the web server, or a crawler."""
        dice, source = self.dice, self.stranger()
        for _ in range(dice.count(1, 40)):
            self.ledger.flow(at, Call(source, self.server.address, WEB.port), up=600, down=dice.size(9_000),
                             last_us=dice.count(40_000, 6_000_000))  # fmt: skip
            at += dice.count(300_000, 8_000_000)


class Intruder(_Comers):
    """Who guesses from ``source`` a dozen times or more within a day, gets in, and lets the server call ``fetched``."""

    def __init__(
        self, ledger: Ledger, server: Device, dice: Dice, service: Service, how: BreakIn
    ) -> None:
        super().__init__(ledger, server, dice)
        self.source, self.fetched = self.stranger(), self.stranger()
        self._service, self._how = service, how
        tries = dice.count(12, 300)
        time = min(20 * HOUR, 0.9 * (how.at - ledger.start_us))
        gap = min(dice.wide(1, 200) * SECOND, time / tries)
        at = how.at - int(gap * tries)
        for number in range(tries):
            self.once(self._try, at + int(gap * (number + dice.uniform(0.0, 0.7))))
        self.once(self._get_in, how.at - _FIRST_PART)
        if how.fetches_after:
            self.once(self._fetch, how.at + how.fetches_after)

    def _try(self, at: int) -> None:
        self.refuse(at, self.source, self._service, f"u{self.dice.randrange(9)}")

    def _get_in(self, at: int) -> None:
        how, (up, down) = self._how, self._service.moved
        lasts = (
            int(self.dice.wide(2, 60) * MINUTE) if how.stays else self.dice.count(2, 20) * SECOND
        )
        self.ledger.flow(
            at, Call(self.source, self.server.address, self._service.port), up=up + lasts // 30_000,
            down=down + lasts // 9_000, last_us=lasts,
            shown=Shown(counted=(self._service.told("u", good=True),)),
        )  # fmt: skip

    def _fetch(self, at: int) -> None:
        port = self.dice.choice((80, 443, 8080, 4444, 9001))
        self.ledger.flow(at, Call(self.server.address, self.fetched, port), up=300,
                         down=self.dice.size(90_000), last_us=2 * SECOND)  # fmt: skip


class Week(NamedTuple):
    """What `open_door` made: the server, who comes by, who gets in if anybody does, and the rows."""

    server: Device
    door: OpenDoor
    intruder: Intruder | None
    rows: Iterator[tuple[int, Row]]


def open_door(
    seed: int, hosts: int, start_us: int, duration_us: int, *, rate: float = 0.3,
    habits: frozenset[str] = frozenset(), how: BreakIn | None = None,
) -> Week:  # fmt: skip
    """An office of ``hosts`` machines whose server faces the Internet; its rows are as of `office_rows`.

    Who comes by is the same with and without ``how``. ``habits``: what else the office may do.
    """
    ledger = new_ledger(seed, start_us)
    begun = furnish(ledger, hosts, rate, 60 * SECOND)
    cast = Cast(ledger)
    if habits:
        begun += take_up(ledger, cast, seed, habits, hosts, rate)
    server = cast.server
    if server is None:
        address = ledger.inside(cast.take())
        server = ledger.join(Device(address, ledger.new_mac(), "server", Kind.UNIX))
    end, intruder = start_us + duration_us, None
    door = OpenDoor(ledger, server, Dice(f"open door {seed}"), end)
    begun += door.habits
    if how is not None:
        intruder = Intruder(ledger, server, Dice(f"break in {seed}"), SSH, how)
        begun += intruder.habits
    return Week(server, door, intruder, rows_of(ledger, begun, end))


def _any_port(dice: Dice) -> int:
    return dice.randrange(1, 65_536)

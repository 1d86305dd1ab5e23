"""An office as a habit finds it: who is there, dice of its own, and how to write what it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from dijkwacht_lab.traffic.cast import Cast
from dijkwacht_lab.traffic.dice import Dice
from dijkwacht_lab.traffic.facts import NOTHING_SHOWN, Shown
from dijkwacht_lab.traffic.habit import Habit, Presence, always
from dijkwacht_lab.traffic.ledger import Ledger
from dijkwacht_lab.traffic.programs import TLS_1_2, TLS_1_3, Program
from dijkwacht_lab.traffic.site import DAY, HOUR, ICMP, SECOND, TCP, TLS, UDP, Call, Device, Kind
from dijkwacht_lab.traffic.world import PLACES
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.vocabulary import CertFlag

Where = Device | int | bytes
"""A machine inside, a named place outside, or a bare address."""


class Over(NamedTuple):
    """TLS by a program, and what is seen of it besides; without a program it is no TLS."""

    program: Program | None
    shown: Shown


class Pace(NamedTuple):
    """Something passes every ``gap_us`` for ``lasts``, both in µs."""

    gap_us: int
    lasts: int
    proto: int = TCP


Says = Shown | Program | Over | None
"""What a flow shows, or the program that speaks in it over TLS, or both."""

_NEVER: Final = 100 * 365 * DAY
_HELLO_US: Final = 20_000
_OUTSIDE: Final = 198 << 24 | 18 << 16


class Premises:
    """What one habit may use. ``habits`` are those it began, ``rate`` how much people do."""

    def __init__(self, ledger: Ledger, cast: Cast, dice: Dice, name: str, rate: float) -> None:
        self.ledger = ledger
        self.cast = cast
        self.dice = dice
        self.name = name
        self.rate = rate
        self.habits: list[Habit] = []

    # -- when ----------------------------------------------------------------------------------

    def every(
        self,
        act: Callable[[int], None],
        period_us: float,
        jitter: float = 0.02,
        when: Presence = always,
    ) -> None:
        """``act`` by the clock, or at random if ``jitter`` is 1."""
        self.habits.append(Habit(self.ledger, act, period_us, jitter, when, of=self.name))

    def once(self, act: Callable[[int], None], at: int) -> None:
        """``act`` at one moment, µs UTC."""
        habit = Habit(self.ledger, act, _NEVER, 0, always, of=self.name)
        habit.next_us = at
        self.habits.append(habit)

    def moments(self, low: int, high: int) -> list[int]:
        """A drawn number of moments in a week from the office's beginning, µs UTC."""
        start = self.ledger.start_us
        return [
            start + int(self.dice.random() * 7 * DAY) for _ in range(self.dice.count(low, high))
        ]

    # -- who and where -------------------------------------------------------------------------

    def adds(self, name: str, kind: Kind = Kind.SMALL) -> Device:
        """A machine that comes with the habit."""
        number = self.cast.take()
        device = Device(self.ledger.inside(number), self.ledger.new_mac(), f"{name}-{number}", kind)
        self.cast.things.append(self.ledger.join(device))
        return device

    def server(self) -> Device:
        """The office's server, or one that comes with the habit."""
        return self.cast.server or self.adds("server", Kind.UNIX)

    def controller(self) -> Device:
        """The domain's controller, or the server in its place."""
        return self.cast.controller or self.server()

    def pc(self) -> Device:
        """One of the office's PCs."""
        return self.dice.choice(self.cast.pcs) if self.cast.pcs else self.adds("pc", Kind.WINDOWS)

    def pcs(self, low: float = 0.2, high: float = 1.0) -> list[Device]:
        """A drawn share of the office's PCs, one at least."""
        return self.dice.some(self.cast.pcs, low, high) or [self.pc()]

    def phones(self) -> list[Device]:
        """A drawn share of its telephones, one at least."""
        return self.dice.some(self.cast.phones) or [self.adds("phone", Kind.APPLE)]

    def dark(self) -> bytes:
        """An address inside that nobody has, and nobody will."""
        return self.ledger.inside(self.cast.take())

    def bare(self) -> bytes:
        """An address outside that no name leads to."""
        return V4_PREFIX + (_OUTSIDE | self.dice.getrandbits(17)).to_bytes(4, "big")

    def elsewhere(self) -> bytes:
        """A private address of some other network."""
        return V4_PREFIX + bytes((10, *(self.dice.randrange(1, 250) for _ in range(3))))

    def place(self) -> int:
        """A named place outside that few others visit."""
        return self.dice.randrange(500, len(PLACES))

    def home(self, unnamed: float = 0.3) -> Where:
        """Where a maker's devices report: a name, or an address that is baked in."""
        return self.bare() if self.dice.chance(unnamed) else self.place()

    # -- what ----------------------------------------------------------------------------------

    def reach(self, at: int, who: Device, where: Where) -> tuple[int, bytes]:
        """Look ``where`` up as far as that is needed: µs at which its address is known, and it."""
        if isinstance(where, Device):
            if self.dice.chance(0.1):
                self.ledger.arp(at, who, where)
            return at, where.address
        if isinstance(where, bytes):
            return at, where
        return self.ledger.look_up(at, who, where), PLACES[where]

    def call(
        self,
        at: int,
        who: Device,
        where: Where,
        port: int,
        moved: tuple[int, int] = (400, 400),
        lasts: int = SECOND // 5,
        shown: Says = NOTHING_SHOWN,
    ) -> None:
        """A connection: bytes up and down ``moved`` in ``lasts`` µs; over TLS, if a program is ``shown``."""
        begun, address = self.reach(at, who, where)
        call = Call(who.address, address, port)
        program, facts = _parted(shown)
        if program is not None:
            lasts = max(lasts, 3 * _HELLO_US)
        self.ledger.flow(begun, call, up=moved[0], down=moved[1], last_us=lasts, shown=facts)
        if program is not None:
            self._greet(begun, call, program, where)

    def datagrams(
        self,
        at: int,
        who: Device,
        where: Where,
        port: int,
        moved: tuple[int, int] = (100, 100),
        lasts: int = SECOND // 20,
        shown: Shown = NOTHING_SHOWN,
    ) -> None:
        """The same over UDP; one each way if ``lasts`` is short."""
        begun, address = self.reach(at, who, where)
        beats = (lasts,) if lasts < SECOND else ()
        self.ledger.flow(begun, Call(who.address, address, port, UDP), up=moved[0], down=moved[1],
                         last_us=lasts, beats=beats, shown=shown)  # fmt: skip

    def keeps(
        self,
        at: int,
        who: Device,
        where: Where,
        port: int,
        pace: Pace,
        moved: tuple[int, int],
        shown: Says = NOTHING_SHOWN,
    ) -> None:
        """A connection that is held open, in which ``moved`` bytes pass at every beat of its ``pace``."""
        begun, address = self.reach(at, who, where)
        step = max(pace.gap_us, 15 * SECOND)  # parts are no shorter
        beats = [600_000, *range(step, max(pace.lasts, step + 1), step)]
        call = Call(who.address, address, port, pace.proto)
        number = pace.lasts // pace.gap_us + 1
        program, facts = _parted(shown)
        self.ledger.flow(begun, call, up=moved[0] * number, down=moved[1] * number,
                         last_us=beats[-1], beats=beats, shown=facts)  # fmt: skip
        if program is not None:
            self._greet(begun, call, program, where)

    def _greet(self, at: int, call: Call, program: Program, where: Where) -> None:
        """The handshake of the flow that was written last; who calls an address names no server."""
        if isinstance(where, int):
            self.ledger.hello(at, call, program, where)
            return
        mark = 1 + int.from_bytes(call.resp[12:], "big") * 0x2545F4914F6CDD1D % (1 << 61)
        version = min(program.version, (TLS_1_2, TLS_1_3)[mark & 1])
        shown = (0, 0, 0)
        if version == TLS_1_2:
            marks = CertFlag.SEEN | (CertFlag.SELF_SIGNED if mark & 2 else 0)
            shown = ((398, 825, 3_650, 7_300)[mark >> 2 & 3], 30 + mark % 300, int(marks))
        ja4 = f"{program.first[:3]}i{program.first[4:]}"
        asked = (program.version, "", call.proto, ja4, int(program.flags))
        chosen = (version, 0xC02F if version == TLS_1_2 else 0x1301, int(program.alpn), mark, 0)
        head = (at + _HELLO_US, self.ledger.flows, call.orig, call.resp, call.resp_p)
        self.ledger.written.append((at + _HELLO_US, TLS, (*head, *asked, *chosen, *shown, 0)))

    def pours(self, at: int, who: Device, group: bytes, port: int, pace: Pace, size: int) -> None:
        """A datagram of ``size`` bytes to many at every beat of its ``pace``, or to one who never answers."""
        packets = pace.lasts // pace.gap_us + 1
        call = Call(who.address, group, port, UDP)
        self.ledger.one_way(at, call, packets=packets, size=size, last_us=pace.lasts)

    def silence(self, at: int, who: Device, where: Where, port: int, proto: int = TCP) -> None:
        """A call that nobody takes; inside, only the question for a dark address is heard."""
        begun, address = self.reach(at, who, where)
        if isinstance(where, bytes) and address.startswith(self.ledger.prefix):
            self.seeks(begun, who, address)
        else:
            self.ledger.unanswered(begun, who.address, address, port, proto)

    def refused(self, at: int, who: Device, where: Where, port: int) -> None:
        """A call that is answered by a reset."""
        begun, address = self.reach(at, who, where)
        self.ledger.refused(begun, who.address, address, port)

    def seeks(self, at: int, who: Device, address: bytes, tries: int = 3) -> None:
        """ARP for an address that nobody has."""
        nobody = Device(address, 0, "")
        for number in range(tries):
            self.ledger.arp(at + number * SECOND, who, nobody, answered=False)

    def ping(self, at: int, who: Device, other: Device | bytes) -> None:
        """An echo and its reply."""
        address = other if isinstance(other, bytes) else other.address
        wait = self.dice.count(300, 40_000)
        self.ledger.flow(at, Call(who.address, address, 0, ICMP, 8), up=56, down=56,
                         last_us=wait, beats=(wait,))  # fmt: skip

    def holds(self, low: int = HOUR, high: int = 12 * HOUR) -> int:
        """How long one of its connections is held, µs: those of days are written in pieces of this."""
        return int(self.dice.wide(low, high))

    def everyone(self) -> Sequence[Device]:
        """All machines of the office at this moment, the habits' own among them."""
        return self.cast.everyone()


def _parted(says: Says) -> tuple[Program | None, Shown]:
    if isinstance(says, Over):
        return says
    if isinstance(says, Program):
        return says, NOTHING_SHOWN
    return None, says or NOTHING_SHOWN

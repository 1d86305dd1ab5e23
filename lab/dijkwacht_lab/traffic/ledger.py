"""Rows being written: one method a thing that can be seen on the wire."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from dijkwacht_lab.traffic.world import NAMES, PLACES, spread
from dijkwacht_records.addresses import UNSPECIFIED, V4_PREFIX
from dijkwacht_records.tables import NO_ANSWER, TABLE, TABLES, ConnState, FlowState, Row

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

FLOWS, DNS, TLS, DHCP, ARP, SYSTEM, AGENT = (
    TABLES.index(TABLE[name]) for name in ("flows", "dns", "tls", "dhcp", "arp", "system", "agent")
)
TCP, UDP, ICMP = 6, 17, 1
S0, S1, SF, REJ = (
    int(state) for state in (ConnState.S0, ConnState.S1, ConnState.SF, ConnState.REJ)
)
OPEN, UPDATE, END = (int(state) for state in (FlowState.OPEN, FlowState.UPDATE, FlowState.END))

_QUIET_US: Final = 60 * SECOND  # a flow without an end of its own is over after this much silence
_PART_US: Final = 15 * SECOND
_SYN, _SYN_ACK_DATA, _DATA, _CLOSE, _REFUSE = 0x02, 0x1A, 0x18, 0x11, 0x14
_OPENING: Final = (_SYN | _DATA, _SYN_ACK_DATA)
_SEGMENT = 1400
_AGENT_WIDTH: Final = len(TABLE["agent"].columns) - 1


@dataclass(slots=True)
class Device:
    """Something with a network card."""

    address: bytes
    mac: int
    name: str
    cache: dict[int, int] = field(default_factory=dict)
    """Place → µs until which its address needs no look-up."""


class Call(NamedTuple):
    """Who calls whom; ``orig_p`` 0 lets the ledger choose."""

    orig: bytes
    resp: bytes
    resp_p: int
    proto: int = TCP
    orig_p: int = 0


_Ends = tuple[tuple[bytes, bytes, int, int, int], tuple[int, int]]
"""What all parts of a flow share: (orig, resp, orig_p, resp_p, proto) and which ends are local."""


class Ledger:
    """One office: its addresses, its dice, and the rows written but not yet handed out."""

    def __init__(self, rng: random.Random, start_us: int) -> None:
        self.rng = rng
        self.start_us = start_us
        self.written: list[tuple[int, int, Row]] = []
        """(µs at which the agent makes the row, table number, row), unsorted."""
        self.prefix = V4_PREFIX + (
            bytes((10, rng.randrange(256), rng.randrange(256)))
            if rng.random() < 0.4
            else bytes((192, 168, rng.randrange(256)))
        )
        self.offset = rng.randrange(len(PLACES))
        self.flows = rng.getrandbits(40) << 20
        self.gateway = Device(self.inside(1), self.new_mac(), "gateway")
        self.packets = 0

    def inside(self, host: int) -> bytes:
        """The office's address number ``host``, 1 to 254."""
        return self.prefix + bytes((host,))

    def new_mac(self) -> int:
        """A made-up hardware address, locally administered."""
        return 0x020000000000 | self.rng.getrandbits(40)

    def place(self) -> int:
        """A destination outside by Zipf's law: half the visits go where everybody goes."""
        rank = int(len(PLACES) ** self.rng.random()) - 1
        return rank if rank & 1 else (rank * 7919 + self.offset) % len(PLACES)

    # -- flows ---------------------------------------------------------------------------------

    def flow(
        self,
        at: int,
        call: Call,
        *,
        up: int,
        down: int,
        last_us: int,
        beats: Sequence[int] = (),
    ) -> int:
        """An answered flow of ``up`` and ``down`` payload bytes over ``last_us``; returns its id.

        ``beats`` are the offsets (µs, rising) at which it moves when it does not move all the time.
        """
        self.flows += 1
        ends = self._ends(call)
        closes = call.proto == TCP
        if not beats:
            if last_us < SECOND and closes:
                flags = _SYN | _DATA | _CLOSE, _SYN_ACK_DATA | _CLOSE
                self._part(at + last_us, at, 0, END, ends, SF, flags, (up, down, 3))
                return self.flows
            beats = (min(last_us, 600_000), *range(_PART_US, last_us, _PART_US), last_us)
        parts = len(beats)
        share_up, share_down = up // parts, down // parts
        begun = S1 if closes else SF
        for part, offset in enumerate(beats[:-1] if closes else beats):
            flags = (0, 0) if not closes else (_DATA, _DATA) if part else _OPENING
            moved = share_up, share_down, 2 * (closes and not part)
            self._part(at + offset, at, part, UPDATE if part else OPEN, ends, begun, flags, moved)
        if closes:
            moved = up - share_up * (parts - 1), down - share_down * (parts - 1), 1
            flags = _DATA | _CLOSE, _DATA | _CLOSE
            self._part(at + beats[-1], at, parts - 1, END, ends, SF, flags, moved)
        else:
            row = (at + beats[-1], at, self.flows, parts, END, *ends[0],
                   0, SF, 0, 0, 0, 0, 0, 0, *ends[1])  # fmt: skip
            self.written.append((at + beats[-1] + _QUIET_US, FLOWS, row))
        return self.flows

    def unanswered(self, at: int, orig: bytes, resp: bytes, resp_p: int, proto: int = TCP) -> None:
        """A call that nobody takes: SYNs at 0, 1, 3 s, or datagrams into the void."""
        self.flows += 1
        orig_p = 32768 + self.flows % 28_000
        local = int(orig.startswith(self.prefix)), int(resp.startswith(self.prefix))
        flags, size, last = (_SYN, 0, 3 * SECOND) if proto == TCP else (0, 140, 2 * SECOND)
        head = (orig, resp, orig_p, resp_p, proto, 0, S0, flags, 0)
        self.written.append(
            (at + SECOND, FLOWS, (at, at, self.flows, 0, OPEN, *head, 1, 0, size, 0, *local))
        )
        end = (at + last, at, self.flows, 1, END, *head, 2, 0, 2 * size, 0, *local)
        self.written.append((at + last + _QUIET_US, FLOWS, end))

    def refused(self, at: int, orig: bytes, resp: bytes, resp_p: int) -> None:
        """A connection answered by a reset."""
        self.flows += 1
        ends = self._ends(Call(orig, resp, resp_p))
        self._part(at + 900, at, 0, END, ends, REJ, (_SYN, _REFUSE), (0, 0, 0))

    def _ends(self, call: Call) -> _Ends:
        orig, resp, resp_p, proto, orig_p = call
        local = int(orig.startswith(self.prefix)), int(resp.startswith(self.prefix))
        return (orig, resp, orig_p or 32768 + self.flows % 28_000, resp_p, proto), local

    def _part(
        self, time: int, start: int, part: int, state: int, ends: _Ends, conn: int,
        flags: tuple[int, int], moved: tuple[int, int, int],
    ) -> None:  # fmt: skip
        """Write one part. ``flags``: of originator and responder.

        ``moved``: payload bytes up and down, and packets without any (handshake, close).
        """
        up, down, control = moved
        head, local = ends
        tcp = head[4] == TCP
        sent = -(-up // _SEGMENT)
        got = -(-down // _SEGMENT)
        row = (time, start, self.flows, part, state, *head, 0, conn, *flags,
               max(sent + (got >> 1 if tcp else 0) + control, 1),
               max(got + (sent >> 1 if tcp else 0) + control, 1), up, down, *local)  # fmt: skip
        self.packets += sent + got
        self.written.append((time, FLOWS, row))

    # -- names ---------------------------------------------------------------------------------

    def ask(
        self, at: int, host: Device, name: str, qtype: int = 1, rcode: int = 0, answers: int = 1
    ) -> int:
        """A question to the gateway and its answer; returns the µs at which the answer is there."""
        wait = 1_500 + self.rng.getrandbits(15)
        size = 30 + len(name) + (28 if qtype == 28 else 16) * answers
        ask, tell = (host.address, self.gateway.address, 53, name, qtype), at + wait
        self.written.append((at, DNS, (at, *ask, 1, NO_ANSWER, 0, 0)))
        self.written.append((tell, DNS, (tell, *ask, 0, rcode, answers, size)))
        self.flow(
            at, Call(host.address, self.gateway.address, 53, UDP), up=18 + len(name), down=size,
            last_us=wait, beats=(wait,),
        )  # fmt: skip
        return tell

    def shout(self, at: int, host: Device, name: str, port: int) -> None:
        """An mDNS or LLMNR question to everybody."""
        group = V4_PREFIX + (b"\xe0\x00\x00\xfb" if port == 5353 else b"\xe0\x00\x00\xfc")
        self.written.append(
            (at, DNS, (at, host.address, group, port, name, 12, 1, NO_ANSWER, 0, 0))
        )
        self.unanswered(at, host.address, group, port, UDP)

    def visit(
        self, at: int, host: Device, place: int, up: int, down: int, last_us: int, port: int = 443
    ) -> None:
        """Look a place up unless its address is known, connect, say hello, move bytes."""
        if host.cache.get(place, 0) < at:
            if len(host.cache) > 600:
                host.cache = {known: until for known, until in host.cache.items() if until > at}
            host.cache[place] = at + (60 << spread(place, 6)) * SECOND
            if self.rng.random() < 0.6:
                self.ask(at, host, NAMES[place], 28, answers=place & 1)
            at = self.ask(at, host, NAMES[place], 1, answers=1 + place % 3)
        luck = self.rng.random()
        if luck < 0.012:
            self.unanswered(at, host.address, PLACES[place], port)
        elif luck < 0.018:
            self.refused(at, host.address, PLACES[place], port)
        elif port == 443 and luck > 0.9:  # QUIC
            self.flow(at, Call(host.address, PLACES[place], port, UDP), up=up, down=down,
                      last_us=last_us)  # fmt: skip
        else:
            flow_id = self.flow(at, Call(host.address, PLACES[place], port), up=up, down=down,
                                last_us=last_us)  # fmt: skip
            if port in (443, 993):
                hello = at + 20_000
                version = 0x0304 if place % 8 else 0x0303
                self.written.append((
                    hello, TLS,
                    (hello, flow_id, host.address, PLACES[place], port, version, NAMES[place]),
                ))  # fmt: skip

    # -- the rest ------------------------------------------------------------------------------

    def arp(self, at: int, asker: Device, other: Device, *, answered: bool = True) -> None:
        """Who has ``other``'s address? And its answer."""
        claim = (asker.mac, asker.mac, asker.address)
        self.written.append((at, ARP, (at, 1, *claim, 0, other.address)))
        if answered:
            at += 300
            claim = (other.mac, other.mac, other.address)
            self.written.append((at, ARP, (at, 2, *claim, asker.mac, asker.address)))

    def lease(self, at: int, host: Device, *, arrives: bool) -> None:
        """A device gets an address, or keeps the one it has."""
        server = self.gateway.address
        if arrives:
            asked = (at, host.mac, 1, UNSPECIFIED, host.address, UNSPECIFIED, host.name)
            offered = (at + 900, host.mac, 2, host.address, UNSPECIFIED, server, "")
            self.written += [(at, DHCP, asked), (at + 900, DHCP, offered)]
            at += 2_000
        known = (UNSPECIFIED, host.address) if arrives else (host.address, UNSPECIFIED)
        wanted = (at, host.mac, 3, *known, server if arrives else UNSPECIFIED, host.name)
        given = (at + 1_100, host.mac, 5, host.address, UNSPECIFIED, server, "")
        self.written += [(at, DHCP, wanted), (at + 1_100, DHCP, given)]

    def metric(self, at: int, name: str, value: float) -> None:
        """One reading of the machine the agent runs on."""
        self.written.append((at, SYSTEM, (at, name, value)))

    def heartbeat(self, at: int) -> None:
        """The agent's own health: all well."""
        health = (self.packets, self.packets, *(0,) * (_AGENT_WIDTH - 2))
        self.written.append((at, AGENT, (at, *health)))

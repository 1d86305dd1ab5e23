"""Who is in a made-up office, how each speaks TCP, what its DNS has told, and the rows written so far."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from dijkwacht_agent.memory.accounts import AccountsTried
from dijkwacht_agent.memory.answered_names import AnsweredNames
from dijkwacht_lab.traffic.programs import BROWSER, Program
from dijkwacht_lab.traffic.world import PLACES
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.hints import OPTIONS, WINDOW, SynOptions, SynWindow
from dijkwacht_records.tables import TABLE, TABLES, Row

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

FLOWS, DNS, TLS, DHCP, ARP, SYSTEM, AGENT, RPC, AUTH, TALKS = (
    TABLES.index(TABLE[name])
    for name in (
        "flows", "dns", "tls", "dhcp", "arp", "system", "agent", "rpc", "auth", "talks",
    )
)  # fmt: skip
TCP, UDP, ICMP = 6, 17, 1


class Kind(Enum):
    """What a device's network code is: the hints of the SYNs that it sends."""

    WINDOWS = OPTIONS.put(SynOptions.TWELVE) | WINDOW.put(SynWindow.LARGE)
    UNIX = OPTIONS.put(SynOptions.TWENTY) | WINDOW.put(SynWindow.LARGE)  # Linux, Android
    APPLE = OPTIONS.put(SynOptions.MORE) | WINDOW.put(SynWindow.LARGE)
    APPLIANCE = OPTIONS.put(SynOptions.EIGHT) | WINDOW.put(SynWindow.LARGE)
    SMALL = OPTIONS.put(SynOptions.FOUR) | WINDOW.put(SynWindow.SMALL)  # a few KiB of memory


@dataclass(slots=True)
class Device:
    """Something with a network card."""

    address: bytes
    mac: int
    name: str
    kind: Kind = Kind.WINDOWS
    browser: Program = BROWSER
    hides: bool = False
    """It asks a resolver over TLS, so that nobody sees what it is told."""
    cache: dict[int, int] = field(default_factory=dict)
    """Place → µs until which its address needs no look-up."""


class Call(NamedTuple):
    """Who calls whom; ``orig_p`` 0 lets the ledger choose."""

    orig: bytes
    resp: bytes
    resp_p: int
    proto: int = TCP
    orig_p: int = 0


class Site:
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
        self.packets = 0
        self.names = AnsweredNames()
        """As the agent's own: who was told which address."""
        self.accounts = AccountsTried()
        self._syn: dict[bytes, int] = {}
        self.devices: dict[bytes, Device] = {}
        """Who has which address, the last to have joined."""
        self.gateway = self.join(Device(self.inside(1), self.new_mac(), "gateway", Kind.UNIX))
        self.leases_from = self.gateway.address
        """The server of DHCP, but for those hardware addresses that have one of their own."""
        self.leases_of: dict[int, bytes] = {}

    def join(self, device: Device) -> Device:
        """``device`` is in the office from now on: its SYNs are of its kind."""
        self._syn[device.address] = device.kind.value
        self.devices[device.address] = device
        return device

    def syn(self, address: bytes) -> int:
        """Hints of the SYNs that ``address`` sends; those of Windows if nobody knows it."""
        return self._syn.get(address, Kind.WINDOWS.value)

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

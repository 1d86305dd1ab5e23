"""Rows being written: one method a thing that can be seen on the wire."""

from __future__ import annotations

from typing import Final

from dijkwacht_lab.traffic.names_written import NamesWritten
from dijkwacht_lab.traffic.site import (
    AGENT,
    ARP,
    DAY,
    DHCP,
    HOUR,
    ICMP,
    MINUTE,
    SECOND,
    SYSTEM,
    TCP,
    UDP,
    Call,
    Device,
    Kind,
)
from dijkwacht_records.addresses import UNSPECIFIED
from dijkwacht_records.tables import TABLE

__all__ = [
    "DAY", "HOUR", "ICMP", "MINUTE", "SECOND", "TCP", "UDP", "Call", "Device", "Kind", "Ledger",
]  # fmt: skip

_AGENT_WIDTH: Final = len(TABLE["agent"].columns) - 1


class Ledger(NamesWritten):
    """One office: flows, names and hellos, and what else an agent says of its network and machine."""

    def arp(self, at: int, asker: Device, other: Device, *, answered: bool = True) -> None:
        """Who has ``other``'s address? And its answer."""
        claim = (asker.mac, asker.mac, asker.address)
        carries = asker is self.gateway, other is self.gateway
        self.written.append((at, ARP, (at, 1, *claim, 0, other.address, int(carries[0]))))
        if answered:
            at += 300
            claim = (other.mac, other.mac, other.address)
            row = (at, 2, *claim, asker.mac, asker.address, int(carries[1]))
            self.written.append((at, ARP, row))

    def tells_all(self, at: int, mac: int, address: bytes, times: int = 1) -> None:
        """A gratuitous ARP reply, a second apart: ``address`` is now at ``mac``."""
        for number in range(times):
            begun = at + number * SECOND
            self.written.append((begun, ARP, (begun, 2, mac, mac, address, 0, address, 0)))

    def lease(self, at: int, host: Device, *, arrives: bool, server: bytes = UNSPECIFIED) -> None:
        """A device gets an address, or keeps the one it has; from the office's own server if none is named."""
        if server == UNSPECIFIED:
            server = self.leases_of.get(host.mac, self.leases_from)
        xid = self.rng.getrandbits(32)
        wish = 1 + host.kind.value * 2_027 % 0xFFFF  # each kind asks for its own options
        if arrives:
            asked = (at, host.mac, 1, UNSPECIFIED, host.address, UNSPECIFIED, host.name, xid, wish)
            offered = (at + 900, host.mac, 2, host.address, UNSPECIFIED, server, "", xid, 0)
            self.written += [(at, DHCP, asked), (at + 900, DHCP, offered)]
            at += 2_000
        known = (UNSPECIFIED, host.address) if arrives else (host.address, UNSPECIFIED)
        wanted = (
            at, host.mac, 3, *known, server if arrives else UNSPECIFIED, host.name, xid, wish,
        )  # fmt: skip
        given = (at + 1_100, host.mac, 5, host.address, UNSPECIFIED, server, "", xid, 0)
        self.written += [(at, DHCP, wanted), (at + 1_100, DHCP, given)]

    def metric(self, at: int, name: str, value: float) -> None:
        """One reading of the machine the agent runs on."""
        self.written.append((at, SYSTEM, (at, name, value)))

    def heartbeat(self, at: int) -> None:
        """The agent's own health: all well."""
        health = (self.packets, self.packets, *(0,) * (_AGENT_WIDTH - 2))
        self.written.append((at, AGENT, (at, *health)))

"""Rows of a capture, moved into an office: as if it had happened to one of its machines, at another time.

The machine's address becomes that of a machine of the office in whatever column it stands, and its hardware
address too. Private machines that spoke to it become others of the office; who was only called within its subnet
stays nobody, in the office's subnet. Whatever is outside stays.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dijkwacht_collector.engine.findings import is_inside
from dijkwacht_lab.traffic.site import Device
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.table import Column
from dijkwacht_records.tables import (
    AGENT,
    ARP,
    DHCP,
    DNS,
    FLOWS,
    HARDWARE_ADDRESSES,
    NDP,
    SYSTEM,
    TABLES,
    Row,
    Value,
)

NumberedRow = tuple[int, Row]
"""(table number, row)"""
_V4_NETWORK: Final = 15
"""Bytes of a mapped address that name its network of 256."""
_FIRST_FLOW: Final = 1 << 61
_FLOWS_EACH: Final = 1 << 32
_NUMBER: Final = {table.name: number for number, table in enumerate(TABLES)}
_SENSORS_OWN: Final = frozenset({_NUMBER[AGENT.name], _NUMBER[SYSTEM.name]})
_HOLDERS: Final = {
    _NUMBER[ARP.name]: (ARP.index("sender_h"), ARP.index("sender_mac")),
    _NUMBER[DHCP.name]: (DHCP.index("client_h"), DHCP.index("client_mac")),
    _NUMBER[NDP.name]: (NDP.index("orig_h"), NDP.index("link_mac")),
}
"""Table → columns of an address and of the hardware address that has it."""
_LOCAL: Final = tuple(
    (FLOWS.index(f"{end}_h"), FLOWS.index(f"local_{end}")) for end in ("orig", "resp")
)
"""Columns of an end of a flow, and of whether that is inside."""
_DOMAIN: Final = 53


@dataclass(frozen=True, slots=True)
class Office:
    """Where it goes: the machine that it befalls, the others, and who answers for the outside."""

    host: Device
    others: Sequence[Device]
    gateway: Device


@dataclass(frozen=True, slots=True)
class Roles:
    """Whom each becomes: address → address, hardware address → hardware address."""

    addresses: Mapping[Value, bytes]
    macs: Mapping[Value, int]


def cast_roles(rows: Sequence[NumberedRow], machine: bytes, office: Office) -> Roles:
    """Who of ``office`` takes whose part in ``rows``; ``machine`` becomes its host.

    Whoever is asked for names is the gateway, the first of them; the others that spoke are taken by how many
    rows they have, as long as there are machines to play them.
    """
    spoke, resolvers, seen = _speakers(rows)
    roles: dict[Value, Device] = {machine: office.host}
    asked = [address for address, _ in resolvers.most_common() if address != machine]
    if asked:
        roles[asked[0]] = office.gateway
    free = iter(office.others)
    for address, _ in spoke.most_common():
        if address not in roles and (device := next(free, None)) is not None:
            roles[address] = device
    addresses: dict[Value, bytes] = {old: device.address for old, device in roles.items()}
    for address in seen - set(addresses):
        if address[:_V4_NETWORK] == machine[:_V4_NETWORK] and machine.startswith(V4_PREFIX):
            new = office.host.address[:_V4_NETWORK] + address[_V4_NETWORK:]
            if new == office.host.address:  # it must not be the machine itself
                new = office.host.address[:_V4_NETWORK] + machine[_V4_NETWORK:]
            addresses[address] = new
    macs = {
        row[mac]: roles[row[address]].mac
        for number, row in rows
        if number in _HOLDERS
        for address, mac in (_HOLDERS[number],)
        if row[address] in roles and row[mac]
    }
    return Roles(addresses, macs)


def transplanted(
    rows: Sequence[NumberedRow], roles: Roles, host: bytes, begin: int, number: int
) -> Iterator[NumberedRow]:
    """``rows`` with their ``roles``, the first at ``begin`` (µs UTC); ``number`` tells its flows from others'.

    What the sensor said of itself and its own machine stays behind.
    """
    first = min((int(row[0]) for _, row in rows), default=0)
    flows: dict[Value, int] = {}

    def moved(column: Column, value: Value) -> Value:
        if column.unit == "µs UTC":
            return int(value) - first + begin
        if column.kind == "addr":
            return roles.addresses.get(value, value)
        if column.name == "flow_id":
            return _FIRST_FLOW + number * _FLOWS_EACH + flows.setdefault(value, len(flows))
        return roles.macs.get(value, value) if column.name in HARDWARE_ADDRESSES else value

    for table, row in rows:
        if table in _SENSORS_OWN:
            continue
        values = list(map(moved, TABLES[table].columns, row))
        if table == _NUMBER[FLOWS.name]:
            for end, local in _LOCAL:
                values[local] = 1 if values[end] == host else values[local]
        yield table, tuple(values)


def merged(*recordings: Iterable[NumberedRow]) -> Iterator[NumberedRow]:
    """Rows of several recordings by the time that each has reached; its own order is kept."""
    for _, _, numbered in heapq.merge(*map(_reached, range(len(recordings)), recordings)):
        yield numbered


def _reached(
    place: int, rows: Iterable[NumberedRow]
) -> Iterator[tuple[int, tuple[int, int], NumberedRow]]:
    clock = 0
    for count, (number, row) in enumerate(rows):
        clock = max(clock, int(row[0]))
        yield clock, (place, count), (number, row)


def _speakers(rows: Iterable[NumberedRow]) -> tuple[Counter[bytes], Counter[bytes], set[bytes]]:
    """Private IPv4 machines that sent something, those that are asked for names, and all that are named."""
    spoke, resolvers, seen = Counter[bytes](), Counter[bytes](), set[bytes]()
    for number, row in rows:
        table = TABLES[number]
        for at, column in enumerate(table.columns):
            if column.kind == "addr":
                seen.add(row[at])  # type: ignore[arg-type]  # as its column says
        if table is FLOWS:
            spoke[row[FLOWS.index("orig_h")]] += 1  # type: ignore[index]
            if row[FLOWS.index("resp_pkts")]:
                spoke[row[FLOWS.index("resp_h")]] += 1  # type: ignore[index]
        elif table is ARP:
            spoke[row[ARP.index("sender_h")]] += 1  # type: ignore[index]
        elif table is DNS and row[DNS.index("resp_p")] == _DOMAIN:
            resolvers[row[DNS.index("resp_h")]] += 1  # type: ignore[index]
    inside = {one for one in seen if one.startswith(V4_PREFIX) and is_inside(one)}
    for counted in (spoke, resolvers):
        for address in set(counted) - inside:
            del counted[address]
    return spoke, resolvers, seen & inside

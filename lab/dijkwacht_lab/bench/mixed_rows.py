"""An office's rows in the mix that captures have: what an engine meets where something happens.

An ordinary office says more of names and less of everything else than the labelled captures, in which
flows are five rows of six. Here rows of an office are left out until the mix is theirs: flows stay,
and of the rest whole look-ups and all facts of a flow stay or go together. Of leases and ARP an office
has too few, so guests come and go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from dijkwacht_lab.traffic import WORKING_MORNING, new_ledger, rows_of
from dijkwacht_lab.traffic.devices import furnish
from dijkwacht_lab.traffic.habit import Habit, always
from dijkwacht_lab.traffic.ledger import SECOND, Device, Kind, Ledger
from dijkwacht_records.tables import TABLE, TABLES, Row

CAPTURED_SHARES: Final = {
    "flows": 83.54, "dns": 6.81, "arp": 4.60, "rpc": 1.45, "talks": 1.41, "tls": 0.97,
    "dhcp": 0.90, "auth": 0.31,
}  # fmt: skip
"""Percent of the rows that the agent's meter made of all 343 labelled captures, 251,296 in all.

``floods`` had two. A capture has no agent: its heartbeat and its machine's metrics, a few rows in a
thousand, come on top.
"""
_BESIDE: Final = {"agent": 0.3, "system": 0.3}
_HOSTS: Final = 25
_YEAR_US: Final = 365 * 86_400 * SECOND
_GUEST_COMES_US: Final = 40 * SECOND
_IS_SOUGHT_US: Final = 4 * SECOND

_DNS: Final = TABLES.index(TABLE["dns"])
_FLOWS: Final = TABLES.index(TABLE["flows"])
_IDENTITY: Final = {
    _DNS: (1, 4, 5),  # who asked, for what
    TABLES.index(TABLE["dhcp"]): (7,),
    **dict.fromkeys((TABLES.index(TABLE[name]) for name in ("rpc", "auth", "talks", "tls")), (1,)),
}
"""Table number → columns by which rows stay or go together."""
_MOST_TOGETHER: Final = 4_096


def mixed_rows(seed: int) -> Iterator[tuple[int, Row]]:
    """A year's (table number, row) pairs of one office of 25 machines and its guests, mixed."""
    ledger = new_ledger(seed, WORKING_MORNING)
    habits = furnish(ledger, _HOSTS, 1.0, 60 * SECOND) + _guests(ledger)
    chooses = _mix()
    for number, row in rows_of(ledger, habits, WORKING_MORNING + _YEAR_US):
        if chooses(number, row):
            yield number, row


def _guests(ledger: Ledger) -> list[Habit]:
    """Telephones that come in and are sought, again and again."""
    rng = ledger.rng
    guests = [
        ledger.join(Device(ledger.inside(200 + n), ledger.new_mac(), f"guest-{n}", Kind.UNIX))
        for n in range(20)
    ]

    def come(at: int) -> None:
        ledger.lease(at, rng.choice(guests), arrives=True)

    def seek(at: int) -> None:
        ledger.arp(at, rng.choice(guests), ledger.gateway)

    return [
        Habit(ledger, come, _GUEST_COMES_US, 1, always),
        Habit(ledger, seek, _IS_SOUGHT_US, 1, always),
    ]


def _mix() -> Callable[[int, Row], bool]:
    """Whether a row stays: a table's rows do while it has less than its share of those that stayed."""
    shares = CAPTURED_SHARES | _BESIDE
    of_flows = shares["flows"]
    due = [shares.get(table.name, 0.0) / of_flows for table in TABLES]
    stayed = [0] * len(TABLES)
    together: dict[tuple[object, ...], bool] = {}

    def stays(number: int, row: Row) -> bool:
        if number == _FLOWS:
            stayed[_FLOWS] += 1
            return True
        key = (number, *(row[at] for at in _IDENTITY.get(number, ())))
        chosen = together.get(key) if len(key) > 1 else None
        if chosen is None:
            chosen = stayed[number] < due[number] * stayed[_FLOWS]
            if len(key) > 1:
                if len(together) >= _MOST_TOGETHER:
                    together.pop(next(iter(together)))
                together[key] = chosen
        stayed[number] += chosen
        return chosen

    return stays

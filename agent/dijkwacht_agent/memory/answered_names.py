"""Addresses that DNS gave as an answer within a day, and to which machines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dijkwacht_records.hints import Named

DAY_US: Final = 86_400_000_000
MAX_ADDRESSES: Final = 8_192
MAX_MACHINES: Final = 1_024
MAX_ASKERS: Final = 4
"""Machines that are told apart for one address: those that were answered last."""
SERVED: Final = 3
"""Flows of others to what one machine asked for, until it is taken for their resolver."""
_SECOND: Final = 1_000_000
_NUMBER: Final = 0xFFFF
_EVERYONE: Final = 0xFFFF
"""Stands for all machines, as number of an asker."""
_ASKERS_BITS: Final = 16 * MAX_ASKERS
_ASKERS: Final = (1 << _ASKERS_BITS) - 1
_NEVER_ASKED: Final = (0, 0)
# Members of an enumeration are slow to look up, and every flow asks for one.
_UNKNOWN, _NOBODY = Named.UNKNOWN, Named.NOBODY
_BY_ORIG, _BY_OTHER = Named.BY_ORIG, Named.BY_OTHER


class AnsweredNames:
    """Which addresses were named, and to whom. Addresses are of 4 or 16 bytes, times in µs.

    An address takes one number: when it was named last, above the numbers of those that asked for it.
    A machine's DNS is seen if the machine was answered within a day. Where a sensor sees one machine
    ask for all others, theirs is seen with it: it is the only one that was ever answered, and others
    have gone where it was told.
    """

    def __init__(self, addresses: int = MAX_ADDRESSES, machines: int = MAX_MACHINES) -> None:
        self._most_addresses, self._most_machines = addresses, machines
        self._named: dict[bytes, int] = {}  # address → second << 64 | askers, 16 bits each
        self._askers: dict[bytes, tuple[int, int]] = {}  # machine → number, last answered
        self._hiding: dict[bytes, int] = {}  # machine → when it last asked where nobody sees it
        self._last_number = 0
        self._served = 0

    def told(self, time: int, asker: bytes, addresses: Iterable[bytes]) -> None:
        """DNS answered ``asker`` with ``addresses``, perhaps none."""
        number, _ = self._askers.pop(asker, (0, 0))
        if not number:
            self._last_number = number = self._last_number % (_EVERYONE - 1) + 1
        _make_room(self._askers, self._most_machines)
        self._askers[asker] = number, time
        for address in addresses:
            self._name(time, number, address)

    def told_everyone(self, time: int, addresses: Iterable[bytes]) -> None:
        """An answer with ``addresses`` went to all machines (mDNS)."""
        for address in addresses:
            self._name(time, _EVERYONE, address)

    def hides(self, time: int, machine: bytes) -> None:
        """``machine`` has a resolver that it asks over TLS: what it is told cannot be seen."""
        self._hiding.pop(machine, None)
        _make_room(self._hiding, self._most_machines)
        self._hiding[machine] = time

    def named(self, time: int, orig: bytes, resp: bytes, *, inside: bool) -> Named:
        """Who had been given the address of ``resp``, to which ``orig`` begins a flow.

        ``inside``: ``orig`` is inside the site.
        """
        number, answered = self._askers.get(orig, _NEVER_ASKED)
        entry = self._named.get(resp)
        if entry is not None and time - (entry >> _ASKERS_BITS) * _SECOND < DAY_US:
            asker = entry & _NUMBER
            if asker == number or _holds(entry, number):
                return _BY_ORIG
            self._served += number == 0 and inside
            return _BY_OTHER
        if number:
            hidden = orig in self._hiding and time - self._hiding[orig] < DAY_US
            return _UNKNOWN if hidden or time - answered >= DAY_US else _NOBODY
        served = inside and self._served >= SERVED and len(self._askers) == 1
        return _NOBODY if served and orig not in self._hiding else _UNKNOWN

    def _name(self, time: int, number: int, address: bytes) -> None:
        """``address`` was given to the asker of this ``number``, which now comes first."""
        entry = self._named.pop(address, 0)
        if time - (entry >> _ASKERS_BITS) * _SECOND >= DAY_US:
            entry = 0  # whoever was given it then was so too long ago
        askers, place = number, 16
        if entry & _NUMBER == number:
            askers = entry & _ASKERS
        else:
            before = entry & _ASKERS
            while before and place < _ASKERS_BITS:
                if before & _NUMBER != number:
                    askers |= (before & _NUMBER) << place
                    place += 16
                before >>= 16
        _make_room(self._named, self._most_addresses)
        self._named[address] = time // _SECOND << _ASKERS_BITS | askers


def _holds(entry: int, number: int) -> bool:
    """Whether an address was given to the asker of this ``number``, or to everyone."""
    askers = entry & _ASKERS
    while askers:
        if askers & _NUMBER in {number, _EVERYONE}:
            return True
        askers >>= 16
    return False


def _make_room(known: dict[bytes, int] | dict[bytes, tuple[int, int]], most: int) -> None:
    """Forget what was heard of least recently, if there is no room for one more."""
    if len(known) >= most:
        del known[next(iter(known))]

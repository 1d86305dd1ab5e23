"""With whom a machine did it: the ends of findings, by which "this is normal" is told from what is not."""

from __future__ import annotations

from typing import Final

from dijkwacht_collector.incidents.incident import Ends, Evidence
from dijkwacht_records.addresses import UNSPECIFIED, format_address

MOST_ENDS: Final = 8
"""Ends that an incident names; what has more is about its subject, whoever is at the other end."""
_SOURCE_OF_MANY: Final = frozenset({"dos"})
"""Classes whose evidence names one source of any number, or one that is made up."""
_TARGET_OF_MANY: Final = frozenset({"scan", "arp", "dhcp", "new-device"})
"""Classes that are about what one machine does to all others: whoever the evidence names is one of them."""


NO_ENDS: Final = Ends("")


def peer_of(kind: str, machine: str, evidence: Evidence) -> str:
    """With whom ``machine`` did what is of class ``kind``, or who did it to the machine.

    >>> from dijkwacht_records.addresses import pack_address
    >>> who, whom = pack_address("10.0.0.7"), pack_address("203.0.113.9")
    >>> seen = Evidence(0, 1.0, who, 0, whom, 443)
    >>> peer_of("c2", "10.0.0.7", seen), peer_of("scan", "10.0.0.7", seen), peer_of("c2", "desk", seen)
    ('203.0.113.9', '', '')
    """
    if format_address(evidence.src_h) == machine:
        other, many = evidence.dst_h, _TARGET_OF_MANY
    elif format_address(evidence.dst_h) == machine:
        other, many = evidence.src_h, _SOURCE_OF_MANY
    else:  # a hardware address, an agent: nobody is at the other end
        return ""
    return "" if kind in many or other == UNSPECIFIED else format_address(other)


def begun_by(ends: Ends) -> tuple[Ends, ...]:
    """The ends of an incident that a finding between ``ends`` opens."""
    return (ends,) if ends.machine else ()


def with_ends(known: tuple[Ends, ...], new: Ends) -> tuple[Ends, ...]:
    """The ends of an incident that goes on; none once they are more than `MOST_ENDS`, or were not known.

    >>> with_ends((Ends("10.0.0.7"),), Ends("10.0.0.7"))
    (Ends(machine='10.0.0.7', peer=''),)
    >>> with_ends((), Ends("10.0.0.7"))
    ()
    """
    if not known or new in known:
        return known
    if not new.machine:
        return ()
    return (*known, new) if len(known) < MOST_ENDS else ()

"""Which closed list a column takes its numbers from, and what a number of it is called.

A column's ``unit`` names its list: of `vocabulary`, `rpc_interfaces`, `hints` or `tables`.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

from dijkwacht_records import vocabulary
from dijkwacht_records.hints import FIELDS
from dijkwacht_records.rpc_interfaces import RpcInterface
from dijkwacht_records.tables import ConnState, FlowState

_LISTS: Final = (FlowState, ConnState, RpcInterface, *vars(vocabulary).values())
LISTS: Final[dict[str, type[IntEnum | IntFlag]]] = {
    found.__name__: found
    for found in _LISTS
    if isinstance(found, type) and issubclass(found, IntEnum | IntFlag) and len(found)
}
"""By the unit of the columns that hold its numbers."""
HINTS: Final = "hints.Field"
"""The unit of a column that packs several lists into one number."""


def is_named(unit: str) -> bool:
    """Whether numbers of this ``unit`` stand for words."""
    return unit in LISTS or unit == HINTS


def name(unit: str, number: int) -> str:
    """What ``number`` of a closed list is called: the number itself where the list does not have it.

    >>> name("AuthService", 2), name("CertFlag", 9), name("RpcKind", 99)
    ('RDP', 'SEEN|EXPIRED', '99')
    >>> name("hints.Field", 0x29), name("hints.Field", 0)
    ('options=NONE|window=SCANNER|seq_is_dst', '')
    """
    if unit == HINTS:
        return "|".join(_hints(number))
    members = LISTS[unit]
    if issubclass(members, IntFlag):
        return "|".join(flag.name or "" for flag in members if flag & number)
    return next((member.name for member in members if member == number), str(number))


def _hints(number: int) -> list[str]:
    found = []
    for field, (place, values) in FIELDS.items():
        value = place.get(number)
        if value and issubclass(values, IntEnum):
            known = next((member.name for member in values if member == value), str(value))
            found.append(f"{field}={known}")
        elif value:
            found.append(field)
    return found

"""Versions of the contract: which columns each has, and which of them is written and read.

A version freezes the columns of every table. A column is only ever added at a table's end, with a
default, and makes a new version; so a version is how many columns it has of each table. A reader
of version N reads 1 to N: what a batch lacks has its default. From version 2 on a table may be added
without a new version, and one that a reader does not know is skipped and counted.

The collector says in every reply which versions it reads; an agent writes the highest that both know.
A batch of a version that is not read is busy, never rejected: it waits until there is a reader.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec


class Contract(msgspec.Struct, frozen=True):
    """One version. ``columns``: how many each table has, by its number on the wire.

    ``open``: other tables may stand in a batch beside these.
    """

    number: int
    columns: tuple[int, ...]
    open: bool = True

    def has(self, table: int) -> bool:
        """Whether it has the table of this number."""
        return table < len(self.columns)


CONTRACTS: Final = {
    contract.number: contract
    for contract in (
        Contract(1, (20, 10, 7, 7, 7, 3, 14), open=False),
        Contract(2, (21, 10, 19, 9, 8, 3, 19, 19, 13, 18, 14, 13)),
    )
}
"""All versions that this code has a layout for."""
READS: Final[tuple[int, ...]] = (1, 2)
"""What a collector takes, and says that it takes. A draft is none of them: it may change."""
WRITES: Final[tuple[int, ...]] = (1, 2)
"""What an agent may write: the highest of them that its collector reads."""
LATEST: Final = max(WRITES)
"""What is written where nobody asks for another."""


def choose(reads: Collection[int], writes: Collection[int] = WRITES) -> int:
    """The highest version that both sides know; the lowest that is written where they share none.

    >>> choose([1, 2, 3], writes=[1, 2]), choose([7], writes=[1, 2])
    (2, 1)
    """
    return max(set(reads) & set(writes), default=min(writes))

"""Which versions of the contract the collector reads, and so which one is written.

Known from joining, from every reply and from a refusal; kept in the state folder, so that an agent
that starts while the collector is away writes what it will read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

import msgspec

from dijkwacht_agent.settings import write_private
from dijkwacht_records.contracts import CONTRACTS, WRITES, choose
from dijkwacht_records.errors import Message
from dijkwacht_records.tables import FLOODS, TABLES

CONTRACTS_FILE: Final = "contracts.json"
FIRST: Final = (1,)
"""What the first collectors read, which do not say it."""
_HIGHEST: Final = 255
_FLOODS: Final = TABLES.index(FLOODS)


class Contracts:
    """What is known of the collector, kept in ``file``. ``reads``: in ascending order."""

    def __init__(self, file: Path, writes: Collection[int] = WRITES) -> None:
        self.reads = self._written = read_contracts(file)
        self._file, self._writes = file, writes

    @property
    def chosen(self) -> int:
        """The version to write."""
        return choose(self.reads, self._writes)

    @property
    def counts_floods(self) -> bool:
        """The version to write has the table ``floods``."""
        return len(CONTRACTS[self.chosen].columns) > _FLOODS

    def learn(self, reads: Iterable[int]) -> None:
        """The collector says that it reads ``reads``."""
        self.reads = plausible(reads)
        if self.reads != self._written:
            with contextlib.suppress(OSError):  # a full disk: the next reply says it again
                write_contracts(self._file, self.reads)
                self._written = self.reads


def read_contracts(file: Path) -> tuple[int, ...]:
    """What was written to ``file``; `FIRST` where there is nothing, or nothing that can be read."""
    try:
        return plausible(msgspec.json.decode(file.read_bytes(), type=list[int]))
    except (OSError, msgspec.MsgspecError):
        return FIRST


def write_contracts(file: Path, reads: Iterable[int]) -> None:
    """Note in ``file`` what the collector reads. Raises ``OSError`` naming it."""
    write_private(file, contracts_text(reads))


def contracts_text(reads: Iterable[int]) -> bytes:
    """The content of that file."""
    return msgspec.json.encode(plausible(reads))


def compared(reads: Collection[int], writes: Collection[int] = WRITES) -> Message:
    """What an owner reads of a collector that ``reads`` and an agent that ``writes`` these versions."""
    key = "contracts_shared" if set(reads) & set(writes) else "contracts_apart"
    return Message(key, {"writes": listed(writes), "reads": listed(reads)})


def listed(versions: Collection[int]) -> str | Message:
    """``versions`` as an owner reads them."""
    return ", ".join(map(str, sorted(versions))) or Message("no_version")


def plausible(reads: Iterable[int]) -> tuple[int, ...]:
    """Those of ``reads`` that can be a version's number, in ascending order."""
    return tuple(sorted({number for number in reads if 0 < number <= _HIGHEST}))

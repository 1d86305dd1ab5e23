"""Machines that were just told to do something, and by whom."""

from __future__ import annotations

from typing import Final

from dijkwacht_records.hints import CalledBack

FRESH_US: Final = 60_000_000
"""For so long a connection of the machine counts as called back."""
MAX_MACHINES: Final = 1024


class Commanded:
    """The latest command to each machine: addresses of 4 or 16 bytes, times in µs."""

    def __init__(self, limit: int = MAX_MACHINES) -> None:
        self._limit = limit
        self._latest: dict[bytes, tuple[int, bytes]] = {}

    def __len__(self) -> int:
        return len(self._latest)

    def note(self, time: int, machine: bytes, commander: bytes) -> None:
        """``commander`` made ``machine`` execute something; the oldest is forgotten for it."""
        self._latest.pop(machine, None)
        if len(self._latest) >= self._limit:
            del self._latest[next(iter(self._latest))]
        self._latest[machine] = time, commander

    def calls(self, time: int, orig: bytes, resp: bytes) -> CalledBack:
        """What a flow from ``orig`` to ``resp`` that begins at ``time`` is."""
        told, commander = self._latest.get(orig, (-FRESH_US, b""))
        if not 0 <= time - told < FRESH_US:
            return CalledBack.NO
        return CalledBack.COMMANDER if commander == resp else CalledBack.COMMANDED

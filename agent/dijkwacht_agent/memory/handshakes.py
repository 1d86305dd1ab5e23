"""How many hellos and certificates may be in the making at one time, and how much QUIC is decrypted."""

from __future__ import annotations

from typing import Final, Protocol

from dijkwacht_agent.budget import Budget

MAX_GROWING: Final = 256
"""Handshakes that may hold bytes for their next segment at one time."""
MAX_INITIALS: Final = 200
"""QUIC Initials decrypted in one second of event time."""


class Grower(Protocol):
    """Holds bytes until more come."""

    def forget(self) -> None:
        """Hold none: others need the room."""
        ...


class Handshakes:
    """What the handshakes of all flows share. ``shed``: how many lost their bytes to others."""

    def __init__(self, limit: int = MAX_GROWING, initials: int = MAX_INITIALS) -> None:
        self.initials = Budget(initials)
        self._limit = limit
        self._forgotten = 0
        self._growing: dict[Grower, None] = {}

    @property
    def shed(self) -> int:
        """Handshakes and Initials that were left unread."""
        return self._forgotten + self.initials.shed

    def hold(self, grower: Grower) -> None:
        """``grower`` holds bytes from now on; the oldest forgets its own if there are too many."""
        if grower in self._growing:
            return
        if len(self._growing) >= self._limit:
            oldest = next(iter(self._growing))
            del self._growing[oldest]
            oldest.forget()
            self._forgotten += 1
        self._growing[grower] = None

    def release(self, grower: Grower) -> None:
        """``grower`` holds nothing any more."""
        self._growing.pop(grower, None)

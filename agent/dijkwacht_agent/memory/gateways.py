"""Hardware addresses that carry traffic from and to outside the site: its gateways."""

from __future__ import annotations

from typing import Final

MAX_MACHINES: Final = 8
PROVEN_US: Final = 600_000_000
"""Who carries for so long is a gateway; who has just begun may have put itself in between."""
AT_WORK_US: Final = 60_000_000


class Gateways:
    """Learns from the first frames of flows. Hardware addresses are of 6 bytes, times in µs.

    The first that is seen to carry is a gateway at once; any other when it carries still, ten minutes
    after it began.
    """

    def __init__(self, limit: int = MAX_MACHINES) -> None:
        self._limit = limit
        self._first = b""
        self._carries: dict[bytes, tuple[int, int]] = {}  # since when, and when last

    def __contains__(self, machine: object) -> bool:
        if not isinstance(machine, bytes):
            return False
        begun, last = self._carries.get(machine, (0, 0))
        return machine == self._first != b"" or last - begun >= PROVEN_US

    def others_at_work(self, time: int, machine: bytes) -> bool:
        """Whether a gateway other than ``machine`` has carried in the minute before ``time``."""
        return any(
            other != machine and time - last <= AT_WORK_US and other in self
            for other, (_, last) in self._carries.items()
        )

    def carries(self, time: int, machine: bytes) -> None:
        """``machine`` sent a packet from outside, or was sent one to outside; groups carry nothing."""
        known = self._carries.get(machine)
        if known is not None:
            self._carries[machine] = known[0], time
        elif not machine[0] & 1 and (len(self._carries) < self._limit or self._forget()):
            self._first = self._first or machine
            self._carries[machine] = time, time

    def _forget(self) -> bool:
        """Drop who carried least recently of those that are no gateways; ``False`` if all are."""
        others = [machine for machine in self._carries if machine not in self]
        if others:
            del self._carries[min(others, key=lambda machine: self._carries[machine][1])]
        return bool(others)

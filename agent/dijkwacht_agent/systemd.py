"""Notify systemd that the agent is ready, that frames still move, and that it stops."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping


class Systemd:
    """Sends to the socket in ``NOTIFY_SOCKET``; does nothing without one."""

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        limit = environment.get("WATCHDOG_USEC", "")
        self._every_s = int(limit) / 4e6 if limit.isdigit() else None
        self._clock = clock
        self._notified = clock()

    def ready(self) -> None:
        """Everything is open and running."""
        self._notify("READY=1")

    def moved(self) -> None:
        """Frames, or at least time, went through the whole pipeline: called for nothing else."""
        now = self._clock()
        if self._every_s is not None and now - self._notified >= self._every_s:
            self._notified = now
            self._notify("WATCHDOG=1")

    def stopping(self) -> None:
        """The agent flushes and ends."""
        self._notify("STOPPING=1")

    def _notify(self, state: str) -> None:
        if self._address:
            with (
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
                contextlib.suppress(OSError),  # without systemd the frames must go on
            ):
                sender.setblocking(False)
                sender.connect(self._address)
                sender.send(state.encode())

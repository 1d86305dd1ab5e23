"""Tell systemd that the agent is ready, that frames still move, and that it stops."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping


class Systemd:
    """Speaks to the socket in ``NOTIFY_SOCKET``; silent without one."""

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        limit = environment.get("WATCHDOG_USEC", "")
        self._every_s = int(limit) / 4e6 if limit.isdigit() else None
        self._clock = clock
        self._told = clock()

    def ready(self) -> None:
        """Everything is open and running."""
        self._say("READY=1")

    def moved(self) -> None:
        """Frames, or at least time, went through the whole pipeline: called for nothing else."""
        now = self._clock()
        if self._every_s is not None and now - self._told >= self._every_s:
            self._told = now
            self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """The agent flushes and ends."""
        self._say("STOPPING=1")

    def _say(self, word: str) -> None:
        if self._address:
            with (
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
                contextlib.suppress(OSError),  # nobody listens: that must not stop the frames
            ):
                sender.setblocking(False)
                sender.connect(self._address)
                sender.send(word.encode())

"""A conversation that ends in time, however slowly the other end talks.

A socket's timeout bounds each wait and not their sum: who says a byte now and then would keep a thread
for as long as he likes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from types import TracebackType
from typing import Self


class Deadline:
    """Shuts what it watches ``limit_s`` after the block was entered, and raises ``TimeoutError`` for what came of that."""

    def __init__(self, limit_s: float) -> None:
        self._timer = threading.Timer(limit_s, self._end)
        self._timer.daemon = True
        self._turn = threading.Lock()
        self._watched: socket.socket | None = None
        self._passed = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def watch(self, line: socket.socket) -> None:
        """Bound what is said on ``line``, whatever is wrapped around it later."""
        with self._turn:
            if self._watched is None:
                self._watched = socket.socket(fileno=os.dup(line.fileno()))
                self._shut()

    def ensure(self) -> None:
        """Raises ``TimeoutError`` once it is over: what came last may have been cut short."""
        if self._passed:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._turn:
            if self._watched is not None:
                self._watched.close()
        if isinstance(error, Exception):
            self.ensure()

    def _end(self) -> None:
        with self._turn:
            self._passed = True
            self._shut()

    def _shut(self) -> None:
        if self._passed and self._watched is not None:
            with contextlib.suppress(OSError):  # it is closed, or the other end has gone
                self._watched.shutdown(socket.SHUT_RDWR)

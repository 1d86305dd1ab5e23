"""Ctrl-C that ends the reading, not the work: what was found until then is still told."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType
from typing import Final, Self, TypeVar

T = TypeVar("T")

_NAP_S: Final = 0.1
_SAID: Final = b"\r\x1b[Kstopping: what was found so far follows; Ctrl-C again ends at once\n"


class CtrlC:
    """Use as a context manager around `until` and what comes after it.

    Before the first item Ctrl-C interrupts as ever: nothing was found yet. From then on the first one
    ends `until`, and the second interrupts. ``came``: was there a first one?
    """

    def __init__(self) -> None:
        self.came = False
        self._holds = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._holds:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._holds = False

    def until(self, items: Iterable[T]) -> Iterator[T]:
        """Pass ``items`` on until Ctrl-C."""
        for item in items:
            if not self._holds:
                self._hold()
            if self.came:
                return
            yield item

    def sleep(self, seconds: float) -> None:
        """Sleep, but not on past Ctrl-C: a signal alone does not end `time.sleep`."""
        end = time.monotonic() + seconds
        while not self.came and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _NAP_S))

    def raise_if_came(self) -> None:
        """Raises ``KeyboardInterrupt`` now, if it was put off."""
        if self.came:
            raise KeyboardInterrupt

    def _hold(self) -> None:
        # Only the main thread may; and who was started to ignore the signal goes on ignoring it.
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._put_off)
            self._holds = True

    def _put_off(self, _number: int, _frame: FrameType | None) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True
        if sys.stderr.isatty():
            # Not through sys.stderr: the signal may have come while that was writing.
            os.write(2, _SAID)

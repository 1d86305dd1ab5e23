"""Calls an address again and again while things move: whoever waits for the calls notices their end.

What has stopped cannot tell so. Somebody outside has to miss it: a dead man's switch.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dijkwacht_records.notices.carriers import FAILURES, get, reason_of

log: Final = logging.getLogger(__name__)


class Watchdog:
    """Gets ``url`` each ``every_s`` seconds if ``moves`` says so then, in a thread of its own.

    ``moves`` is asked each time, and once at the start, to know from where it counts.
    """

    def __init__(
        self,
        url: str,
        moves: Callable[[], bool],
        every_s: float = 60.0,
        ca_file: str | Path | None = None,
    ) -> None:
        self._url, self._moves, self._every_s, self._ca_file = url, moves, every_s, ca_file
        self._stopping = threading.Event()
        self._failed = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to call."""
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self, limit_s: float = 1.0) -> None:
        """Call no more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(limit_s)

    def _run(self) -> None:
        self._moves()
        while not self._stopping.wait(self._every_s):
            if self._moves():
                self._call()

    def _call(self) -> None:
        try:
            get(self._url, self._ca_file)
        except FAILURES as error:
            if not self._failed:
                log.warning("watchdog not reached", extra={"why": reason_of(error)})
            self._failed = True
        else:
            self._failed = False

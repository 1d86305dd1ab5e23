"""The threads that deliver notices, one a receiver: nobody who tells something ever waits for them."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from dijkwacht_records.notices.carriers import (
    FAILURES,
    Carrier,
    NotifySettings,
    carriers_of,
    reason_of,
)
from dijkwacht_records.notices.letter import Notice, NoticeLanguage, compose
from dijkwacht_records.notices.told import Told, Verdict

GATHER_S: Final = 60.0
"""What is told within this time is one message; what is over within it is none: a machine that was paused
and wakes finds everybody silent, until they have tried again."""
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 900.0

log: Final = logging.getLogger(__name__)


class Outbox:
    """Delivers by ``carrier`` what ``told`` says is to be told, from `start` to `stop`."""

    def __init__(
        self,
        carrier: Carrier,
        told: Told,
        source: str,
        language: NoticeLanguage,
        pauses: tuple[float, float] = (FIRST_PAUSE_S, LONGEST_PAUSE_S),
    ) -> None:
        self._carrier, self._told = carrier, told
        self._source, self._language = source, language
        self._first_pause_s, self._longest_pause_s = pauses
        self._pause_s, self._failed = self._first_pause_s, False
        self._turn = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to deliver."""
        name = f"notices by {self._carrier.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def tell(self, standing: Mapping[str, Notice], verdict: Callable[[str], Verdict]) -> None:
        """As `Told.tell`. Returns at once."""
        with self._turn:
            self._told.tell(standing, verdict)
            self._turn.notify()

    def stop(self, limit_s: float) -> None:
        """Deliver what is to be told at once, for at most so long."""
        with self._turn:
            self._stopping = True
            self._turn.notify()
        if self._thread is not None:
            self._thread.join(limit_s)  # a hanging one dies with the process; the next start tells

    def _run(self) -> None:
        while self._wait():
            with self._turn:
                began, ended = self._told.take()
            if not began and not ended:
                continue
            most = self._carrier.most_bytes
            letter = compose(self._source, self._language, began, ended, most)
            try:
                self._carrier.carry(letter)
            except FAILURES as error:
                self._fail(error)
                continue
            self._pause_s, self._failed = self._first_pause_s, False
            with self._turn:
                self._told.settle(began, ended)
                kept = self._told.kept()
            self._told.keep(kept)  # not inside: who tells must not wait for a disk

    def _wait(self) -> bool:
        """Until a message should leave; False once there is nothing more to do."""
        with self._turn:
            if self._failed:
                pause = self._pause_s * (0.5 + random.random())  # noqa: S311  # no secret
                self._pause_s = min(2 * self._pause_s, self._longest_pause_s)
                self._turn.wait_for(lambda: self._stopping, pause)
                if self._stopping:
                    return False  # it was tried
            while not self._stopping:
                due = self._told.due_in()
                if due == 0:
                    return True
                self._turn.wait(due)
            due = self._told.due_in()
            # What was gathering leaves at once; what is past the hour's number waits for the next start.
            return due is not None and due <= GATHER_S

    def _fail(self, error: Exception) -> None:
        if not self._failed:
            why = reason_of(error)
            log.warning("notice waits", extra={"by": self._carrier.name, "why": why})
        self._failed = True


class Outboxes:
    """Those of all receivers that ``settings`` name; ``source`` is who tells, for whoever reads it.

    ``state``: the folder in which each keeps what it has told. Raises `SettingsError` or ``OSError``.
    """

    def __init__(
        self,
        settings: NotifySettings,
        source: str,
        state: Path,
        gather_s: float = GATHER_S,
        pauses: tuple[float, float] = (FIRST_PAUSE_S, LONGEST_PAUSE_S),
    ) -> None:
        self._all = [
            Outbox(
                carrier,
                Told(
                    state / f"told-{carrier.name}.json",
                    settings.notify_per_hour,
                    gather_s,
                    time.monotonic,
                    lambda: time.time_ns() // 1000,
                ),
                source,
                settings.notify_language,
                pauses,
            )
            for carrier in carriers_of(settings)
        ]

    def __bool__(self) -> bool:
        return bool(self._all)

    def start(self) -> None:
        """Begin to deliver."""
        for outbox in self._all:
            outbox.start()

    def tell(self, standing: Mapping[str, Notice], verdict: Callable[[str], Verdict]) -> None:
        """As `Told.tell`, each receiver. Returns at once."""
        for outbox in self._all:
            outbox.tell(standing, verdict)

    def stop(self, limit_s: float) -> None:
        """Deliver what is to be told at once, for at most so long in all."""
        end = time.monotonic() + limit_s
        for outbox in self._all:
            outbox.stop(max(0.0, end - time.monotonic()))

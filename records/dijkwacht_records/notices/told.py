"""What a receiver was told last, and so what is still to be told: never the same thing twice.

There is no queue. A message is the difference between what stands now and what was delivered last, so
what was over before it could be told is never told, and what could not be delivered is said as it is
when it can be. That is bounded by what can be wrong, and survives a restart in one small file.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from dijkwacht_records.notices.letter import Notice

Verdict = Literal["well", "gone", "unsure"]
"""Of what does not stand now: it is over; nobody waits for it any more; that is not known yet."""
HOUR_S: Final = 3600.0
MOST_TOLD: Final = 10_000
"""Things that stand at once; of more than these nothing is told until some are over."""


class _Kept(msgspec.Struct):
    """The file: what was delivered by name, and when the last messages left, µs UTC."""

    delivered: dict[str, Notice] = {}
    sent: list[int] = []


class Told:
    """What one receiver knows. ``path``: where that is kept, if it is.

    ``per_hour`` messages at most in an hour, ``gather_s`` seconds after something has changed.
    ``clock`` is in seconds and never set back; ``wall`` gives µs UTC.
    """

    def __init__(
        self,
        path: Path | None,
        per_hour: int,
        gather_s: float,
        clock: Callable[[], float],
        wall: Callable[[], int],
    ) -> None:
        self._path, self._per_hour, self._gather_s = path, per_hour, gather_s
        self._clock, self._wall = clock, wall
        self._delivered: dict[str, Notice] = {}
        self._standing: dict[str, Notice] = {}
        self._over: dict[str, Notice] = {}
        self._sent: list[float] = []
        self._changed = 0.0
        self._load()

    def tell(self, standing: Mapping[str, Notice], verdict: Callable[[str], Verdict]) -> None:
        """All that is wrong now, by what it is about; of what was and is not there, ``verdict`` says why."""
        was_due = bool(self._begun()) or bool(self._over)
        gone = []
        self._standing = dict(list(standing.items())[:MOST_TOLD])
        self._over = {}
        for about, notice in self._delivered.items():
            if about not in standing:
                said = verdict(about)
                if said == "well":
                    self._over[about] = notice
                elif said == "gone":
                    gone.append(about)
        for about in gone:
            del self._delivered[about]
        if not was_due:
            self._changed = self._clock()

    def due_in(self) -> float | None:
        """Seconds until the next message should leave; ``None`` while there is none to send."""
        if not self._begun() and not self._over:
            return None
        now = self._clock()
        self._sent = [time for time in self._sent if now - time < HOUR_S]
        waits = [self._changed + self._gather_s - now, 0.0]
        if len(self._sent) >= self._per_hour:
            waits.append(self._sent[-self._per_hour] + HOUR_S - now)
        return max(waits)

    def take(self) -> tuple[list[tuple[str, Notice]], list[tuple[str, Notice]]]:
        """What has begun and what is over, as it is now; settle it when it was delivered."""
        return list(self._begun().items()), list(self._over.items())

    def settle(self, began: list[tuple[str, Notice]], ended: list[tuple[str, Notice]]) -> None:
        """These were delivered, in one message, now."""
        for about, _ in ended:
            self._delivered.pop(about, None)
            self._over.pop(about, None)
        self._delivered.update(began)
        for about, notice in began:
            if about not in self._standing:  # it ended while the message was under way
                self._over[about] = notice
        self._sent.append(self._clock())
        self._changed = self._clock()

    def kept(self) -> bytes:
        """What is to be kept over a restart, for `keep`."""
        now, wall = self._clock(), self._wall()
        sent = [wall - round((now - time) * 1e6) for time in self._sent]
        return msgspec.json.encode(_Kept(self._delivered, sent))

    def keep(self, body: bytes) -> None:
        """Write it to the file. It may block, and may run beside the other methods."""
        if self._path is None:
            return
        fresh = self._path.with_name(self._path.name + ".new")
        with contextlib.suppress(OSError):  # a full disk: told once more after a restart
            fresh.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
                file.write(body)
            fresh.replace(self._path)

    def _begun(self) -> dict[str, Notice]:
        return {about: n for about, n in self._standing.items() if about not in self._delivered}

    def _load(self) -> None:
        if self._path is None:
            return
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return  # told once more, at worst
        self._delivered = kept.delivered
        now, wall = self._clock(), self._wall()
        ages = ((wall - time) / 1e6 for time in kept.sent)
        self._sent = sorted(now - age for age in ages if 0 <= age < HOUR_S)

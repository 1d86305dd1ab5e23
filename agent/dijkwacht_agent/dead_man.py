"""Tells a person when this agent's collector, its view or its disk is gone, and when it is back.

Whoever is told nothing believes that all is well; so what falls silent has to be told of by whoever
still lives. Nothing here holds up the agent: `look` compares numbers, threads of their own deliver.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from dijkwacht_agent.error_words import error_message, worded
from dijkwacht_agent.messages import message_text
from dijkwacht_agent.run import Agent
from dijkwacht_agent.settings import Settings
from dijkwacht_records.errors import CaptureError, Message, SettingsError
from dijkwacht_records.notices import Notice, Outboxes, Verdict, Watchdog

COLLECTOR: Final = "collector"
VIEW: Final = "view"
DISK: Final = "disk"
LOOK_S: Final = 1.0
SURE_S: Final = 60.0
"""A disk is believed to be well again, after a start, when it took everything for so long."""
LAST_WORDS_S: Final = 20.0
"""How long an agent that ends may take to say why."""


class Sends(Protocol):
    """As `Uplink`."""

    last_reply: int
    trouble: Message | None

    @property
    def alive(self) -> bool:
        """As `Uplink.alive`."""
        ...


class Keeps(Protocol):
    """As `Spool`."""

    @property
    def waiting_bytes(self) -> int:
        """As `Spool.waiting_bytes`."""
        ...

    @property
    def disk_full(self) -> bool:
        """As `Spool.disk_full`."""
        ...


class _Clocked:
    """Since when something is as it is."""

    def __init__(self, now: float) -> None:
        self.value, self.since, self.changed = 0, now, False

    def see(self, value: int, now: float) -> None:
        """It is ``value`` now."""
        if value != self.value:
            self.value, self.since, self.changed = value, now, True


class DeadMan:
    """Of one agent, by its ``settings``; what was told is kept in the folder ``state``.

    Use it as a context: its threads run inside, and a `CaptureError` that leaves it is told. ``clock``
    is in seconds and never set back. Raises `SettingsError`, or ``OSError`` naming a file of the
    settings.
    """

    def __init__(
        self,
        settings: Settings,
        state: Path,
        clock: Callable[[], float] = time.monotonic,
        outboxes: Outboxes | None = None,
    ) -> None:
        self._names = names_of(settings)
        self._limit_s, self._clock = settings.silent_after_s, clock
        self._outboxes = notices_of(settings, state) if outboxes is None else outboxes
        self._watchdog: Watchdog | None = None
        if settings.watchdog_url:
            self._watchdog = Watchdog(
                settings.watchdog_url, self.moves, settings.watchdog_s, settings.notify_ca_file
            )
        self._uplink: Sends | None = None
        self._spool: Keeps | None = None
        self._packets: Callable[[], int] | None = None
        now = clock()
        self._begun, self._looked, self._looks = now, -LOOK_S, 0
        self._reply, self._seen = _Clocked(now), _Clocked(now)
        self._moved = (0, 0)
        self._standing: dict[str, Notice] = {}

    def watch(self, agent: Agent) -> None:
        """Look at ``agent`` whenever its main thread looks for troubles."""
        meter, played = agent.meter, agent.source.patient  # a recording has no view to lose
        seen = None if played else lambda: meter.counters["packets_seen"]
        self.attach(agent.uplink, agent.spool, seen)
        agent.troubles.beside = self.look

    def attach(self, uplink: Sends, spool: Keeps, packets: Callable[[], int] | None) -> None:
        """Look at these; ``packets``: how many were seen, where there is an interface."""
        self._uplink, self._spool, self._packets = uplink, spool, packets
        now = self._clock()
        self._begun, self._reply, self._seen = now, _Clocked(now), _Clocked(now)

    def __enter__(self) -> Self:
        self._outboxes.start()
        if self._watchdog is not None:
            self._watchdog.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._watchdog is not None:
            self._watchdog.stop()
        if isinstance(error, CaptureError):
            gone = self._notice("told_view_gone", "told_view_over", why=error_message(error))
            self._standing[VIEW] = gone
            self._outboxes.tell(self._standing, lambda _: "unsure")
        self._outboxes.stop(LAST_WORDS_S)

    def look(self) -> None:
        """Tell what has changed, once a second at most. From the agent's main thread: it lives."""
        now, uplink, spool = self._clock(), self._uplink, self._spool
        if uplink is None or spool is None or now - self._looked < LOOK_S:
            return
        self._looked, self._looks = now, self._looks + 1
        self._reply.see(uplink.last_reply, now)
        if not spool.waiting_bytes:
            self._reply.since = now  # nothing waits: nobody has to answer
        if self._packets is not None:
            self._seen.see(self._packets(), now)
        self._standing = self._found(now, uplink, spool)
        self._outboxes.tell(self._standing, self._verdict)

    def moves(self) -> bool:
        """Whether the agent looked, and its collector answered, since this was asked last."""
        uplink, spool = self._uplink, self._spool
        if uplink is None or spool is None:
            return False
        before, self._moved = self._moved, (self._looks, uplink.last_reply)
        looked, answered = self._moved[0] != before[0], self._moved[1] != before[1]
        answered = answered or not spool.waiting_bytes
        return looked and answered and uplink.alive and not self._standing

    def _found(self, now: float, uplink: Sends, spool: Keeps) -> dict[str, Notice]:
        found = {}
        silent_s, blind_s = now - self._reply.since, now - self._seen.since
        if silent_s >= self._limit_s:
            why = uplink.trouble or Message("told_collector_quiet")
            minutes = int(silent_s // 60)
            found[COLLECTOR] = self._notice(
                "told_collector", "told_collector_over", minutes=minutes, why=why
            )
        if self._packets is not None and blind_s >= self._limit_s:
            found[VIEW] = self._notice("told_view", "told_view_over", minutes=int(blind_s // 60))
        if spool.disk_full:
            found[DISK] = self._notice("told_disk", "told_disk_over")
        return found

    def _notice(self, begun: str, over: str, **values: str | int | Message) -> Notice:
        filled = {**self._names, **values}
        return Notice(both_words(begun, filled), both_words(over, filled))

    def _verdict(self, about: str) -> Verdict:
        """Of what is not wrong now: after a start it may only not have shown itself yet."""
        if about == COLLECTOR:
            return "well" if self._reply.changed else "unsure"
        if about == VIEW:
            return "well" if self._seen.changed or self._packets is None else "unsure"
        if about == DISK:
            return "well" if self._clock() - self._begun >= SURE_S else "unsure"
        return "gone"


def notices_of(settings: Settings, state: Path) -> Outboxes:
    """Where notices go by ``settings``. Raises `SettingsError`, or ``OSError`` naming a file of them."""
    if settings.notify_mail and not settings.notify_mail_server:
        raise worded(SettingsError, "notify_no_server")
    return Outboxes(settings, source_of(settings), state)


def source_of(settings: Settings) -> str:
    """Who tells, as it stands below each message."""
    english, dutch = both_words("told_source", names_of(settings))
    return dutch if settings.notify_language == "nl" else english


def names_of(settings: Settings) -> dict[str, str]:
    """What fills the names in a message, before joining too."""
    return {"agent": settings.agent or "?", "site": settings.site or "?"}


def both_words(key: str, values: Mapping[str, str | int | Message]) -> tuple[str, str]:
    """The message in English and Dutch, as a `Notice` has it."""
    message = Message(key, {**values})
    return message_text(message, "en"), message_text(message, "nl")

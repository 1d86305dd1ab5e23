"""Looks now and then at what the board shows, and tells what has fallen silent, or is back.

Agents are judged as the board judges them (`AgentHealth.presence`), with one thing added: of the time
in which this collector did not run nobody is blamed.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from dijkwacht_collector.console import Fault
from dijkwacht_collector.metrics import AgentHealth
from dijkwacht_collector.notices import words
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_collector.sites import GONE
from dijkwacht_records.errors import SettingsError
from dijkwacht_records.notices import GATHER_S, Notice, Outboxes, Verdict

SOURCE: Final = "Dijkwacht"
LOOK_S: Final = 5.0
LAST_WORDS_S: Final = 10.0
"""How long a collector that stops may take to tell what is wrong."""
COLLECTOR: Final = "collector"

log: Final = logging.getLogger(__name__)


class Watch:
    """Tells ``outboxes`` about the ``agents`` and the ``fault`` of the collector. ``clock`` gives µs UTC."""

    def __init__(
        self,
        outboxes: Callable[[], Outboxes],
        agents: Callable[[], Sequence[AgentHealth]],
        fault: Callable[[], Fault],
        clock: Callable[[], int],
        look_s: float | None = None,
    ) -> None:
        self._make = outboxes
        self._outboxes: Outboxes | None = None
        self._agents, self._fault, self._clock = agents, fault, clock
        self._look_s = LOOK_S if look_s is None else look_s
        self._begun = 0
        self._well: dict[str, Verdict] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Begin to look, if anybody is to be told. Raises `SettingsError` or ``OSError``."""
        outboxes = self._make()
        if not outboxes:
            return
        self._begun = self._clock()
        self._outboxes = outboxes
        outboxes.start()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look once more, and let what is to be told leave: the collector may stop for that very reason."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(LAST_WORDS_S)
        if self._outboxes is not None:
            self._outboxes.stop(LAST_WORDS_S)

    def _run(self) -> None:
        while not self._stopping.wait(self._look_s):
            self._look_fenced()
        self._look_fenced()

    def _look_fenced(self) -> None:
        try:
            self.look()
        except Exception:
            # The fence: whatever it was, who watches the watch must not end by it.
            log.exception("watch failed")

    def look(self) -> None:
        """Tell what has changed. Blocks for the databases' sake."""
        assert self._outboxes is not None, "not open"
        try:
            agents = self._agents()
        except (OSError, sqlite3.Error) as error:
            log.warning("agents not looked at", extra={"why": str(error)})
            return
        standing: dict[str, Notice] = {}
        self._well = {}
        now = self._clock()
        for agent in agents:
            self._judge(agent, now, standing)
        if fault := self._fault():
            standing[COLLECTOR] = words.fault(fault)
        else:
            self._well[COLLECTOR] = "well"
        # Who is no longer among the agents, or is gone, is nobody's loss.
        self._outboxes.tell(standing, lambda about: self._well.get(about, "gone"))

    def _judge(self, agent: AgentHealth, now: int, standing: dict[str, Notice]) -> None:
        if agent.standing in GONE or agent.standing == "never_heard":
            return
        names = {"agent": agent.agent, "site": agent.site}
        silent, copied = (_about(kind, agent) for kind in ("silent", "copied"))
        if agent.presence(now) != "offline":
            self._well[silent] = "well"
        elif self._since_start(agent).presence(now) != "offline":
            self._well[silent] = "unsure"
        else:
            minutes = (now - agent.last_seen) // 60_000_000
            standing[silent] = words.notice(words.SILENT, **names, minutes=minutes)
        if agent.copies:
            standing[copied] = words.notice(words.COPIED, **names)
        else:
            self._well[copied] = "well" if agent.heard else "unsure"

    def _since_start(self, agent: AgentHealth) -> AgentHealth:
        return replace(agent, last_seen=max(agent.last_seen, self._begun))


def outboxes_of(settings: CollectorSettings) -> Outboxes:
    """Where notices go by ``settings``; what was told is kept beside the rest. Raises `SettingsError`."""
    try:
        return Outboxes(settings, SOURCE, settings.state, GATHER_S)
    except (OSError, ValueError) as error:
        raise SettingsError(f"notices: {error}") from None


def _about(kind: str, agent: AgentHealth) -> str:
    return f"{kind} {agent.site}/{agent.agent}"

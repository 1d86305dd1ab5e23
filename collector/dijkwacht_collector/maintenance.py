"""What is done now and then, beside the paths that data walks: snapshots, refreshes, retention."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Final

from aiohttp import web

from dijkwacht_collector import unpacking
from dijkwacht_collector.engine.workers import EngineWorkers
from dijkwacht_collector.intake import HighWater, Intake
from dijkwacht_collector.journal import Journal
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.settings import DAY_US, CollectorSettings
from dijkwacht_collector.sites import GONE, Sites
from dijkwacht_collector.sites.authority import Authority
from dijkwacht_records.errors import DijkwachtError

JOURNAL: Final = web.AppKey("journal", Journal)
"""An application's journal: once it has failed, the process has to end."""
AUTHORITY: Final = web.AppKey("authority", Authority)
"""An application's authority, whose context TLS connections are made with."""

log: Final = logging.getLogger(__name__)

_ROUND_S: Final = 2.0
_SNAPSHOT_ROUNDS: Final = 15


class Maintenance:
    """Refreshes credentials and orders, saves high-water marks and when agents were last seen, trims the journal."""

    def __init__(
        self,
        settings: CollectorSettings,
        journal: Journal,
        intake: Intake,
        sites: Sites,
        workers: EngineWorkers,
        telemetry: Telemetry,
        clock: Callable[[], int],
    ) -> None:
        self._path = settings.state / "journal" / "marks"
        self._retention_us = int(settings.retention_days * DAY_US)
        self._journal, self._intake, self._sites = journal, intake, sites
        self._workers, self._telemetry, self._clock = workers, telemetry, clock
        self.chores: Sequence[Callable[[], object]] = ()
        """What is done in each round besides, and before the first request comes."""
        self._marked: dict[int, int] = {}
        self._gone: list[tuple[str, str]] = []
        self._turn = threading.Lock()

    def open(self) -> None:
        """Learn the marks and the credentials, load kernels, before the first request comes. Blocks."""
        unpacking.prepare()
        log.log(
            logging.WARNING if self._journal.cut_bytes else logging.INFO,
            "journal",
            extra={"position": self._journal.last, "cut_bytes": self._journal.cut_bytes},
        )
        self._intake.high_water = HighWater.load(self._path)
        self._intake.high_water.catch_up(self._journal)
        for site in self._intake.high_water.sites():
            self._telemetry.begin_rows(site, sum(self._intake.high_water.rows(site).values()))
        self._refresh()
        self._do(self.chores)
        for agent in self._sites.agents():
            # Who never said anything since joining must not look like one that fell silent.
            if agent.standing == "live":
                self._telemetry.know_agent(agent.site, agent.agent, agent.last_seen)

    async def go_round(self) -> None:
        """Do everything again and again until cancelled."""
        rounds = 0
        while True:
            await asyncio.sleep(_ROUND_S)
            rounds += 1
            heard = self._take_heard()
            # The marks belong to the loop: they are copied here and written elsewhere.
            marks = self._intake.settle()
            fresh = rounds % _SNAPSHOT_ROUNDS == 0 and marks.after != self._marked
            snapshot = marks.dump() if fresh else None
            if not await asyncio.to_thread(self._round, heard, marks.after.copy(), snapshot):
                self._intake.heard = heard | self._intake.heard  # the next round tries again

    def _take_heard(self) -> dict[tuple[str, str], int]:
        heard, self._intake.heard = self._intake.heard, {}
        return heard

    def close(self) -> None:
        """Once more, for the next start. Blocks; the loop must not use the marks any more."""
        marks = self._intake.high_water
        self._round(self._intake.heard, marks.after, marks.dump())

    def _round(
        self, heard: dict[tuple[str, str], int], marked: dict[int, int], snapshot: bytes | None
    ) -> bool:
        """Whether all of it could be done."""
        chores: list[Callable[[], object]] = [self._refresh]
        if heard:
            chores.append(lambda: self._sites.note_agents(heard))
        chores += [self._note_copies, *self.chores]
        if snapshot is not None:
            chores += [lambda: self._save(snapshot, marked), self._trim]
        with self._turn:
            return self._do(chores)

    @staticmethod
    def _do(chores: Sequence[Callable[[], object]]) -> bool:
        """Each for itself: on a full disk most of them fail, and the one that makes room must not wait."""
        done = True
        for chore in chores:
            try:
                chore()
            except (DijkwachtError, OSError, sqlite3.Error) as error:
                log.warning("maintenance failed", extra={"why": str(error)})
                done = False
        return done

    def _save(self, snapshot: bytes, marked: dict[int, int]) -> None:
        HighWater.save(self._path, snapshot)
        self._marked = marked

    def _trim(self) -> None:
        """Let go what the engines and the marks, as they were saved last, need no more."""
        for partition, durable in self._workers.durable.items():
            self._journal.trim(partition, min(durable, self._marked.get(partition, 0)) + 1)
        gone = self._journal.sweep(self._clock() - self._retention_us)
        if gone:
            log.info("old segments deleted", extra={"segments": gone})

    def _note_copies(self) -> None:
        self._sites.note_copies(self._telemetry.copied(self._clock()))

    def _refresh(self) -> None:
        if self._intake.refresh():
            for site in self._sites.sites():
                self._telemetry.know_site(site.name)
            agents = self._sites.agents()
            self._gone = [(row.site, row.agent) for row in agents if row.standing in GONE]
        # Each time: a batch that was in flight may have brought one back.
        for site_name, agent in self._gone:
            self._telemetry.forget_agent(site_name, agent)

"""The agent's life: frames → meter → privacy → batches → spool → uplink. Read this file first.

One thread does everything up to the spool; the uplink has its own, so that a slow collector never
makes us miss a packet. Every part is made here, is inert until it is used, and gets its clock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final

from dijkwacht_agent.batches import Batcher
from dijkwacht_agent.clock import ClockTrouble
from dijkwacht_agent.contracts import CONTRACTS_FILE, Contracts
from dijkwacht_agent.error_words import worded, words
from dijkwacht_agent.health import Health
from dijkwacht_agent.join import DEVICES_FILE, KEY_FILE, SPOOL_FOLDER, read_who
from dijkwacht_agent.observed import observe
from dijkwacht_agent.owner.device_memory import DeviceMemory
from dijkwacht_agent.pacing import wall_clock
from dijkwacht_agent.privacy import Pseudonyms, read_or_make_key
from dijkwacht_agent.renewal import Renewal
from dijkwacht_agent.settings import Settings
from dijkwacht_agent.spool import Spool
from dijkwacht_agent.systemd import Systemd
from dijkwacht_agent.trouble_log import TroubleLog
from dijkwacht_agent.uplink import Post, Uplink
from dijkwacht_agent.way_back import way_back
from dijkwacht_records.contracts import WRITES
from dijkwacht_records.errors import SettingsError

DRAIN_S: Final = 3.0
IDLE_US: Final = 120_000_000
"""Idle time reported after a recording, so that its last windows close and are judged."""


class Agent:
    """A joined agent over what its settings name, or over ``recordings`` played at ``speed``.

    ``report`` gets a line when something begins, changes or ends that its owner should know.
    ``writes``: versions of the contract that it may write.
    Raises `SettingsError`, `CaptureError` or `UnreadableInput` at once when it cannot begin.
    """

    def __init__(
        self,
        settings: Settings,
        state: Path,
        recordings: Sequence[Path] = (),
        speed: float | None = 1.0,
        report: Callable[[str], None] = lambda _: None,
        writes: Collection[int] = WRITES,
    ) -> None:
        if not (settings.site and settings.agent and settings.url):
            raise worded(SettingsError, "has_not_joined")
        who, key = read_who(state), read_or_make_key(state / KEY_FILE)
        observed = observe(settings, recordings, speed)
        interface, inside, self.system = observed.name, observed.inside, observed.system
        self.source, self.meter = observed.source, observed.meter
        self.spool = Spool(state / SPOOL_FOLDER, settings.spool_max_bytes)
        names, refuse = (settings.site, settings.agent), self.spool.refuse
        self.devices = DeviceMemory(state / DEVICES_FILE, wall_clock)
        privacy = Pseudonyms(key, inside, self.devices)
        self.batcher = Batcher(*names, privacy, wall_clock, on_refused=refuse)
        self.contracts = Contracts(state / CONTRACTS_FILE, writes)
        self.renewal = Renewal(settings.url, who, state)
        self.way_back = way_back(settings, state, who, self.renewal)
        ca_file = Path(settings.ca_file) if settings.ca_file else None
        post = Post(settings.url, who, ca_file, self.spool.troubles)
        learn, obey = self.contracts.learn, self.way_back.take
        self.uplink = Uplink(self.spool, post, wall_clock, obey, on_contracts=learn)
        self.uplink.on_expired = self.renewal.hasten
        self.health = Health(
            self.meter, self.batcher, self.spool, self.uplink, state / "status.json", interface
        )
        self.systemd = Systemd()
        clock = ClockTrouble(self.uplink)
        self.troubles = TroubleLog(report, self.uplink, self.spool, self.renewal, clock)
        report(f"{settings.agent} of {settings.site} listens on {interface}; {inside.describe()}")
        if self.spool.remark is not None:
            report(words(self.spool.remark, "en"))
        self._every = {"beat": settings.heartbeat_s * 1e6, "system": settings.system_s * 1e6}
        self._last = dict.fromkeys(self._every, 0)
        self._room = settings.spool_max_bytes // 2

    def run(self, stop: threading.Event) -> bool:
        """Run until ``stop`` is set or the recording ends: is the spool empty?

        Raises `CaptureError` when the interface goes away; what was metered is in the spool then.
        """
        self.uplink.start()
        self.renewal.start()
        self.systemd.ready()
        try:
            for block in self.source.blocks():
                self.meter.dropped_ring = self.source.source.dropped
                self.meter.counts_floods = self.contracts.counts_floods
                self.meter.feed(block)
                self._ship(self.source.now())
                if self.source.patient:
                    while not (self.spool.wait_below(self._room, 0.25) or stop.is_set()):
                        self.systemd.moved()
                if stop.is_set():
                    break
        finally:
            drained = self._close(stop)
        return drained

    def _ship(self, now: int, *, everything: bool = False) -> None:
        """Bring every row that is due by ``now`` into the spool."""
        self.batcher.contract = self.contracts.chosen
        self.meter.advance(now)
        self.batcher.add(self.meter.take())
        beat = self._due("beat", now) or everything
        if self.system is not None:
            if self._due("system", now):
                self.system.sample(now)
            if beat or self.system.full:
                self.batcher.add(self.system.take(now))
        if beat:
            self.batcher.add(self.health.heartbeat(now, wall_clock()))
        for parcel in self.batcher.take(everything=everything):
            self.spool.append(parcel.wire, parcel.rows)
        if self.uplink.alive:
            self.systemd.moved()
        self.troubles.look()

    def _due(self, what: str, now: int) -> bool:
        due = not 0 <= now - self._last[what] < self._every[what]  # also when time was set back
        if due:
            self._last[what] = now
        return due

    def _close(self, stop: threading.Event) -> bool:
        self.systemd.stopping()
        self.source.source.close()
        self.meter.finish()
        ended = self.source.patient and not stop.is_set()
        self._ship(self.source.now() + IDLE_US * ended, everything=True)
        if self.system is not None:
            self.system.close()
        while ended and self.spool.waiting_bytes and not stop.wait(0.05):
            self.systemd.moved()  # nothing is in a hurry: the recording is over
            self.troubles.look()
        drained = self.uplink.stop(DRAIN_S)
        self.way_back.stop()
        self.renewal.stop()
        self.spool.close()
        self.devices.keep(now=True)
        self.health.end()
        return drained

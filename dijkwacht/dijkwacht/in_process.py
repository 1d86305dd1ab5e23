"""A collector and an agent in threads of this process, talking real HTTP over loopback."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web

from dijkwacht.collect import SWITCH_INTERVAL_S
from dijkwacht_agent.join import KEY_FILE, join
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.privacy import Pseudonyms, read_or_make_key
from dijkwacht_agent.run import Agent
from dijkwacht_collector.app import build_app, wall_clock
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_collector.sites import Sites
from dijkwacht_records.errors import DijkwachtError, SettingsError

_STARTING_S: Final = 60.0
_STOPPING_S: Final = 20.0
_ASKING_S: Final = 10.0


class InProcessCollector:
    """The collector, as ``dijkwacht collect`` runs it, on a port of 127.0.0.1."""

    def __init__(self, state: Path, port: int) -> None:
        self.state = state
        self.url = f"http://127.0.0.1:{port}"
        self._settings = CollectorSettings(state=state, port=port)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)

    def start(self) -> None:
        """Start and wait until it answers. Raises `DijkwachtError` if it cannot."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._thread.start()
        if not self._ready.wait(_STARTING_S) or self._failure is not None:
            raise DijkwachtError(f"the collector did not start: {self._failure or 'it hangs'}")

    def stop(self) -> None:
        """Stop it and wait."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(_STOPPING_S)

    def join_code(self, site: str) -> str:
        """Add a site and return the one-time code of its first agent."""
        sites = Sites(self.state / "sites.db")
        sites.open()
        try:
            sites.add(site, wall_clock())
            return sites.make_join_code(site, self.url, wall_clock())
        finally:
            sites.close()

    def get(self, path: str) -> Any:
        """What the collector answers to ``GET path``, from JSON."""
        with urllib.request.urlopen(self.url + path, timeout=_ASKING_S) as answer:  # noqa: S310  # our own
            return msgspec.json.decode(answer.read())

    def settle(self, limit_s: float) -> bool:
        """Wait until the engine has folded everything that is durable; False after ``limit_s``."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            health = self.get("/healthz")
            if health["engine_position"] == health["journal_position"]:
                return True
            time.sleep(0.05)
        return False

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except (OSError, DijkwachtError) as error:
            self._failure = error
        finally:
            self._ready.set()
            self._loop.close()

    async def _serve(self) -> None:
        runner = web.AppRunner(
            build_app(self._settings), access_log=None, auto_decompress=False, shutdown_timeout=1
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self._settings.host, self._settings.port).start()
            self._ready.set()
            await self._stop.wait()
        finally:
            await runner.cleanup()


class InProcessAgent:
    """One agent that joins by code and plays a recording, as ``dijkwacht-agent run`` does."""

    def __init__(self, state: Path, code: str, name: str, recording: Path, speed: float) -> None:
        settings = join(code, state, name)
        privacy = Pseudonyms(read_or_make_key(state / KEY_FILE), LocalNetworks(settings.local))
        # How addresses are called outside the site: only whoever has the site's key can undo it.
        self.disguise: Callable[[bytes], bytes] = privacy.address
        self.disguise_mac: Callable[[int], int] = privacy.mac
        self._agent = Agent(settings, state, [recording], speed)
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="agent", daemon=True)

    @property
    def playing(self) -> bool:
        """Whether the recording still runs. Raises what ended the agent before its time."""
        if self._failure is not None:
            raise DijkwachtError(f"the agent stopped: {self._failure}") from self._failure
        return self._thread.is_alive()

    @property
    def now(self) -> int:
        """Where in the recording it is, µs UTC."""
        return self._agent.source.now()

    @property
    def packets(self) -> int:
        """Packets that it has seen."""
        return self._agent.meter.counters["packets_seen"]

    def start(self) -> None:
        """Start to play."""
        self._thread.start()

    def stop(self, *, wait: bool = False) -> None:
        """Stop now, or (``wait``) when the recording has been played and sent."""
        if not wait:
            self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOPPING_S)

    def _run(self) -> None:
        try:
            self._agent.run(self._stop)
        except (OSError, DijkwachtError) as error:
            self._failure = error


def free_port(wanted: int) -> int:
    """``wanted`` if it is free, else any free one. Raises `SettingsError` if not a port."""
    if not 0 <= wanted <= 65_535:
        raise SettingsError(f"--port {wanted}: 0 to 65535")
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise SettingsError("no port is free on 127.0.0.1")

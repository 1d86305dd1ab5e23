"""Both of them: the watch that tells people, and the watchdog that is missed when it ends."""

from __future__ import annotations

from collections.abc import Callable

from dijkwacht_collector.console import Overview
from dijkwacht_collector.notices.pulse import Pulse
from dijkwacht_collector.notices.watch import Watch, outboxes_of
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_records.notices import Watchdog


class Notices:
    """By ``settings``: nobody is told, and nothing called, unless they say so. ``clock`` gives µs UTC."""

    def __init__(
        self,
        settings: CollectorSettings,
        overview: Overview,
        pulse: Pulse,
        clock: Callable[[], int],
    ) -> None:
        self._watch = Watch(lambda: outboxes_of(settings), overview.agents, overview.trouble, clock)
        self._watchdog: Watchdog | None = None
        if settings.watchdog_url:
            self._watchdog = Watchdog(
                settings.watchdog_url, pulse.moves, settings.watchdog_s, settings.notify_ca_file
            )

    def open(self) -> None:
        """Begin. Raises `SettingsError`."""
        self._watch.open()
        if self._watchdog is not None:
            self._watchdog.start()

    def close(self) -> None:
        """Call no more, look once more, and let what is to be told leave."""
        if self._watchdog is not None:
            self._watchdog.stop()
        self._watch.close()

"""All places where incidents go, as the settings say: a new sink is a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dijkwacht_collector.incidents import Event
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.settings import DAY_US, CollectorSettings
from dijkwacht_collector.sinks.base import Sink, Sinks
from dijkwacht_collector.sinks.jsonl import JsonLines
from dijkwacht_collector.sinks.live import LiveSink
from dijkwacht_collector.sinks.prometheus import PrometheusSink
from dijkwacht_collector.sinks.store import IncidentStore


class Places(NamedTuple):
    """All of them as one, the store that others read, the stream that wants a loop.

    ``trim`` lets go what was kept for as long as the settings say. Raises ``OSError``.
    """

    sinks: Sinks
    store: IncidentStore
    live: LiveSink
    trim: Callable[[], object]


def all_places(
    settings: CollectorSettings,
    telemetry: Telemetry,
    publish: Callable[[Event], None],
    clock: Callable[[], int],
) -> Places:
    """Inert as yet. ``publish`` is the console's; ``clock``: µs UTC."""
    store = IncidentStore(settings.state / "incidents.db", clock)
    lines = settings.state / "incidents.jsonl"
    live = LiveSink(publish)
    sinks: list[Sink] = [
        store,
        JsonLines(lines, clock, settings.lines_bytes, settings.lines_files),
        PrometheusSink(telemetry, store.repeatable),
        live,  # last, see `Sink`
    ]
    keep_us = int(settings.incidents_days * DAY_US)
    return Places(Sinks(sinks, store.fence), store, live, lambda: store.trim(clock() - keep_us))

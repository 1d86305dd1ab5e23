"""Hands events from the engine's thread to the event loop, for the console's stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from dijkwacht_collector.incidents import Event


class LiveSink:
    """Calls ``publish`` on the loop given to `attach`; without one events are dropped."""

    def __init__(self, publish: Callable[[Event], None]) -> None:
        self._publish = publish
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Publish on ``loop`` from now on."""
        self._loop = loop

    def open(self) -> None:
        """Nothing to open."""

    def handle(self, events: Sequence[Event]) -> None:
        """Publish ``events``, without waiting for it."""
        if self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(self._publish_all, tuple(events))
        except RuntimeError:  # the loop has ended: so have the browsers' streams
            return

    def flush(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Publish no more."""
        self._loop = None

    def _publish_all(self, events: Sequence[Event]) -> None:
        for event in events:
            self._publish(event)

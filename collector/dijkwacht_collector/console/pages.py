"""The pages of the console, and the stream that keeps them live."""

from __future__ import annotations

import time
from collections.abc import Callable

from aiohttp import web

from dijkwacht_collector.console.data import ConsoleData
from dijkwacht_collector.console.feed import Feed


def add_console(
    app: web.Application,
    data: ConsoleData,
    feed: Feed,
    clock: Callable[[], float] = time.time,
) -> None:
    """Add the console's routes to ``app``: ``/``, ``/incidents/{uid}``, ``/events``, ``/static/``.

    ``clock`` gives seconds UTC. The feed is closed with the app.
    """

"""The collector: every wire between rooms in one function. Read this second, after the agent's ``run.py``.

A batch walks: `Intake` → `Journal` (durable, then acknowledged) → an engine's thread → the sinks.
Nothing else reaches an engine, so the journal alone decides what is found.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection

from aiohttp import web

from dijkwacht_collector.api import Api
from dijkwacht_collector.console import Feed, Overview, add_console
from dijkwacht_collector.engine import DetectorSet
from dijkwacht_collector.engine.parts import EngineParts
from dijkwacht_collector.engine.workers import EngineWorkers
from dijkwacht_collector.incidents import TECHNIQUES
from dijkwacht_collector.intake import Door, Intake, Limits, Offer, PendingOrders, add_routes
from dijkwacht_collector.journal import Bundles, Journal
from dijkwacht_collector.maintenance import AUTHORITY, JOURNAL, Maintenance
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.notices import Notices, Pulse
from dijkwacht_collector.relay import Relay
from dijkwacht_collector.settings import CollectorSettings
from dijkwacht_collector.sinks import all_places
from dijkwacht_collector.sites import OrderKey, Sites
from dijkwacht_collector.sites.access import Operators
from dijkwacht_collector.sites.authority import Authority
from dijkwacht_collector.sites.certificate_access import authenticator_of
from dijkwacht_records.contracts import READS


def wall_clock() -> int:
    """µs UTC."""
    return time.time_ns() // 1000


def build_app(
    settings: CollectorSettings,
    clock: Callable[[], int] = wall_clock,
    detectors: DetectorSet | None = None,
    reads: Collection[int] = READS,
) -> web.Application:
    """The whole collector; nothing is opened before the application starts.

    ``reads``: the versions of the contract that are taken from agents.
    """
    state = settings.state
    running = (detectors := detectors or DetectorSet()).detectors()
    context = {d.name for d in running if not d.interrupts}
    telemetry = Telemetry((d.name for d in running), TECHNIQUES, context)
    sites = Sites(state / "sites.db")
    feed = Feed(secrets.token_hex(4))
    sinks, store, live, trim = all_places(settings, telemetry, feed.publish, clock)
    journal = Journal(
        state / "journal",
        segment_bytes=settings.segment_bytes,
        queue_bytes=settings.queue_bytes,
        coalesce_s=settings.coalesce_s,
        on_commit=telemetry.count_commit,
    )
    parts = EngineParts(
        journal,
        Bundles(state / "journal" / "bundles"),
        detectors,
        sinks,
        store,
        telemetry,
        clock,
        settings.checkpoint_interval_s,
        reads,
    )
    checkpoints = state / "checkpoints"
    workers = EngineWorkers(settings.workers, parts, checkpoints, training=settings.training)
    authority = Authority(state / "authority", settings.known_names, clock)
    authenticator = authenticator_of(settings, sites, authority, clock)
    order_key = OrderKey(state / "order.key")
    orders = PendingOrders(sites, order_key, clock, state / "uploads")
    limits = Limits(settings.max_body_bytes, reads)
    intake = Intake(journal, authenticator, orders, telemetry, clock, limits)
    intake.retry_after = workers.retry_after
    offer = Offer(order_key, tuple(sorted(reads)))
    door = Door(authenticator, offer, telemetry, clock, settings.joins_per_minute)
    overview = Overview(store, sites, telemetry, journal, clock, lambda: workers.fault(journal))
    relay = Relay(sites.choices, store, journal, clock)
    api = Api(store, overview, relay, journal, workers, detectors.shadow())
    operators = Operators(settings.operator_token())
    app = web.Application(client_max_size=settings.max_body_bytes, middlewares=[operators.guard])
    add_routes(app, intake, door, orders)
    api.add_to(app)
    app.router.add_get("/metrics", telemetry.serve)
    add_console(app, overview, feed, names=settings.known_names)
    notices = Notices(settings, overview, Pulse(journal, workers), clock)
    maintenance = Maintenance(settings, journal, intake, sites, workers, telemetry, clock)
    maintenance.chores = (relay.pass_on, trim)

    async def lifespan(_app: web.Application) -> AsyncIterator[None]:
        await asyncio.to_thread(state.mkdir, 0o700, parents=True, exist_ok=True)
        async with contextlib.AsyncExitStack() as opened:
            for part in (sites, order_key, journal, sinks, maintenance, workers, notices):
                opened.push_async_callback(asyncio.to_thread, part.close)
                await asyncio.to_thread(part.open)
            live.attach(asyncio.get_running_loop())
            rounds = asyncio.create_task(maintenance.go_round())
            yield
            rounds.cancel()
            await asyncio.wait([rounds])

    app.cleanup_ctx.append(lifespan)
    app[JOURNAL], app[AUTHORITY] = journal, authority
    return app

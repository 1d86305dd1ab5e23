"""``dijkwacht collect``: runs the collector until a signal stops it."""

from __future__ import annotations

import argparse
import contextlib
import errno
import gc
import logging
import os
import socket
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dijkwacht.collector_state import add_state, report_former_state
from dijkwacht.own_detectors import add_detectors
from dijkwacht_records.errors import JournalError, SettingsError

if TYPE_CHECKING:
    from dijkwacht_collector.engine import DetectorSet
    from dijkwacht_collector.settings import CollectorSettings

log: Final = logging.getLogger(__name__)

_LOOK_S: Final = 1.0
SWITCH_INTERVAL_S = 0.0001
"""How long an engine may keep the interpreter from the event loop and the journal: a fiftieth of Python's default.

Each commit of the journal takes the interpreter back some three times, and waits for so long each time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command understands."""
    add_state(parser)
    parser.add_argument("--listen", metavar="HOST:PORT", help="where to listen (127.0.0.1:8470)")
    parser.add_argument(
        "--url", metavar="URL", help="where agents elsewhere reach it, such as https://NAME:8470"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="engine threads (1)")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="a TOML file of settings")
    parser.add_argument(
        "--no-training", action="store_true", help="keep the shipped models; train none"
    )
    add_detectors(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Raises `DijkwachtError` if it cannot start."""
    import uvloop  # noqa: PLC0415  only this command needs it

    from dijkwacht.shadow import remarks  # noqa: PLC0415  the same
    from dijkwacht_collector.engine import DetectorSet  # noqa: PLC0415  the same
    from dijkwacht_collector.logs import log_to_stderr  # noqa: PLC0415  the same
    from dijkwacht_collector.settings import (  # noqa: PLC0415  the same
        load_settings,
        make_operator_token,
        parse_listen,
    )

    log_to_stderr()
    host, port = parse_listen(args.listen) if args.listen else (None, None)
    settings = load_settings(
        args.settings,
        state=args.state,
        host=host,
        port=port,
        url=args.url,
        workers=args.workers,
        training=False if args.no_training else None,
    )
    detectors = DetectorSet.with_own(args.detectors)
    for name, remark in remarks(detectors):
        log.warning("detector %s", remark, extra={"detector": name})
    report_former_state("collect", settings.state)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        if make_operator_token(settings):
            sys.stderr.write(
                f"dijkwacht collect: the operators' token is in {settings.operator_token_file}\n"
            )
        uvloop.run(serve(settings, detectors))
    except OSError as error:
        raise SettingsError(_why_not(error, settings)) from None
    except (sqlite3.Error, UnicodeDecodeError) as error:  # damage that shows only when it is read
        raise SettingsError(f"a database in {settings.state}: {error}") from None
    return 0


async def serve(settings: CollectorSettings, detectors: DetectorSet) -> None:
    """Run the collector until a signal stops it; prints on standard error where it listens.

    Raises `JournalError` once nothing can be journalled any more: going on would only look like watching.
    """
    import asyncio  # noqa: PLC0415  heavy, as all below
    import signal  # noqa: PLC0415

    from aiohttp import web  # noqa: PLC0415

    from dijkwacht_collector.app import build_app  # noqa: PLC0415
    from dijkwacht_collector.intake import (  # noqa: PLC0415
        Connections,
        Handshakes,
        MostConnections,
        raise_limit,
        room_for_connections,
    )
    from dijkwacht_collector.maintenance import AUTHORITY, JOURNAL  # noqa: PLC0415

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # No access log: it would hold addresses. Bodies stay compressed: a gzip bomb has no effect.
    app = await asyncio.to_thread(build_app, settings, detectors=detectors)
    room = room_for_connections(raise_limit(), settings.connections)
    connections = Connections(MostConnections(room, settings.connections_per_address))
    watch = connections.watch
    if settings.encrypted:
        watch = Handshakes(connections, lambda: app[AUTHORITY].context).watch
    app.middlewares.insert(0, connections.mark)
    # What is left of a refused body is read for so many seconds, that its sender may read why.
    runner = web.AppRunner(
        app, access_log=None, auto_decompress=False, shutdown_timeout=3, lingering_time=2
    )
    await runner.setup()
    assert runner.server is not None
    sweep = asyncio.create_task(connections.sweep())
    server = None
    try:
        server = await loop.create_server(
            watch(runner.server), settings.host, settings.port, backlog=1024
        )
        host, port = server.sockets[0].getsockname()[:2]
        scheme = "https" if settings.encrypted else "http"
        await asyncio.to_thread(note_reached, settings, port)
        sys.stderr.write(f"dijkwacht collect: listening on {scheme}://{_in_url(host)}:{port}\n")
        # What is loaded now stays loaded: the garbage collector need not look through it again.
        gc.collect()
        gc.freeze()
        notify_systemd("READY=1")
        while (failure := app[JOURNAL].failure) is None and not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_S)
        notify_systemd("STOPPING=1")
    finally:
        sweep.cancel()
        if server is not None:
            server.close()
        await runner.cleanup()
    if failure is not None:
        raise JournalError(f"{failure}; what was acknowledged is kept, and the next start goes on")


def note_reached(settings: CollectorSettings, port: int) -> None:
    """Note in the state folder where agents reach this collector, for `dijkwacht site`."""
    from dijkwacht_collector.sites import Reached, write_reached  # noqa: PLC0415  heavy

    url = settings.url
    if url is None and settings.encrypted:
        nowhere = settings.host in {"0.0.0.0", "::"}  # noqa: S104  # nobody can be sent there
        url = None if nowhere else f"https://{_in_url(settings.host)}:{port}"
    write_reached(settings.state, Reached(url, settings.encrypted))


def notify_systemd(state: str) -> None:
    """Notify systemd, if it started this process and wants to know."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.connect("\0" + address[1:] if address[0] == "@" else address)
        sender.sendall(state.encode())


def _why_not(error: OSError, settings: CollectorSettings) -> str:
    if error.errno == errno.EADDRINUSE:
        address = f"{_in_url(settings.host)}:{settings.port}"
        return f"{address} is in use by another program; --listen names another port"
    if error.filename is not None:
        why = "is no folder" if isinstance(error, FileExistsError) else error.strerror
        return f"{error.filename}: {why}"
    return str(error)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host

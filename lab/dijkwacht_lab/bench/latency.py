"""Seconds from a batch's arrival to the incident it causes, at a fixed rate of rows of others.

Beside an open loop of ordinary office traffic, sites send one port scan each, whole, in one batch.
The clock runs from the first byte sent to the finding's line in the collector's file. Meanwhile the
collector saves a checkpoint every second, and takes new models (`swapping`). What the load did not
reach, and what was never told, is no figure: ``failed`` says so, and the command fails.
"""

from __future__ import annotations

import asyncio
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import uvloop

from dijkwacht_lab.bench import swapping
from dijkwacht_lab.bench.arriving import generated_entries
from dijkwacht_lab.bench.served import collector, make_sites, request, send_all, wait_scored
from dijkwacht_lab.traffic import WORKING_MORNING
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import ConnState, FlowState, Row
from dijkwacht_records.wire import encode

_SCANNER: Final = pack_address("192.168.77.66")
_TARGET: Final = pack_address("192.168.77.2")
_POLL_S: Final = 0.0002
_PATIENCE_S: Final = 10.0
_CHECKPOINTS: Final = "checkpoint_interval_s = 1.0\n"
_WARM: Final = 5
"""Of so many parts of the rows one is sent as fast as it is taken, before the clock starts."""
_REACHED: Final = 0.98
"""Of the rate that was asked for, no less than so much must have been acknowledged."""


class _Offered(NamedTuple):
    """When each scan and all of it began, seconds until the last answer, and how late the load was sent at worst.

    ``refused``: posts of the load that the collector did not take.
    """

    sent: dict[str, float]
    began: float
    seconds: float
    late: float
    refused: int


def measure(
    rate: int = 150_000,
    agents: int = 50,
    rows: int = 1_500_000,
    batch_rows: int = 1000,
    scans: int = 200,
    swaps: int = 3,
) -> dict[str, Any]:
    """``p50_seconds`` and ``p99_seconds`` from arrival to incident, beside ``rate`` rows a second.

    ``pauses``: what kept the engine from new rows, by cause: how often, and how long at the longest,
    the 99th percentile and the median, in seconds. ``swaps``: models activated meanwhile.
    """
    background = generated_entries(agents, rows // agents, batch_rows)
    attackers = [f"attacked-{number:04d}" for number in range(scans)]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        state, pauses = Path(folder), Path(folder) / "pauses.json"
        settings = state / "settings.toml"
        settings.write_text(_CHECKPOINTS)
        tokens = make_sites(state, {e.site for e in background} | set(attackers))
        module = (swapping.__name__, str(pauses))
        with collector(state, module, ("--settings", str(settings))) as (process, port):
            posts = [request(e.payload, tokens[e.site]) for e in background]
            warm = len(posts) // _WARM
            queues: dict[str, list[bytes]] = {}
            for entry, post in zip(background[:warm], posts[:warm], strict=True):
                queues.setdefault(entry.site, []).append(post)
            began = time.perf_counter()
            uvloop.run(send_all(port, list(queues.values())))
            wait_scored(port)
            full = warm * batch_rows / (time.perf_counter() - began)
            scan_posts = {a: request(_scan(a), tokens[a]) for a in attackers}
            found = _Findings(state / "incidents.jsonl")
            found.start()
            coming = posts[warm:]
            swap = _swaps(process, len(coming), swaps)
            interval = sys.getswitchinterval()
            sys.setswitchinterval(_POLL_S)  # who waits for a line must not wait for who sends
            offered = uvloop.run(_offer(port, coming, rate / batch_rows, scan_posts, swap))
            found.finish(set(attackers))
            sys.setswitchinterval(interval)
        noted: dict[str, list[tuple[float, float]]] = json.loads(pauses.read_text())
    end = offered.began + offered.seconds
    kept = {
        reason: seconds
        for reason, each in noted.items()
        if (seconds := [took for at, took in each if offered.began <= at - took <= end])
    }
    delays = [found.seen[a] - offered.sent[a] for a in attackers if a in found.seen]
    reached = (len(coming) - offered.refused) * batch_rows / offered.seconds
    failed = []
    if offered.refused:
        failed.append(f"{offered.refused} posts of the load were refused")
    if reached < _REACHED * rate:
        failed.append(f"the load was not reached: {reached:,.0f} rows a second of {rate:,}")
    if len(delays) < scans:
        failed.append(f"{scans - len(delays)} of {scans} scans were never told")
    if len(kept.get("model", ())) < swaps or not kept.get("checkpoint"):
        failed.append("no checkpoint, or no model, came in the time that was measured")
    cuts = statistics.quantiles(delays, n=100) if len(delays) > 1 else [0.0] * 99
    return {
        "p50_seconds": round(cuts[49], 5),
        "p99_seconds": round(cuts[98], 5),
        "max_seconds": round(max(delays, default=0.0), 5),
        "load_rows_per_second": round(reached),
        "full_rows_per_second": round(full),
        "incidents": len(delays),
        "missed": scans - len(delays),
        "worst_delay_of_load_seconds": round(offered.late, 4),
        "measured_seconds": round(offered.seconds, 2),
        "pauses": {reason: _spread(seconds) for reason, seconds in sorted(kept.items())},
        "failed": failed,
    }


def _spread(seconds: list[float]) -> dict[str, float]:
    rising = sorted(seconds)
    return {
        "count": len(rising),
        "max_seconds": round(rising[-1], 5),
        "p99_seconds": round(rising[int(len(rising) * 0.99)], 5),
        "p50_seconds": round(rising[len(rising) // 2], 5),
    }


def _swaps(process: subprocess.Popen[str], posts: int, swaps: int) -> Callable[[int], None]:
    """Called with the number of each post: asks for a model so often, evenly."""
    due = {posts * (2 * number + 1) // (2 * swaps) for number in range(swaps)}

    def swap(number: int) -> None:
        if number in due:
            process.send_signal(signal.SIGUSR1)

    return swap


async def _offer(
    port: int,
    posts: list[bytes],
    per_second: float,
    scans: dict[str, bytes],
    swap: Callable[[int], None],
) -> _Offered:
    """Send ``posts`` at a fixed pace, whatever is answered, scans spread among them."""
    sent: dict[str, float] = {}
    lanes = [asyncio.Queue[bytes | None]() for _ in range(16)]
    loads = [asyncio.create_task(_lane(port, lane)) for lane in lanes]
    every = max(1, len(posts) // len(scans))
    waiting, tasks, worst = iter(scans.items()), list[asyncio.Task[list[float]]](), 0.0
    began = time.perf_counter()
    for number, post in enumerate(posts):
        due = began + number / per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        worst = max(worst, time.perf_counter() - due)
        lanes[number % len(lanes)].put_nowait(post)
        swap(number)
        if number % every == every // 2 and (scan := next(waiting, None)) is not None:
            site, body = scan
            sent[site] = time.perf_counter()
            tasks.append(asyncio.create_task(send_all(port, [[body]])))
    for lane in lanes:
        lane.put_nowait(None)
    refused = sum(await asyncio.gather(*loads))
    seconds = time.perf_counter() - began
    await asyncio.gather(*tasks)
    return _Offered(sent, began, seconds, worst, refused)


async def _lane(port: int, posts: asyncio.Queue[bytes | None]) -> int:
    """One kept-open connection of the load; how many of its posts were not taken."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    refused = 0
    while (post := await posts.get()) is not None:
        writer.write(post)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        refused += not head.startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()
    return refused


class _Findings(threading.Thread):
    """Notes when the first finding of each site is in the file."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, float] = {}
        self._path = path
        self._stop_asked = threading.Event()

    def run(self) -> None:
        """Follow the file until asked to stop."""
        rest = b""
        with self._path.open("rb") as file:
            while not self._stop_asked.wait(_POLL_S):
                if not (data := file.read()):
                    continue
                now = time.perf_counter()
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self.seen.setdefault(json.loads(line)["metadata"]["tenant_uid"], now)

    def finish(self, sites: set[str]) -> None:
        """Wait until every one of ``sites`` has a finding, but not for ever."""
        deadline = time.monotonic() + _PATIENCE_S
        while not sites <= self.seen.keys() and time.monotonic() < deadline:
            time.sleep(0.01)
        self._stop_asked.set()
        self.join()


def _scan(site: str) -> bytes:
    rows: list[tuple[int, Row]] = []
    for port in range(1, 201):
        moment = WORKING_MORNING + port * 10_000
        row: Row = (
            moment, moment - 1000, port, 0, FlowState.END, _SCANNER, _TARGET, 40_000 + port, port,
            6, 0, ConnState.REJ, 2, 20, 1, 1, 0, 0, 1, 1,
        )  # fmt: skip
        rows.append((0, row))
    return encode(site, "agent-1", bytes(16), 0, rows[-1][1][0], rows)  # type: ignore[arg-type]  # a time

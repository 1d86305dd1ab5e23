"""Seconds from a batch's arrival to the incident it causes, while others send half of what fits.

Beside an open loop of ordinary office traffic, sites send one port scan each, whole, in one batch.
The clock runs from the first byte sent to the finding's line in the collector's file.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import uvloop

from dijkwacht_lab.bench.engine import generated_entries
from dijkwacht_lab.bench.served import collector, make_sites, request, send_all, wait_scored
from dijkwacht_lab.traffic import WORKING_MORNING
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import ConnState, FlowState, Row
from dijkwacht_records.wire import encode

_SCANNER: Final = pack_address("192.168.77.66")
_TARGET: Final = pack_address("192.168.77.2")
_POLL_S: Final = 0.0002
_PATIENCE_S: Final = 10.0


def measure(
    agents: int = 50, rows: int = 500_000, batch_rows: int = 1000, scans: int = 100
) -> dict[str, Any]:
    """``p50_seconds`` and ``p99_seconds`` from arrival to incident, at ``load_rows_per_second``.

    The load is half of what the same collector took just before, acknowledged and scored.
    """
    background = generated_entries(agents, rows // agents, batch_rows)
    attackers = [f"attacked-{number:04d}" for number in range(scans)]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        state = Path(folder)
        tokens = make_sites(state, {e.site for e in background} | set(attackers))
        with collector(state) as (_, port):
            posts = [request(e.payload, tokens[e.site]) for e in background]
            half = len(posts) // 2
            queues: dict[str, list[bytes]] = {}
            for entry, post in zip(background[:half], posts[:half], strict=True):
                queues.setdefault(entry.site, []).append(post)
            began = time.perf_counter()
            uvloop.run(send_all(port, list(queues.values())))
            wait_scored(port)
            full = half * batch_rows / (time.perf_counter() - began)
            scan_posts = {a: request(_scan(a), tokens[a]) for a in attackers}
            found = _Findings(state / "incidents.jsonl")
            found.start()
            sent, late = uvloop.run(_offer(port, posts[half:], full / 2 / batch_rows, scan_posts))
            found.finish(set(attackers))
    delays = [found.seen[a] - sent[a] for a in attackers if a in found.seen]
    cuts = statistics.quantiles(delays, n=100)
    return {
        "p50_seconds": round(cuts[49], 5),
        "p99_seconds": round(cuts[98], 5),
        "load_rows_per_second": round(full / 2),
        "full_rows_per_second": round(full),
        "incidents": len(delays),
        "missed": scans - len(delays),
        "worst_delay_of_load_seconds": round(late, 4),
    }


async def _offer(
    port: int, posts: list[bytes], per_second: float, scans: dict[str, bytes]
) -> tuple[dict[str, float], float]:
    """Send ``posts`` at a fixed pace, scans spread among them: when each scan began; worst lag."""
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
        if number % every == every // 2 and (scan := next(waiting, None)) is not None:
            site, body = scan
            sent[site] = time.perf_counter()
            tasks.append(asyncio.create_task(send_all(port, [[body]])))
    for lane in lanes:
        lane.put_nowait(None)
    await asyncio.gather(*loads, *tasks)
    return sent, worst


async def _lane(port: int, posts: asyncio.Queue[bytes | None]) -> None:
    """One kept-open connection of the load; answers are read and not looked at."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (post := await posts.get()) is not None:
        writer.write(post)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()


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
